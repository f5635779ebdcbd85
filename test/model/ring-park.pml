/* Sleep and wake in the single ring: one consumer that waits for a record, one producer that waits for room (ring.ts).
 *
 * Steps: ringConsumerPark and ringProducerPark (K1-K4), ringPublish, ringClose and ringRelease (L1-L4). All are sequentially consistent atomics; entering the list of the
 * word and comparing it is one step, as the engine does it.
 *
 * Bounds: a ring of one record, RECORDS records, then the end. Each side sleeps and is woken at least twice. Somebody who sleeps for ever though there is
 * something for him is an invalid end state.
 */
#ifndef RECORDS
#define RECORDS 3
#endif
#define CAPACITY 1

byte producerPosition;
byte consumerPosition;
bool closed;
bool parked[2];
/* In the list of the word. */
bool asleep[2];
#define CONSUMER 0
#define PRODUCER 1

inline wake(who) {
  /* L2. */
  if
  :: parked[who] ->
#ifndef BUG_KEEP_PARKED
    /* L3. */
    parked[who] = false;
#endif
    /* L4. */
    asleep[who] = false
  :: !parked[who]
  fi
}

#define IS_FULL (producerPosition - consumerPosition == CAPACITY)
#define IS_EMPTY (producerPosition == consumerPosition && !closed)

/* K1. The flag, K2. once more, K3. sleep while the flag is set, K4. awake. */
inline park(who, isNothingThere) {
#ifndef BUG_LATE_PARKED
  parked[who] = true;
#endif
  if
  :: isNothingThere ->
#ifdef BUG_LATE_PARKED
    parked[who] = true;
#endif
    asleep[who] = parked[who];
    !asleep[who]
  :: !(isNothingThere)
  fi;
  parked[who] = false
}

active proctype Producer() {
  do
  :: producerPosition == RECORDS -> break
  :: producerPosition < RECORDS && !IS_FULL ->
    /* L1. */
    producerPosition++;
    wake(CONSUMER)
  :: producerPosition < RECORDS && IS_FULL -> park(PRODUCER, IS_FULL)
  od;
  closed = true;
  wake(CONSUMER)
}

active proctype Consumer() {
  do
  :: consumerPosition != producerPosition ->
    /* L1. */
    consumerPosition = producerPosition;
    wake(PRODUCER)
  :: consumerPosition == producerPosition && closed -> break
  :: IS_EMPTY -> park(CONSUMER, IS_EMPTY)
  od;
  assert(consumerPosition == RECORDS)
}
