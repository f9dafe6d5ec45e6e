/* SPDX-License-Identifier: MIT */
#ifndef IPN_IOCTL_H
#define IPN_IOCTL_H

/*
 * The IPN device: what a program may ask of an open /dev/ipn.
 *
 * One open of the device is a *node*. A node is free; BIND lets it manage a
 * network (and makes the network if there is none); CONNECT lets it exchange
 * messages: read(2) takes one message, write(2) sends one, poll(2) tells when
 * either would not block. Everything else is an ioctl of this file.
 *
 * Rules for every ioctl:
 *
 *  - The number carries the direction and the true size of the structure.
 *    The daemon finds the command by (type, nr) and takes the size from the
 *    number, so that a structure can grow: input shorter than the daemon's
 *    structure is completed with zeros, longer input must be zero behind what
 *    the daemon knows (else E2BIG), output is cut to what was asked for. (What
 *    follows struct ipn_opt, ipn_msg and ipn_list is data, not structure.)
 *  - Structures begin with `size` and `flags`, except struct ipn_msg. `size`
 *    equals the size in the number (else EINVAL); on return it is the number
 *    of bytes that the daemon filled in.
 *  - An unknown flag or a reserved field that is not zero: EINVAL.
 *  - A number that the daemon does not implement: ENOTTY.
 *  - A failed ioctl changes nothing. IPN_IOC_EXPLAIN gives its reason and the
 *    remedy in words.
 *
 * All structures have the same layout for 32-bit and 64-bit programs. Until
 * version 1.0 the ABI is 0.N and programs of different N do not mix
 * (IPN_IOC_VERSION); from 1.0 on it only grows.
 */

#include <linux/ioctl.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The ABI is 0.IPN_ABI. */
#define IPN_ABI 1

/* Type byte of the ioctl numbers; unused in the kernel's ioctl-number.rst. */
#define IPN_IOC_MAGIC 'Y'

/* The longest message in bytes: 65536 and room for tunnel headers. */
#define IPN_MSG_MAX 65792

/* Most bytes that one ioctl can carry (14 bits of its number). */
#define IPN_IOC_SIZE_MAX 16383

/* Longest name of a network in bytes, without the terminating NUL. */
#define IPN_NAME_MAX 107

/* "Any port": the policy chooses. */
#define IPN_PORT_ANY (-1)

/* Policies (the `protocol` of AF_IPN). 5 to 63 are plug-ins. */
#define IPN_ANY 0 /* attach to whatever is there; never creates */
#define IPN_BROADCAST 1
#define IPN_HUB IPN_BROADCAST
#define IPN_VDESWITCH 2
#define IPN_VDESWITCH_L3 3
#define IPN_BUS 4
#define IPN_POLICY_MAX 63

/* Network flags (IPN_OPT_FLAGS and ipn_netcfg.nflags). */
#define IPN_NET_LOSSLESS 0x1u     /* senders wait for slow receivers */
#define IPN_NET_EXCL 0x2u         /* only its maker may bind */
#define IPN_NET_PERSISTENT 0x100u /* stays without nodes until removed */
#define IPN_NET_CONFIDENTIAL 0x200u /* every receiver has a log of its own */
#define IPN_NET_TERMINATED 0x1000u /* read only: ending, nobody may join */

/* Roles of a node. */
#define IPN_ROLE_RECV 0x1u
#define IPN_ROLE_SEND 0x2u
#define IPN_ROLE_MANAGE 0x4u /* answer only: the node is bound */

/* Options (ipn_opt.name at level 0). Those with bit 0x80 are set before BIND
 * and shape the network that it makes; they read back the network's values
 * afterwards. Values are one __u32 in host byte order. */
