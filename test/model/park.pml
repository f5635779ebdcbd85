/* Sleep and wake in queues: consumers that wait for records, producers that wait for room.
 *
 * Steps: S1-S4 and W1-W4 of queue.ts, for consumers (wake word, sleepers) and for producers (the room words). All are sequentially consistent atomics. The list of
 * those that sleep on a word is the kernel's or V8's: it compares the word and enters the list in one step, and W4 empties the list.
 *
 * Bounds: PRODUCERS lanes of one record, RECORDS records in each, CONSUMERS consumers that each take one record of any lane (mpmc; with one consumer it is spsc or mpsc).
 * Both sides fall asleep and are woken at least twice. Then the queue is closed, and everybody comes
 * to an end: somebody who sleeps for ever is an invalid end state.
 * DEATHS of consumers asleep or about to (ASLEEP=1: what the sleepers bit of a dead one does), or of consumers and producers anywhere, also in the middle of
 * waking others: then nobody wakes those, and the slices of the sleep do (LOOK_MS of consumer.ts and producer.ts). The time over is modelled as possible once somebody
 * has died and there is something to find: before, no slice is needed.
 */
#ifndef PRODUCERS
#define PRODUCERS 1
#endif
#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef RECORDS
#define RECORDS 2
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef ASLEEP
#define ASLEEP 0
#endif
#define CAPACITY 1

byte producerPosition[PRODUCERS];
byte cursors[PRODUCERS];
byte wake;
byte sleepers;
byte roomWake;
byte roomSleepers;
/* Who is in the list of a word. */
bool parked[CONSUMERS];
bool roomParked[PRODUCERS];

bool closed;

byte deaths;
byte deadConsumers;
byte endedProducers;
byte ended;
bool deadProducer[PRODUCERS];

#if PRODUCERS == 1
#define AVAILABLE (producerPosition[0] != cursors[0])
#else
#define AVAILABLE (producerPosition[0] != cursors[0] || producerPosition[1] != cursors[1])
#endif
#define HAS_ROOM(lane) (producerPosition[lane] - cursors[lane] < CAPACITY)
#if DEATHS > 0 && ASLEEP == 0 && !defined(BUG_NO_SLICE)
#define IS_TIME_OVER (deaths > 0)
#else
#define IS_TIME_OVER false
#endif

inline mayDie(isAsleep) {
  if
  :: true
  :: atomic { deaths < DEATHS && (!ASLEEP || isAsleep) -> deaths++; goto died }
  fi
}

/* W2, W3, W4. */
inline wakeConsumers() {
  if
  :: sleepers != 0 ->
    mayDie(false);
#ifndef BUG_NO_WORD
    wake++;
#endif
    mayDie(false);
    atomic {
      n = 0;
      do
      :: n < CONSUMERS && parked[n] -> parked[n] = false; n++;
#ifdef BUG_WAKE_ONE
        break
#endif
      :: n < CONSUMERS && !parked[n] -> n++
      :: n == CONSUMERS -> break
      od;
      n = 0
    }
  :: sleepers == 0
  fi
}

inline wakeProducers() {
  if
  :: roomSleepers != 0 ->
    mayDie(false);
    roomWake++;
    mayDie(false);
    atomic {
      n = 0;
      do
      :: n < PRODUCERS -> roomParked[n] = false; n++
      :: n == PRODUCERS -> break
      od;
      n = 0
    }
  :: roomSleepers == 0
  fi
}

proctype Producer(byte lane) {
  byte value, n;
  do
  :: producerPosition[lane] == RECORDS -> break
  :: producerPosition[lane] < RECORDS && HAS_ROOM(lane) ->
    mayDie(false);
#ifdef BUG_WAKE_FIRST
    wakeConsumers();
#endif
    /* W1. */
    producerPosition[lane]++;
    mayDie(false);
#ifndef BUG_WAKE_FIRST
    wakeConsumers()
#endif
  :: producerPosition[lane] < RECORDS && !HAS_ROOM(lane) ->
    /* S1. */
    value = roomWake;
    /* S2. */
    atomic { roomSleepers = roomSleepers | (1 << lane) };
    mayDie(true);
    /* S3. */
    if
    :: HAS_ROOM(lane)
    :: !HAS_ROOM(lane) ->
      /* S4. */
      atomic { roomParked[lane] = (roomWake == value) };
      if
      :: !roomParked[lane]
      :: atomic { IS_TIME_OVER && HAS_ROOM(lane) -> roomParked[lane] = false }
      fi
    fi;
    mayDie(true);
    atomic { roomSleepers = roomSleepers & ~(1 << lane); value = 0 }
  od;
  goto done;
died:
  atomic { deadProducer[lane] = true; roomParked[lane] = false };
done:
  endedProducers++
}

/* queueClose, by whoever knows that the producers are done. */
proctype Closer() {
  byte n;
  endedProducers == PRODUCERS;
  closed = true;
  wakeConsumers();
died:
  ended++
}

proctype Consumer(byte me) {
  byte value, n;
  bool sawClosed;
  do
  /* Before the lanes: what was published before the closing is found. */
  :: closed && !sawClosed -> sawClosed = true
  :: sawClosed && !AVAILABLE -> goto done
  /* A claim: W1 of those that wait for room. */
  :: atomic { producerPosition[0] != cursors[0] -> cursors[0]++ };
    mayDie(false);
    wakeProducers()
#if PRODUCERS > 1
  :: atomic { producerPosition[1] != cursors[1] -> cursors[1]++ };
    mayDie(false);
    wakeProducers()
#endif
  :: !AVAILABLE && !sawClosed ->
#ifndef BUG_LATE_VALUE
    /* S1. */
    value = wake;
#endif
#ifndef BUG_LATE_BIT
    /* S2. */
    atomic { sleepers = sleepers | (1 << me) };
    mayDie(true);
#endif
    /* S3. */
    if
#ifndef BUG_NO_RECHECK
    :: AVAILABLE || closed
    :: !AVAILABLE && !closed ->
#else
    :: true ->
#endif
#ifdef BUG_LATE_BIT
      atomic { sleepers = sleepers | (1 << me) };
#endif
#ifdef BUG_LATE_VALUE
      value = wake;
#endif
      /* S4. */
      atomic { parked[me] = (wake == value) };
      if
      :: !parked[me]
      :: atomic { IS_TIME_OVER && (AVAILABLE || closed) -> parked[me] = false }
      :: atomic { deaths < DEATHS -> deaths++; goto died }
      fi
    fi;
    mayDie(true);
    atomic { sleepers = sleepers & ~(1 << me); value = 0 }
  od;
died:
  atomic { deadConsumers++; parked[me] = false };
done:
  ended++
}

/* Who sleeps for ever is an invalid end state, a consumer that went too early found here. */
proctype Judge() {
  byte lane;
  ended == 1 + CONSUMERS;
  do
  :: lane < PRODUCERS ->
    assert(deadConsumers == CONSUMERS || cursors[lane] == producerPosition[lane]);
    assert(deadProducer[lane] || cursors[lane] == RECORDS || deadConsumers == CONSUMERS);
    lane++
  :: lane == PRODUCERS -> break
  od
}

init {
  byte n;
  atomic {
    do :: n < PRODUCERS -> run Producer(n); n++ :: else -> break od;
    n = 0;
    do :: n < CONSUMERS -> run Consumer(n); n++ :: else -> break od;
    run Closer();
    run Judge()
  }
}
