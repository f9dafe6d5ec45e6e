/* SPDX-License-Identifier: MIT */
#ifndef IPN_RING_H
#define IPN_RING_H

/*
 * Messages in shared memory: what an attached program maps. libipn does all of
 * this; programs need it only to do without libipn. Frozen as layout 1.
 *
 * Attaching. A connected node's program connects a SOCK_SEQPACKET socket to the
 * path in the answer to IPN_IOC_VERSION, receives a ticket (struct ipn_grant of
 * kind TICKET) and gives it to the daemon by IPN_IOC_ATTACH on the node's device
 * file. Then a grant of kind AREAS comes by the socket, with descriptors:
 *
 *   1. the client area, which the program writes:
 *          struct ipn_control in the first IPN_PAGE bytes, then the send ring
 *   2. the status area, which the daemon writes (map it read-only):
 *          struct ipn_status in the first IPN_PAGE bytes, then completions
 *   3. if the node receives, its log, which the daemon writes (read-only):
 *          struct ipn_log_header in the first IPN_LOG_HEADER_BYTES, then a ring
 *
 * Nobody can change the size of these files, and nobody but the daemon can ever
 * write into the second and the third.
 *
 * Rings. Positions are byte counts that only grow; a record lies at
 * (position & (capacity - 1)), aligned to IPN_RECORD_ALIGN, and never wraps:
 * where it would, a record of type PAD fills the rest and the record begins at
 * the start.
 *
 *      tail_pos                      head_pos
 *         v                             v
 *   ------[rec n][rec n+1][PAD]|[rec n+2]------          (a log)
 *         ^ tail_seq = n                ^ head_seq = n + 3, the next number
 *
 * The send ring: the program writes records behind send_head and stores
 * send_head (release) to commit them; the daemon takes them and stores
 * send_tail. What is written past send_head means nothing.
 *
 * The log: the daemon stores tail_pos and tail_seq past what it is going to
 * overwrite, then the records, then head_pos, then head_seq (release). A reader
 * reads up to head_seq and stores the number of its next message in read_seq
 * (release). In a log without IPN_GRANT_OVERWRITES nothing at or above read_seq
 * of any reader is overwritten, but messages of the reader's own node that follow
 * there, and padding before them. Else a reader copies a record out, then looks
 * whether tail_seq has passed it: then the copy is worth nothing, and it goes on
 * at the tail. Messages of the reader's own node are skipped unless their record
 * has IPN_MSG_LOOPBACK.
 *
 * Going to sleep. Each of the four waits is of one shape: the sleeper stores
 * what it waits for, executes a full fence and looks once more; the other side
 * stores the news, executes a full fence and reads the wish.
 *
 *   who sleeps, for what            wish                 signal
 *   daemon, a message               ring_me              a byte on the socket
 *   daemon, room in the log         wake_at              a byte on the socket
 *   reader, message number n        sleep_at = n + 1     data_word, futex
 *   sender, send_tail at p          room_at = p          room_word, futex
 *
 * A program looks at its futex word before it stores its wish, and waits only as
 * long as the word has not changed. It bounds such waits and then waits on the
 * device file with poll(2), which also tells that the daemon is gone. `ring_me`
 * and `wake_at` are rung for once per value.
 *
 * Both sides see the other as hostile or gone at any moment. What the program
 * writes is a claim: a head beyond the ring, a length beyond what was committed
 * or a read_seq that goes back or ahead of the log disconnects the node.
 */

#include <linux/types.h>

#include <ipn/ioctl.h>

#define IPN_RING_LAYOUT 1

#define IPN_PAGE 4096
#define IPN_RECORD_ALIGN 32
#define IPN_RECORD_HDR 32
#define IPN_LOG_HEADER_BYTES 256

enum ipn_record_type {
	IPN_RECORD_PAD = 0, /* `len` bytes behind the header mean nothing */
	IPN_RECORD_DATA = 1,
	IPN_RECORD_LOST = 2 /* in a log: one __u64, messages lost before the record that follows */
};

/* In front of each message in a send ring. */
struct ipn_send_record {
	__u32 len;            /* payload bytes behind this header */
	__u16 flags;          /* IPN_MSG_REPORT: a completion is wanted; else 0 */
	__u8 type;            /* IPN_RECORD_PAD, IPN_RECORD_DATA */
	__u8 meta8;           /* 0 */
	__aligned_u64 dst;    /* destination where the policy has such; else 0 */
	__aligned_u64 cookie; /* comes back in the completion */
	__aligned_u64 rsv;    /* 0 */
};

/* In front of each message of a log. */
struct ipn_log_record {
	__u32 len;          /* payload bytes behind this header */
	__u16 flags;        /* IPN_MSG_LOOPBACK: also for its own sender */
	__u8 type;          /* IPN_RECORD_* */
	__u8 meta8;         /* 0 */
	__aligned_u64 seq;  /* number in this log; PAD, LOST: of the next message */
	__aligned_u64 node; /* id of the sending node; 0: the policy */
	__u16 port;         /* port of the sending node */
	__u8 hops;
	__u8 nfds;
	__u32 time_us; /* low 32 bits of the time of sending in us since 1970 */
};