#define IPN_OPT_HEADER 0x40u      /* 0 or 1: header mode of this open file */
#define IPN_OPT_RING 0x41u        /* bytes of the send ring that ATTACH makes; 0: chosen from mtu */
#define IPN_OPT_MTU 0x80u         /* bytes, 1..65536; 1514 */
#define IPN_OPT_NUMNODES 0x81u    /* ports, 1..65535; 32 */
#define IPN_OPT_MSGPOOLSIZE 0x82u /* messages, 1..65535; 1024 */
#define IPN_OPT_FLAGS 0x83u       /* IPN_NET_LOSSLESS | IPN_NET_EXCL | IPN_NET_CONFIDENTIAL; 0 */
#define IPN_OPT_MODE 0x84u        /* permission bits, 0..0777; 0777 & ~umask */

/* What a full log does with a message. */
#define IPN_OVERFLOW_NETWORK 0u /* (a node's) as the network */
#define IPN_OVERFLOW_DROP_NEWEST 1u
#define IPN_OVERFLOW_DROP_OLDEST 2u
#define IPN_OVERFLOW_LATEST 3u
#define IPN_OVERFLOW_BLOCK 4u

/* Why a message was not delivered: index into the `drops` arrays. */
enum ipn_drop {
	IPN_DROP_NO_RECEIVER = 0,    /* nobody else was there to receive */
	IPN_DROP_LOG_FULL = 1,       /* the receiver's own log was full */
	IPN_DROP_LAPPED = 2,         /* a slow reader was overtaken by the writer */
	IPN_DROP_TOO_LONG = 3,       /* longer than the network's mtu */
	IPN_DROP_NOT_ALLOWED = 4,    /* sent without the right to send */
	IPN_DROP_MALFORMED = 5,      /* header or frame makes no sense */
	IPN_DROP_POLICY = 6,         /* the policy said so */
	IPN_DROP_HOP_LIMIT = 7,      /* went through too many networks */
	IPN_DROP_INTERFACE_FULL = 8, /* a network interface took no more */
	IPN_DROP_EVICTED = 9,        /* unread by a node that was disconnected */
	IPN_DROP_EXPIRED = 10,       /* older than its network keeps messages */
	IPN_DROP_CLOSED = 11,        /* unread when its node closed or shut down */
	IPN_DROP_EMPTY = 12,         /* zero bytes, and the reader had no header mode */
	IPN_DROP_REASONS = 13        /* number of reasons of this version */
};
#define IPN_DROP_SLOTS 16 /* length of the `drops` arrays */

/* IPN_IOC_VERSION. A program may say its own `abi`; if that differs from the
 * daemon's, the answer still comes, but every other ioctl of this open file but
 * EXPLAIN and CHECK is refused with EPROTONOSUPPORT. */
struct ipn_version {
	__u32 size, flags;
	__u32 abi;                    /* in: the program's, or 0; out: the daemon's */
	__u32 layout_min, layout_max; /* layouts of ring.h; 0: no fast path */
	__u32 msg_max;                /* longest message in bytes */
	__aligned_u64 features[2];    /* IPN_FEATURE_* */
	__u8 boot_id[16];             /* random, new at every start of the daemon */
	char socket[108];             /* attach socket; empty: none */
	char text[44];                /* version of the daemon in words */
};
#define IPN_FEATURE_DEVICE 0x1u /* everything in this file that is not marked reserved */
#define IPN_FEATURE_FAST 0x2u   /* ATTACH and DETACH */

/* IPN_IOC_BIND, IPN_IOC_CONNECT.
 *
 * BIND: manage the network `name`; needs x. Makes it if there is none, with
 * the options set before. EISCONN already bound or connected; EPROTONOSUPPORT
 * unknown policy, or IPN_ANY and no such network; EPROTO the network has
 * another policy; EACCES no x; EEXIST IPN_NET_EXCL and it exists;
 * ECONNREFUSED it was made with IPN_NET_EXCL; EDQUOT a limit per user.
 *
 * CONNECT: exchange messages; needs r or w. A bound node gives no name.
 * `roles`: IPN_ROLE_RECV and/or IPN_ROLE_SEND, 0 for both; the answer has
 * those that the network's mode allows. ENOENT no such network; EACCES none of
 * the roles is allowed; EPROTO; EISCONN, also for a bound node that names
 * another network; EADDRINUSE port taken; EADDRNOTAVAIL no port free, or none of
 * that number; EDQUOT.
 *
 * Both: EINVAL for a name that is not 1..107 bytes of [A-Za-z0-9._:@/-] with a
 * letter, digit or `_` first. */
