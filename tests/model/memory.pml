/* SPDX-License-Identifier: MIT */
/* Store buffers, and the part of the kernel that matters: see wakeups.pml. */

#define drained(who) (stores[who].used == 0)
#define buffer_store(who, where, what) \
	stores[who].word[stores[who].used] = where; \
	stores[who].value[stores[who].used] = what; \
	stores[who].used++

#ifdef COARSE
inline store(who, where, what) {
	d_step { drained(who) -> mem[where] = what; forget(who) }
}
#else
inline store(who, where, what) {
	d_step { stores[who].used < DEPTH -> buffer_store(who, where, what) }
}
#endif

#ifdef WEAK_CALLS
#define system_call(who) true
#else
#define system_call(who) drained(who)
#endif

#ifdef SAME_WISH
#define FORGETS false
#else
#define FORGETS true
#endif

/*
 * A client need not remember the wish that it rang for once that was taken back:
 * the next one has another number. Forgetting saves states, here and below.
 */
inline forget(who) {
	if
	:: FORGETS && who == DAEMON && mem[RING_ME] == 0 -> rang = 0
	:: else
	fi;
	if
	:: who == DAEMON && mem[WAKE_AT] == 0 -> rang_room[0] = 0
	:: else
	fi;
	if
	:: who == DAEMON && mem[WAKE_AT + 1] == 0 -> rang_room[1] = 0
	:: else
	fi
}

inline flush(who) {
	stores[who].used > 0 ->
	mem[stores[who].word[0]] = stores[who].value[0];
	forget(who);
	stores[who].used--;
#if DEPTH > 1
	stores[who].word[0] = stores[who].word[1];
	stores[who].value[0] = stores[who].value[1];
	stores[who].word[1] = 0;
	stores[who].value[1] = 0
#else
	stores[who].word[0] = 0;
	stores[who].value[0] = 0
#endif
}

proctype memory() {
end:	do
	:: d_step { flush(READER_0) }
	:: d_step { flush(READER_1) }
	:: d_step { flush(SENDER) }
	:: d_step { flush(DAEMON) }
	od
}

/*
 * A store and fence n behind it. That is one step: until the store has reached
 * memory the others see nothing of it, and its process does nothing.
 */
inline store_and_fence(n, who, where, what) {
	d_step {
		(NO_FENCE == n && stores[who].used < DEPTH) || (NO_FENCE != n && drained(who)) ->
		if
		:: NO_FENCE == n -> buffer_store(who, where, what)
		:: else -> mem[where] = what
		fi
	}
}

/* The daemon counts the word up before it wakes who sleeps on it. */
inline futex_count(who) {
#ifdef NO_COUNT
	skip
#else
	atomic { system_call(DAEMON); fresh[who] = false }
#endif
}
