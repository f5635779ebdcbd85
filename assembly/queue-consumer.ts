// A queue's consumer: queueDrain -> read the rows -> queueRelease, which the next queueDrain does by itself. Rows (layout/queue.ts, QUEUE_ROW_) say where each
// record is: in its lane (spsc, mpsc), or copied (mpmc: queue-claim.ts; gated and lossy: queue-broadcast.ts). They are good until the release.
//
// In place, nothing is lost when the consumer dies: only queueRelease gives room back, so its successor begins with what was drained and not released.
//
// What is read from a lane may have been written by a hostile process: positions and headers are loaded once, checked against the state's own constants, and only then
// used. A lane that breaks the rules is left alone from then on (STATUS_CORRUPT, once); the others go on.

import {
  QUEUE_CONSUMER_CAPACITY_OFFSET,
  QUEUE_CONSUMER_CLAIMED_OFFSET,
  QUEUE_CONSUMER_CONSUMERS_OFFSET,
  QUEUE_CONSUMER_CORRUPT_LANE_OFFSET,
  QUEUE_CONSUMER_DELIVERED_OFFSET,
  QUEUE_CONSUMER_DETACHED_OFFSET,
  QUEUE_CONSUMER_HELD_LENGTH_OFFSET,
  QUEUE_CONSUMER_HELD_OFFSET,
  QUEUE_CONSUMER_LANES_OFFSET,
  QUEUE_CONSUMER_LANE_OFFSET,
  QUEUE_CONSUMER_LAPPED_OFFSET,
  QUEUE_CONSUMER_MODE_OFFSET,
  QUEUE_CONSUMER_NEXT_OFFSET,
  QUEUE_CONSUMER_QUEUE_OFFSET,
  QUEUE_CONSUMER_RECORDS_OFFSET,
  QUEUE_CONSUMER_RECORD_LENGTH_MAX_OFFSET,
  QUEUE_CONSUMER_ROWS_OFFSET,
  QUEUE_CONSUMER_SHARED_OFFSET,
  QUEUE_CONSUMER_SLOT_OFFSET,
  QUEUE_CONSUMER_TABLE_OFFSET,
  QUEUE_CONSUMER_TOUCHED_OFFSET,
  QUEUE_LANE_STATE_LAPPED_OFFSET,
  QUEUE_LANE_STATE_POSITION_OFFSET,
  QUEUE_MODE_GATED,
  QUEUE_MODE_MPMC,
  QUEUE_ROWS_MAX,
  QUEUE_ROW_ADDRESS_OFFSET,
  QUEUE_ROW_LANE_OFFSET,
  QUEUE_ROW_LENGTH,
  QUEUE_SLEEPERS_OFFSET,
  QUEUE_SLOT_DELIVERED_OFFSET,
  QUEUE_SLOT_LAPPED_OFFSET,
  QUEUE_SLOT_NONE,
  QUEUE_WAKE_OFFSET,
} from "../layout/queue";
import {
  RING_CONSUMER_POSITION_OFFSET,
  RING_DATA_OFFSET,
  RING_PRODUCER_POSITION_OFFSET,
  RING_RECORD_DISCARD,
  RING_RECORD_HEADER_LENGTH,
  RING_RECORD_LENGTH_MASK,
} from "../layout/ring";
import { STATUS_CLOSED, STATUS_CORRUPT, STATUS_EMPTY } from "../layout/status";
import { awake, fallAsleep, isClosed, laneAddress } from "./queue";
import { drainBroadcast, queueJoin, rejoin, storeCursor } from "./queue-broadcast";
import { claimedCursor, drainClaimed, releaseClaim } from "./queue-claim";
import { corruptAt, giveRoom, isDetached, laneStateAddress, lengthMaxOf, slotAddress } from "./queue-state";
import { ringRecordLength } from "./ring";

/** Times that a drain goes through the lanes before it says that there is nothing: after more, others are faster beyond belief, or a peer is hostile. */
// @ts-ignore: decorator
@inline
const ROUNDS_MAX: u32 = 16;