struct ipn_join {
	__u32 size, flags;      /* flags: none yet */
	__u32 policy;           /* in: policy or IPN_ANY; out: the network's */
	__u32 roles;            /* in, out */
	__s32 port;             /* in: CONNECT: wanted, or IPN_PORT_ANY; out: given, or IPN_PORT_ANY */
	__u32 layout;           /* reserved */
	__aligned_u64 net;      /* out: id of the network */
	__aligned_u64 node;     /* out: id of the node */
	__aligned_u64 next_seq; /* out: number of the next message it will be given */
	__aligned_u64 ns;       /* reserved */
	char name[128];         /* in: NUL-terminated; out: the network's name */
	__aligned_u64 rsv[4];
};

/* IPN_IOC_SETOPT(n), IPN_IOC_GETOPT(n) with n bytes of value.
 * ENOPROTOOPT unknown name; EPROTONOSUPPORT unknown level; EINVAL out of range
 * or `len` too short; EISCONN an option of the network after BIND or CONNECT. */
struct ipn_opt {
	__u32 size, flags;
	__aligned_u64 node; /* 0: this open file */
	__s32 level;        /* 0 */
	__u32 name;         /* IPN_OPT_* */
	__u32 len;          /* bytes in val */
	__u32 rsv;
	/* then `len` bytes of value */
};
#define IPN_OPT_VAL_MAX 8192

/* IPN_IOC_SHUTDOWN: irreversible; before CONNECT it chooses the roles.
 * Receive: what is unread is dropped, sleepers wake with end-of-file.
 * Send: further sends and sleeping ones fail with EPIPE. */
#define IPN_SHUT_RD 0u
#define IPN_SHUT_WR 1u
#define IPN_SHUT_RDWR 2u
struct ipn_shutdown {
	__u32 size, flags;
	__aligned_u64 node; /* 0: this open file */
	__u32 how;          /* IPN_SHUT_*; else EINVAL */
	__u32 rsv;
};

/* A message's header, 64 bytes: in front of the payload of every read and
 * write in header mode, and of IPN_IOC_SEND and IPN_IOC_RECV.
 *
 * Sending: hdr is 64, len the number of payload bytes behind it, flags one of
 * those marked "in", peer a destination where the policy has such (else 0:
 * EOPNOTSUPP), cookie as you like, everything else zero.
 * Receiving: len is the true length; if the buffer was shorter the rest is
 * lost and IPN_MSG_TRUNC is set. */
struct ipn_msg {
	__u16 hdr;            /* 64 */
	__u16 flags;          /* IPN_MSG_* */
	__u32 len;            /* bytes of payload */
	__aligned_u64 seq;    /* number in the log of this receiver */
	__aligned_u64 peer;   /* received: id of the sending node; RECV in: see there */
	__u32 port;           /* received: port of the sending node */
	__u32 count;          /* received: messages lost before this one; sent: receivers reached */
	__u32 pid, uid, gid;  /* reserved: who sent it */
	__u8 hops, nfds;
	__u16 meta;           /* bytes of TLVs between header and payload; 0 */
	__aligned_u64 time;   /* received: when it was sent, ns since 1970 (CLOCK_REALTIME) */
	__aligned_u64 cookie; /* sending: comes back in the completion */
};
#define IPN_MSG_HDR 64
#define IPN_MSG_OOB 0x1u        /* reserved */
#define IPN_MSG_DONTWAIT 0x2u   /* in: EAGAIN instead of waiting */
#define IPN_MSG_PEEK 0x4u       /* in: leave the message where it is */
#define IPN_MSG_TRUNC 0x8u      /* out: the buffer was too short */
#define IPN_MSG_REPORT 0x10u    /* in, send ring: a completion is wanted */
#define IPN_MSG_ATOMIC 0x20u    /* reserved, as all below that say nothing */
#define IPN_MSG_SKIP_FULL 0x40u
#define IPN_MSG_LOOPBACK 0x80u  /* log: given to its own sender, too */
#define IPN_MSG_SYNC 0x100u
#define IPN_MSG_CRED_ATTACH 0x200u
#define IPN_MSG_FDS_LOST 0x400u
#define IPN_MSG_EOR 0x800u

