// A queue's producer: queueReserve -> fill -> queueSubmit, and queuePublish once per batch, in a lane that is its own.
//
// Why nothing is lost or torn:
//   1. The producer writes records above its published position; nobody reads there. queuePublish stores the position: everything below it is whole.
//   2. It dies anywhere before that store: nothing of the batch was visible, and the next producer of the lane writes over it.
//   3. It dies anywhere after it: the batch is there. The count of records is kept in two pairs, of which the one that has the published position holds:
//      the pair of a batch is written before the position that makes it hold, so the next producer numbers its records without a gap or a repetition.

import {
  QUEUE_CURSOR_LENGTH,
  QUEUE_CURSOR_POSITION_SHIFT,
  QUEUE_CURSORS_OFFSET,
  QUEUE_MODE_GATED,
  QUEUE_MODE_LOSSY,
  QUEUE_MODE_MPMC,
  QUEUE_PRODUCER_CAPACITY_OFFSET,
  QUEUE_PRODUCER_CONSUMERS_OFFSET,
  QUEUE_PRODUCER_COUNT_OFFSET,
  QUEUE_PRODUCER_LANE_OFFSET,
  QUEUE_PRODUCER_LIMIT_OFFSET,
  QUEUE_PRODUCER_MODE_OFFSET,
  QUEUE_PRODUCER_NUMBER_OFFSET,
  QUEUE_PRODUCER_PAIR_OFFSET,
  QUEUE_PRODUCER_POSITION_OFFSET,
  QUEUE_PRODUCER_PUBLISHED_OFFSET,
  QUEUE_PRODUCER_QUEUE_OFFSET,
  QUEUE_PRODUCER_RECORD_LENGTH_MAX_OFFSET,
  QUEUE_PRODUCER_RESTART_OFFSET,
  QUEUE_PRODUCER_SHARED_OFFSET,
  QUEUE_ROOM_SLEEPERS_OFFSET,
  QUEUE_ROOM_WAKE_OFFSET,
  QUEUE_SLOT_JOINED_OFFSET,
  QUEUE_SLOT_LENGTH,
  QUEUE_SLOTS_OFFSET,
} from "../layout/queue";
import {
  RING_ANNOUNCED_OFFSET,
  RING_CONSUMER_POSITION_OFFSET,
  RING_COUNTS_COUNT_OFFSET,
  RING_COUNTS_OFFSET,
  RING_COUNTS_PAIR_LENGTH,
  RING_DATA_OFFSET,
  RING_DROPPED_OFFSET,
  RING_PRODUCER_POSITION_OFFSET,
  RING_RECORD_DISCARD,
  RING_RECORD_HEADER_LENGTH,
  RING_RESTART_OFFSET,
} from "../layout/ring";
import { STATUS_CORRUPT, STATUS_EMPTY, STATUS_FULL, STATUS_TOO_LONG } from "../layout/status";
import { awake, fallAsleep, wakeConsumers } from "./queue";
import { ringRecordLength } from "./ring";

/** mpmc: the last position that a lane's cursor has bits for, 2^59 - 8: after 18 years at 1 GB/s. */
// @ts-ignore: decorator
@inline
const CLAIMED_POSITION_MAX: u64 = ((1 as u64) << (64 - QUEUE_CURSOR_POSITION_SHIFT + 3)) - 8;

/**
 * Begins a producer's state in lane `number` at `lane`; it goes on from what was published last. STATUS_CORRUPT when position, counts and announcement do not
 * fit together: the lane was scribbled over.
 */
export function queueProducerInit(
  state: usize,
  queue: usize,
  mode: u32,
  number: u32,
  lane: usize,
  capacity: u32,
  consumers: u32,
  recordLengthMax: u32,
  shared: u32,
): i32 {
  const position = atomic.load<u64>(lane, RING_PRODUCER_POSITION_OFFSET);
  const holding = pairAt(lane, position);
  if (holding < 0 || position & 7) return STATUS_CORRUPT;
  // The one before may have died between announcing and publishing: what it announced holds, for it may have written that far already.
  const announced = max(position, atomic.load<u64>(lane, RING_ANNOUNCED_OFFSET));
  if (announced > position + capacity) return STATUS_CORRUPT;
  const pair = lane + holding * RING_COUNTS_PAIR_LENGTH;
  store<u64>(state, position, QUEUE_PRODUCER_POSITION_OFFSET);
  store<u64>(state, mode >= (QUEUE_MODE_GATED as u32) ? announced : position, QUEUE_PRODUCER_LIMIT_OFFSET);
  store<u64>(state, position, QUEUE_PRODUCER_PUBLISHED_OFFSET);
  store<u64>(state, atomic.load<u64>(lane, RING_RESTART_OFFSET), QUEUE_PRODUCER_RESTART_OFFSET);
  store<u64>(state, atomic.load<u64>(pair, RING_COUNTS_OFFSET + RING_COUNTS_COUNT_OFFSET), QUEUE_PRODUCER_COUNT_OFFSET);
  store<u32>(state, 1 - holding, QUEUE_PRODUCER_PAIR_OFFSET);
  store<u32>(state, lane as u32, QUEUE_PRODUCER_LANE_OFFSET);
  store<u32>(state, capacity, QUEUE_PRODUCER_CAPACITY_OFFSET);
  store<u32>(state, queue as u32, QUEUE_PRODUCER_QUEUE_OFFSET);
  store<u32>(state, number, QUEUE_PRODUCER_NUMBER_OFFSET);
  store<u32>(state, mode, QUEUE_PRODUCER_MODE_OFFSET);
  store<u32>(state, consumers, QUEUE_PRODUCER_CONSUMERS_OFFSET);
  store<u32>(state, shared, QUEUE_PRODUCER_SHARED_OFFSET);
  store<u32>(state, recordLengthMax, QUEUE_PRODUCER_RECORD_LENGTH_MAX_OFFSET);
  return STATUS_EMPTY;
}

