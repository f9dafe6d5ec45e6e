/* SPDX-License-Identifier: MIT */
/* The daemon: see wakeups.pml. */

/* Least number below which all must be read before message `m` fits. */
inline room_needed(m) {
	need = head;
	room = POOL - slots(m);
	do
	:: need > 0 && room >= slots(order[need - 1]) -> room = room - slots(order[need - 1]); need--
	:: else -> break
	od
}

/* What a claim is worth: its own records do not count against a node. */
inline effective(r) {
	cursor = mem[READ_SEQ + r];
	do
	:: cursor < head && own(r, order[cursor]) -> cursor++
	:: else -> break
	od
}

/* Whom the front of the queue waits for, and the claim of it that makes room. */
inline look_for_room() {
	d_step {
		message = (queue[0] == SENDER -> ring[tail % RING] : SAID + written + 1);
		room_needed(message);
		blocker = NOBODY;
		effective(READER_1);
		if
		:: !gone[READER_1] && cursor < need -> blocker = READER_1
		:: else
		fi;
		effective(READER_0);
		if
		:: !gone[READER_0] && cursor < need -> blocker = READER_0
		:: else
		fi;
#ifndef RAW_POINT
		do
		:: blocker != NOBODY && own(blocker, order[need - 1]) -> need--
		:: else -> break
		od;
#endif
		cursor = 0;
		room = 0
	}
}

/* Writes the front of the queue into the log. */
inline append() {
	assert(senior == NOBODY || senior == queue[0]);
	assert(!from_ring(message) || message == tail + 1);
	log[head % POOL] = message;
	order[head] = message;
	head++;
	from = queue[0];
	queue[0] = queue[1];
	queue[1] = 0;
	waiting--;
	senior = NOBODY
}

#define queued(who) (waiting > 0 && queue[0] == who || waiting > 1 && queue[1] == who)

/* At the end of the queue; in front of it, if the mistake is told so. */
inline push(who) {
	d_step {
		senior = (waiting == 1 -> queue[0] : NOBODY);
#ifdef OVERTAKE
		queue[1] = queue[0];
		queue[0] = who;
#else
		queue[waiting] = who;
#endif
		waiting++
	}
}

inline tell(who, word, seen) {
	if
	:: atomic {
			!gone[who] && mem[word] != 0 && seen >= mem[word] && woke[who] != mem[word] ->
			woke[who] = mem[word];
#ifdef COARSE
			futex_count(who);
		}
#else
		}
		futex_count(who);
#endif
		asleep[who] = false
	:: else
	fi
}

/* Shows what was appended and consumed, and wakes who waits for it. */
#ifdef BATCH
inline publish() {
	atomic { shown != head -> shown = head; store(DAEMON, HEAD_SEQ, head) }
	store_and_fence(3, DAEMON, SEND_TAIL, tail);
	tell(READER_0, SLEEP_AT + READER_0, head);
	tell(READER_1, SLEEP_AT + READER_1, head);
	tell(SENDER, ROOM_AT, tail)
}
#else
inline publish() {
	store_and_fence(3, DAEMON, HEAD_SEQ, head);
	tell(READER_0, SLEEP_AT + READER_0, head);
	tell(READER_1, SLEEP_AT + READER_1, head);
	if
	:: atomic { from == SENDER -> from = 0; store_and_fence(5, DAEMON, SEND_TAIL, tail) }
		tell(SENDER, ROOM_AT, tail)
	:: atomic { from == WRITER -> from = 0 }
	fi
}
#endif

/* Takes back the wish for room. */
inline forget_gate() {
	if
	:: gate != NOBODY -> store(DAEMON, WAKE_AT + gate, 0); gate = NOBODY; gate_at = 0
	:: gate == NOBODY
	fi
}

inline hung_up_reader(r) {
	d_step {
		hup[r] ->
		hup[r] = false;
#ifndef DEAD_GATES
		gone[r] = true;
		bell[r] = false;
		mem[SLEEP_AT + r] = 0;
		mem[READ_SEQ + r] = 0;
		mem[WAKE_AT + r] = 0;
		next[r] = 0;
		rang_room[r] = 0;
		woke[r] = 0;
		if
		:: gate == r -> gate = NOBODY; gate_at = 0
		:: else
		fi
#endif
	}
}