/* IPN_IOC_SEND(n): struct ipn_msg, then n payload bytes (len <= n). On return
 * `count` is the number of receivers that it was delivered to, `seq` its
 * number in the network's shared log (0 in networks without one).
 * IPN_IOC_RECV(n): room for n payload bytes behind the header. In: hdr 64,
 * flags DONTWAIT or PEEK, `peer` an offset into the payload, so that a message
 * longer than an ioctl can be looked at in pieces with PEEK. At the end of the
 * network hdr comes back as 0.
 * The kernel does not tell the daemon of O_NONBLOCK with an ioctl: only DONTWAIT
 * counts. Errors of both are those of write(2) and read(2) in ipn(4). */
#define IPN_IOC_MSG_DATA_MAX (IPN_IOC_SIZE_MAX - IPN_MSG_HDR)

/* IPN_IOC_WAIT_PEERS: sleeps until `readers` other nodes receive in this
 * node's network, at most timeout_ms (0: for ever). ENOTCONN not connected;
 * ETIMEDOUT; EINTR; ECONNRESET the network ended. Out: `readers` is how many
 * there are. */
struct ipn_wait_peers {
	__u32 size, flags;
	__u32 readers;
	__u32 timeout_ms;
};

/* What became of a send that was to be reported (IPN_MSG_REPORT). */
struct ipn_completion {
	__aligned_u64 cookie;
	__aligned_u64 seq; /* number in the shared log; 0: none */
	__s32 error;       /* errno; 0: the network took it */
	__u32 receivers;   /* nodes that it was delivered to */
	__aligned_u64 rsv;
};

/* IPN_IOC_ATTACH: from now on this connected node's messages travel through
 * shared memory. The ticket comes by the attach socket; ipn/ring.h describes
 * the exchange and what is mapped. It is good for one call within 2 s, by the
 * process that connected the socket (EPERM otherwise; also where the daemon
 * cannot see that process). ENOTCONN not connected; EISCONN attached already;
 * EPROTONOSUPPORT no common layout; EAGAIN what is unread lies in memory of an
 * older epoch, read it first; EDQUOT a limit per user; ENOMEM, EMFILE. Whatever
 * fails, the node stays on the device as it was.
 *
 * IPN_IOC_DETACH: back to the device. Sleeps until the daemon has taken what
 * was committed to the send ring (EINTR). ENOTCONN not attached. Closing the
 * socket does the same.
 *
 * A write on the device file of an attached node goes behind what the send ring
 * holds; a read there moves the receiving side to the device for good. */
struct ipn_attach {
	__u32 size, flags;
	__u8 ticket[16];
	__u8 boot_id[16];             /* of the daemon that gave the ticket (EPERM) */
	__u32 layout_min, layout_max; /* in: what the program knows; out: what was chosen */
	__aligned_u64 next_seq;       /* out: ATTACH: number of the first message in the log */
	__aligned_u64 epoch;          /* out */
	__aligned_u64 rsv[4];
};

/* IPN_IOC_NODE_GET, IPN_IOC_NODE_SET: how a node receives. `node` 0 is this open
 * file, also before it connects; others need the owner of the network or root
 * (EPERM). ENOENT; EINVAL; EDQUOT for a log of its own.
 * `overflow`: NETWORK as the network does; DROP_NEWEST or LATEST: a log of its
 * own, which never holds up senders, loses what does not fit, or keeps the newest
 * message only. Other values: EINVAL in this version. */
