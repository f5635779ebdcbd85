/* One lane, one producer, one consumer that reads in place: ring.ts, and spsc and mpsc of the queues.
 *
 * Steps: queueReserve (R1-R3), queuePublish (W1), drainInPlace (I1-I3), queueRelease (I4). What is read or written by a plain load or store is a step of
 * its own, so the other side may come between any two of them. Positions are sequentially consistent atomics in the code: an interleaving is all that can happen.
 *
 * Bounds: 4 cells of 8 bytes (a header or a word of data), RECORDS records of one or two cells, chosen freely, so that padding is needed at the end of the
 * lane or not; batches of one or two; the first position is 3: the first long record wraps. With 5 records the lane is written over twice, which every later turn
 * repeats: only positions modulo the capacity and their distance count. Producer and consumer die DEATHS times in all, at any step, and start again.
 */
#ifndef RECORDS
#define RECORDS 5
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define CAPACITY 4
#define START 3
#ifdef BUG_CAPACITY
#define ROOM (CAPACITY + 1)
#else
#define ROOM CAPACITY
#endif
#define INDEX(position) ((position) % CAPACITY)
/* A cell: a header (number of the record, its cells), padding, or a word of data. */
#define HEADER(number, cells) (16 + (number) * 4 + (cells))
#define PADDING(cells) (64 + (cells))
#define WORD(number) (128 + (number))

byte lane[CAPACITY + 1];
byte producerPosition = START;
byte consumerPosition = START;
byte deaths;

/* What nobody in the code knows: how many records lie before a position. */
byte numberAt[64];
byte published;
byte released;

inline mayDie(label) {
  if
  :: true
  :: atomic { deaths < DEATHS -> deaths++; goto label }
  fi
}

proctype Producer() {
  byte position, limit, number, cells, padding, batch, end;
restart:
  atomic {
    position = producerPosition; limit = consumerPosition + ROOM; number = numberAt[position]; batch = 0; cells = 0; padding = 0; end = 0;
#ifdef BUG_RESUME
    /* The new producer goes on behind what the last one may have reserved. */
    if :: published > 0 && published < RECORDS -> position = position + 1; numberAt[position] = number :: else fi
#endif
  }
  do
  :: number == RECORDS -> break
  :: number < RECORDS ->
    if :: cells = 1 :: cells = 2 fi;
    d_step {
      padding = 0;
      if
#ifndef BUG_WRAP
      :: INDEX(position) + cells > CAPACITY -> padding = CAPACITY - INDEX(position)
#endif
      :: else
      fi;
      end = position + padding + cells
    }
    mayDie(restart);
    /* R1. Room? The limit is what was seen last; the consumer's position is loaded only when that says full. What was submitted is published before waiting. */
    if
    :: end <= limit
    :: else ->
      atomic {
        if :: batch > 0 -> producerPosition = position; numberAt[position] = number; published = number; batch = 0 :: else fi
      };
      mayDie(restart);
      atomic { end <= consumerPosition + ROOM; limit = consumerPosition + ROOM }
    fi;
#ifdef BUG_PUBLISH_FIRST
    atomic { producerPosition = end; numberAt[end] = number + 1; published = number + 1 };
#endif
    /* R2. Padding up to the end of the lane. */
    if
    :: padding > 0 -> mayDie(restart); d_step { lane[INDEX(position)] = PADDING(padding); position = position + padding; numberAt[position] = number }
    :: else
    fi;
    /* R3. Header, then data. */
    mayDie(restart);
    lane[INDEX(position)] = HEADER(number, cells);
    mayDie(restart);
    if :: cells == 2 -> lane[INDEX(position) + 1] = WORD(number) :: else fi;
    d_step { position = position + cells; number++; batch++; numberAt[position] = number }
    /* W1. Publication: each time, or once for two. */
    if
    :: batch == 1 && number < RECORDS
    :: mayDie(restart); atomic { producerPosition = position; numberAt[position] = number; published = number; batch = 0 }
    fi
  od
}

proctype Consumer() {
  byte position, producer, due, cell, begin;
restart:
  atomic { position = consumerPosition; due = numberAt[position]; producer = position; cell = 0; begin = 0 }
#ifdef BUG_CONSUMER_RESUME
  d_step { position = producerPosition; due = numberAt[position]; producer = position }
#endif
  do
  :: consumerPosition == producerPosition && released == RECORDS -> break
  :: else ->
    /* I1. */
    atomic { producerPosition != position; producer = producerPosition; assert(producer - position <= CAPACITY) };
#ifdef BUG_RELEASE_FIRST
    atomic { consumerPosition = producer; released = numberAt[producer] };
#endif
    begin = position;
    do
    :: position == producer -> break
    /* As many as the caller asked for. */
    :: position != producer && position != begin -> break
    :: position != producer ->
      mayDie(restart);
      /* I2. The header says how long the record is; I3. it is read where it lies. */
      cell = lane[INDEX(position)];
      if
      :: cell >= 64 && cell < 128 -> assert(cell - 64 <= producer - position); position = position + cell - 64
      :: else ->
        assert(cell == HEADER(due, 1) || cell == HEADER(due, 2));
        mayDie(restart);
        if :: cell == HEADER(due, 2) -> assert(lane[INDEX(position) + 1] == WORD(due)) :: else fi;
        d_step { assert(INDEX(position) + (cell - 16) % 4 <= CAPACITY); position = position + (cell - 16) % 4; assert(position <= producer); due++ }
      fi
    od;
    /* Who reads in place may look again until the release. */
    mayDie(restart);
    assert(lane[INDEX(begin)] >= 64 && lane[INDEX(begin)] < 128 || (lane[INDEX(begin)] - 16) / 4 < due);
    /* I4. */
    mayDie(restart);
    atomic { consumerPosition = position; released = due }
  od;
  assert(due == RECORDS)
}

init {
  atomic { run Producer(); run Consumer() }
}
