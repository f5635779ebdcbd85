// mpmc: any consumer takes a run of records from any lane. It copies the run into its held bytes, which lie in the queue, and then claims it.
//
//   C1. Load the lane's cursor (position, slot of the last claimer) and the producer's position.
//   C2. Copy the run from there into the held bytes.
//   C3. Confirm the last claimer: its intent, if it still is this claim, goes from CLAIMING to CLAIMED.
//   C4. Store the own intent: CLAIMING, the position behind the run.
//   C5. Compare-and-swap the cursor to (position behind the run, own slot). If it fails somebody else was faster: the copy is dropped, back to C1.
//   C6. Store the own intent: CLAIMED. The records are handed out.
//   C7. When they are released: the intent is IDLE.
//
// Why the copy is whole: the producer overwrites the run only once the cursor has moved, positions never repeat, so a C5 that succeeds shows that it had not.
//
// Why nothing is lost or doubled when a consumer is killed, and its slot is taken over (queueAdopt):
//   before C5: the cursor has not moved. The intent says CLAIMING at most; U3 finds the cursor elsewhere, and U4 no confirmation: the run is still in the lane.
//   between C5 and C6: either the cursor still names this claim (U3), or somebody has claimed behind it, and had confirmed it before, at C3 (U4): it is handed out from
//     the held bytes.
//   between C6 and C7: U2 finds CLAIMED: the same. What its dead consumer had done with it already is done twice, or not, as with every redelivery.

import {
  QUEUE_CONSUMER_CAPACITY_OFFSET,
  QUEUE_CONSUMER_CLAIMED_OFFSET,
  QUEUE_CONSUMER_HELD_LENGTH_OFFSET,
  QUEUE_CONSUMER_HELD_OFFSET,
  QUEUE_CONSUMER_LANES_OFFSET,
  QUEUE_CONSUMER_LANE_OFFSET,
  QUEUE_CONSUMER_QUEUE_OFFSET,
  QUEUE_CONSUMER_RECORDS_OFFSET,
  QUEUE_CONSUMER_RECORD_LENGTH_MAX_OFFSET,
  QUEUE_CONSUMER_ROWS_OFFSET,
  QUEUE_CONSUMER_RUN_BYTES_OFFSET,
  QUEUE_CONSUMER_RUN_END_OFFSET,
  QUEUE_CONSUMER_SLOT_OFFSET,
  QUEUE_CURSORS_OFFSET,
  QUEUE_CURSOR_LENGTH,
  QUEUE_CURSOR_POSITION_SHIFT,
  QUEUE_CURSOR_SLOT_MASK,
  QUEUE_CONSUMERS_MAX,
  QUEUE_INTENT_CLAIMED,
  QUEUE_INTENT_CLAIMING,
  QUEUE_INTENT_IDLE,
  QUEUE_INTENT_LANE_MASK,
  QUEUE_INTENT_LANE_SHIFT,
  QUEUE_INTENT_PHASE_MASK,
  QUEUE_INTENT_POSITION_SHIFT,
  QUEUE_REDELIVERED_OFFSET,
  QUEUE_ROWS_MAX,
  QUEUE_SLOT_HELD_BYTES_OFFSET,
  QUEUE_SLOT_INTENT_OFFSET,
  QUEUE_SLOT_OWNER_OFFSET,
} from "../layout/queue";
import { RING_PRODUCER_POSITION_OFFSET, RING_RECORD_HEADER_LENGTH, RING_RECORD_LENGTH_MASK } from "../layout/ring";
import { STATUS_CORRUPT, STATUS_EMPTY } from "../layout/status";
import { laneAddress } from "./queue";
import { copyRun } from "./queue-run";
import { corruptAt, giveRoom, slotAddress, writeRow } from "./queue-state";
import { ringRecordLength } from "./ring";

/** After so many others that were faster the next lane is tried. */
// @ts-ignore: decorator
@inline
const ATTEMPTS_MAX: u32 = 4;

// @ts-ignore: decorator
@inline
function cursorAddress(state: usize, lane: u32): usize {
  return (load<u32>(state, QUEUE_CONSUMER_QUEUE_OFFSET) as usize) + QUEUE_CURSORS_OFFSET + lane * QUEUE_CURSOR_LENGTH;
}

// @ts-ignore: decorator
@inline
function cursorPosition(cursor: u64): u64 {
  return (cursor >> QUEUE_CURSOR_POSITION_SHIFT) << 3;
}

// @ts-ignore: decorator
@inline
function cursorOf(position: u64, slot: u32): u64 {
  return ((position >> 3) << QUEUE_CURSOR_POSITION_SHIFT) | (slot + 1);
}

