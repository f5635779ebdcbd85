// Single-producer, single-consumer ring in the kernel's own layout (layout/ring.ts): one consumer reads both the BPF ring buffer and ours.
// Producer: ringReserve -> fill -> ringSubmit, and ringPublish once per batch. Consumer: ringPeek -> read -> ringAdvance, and ringRelease once per batch.
//
// The four that run for every record are inlined into the loops of this module (measured: a third faster).
// Every function takes the address of the endpoint's own state, which lies in its private scratch. What is read from the ring itself may have been
// written by another process: it is copied once, checked against the state's own capacity, and only then used.
//
// Why nothing is lost or torn:
//   1. The producer writes the record, then stores producerPosition (ringPublish); the consumer loads producerPosition (ringPeek), then reads. wasm
//      atomics are sequentially consistent, so a record below the position is whole.
//   2. The consumer has read the record before it stores consumerPosition (ringRelease); the producer loads it (ringReserve) before it overwrites.
// Why no wake-up is lost (Dekker):
//   1. The consumer stores parked = 1, then loads producerPosition again, and sleeps only if the ring is still empty.
//   2. The producer stores producerPosition, then loads parked. One of the two sees the other's store.
//   3. If it saw parked, it stores parked = 0 before it notifies: a consumer between its last look and its sleep, whom no notification reaches, finds the word
//      changed and does not sleep. (Without this, 14 of 1.2 million wake-ups were lost, measured.)

import {
  RING_CAPACITY_OFFSET,
  RING_CLOSED_OFFSET,
  RING_CONSUMER_PARKED_OFFSET,
  RING_CONSUMER_POSITION_OFFSET,
  RING_DATA_OFFSET,
  RING_DROPPED_OFFSET,
  RING_MAGIC,
  RING_MAGIC_OFFSET,
  RING_PRODUCER_PARKED_OFFSET,
  RING_PRODUCER_POSITION_OFFSET,
  RING_RECORD_BUSY,
  RING_RECORD_DISCARD,
  RING_RECORD_HEADER_LENGTH,
  RING_RECORD_LENGTH_MASK,
  RING_STATE_CACHED_OFFSET,
  RING_STATE_CAPACITY_OFFSET,
  RING_STATE_DOUBLE_MAPPED_OFFSET,
  RING_STATE_POSITION_OFFSET,
  RING_STATE_RECORD_LENGTH_OFFSET,
  RING_STATE_RING_OFFSET,
} from "../layout/ring";
import { STATUS_CLOSED, STATUS_CORRUPT, STATUS_EMPTY, STATUS_FULL, STATUS_TOO_LONG } from "../layout/status";

/** Makes an empty ring of `capacity` bytes (a power of two) whose RING_DATA_OFFSET + capacity bytes at `ring` are zero. */
export function ringInit(ring: usize, capacity: u32): void {
  store<u32>(ring, capacity, RING_CAPACITY_OFFSET);
  // Last: whoever finds the magic finds the capacity. Pairs with the load in SpscEndpoint (src/arena/ring.ts).
  atomic.store<u32>(ring, RING_MAGIC, RING_MAGIC_OFFSET);
}

/** Bytes that a record of `length` takes: header, data, padding to 8. */
// @ts-ignore: decorator
@inline
export function ringRecordLength(length: u32): u32 {
  return (length + RING_RECORD_HEADER_LENGTH + 7) & ~7;
}

/** Begins a producer's state; it goes on from what was published last. */
export function ringProducerInit(state: usize, ring: usize, capacity: u32): void {
  stateInit(state, ring, capacity, atomic.load<u64>(ring, RING_PRODUCER_POSITION_OFFSET), 0);
  store<u64>(state, atomic.load<u64>(ring, RING_CONSUMER_POSITION_OFFSET), RING_STATE_CACHED_OFFSET);
}

/** Begins a consumer's state; it goes on from what was released last. */
export function ringConsumerInit(state: usize, ring: usize, capacity: u32, doubleMapped: u32): void {
  const position = atomic.load<u64>(ring, RING_CONSUMER_POSITION_OFFSET);
  stateInit(state, ring, capacity, position, doubleMapped);
  store<u64>(state, position, RING_STATE_CACHED_OFFSET);
}

function stateInit(state: usize, ring: usize, capacity: u32, position: u64, doubleMapped: u32): void {
  store<u64>(state, position, RING_STATE_POSITION_OFFSET);
  store<u32>(state, capacity, RING_STATE_CAPACITY_OFFSET);
  store<u32>(state, ring as u32, RING_STATE_RING_OFFSET);
  store<u32>(state, 0, RING_STATE_RECORD_LENGTH_OFFSET);
  store<u32>(state, doubleMapped, RING_STATE_DOUBLE_MAPPED_OFFSET);
}

/**
 * Room for a record of `length` bytes: its address, STATUS_FULL, or STATUS_TOO_LONG. Reserving again without ringSubmit gives the same place, so a
 * reservation that is not wanted is simply not submitted.
 */