/** Begins a consumer's state (zeros) in its slot, which it owns. STATUS_CORRUPT when a lane's positions break the rules. */
export function queueConsumerInit(
  state: usize,
  queue: usize,
  mode: u32,
  lanes: u32,
  capacity: u32,
  consumers: u32,
  recordLengthMax: u32,
  slot: u32,
  lane: usize,
  held: usize,
  heldLength: u32,
  shared: u32,
): i32 {
  store<u32>(state, queue as u32, QUEUE_CONSUMER_QUEUE_OFFSET);
  store<u32>(state, mode, QUEUE_CONSUMER_MODE_OFFSET);
  store<u32>(state, lanes, QUEUE_CONSUMER_LANES_OFFSET);
  store<u32>(state, capacity, QUEUE_CONSUMER_CAPACITY_OFFSET);
  store<u32>(state, consumers, QUEUE_CONSUMER_CONSUMERS_OFFSET);
  store<u32>(state, recordLengthMax, QUEUE_CONSUMER_RECORD_LENGTH_MAX_OFFSET);
  store<u32>(state, slot, QUEUE_CONSUMER_SLOT_OFFSET);
  store<u32>(state, lane as u32, QUEUE_CONSUMER_LANE_OFFSET);
  store<u32>(state, held as u32, QUEUE_CONSUMER_HELD_OFFSET);
  store<u32>(state, heldLength, QUEUE_CONSUMER_HELD_LENGTH_OFFSET);
  store<u32>(state, shared, QUEUE_CONSUMER_SHARED_OFFSET);
  if (slot != QUEUE_SLOT_NONE) resumeCounts(state, slot);
  if (mode == QUEUE_MODE_MPMC) return STATUS_EMPTY;
  if (mode > (QUEUE_MODE_MPMC as u32)) return queueJoin(state);
  for (let number: u32 = 0; number < lanes; number++) {
    const position = atomic.load<u64>(laneAddress(lane, number, capacity), RING_CONSUMER_POSITION_OFFSET);
    store<u64>(laneStateAddress(state, number), position, QUEUE_LANE_STATE_POSITION_OFFSET);
  }
  return STATUS_EMPTY;
}

/** A slot's counters go on from one consumer to the next. */
function resumeCounts(state: usize, slot: u32): void {
  const at = slotAddress(state, slot);
  store<u64>(state, load<u64>(at, QUEUE_SLOT_DELIVERED_OFFSET), QUEUE_CONSUMER_DELIVERED_OFFSET);
  store<u64>(state, load<u64>(at, QUEUE_SLOT_LAPPED_OFFSET), QUEUE_CONSUMER_LAPPED_OFFSET);
}

/**
 * Rows of up to `recordsMax` records (QUEUE_ROWS_MAX at most); STATUS_EMPTY; STATUS_CLOSED when there is nothing and will be nothing; STATUS_CORRUPT when a lane
 * breaks its rules, with lane and position in the state: that lane is not read again, the others are.
 */
export function queueDrain(state: usize, recordsMax: u32): i32 {
  queueRelease(state);
  // Before the lanes: what was published before the closing is found.
  const closed = isClosed(load<u32>(state, QUEUE_CONSUMER_QUEUE_OFFSET) as usize);
  const limit = min<u32>(recordsMax, QUEUE_ROWS_MAX);
  const lanes = load<u32>(state, QUEUE_CONSUMER_LANES_OFFSET);
  const mode = load<u32>(state, QUEUE_CONSUMER_MODE_OFFSET);
  if (mode == QUEUE_MODE_GATED) rejoin(state);
  const begin = load<u32>(state, QUEUE_CONSUMER_NEXT_OFFSET);
  let lane = begin;
  let answer = STATUS_EMPTY;
  const turnsMax = mode < (QUEUE_MODE_MPMC as u32) ? lanes : lanes * ROUNDS_MAX;
  for (let turn: u32 = 0; turn < turnsMax && answer >= 0 && load<u32>(state, QUEUE_CONSUMER_RECORDS_OFFSET) < limit; turn++) {
    if (turn && lane == begin && !isWorthAnotherRound(state)) break;
    if (!isDetached(state, lane)) answer = drainLane(state, mode, lane, limit);
    lane = lane + 1 == lanes ? 0 : lane + 1;
    // One claim at a time: what is held is one run.
    if (load<u32>(state, QUEUE_CONSUMER_CLAIMED_OFFSET)) break;
  }
  store<u32>(state, lane, QUEUE_CONSUMER_NEXT_OFFSET);
  const rows = load<u32>(state, QUEUE_CONSUMER_ROWS_OFFSET);
  if (rows) return rows;
  // Only padding: nobody will release it, and its producer may wait for the room.
  if (load<u32>(state, QUEUE_CONSUMER_TOUCHED_OFFSET)) queueRelease(state);
  if (answer == STATUS_CORRUPT) detach(state);
  // Nothing was taken, which is not the end as long as there is something (isWorthAnotherRound).
  return answer == STATUS_EMPTY && closed && !hasRecords(state) ? STATUS_CLOSED : answer;
}

/** Nothing was taken although something is there: others were faster with every claim, or this consumer was lapped and goes on elsewhere. */
function isWorthAnotherRound(state: usize): bool {
  return !load<u32>(state, QUEUE_CONSUMER_ROWS_OFFSET) && hasRecords(state);
}

