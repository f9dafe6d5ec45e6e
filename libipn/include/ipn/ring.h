/* SPDX-License-Identifier: MIT */
#ifndef IPN_RING_H
#define IPN_RING_H

/*
 * Logs in memory. DRAFT: layout 0 is private to the daemon; the layout that
 * programs may map will have a number from 1 on.
 *
 * A log is a header of IPN_LOG_HEADER_BYTES followed by a ring of `capacity`
 * bytes (a power of two). Only the daemon writes. Positions are byte counts
 * that only grow; a record lies at (position & (capacity - 1)) behind the
 * header, aligned to IPN_RECORD_ALIGN, and never wraps: where it would, a
 * record of type PAD fills the rest and the record begins at the start.
 *
 *      tail_pos                      head_pos
 *         v                             v
 *   ------[rec n][rec n+1][PAD]|[rec n+2]------
 *         ^ tail_seq = n                ^ head_seq = n + 3, the next number
 *
 * The writer stores tail_seq and tail_pos past what it is going to overwrite,
 * then the record, then head_pos and head_seq with release. A reader copies a
 * record out and then looks whether tail_seq has passed it.
 */

#include <linux/types.h>

#define IPN_RING_LAYOUT 0

#define IPN_RECORD_ALIGN 32
#define IPN_RECORD_HDR 32
#define IPN_LOG_HEADER_BYTES 256

enum ipn_record_type {
	IPN_RECORD_PAD = 0,  /* `len` bytes behind the header mean nothing */
	IPN_RECORD_DATA = 1,
	IPN_RECORD_LOST = 2, /* reserved, as all below */
	IPN_RECORD_END = 3,
	IPN_RECORD_COMPLETION = 4,
	IPN_RECORD_EPOCH = 5
};

/* In front of each message of a log. */
struct ipn_log_record {
	__u32 len; /* payload bytes behind this header */
	__u16 flags;
	__u8 type; /* IPN_RECORD_* */
	__u8 meta8;
	__aligned_u64 seq;  /* number in this log */
	__aligned_u64 node; /* id of the sending node */
	__u16 port;         /* port of the sending node */
	__u8 hops;
	__u8 nfds;
	__u32 time_us; /* low 32 bits of the time of sending in us */
};

/* At the start of a log. What the writer changes with every message stands on
 * cache lines of its own. */
struct ipn_log_header {
	__u32 layout;
	__u32 capacity; /* bytes of the ring */
	__aligned_u64 epoch;
	__aligned_u64 next_epoch; /* 0: this one is alive */
	__aligned_u64 last_seq;   /* with next_epoch: the last number in this one */
	__u8 rsv0[96];
	__aligned_u64 head_seq, head_pos;
	__aligned_u64 tail_seq, tail_pos;
	__aligned_u64 time; /* full time of the newest record in us since 1970 */
	__u8 rsv1[88];
};

#endif /* IPN_RING_H */
