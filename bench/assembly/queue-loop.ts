// Hot loops around the engine's queues for the benches: what a pipeline in wasm does with one, with nothing else in it. Calls move a chunk and return, so that V8 can
// replace the baseline code by the optimized one between calls. Who finds nothing, or no room, spins `spins` times, then sleeps.
//
// A record is 16 u32: its number, then words that follow from it; plain JavaScript does the same arithmetic (bench/ring/record.mjs).

import { queueAvailable, queueAwake, queueDrain, queueRelease, queueSleep } from "../../assembly/queue-consumer";
import { queuePublish, queueReserve, queueRoomAwake, queueRoomSleep, queueSubmit } from "../../assembly/queue-producer";
import {
  QUEUE_CONSUMER_QUEUE_OFFSET,
  QUEUE_CONSUMER_TABLE_OFFSET,
  QUEUE_PRODUCER_QUEUE_OFFSET,
  QUEUE_ROOM_WAKE_OFFSET,
  QUEUE_ROW_ADDRESS_OFFSET,
  QUEUE_ROW_LENGTH,
  QUEUE_ROWS_MAX,
  QUEUE_WAKE_OFFSET,
} from "../../layout/queue";
import { fill, sumOf, RECORD_LENGTH } from "./record";

export { queueConsumerInit, queueRelease } from "../../assembly/queue-consumer";
export { queueProducerInit, queuePublish } from "../../assembly/queue-producer";
export { queueLeave } from "../../assembly/queue-broadcast";

/** A sleeper looks again after this long at the latest: nobody wakes it when the others are done. */
// @ts-ignore: decorator
@inline
const PARK_NS: i64 = 1_000_000;
/** Naps and turns after which the other side must be dead: better a trap than a process that spins for ever. */
// @ts-ignore: decorator
@inline
const NAPS_MAX: u32 = 10_000;
// @ts-ignore: decorator
@inline
const TURNS_MAX: u64 = 10_000_000_000;

/** Produces `count` records, numbered from `first`, publishing once per `batch`. */
export function produceChunk(state: usize, first: u32, count: u32, batch: u32, spins: u32): void {
  let pending: u32 = 0;
  for (let number = first, end = first + count; number != end; number++) {
    let at = queueReserve(state, RECORD_LENGTH);
    if (at <= 0) {
      at = awaitRoom(state, spins);
      pending = 0;
    }
    fill(at as usize, number);
    queueSubmit(state, RECORD_LENGTH);
    pending += 1;
    if (pending == batch) {
      queuePublish(state);
      pending = 0;
    }
  }
  queuePublish(state);
}

function awaitRoom(state: usize, spins: u32): i32 {
  queuePublish(state);
  for (let nap: u32 = 0; nap < NAPS_MAX; nap++) {
    for (let turn: u32 = 0; turn < spins; turn++) {
      const at = queueReserve(state, RECORD_LENGTH);
      if (at > 0) return at;
    }
    const value = queueRoomSleep(state);
    const queue = load<u32>(state, QUEUE_PRODUCER_QUEUE_OFFSET) as usize;
    if (queueReserve(state, RECORD_LENGTH) <= 0) atomic.wait<i32>(queue + QUEUE_ROOM_WAKE_OFFSET, value, PARK_NS);
    queueRoomAwake(state);
  }
  return unreachable();
}

/** Takes about `count` records, or what there is until the word at `taken`, which all consumers of a record add to, says `total`: the sum of their words. */
export function takeChunk(state: usize, count: u32, taken: usize, total: u32, spins: u32): u32 {
  let sum: u32 = 0;
  let idle: u32 = 0;
  let naps: u32 = 0;
  for (let done: u32 = 0; done < count; ) {
    const rows = queueDrain(state, QUEUE_ROWS_MAX);
    if (rows < 0) unreachable();
    if (rows > 0) {
      sum += sumOfRows(state, rows);
      queueRelease(state);
      atomic.add<u32>(taken, rows);
      done += rows;
      idle = 0;
      naps = 0;
    } else if (atomic.load<u32>(taken) == total) {
      return sum;
    } else if (++idle > spins) {
      if (++naps > NAPS_MAX) unreachable();
      sleep(state);
      idle = 0;
    }
  }
  return sum;
}

function sleep(state: usize): void {
  const value = queueSleep(state);
  const queue = load<u32>(state, QUEUE_CONSUMER_QUEUE_OFFSET) as usize;
  if (!queueAvailable(state)) atomic.wait<i32>(queue + QUEUE_WAKE_OFFSET, value, PARK_NS);
  queueAwake(state);
}

function sumOfRows(state: usize, rows: u32): u32 {
  let sum: u32 = 0;
  const table = state + QUEUE_CONSUMER_TABLE_OFFSET;
  for (let row: usize = table, end = table + rows * QUEUE_ROW_LENGTH; row != end; row += QUEUE_ROW_LENGTH) {
    sum += sumOf(load<u32>(row, QUEUE_ROW_ADDRESS_OFFSET) as usize);
  }
  return sum;
}

/** One record out, published. */
export function sendOne(state: usize, number: u32): u32 {
  const at = queueReserve(state, RECORD_LENGTH);
  if (at <= 0) unreachable();
  fill(at as usize, number);
  queueSubmit(state, RECORD_LENGTH);
  return queuePublish(state);
}

/** One record in, spinning: its sum. */
export function takeOne(state: usize): u32 {
  let rows = queueDrain(state, 1);
  for (let turn: u64 = 0; rows == 0; turn++) {
    if (turn == TURNS_MAX) unreachable();
    rows = queueDrain(state, 1);
  }
  return takeRow(state, rows);
}

// @ts-ignore: decorator
@inline
function takeRow(state: usize, rows: i32): u32 {
  if (rows != 1) unreachable();
  const sum = sumOf(load<u32>(state, QUEUE_CONSUMER_TABLE_OFFSET + QUEUE_ROW_ADDRESS_OFFSET) as usize);
  queueRelease(state);
  return sum;
}

/** One record out on `producer`, then one in from `consumer`, spinning: its sum. */
export function ping(producer: usize, consumer: usize, number: u32): u32 {
  sendOne(producer, number);
  return takeOne(consumer);
}

/** Answers `count` records, numbered from `first`, spinning. */
export function pong(producer: usize, consumer: usize, first: u32, count: u32): void {
  for (let number = first, end = first + count; number != end; number++) {
    takeOne(consumer);
    sendOne(producer, number);
  }
}

/** What a call into wasm costs, to be taken off a reading that contains one. */
export function nothing(producer: usize, consumer: usize, number: u32): u32 {
  return number;
}
