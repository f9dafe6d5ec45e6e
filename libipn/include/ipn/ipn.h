/* SPDX-License-Identifier: MIT */
#ifndef IPN_IPN_H
#define IPN_IPN_H

/*
 * libipn: exchange messages with the other members of a network.
 *
 *     struct ipn_node *node;
 *     int error = ipn_open(NULL, 0, &node);
 *     if (!error)
 *         error = ipn_bind(node, "chat", IPN_BROADCAST);
 *     if (!error)
 *         error = ipn_connect(node, NULL, IPN_BROADCAST, 0);
 *     if (!error)
 *         ipn_send(node, "hello", 5, 0);
 *     ipn_close(node);
 *
 * Words. A *network* has a name and a policy that decides who gets a message.
 * A *node* is one open of the IPN device: free at first, *bound* when it may
 * manage a network (binding makes the network if there is none), *connected*
 * when it exchanges messages. Right orders are bind; bind, connect; connect.
 * A *message* is any number of bytes from 0 to the network's mtu; what is sent
 * in one call is received in one call, or not at all.
 *
 * The rules are the device's: names, policies, options, roles, limits and the
 * header of a message are in <ipn/ioctl.h>, and ipn(4) says how it behaves.
 * This header adds what the library does with them.
 *
 * Results. Every function returns 0 or a count, or -errno; errno itself is
 * not part of the answer. After a failure ipn_explain() says in words what
 * failed, why, and what to do. Besides the errors listed with each function:
 *
 *   -EINVAL        a null pointer, an unknown flag, a value out of range
 *   -ECONNABORTED  the daemon is gone: this node will not work again until
 *                  ipn_reconnect(), or close it and open another one
 *   -EINTR         only on nodes opened with IPN_INTR, see below
 *   -ESTALE        in a child of fork, see below
 *
 * Memory. A node belongs to the caller from ipn_open() to ipn_close().
 * Buffers belong to the caller; the library reads or writes them during the
 * call and keeps no pointer to them.
 *
 * Threads. At any time one thread may send (ipn_send, ipn_sendmsg,
 * ipn_sendmany, ipn_reserve, ipn_commit, ipn_reservemany, ipn_commitmany,
 * ipn_flush, ipn_completions) and one receive (ipn_recv, ipn_recvmsg,
 * ipn_recvmany, ipn_peekmany, ipn_release) on the same node, and they may be
 * different threads each time; only what a thread has reserved it commits itself,
 * or gives up by ipn_commitmany(node, 0, 0). A second sender or a second receiver
 * gets -EBUSY at once and nothing happens, also between ipn_reserve() and
 * ipn_commit() of another thread. ipn_shutdown, ipn_wait_peers,
 * ipn_setopt, ipn_getopt, ipn_fd, ipn_info, ipn_ioctl and ipn_explain may be
 * called by any thread at any time between ipn_open() and ipn_close().
 * ipn_bind and ipn_connect must not overlap another call on the same node
 * except ipn_shutdown, and nothing may overlap ipn_close. Different nodes have
 * nothing to do with each other.
 *
 * Signals. A signal handler that returns does not end a call: the library goes
 * on waiting, whether the handler was installed with SA_RESTART or not. Open
 * the node with IPN_INTR to get -EINTR instead; such a call has done nothing
 * (ipn_sendmany and ipn_recvmany: return the number done before it, if any).
 * No function may be called from a signal handler.
 *
 * Ending a wait. No function is a cancellation point: pthread_cancel() takes
 * effect after the call. To end the wait of another thread, call
 * ipn_shutdown(): a waiting receiver returns -ENODATA, a waiting sender -EPIPE.
 *
 * Fork and exec. The device is closed by exec. After fork the child has the
 * same node as the parent, as with any open file: each message is received by
 * one of the two, the node ends when both have closed it, and options,
 * ipn_bind, ipn_connect and ipn_shutdown work on both. Only the record that
 * ipn_info() answers from is a copy of its own. A node that moves messages
 * through shared memory stays with the parent: in the child every call but
 * ipn_close() and ipn_explain() returns -ESTALE. Programs that want both to use
 * it call ipn_setdoor(node, IPN_DOOR_DEVICE) before the fork, others open a node
 * after it.
 *
 * The device is found by IPN_DEVICE in the environment (ignored in set-user-id
 * programs), else it is /dev/ipn if that exists, else $XDG_RUNTIME_DIR/ipn.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ipn/ioctl.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Some functions have the name of their structure, as stat() has. In C++ say
 * `struct ipn_info`, not `ipn_info`, for the structure. */
