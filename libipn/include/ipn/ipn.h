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
 *   -ECONNABORTED  the daemon is gone: this node will never work again, close
 *                  it and open another one
 *   -EINTR         only on nodes opened with IPN_INTR, see below
 *
 * Memory. A node belongs to the caller from ipn_open() to ipn_close().
 * Buffers belong to the caller; the library reads or writes them during the
 * call and keeps no pointer to them.
 *
 * Threads. At any time one thread may send (ipn_send, ipn_sendmany) and one
 * receive (ipn_recv, ipn_recvmsg, ipn_recvmany) on the same node, and they may
 * be different threads each time. A second sender or a second receiver gets
 * -EBUSY at once and nothing happens. ipn_shutdown, ipn_wait_peers,
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
 * through shared memory (not in this version) stays with the parent: in the
 * child every call but ipn_close() returns -ESTALE. Programs that want to be
 * independent of that open a node after the fork.
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
 *   -EDQUOT         a limit per user is reached */
int ipn_connect(struct ipn_node *node, const char *name, unsigned policy, unsigned roles);

/* Sends one message of `len` bytes. Returns `len`. In a lossless network it
 * waits until every receiver has room; in a lossy one it never waits. A return
 * means that the network took the message, not that somebody has read it.
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
	void *data;          /* the bytes; not written when sending */
	size_t size;         /* sending: number of bytes; receiving: room */
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
 * Level-triggered waiting (poll, select, epoll without EPOLLET) reports as long
 * as the condition holds. With EPOLLET, or with anything that tells a change
 * once, receive or send until -EAGAIN before waiting again. That rule is right
 * everywhere.
 *
 * Use it for waiting only. Reading and writing it goes past the library: what
 * is read and written there carries a header (IPN_OPT_HEADER). Do not close
 * it, duplicate it, or change its flags. */
int ipn_fd(const struct ipn_node *node);

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
