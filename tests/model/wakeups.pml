/* SPDX-License-Identifier: MIT */
/*
 * The four wake-ups of the fast path, all at once: one sender on a send ring,
 * the daemon, two readers of one lossless log, one writer on the device.
 * tests/model/run proves the properties below for every order of steps, and
 * that each fence and each second look is needed.
 *
 * A wake-up has one shape: who wants to sleep states the point it waits for (a
 * wish), fences, looks once more, sleeps; the other side publishes, fences,
 * reads the wish, signals once.
 *
 *     what for             wish      published  who sleeps, on what        fences
 *  1  data for the daemon  ring_me   send_head  daemon, a byte on a socket  1 2
 *  2  data for a reader    sleep_at  head_seq   reader, futex               3 4
 *  3  room for the sender  room_at   send_tail  sender, futex               5 6
 *  4  room for the daemon  wake_at   read_seq   daemon, a byte on a socket  7 8
 *
 * The odd fence is that of who publishes, the even one that of who sleeps.
 *
 * Memory. x86-TSO: a store goes into the store buffer of its process (DEPTH
 * entries) and reaches memory when `memory` likes, in order; loads see memory.
 * No process loads a word that it writes, so nothing is forwarded. A fence
 * waits until the buffer is empty, and so does a system call (the kernel's
 * locks; -DWEAK_CALLS does without). What a record says is written at once:
 * the order of stores shows it to the others only with the index that follows.
 *
 * Futex. FUTEX_WAIT compares the word with a value read before and sleeps, in
 * one step. `fresh` says that the word was not counted up since that value was
 * read, which is the same as long as 2^32 wakes do not happen meanwhile. No
 * sleep ends by itself, though real ones are bounded: nothing may depend on
 * it. EARLY of them end early (a signal, a timeout).
 *
 * Doorbell. Bytes that nobody has read yet count as one: the daemon reads all
 * of them, and a byte that does not fit finds others in front of it.
 *
 * Wish numbers of ring_me are compared with each other only. So the daemon
 * takes one that is not in use anywhere, and the model stays finite.
 *
 * Blocked. Who finds the log full waits in one queue, the front message of the
 * ring as well as the parked write of the device. A ring that waits there needs
 * no wish: it is looked at again when its turn comes. wake_at is the least
 * read_seq that makes room. With -DOWN reader 0 is the receiving thread of the
 * sending node: it skips that node's records without telling, which do not count
 * against it, so the point lies before those that end below the needed room.
 *
 * Crash. CRASHES clients end, each at any step; what is in their store
 * buffer reaches memory, then the socket hangs up (or the device file is
 * released). A reader that is gone does not gate. Committed messages of a
 * sender that is gone are drained, the parked write of a gone writer is not.
 *
 * Left out: contents and validation, epochs, several networks, budgets, more
 * than one ring (they share nothing but the queue), sleeping in poll(2) on the
 * device file (a request that the daemon itself answers), a crash of the daemon.
 * Spinning is not there because it changes nothing: a look that finds nothing
 * new is the same as a look that came later.
 *
 * Properties:
 *  - each record is read whole, once, in the order of the log, by each reader;
 *    the log keeps the order of each sender, and nobody overtakes in the queue;
 *  - a state in which nobody can move (`judge`) has nothing left to do: nobody
 *    who has something to read, send or take sleeps;
 *  - nothing goes on for ever: the graph of states has no cycle (-DNP).
 *
 * -DCOARSE makes composed runs possible: wishes are taken back at once, the
 * futex word is read together with the wish and counted together with the look
 * at it, and the daemon leaves the hot set only if the queue gives nothing to do.
 * -DBATCH: many records for one store of an index, one fence for log and ring.
 *
 * Mistakes, each of which must be found:
 *   NO_FENCE=n, NO_LOOK=n  without that fence, without that second look
 *   VALUE_AFTER_LOOK       the futex word is read behind the second look (between
 *                          wish and look, VALUE_AFTER_WISH, it is right as well)
 *   NO_COUNT               FUTEX_WAKE without counting the word up
 *   SAME_WISH              ring_me always has the same number
 *   LATE_BELL              bytes are read after the second look
 *   RAW_POINT              with OWN: wake_at is the needed number itself
 *   OVERTAKE               who finds the log full goes to the front of the queue
 *   DEAD_GATES             a reader that is gone still gates
 *   DEAD_FORGOTTEN         the ring of a sender that is gone is not drained
 */