#ifdef __GNUC__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif

struct ipn_node;

/* Flags of ipn_open. */
#define IPN_NONBLOCK 0x1u /* sending and receiving return -EAGAIN instead of waiting */
#define IPN_INTR 0x2u     /* a signal ends a wait with -EINTR */
#define IPN_NOSPIN 0x4u   /* attached: sleeps at once instead of looking again for a while */
#define IPN_BUSY 0x8u     /* attached: never sleeps, looks again and again; no signal ends a wait */

/* Opens a free node. `device` is a path, or NULL for the usual one (above).
 * Does not wait. On failure *node is NULL and ipn_explain(NULL, ...) tells why.
 *
 *   -ENOENT           no such device: the daemon does not run
 *   -EACCES, -EPERM   not allowed to open it
 *   -ENOTTY           the file is there but is no IPN device
 *   -EPROTONOSUPPORT  daemon and library have different versions of the ABI
 *   -ENFILE           the daemon has as many open files as it serves
 *   -ENOMEM, -EMFILE and the other errors of open(2) */
int ipn_open(const char *device, unsigned flags, struct ipn_node **node);

/* Ends the node, or this process's hold on it (see Fork), and frees it.
 * Messages not yet received are dropped; messages sent are not affected. NULL
 * is allowed and does nothing. */
int ipn_close(struct ipn_node *node);

/* Binds a free node to the network `name` (1 to 107 bytes of
 * [A-Za-z0-9._:@/-], first a letter, a digit or `_`). If there is no such
 * network it is made, with the options set before, and ends with its last
 * node. `policy` is IPN_BROADCAST or another policy, or IPN_ANY for whatever
 * is there. Needs the network's x permission.
 *
 *   -EISCONN          the node is bound or connected already
 *   -EPROTONOSUPPORT  no such policy; or IPN_ANY and no such network
 *   -EPROTO           the network has another policy
 *   -EACCES           not allowed
 *   -EEXIST           IPN_NET_EXCL was asked for and the network exists
 *   -ECONNREFUSED     the network was made with IPN_NET_EXCL
 *   -EDQUOT           a limit per user is reached */
int ipn_bind(struct ipn_node *node, const char *name, unsigned policy);

/* Connects the node: to the network `name`, or with NULL (or the same name
 * again) to the one that it is bound to. `roles` is IPN_ROLE_RECV,
 * IPN_ROLE_SEND or both; 0 means both. The network's r and w permissions may
 * leave only one of them; ipn_info() tells. `policy` as in ipn_bind(). Never
 * makes a network.
 *
 *   -ENOENT         no such network
 *   -EACCES         none of the roles is allowed
 *   -EPROTO         the network has another policy
 *   -EISCONN        the node is connected, or bound to a network of another name
 *   -EADDRNOTAVAIL  the network has no free port
 *   -EDQUOT         a limit per user is reached
 *   -EOPNOTSUPP     IPN_FASTPATH is `require` and shared memory is not possible,
 *                   or the errors of ipn_setdoor(): the node is connected then,
 *                   by the device
 *   -EINVAL         also: IPN_FASTPATH has another value than 0, 1 or require */
int ipn_connect(struct ipn_node *node, const char *name, unsigned policy, unsigned roles);

/* Sends one message of `len` bytes. Returns `len`. In a lossless network it
 * waits until every receiver has room; in a lossy one it never waits for them. A
 * return means that the network took the message, not that somebody has read it;
 * through shared memory that it will be taken in its turn, for which the daemon
 * must live on (see Completions), and it waits only if the send ring is full.
 * `flags`: 0 or IPN_MSG_DONTWAIT, which makes this one call non-blocking.
 *
 *   -EAGAIN      it would wait (non-blocking only)
 *   -EMSGSIZE    longer than the network's mtu
 *   -ENOTCONN    the node is not connected
 *   -EPIPE       the node does not send: by its roles or after ipn_shutdown
 *   -ECONNRESET  the network ended, or the node was disconnected
 *   -ENOBUFS     too many bytes of this node wait already
 *   -EBUSY       another thread is sending */
ssize_t ipn_send(struct ipn_node *node, const void *buf, size_t len, unsigned flags);

