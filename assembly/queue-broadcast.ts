// gated and lossy: every consumer gets every record of every lane, at its own position.
//
//   B1. Load the producer's position. B2. Load what it has announced: is the own position still readable? B3. Copy a run. B4. Load the announcement again.
//   The producer announces how far it may write (N1, announce in queue-producer.ts) before it writes (N2).
//   If the copy has anything that N2 wrote over it, B3 came after N2, hence B4 after N1: it sees an announcement more than a lane ahead, and the copy is dropped.
//   (N1 is an exchange and B3 ends with one, queue-run.ts, so that this holds on every processor.)
//
// gated: producers wait for the cursors of those that have joined, so B4 never fails for them. One that is too slow is left behind: its slot is no longer joined
// (src/queue/reaper.ts), it is lapped like a reader of a lossy queue, told how many it missed, and joins again with its next drain.
//
// The count is exact: a record's header has the low half of its number, and the lane's count of records, read before B4, is less than 2^31 away from it.

import {
  QUEUE_CONSUMER_CAPACITY_OFFSET,
  QUEUE_CONSUMER_CONSUMERS_OFFSET,
  QUEUE_CONSUMER_COPIES_LENGTH,
  QUEUE_CONSUMER_COPIES_OFFSET,
  QUEUE_CONSUMER_LANES_OFFSET,
  QUEUE_CONSUMER_LANE_OFFSET,
  QUEUE_CONSUMER_LAPPED_OFFSET,
  QUEUE_CONSUMER_MODE_OFFSET,
  QUEUE_CONSUMER_QUEUE_OFFSET,
  QUEUE_CONSUMER_RECORDS_OFFSET,
  QUEUE_CONSUMER_ROWS_OFFSET,
  QUEUE_CONSUMER_RUN_BYTES_OFFSET,
  QUEUE_CONSUMER_RUN_END_OFFSET,
  QUEUE_CONSUMER_SLOT_OFFSET,
  QUEUE_CONSUMER_TABLE_OFFSET,
  QUEUE_CONSUMER_USED_OFFSET,
  QUEUE_CURSORS_OFFSET,
  QUEUE_CURSOR_LENGTH,
  QUEUE_LANE_STATE_LAPPED_OFFSET,
  QUEUE_LANE_STATE_POSITION_OFFSET,
  QUEUE_LANE_STATE_SEQUENCE_OFFSET,
  QUEUE_MODE_GATED,
  QUEUE_ROWS_MAX,
  QUEUE_ROW_LENGTH,
  QUEUE_ROW_SEQUENCE_OFFSET,
  QUEUE_SLOT_JOINED_OFFSET,
  QUEUE_SLOT_LAPPED_OFFSET,
  QUEUE_SLOT_NONE,
} from "../layout/queue";
import {
  RING_ANNOUNCED_OFFSET,
  RING_COUNTS_COUNT_OFFSET,
  RING_COUNTS_OFFSET,
  RING_COUNTS_PAIR_LENGTH,
  RING_PRODUCER_POSITION_OFFSET,
  RING_RESTART_OFFSET,
} from "../layout/ring";
import { STATUS_EMPTY } from "../layout/status";
import { laneAddress } from "./queue";
import { copyRun } from "./queue-run";
import { corruptAt, giveRoom, isDetached, laneStateAddress, slotAddress, writeRow } from "./queue-state";

/** Times that a producer may publish between two loads before its lane counts as corrupt. */
// @ts-ignore: decorator
@inline
const ATTEMPTS_MAX: u32 = 100000;

/** From now on. STATUS_CORRUPT when a lane's position has no count. */
export function queueJoin(state: usize): i32 {
  const first = load<u32>(state, QUEUE_CONSUMER_LANE_OFFSET) as usize;
  const capacity = load<u32>(state, QUEUE_CONSUMER_CAPACITY_OFFSET);
  const lanes = load<u32>(state, QUEUE_CONSUMER_LANES_OFFSET);
  for (let lane: u32 = 0; lane < lanes; lane++) {
    if (!beginHere(state, lane, laneAddress(first, lane, capacity))) return corruptHere(state, lane, laneAddress(first, lane, capacity));
  }
  if (load<u32>(state, QUEUE_CONSUMER_MODE_OFFSET) != QUEUE_MODE_GATED) return STATUS_EMPTY;
  storeCursors(state);
  markJoined(state);
  // Again: a producer that had not seen us yet may have written on, at most a lane behind what it publishes now (its limit is older than this load).
  for (let lane: u32 = 0; lane < lanes; lane++) {
    if (!beginHere(state, lane, laneAddress(first, lane, capacity))) return corruptHere(state, lane, laneAddress(first, lane, capacity));
  }
  storeCursors(state);
  // A producer may have found no room behind the first cursor, and sleep.
  giveRoom(state);
  return STATUS_EMPTY;
}