// @ts-ignore: decorator
@inline
export function ringReserve(state: usize, length: u32): i32 {
  const capacity = load<u32>(state, RING_STATE_CAPACITY_OFFSET);
  const ring = load<u32>(state, RING_STATE_RING_OFFSET) as usize;
  // Half the capacity at most: a record and the padding before it always fit an empty ring, wherever its index is.
  if (length > (capacity >>> 1) - RING_RECORD_HEADER_LENGTH) return STATUS_TOO_LONG;
  const needed = ringRecordLength(length);
  let position = load<u64>(state, RING_STATE_POSITION_OFFSET);
  const index = (position & (capacity - 1)) as u32;
  const tail = capacity - index;
  const padding = needed > tail ? tail : 0;
  if (!hasRoom(state, ring, position, padding + needed, capacity)) return STATUS_FULL;
  if (padding) {
    store<u32>(ring + index, RING_RECORD_DISCARD | (padding - RING_RECORD_HEADER_LENGTH), RING_DATA_OFFSET);
    position += padding;
    store<u64>(state, position, RING_STATE_POSITION_OFFSET);
  }
  const at = ring + ((position & (capacity - 1)) as usize);
  store<u32>(at, length, RING_DATA_OFFSET);
  return (at + RING_DATA_OFFSET + RING_RECORD_HEADER_LENGTH) as i32;
}

// @ts-ignore: decorator
@inline
function hasRoom(state: usize, ring: usize, position: u64, needed: u32, capacity: u32): bool {
  if (position + needed - load<u64>(state, RING_STATE_CACHED_OFFSET) <= capacity) return true;
  // Pairs with the store in ringRelease. A consumer position ahead of ours would be a lie: then the ring counts as full.
  const consumer = atomic.load<u64>(ring, RING_CONSUMER_POSITION_OFFSET);
  if (consumer > position) return false;
  store<u64>(state, consumer, RING_STATE_CACHED_OFFSET);
  return position + needed - consumer <= capacity;
}

/** The reserved record, `length` as it was reserved, is filled in. The consumer sees it after the next ringPublish. */
// @ts-ignore: decorator
@inline
export function ringSubmit(state: usize, length: u32): void {
  store<u64>(state, load<u64>(state, RING_STATE_POSITION_OFFSET) + ringRecordLength(length), RING_STATE_POSITION_OFFSET);
}

/** Hands over all that was submitted, and wakes the consumer if it sleeps. One xchg, so once per batch. */
export function ringPublish(state: usize): void {
  const ring = load<u32>(state, RING_STATE_RING_OFFSET) as usize;
  // Pairs with the load in ringPeek.
  atomic.store<u64>(ring, load<u64>(state, RING_STATE_POSITION_OFFSET), RING_PRODUCER_POSITION_OFFSET);
  // Pairs with the store in ringConsumerPark.
  if (atomic.load<u32>(ring, RING_CONSUMER_PARKED_OFFSET)) unpark(ring + RING_CONSUMER_PARKED_OFFSET);
}

function unpark(word: usize): void {
  // Pairs with the comparison in atomic.wait: who has looked for the last time and is not asleep yet does not fall asleep.
  atomic.store<u32>(word, 0);
  atomic.notify(word, 1);
}

/** Counts records that the producer gave up because the ring was full. */
export function ringDrop(state: usize, count: u32): void {
  const ring = load<u32>(state, RING_STATE_RING_OFFSET) as usize;
  atomic.add<u64>(ring, count, RING_DROPPED_OFFSET);
}

/** The producer writes no more. */
export function ringClose(state: usize): void {
  const ring = load<u32>(state, RING_STATE_RING_OFFSET) as usize;
  ringPublish(state);
  atomic.store<u32>(ring, 1, RING_CLOSED_OFFSET);
  unpark(ring + RING_CONSUMER_PARKED_OFFSET);
}

/**
 * Address of the next record's data, its length in the state; STATUS_EMPTY; STATUS_CLOSED when it is empty and stays so; STATUS_CORRUPT when the
 * ring breaks its rules. Skips padding and discarded records. The record stays until ringRelease.
 */