/* Receives one message and returns the number of bytes stored; 0 is a message
 * without bytes. Waits until there is one. If `size` is too small the rest of
 * the message is lost; ipn_recvmsg() can tell. IPN_MSG_MAX bytes are always
 * enough. `flags`: IPN_MSG_DONTWAIT makes this one call non-blocking,
 * IPN_MSG_PEEK leaves the message where it is.
 *
 *   -ENODATA   the end: the network ended or the node was disconnected, and
 *              everything before that has been received; or the node does not
 *              receive, by its roles or after ipn_shutdown
 *   -EAGAIN    it would wait (non-blocking only)
 *   -ENOTCONN  the node is not connected
 *   -EBUSY     another thread is receiving */
ssize_t ipn_recv(struct ipn_node *node, void *buf, size_t size, unsigned flags);

/* As ipn_recv(), and fills *hdr (NULL: nobody cares): `len` is the true length
 * of the message, with IPN_MSG_TRUNC in `flags` if it did not fit; `seq` its
 * number; `peer` and `port` the sending node; `count` how many messages this
 * node lost before it; `time` when it was sent. Undefined after a failure.
 * With IPN_MSG_PEEK and size 0 it tells how much room the next message needs. */
ssize_t ipn_recvmsg(
	struct ipn_node *node, struct ipn_msg *hdr, void *buf, size_t size, unsigned flags);

/* One message of a many-message call. */
struct ipn_buf {
	void *data;          /* the bytes; not written when sending; reserving: where they go */
	size_t size;         /* sending, reserving: number of bytes; receiving: room */
	size_t len;          /* received: number of bytes stored; ignored when sending */
	struct ipn_msg *msg; /* receiving: where the header goes, or NULL; sending: NULL */
};

/* Sends n messages in order, `flags` as in ipn_send(). Returns how many were
 * sent: fewer than n only if the next one failed, which the next call tells if
 * the reason lasts. Fails only if not even the first was sent. */
int ipn_sendmany(struct ipn_node *node, const struct ipn_buf *bufs, unsigned n, unsigned flags);

/* Receives up to n messages: waits for the first as ipn_recv() does, then
 * takes what is there without waiting. Returns how many were received; fails
 * only if there was not even one. `flags`: 0 or IPN_MSG_DONTWAIT. */
int ipn_recvmany(struct ipn_node *node, struct ipn_buf *bufs, unsigned n, unsigned flags);

/* Options IPN_OPT_* of <ipn/ioctl.h>. Those of the network (MTU in bytes,
 * NUMNODES, MSGPOOLSIZE in messages, FLAGS, MODE) are set before ipn_bind()
 * and shape the network that it makes; afterwards they read back what the
 * network has. IPN_OPT_HEADER belongs to the library: setting it is -EINVAL.
 *
 *   -ENOPROTOOPT  no such option
 *   -EINVAL       out of range
 *   -EISCONN      an option of the network, and the node is bound or connected */
int ipn_setopt(struct ipn_node *node, unsigned name, uint32_t value);
int ipn_getopt(struct ipn_node *node, unsigned name, uint32_t *value);

/* Ends receiving (IPN_SHUT_RD), sending (IPN_SHUT_WR) or both (IPN_SHUT_RDWR)
 * for ever; what was not received is dropped. Before ipn_connect() it chooses
 * the roles. Wakes threads that wait in this node. */
int ipn_shutdown(struct ipn_node *node, unsigned how);

/* The descriptor to wait on with poll, select, epoll, io_uring or a main loop.
 * It stays the same and open until ipn_close(). Wait for POLLIN to receive and
 * for POLLOUT to send; POLLHUP: the network ended; POLLERR: the daemon is gone.
 * Receiving does not wait after POLLIN, sending a message of mtu bytes does not
 * wait after POLLOUT, unless another process uses the same node.
 *
 * What ipn_peekmany() shows is reported as long as it lies in place; copies that
 * the library keeps for it are not: look at them before waiting.
 *
 * Level-triggered waiting (poll, select, epoll without EPOLLET) reports as long
 * as the condition holds. With EPOLLET, or with anything that tells a change
 * once, receive or send until -EAGAIN before waiting again. That rule is right
 * everywhere.
 *
 * Use it for waiting only. Reading and writing it goes past the library: what
 * is read and written there carries a header (IPN_OPT_HEADER). Do not close
 * it, duplicate it, or change its flags. */
int ipn_fd(const struct ipn_node *node);