function corruptHere(state: usize, lane: u32, ring: usize): i32 {
  return corruptAt(state, lane, atomic.load<u64>(ring, RING_PRODUCER_POSITION_OFFSET));
}

/** Position and count of one moment: the count that goes with a position holds at least until the publication after the next. */
function beginHere(state: usize, lane: u32, ring: usize): bool {
  const laneState = laneStateAddress(state, lane);
  for (let attempt: u32 = 0; attempt < ATTEMPTS_MAX; attempt++) {
    // Pairs with the store in queuePublish.
    const position = atomic.load<u64>(ring, RING_PRODUCER_POSITION_OFFSET);
    // Records begin at multiples of 8, and an atomic load elsewhere would trap.
    if (position & 7) return false;
    for (let pair: u32 = 0; pair < 2; pair++) {
      const at = ring + pair * RING_COUNTS_PAIR_LENGTH;
      if (atomic.load<u64>(at, RING_COUNTS_OFFSET) != position) continue;
      const count = atomic.load<u64>(at, RING_COUNTS_OFFSET + RING_COUNTS_COUNT_OFFSET);
      if (atomic.load<u64>(ring, RING_PRODUCER_POSITION_OFFSET) != position) continue;
      store<u64>(laneState, position, QUEUE_LANE_STATE_POSITION_OFFSET);
      store<u64>(laneState, count, QUEUE_LANE_STATE_SEQUENCE_OFFSET);
      return true;
    }
  }
  return false;
}

function storeCursors(state: usize): void {
  const lanes = load<u32>(state, QUEUE_CONSUMER_LANES_OFFSET);
  for (let lane: u32 = 0; lane < lanes; lane++) storeCursor(state, lane);
}

/** Up to where this consumer has read the lane. */
export function storeCursor(state: usize, lane: u32): void {
  const own = load<u64>(laneStateAddress(state, lane), QUEUE_LANE_STATE_POSITION_OFFSET);
  const position = isDetached(state, lane) ? u64.MAX_VALUE : own;
  const queue = load<u32>(state, QUEUE_CONSUMER_QUEUE_OFFSET) as usize;
  const row = lane * load<u32>(state, QUEUE_CONSUMER_CONSUMERS_OFFSET) + load<u32>(state, QUEUE_CONSUMER_SLOT_OFFSET);
  // Pairs with the load in slowestCursor (queue-producer.ts).
  atomic.store<u64>(queue + row * QUEUE_CURSOR_LENGTH, position, QUEUE_CURSORS_OFFSET);
}

// @ts-ignore: decorator
@inline
function joinedAddress(state: usize): usize {
  return slotAddress(state, load<u32>(state, QUEUE_CONSUMER_SLOT_OFFSET)) + QUEUE_SLOT_JOINED_OFFSET;
}

function markJoined(state: usize): void {
  const at = joinedAddress(state);
  // Pairs with the load in slowestCursor. The slot is ours, so only an even value can be here: it may have been left odd by one that died.
  const joined = atomic.load<u32>(at);
  atomic.store<u32>(at, joined + 1 + (joined & 1));
}

/** gated: producers wait for this consumer no longer. */
export function queueLeave(state: usize): void {
  const at = joinedAddress(state);
  const joined = atomic.load<u32>(at);
  if (joined & 1) atomic.cmpxchg<u32>(at, joined, joined + 1);
  giveRoom(state);
}

/** gated: whoever was left behind for being slow goes on where it can, and is waited for again. */
export function rejoin(state: usize): void {
  if (atomic.load<u32>(joinedAddress(state)) & 1) return;
  const first = load<u32>(state, QUEUE_CONSUMER_LANE_OFFSET) as usize;
  const capacity = load<u32>(state, QUEUE_CONSUMER_CAPACITY_OFFSET);
  const lanes = load<u32>(state, QUEUE_CONSUMER_LANES_OFFSET);
  for (let lane: u32 = 0; lane < lanes; lane++) {
    const ring = laneAddress(first, lane, capacity);
    const laneState = laneStateAddress(state, lane);
    // A lane that cannot be read is found corrupt by the drain that follows.
    if (isLapped(ring, load<u64>(laneState, QUEUE_LANE_STATE_POSITION_OFFSET), capacity)) restart(state, lane, ring, capacity);
  }
  storeCursors(state);
  markJoined(state);
}