// @ts-ignore: decorator
@inline
export function ringPeek(state: usize): i32 {
  const capacity = load<u32>(state, RING_STATE_CAPACITY_OFFSET);
  const ring = load<u32>(state, RING_STATE_RING_OFFSET) as usize;
  let position = load<u64>(state, RING_STATE_POSITION_OFFSET);
  let producer = load<u64>(state, RING_STATE_CACHED_OFFSET);
  while (true) {
    if (position == producer) {
      // Pairs with the store in ringPublish (or the kernel's, in bpf_ringbuf_commit's reservation).
      producer = atomic.load<u64>(ring, RING_PRODUCER_POSITION_OFFSET);
      if (producer < position || producer - position > capacity || producer & 7) return STATUS_CORRUPT;
      store<u64>(state, producer, RING_STATE_CACHED_OFFSET);
      if (position == producer) return emptyOrClosed(ring, position);
    }
    const index = (position & (capacity - 1)) as u32;
    const at = ring + index;
    // Pairs with the kernel's xchg of the header in bpf_ringbuf_commit: a busy record is not ours yet.
    const header = atomic.load<u32>(at, RING_DATA_OFFSET);
    if (header & RING_RECORD_BUSY) return STATUS_EMPTY;
    const length = header & RING_RECORD_LENGTH_MASK;
    const taken = ringRecordLength(length);
    if (!isPlausible(state, length, taken, index, capacity, producer - position)) return STATUS_CORRUPT;
    if (!(header & RING_RECORD_DISCARD)) {
      store<u32>(state, length, RING_STATE_RECORD_LENGTH_OFFSET);
      return (at + RING_DATA_OFFSET + RING_RECORD_HEADER_LENGTH) as i32;
    }
    position += taken;
    store<u64>(state, position, RING_STATE_POSITION_OFFSET);
  }
}

// @ts-ignore: decorator
@inline
function isPlausible(state: usize, length: u32, taken: u32, index: u32, capacity: u32, available: u64): bool {
  if (length > capacity - RING_RECORD_HEADER_LENGTH || taken > available) return false;
  return index + taken <= capacity || load<u32>(state, RING_STATE_DOUBLE_MAPPED_OFFSET) != 0;
}

function emptyOrClosed(ring: usize, position: u64): i32 {
  if (!atomic.load<u32>(ring, RING_CLOSED_OFFSET)) return STATUS_EMPTY;
  // The last records were published before `closed` was stored.
  return atomic.load<u64>(ring, RING_PRODUCER_POSITION_OFFSET) == position ? STATUS_CLOSED : STATUS_EMPTY;
}

/** Done with the record of the last ringPeek; its room is given back by the next ringRelease. */
// @ts-ignore: decorator
@inline
export function ringAdvance(state: usize): void {
  const taken = ringRecordLength(load<u32>(state, RING_STATE_RECORD_LENGTH_OFFSET));
  store<u64>(state, load<u64>(state, RING_STATE_POSITION_OFFSET) + taken, RING_STATE_POSITION_OFFSET);
}

/** Gives the room of all that was advanced over back to the producer, and wakes it if it waits for room. Once per batch. */
export function ringRelease(state: usize): void {
  const ring = load<u32>(state, RING_STATE_RING_OFFSET) as usize;
  // Pairs with the load in hasRoom (or the kernel's, in __bpf_ringbuf_reserve).
  atomic.store<u64>(ring, load<u64>(state, RING_STATE_POSITION_OFFSET), RING_CONSUMER_POSITION_OFFSET);
  // Double-mapped rings are the kernel's: its producer page is read-only here, and it never waits.
  if (load<u32>(state, RING_STATE_DOUBLE_MAPPED_OFFSET)) return;
  // Pairs with the store in ringProducerPark.
  if (atomic.load<u32>(ring, RING_PRODUCER_PARKED_OFFSET)) unpark(ring + RING_PRODUCER_PARKED_OFFSET);
}

/** Spins until there is a record, at most `turns` times: what ringPeek answers. */
export function ringSpin(state: usize, turns: u32): i32 {
  let answer = ringPeek(state);
  while (answer == STATUS_EMPTY && turns > 0) {
    answer = ringPeek(state);
    turns -= 1;
  }
  return answer;
}

/** Sleeps until there is a record or timeoutNs (< 0 = no limit) have passed: what ringPeek answers. Not on a main thread that may not block. */
export function ringConsumerPark(state: usize, timeoutNs: i64): i32 {
  const ring = load<u32>(state, RING_STATE_RING_OFFSET) as usize;
  // Pairs with the load in ringPublish.
  atomic.store<u32>(ring, 1, RING_CONSUMER_PARKED_OFFSET);
  if (ringPeek(state) == STATUS_EMPTY) atomic.wait<i32>(ring + RING_CONSUMER_PARKED_OFFSET, 1, timeoutNs);
  atomic.store<u32>(ring, 0, RING_CONSUMER_PARKED_OFFSET);
  return ringPeek(state);
}

/** Sleeps until there may be room for `length` bytes or timeoutNs have passed: what ringReserve answers. */
export function ringProducerPark(state: usize, length: u32, timeoutNs: i64): i32 {
  const ring = load<u32>(state, RING_STATE_RING_OFFSET) as usize;
  // Pairs with the load in ringRelease.
  atomic.store<u32>(ring, 1, RING_PRODUCER_PARKED_OFFSET);
  if (ringReserve(state, length) == STATUS_FULL) atomic.wait<i32>(ring + RING_PRODUCER_PARKED_OFFSET, 1, timeoutNs);
  atomic.store<u32>(ring, 0, RING_PRODUCER_PARKED_OFFSET);
  return ringReserve(state, length);
}