// @ts-ignore: decorator
@inline
function intentOf(position: u64, lane: u32, phase: u64): u64 {
  return ((position >> 3) << QUEUE_INTENT_POSITION_SHIFT) | ((lane as u64) << QUEUE_INTENT_LANE_SHIFT) | phase;
}

/** Up to where the lane is claimed. */
export function claimedCursor(state: usize, lane: u32): u64 {
  return cursorPosition(atomic.load<u64>(cursorAddress(state, lane)));
}

/** Claims a run of at most `limit` records of the lane and writes its rows. STATUS_EMPTY also when others were faster. */
export function drainClaimed(state: usize, lane: u32, limit: u32): i32 {
  const capacity = load<u32>(state, QUEUE_CONSUMER_CAPACITY_OFFSET);
  const ring = laneAddress(load<u32>(state, QUEUE_CONSUMER_LANE_OFFSET) as usize, lane, capacity);
  const at = cursorAddress(state, lane);
  for (let attempt: u32 = 0; attempt < ATTEMPTS_MAX; attempt++) {
    // C1. Pairs with C5 of other consumers, then with the store in queuePublish.
    const cursor = atomic.load<u64>(at);
    const from = cursorPosition(cursor);
    const producer = atomic.load<u64>(ring, RING_PRODUCER_POSITION_OFFSET);
    if (producer == from) return STATUS_EMPTY;
    const isPossible = producer > from && producer - from <= capacity && !(producer & 7);
    // C2.
    const count = isPossible ? copyHeld(state, lane, ring, from, producer, limit) : STATUS_CORRUPT;
    if (count < 0) {
      // Others may have claimed it, and its producer gone on: then it is only old.
      if (atomic.load<u64>(at) != cursor) continue;
      return corruptAt(state, lane, from);
    }
    if (claimRun(state, lane, at, cursor) && count > 0) return handOut(state, load<u32>(state, QUEUE_CONSUMER_SLOT_OFFSET), count);
  }
  return STATUS_EMPTY;
}

// @ts-ignore: decorator
@inline
function copyHeld(state: usize, lane: u32, ring: usize, from: u64, end: u64, limit: u32): i32 {
  const held = load<u32>(state, QUEUE_CONSUMER_HELD_OFFSET) as usize;
  return copyRun(state, lane, ring, from, end, held, load<u32>(state, QUEUE_CONSUMER_HELD_LENGTH_OFFSET), 0, limit);
}

/** C3 to C6. A run of padding only is claimed as well, and done with at once. */
function claimRun(state: usize, lane: u32, at: usize, cursor: u64): bool {
  const own = load<u32>(state, QUEUE_CONSUMER_SLOT_OFFSET);
  const slot = slotAddress(state, own);
  const end = load<u64>(state, QUEUE_CONSUMER_RUN_END_OFFSET);
  const bytes = load<u32>(state, QUEUE_CONSUMER_RUN_BYTES_OFFSET);
  confirm(state, lane, cursor, own);
  store<u32>(slot, bytes, QUEUE_SLOT_HELD_BYTES_OFFSET);
  // C4. Pairs with the loads in claimedLane (U1).
  atomic.store<u64>(slot, intentOf(end, lane, QUEUE_INTENT_CLAIMING), QUEUE_SLOT_INTENT_OFFSET);
  // C5. Pairs with C1 and U3, and with the load in sharedCursor (queue-producer.ts).
  const isClaimed = atomic.cmpxchg<u64>(at, cursor, cursorOf(end, own)) == cursor;
  // C6. Pairs with the loads in claimedLane.
  const next = isClaimed && bytes ? intentOf(end, lane, QUEUE_INTENT_CLAIMED) : QUEUE_INTENT_IDLE;
  atomic.store<u64>(slot, next, QUEUE_SLOT_INTENT_OFFSET);
  if (isClaimed) giveRoom(state);
  return isClaimed;
}

/** C3. Before anybody claims behind a claim, that claim is on record: if its consumer dies between C5 and C6, this is how it is known. */
// @ts-ignore: decorator
@inline
function confirm(state: usize, lane: u32, cursor: u64, own: u32): void {
  const claimer = (cursor & QUEUE_CURSOR_SLOT_MASK) as u32;
  // Nobody yet, oneself, or no slot that there is: a hostile cursor.
  if (claimer == 0 || claimer == own + 1 || claimer > (QUEUE_CONSUMERS_MAX as u32)) return;
  const position = cursorPosition(cursor);
  // Pairs with the loads in claimedLane (U4).
  atomic.cmpxchg<u64>(
    slotAddress(state, claimer - 1) + QUEUE_SLOT_INTENT_OFFSET,
    intentOf(position, lane, QUEUE_INTENT_CLAIMING),
    intentOf(position, lane, QUEUE_INTENT_CLAIMED),
  );
}