/** Copies records of the lane, at most `limit` in all rows, into the state's own copies. A lapse has a row of its own before them. */
export function drainBroadcast(state: usize, lane: u32, limit: u32): i32 {
  const capacity = load<u32>(state, QUEUE_CONSUMER_CAPACITY_OFFSET);
  const ring = laneAddress(load<u32>(state, QUEUE_CONSUMER_LANE_OFFSET) as usize, lane, capacity);
  const laneState = laneStateAddress(state, lane);
  const position = load<u64>(laneState, QUEUE_LANE_STATE_POSITION_OFFSET);
  // B1. Pairs with the store in queuePublish.
  const producer = atomic.load<u64>(ring, RING_PRODUCER_POSITION_OFFSET);
  if (producer == position) return load<u32>(laneState, QUEUE_LANE_STATE_LAPPED_OFFSET) ? tellLapse(state, lane, ring, position) : STATUS_EMPTY;
  // B2.
  if (isLapped(ring, position, capacity)) return restart(state, lane, ring, capacity);
  if (producer < position || producer - position > capacity || producer & 7) return corruptAt(state, lane, position);
  const rows = load<u32>(state, QUEUE_CONSUMER_ROWS_OFFSET);
  const records = load<u32>(state, QUEUE_CONSUMER_RECORDS_OFFSET);
  if (rows + 2 > (QUEUE_ROWS_MAX as u32)) return STATUS_EMPTY;
  const lapse = load<u32>(laneState, QUEUE_LANE_STATE_LAPPED_OFFSET);
  // B3.
  const used = rows ? load<u32>(state, QUEUE_CONSUMER_USED_OFFSET) : 0;
  const recordsMax = min<u32>(limit - records, QUEUE_ROWS_MAX - rows - lapse);
  const to = state + QUEUE_CONSUMER_COPIES_OFFSET + used;
  const count = copyRun(state, lane, ring, position, producer, to, QUEUE_CONSUMER_COPIES_LENGTH - used, rows + lapse, recordsMax);
  // Before B4: then it is of a moment when the run was not lapped yet, however long we sleep in between. Pairs with the stores of the pairs in queuePublish.
  const counted = atomic.load<u64>(ring, RING_COUNTS_OFFSET + RING_COUNTS_COUNT_OFFSET);
  // B4.
  if (isLapped(ring, position, capacity)) return restart(state, lane, ring, capacity);
  if (count < 0) return corruptAt(state, lane, position);
  if (count > 0 && !number(state, laneState, counted, lane, rows, count)) return corruptAt(state, lane, position);
  accept(state, lane, laneState, used, rows, count);
  return STATUS_EMPTY;
}

/** What the run came to is the consumer's: its rows, and for producers its position. */
function accept(state: usize, lane: u32, laneState: usize, used: u32, rows: u32, count: u32): void {
  const end = load<u64>(state, QUEUE_CONSUMER_RUN_END_OFFSET);
  store<u64>(laneState, end, QUEUE_LANE_STATE_POSITION_OFFSET);
  if (count > 0) {
    const lapse = load<u32>(laneState, QUEUE_LANE_STATE_LAPPED_OFFSET);
    store<u32>(laneState, 0, QUEUE_LANE_STATE_LAPPED_OFFSET);
    store<u32>(state, used + load<u32>(state, QUEUE_CONSUMER_RUN_BYTES_OFFSET), QUEUE_CONSUMER_USED_OFFSET);
    store<u32>(state, rows + lapse + count, QUEUE_CONSUMER_ROWS_OFFSET);
    store<u32>(state, load<u32>(state, QUEUE_CONSUMER_RECORDS_OFFSET) + count, QUEUE_CONSUMER_RECORDS_OFFSET);
  }
  if (load<u32>(state, QUEUE_CONSUMER_MODE_OFFSET) != QUEUE_MODE_GATED) return;
  storeCursor(state, lane);
  giveRoom(state);
}

/** Is what lies at `position` being overwritten, or was it? */
// @ts-ignore: decorator
@inline
function isLapped(ring: usize, position: u64, capacity: u32): bool {
  // Pairs with the store in announce (queue-producer.ts).
  const announced = atomic.load<u64>(ring, RING_ANNOUNCED_OFFSET);
  return announced > position && announced - position > capacity;
}