/* Completions. A send through shared memory returns when the message is
 * committed; what becomes of it later is told on request: ipn_sendmsg() sends
 * as ipn_send() does, with *hdr: `flags` 0 or IPN_MSG_REPORT, `cookie` whatever
 * you like, `peer` a destination where the policy has such, all else zero. With
 * IPN_MSG_REPORT a completion follows, also on the device.
 *
 *   -ENOBUFS     as many reports are outstanding as there is room for (512):
 *                collect them first
 *   -EOPNOTSUPP  the policy has no destinations */
ssize_t ipn_sendmsg(struct ipn_node *node, const struct ipn_msg *hdr, const void *buf, size_t len,
	unsigned flags);

/* Collects up to n completions, in the order of sending, and returns how many:
 * waits for the first (not with IPN_MSG_DONTWAIT or IPN_NONBLOCK: -EAGAIN); 0 if
 * none is outstanding. `receivers` is UINT32_MAX where it is not known (the
 * device, for messages of more than IPN_IOC_MSG_DATA_MAX bytes). Counts as
 * sending for the rules on threads.
 *
 *   -ECONNABORTED, -ECONNRESET  nobody will tell any more */
int ipn_completions(
	struct ipn_node *node, struct ipn_completion *done, unsigned n, unsigned flags);

/* Sending in place. ipn_reserve() gives *buf: `len` writable bytes where the
 * message will be sent from, valid until ipn_commit(), the next send,
 * ipn_setdoor() or ipn_close(). Flags and errors as ipn_send(). ipn_commit() sends
 * its first `len` bytes (0: an empty message) and returns `len`; with IPN_MORE
 * nobody sees the message yet: it goes with the next commit or send without
 * IPN_MORE, with ipn_flush(), or when the ring has no more room. -EINVAL without a
 * reservation that large. After another failure the reservation is still there.
 *
 * Both count as sending for the rules on threads, and one thread makes both. On
 * the device the bytes are the library's and the commit sends them. */
#define IPN_MORE 0x10000u
int ipn_reserve(struct ipn_node *node, size_t len, void **buf, unsigned flags);
ssize_t ipn_commit(struct ipn_node *node, size_t len, unsigned flags);
int ipn_flush(struct ipn_node *node);

/* The same for several messages at once, which costs a program less for each.
 * ipn_reservemany() makes room for up to n messages of bufs[i].size bytes, says
 * where in bufs[i].data, and returns how many there are: waits for the first as
 * ipn_reserve() does, then takes what room there is (on the device: one).
 * ipn_commitmany() sends the first n of them in order, each as long as it was
 * reserved, gives up the others (0: all of them) and returns n. All become visible
 * together, but for IPN_MORE. Valid as long as a reservation of ipn_reserve(), which
 * each of the two takes the place of. -EINVAL if fewer are reserved. Fewer than n are
 * returned only if the node was moved to the device meanwhile and that failed after
 * some. */
int ipn_reservemany(struct ipn_node *node, struct ipn_buf *bufs, unsigned n, unsigned flags);
int ipn_commitmany(struct ipn_node *node, unsigned n, unsigned flags);

/* Receiving in place. ipn_peekmany() shows up to n messages where they lie and
 * returns how many: waits for the first as ipn_recv() does, then takes what is
 * there. They stay valid, unless the node is disconnected, and take room in the
 * network, until ipn_release()
 * gives back the first n of those that were shown. Peeking again shows the same
 * ones, and more of them. ipn_recv() receives the first one that was not released.
 *
 * Where messages may be overwritten (lossy networks, and the device) the library
 * keeps copies, so that what is shown stays valid all the same; then fewer than n
 * may be shown at once, but at least one.
 *
 *   -EINVAL  ipn_release(): not so many are shown */
struct ipn_view {
	const void *data; /* the bytes */
	uint64_t seq;     /* number in the log of this receiver */
	uint64_t peer;    /* id of the sending node */
	uint32_t len;     /* number of bytes */
	uint32_t port;    /* port of the sending node */
	uint32_t count;   /* messages lost before this one */
	uint32_t time_us; /* low 32 bits of the time of sending in us since 1970 */
};
int ipn_peekmany(struct ipn_node *node, struct ipn_view *views, unsigned n, unsigned flags);
int ipn_release(struct ipn_node *node, unsigned n);