/** Which of the two pairs of counts has this position; -1 = none. */
export function pairAt(lane: usize, position: u64): i32 {
  if (atomic.load<u64>(lane, RING_COUNTS_OFFSET) == position) return 0;
  return atomic.load<u64>(lane, RING_COUNTS_OFFSET + RING_COUNTS_PAIR_LENGTH) == position ? 1 : -1;
}

/**
 * Room for a record of `length` bytes, and mostly for more behind it: the address of its header, STATUS_FULL, or STATUS_TOO_LONG. The window ends at queueWindowEnd. The
 * caller writes records one behind the other - header (length, then the number in the lane), data, padding to 8 - and submits them together by queueWindowSubmit.
 */
// @ts-ignore: decorator
@inline
export function queueWindow(state: usize, length: u32): i32 {
  if (length > load<u32>(state, QUEUE_PRODUCER_RECORD_LENGTH_MAX_OFFSET)) return STATUS_TOO_LONG;
  const capacity = load<u32>(state, QUEUE_PRODUCER_CAPACITY_OFFSET);
  const lane = load<u32>(state, QUEUE_PRODUCER_LANE_OFFSET) as usize;
  const needed = ringRecordLength(length);
  let position = load<u64>(state, QUEUE_PRODUCER_POSITION_OFFSET);
  const index = (position & (capacity - 1)) as u32;
  const tail = capacity - index;
  const padding = needed > tail ? tail : 0;
  const end = position + padding + needed;
  if (end > load<u64>(state, QUEUE_PRODUCER_LIMIT_OFFSET) && !raiseLimit(state, lane, end)) return STATUS_FULL;
  if (padding) {
    store<u64>(lane + index, RING_RECORD_DISCARD | (padding - RING_RECORD_HEADER_LENGTH), RING_DATA_OFFSET);
    position += padding;
    store<u64>(state, position, QUEUE_PRODUCER_POSITION_OFFSET);
  }
  return (lane + ((position & (capacity - 1)) as usize) + RING_DATA_OFFSET) as i32;
}

/** Where the window of the last queueWindow ends (exclusive): at what may be written without asking, and at the end of the lane at the latest. */
// @ts-ignore: decorator
@inline
export function queueWindowEnd(state: usize): usize {
  const capacity = load<u32>(state, QUEUE_PRODUCER_CAPACITY_OFFSET);
  const position = load<u64>(state, QUEUE_PRODUCER_POSITION_OFFSET);
  const index = (position & (capacity - 1)) as u32;
  const room = min<u64>(load<u64>(state, QUEUE_PRODUCER_LIMIT_OFFSET) - position, capacity - index);
  return (load<u32>(state, QUEUE_PRODUCER_LANE_OFFSET) as usize) + RING_DATA_OFFSET + index + (room as usize);
}

/** The number, in the lane, of the window's first record; its low half goes into the header. */
// @ts-ignore: decorator
@inline
export function queueWindowNumber(state: usize): u64 {
  return load<u64>(state, QUEUE_PRODUCER_COUNT_OFFSET);
}

/** The `count` records that were written from the window's begin up to `end` are filled in. Consumers see them after the next queuePublish. */
// @ts-ignore: decorator
@inline
export function queueWindowSubmit(state: usize, end: usize, count: u32): void {
  const position = load<u64>(state, QUEUE_PRODUCER_POSITION_OFFSET);
  const index = (position & (load<u32>(state, QUEUE_PRODUCER_CAPACITY_OFFSET) - 1)) as u32;
  const begin = (load<u32>(state, QUEUE_PRODUCER_LANE_OFFSET) as usize) + RING_DATA_OFFSET + index;
  store<u64>(state, position + (end - begin), QUEUE_PRODUCER_POSITION_OFFSET);
  store<u64>(state, load<u64>(state, QUEUE_PRODUCER_COUNT_OFFSET) + count, QUEUE_PRODUCER_COUNT_OFFSET);
}

