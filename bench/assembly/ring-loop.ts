// The ring's hot loops for the benches, around the engine's own functions: what a pipeline in wasm does with a ring, with nothing else in it. Each call moves a
// chunk and returns, so that V8 can replace the baseline code by the optimized one between calls.
//
// Every record begins with its u64 number; the rest are words that follow from it.

import { ringAdvance, ringConsumerPark, ringPeek, ringPublish, ringRelease, ringReserve, ringSubmit } from "../../assembly/ring";
import { STATUS_EMPTY } from "../../layout/status";

export {
  ringAdvance,
  ringClose,
  ringConsumerInit,
  ringConsumerPark,
  ringInit,
  ringPeek,
  ringProducerInit,
  ringPublish,
  ringRelease,
  ringReserve,
  ringSpin,
  ringSubmit,
} from "../../assembly/ring";

// @ts-ignore: decorator
@inline
const RECORD_LENGTH: u32 = 64;
// @ts-ignore: decorator
@inline
const PARK_NS_MAX: i64 = 1_000_000_000;
// @ts-ignore: decorator
@inline
const GOLDEN: u64 = 0x9e3779b97f4a7c15;

/** Produces `count` records of 64 bytes, numbered from `first`, publishing once per `batch`. */
export function produceChunk(state: usize, first: u64, count: u32, batch: u32): void {
  let pending: u32 = 0;
  for (let number = first, end = first + count; number < end; number++) {
    let at = ringReserve(state, RECORD_LENGTH);
    while (at <= 0) {
      if (pending) {
        ringPublish(state);
        pending = 0;
      }
      at = ringReserve(state, RECORD_LENGTH);
    }
    fill(at as usize, number);
    ringSubmit(state, RECORD_LENGTH);
    pending += 1;
    if (pending == batch) {
      ringPublish(state);
      pending = 0;
    }
  }
  if (pending) ringPublish(state);
}

/** Consumes `count` records, giving room back once per `batch`, and returns the sum of all their words. */
export function consumeChunk(state: usize, count: u32, batch: u32): u64 {
  let sum: u64 = 0;
  let pending: u32 = 0;
  for (let taken: u32 = 0; taken < count; taken++) {
    let at = ringPeek(state);
    while (at <= 0) {
      if (at < 0) unreachable();
      if (pending) {
        ringRelease(state);
        pending = 0;
      }
      at = ringPeek(state);
    }
    sum += sumOf(at as usize);
    ringAdvance(state);
    pending += 1;
    if (pending == batch) {
      ringRelease(state);
      pending = 0;
    }
  }
  if (pending) ringRelease(state);
  return sum;
}

// @ts-ignore: decorator
@inline
function fill(at: usize, number: u64): void {
  const mixed = number * GOLDEN;
  store<u64>(at, number);
  store<u64>(at, mixed, 8);
  store<u64>(at, mixed + 1, 16);
  store<u64>(at, mixed + 2, 24);
  store<u64>(at, mixed + 3, 32);
  store<u64>(at, mixed + 4, 40);
  store<u64>(at, mixed + 5, 48);
  store<u64>(at, mixed + 6, 56);
}

// @ts-ignore: decorator
@inline
function sumOf(at: usize): u64 {
  return (
    load<u64>(at) +
    load<u64>(at, 8) +
    load<u64>(at, 16) +
    load<u64>(at, 24) +
    load<u64>(at, 32) +
    load<u64>(at, 40) +
    load<u64>(at, 48) +
    load<u64>(at, 56)
  );
}

/** One record out on `producer`, then one in from `consumer`, spinning: the low half of its sum. */
export function ping(producer: usize, consumer: usize, number: u32): u32 {
  sendOne(producer, number);
  return takeRecord(consumer, spinUntilRecord(consumer)) as u32;
}

/** One record out. */
export function sendOne(producer: usize, number: u32): void {
  const at = ringReserve(producer, RECORD_LENGTH);
  if (at <= 0) unreachable();
  fill(at as usize, number);
  ringSubmit(producer, RECORD_LENGTH);
  ringPublish(producer);
}

/** Sleeps until there is a record and takes it: the low half of its sum. */
export function takeParked(consumer: usize): u32 {
  return takeRecord(consumer, parkUntilRecord(consumer)) as u32;
}

/** Answers `count` records, spinning. */
export function pong(producer: usize, consumer: usize, count: u32): void {
  for (let taken: u32 = 0; taken < count; taken++) answer(producer, consumer, spinUntilRecord(consumer));
}

// @ts-ignore: decorator
@inline
function answer(producer: usize, consumer: usize, at: usize): void {
  const number = load<u64>(at);
  takeRecord(consumer, at);
  const out = ringReserve(producer, RECORD_LENGTH);
  if (out <= 0) unreachable();
  fill(out as usize, number);
  ringSubmit(producer, RECORD_LENGTH);
  ringPublish(producer);
}

// @ts-ignore: decorator
@inline
function takeRecord(consumer: usize, at: usize): u64 {
  const sum = sumOf(at);
  ringAdvance(consumer);
  ringRelease(consumer);
  return sum;
}

// @ts-ignore: decorator
@inline
function spinUntilRecord(consumer: usize): usize {
  let at = ringPeek(consumer);
  while (at == STATUS_EMPTY) at = ringPeek(consumer);
  if (at < 0) unreachable();
  return at as usize;
}

function parkUntilRecord(consumer: usize): usize {
  let at = ringPeek(consumer);
  while (at == STATUS_EMPTY) at = ringConsumerPark(consumer, PARK_NS_MAX);
  if (at < 0) unreachable();
  return at as usize;
}

/** What a call into wasm costs, to be taken off a reading that contains one. */
export function nothing(producer: usize, consumer: usize, number: u32): u32 {
  return number;
}
