// What a queue of many producers usually is, after Agrona's ManyToOneRingBuffer: one ring, one tail that all producers move by compare-and-swap. A claimed record is
// busy until its header is stored; the consumer reads in order of the claims, stops at a record that is still busy, and makes what it read zero again, so that nobody
// takes an old header for a new one. The comparator of the engine's lanes (layout/queue.ts): the same record, the same fillings and sums.
//
//   0      128    256         384 (DATA)
//  +------+------+-----------+----------------------------------------------- - -
//  | tail | head | headCache | records: bytes taken u32 (0 = busy), 4 reserved, data
//  +------+------+-----------+----------------------------------------------- - -
//
// A run of `batch` records may be claimed by one compare-and-swap, which Agrona does not offer. Where it does not fit before the end, padding goes there.

import { fill, sumOf } from "./record";

// @ts-ignore: decorator
@inline
const HEAD: usize = 128;
// @ts-ignore: decorator
@inline
const HEAD_CACHE: usize = 256;
// @ts-ignore: decorator
@inline
const DATA: usize = 384;
/** Header and data of a record. */
// @ts-ignore: decorator
@inline
const TAKEN: u32 = 72;
// @ts-ignore: decorator
@inline
const PARK_NS: i64 = 50_000;
// @ts-ignore: decorator
@inline
const PADDING: u32 = 0x80000000;
/** Records whose room is given back at once. */
// @ts-ignore: decorator
@inline
const RUN_MAX: u32 = 1024;

/** Produces `count` records, numbered from `first`, a claim for `batch` of them. `capacity` is a power of two; nobody changes the word at `never`. */
export function sharedProduceChunk(ring: usize, capacity: u32, never: usize, first: u32, count: u32, batch: u32, spins: u32): void {
  for (let number = first, end = first + count; number != end; ) {
    const run = min<u32>(batch, end - number);
    let at = ring + DATA + claim(ring, capacity, run * TAKEN, never, spins);
    for (const last = number + run; number != last; number++) {
      fill(at + 8, number);
      // Pairs with the load in sharedTakeChunk.
      atomic.store<u32>(at, TAKEN);
      at += TAKEN;
    }
  }
}

/** Index of the first byte that was claimed. */
function claim(ring: usize, capacity: u32, needed: u32, never: usize, spins: u32): u32 {
  let turn: u32 = 0;
  while (true) {
    const tail = atomic.load<u64>(ring);
    const index = (tail & (capacity - 1)) as u32;
    const padding = needed > capacity - index ? capacity - index : 0;
    const end = tail + padding + needed;
    if (!hasRoom(ring, capacity, end)) {
      if (++turn % (spins + 1) == spins) atomic.wait<i32>(never, 0, PARK_NS);
    } else if (atomic.cmpxchg<u64>(ring, tail, end) == tail) {
      // Pairs with the load in sharedTakeChunk.
      if (padding) atomic.store<u32>(ring + index, PADDING | padding, DATA);
      return padding ? 0 : index;
    }
  }
}

function hasRoom(ring: usize, capacity: u32, end: u64): bool {
  if (end - atomic.load<u64>(ring, HEAD_CACHE) <= capacity) return true;
  const head = atomic.load<u64>(ring, HEAD);
  atomic.store<u64>(ring, head, HEAD_CACHE);
  return end - head <= capacity;
}

/** Takes about `count` records, or what there is until the word at `taken` says `total`: the sum of their words. */
export function sharedTakeChunk(ring: usize, capacity: u32, never: usize, count: u32, taken: usize, total: u32, spins: u32): u32 {
  let sum: u32 = 0;
  let idle: u32 = 0;
  for (let done: u32 = 0; done < count; ) {
    const begin = atomic.load<u64>(ring, HEAD);
    let position = begin;
    let records: u32 = 0;
    while (records < RUN_MAX) {
      const index = (position & (capacity - 1)) as u32;
      const at = ring + DATA + index;
      // Pairs with the stores in sharedProduceChunk and claim.
      const header = atomic.load<u32>(at);
      if (header == 0) break;
      position += header & ~PADDING;
      if (header & PADDING) continue;
      sum += sumOf(at + 8);
      records += 1;
    }
    if (position != begin) {
      clear(ring, capacity, begin, position);
      // Pairs with the loads in hasRoom.
      atomic.store<u64>(ring, position, HEAD);
      atomic.add<u32>(taken, records);
      done += records;
      idle = 0;
    } else if (atomic.load<u32>(taken) == total) {
      return sum;
    } else if (++idle > spins) {
      atomic.wait<i32>(never, 0, PARK_NS);
      idle = 0;
    }
  }
  return sum;
}

function clear(ring: usize, capacity: u32, begin: u64, end: u64): void {
  const from = (begin & (capacity - 1)) as u32;
  const length = (end - begin) as u32;
  const first = min<u32>(length, capacity - from);
  memory.fill(ring + DATA + from, 0, first);
  memory.fill(ring + DATA, 0, length - first);
}