/** Goes on at a place that is still readable; the first record there tells how many were missed, or, with none there, tellLapse. */
function restart(state: usize, lane: u32, ring: usize, capacity: u32): i32 {
  const laneState = laneStateAddress(state, lane);
  const own = load<u64>(laneState, QUEUE_LANE_STATE_POSITION_OFFSET);
  const announced = atomic.load<u64>(ring, RING_ANNOUNCED_OFFSET);
  const producer = atomic.load<u64>(ring, RING_PRODUCER_POSITION_OFFSET);
  // In this order of loads nothing that a producer stores breaks these: it announces a lane at most ahead of what it has published.
  if (producer & 7 || producer < own || (announced > producer && announced - producer > capacity)) return corruptAt(state, lane, own);
  // Pairs with the store in moveRestart.
  let position = atomic.load<u64>(ring, RING_RESTART_OFFSET);
  const isUsable = position >= own && position <= producer && !(position & 7);
  if (!isUsable || isLapped(ring, position, capacity)) position = producer;
  store<u64>(laneState, position, QUEUE_LANE_STATE_POSITION_OFFSET);
  store<u32>(laneState, 1, QUEUE_LANE_STATE_LAPPED_OFFSET);
  // Or producers would wait for a place that this consumer has left, and it, with nothing to read there, would never tell them.
  if (load<u32>(state, QUEUE_CONSUMER_MODE_OFFSET) == QUEUE_MODE_GATED) {
    storeCursor(state, lane);
    giveRoom(state);
  }
  return STATUS_EMPTY;
}

/** Nothing follows the lapse: what was missed is all that was published. Should the producer publish meanwhile, the next drain tells it. */
function tellLapse(state: usize, lane: u32, ring: usize, position: u64): i32 {
  const rows = load<u32>(state, QUEUE_CONSUMER_ROWS_OFFSET);
  if (rows == (QUEUE_ROWS_MAX as u32)) return STATUS_EMPTY;
  const laneState = laneStateAddress(state, lane);
  const due = load<u64>(laneState, QUEUE_LANE_STATE_SEQUENCE_OFFSET);
  if (!beginHere(state, lane, ring)) return corruptAt(state, lane, position);
  const count = load<u64>(laneState, QUEUE_LANE_STATE_SEQUENCE_OFFSET);
  if (load<u64>(laneState, QUEUE_LANE_STATE_POSITION_OFFSET) != position) {
    store<u64>(laneState, position, QUEUE_LANE_STATE_POSITION_OFFSET);
    store<u64>(laneState, due, QUEUE_LANE_STATE_SEQUENCE_OFFSET);
    return STATUS_EMPTY;
  }
  if (count < due) return corruptAt(state, lane, position);
  store<u32>(laneState, 0, QUEUE_LANE_STATE_LAPPED_OFFSET);
  store<u32>(state, rows + 1, QUEUE_CONSUMER_ROWS_OFFSET);
  // The copies of this drain begin here if none was made yet.
  if (rows == 0) store<u32>(state, 0, QUEUE_CONSUMER_USED_OFFSET);
  noteLapse(state, lane, rows, count - due);
  return STATUS_EMPTY;
}

/** Compares the first record's number with the one that is due, after a lapse notes what is missing in between: false when it cannot be. */
function number(state: usize, laneState: usize, counted: u64, lane: u32, rows: u32, count: u32): bool {
  const due = load<u64>(laneState, QUEUE_LANE_STATE_SEQUENCE_OFFSET);
  const lapse = load<u32>(laneState, QUEUE_LANE_STATE_LAPPED_OFFSET);
  const low = load<u32>(state + QUEUE_CONSUMER_TABLE_OFFSET + (rows + lapse) * QUEUE_ROW_LENGTH, QUEUE_ROW_SEQUENCE_OFFSET);
  const first = lapse ? wholeNumber(counted, low) : due;
  if (low != (first as u32) || first < due) return false;
  store<u64>(laneState, first + count, QUEUE_LANE_STATE_SEQUENCE_OFFSET);
  if (lapse) noteLapse(state, lane, rows, first - due);
  return true;
}

/** The number whose low half this is, nearest to the lane's count of records; either of the two pairs is near enough. */
function wholeNumber(counted: u64, low: u32): u64 {
  return counted + ((low - (counted as u32)) as i32 as i64);
}

function noteLapse(state: usize, lane: u32, row: u32, missed: u64): void {
  writeRow(state, row, 0, missed as u32, lane, (missed >> 32) as u32);
  const lapped = load<u64>(state, QUEUE_CONSUMER_LAPPED_OFFSET) + missed;
  store<u64>(state, lapped, QUEUE_CONSUMER_LAPPED_OFFSET);
  const slot = load<u32>(state, QUEUE_CONSUMER_SLOT_OFFSET);
  if (slot != QUEUE_SLOT_NONE) store<u64>(slotAddress(state, slot), lapped, QUEUE_SLOT_LAPPED_OFFSET);
}