struct ipn_nodecfg {
	__u32 size, flags; /* SET: IPN_NODECFG_* of the fields to change */
	__aligned_u64 node;
	__u32 overflow;    /* IPN_OVERFLOW_* */
	__u32 deadline_ms, evict_ms, rsv0; /* reserved */
	__aligned_u64 rsv[4];
};
#define IPN_NODECFG_OVERFLOW 0x1u

/* IPN_IOC_EXPLAIN: why the last failed call of this open file failed. */
struct ipn_explain {
	__u32 size, flags;
	__s32 error; /* errno; 0: nothing has failed yet */
	__u32 nr;    /* nr of the ioctl; 0x100 read, 0x101 write */
	char text[240]; /* "object: reason (remedy)", NUL-terminated, no newline */
};

/* IPN_IOC_NET_ADD, NET_GET, NET_SET, NET_END. A network is named by `net`, or
 * by `name` if `net` is 0. `flags` says which fields are given (ADD, SET);
 * others keep their default or value. SET with `generation` not 0 succeeds
 * only if it still is the network's (EAGAIN else).
 *
 * ADD: EEXIST; EDQUOT, also for logs of the receivers' own that are larger than
 * what the owner may be charged; EINVAL range; EPERM other owner than yourself.
 * GET: needs any of r, w, x (EACCES by name; by id you learn nothing: ENOENT).
 * SET, END: owner or root (EPERM); ENOENT; SET: EBUSY a port that would go is
 * in use, or more is unread than the new log would hold, or it would make the
 * logs of other users' nodes larger, or settings that make a new log changed
 * more than 10 times a second.
 * END: newcomers find nothing; members read what is left, then end-of-file. */
struct ipn_netcfg {
	__u32 size, flags;
	__aligned_u64 net, generation;
	__u32 policy, nflags;
	__u32 mtu, ports, pool, mode;
	__u32 uid, gid;
	__u32 overflow;    /* IPN_OVERFLOW_*; out only in this version */
	__u32 deadline_ms; /* lossless: disconnect who keeps waiting senders this long; 0 never */
	__u32 retain_msgs, retain_ms; /* reserved */
	__aligned_u64 log_bytes;      /* room of each log; 0: chosen from pool and mtu */
	char name[128];
	__aligned_u64 rsv[8];
};
#define IPN_NETCFG_POLICY 0x1u
#define IPN_NETCFG_NFLAGS 0x2u /* SET: LOSSLESS, EXCL, CONFIDENTIAL cannot change (EINVAL) */
#define IPN_NETCFG_MTU 0x4u
#define IPN_NETCFG_PORTS 0x8u
#define IPN_NETCFG_POOL 0x10u
#define IPN_NETCFG_MODE 0x20u
#define IPN_NETCFG_UID 0x40u
#define IPN_NETCFG_GID 0x80u
#define IPN_NETCFG_DEADLINE 0x100u
#define IPN_NETCFG_LOG_BYTES 0x200u

/* IPN_IOC_NODE_KICK: the node by id, or by (network, port). Owner of the
 * network or root (EPERM); ENOENT; EBUSY, ENOMEM where the log was mapped and
 * new memory for it is not to be had, as after 10 such kicks in a second. It
 * reads end-of-file at once, its sends fail with ECONNRESET, what it had not
 * read is dropped (evicted). */
struct ipn_ref {
	__u32 size, flags;
	__aligned_u64 net, node; /* ids, or 0 */
	__s32 port;              /* if node is 0 */
	__u32 rsv;
	char name[128];          /* if net is 0 */
};

/* IPN_IOC_LIST(n): `data` holds n bytes of records, ascending by id. Begin
 * with cursor 0; pass the answer's cursor for more until n is 0. Records have
 * `rec` bytes each: step by it, not by sizeof. Only what you may see comes:
 * networks that give you r, w or x, and their nodes. */