/**
 * A window for one record whose header is written here: address of its data, STATUS_FULL, or STATUS_TOO_LONG. Reserving again without queueSubmit gives the same place,
 * so a reservation that is not wanted is simply not submitted.
 */
// @ts-ignore: decorator
@inline
export function queueReserve(state: usize, length: u32): i32 {
  const at = queueWindow(state, length);
  if (at <= 0) return at;
  store<u64>(at, (queueWindowNumber(state) << 32) | length);
  return at + RING_RECORD_HEADER_LENGTH;
}

/** How far the lane may be written by now: true when that is at least `end`. */
function raiseLimit(state: usize, lane: usize, end: u64): bool {
  const mode = load<u32>(state, QUEUE_PRODUCER_MODE_OFFSET);
  const capacity = load<u32>(state, QUEUE_PRODUCER_CAPACITY_OFFSET) as u64;
  const published = load<u64>(state, QUEUE_PRODUCER_PUBLISHED_OFFSET);
  if (mode == QUEUE_MODE_LOSSY) {
    // Not over what was never shown to anybody: half a lane at most is written between two publications. A single record with the padding before it may need more, and
    // at most the whole lane: it waits until it is the first since the last publication.
    const limitMax = published + (capacity >>> 1);
    if (end > limitMax && load<u64>(state, QUEUE_PRODUCER_POSITION_OFFSET) != published) return false;
    return announce(state, lane, max(end, min(limitMax, end + (capacity >>> 4))));
  }
  const oldest = mode == QUEUE_MODE_GATED ? slowestCursor(state, published) : sharedCursor(state, lane, mode);
  // A position ahead of what was published would be a lie: then the lane counts as full.
  if (oldest > published || end > oldest + capacity) return false;
  if (mode == QUEUE_MODE_GATED) return announce(state, lane, oldest + capacity);
  // A cursor cannot name a position behind this one: the lane is full for good.
  const limit = mode == QUEUE_MODE_MPMC ? min(oldest + capacity, CLAIMED_POSITION_MAX) : oldest + capacity;
  if (end > limit) return false;
  store<u64>(state, limit, QUEUE_PRODUCER_LIMIT_OFFSET);
  return true;
}

/** Before anything is overwritten, readers can know it: they check after they have copied (queue-broadcast.ts). */
function announce(state: usize, lane: usize, limit: u64): bool {
  // N1. Pairs with the load in isLapped. An exchange, not a store: on processors other than x86 the plain stores of the records (N2) must not come before it. (Of ARMv8.0,
  // which has no atomic instruction for an exchange, this is not certain; from ARMv8.1 on it is.)
  atomic.xchg<u64>(lane, limit, RING_ANNOUNCED_OFFSET);
  store<u64>(state, limit, QUEUE_PRODUCER_LIMIT_OFFSET);
  return true;
}

function sharedCursor(state: usize, lane: usize, mode: u32): u64 {
  // Pairs with the store in queueRelease.
  if (mode != QUEUE_MODE_MPMC) return atomic.load<u64>(lane, RING_CONSUMER_POSITION_OFFSET);
  const queue = load<u32>(state, QUEUE_PRODUCER_QUEUE_OFFSET) as usize;
  const cursor = queue + load<u32>(state, QUEUE_PRODUCER_NUMBER_OFFSET) * QUEUE_CURSOR_LENGTH;
  // Pairs with the compare-and-swap in claimRun: what was claimed has been copied.
  return (atomic.load<u64>(cursor, QUEUE_CURSORS_OFFSET) >> QUEUE_CURSOR_POSITION_SHIFT) << 3;
}

/** gated: the lowest position of those that have joined. With nobody there, nobody is waited for. */
function slowestCursor(state: usize, published: u64): u64 {
  const queue = load<u32>(state, QUEUE_PRODUCER_QUEUE_OFFSET) as usize;
  const consumers = load<u32>(state, QUEUE_PRODUCER_CONSUMERS_OFFSET);
  const cursors = queue + load<u32>(state, QUEUE_PRODUCER_NUMBER_OFFSET) * consumers * QUEUE_CURSOR_LENGTH;
  let slowest = published;
  for (let slot: u32 = 0; slot < consumers; slot++) {
    // Pairs with the add in queueJoin.
    const joined = atomic.load<u32>(queue + slot * QUEUE_SLOT_LENGTH, QUEUE_SLOTS_OFFSET + QUEUE_SLOT_JOINED_OFFSET);
    if (!(joined & 1)) continue;
    // Pairs with the store in drainBroadcast.
    const cursor = atomic.load<u64>(cursors + slot * QUEUE_CURSOR_LENGTH, QUEUE_CURSORS_OFFSET);
    if (cursor < slowest) slowest = cursor;
  }
  return slowest;
}

