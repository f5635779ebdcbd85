/* gated broadcast: every consumer gets every record, the slowest one that has joined stops the producer, and one that is too slow is left behind.
 *
 * Steps: queueJoin (G1-G5), rejoin (G6), queueLeave (G7), drainBroadcast (B1-B4, G8), the producer's raiseLimit with slowestCursor (N0), announce (N1), writing (N2),
 * publication (W1, moveRestart), waiting for room (S1-S4 of the room words) and expireAt / leaveBehind (E1-E3). Words of a record are read and written one by
 * one, each a step. What is loaded and stored atomically in the code is sequentially consistent. lossy.pml has the weaker order of the plain stores.
 *
 * Bounds: one lane of CAPACITY records of two words, RECORDS records, CONSUMERS consumers that join at any time; each may leave and come back once in all (LEAVES),
 * one of them is left behind as too slow, at any time that the producer finds no room (EXPIRES). The producer may die at any step and be replaced (DEATHS). The lane is
 * written over at least once behind each of these events; whether a consumer was seen joined, and at which cursor, is all that the producer keeps of it.
 */
#ifndef CAPACITY
#define CAPACITY 2
#endif
#ifndef QUARTER
#define QUARTER 1
#endif
#ifndef RECORDS
#define RECORDS 4
#endif
#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef LEAVES
#define LEAVES 0
#endif
#ifndef EXPIRES
#define EXPIRES 1
#endif
#ifndef DEATHS
#define DEATHS 0
#endif

byte wordA[CAPACITY];
byte wordB[CAPACITY];
byte producerPosition;
byte announced;
byte restartPosition;
byte joined[CONSUMERS];
byte cursors[CONSUMERS];
byte roomWake;
bool roomSleeper;

byte leaves;
byte expires;
byte deaths;
/* What nobody in the code knows: this consumer must not miss anything. */
bool safe[CONSUMERS];

#define IS_LAPPED(position) (announced > (position) && announced - (position) > CAPACITY)

inline mayDie() {
  if
  :: true
  :: atomic { deaths < DEATHS -> deaths++; goto restart }
  fi
}

inline publish() {
  /* W1. */
  atomic { producerPosition = position; published = position };
  mayDie();
  /* moveRestart. */
  if
  :: atomic { published - restartPosition >= QUARTER -> restartPosition = published }
  :: published - restartPosition < QUARTER
  fi
}

/* raiseLimit: N0, then N1. */
inline reserve() {
  slot = 0; slowest = published;
  do
  :: slot < CONSUMERS ->
    if
    :: atomic { joined[slot] % 2 == 0 -> slot++ }
    :: joined[slot] % 2 == 1 ->
      atomic { if :: cursors[slot] < slowest -> slowest = cursors[slot] :: else fi; slot++ }
    fi
  :: slot == CONSUMERS -> break
  od;
  isFull = (position + 1 > slowest + CAPACITY);
  slot = 0;
  if
  :: isFull
  :: !isFull ->
#ifdef BUG_NO_ANNOUNCE
    limit = slowest + CAPACITY
#else
    mayDie();
    atomic { announced = slowest + CAPACITY; limit = slowest + CAPACITY }
#endif
  fi
}

proctype Producer() {
  byte position, published, limit, slot, slowest, value;
  bool isFull;
restart:
  atomic { position = producerPosition; published = position; slot = 0; slowest = 0; value = 0; isFull = false;
#ifdef BUG_FORGET_ANNOUNCED
    announced = position; limit = position
#else
    if :: announced > position -> limit = announced :: else -> limit = position fi
#endif
  };
  do
  :: position == RECORDS -> break
  :: position < RECORDS ->
    do
    :: position < limit -> break
    :: position == limit ->
      if :: published < position -> publish() :: else fi;
      mayDie();
      reserve();
      if
      :: !isFull
      :: isFull ->
        if
        /* Too slow: E1. its joined word, E2. where it stands, E3. left behind if the word is still the same. */
        :: atomic { expires < EXPIRES -> expires++ };
          do
          :: slot < CONSUMERS && (joined[slot] % 2 == 0 || cursors[slot] != slowest) -> slot++
          :: slot < CONSUMERS && joined[slot] % 2 == 1 && cursors[slot] == slowest ->
            atomic { joined[slot] = joined[slot] + 1; safe[slot] = false; slot++ }
          :: slot == CONSUMERS -> break
          od;
          slot = 0
        :: true ->
          /* S1, S2. */
          value = roomWake;
          roomSleeper = true;
          /* S3. */
          reserve();
          /* S4. */
          if :: !isFull :: isFull -> roomWake != value fi;
          atomic { roomSleeper = false; value = 0 }
        fi
      fi;
      atomic { slowest = 0; isFull = false }
    od;
    mayDie();
    /* N2. */
    wordA[position % CAPACITY] = position + 1;
    mayDie();
    wordB[position % CAPACITY] = position + 1;
    mayDie();
    position++;
    if
    :: publish()
    :: position < RECORDS && position - published < 2
    fi
  od
}