#define IPN_LIST_NETWORKS 1u
#define IPN_LIST_NODES 2u
struct ipn_list {
	__u32 size, flags;
	__aligned_u64 cursor;
	__aligned_u64 generation; /* out: changes when a network comes, goes or is set */
	__aligned_u64 net;        /* NODES: only of this network; 0: of all */
	__u32 kind;               /* IPN_LIST_* */
	__u32 n;                  /* out: records that follow */
	__u32 rec;                /* out: bytes per record */
	__u32 rsv;
	/* then records */
};
#define IPN_LIST_DATA_MAX (IPN_IOC_SIZE_MAX - 48 - 7) /* a multiple of 8 */

struct ipn_net_record {
	__aligned_u64 id, generation;
	__u32 policy, nflags;
	__u32 mtu, pool;           /* bytes; messages */
	__u32 nodes, nodes_max;    /* connected; ports */
	__u32 readers, writers;
	__u32 mode, uid, gid;
	__u32 blocked_senders;     /* messages that wait for room */
	__u32 deadline_ms, overflow;
	__aligned_u64 log_bytes;
	__aligned_u64 msgs, bytes; /* accepted from senders */
	__aligned_u64 drops[IPN_DROP_SLOTS];
	char name[128];
	char policy_name[32];
};

#define IPN_DOOR_DEVICE 1u /* read and write on a CUSE device */
#define IPN_DOOR_FILE 2u   /* the same on a FUSE file */
#define IPN_DOOR_FAST 3u   /* attached: through shared memory (ipn/ring.h) */

#define IPN_NODE_CONNECTED 0x1u
#define IPN_NODE_BLOCKS 0x2u /* senders wait for it */
#define IPN_NODE_ENDED 0x4u  /* kicked, evicted, or its network ended */

/* Directions are the network's: `in` is what the node sent into it, `out` what
 * it was given. */
struct ipn_node_record {
	__aligned_u64 net, id;
	__s32 port; /* IPN_PORT_ANY: bound only */
	__u32 door;
	__u32 roles;
	__u32 flags; /* IPN_NODE_* */
	__u32 pid, uid, gid;
	__u32 truncated; /* messages that a short buffer cut */
	__aligned_u64 msgs_in, bytes_in;
	__aligned_u64 msgs_out, bytes_out;
	__aligned_u64 queue, queue_max; /* messages not read yet; the most there were */
	__aligned_u64 drops[IPN_DROP_SLOTS];
	__aligned_u64 connected_ns; /* since it connected */
	__aligned_u64 blocking_ns;  /* since when senders wait for it; 0: they do not */
	char program[16];           /* short name of the process that connected */
	char descr[136];            /* reserved */
};

/* IPN_IOC_STATS: the daemon, and what is charged to the caller's uid. */
struct ipn_stats {
	__u32 size, flags;
	__aligned_u64 uptime_ns;
	__u32 networks, nodes;         /* existing; connected */
	__u32 open_files, open_files_max;
	__aligned_u64 msgs, bytes;     /* accepted from senders */
	__aligned_u64 requests;        /* system calls of clients answered */
	__aligned_u64 bad_requests;    /* of them refused as malformed */
	__aligned_u64 drops[IPN_DROP_SLOTS];
	__aligned_u64 evictions;       /* nodes disconnected by deadline */
	__u32 uid;                     /* the caller */
	__u32 exempt;                  /* 1: no limits for it */
	__u32 uid_networks, uid_networks_max;
	__u32 uid_nodes, uid_nodes_max;
	__aligned_u64 uid_log_bytes, uid_log_bytes_max;
	__aligned_u64 uid_parked_bytes, node_parked_bytes_max;
	char loop[64];                 /* loop backend and why */
	char device[96];               /* device and why */
	__u32 attached;                /* nodes that move messages through memory */
	__u32 attached_hot;            /* of them looked at without being asked, now */
	__aligned_u64 doorbells;       /* bytes received on attach sockets */
	__aligned_u64 wakes;           /* sleeping programs woken */
	__aligned_u64 rounds;          /* of the loop */
	__aligned_u64 loop_calls;      /* system calls of the loop itself */
	__aligned_u64 cut_off;         /* nodes disconnected for what they wrote into memory */
};