// @ts-ignore: decorator
@inline
function drainLane(state: usize, mode: u32, lane: u32, limit: u32): i32 {
  if (mode < (QUEUE_MODE_MPMC as u32)) return drainInPlace(state, lane, limit);
  return mode == QUEUE_MODE_MPMC ? drainClaimed(state, lane, limit) : drainBroadcast(state, lane, limit);
}

function detach(state: usize): void {
  const lane = load<u32>(state, QUEUE_CONSUMER_CORRUPT_LANE_OFFSET);
  store<u32>(state, load<u32>(state, QUEUE_CONSUMER_DETACHED_OFFSET) | (1 << lane), QUEUE_CONSUMER_DETACHED_OFFSET);
  if (load<u32>(state, QUEUE_CONSUMER_MODE_OFFSET) != QUEUE_MODE_GATED) return;
  // Its producer, which may be the one that was wronged, does not wait for who does not read.
  storeCursor(state, lane);
  giveRoom(state);
}

/** spsc, mpsc: rows that point into the lane. */
function drainInPlace(state: usize, lane: u32, limit: u32): i32 {
  const capacity = load<u32>(state, QUEUE_CONSUMER_CAPACITY_OFFSET);
  const ring = laneAddress(load<u32>(state, QUEUE_CONSUMER_LANE_OFFSET) as usize, lane, capacity);
  const laneState = laneStateAddress(state, lane);
  const begin = load<u64>(laneState, QUEUE_LANE_STATE_POSITION_OFFSET);
  // Pairs with the store in queuePublish.
  const producer = atomic.load<u64>(ring, RING_PRODUCER_POSITION_OFFSET);
  if (producer == begin) return STATUS_EMPTY;
  // Both at multiples of 8: a header elsewhere could run over the end of the lane.
  if (producer < begin || producer - begin > capacity || (producer | begin) & 7) return corruptAt(state, lane, begin);
  let position = begin;
  // Up to the end of the lane, then, if there is more, from its beginning.
  while (position != producer && load<u32>(state, QUEUE_CONSUMER_RECORDS_OFFSET) < limit) {
    const index = (position & (capacity - 1)) as u32;
    const stop = ring + index + min<u32>((producer - position) as u32, capacity - index);
    const at = writeRows(state, lane, ring + index, stop, limit);
    position += at - (ring + index);
    if (at != stop) break;
  }
  // What was good before the place is handed out first; the next drain finds the place again.
  if (position == begin) return corruptAt(state, lane, position);
  store<u64>(laneState, position, QUEUE_LANE_STATE_POSITION_OFFSET);
  store<u32>(state, load<u32>(state, QUEUE_CONSUMER_RECORDS_OFFSET), QUEUE_CONSUMER_ROWS_OFFSET);
  store<u32>(state, load<u32>(state, QUEUE_CONSUMER_TOUCHED_OFFSET) | (1 << lane), QUEUE_CONSUMER_TOUCHED_OFFSET);
  return STATUS_EMPTY;
}

/**
 * Rows of the records from `from` on, one behind the other: where it stopped. That is `stop`, or a place before it when there are `limit` rows, or when the record
 * there cannot be.
 *
 * What was checked last is not checked again for every record like it: mostly all of them are. The branch also lets the processor begin with the next record before it
 * has this one's length (measured: 4.3 ns a record, now 2.6).
 */
function writeRows(state: usize, lane: u32, from: usize, stop: usize, limit: u32): usize {
  const table = state + QUEUE_CONSUMER_TABLE_OFFSET;
  const end = table + limit * QUEUE_ROW_LENGTH;
  let row = table + load<u32>(state, QUEUE_CONSUMER_RECORDS_OFFSET) * QUEUE_ROW_LENGTH;
  let at = from;
  let checked: u32 = 0;
  let taken: u32 = 0;
  let high: u64 = 0;
  while (at != stop && row != end) {
    const header = load<u64>(at, RING_DATA_OFFSET);
    const low = header as u32;
    if (low != checked || taken == 0) {
      const length = low & RING_RECORD_LENGTH_MASK;
      if (length > lengthMaxOf(state, low)) break;
      taken = ringRecordLength(length);
      high = (length as u64) << 32;
      checked = low;
    }
    if (taken > ((stop - at) as u32)) break;
    if (!(low & RING_RECORD_DISCARD)) {
      const data = at + RING_DATA_OFFSET + RING_RECORD_HEADER_LENGTH;
      store<u64>(row, (data as u64) | high, QUEUE_ROW_ADDRESS_OFFSET);
      store<u64>(row, (header & 0xffffffff00000000) | lane, QUEUE_ROW_LANE_OFFSET);
      row += QUEUE_ROW_LENGTH;
    }
    at += taken;
  }
  store<u32>(state, ((row - table) / QUEUE_ROW_LENGTH) as u32, QUEUE_CONSUMER_RECORDS_OFFSET);
  return at;
}

