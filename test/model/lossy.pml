/* lossy broadcast: producers never wait, and a reader finds out that what it copied was written over meanwhile.
 *
 * Steps: announce (N1), writing (N2), queuePublish (W1, W2) and moveRestart, drainBroadcast (B1-B4) and restart. A record is a header with its number and two words
 * of data, written and copied word by word, each a step.
 *
 * Memory: MEMORY=0 sequentially consistent. MEMORY=1, 2: the producer's stores go through a buffer and reach memory later, as a process of their own: in
 * order (1: x86), or in any order but that of each word (2: weaker than ARM's, where stores to different words may pass each other). There an exchange waits until
 * the buffer is empty and is not buffered; an atomic store waits until it is empty and is buffered itself; an atomic load behind it (W2) waits until it is empty.
 * The reader's loads are in order, because they all are atomic; BUG_PLAIN_COPY moves the last one behind B4.
 *
 * Bounds: one lane of CAPACITY records, RECORDS of them, at most half a lane between two publications; one reader (readers do not meet), which is behind by any number
 * at any time; the lane is written over twice, so that a reader can be lapped once more after it went on. DEATHS producers die at any step and are replaced.
 */
#ifndef CAPACITY
#define CAPACITY 2
#endif
#ifndef RECORDS
#define RECORDS 5
#endif
#ifndef QUARTER
#define QUARTER 1
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef MEMORY
#define MEMORY 0
#endif

#define HEADER(position) ((position) % CAPACITY)
#define DATA(position) (CAPACITY + (position) % CAPACITY)
#define MORE(position) (2 * CAPACITY + (position) % CAPACITY)
#define POSITION (3 * CAPACITY)
#define ANNOUNCED (3 * CAPACITY + 1)
#define RESTART (3 * CAPACITY + 2)

byte memory[3 * CAPACITY + 3];
byte deaths;

#if MEMORY == 0
#define STORE(word, value) memory[word] = value
#define ATOMIC_STORE(word, value) memory[word] = value
#define EXCHANGE(word, value) memory[word] = value
#define ATOMIC_LOAD skip
#else
chan buffer = [4] of { byte, byte };
#define STORE(word, value) buffer!word,value
#define ATOMIC_STORE(word, value) atomic { empty(buffer) -> buffer!word,value }
#define EXCHANGE(word, value) atomic { empty(buffer) -> memory[word] = value }
#define ATOMIC_LOAD empty(buffer)

/* The oldest store to this word. */
#define FLUSH(word) atomic { buffer??eval(word),value -> memory[word] = value; value = 0 }

/* What is in the buffer reaches memory some time. */
proctype Buffer() {
  byte word, value;
end_empty:
  do
#if MEMORY == 1
  :: atomic { buffer?word,value -> memory[word] = value; word = 0; value = 0 }
#else
  :: FLUSH(HEADER(0)) :: FLUSH(DATA(0)) :: FLUSH(MORE(0)) :: FLUSH(HEADER(1)) :: FLUSH(DATA(1)) :: FLUSH(MORE(1))
  :: FLUSH(POSITION) :: FLUSH(ANNOUNCED) :: FLUSH(RESTART)
#endif
  od
}
#endif

#define IS_LAPPED(position) (memory[ANNOUNCED] > (position) && memory[ANNOUNCED] - (position) > CAPACITY)

inline mayDie() {
  if
  :: true
  :: atomic { deaths < DEATHS -> deaths++; goto restart }
  fi
}

proctype Producer() {
  byte position, published, limit;
restart:
  ATOMIC_LOAD;
  atomic {
    position = memory[POSITION]; published = position;
#ifdef BUG_FORGET_ANNOUNCED
    limit = position
#else
    if :: memory[ANNOUNCED] > position -> limit = memory[ANNOUNCED] :: else -> limit = position fi
#endif
  };
  do
  :: position == RECORDS && published == RECORDS -> break
  /* Half a lane at most since the last publication, or one record that is longer. */
  :: position < RECORDS && (position - published < CAPACITY / 2 || position == published) ->
    if
    :: position < limit
    :: position == limit ->
      mayDie();
      /* N1. */
#ifdef BUG_NO_ANNOUNCE
      skip;
#else
#ifdef BUG_PLAIN_ANNOUNCE
      STORE(ANNOUNCED, position + 1);
#else
#ifndef BUG_ANNOUNCE_AFTER
      EXCHANGE(ANNOUNCED, position + 1);
#endif
#endif
#endif
      limit = position + 1
    fi;
    mayDie();
    /* N2. */
    STORE(HEADER(position), position + 1);
    mayDie();
    STORE(DATA(position), position + 1);
    mayDie();
    STORE(MORE(position), position + 1);
#ifdef BUG_ANNOUNCE_AFTER
    EXCHANGE(ANNOUNCED, position + 1);
#endif
    position++
  :: position > published ->
    mayDie();
    /* W1. */
#ifdef BUG_PLAIN_PUBLISH
    STORE(POSITION, position);
#else
    ATOMIC_STORE(POSITION, position);
#endif
    published = position;
    mayDie();
    /* moveRestart. */
    if
    :: position - memory[RESTART] >= QUARTER -> ATOMIC_STORE(RESTART, position)
    :: position - memory[RESTART] < QUARTER
    fi;
    /* W2. */
    ATOMIC_LOAD
  od
}

/* restart. What it takes for a sign of damage (asserted) is never so. */
inline moveOn() {
  next = memory[ANNOUNCED];
  producer = memory[POSITION];
  assert(producer >= position && !(next > producer && next - producer > CAPACITY));
  next = memory[RESTART];
  if
  :: next < position || next > producer -> next = producer
  :: next >= position && next <= producer ->
    if :: IS_LAPPED(next) -> next = producer :: !IS_LAPPED(next) fi
  fi;
  atomic { position = next; next = 0; lapsed = true }
}

proctype Reader() {
  byte position, producer, a, b, c, due, got, missed, next;
  bool lapsed;
end_waiting:
  do
  /* B1. */
  :: atomic { memory[POSITION] != position || lapsed -> producer = memory[POSITION] };
    if
    :: producer == position ->
      /* tellLapse: nothing follows, so what was published is what was missed. */
      atomic {
        if
        :: memory[POSITION] == position -> missed = missed + (position - due); due = position; lapsed = false; assert(got + missed == position)
        :: else
        fi
      };
      goto again
    :: else
    fi;
    /* B2. */
    if
    :: IS_LAPPED(position) -> moveOn(); goto again
    :: else
    fi;
    assert(producer > position && producer - position <= CAPACITY);
    /* B3. */
    a = memory[HEADER(position)];
    b = memory[DATA(position)];
#ifndef BUG_PLAIN_COPY
    c = memory[MORE(position)];
#endif
    /* B4. */
#ifndef BUG_NO_B4
    if
    :: IS_LAPPED(position) -> moveOn(); goto again
    :: else
    fi;
#endif
#ifdef BUG_PLAIN_COPY
    c = memory[MORE(position)];
#endif
    atomic {
      /* Whole, and the one that lies at this position. */
      assert(a == position + 1 && b == a && c == a);
      assert(lapsed || a - 1 == due);
      missed = missed + (a - 1 - due); got++; due = a; lapsed = false;
      assert(got + missed == a);
      position++
    };
again:
    atomic { producer = 0; a = 0; b = 0; c = 0 }
  od
}

init {
  atomic {
    run Producer();
#if MEMORY > 0
    run Buffer();
#endif
    run Reader()
  }
}
