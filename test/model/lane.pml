/* Publication of a lane with its two pairs of counts, producers that die at any step, and readers that join meanwhile.
 *
 * Steps: queuePublish (Q1-Q3, W1), queueProducerInit and pairAt (A1-A3), beginHere (J1-J4), each load and store of its own. Words of the pairs are stored by
 * plain stores: they are in order with the atomic store before and behind them (W2 of queuePublish, an atomic load, comes between W1 and the next Q1).
 *
 * Bounds: RECORDS records of one or two cells, in batches of one or two, so that the next producer may come to the very position that a dead one had noted
 * with another count; 2 deaths, so that the next producer dies too; one reader that joins JOINS times. Each pair is written at least twice, after that the
 * two only take turns.
 */
#ifndef RECORDS
#define RECORDS 5
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef JOINS
#define JOINS 2
#endif
#define NONE 2

byte producerPosition;
byte pairPosition[2];
byte pairCount[2];
byte deaths;

/* What nobody in the code knows: the number of the record that begins at a published position. */
byte numberAt[24];

inline mayDie() {
  if
  :: true
  :: atomic { deaths < DEATHS -> deaths++; goto restart }
  fi
}

proctype Producer() {
  byte position, count, batch, which, holding, cells;
restart:
  atomic { batch = 0; which = 0; cells = 0; holding = NONE; count = 0; position = producerPosition };
  /* A1, A2: the pair that has the published position. */
#ifdef BUG_ADOPT_HIGHEST
  atomic { if :: pairPosition[0] > pairPosition[1] -> holding = 0 :: else -> holding = 1 fi };
#else
  if :: atomic { pairPosition[0] == position -> holding = 0 } :: atomic { pairPosition[0] != position } fi;
  if
  :: holding == NONE -> mayDie(); atomic { pairPosition[1] == position -> holding = 1 }
  :: else
  fi;
#endif
  mayDie();
  /* A3. */
  atomic { count = pairCount[holding]; which = 1 - holding; holding = NONE };
#ifdef BUG_SAME_PAIR
  which = 0;
#endif
  assert(count == numberAt[position]);
  do
  :: count >= RECORDS -> break
  :: count < RECORDS ->
    /* A batch of one or two, each of one or two cells. */
    atomic {
      if :: batch = 1 :: count + 2 <= RECORDS -> batch = 2 fi;
      if :: cells = batch :: cells = 2 * batch fi
    };
    mayDie();
#ifdef BUG_PAIR_AFTER
    atomic { producerPosition = position + cells; numberAt[position + cells] = count + batch };
    mayDie();
#endif
    /* Q1. The pair that does not hold. */
    pairPosition[which] = position + cells;
    mayDie();
    /* Q2. */
    pairCount[which] = count + batch;
    mayDie();
    /* W1. From here on this pair holds. */
    d_step { position = position + cells; count = count + batch; producerPosition = position; numberAt[position] = count };
    mayDie();
    /* Q3. */
#ifndef BUG_SAME_PAIR
    which = 1 - which;
#endif
    cells = 0; batch = 0
  od
}

proctype Reader() {
  byte position, count, pair, joins;
again:
  do
  :: joins == JOINS -> break
  :: joins < JOINS ->
    /* J1. */
    atomic { position = producerPosition; pair = 0; count = 0 };
    do
    :: pair == 2 -> break
    :: pair < 2 ->
      if
      /* J2. */
      :: atomic { pairPosition[pair] == position };
        /* J3. */
        count = pairCount[pair];
        /* J4. */
#ifndef BUG_JOIN_UNCHECKED
        if
        :: atomic { producerPosition != position -> pair++ }
        :: atomic { producerPosition == position -> assert(count == numberAt[position]); joins++; goto again }
        fi
#else
        atomic { assert(count == numberAt[position]); joins++; goto again }
#endif
      :: atomic { pairPosition[pair] != position -> pair++ }
      fi
    od
  od
}

init {
  atomic { run Producer(); run Reader() }
}
