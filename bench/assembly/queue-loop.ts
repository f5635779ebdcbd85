// Hot loops around the engine's queues for the benches: what a pipeline in wasm does with one, with nothing else in it. Calls move a chunk and return, so that V8 can
// replace the baseline code by the optimized one between calls, and so that the caller can sleep, or wake other processes, which is futex(2).
//
// A record is 16 u32: its number, then words that follow from it; plain JavaScript does the same arithmetic (bench/ring/record.mjs).

import { queueDrain, queueRelease } from "../../assembly/queue-consumer";
import {
  queuePublish,
  queueReserve,
  queueSubmit,
  queueWindow,
  queueWindowEnd,
  queueWindowNumber,
  queueWindowSubmit,
} from "../../assembly/queue-producer";
import { RING_RECORD_HEADER_LENGTH } from "../../layout/ring";
import {
  QUEUE_CONSUMER_TABLE_OFFSET,
  QUEUE_CONSUMER_WAKE_ROOM_OFFSET,
  QUEUE_ROW_ADDRESS_OFFSET,
  QUEUE_ROW_LENGTH,
  QUEUE_ROWS_MAX,
} from "../../layout/queue";
import { fill, sumOf, RECORD_LENGTH } from "./record";

export { queueAvailable, queueAwake, queueConsumerInit, queueRelease, queueSleep } from "../../assembly/queue-consumer";
export { queueProducerInit, queuePublish, queueReserve, queueRoomAwake, queueRoomSleep } from "../../assembly/queue-producer";
export { queueLeave } from "../../assembly/queue-broadcast";

/** Turns after which the other side must be dead: better a trap than a process that spins for ever. */
// @ts-ignore: decorator
@inline
const TURNS_MAX: u64 = 10_000_000_000;
/** A record with its header. */
// @ts-ignore: decorator
@inline
const TAKEN: u32 = RECORD_LENGTH + RING_RECORD_HEADER_LENGTH;
/** In an answer of produceChunk: the caller is to wake consumers of other processes. */
// @ts-ignore: decorator
@inline
const MUST_WAKE: u32 = 0x80000000;

/**
 * Produces up to `count` records, numbered from `first`, publishing once per `batch`: how many. Fewer when the lane stayed full for `spins` turns, or with MUST_WAKE.
 */
export function produceChunk(state: usize, first: u32, count: u32, batch: u32, spins: u32): u32 {
  for (let done: u32 = 0; done < count; ) {
    const at = spinForWindow(state, spins);
    if (at <= 0) return done;
    done += fillWindow(state, at as usize, first + done, min<u32>(batch, count - done));
    if (queuePublish(state)) return done | MUST_WAKE;
  }
  return count;
}

/** Fills up to `count` records into the window: how many it has room for. */
// @ts-ignore: decorator
@inline
function fillWindow(state: usize, window: usize, first: u32, count: u32): u32 {
  const room = ((queueWindowEnd(state) - window) as u32) / TAKEN;
  const records = min<u32>(room, count);
  let header = (queueWindowNumber(state) << 32) | RECORD_LENGTH;
  let at = window;
  for (let number = first, end = first + records; number != end; number++) {
    store<u64>(at, header);
    fill(at + RING_RECORD_HEADER_LENGTH, number);
    header += (1 as u64) << 32;
    at += TAKEN;
  }
  queueWindowSubmit(state, at, records);
  return records;
}

function spinForWindow(state: usize, spins: u32): i32 {
  let at = queueWindow(state, RECORD_LENGTH);
  for (let turn: u32 = 0; at <= 0 && turn < spins; turn++) at = queueWindow(state, RECORD_LENGTH);
  return at;
}

/**
 * Takes about `count` records and adds how many to the word at `taken`, as all do that share them: the sum of their words. Returns early when that says `total`, when it
 * found nothing for `spins` turns, and when producers of other processes are to be woken.
 */
export function takeChunk(state: usize, count: u32, taken: usize, total: u32, spins: u32): u32 {
  let sum: u32 = 0;
  let idle: u32 = 0;
  for (let done: u32 = 0; done < count; ) {
    const rows = queueDrain(state, QUEUE_ROWS_MAX);
    if (rows < 0) unreachable();
    if (rows > 0) {
      sum += sumOfRows(state, rows);
      queueRelease(state);
      atomic.add<u32>(taken, rows);
      done += rows;
      idle = 0;
    } else if (++idle > spins || atomic.load<u32>(taken) == total) {
      return sum;
    }
    if (load<u32>(state, QUEUE_CONSUMER_WAKE_ROOM_OFFSET)) return sum;
  }
  return sum;
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