/** Done with the rows of the last drain: their room is given back, and they will not be handed out again. */
export function queueRelease(state: usize): void {
  const touched = load<u32>(state, QUEUE_CONSUMER_TOUCHED_OFFSET);
  const claimed = load<u32>(state, QUEUE_CONSUMER_CLAIMED_OFFSET);
  const records = load<u32>(state, QUEUE_CONSUMER_RECORDS_OFFSET);
  store<u32>(state, 0, QUEUE_CONSUMER_ROWS_OFFSET);
  store<u32>(state, 0, QUEUE_CONSUMER_RECORDS_OFFSET);
  if (records) {
    const delivered = load<u64>(state, QUEUE_CONSUMER_DELIVERED_OFFSET) + records;
    store<u64>(state, delivered, QUEUE_CONSUMER_DELIVERED_OFFSET);
    const slot = load<u32>(state, QUEUE_CONSUMER_SLOT_OFFSET);
    if (slot != QUEUE_SLOT_NONE) store<u64>(slotAddress(state, slot), delivered, QUEUE_SLOT_DELIVERED_OFFSET);
  }
  if (claimed) releaseClaim(state, claimed - 1);
  if (touched) releaseLanes(state, touched);
}

function releaseLanes(state: usize, touched: u32): void {
  const capacity = load<u32>(state, QUEUE_CONSUMER_CAPACITY_OFFSET);
  const first = load<u32>(state, QUEUE_CONSUMER_LANE_OFFSET) as usize;
  store<u32>(state, 0, QUEUE_CONSUMER_TOUCHED_OFFSET);
  for (let left = touched; left; left &= left - 1) {
    const lane = ctz<u32>(left);
    const position = load<u64>(laneStateAddress(state, lane), QUEUE_LANE_STATE_POSITION_OFFSET);
    // W1 of the room. Pairs with the load in sharedCursor (queue-producer.ts).
    atomic.store<u64>(laneAddress(first, lane, capacity), position, RING_CONSUMER_POSITION_OFFSET);
  }
  giveRoom(state);
}

/** True when a drain would find something, or the end. */
export function queueAvailable(state: usize): bool {
  return hasRecords(state) || isClosed(load<u32>(state, QUEUE_CONSUMER_QUEUE_OFFSET) as usize);
}

/** True when some lane has records, or a lapse that was not told yet. */
function hasRecords(state: usize): bool {
  const capacity = load<u32>(state, QUEUE_CONSUMER_CAPACITY_OFFSET);
  const first = load<u32>(state, QUEUE_CONSUMER_LANE_OFFSET) as usize;
  const lanes = load<u32>(state, QUEUE_CONSUMER_LANES_OFFSET);
  const isClaimed = load<u32>(state, QUEUE_CONSUMER_MODE_OFFSET) == QUEUE_MODE_MPMC;
  for (let lane: u32 = 0; lane < lanes; lane++) {
    if (isDetached(state, lane)) continue;
    const own = load<u64>(laneStateAddress(state, lane), QUEUE_LANE_STATE_POSITION_OFFSET);
    const position = isClaimed ? claimedCursor(state, lane) : own;
    // Pairs with the store in queuePublish.
    if (atomic.load<u64>(laneAddress(first, lane, capacity), RING_PRODUCER_POSITION_OFFSET) != position) return true;
    if (load<u32>(laneStateAddress(state, lane), QUEUE_LANE_STATE_LAPPED_OFFSET)) return true;
  }
  return false;
}

/** S1 and S2 of a consumer: the value of the wake word to sleep on. Then queueAvailable, sleep, queueAwake. */
export function queueSleep(state: usize): u32 {
  const queue = load<u32>(state, QUEUE_CONSUMER_QUEUE_OFFSET) as usize;
  return fallAsleep(queue, QUEUE_WAKE_OFFSET, QUEUE_SLEEPERS_OFFSET, load<u32>(state, QUEUE_CONSUMER_SLOT_OFFSET));
}

export function queueAwake(state: usize): void {
  const queue = load<u32>(state, QUEUE_CONSUMER_QUEUE_OFFSET) as usize;
  awake(queue, QUEUE_SLEEPERS_OFFSET, load<u32>(state, QUEUE_CONSUMER_SLOT_OFFSET));
}

/** All of it, for a thread of a private arena that may block: true when there is something, or the end. timeoutNs < 0 = no limit. */
export function queuePark(state: usize, timeoutNs: i64): bool {
  const queue = load<u32>(state, QUEUE_CONSUMER_QUEUE_OFFSET) as usize;
  const value = queueSleep(state);
  // S3, S4.
  if (!queueAvailable(state)) atomic.wait<i32>(queue + QUEUE_WAKE_OFFSET, value, timeoutNs);
  queueAwake(state);
  return queueAvailable(state);
}