function handOut(state: usize, slot: u32, count: u32): i32 {
  store<u32>(state, slot + 1, QUEUE_CONSUMER_CLAIMED_OFFSET);
  store<u32>(state, count, QUEUE_CONSUMER_RECORDS_OFFSET);
  store<u32>(state, count, QUEUE_CONSUMER_ROWS_OFFSET);
  return STATUS_EMPTY;
}

/** C7. The slot of a dead consumer, whose run this was, is free from now on. */
export function releaseClaim(state: usize, slot: u32): void {
  store<u32>(state, 0, QUEUE_CONSUMER_CLAIMED_OFFSET);
  const at = slotAddress(state, slot);
  // Pairs with the loads in claimedLane.
  atomic.store<u64>(at, QUEUE_INTENT_IDLE, QUEUE_SLOT_INTENT_OFFSET);
  // Pairs with the compare-and-swap that takes a slot (src/queue/consumer.ts).
  if (slot != load<u32>(state, QUEUE_CONSUMER_SLOT_OFFSET)) atomic.store<u64>(at, 0, QUEUE_SLOT_OWNER_OFFSET);
}

/**
 * Hands out what a dead consumer had claimed and not released. The caller owns the slot: its own, that it has just taken, or another one. How many rows; 0 = there
 * was nothing, and a slot that is not the own one is free again; STATUS_CORRUPT: what is held was scribbled over.
 */
export function queueAdopt(state: usize, slot: u32, heldFirst: usize, heldLength: u32): i32 {
  const held = heldFirst + slot * heldLength;
  const lane = claimedLane(state, slot);
  const count = lane < 0 ? STATUS_EMPTY : readHeld(state, slot, lane, held, heldLength);
  if (count <= 0) {
    releaseClaim(state, slot);
    return count;
  }
  handOut(state, slot, count);
  atomic.add<u64>(load<u32>(state, QUEUE_CONSUMER_QUEUE_OFFSET) as usize, count, QUEUE_REDELIVERED_OFFSET);
  return count;
}

/** The lane of the run that the slot's last consumer had claimed; -1 = it had none. */
function claimedLane(state: usize, slot: u32): i32 {
  const at = slotAddress(state, slot);
  // U1. Pairs with C4, C6, C7.
  const intent = atomic.load<u64>(at, QUEUE_SLOT_INTENT_OFFSET);
  const phase = intent & QUEUE_INTENT_PHASE_MASK;
  const lane = ((intent >> QUEUE_INTENT_LANE_SHIFT) & QUEUE_INTENT_LANE_MASK) as u32;
  if (lane >= load<u32>(state, QUEUE_CONSUMER_LANES_OFFSET)) return -1;
  // U2.
  if (phase != QUEUE_INTENT_CLAIMING) return phase == QUEUE_INTENT_CLAIMED ? lane : -1;
  // U3. Pairs with C5.
  const position = (intent >> QUEUE_INTENT_POSITION_SHIFT) << 3;
  if (atomic.load<u64>(cursorAddress(state, lane)) == cursorOf(position, slot)) return lane;
  // U4. Pairs with C3: if somebody has claimed behind it since U1, the confirmation came first.
  const again = atomic.load<u64>(at, QUEUE_SLOT_INTENT_OFFSET) & QUEUE_INTENT_PHASE_MASK;
  return again == QUEUE_INTENT_CLAIMED ? lane : -1;
}

/** Rows of the records that lie in held bytes, which others can write: each length is loaded once and checked. */
function readHeld(state: usize, slot: u32, lane: u32, held: usize, heldLength: u32): i32 {
  const bytes = load<u32>(slotAddress(state, slot), QUEUE_SLOT_HELD_BYTES_OFFSET);
  const lengthMax = load<u32>(state, QUEUE_CONSUMER_RECORD_LENGTH_MAX_OFFSET);
  if (bytes > heldLength || bytes & 7) return STATUS_CORRUPT;
  let count: u32 = 0;
  for (let at: u32 = 0; at < bytes && count < (QUEUE_ROWS_MAX as u32); count++) {
    const header = load<u64>(held + at);
    const length = (header as u32) & RING_RECORD_LENGTH_MASK;
    const taken = ringRecordLength(length);
    if (length > lengthMax || taken > bytes - at) return STATUS_CORRUPT;
    writeRow(state, count, held + at + RING_RECORD_HEADER_LENGTH, length, lane, (header >> 32) as u32);
    at += taken;
  }
  return count;
}