/** The reserved record, `length` as it was reserved, is filled in. Consumers see it after the next queuePublish. */
// @ts-ignore: decorator
@inline
export function queueSubmit(state: usize, length: u32): void {
  store<u64>(
    state,
    load<u64>(state, QUEUE_PRODUCER_POSITION_OFFSET) + ringRecordLength(length),
    QUEUE_PRODUCER_POSITION_OFFSET,
  );
  store<u64>(state, load<u64>(state, QUEUE_PRODUCER_COUNT_OFFSET) + 1, QUEUE_PRODUCER_COUNT_OFFSET);
}

/** Hands over all that was submitted and wakes those that sleep. 1 = the caller is to wake consumers of other processes. */
export function queuePublish(state: usize): u32 {
  const position = load<u64>(state, QUEUE_PRODUCER_POSITION_OFFSET);
  if (position == load<u64>(state, QUEUE_PRODUCER_PUBLISHED_OFFSET)) return 0;
  const lane = load<u32>(state, QUEUE_PRODUCER_LANE_OFFSET) as usize;
  const which = load<u32>(state, QUEUE_PRODUCER_PAIR_OFFSET);
  const pair = lane + which * RING_COUNTS_PAIR_LENGTH;
  store<u64>(pair, position, RING_COUNTS_OFFSET);
  store<u64>(pair, load<u64>(state, QUEUE_PRODUCER_COUNT_OFFSET), RING_COUNTS_OFFSET + RING_COUNTS_COUNT_OFFSET);
  // W1. Pairs with the loads in drainInPlace, claimRun and drainBroadcast.
  atomic.store<u64>(lane, position, RING_PRODUCER_POSITION_OFFSET);
  store<u32>(state, 1 - which, QUEUE_PRODUCER_PAIR_OFFSET);
  if (load<u32>(state, QUEUE_PRODUCER_MODE_OFFSET) >= (QUEUE_MODE_GATED as u32)) moveRestart(state, lane, position);
  store<u64>(state, position, QUEUE_PRODUCER_PUBLISHED_OFFSET);
  const queue = load<u32>(state, QUEUE_PRODUCER_QUEUE_OFFSET) as usize;
  return wakeConsumers(queue, load<u32>(state, QUEUE_PRODUCER_SHARED_OFFSET));
}

/**
 * A lapped reader goes on at a place that is neither the very end nor about to be overwritten: where a batch begins, at most half a lane behind. One that is longer
 * can only be passed over.
 */
function moveRestart(state: usize, lane: usize, position: u64): void {
  const capacity = load<u32>(state, QUEUE_PRODUCER_CAPACITY_OFFSET);
  if (position - load<u64>(state, QUEUE_PRODUCER_RESTART_OFFSET) < capacity >>> 2) return;
  const begin = load<u64>(state, QUEUE_PRODUCER_PUBLISHED_OFFSET);
  const place = position - begin <= capacity >>> 1 ? begin : position;
  store<u64>(state, place, QUEUE_PRODUCER_RESTART_OFFSET);
  // Pairs with the load in restart (queue-broadcast.ts).
  atomic.store<u64>(lane, place, RING_RESTART_OFFSET);
}

/** Counts records that the producer gave up because its lane was full. */
export function queueDrop(state: usize, count: u32): void {
  atomic.add<u64>(load<u32>(state, QUEUE_PRODUCER_LANE_OFFSET) as usize, count, RING_DROPPED_OFFSET);
}

/** S1 and S2 of a producer that waits for room: the value of the room word to sleep on. Then queueReserve once more, sleep, queueRoomAwake. */
export function queueRoomSleep(state: usize): u32 {
  const queue = load<u32>(state, QUEUE_PRODUCER_QUEUE_OFFSET) as usize;
  const bit = load<u32>(state, QUEUE_PRODUCER_NUMBER_OFFSET);
  return fallAsleep(queue, QUEUE_ROOM_WAKE_OFFSET, QUEUE_ROOM_SLEEPERS_OFFSET, bit);
}

export function queueRoomAwake(state: usize): void {
  const queue = load<u32>(state, QUEUE_PRODUCER_QUEUE_OFFSET) as usize;
  awake(queue, QUEUE_ROOM_SLEEPERS_OFFSET, load<u32>(state, QUEUE_PRODUCER_NUMBER_OFFSET));
}