#ifndef DEPTH
#define DEPTH 2 /* entries of a store buffer */
#endif
#ifndef RING
#define RING 1 /* messages that fit into the send ring */
#endif
#ifndef POOL
#define POOL 1 /* slots of the log */
#endif
#ifndef FROM_RING
#define FROM_RING 2 /* messages of the sender */
#endif
#ifndef FROM_DEVICE
#define FROM_DEVICE 1 /* messages of the writer on the device */
#endif
#ifndef READERS
#define READERS 2
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef EARLY
#define EARLY 0
#endif
#ifndef LAST_SLOTS
#define LAST_SLOTS 1 /* slots that the writer's last message needs */
#endif
#ifndef NO_FENCE
#define NO_FENCE 0
#endif
#ifndef NO_LOOK
#define NO_LOOK 0
#endif
#define MESSAGES (FROM_RING + FROM_DEVICE)
#define SAID 16 /* what is added to the numbers of the writer's messages */

/* Clients; the readers are also 0 and 1 in what is kept per reader. */
#define READER_0 0
#define READER_1 1
#define SENDER 2
#define WRITER 3
#define NOBODY 4
#define DAEMON 3 /* the owner of a store buffer; the writer has none */

/* Words of shared memory. */
#define SLEEP_AT 0 /* + reader: its next number + 1; 0: awake */
#define READ_SEQ 2 /* + reader: all below was read */
#define WAKE_AT 4  /* + reader */
#define SEND_HEAD 6
#define ROOM_AT 7
#define RING_ME 8
#define SEND_TAIL 9
#define HEAD_SEQ 10
byte mem[11];

typedef Buffer {
	byte used;
	byte word[DEPTH];
	byte value[DEPTH]
};
Buffer stores[4];

/* Contents. */
byte ring[RING];
byte log[POOL];

/* The kernel's. */
bool bell[3];    /* an unread byte on the socket */
bool hup[4];
bool asleep[3];  /* in FUTEX_WAIT */
bool fresh[3];   /* the futex word still has the value that was read for FUTEX_WAIT */
mtype = { IDLE, ASKED, PARKED, ANSWERED };
mtype request = IDLE; /* of the writer */
bool killed[4];
byte early = EARLY;

/* Private to one process; global so that the properties can be said. */
byte next[2];        /* readers: the number to read next */
byte rang_room[2];   /* readers: the wake_at that they rang for */
byte sent, rang;     /* sender: messages; the ring_me that it rang for */
byte written;        /* writer: messages answered */
byte head, tail;     /* daemon: of log and ring */
byte order[MESSAGES]; /* daemon: who is behind a number of the log */
bool hot = true;     /* daemon: looks at the ring without being rung for */
bool gone[4];        /* daemon: hung up */
byte wish;           /* daemon: ring_me */
byte woke[3];        /* daemon: the wish that it answered */
byte queue[2], waiting; /* daemon: who waits for room, in order */
byte gate = NOBODY;  /* daemon: whose wake_at is set */
byte gate_at;        /* daemon: to what */
byte senior = NOBODY; /* the one of two in the queue that came first */

#define from_ring(m) ((m) < SAID)
#define slots(m) ((m) == SAID + FROM_DEVICE -> LAST_SLOTS : 1)
#ifdef OWN
#define own(r, m) ((r) == READER_0 && from_ring(m))
#else
#define own(r, m) false
#endif

#include "memory.pml"
#include "clients.pml"
#include "daemon.pml"

proctype judge() {
	timeout ->
	/* a message waits, and its reader sleeps */
	assert(killed[READER_0] || next[READER_0] == head);
	assert(killed[READER_1] || next[READER_1] == head);
	/* a blocked message stays though there is room */
	assert(waiting == 0);
	/* a committed message stays in its ring, and the daemon sleeps */
	assert(tail == mem[SEND_HEAD]);
	/* a sender sleeps though its ring has room */
	assert(killed[SENDER] || sent == FROM_RING);
	assert(killed[WRITER] || written == FROM_DEVICE)
}

init {
	atomic {
		killed[READER_0] = READERS < 1;
		gone[READER_0] = READERS < 1;
		killed[READER_1] = READERS < 2;
		gone[READER_1] = READERS < 2;
		run memory();
#if READERS > 0
		run reader(READER_0);
#endif
#if READERS > 1
		run reader(READER_1);
#endif
		run sender();
		run writer();
#if CRASHES > 0
		run fate();
#endif
		run daemon();
		run judge()
	}
}
