// Queues: several rings, one for each producer (layout/queue.ts). What both ends need: where a lane lies, and how those that sleep are woken.
//
// Why no wake-up is lost (Dekker), for consumers that wait for records; for producers that wait for room it is the same with the room words:
//   S1. The consumer loads the wake word, S2. sets its sleepers bit, S3. looks for records again, S4. sleeps only while the wake word has that value.
//   W1. The producer stores its position, W2. loads sleepers, W3. adds 1 to the wake word, W4. wakes.
//   If W2 comes before S2, then W1 comes before S3: the consumer finds the record. If not, the producer sees the bit; W3 comes before S4, which then
//   does not sleep, or after it, and W4 ends the sleep. A consumer that died asleep leaves its bit: it costs wake-ups until its slot is taken back.
//
// In an arena that several processes map, waking is futex(2), which wasm cannot call: the caller gets 1 and does it.

import {
  QUEUE_CLOSED_OFFSET,
  QUEUE_CONSUMERS_OFFSET,
  QUEUE_EXPIRE_AFTER_MS_OFFSET,
  QUEUE_HELD_LENGTH_OFFSET,
  QUEUE_LANES_OFFSET,
  QUEUE_LANE_CAPACITY_OFFSET,
  QUEUE_LENGTH_OFFSET,
  QUEUE_MAGIC,
  QUEUE_MAGIC_OFFSET,
  QUEUE_MODE_OFFSET,
  QUEUE_RECORD_LENGTH_MAX_OFFSET,
  QUEUE_ROOM_SLEEPERS_OFFSET,
  QUEUE_ROOM_WAKE_OFFSET,
  QUEUE_SLEEPERS_OFFSET,
  QUEUE_WAKE_OFFSET,
} from "../layout/queue";
import { RING_DATA_OFFSET } from "../layout/ring";
import { ringInit } from "./ring";

/** Makes an empty queue of `length` zero bytes whose lanes begin at `lane`. The arguments have been checked (src/queue/plan.ts). */
export function queueInit(
  queue: usize,
  length: u32,
  mode: u32,
  lanes: u32,
  capacity: u32,
  consumers: u32,
  recordLengthMax: u32,
  heldLength: u32,
  expireAfterMs: u32,
  lane: usize,
): void {
  store<u32>(queue, expireAfterMs, QUEUE_EXPIRE_AFTER_MS_OFFSET);
  store<u32>(queue, mode, QUEUE_MODE_OFFSET);
  store<u32>(queue, lanes, QUEUE_LANES_OFFSET);
  store<u32>(queue, capacity, QUEUE_LANE_CAPACITY_OFFSET);
  store<u32>(queue, consumers, QUEUE_CONSUMERS_OFFSET);
  store<u32>(queue, recordLengthMax, QUEUE_RECORD_LENGTH_MAX_OFFSET);
  store<u32>(queue, heldLength, QUEUE_HELD_LENGTH_OFFSET);
  store<u32>(queue, length, QUEUE_LENGTH_OFFSET);
  for (let number: u32 = 0; number < lanes; number++) ringInit(laneAddress(lane, number, capacity), capacity);
  // Last: whoever finds the magic finds the rest. Pairs with the load in Queue (src/queue/queue.ts).
  atomic.store<u32>(queue, QUEUE_MAGIC, QUEUE_MAGIC_OFFSET);
}

// @ts-ignore: decorator
@inline
export function laneAddress(first: usize, number: u32, capacity: u32): usize {
  return first + ((number * (RING_DATA_OFFSET + capacity)) as usize);
}

/** Nothing will follow: consumers see the end once every lane is empty. Whoever calls it knows that the producers are done. 1 = wake the rest. */
export function queueClose(queue: usize, shared: u32): u32 {
  // Pairs with the load in isClosed.
  atomic.store<u32>(queue, 1, QUEUE_CLOSED_OFFSET);
  return wakeConsumers(queue, shared);
}

// @ts-ignore: decorator
@inline
export function isClosed(queue: usize): bool {
  // Pairs with the store in queueClose: what was published before it is found by whoever loads this first and looks into the lanes then.
  return atomic.load<u32>(queue, QUEUE_CLOSED_OFFSET) != 0;
}

/** After the store of a producer's position. 1 = somebody sleeps whom only the caller can wake. */
// @ts-ignore: decorator
@inline
export function wakeConsumers(queue: usize, shared: u32): u32 {
  // W2. Pairs with the or in queueSleep.
  if (!atomic.load<u32>(queue, QUEUE_SLEEPERS_OFFSET)) return 0;
  return wakeAll(queue + QUEUE_WAKE_OFFSET, shared);
}

/** After the store of a cursor. 1 = somebody waits for room whom only the caller can wake. */
// @ts-ignore: decorator
@inline
export function wakeProducers(queue: usize, shared: u32): u32 {
  // W2. Pairs with the or in queueRoomSleep.
  if (!atomic.load<u32>(queue, QUEUE_ROOM_SLEEPERS_OFFSET)) return 0;
  return wakeAll(queue + QUEUE_ROOM_WAKE_OFFSET, shared);
}

function wakeAll(word: usize, shared: u32): u32 {
  // W3. Pairs with the load in queueSleep or queueRoomSleep.
  atomic.add<u32>(word, 1);
  if (shared) return 1;
  // W4.
  atomic.notify(word, -1);
  return 0;
}

/** S1, S2 of whoever has `bit`: the value to sleep on. The caller looks once more, sleeps, and calls queueAwake. */
// @ts-ignore: decorator
@inline
export function fallAsleep(queue: usize, wakeOffset: usize, sleepersOffset: usize, bit: u32): u32 {
  // Pairs with the add in wakeAll.
  const value = atomic.load<u32>(queue + wakeOffset);
  // Pairs with the load in wakeConsumers or wakeProducers.
  atomic.or<u32>(queue + sleepersOffset, 1 << bit);
  return value;
}

// @ts-ignore: decorator
@inline
export function awake(queue: usize, sleepersOffset: usize, bit: u32): void {
  atomic.and<u32>(queue + sleepersOffset, ~(1 << bit));
}