/* At the start of a log. What the writer changes with every message stands on
 * cache lines of its own. */
struct ipn_log_header {
	__u32 layout;
	__u32 capacity; /* bytes of the ring, a power of two */
	__aligned_u64 epoch;
	__aligned_u64 next_epoch; /* 0: this one is alive */
	__aligned_u64 last_seq;   /* with next_epoch: the last number in this one */
	__u8 rsv0[96];
	__aligned_u64 head_seq, head_pos;
	__aligned_u64 tail_seq, tail_pos;
	__aligned_u64 time; /* full time of the newest record in us since 1970 */
	__u8 rsv1[88];
};

/* At the start of the client area. Each 128 bytes have one writing thread. */
struct ipn_control {
	/* The sender's. */
	__aligned_u64 send_head; /* committed up to here */
	__u8 rsv0[120];
	__aligned_u64 room_at;         /* 0: awake; else sleeps until send_tail is there */
	__aligned_u64 completion_tail; /* completions collected so far */
	__u8 rsv1[112];
	/* The receiver's. */
	__aligned_u64 read_seq; /* number of the next message that it has not given back; 0: not begun */
	__aligned_u64 own;      /* messages of its own that it passed since it attached */
	__aligned_u64 msgs;     /* messages that it received since, */
	__aligned_u64 bytes;    /* their bytes, */
	__aligned_u64 lost;     /* and those that it found overwritten */
	__u8 rsv2[88];
	__aligned_u64 sleep_at; /* 0: awake; else sleeps until head_seq is there */
	__u8 rsv3[120];
};

/* What may still happen on a node; only grows. */
enum ipn_ring_state {
	IPN_RING_OPEN = 1,
	IPN_RING_DRAIN = 2, /* the network has ended: read what is left */
	IPN_RING_ENDED = 3  /* disconnected, or moved to the device: read and send nothing here */
};

/* At the start of the status area. */
struct ipn_status {
	__u32 layout;
	__u32 send_bytes;         /* bytes of the send ring, a power of two */
	__u32 completion_entries; /* a power of two */
	__u32 rsv0;
	__aligned_u64 node; /* id */
	__u8 rsv1[104];
	/* To the sender. */
	__u32 ring_me;    /* 0: the daemon looks by itself; else ring once for each value */
	__u32 send_state; /* enum ipn_ring_state */
	__s32 send_error; /* ENDED: errno of sending from now on; 0: moved to the device */
	__u32 mtu;        /* longest message in bytes */
	__u8 rsv2[112];
	__aligned_u64 send_tail;       /* taken up to here */
	__aligned_u64 completion_head; /* completions written so far */
	__u32 room_word;               /* futex */
	__u32 rsv3;
	__u8 rsv4[104];
	/* To the receiver. */
	__aligned_u64 wake_at; /* 0, or: ring once when read_seq is there */
	__u32 data_word;       /* futex */
	__u32 recv_state;      /* enum ipn_ring_state */
	__aligned_u64 moved_at; /* ENDED: 0: nothing follows; else read the device, and skip there
	                         * what has a smaller number than the next that is wanted */
	__u32 own_version;     /* odd: the two words below are being changed */
	__u32 rsv5;
	__aligned_u64 own_evicted_seq; /* the newest of the node's own messages that is overwritten */
	__aligned_u64 own_evicted;     /* how many of them are, since it attached */
	__u8 rsv6[80];
};

/* Behind the status page: struct ipn_completion of ipn/ioctl.h, number n at
 * n modulo completion_entries. A program asks for no more than it has room for. */
#define IPN_COMPLETION_ENTRIES 512

/* A packet from the daemon on the attach socket. Receive it with room for three
 * descriptors; what follows the fields that you know is to be ignored. */
#define IPN_GRANT_TICKET 1u /* ticket and boot_id are valid */
#define IPN_GRANT_AREAS 2u  /* with client area, status area and (if it receives) log */
#define IPN_GRANT_EPOCH 3u  /* the log goes on in the descriptor that comes with it */
#define IPN_GRANT_OVERWRITES 0x1u /* flag: this log loses its oldest; copy, then validate */
#define IPN_GRANT_RECEIVES 0x2u   /* flag: there is a log */
#define IPN_GRANT_SENDS 0x4u      /* flag: the node may send */
struct ipn_grant {
	__u32 size, kind;
	__u32 flags, layout;
	__u8 ticket[16];
	__u8 boot_id[16];
	__aligned_u64 client_bytes, status_bytes, log_bytes; /* sizes of the files */
	__aligned_u64 epoch;
	__aligned_u64 next_seq; /* number of the first message to read there */
	__aligned_u64 next_pos; /* and its position */
	__aligned_u64 rsv[2];
};

#endif /* IPN_RING_H */