#define IPN_IOC_VERSION _IOWR(IPN_IOC_MAGIC, 0x00, struct ipn_version)
#define IPN_IOC_BIND _IOWR(IPN_IOC_MAGIC, 0x01, struct ipn_join)
#define IPN_IOC_CONNECT _IOWR(IPN_IOC_MAGIC, 0x02, struct ipn_join)
#define IPN_IOC_SETOPT(n) _IOC(_IOC_WRITE, IPN_IOC_MAGIC, 0x04, sizeof(struct ipn_opt) + (n))
#define IPN_IOC_GETOPT(n) _IOC(_IOC_READ | _IOC_WRITE, IPN_IOC_MAGIC, 0x05, sizeof(struct ipn_opt) + (n))
#define IPN_IOC_SHUTDOWN _IOW(IPN_IOC_MAGIC, 0x06, struct ipn_shutdown)
#define IPN_IOC_SEND(n) _IOC(_IOC_READ | _IOC_WRITE, IPN_IOC_MAGIC, 0x08, sizeof(struct ipn_msg) + (n))
#define IPN_IOC_RECV(n) _IOC(_IOC_READ | _IOC_WRITE, IPN_IOC_MAGIC, 0x09, sizeof(struct ipn_msg) + (n))
#define IPN_IOC_EXPLAIN _IOWR(IPN_IOC_MAGIC, 0x0e, struct ipn_explain)
#define IPN_IOC_WAIT_PEERS _IOWR(IPN_IOC_MAGIC, 0x0f, struct ipn_wait_peers)

#define IPN_IOC_ATTACH _IOWR(IPN_IOC_MAGIC, 0x10, struct ipn_attach)
#define IPN_IOC_DETACH _IOWR(IPN_IOC_MAGIC, 0x11, struct ipn_attach)

#define IPN_IOC_NET_ADD _IOWR(IPN_IOC_MAGIC, 0x37, struct ipn_netcfg)
#define IPN_IOC_NET_GET _IOWR(IPN_IOC_MAGIC, 0x38, struct ipn_netcfg)
#define IPN_IOC_NET_SET _IOWR(IPN_IOC_MAGIC, 0x39, struct ipn_netcfg)
#define IPN_IOC_NET_END _IOWR(IPN_IOC_MAGIC, 0x3b, struct ipn_netcfg)
#define IPN_IOC_NODE_GET _IOWR(IPN_IOC_MAGIC, 0x3c, struct ipn_nodecfg)
#define IPN_IOC_NODE_SET _IOWR(IPN_IOC_MAGIC, 0x3d, struct ipn_nodecfg)
#define IPN_IOC_NODE_KICK _IOWR(IPN_IOC_MAGIC, 0x3e, struct ipn_ref)
#define IPN_IOC_LIST(n) _IOC(_IOC_READ | _IOC_WRITE, IPN_IOC_MAGIC, 0x3f, sizeof(struct ipn_list) + (n))
#define IPN_IOC_STATS _IOWR(IPN_IOC_MAGIC, 0x40, struct ipn_stats)

/* Answers with its own number: is this file descriptor really IPN? */
#define IPN_IOC_CHECK _IO(IPN_IOC_MAGIC, 0x7f)

/* Reserved numbers, answered with ENOTTY by this version: 03 GETNAME,
 * 07 UNBIND, 0a PEEK, 0b SENDMANY, 0c RECVMANY, 0d NEXT,
 * 18-1d interfaces, 20-23 device nodes, 28-31 addresses, groups and filters,
 * 3a NET_KILL, 41 TXN, 42 CABLE_ADD, 43 CABLE_DEL,
 * 44 TRACE, 60 POLICY. 80-ff belong to policies. */

#ifdef __cplusplus
}
#endif

#endif /* IPN_IOCTL_H */