inline giveRoom() {
  if
  /* W2, W3. */
  :: roomSleeper -> atomic { roomWake = (roomWake + 1) % 8 }
  :: !roomSleeper
  fi
}

/* restart: goes on at a place that is still readable. What it takes for a sign of damage (asserted) is never so. */
inline moveOn() {
  from = announced;
  producer = producerPosition;
  assert(producer >= position && !(from > producer && from - producer > CAPACITY));
  from = restartPosition;
  if
  :: from < position || from > producer -> from = producer
  :: from >= position && from <= producer ->
    if :: IS_LAPPED(from) -> from = producer :: !IS_LAPPED(from) fi
  fi;
  atomic { position = from; from = 0; lapsed = true };
#ifndef BUG_RESTART_WITHOUT_CURSOR
  cursors[me] = position;
  giveRoom()
#endif
}

proctype Consumer(byte me) {
  byte position, due, producer, from, a, b, begin, got, missed;
  bool lapsed;

join:
  /* G1, G2. */
  atomic { position = producerPosition; got = 0; missed = 0; lapsed = false };
  cursors[me] = position;
  /* G3. */
  atomic { joined[me] = joined[me] + 1 + (joined[me] & 1) };
#ifndef BUG_NO_SECOND_BEGIN
  /* G4, G5. */
  position = producerPosition;
  atomic { cursors[me] = position; safe[me] = (joined[me] % 2 == 1); due = position; begin = position };
#ifndef BUG_JOIN_WITHOUT_WAKE
  giveRoom();
#endif
#else
  atomic { safe[me] = (joined[me] % 2 == 1); due = position; begin = position };
#endif

end_waiting:
  do
  :: atomic { leaves < LEAVES -> leaves++; safe[me] = false };
    /* G7. */
    atomic { if :: joined[me] % 2 == 1 -> joined[me] = joined[me] + 1 :: else fi };
    giveRoom();
    goto join
  :: producerPosition != position || lapsed ->
    /* G6. */
    if
    :: joined[me] % 2 == 1
    :: joined[me] % 2 == 0 ->
      if :: IS_LAPPED(position) -> moveOn() :: !IS_LAPPED(position) fi;
      cursors[me] = position;
      atomic { joined[me] = joined[me] + 1 + (joined[me] & 1) }
    fi;
    /* B1. */
    producer = producerPosition;
    if
    :: producer == position && !lapsed -> goto again
    :: producer == position && lapsed ->
      /* tellLapse: nothing follows, so what was published is what was missed. */
      atomic {
        if
        :: producerPosition == position -> missed = missed + (position - due); due = position; lapsed = false; assert(got + missed == position - begin)
        :: else
        fi
      };
      goto again
    :: else
    fi;
    /* B2. */
    if
    :: IS_LAPPED(position) -> assert(!safe[me]); moveOn(); goto again
    :: else
    fi;
    assert(producer - position <= CAPACITY);
    /* B3. One record at a time: a longer run only makes the time to B4 longer, and that is any anyway. */
    a = wordA[position % CAPACITY];
    b = wordB[position % CAPACITY];
    /* B4. */
#ifndef BUG_NO_B4
    if
    :: IS_LAPPED(position) -> assert(!safe[me]); moveOn(); goto again
    :: else
    fi;
#endif
    atomic {
      assert(a == position + 1 && b == position + 1);
      assert(lapsed || a - 1 == due);
      missed = missed + (a - 1 - due); got++; due = a; lapsed = false;
      assert(got + missed == a - begin);
      position++
    };
    /* G8. */
    atomic { cursors[me] = position; if :: position == producer && joined[me] % 2 == 1 -> safe[me] = true :: else fi };
    giveRoom();
again:
    atomic { producer = 0; a = 0; b = 0 }
  od
}

init {
  byte n;
  atomic {
    run Producer();
    do :: n < CONSUMERS -> run Consumer(n); n++ :: else -> break od
  }
}
