// Small things about a consumer's state (layout/queue.ts, QUEUE_CONSUMER_) that its modes share.

import {
  QUEUE_CONSUMER_CAPACITY_OFFSET,
  QUEUE_CONSUMER_CORRUPT_LANE_OFFSET,
  QUEUE_CONSUMER_CORRUPT_POSITION_OFFSET,
  QUEUE_CONSUMER_DETACHED_OFFSET,
  QUEUE_CONSUMER_LANES_STATE_OFFSET,
  QUEUE_CONSUMER_QUEUE_OFFSET,
  QUEUE_CONSUMER_RECORD_LENGTH_MAX_OFFSET,
  QUEUE_CONSUMER_SHARED_OFFSET,
  QUEUE_CONSUMER_TABLE_OFFSET,
  QUEUE_CONSUMER_WAKE_ROOM_OFFSET,
  QUEUE_LANE_STATE_LENGTH,
  QUEUE_ROW_ADDRESS_OFFSET,
  QUEUE_ROW_LANE_OFFSET,
  QUEUE_ROW_LENGTH,
  QUEUE_SLOTS_OFFSET,
  QUEUE_SLOT_LENGTH,
} from "../layout/queue";
import { RING_RECORD_DISCARD } from "../layout/ring";
import { STATUS_CORRUPT } from "../layout/status";
import { wakeProducers } from "./queue";

// @ts-ignore: decorator
@inline
export function laneStateAddress(state: usize, lane: u32): usize {
  return state + QUEUE_CONSUMER_LANES_STATE_OFFSET + lane * QUEUE_LANE_STATE_LENGTH;
}

// @ts-ignore: decorator
@inline
export function isDetached(state: usize, lane: u32): bool {
  return ((load<u32>(state, QUEUE_CONSUMER_DETACHED_OFFSET) >>> lane) & 1) != 0;
}

// @ts-ignore: decorator
@inline
export function slotAddress(state: usize, slot: u32): usize {
  return (load<u32>(state, QUEUE_CONSUMER_QUEUE_OFFSET) as usize) + QUEUE_SLOTS_OFFSET + slot * QUEUE_SLOT_LENGTH;
}

/** Longest record that may have this header: padding fills up to the whole lane. */
// @ts-ignore: decorator
@inline
export function lengthMaxOf(state: usize, header: u32): u32 {
  const isPadding = (header & RING_RECORD_DISCARD) != 0;
  return isPadding ? load<u32>(state, QUEUE_CONSUMER_CAPACITY_OFFSET) : load<u32>(state, QUEUE_CONSUMER_RECORD_LENGTH_MAX_OFFSET);
}

/** Writes row `row`; the halves of a lapse's count stand in the places of length and sequence. */
// @ts-ignore: decorator
@inline
export function writeRow(state: usize, row: u32, address: usize, length: u32, lane: u32, sequence: u32): void {
  const at = state + QUEUE_CONSUMER_TABLE_OFFSET + row * QUEUE_ROW_LENGTH;
  store<u64>(at, (address as u64) | ((length as u64) << 32), QUEUE_ROW_ADDRESS_OFFSET);
  store<u64>(at, (lane as u64) | ((sequence as u64) << 32), QUEUE_ROW_LANE_OFFSET);
}

/** Notes where a lane is corrupt: the answer of whoever found it. */
export function corruptAt(state: usize, lane: u32, position: u64): i32 {
  store<u32>(state, lane, QUEUE_CONSUMER_CORRUPT_LANE_OFFSET);
  store<u64>(state, position, QUEUE_CONSUMER_CORRUPT_POSITION_OFFSET);
  return STATUS_CORRUPT;
}

/** Somebody may wait for the room that is free now. */
export function giveRoom(state: usize): void {
  const queue = load<u32>(state, QUEUE_CONSUMER_QUEUE_OFFSET) as usize;
  if (wakeProducers(queue, load<u32>(state, QUEUE_CONSUMER_SHARED_OFFSET))) {
    store<u32>(state, 1, QUEUE_CONSUMER_WAKE_ROOM_OFFSET);
  }
}