inline hung_up_writer() {
	d_step {
		hup[WRITER] ->
		hup[WRITER] = false;
		gone[WRITER] = true;
		if
		:: request == PARKED ->
			if
			:: queue[0] == WRITER -> queue[0] = queue[1]
			:: else
			fi;
			queue[1] = 0;
			waiting--;
			senior = NOBODY
		:: else
		fi;
		request = IDLE
	}
}

/* One thing that the kernel has for the daemon. */
inline take_event() {
	if
	:: atomic {
			bell[SENDER] -> bell[SENDER] = false;
			hot = true;
#ifdef OWN
			if
			:: gate == READER_0 -> forget_gate()
			:: else
			fi;
#endif
			if
			:: wish != 0 -> wish = 0; store(DAEMON, RING_ME, 0)
			:: wish == 0
			fi
		}
	:: atomic { bell[READER_0] -> bell[READER_0] = false; if :: gate == READER_0 -> forget_gate() :: else fi }
	:: atomic { bell[READER_1] -> bell[READER_1] = false; if :: gate == READER_1 -> forget_gate() :: else fi }
	:: hung_up_reader(READER_0)
	:: hung_up_reader(READER_1)
	:: d_step {
			hup[SENDER] -> hup[SENDER] = false; gone[SENDER] = true; wish = 0;
			bell[SENDER] = false;
			mem[ROOM_AT] = 0;
			mem[RING_ME] = 0;
			rang = 0;
			sent = 0;
			woke[SENDER] = 0;
#ifdef DEAD_FORGOTTEN
			hot = false
#else
			hot = true
#endif
		}
	:: hung_up_writer()
	:: atomic { request == ASKED && !gone[WRITER] -> request = PARKED; push(WRITER) }
	fi;
	blocked = false
}

#define in_buffer(i) (stores[DAEMON].used > i && stores[DAEMON].word[i] == RING_ME && stores[DAEMON].value[i] == wish)

inline new_wish() {
	d_step {
		wish = 1;
#ifndef SAME_WISH
		do
		:: wish == rang || wish == mem[RING_ME] || in_buffer(0) || in_buffer(DEPTH - 1) -> wish++
		:: else -> break
		od
#endif
	}
}

/* Serves the front of the queue, or states for what it waits and looks again. */
inline look_at_queue() {
	look_for_room();
	if
	:: blocker == NOBODY ->
		forget_gate();
		append();
		if
		:: from == SENDER -> tail++
		:: else -> request = ANSWERED
		fi
	:: blocker != NOBODY && gate == blocker && gate_at == need -> blocked = true
	:: else ->
		if
		:: gate != blocker -> forget_gate()
		:: else
		fi;
		gate = blocker;
		gate_at = need;
		store_and_fence(8, DAEMON, WAKE_AT + gate, gate_at);
		blocked = (NO_LOOK == 4)
	fi;
	blocker = 0;
	need = 0;
	message = 0
}

#define look_at_ring (hot && !queued(SENDER))
#ifdef COARSE
#define may_leave (waiting == 0 || blocked)
#else
#define may_leave true
#endif

/* Does what there is to do in any order, and sleeps if there is nothing. */
proctype daemon() {
	byte message, need, room, cursor, blocker, from;
	bool blocked;
#ifdef BATCH
	byte shown;
#endif
	do
	:: atomic { take_event() }
	:: atomic { look_at_ring && mem[SEND_HEAD] > tail -> push(SENDER) }
	:: atomic { look_at_ring && mem[SEND_HEAD] == tail && gone[SENDER] -> hot = false }
	:: atomic { look_at_ring && may_leave && mem[SEND_HEAD] == tail && !gone[SENDER] -> new_wish() }
		store_and_fence(2, DAEMON, RING_ME, wish);
		if
		:: atomic { NO_LOOK != 1 && mem[SEND_HEAD] > tail -> wish = 0; store(DAEMON, RING_ME, 0) }
		:: atomic { NO_LOOK == 1 || mem[SEND_HEAD] == tail -> hot = false }
		fi
	:: atomic { waiting > 0 && !blocked -> look_at_queue() }
#ifdef BATCH
	:: publish()
#else
		if
		:: from != 0 -> publish()
		:: else
		fi
#endif
#ifdef LATE_BELL
	:: atomic { !look_at_ring && (waiting == 0 || blocked) && bell[SENDER] -> bell[SENDER] = false }
#endif
	od
}
