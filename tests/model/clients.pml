/* SPDX-License-Identifier: MIT */
/* Readers, sender, writer on the device, and their crashes: see wakeups.pml. */

/* The socket of a process: reader 0 may be a thread of the sender. */
#ifdef OWN
#define socket(who) ((who) == READER_0 -> SENDER : (who))
#else
#define socket(who) (who)
#endif

/* Reads the value of the futex word, at the place where that is right. */
#if defined(VALUE_AFTER_WISH) || defined(VALUE_AFTER_LOOK)
#define read_futex_word(who) skip
#else
#define read_futex_word(who) fresh[who] = true
#endif

#define room_wished (mem[WAKE_AT + r] != 0 && next[r] >= mem[WAKE_AT + r] && mem[WAKE_AT + r] != rang_room[r])

/*
 * If there is nothing, a client sleeps until there is. `there` is the look, `word`
 * is the wish, `point` what it says; with fence n and second look m.
 */
inline sleep_unless(there, who, word, point, n, m) {
#ifdef COARSE
	atomic { !(there) -> read_futex_word(who); store_and_fence(n, who, word, point) }
#else
	atomic { !(there) -> read_futex_word(who) }
	store_and_fence(n, who, word, point);
#endif
#ifdef VALUE_AFTER_WISH
	fresh[who] = true;
#endif
	if
	:: atomic { NO_LOOK != m && (there) -> fresh[who] = false; store(who, word, 0) }
	:: NO_LOOK == m || !(there) ->
#ifdef VALUE_AFTER_LOOK
		fresh[who] = true;
#endif
		atomic { system_call(who) -> asleep[who] = fresh[who]; fresh[who] = false }
		if
		:: atomic { !asleep[who] -> store(who, word, 0) }
		:: atomic { asleep[who] && early > 0 -> early--; asleep[who] = false; store(who, word, 0) }
		fi
	fi
}

/* Reads a record; `mine` says whether it does not count. */
inline read_record() {
	assert(log[next[r] % POOL] == order[next[r]]);
	mine = own(r, order[next[r]]);
	next[r]++
}

proctype reader(byte r) provided (!killed[r]) {
	bool mine;
	do
	:: atomic {
			mem[HEAD_SEQ] > next[r] -> read_record();
			if
			:: mine -> mine = false; goto released
#ifdef BATCH
			:: mem[HEAD_SEQ] > next[r] -> goto released /* released with the next one */
#endif
			:: !mine ->
				store_and_fence(7, r, READ_SEQ + r, next[r]);
				if
				:: mem[SLEEP_AT + r] == 0 && woke[r] <= next[r] -> woke[r] = 0
				:: else
				fi
			fi
		}
		if
		:: atomic { room_wished -> rang_room[r] = mem[WAKE_AT + r] }
			atomic { system_call(r) -> bell[socket(r)] = true }
		:: !room_wished
		fi;
released:
		skip
	:: sleep_unless(mem[HEAD_SEQ] > next[r], r, SLEEP_AT + r, next[r] + 1, 4, 2)
	od
}

#define has_room (sent - mem[SEND_TAIL] < RING)
#define data_wished (mem[RING_ME] != 0 && mem[RING_ME] != rang)

proctype sender() provided (!killed[SENDER]) {
	do
	:: atomic { sent < FROM_RING && has_room -> ring[sent % RING] = sent + 1; sent++ }
		if
#ifdef BATCH
		:: sent < FROM_RING && has_room -> skip /* committed with the next one */
#endif
		:: atomic {
				store_and_fence(1, SENDER, SEND_HEAD, sent);
				if
				:: mem[ROOM_AT] == 0 -> woke[SENDER] = 0
				:: else
				fi
			}
			if
			:: atomic { data_wished -> rang = mem[RING_ME] }
				atomic { system_call(SENDER) -> bell[SENDER] = true }
			:: !data_wished
			fi
		fi
	:: sleep_unless(sent == FROM_RING || has_room, SENDER, ROOM_AT, sent + 1 - RING, 6, 3)
	:: sent == FROM_RING -> killed[SENDER]
	od
}

/* A request is a system call; the kernel tells the daemon when its caller is gone. */
proctype writer() provided (!killed[WRITER]) {
	do
	:: written < FROM_DEVICE -> request = ASKED; d_step { request == ANSWERED -> request = IDLE; written++ }
	:: written == FROM_DEVICE -> killed[WRITER]
	od
}

/*
 * A crash. What waits in the store buffer reaches memory before the socket hangs
 * up; to crash before that is to do nothing until then.
 */
inline crash(who) {
	d_step {
		left > 0 && !killed[who] && (who == WRITER || drained(who)) ->
		killed[who] = true;
		hup[who] = true;
		if
		:: who != WRITER -> asleep[who] = false; fresh[who] = false
		:: else
		fi;
		left--
	}
}

proctype fate() {
	byte left = CRASHES;
	do
#if READERS > 0
	:: crash(READER_0)
#endif
#if READERS > 1
	:: crash(READER_1)
#endif
#if FROM_RING > 0
	:: crash(SENDER)
#endif
#if FROM_DEVICE > 0
	:: crash(WRITER)
#endif
	od
}