/* The way of this node's messages. After ipn_connect() it is shared memory
 * (IPN_DOOR_FAST) if daemon and surroundings allow, else the device: nothing else
 * changes. The environment variable IPN_FASTPATH says 0 (never), 1 (if possible)
 * or require (ipn_connect() fails where it is not possible, and ipn_explain()
 * tells why). ipn_setdoor() changes it in the middle of traffic: IPN_DOOR_FAST, or
 * IPN_DOOR_DEVICE, e.g. before a fork. Nothing is lost, doubled or reordered.
 * Counts as sending and as receiving for the rules on threads.
 *
 *   -ENOTCONN       the node is not connected
 *   -EAGAIN         messages of an older epoch are unread: receive them first; or
 *                   some are still shown in place: release them first; or some that
 *                   were sent wait for room, perhaps until this node receives
 *   -EOPNOTSUPP     the daemon has no shared memory to offer, or cannot be
 *                   reached, or IPN_FASTPATH is 0
 *   -EPERM, -EDQUOT, -ENOMEM, -EMFILE  as IPN_IOC_ATTACH */
int ipn_setdoor(struct ipn_node *node, unsigned door);

/* After -ECONNABORTED (the daemon is gone) or the end of a network: opens the
 * device again and binds and connects as before, with the options, policy, roles
 * and port of then (another port, if somebody else has that now). Tries again for
 * timeout_ms milliseconds (negative: for ever; 0: once). What was sent and not
 * delivered, or not yet received, is lost; completions outstanding are forgotten.
 * ipn_fd() keeps its number, but has to be added again to an epoll set. Nothing
 * else may overlap it.
 *
 *   -ETIMEDOUT, and the errors of ipn_open(), ipn_bind() and ipn_connect() */
int ipn_reconnect(struct ipn_node *node, int timeout_ms);

/* What is known about a node without asking the daemon. */
struct ipn_info {
	uint32_t size;      /* in: sizeof(struct ipn_info); out: bytes filled in */
	uint32_t flags;     /* 0 */
	uint64_t net;       /* id of the network; 0: free */
	uint64_t node;      /* id of the node; 0: free */
	int32_t port;       /* number in the network; IPN_PORT_ANY: not connected */
	uint32_t policy;    /* the network's; IPN_ANY: free */
	uint32_t roles;     /* IPN_ROLE_*: bound, may receive, may send */
	uint32_t door;      /* IPN_DOOR_*: how messages travel */
	uint32_t msg_max;   /* bytes; no message is longer on any network */
	uint32_t abi;       /* the daemon speaks ABI 0.abi */
	char network[128];  /* name; empty: free */
	char daemon[48];    /* version of the daemon in words */
	const char *device; /* path that was opened; valid until ipn_close() */
	char door_reason[64]; /* why messages do not travel through shared memory; else empty */
};

/* Fills *info, of which only `size` must be set. A larger `size` than this
 * library knows is filled as far as it knows, a smaller one is cut. Roles are
 * those given by ipn_connect() less those shut down; a later change of the
 * network's mode does not show. */
int ipn_info(const struct ipn_node *node, struct ipn_info *info);

/* Waits until at least `readers` other nodes receive in this node's network,
 * and returns how many do. timeout_ms: milliseconds; negative: no limit; 0: do
 * not wait, so ipn_wait_peers(node, 0, 0) just counts. IPN_NONBLOCK changes
 * nothing here.
 *
 *   -ETIMEDOUT   fewer receive
 *   -ENOTCONN    the node is not connected
 *   -ECONNRESET  the network ended */
int ipn_wait_peers(struct ipn_node *node, unsigned readers, int timeout_ms);

/* An ioctl of <ipn/ioctl.h> that has no function here, such as IPN_IOC_NET_ADD,
 * with the library's rules for signals and errors and with ipn_explain().
 * Returns what the ioctl returns, or -errno. Not for the ioctls that the other
 * functions make: BIND, CONNECT, SETOPT, SHUTDOWN, SEND, RECV. */
int ipn_ioctl(struct ipn_node *node, unsigned long request, void *arg);

/* Why the last failed call failed: "object: reason (remedy)", one line without
 * newline, for people. With a node: the calling thread's last failure on that
 * node, else any thread's. With NULL: the calling thread's last failed ipn_open().
 * Stores at most size - 1 bytes and a NUL and returns the full length of the
 * text; 0 and an empty text if nothing has failed. May ask the daemon and name
 * services; changes neither errno nor what a later call explains. */
ssize_t ipn_explain(struct ipn_node *node, char *text, size_t size);

#ifdef __GNUC__
#pragma GCC diagnostic pop
#endif

#ifdef __cplusplus
}
#endif

#endif /* IPN_IPN_H */
