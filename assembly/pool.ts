// Records of one length in shared memory (layout/pool.ts). poolTake -> use -> poolGive, in any thread of any process.
//
// Who has a record is its owner word: 0, or the token of one owner. One compare-and-swap takes it, one gives it back, so between any two instructions
// a record is either free or has an owner that can be found dead: there is nothing in between, no list to break, and no ABA, because nothing but the
// token is compared. Hints only say where to look.
//
//   take:     P1. Take the number of a record that this user gave of late, from its private memory; else
//             P2. clear the bit of a hint (and of the summary, if it was the word's last one).
//             P3. Compare-and-swap the owner word from 0 to the own token. If it fails, back to P1 or P2 with the next hint.
//             P4. No hint left: P3 on the owner words themselves, at most SCAN_MAX in a call.
//   give:     P5. Compare-and-swap the owner word from the own token to 0. If it fails: refused, nothing has changed.
//             P6. If the hint's bit is not set, set it.   P7. If the summary's bit is not set, set it.
//   reclaim:  P8. Compare-and-swap every owner word that is the dead token to 0, then P6 and P7 for it.
//   adopt:    P9. Compare-and-swap the owner word from the sender's token to the own one.
//
// Why no free record is without a hint while all live: P2 clears before P3 looks, P5 frees before P6 looks. If P3 finds an owner, P5 comes later, and
// P6 later still: it sees the cleared bit, and sets it. If P6 sees the bit set, that P2 comes later, and its P3 finds the record free. Likewise the
// summary (clearSummary): it is cleared, then the word is looked at again.
//
// What a death leaves:
//   before P3, after P2: a free record without a hint. Found by P4, or mended by poolRepair.
//   after P3, before P5: a record of a dead owner. P8 gives it back.
//   after P5, before P6 or P7: as before P3.
//   inside of P8: the rest is still the dead owner's; the next reclaim finds it. Two reclaimers: each P8 succeeds for one of them.
//   after P9: the record is the adopter's; before: the sender's. Never both, never nobody's.
//
// Why no tagged free list: its head is one line that all threads write for every take and give (bench pool.cycle measures one in C++ as the rival), and a thread
// that dies between unlinking a record and marking it leaves one that nobody owns and nobody finds without looking at all of them.

import {
  POOL_CAPACITY_OFFSET,
  POOL_COUNT_ADOPTED_OFFSET,
  POOL_COUNT_FALLBACKS_OFFSET,
  POOL_COUNT_FULL_OFFSET,
  POOL_COUNT_GIVES_OFFSET,
  POOL_COUNT_HITS_OFFSET,
  POOL_COUNT_REFUSED_OFFSET,
  POOL_COUNT_TAKES_OFFSET,
  POOL_HINTS_OFFSET,
  POOL_LENGTH_OFFSET,
  POOL_MAGIC,
  POOL_MAGIC_OFFSET,
  POOL_RECLAIMED_OFFSET,
  POOL_RECORD_LENGTH_OFFSET,
  POOL_REPAIRED_OFFSET,
  POOL_STATE_CAPACITY_OFFSET,
  POOL_STATE_INVERSE_OFFSET,
  POOL_STATE_OWNERS_OFFSET,
  POOL_STATE_POOL_OFFSET,
  POOL_STATE_RECENT_COUNT_OFFSET,
  POOL_STATE_RECENT_MAX,
  POOL_STATE_RECENT_NEXT_OFFSET,
  POOL_STATE_RECENT_OFFSET,
  POOL_STATE_RECORDS_OFFSET,
  POOL_STATE_ROW_OFFSET,
  POOL_STATE_SCAN_OFFSET,
  POOL_STATE_START_OFFSET,
  POOL_STATE_STRIDE_OFFSET,
  POOL_STATE_TOKEN_OFFSET,
  POOL_STATE_TRIES_OFFSET,
  POOL_SUMMARY_OFFSET,
} from "../layout/pool";
import { STATUS_FULL, STATUS_NOT_OWNER, STATUS_NOT_TAKEN, STATUS_NO_RECORD } from "../layout/status";
import { countUp } from "./user-row";

/** Owner words that one take looks at when no hint is left. */
// @ts-ignore: decorator
@inline
const SCAN_MAX: u32 = 1024;
/** Records given of late that one take tries. */
// @ts-ignore: decorator
@inline
const RECENT_TRIES_MAX: u32 = 4;
// @ts-ignore: decorator
@inline
const NONE: u32 = 0xffffffff;

/** Makes a pool, all of it free, in a region of zeros. */
export function poolInit(pool: usize, capacity: u32, recordLength: u32, length: u32): void {
  for (let index: u32 = 0; index < capacity; index++) setHint(pool, index);
  store<u32>(pool, capacity, POOL_CAPACITY_OFFSET);
  store<u32>(pool, recordLength, POOL_RECORD_LENGTH_OFFSET);
  store<u32>(pool, length, POOL_LENGTH_OFFSET);
  // Last. Pairs with the load in Pool.open (src/queue/pool.ts).
  atomic.store<u32>(pool, POOL_MAGIC, POOL_MAGIC_OFFSET);
}

/** Begins a user's state. Everything that the pool's header says comes from the caller, who has checked it. */
export function poolUserInit(
  state: usize,
  pool: u32,
  capacity: u32,
  stride: u32,
  owners: u32,
  records: u32,
  row: u32,
  token: u64,
): void {
  store<u64>(state, token, POOL_STATE_TOKEN_OFFSET);
  store<u32>(state, pool, POOL_STATE_POOL_OFFSET);
  store<u32>(state, capacity, POOL_STATE_CAPACITY_OFFSET);
  store<u32>(state, stride, POOL_STATE_STRIDE_OFFSET);
  store<u32>(state, (((1 as u64) << 32) / stride + 1) as u32, POOL_STATE_INVERSE_OFFSET);
  store<u32>(state, records, POOL_STATE_RECORDS_OFFSET);
  store<u32>(state, owners, POOL_STATE_OWNERS_OFFSET);
  store<u32>(state, row, POOL_STATE_ROW_OFFSET);
  store<u32>(state, 0, POOL_STATE_RECENT_COUNT_OFFSET);
  store<u32>(state, 0, POOL_STATE_RECENT_NEXT_OFFSET);
  // Each user begins at another word of hints, so that two seldom write the same line.
  const start = (((token * 0x9e3779b97f4a7c15) >> 32) % capacity) as u32;
  store<u32>(state, start, POOL_STATE_START_OFFSET);
  store<u32>(state, start, POOL_STATE_SCAN_OFFSET);
}

/** Address of a record that is the caller's from now on (read it with `>>> 0`), or STATUS_FULL. Its bytes are what the last owner left. */
export function poolTake(state: usize): i32 {
  const row = load<u32>(state, POOL_STATE_ROW_OFFSET) as usize;
  store<u32>(state, 0, POOL_STATE_TRIES_OFFSET);
  let index = takeRecent(state);
  if (index == NONE) index = takeElsewhere(state, row);
  if (index == NONE) return STATUS_FULL;
  countUp(row, POOL_COUNT_TAKES_OFFSET);
  if (load<u32>(state, POOL_STATE_TRIES_OFFSET) == 1) countUp(row, POOL_COUNT_HITS_OFFSET);
  return (load<u32>(state, POOL_STATE_RECORDS_OFFSET) + index * load<u32>(state, POOL_STATE_STRIDE_OFFSET)) as i32;
}

/**
 * Gives back a record of the caller's: 1. STATUS_NO_RECORD, STATUS_NOT_TAKEN when it is free (given twice), STATUS_NOT_OWNER when somebody else has it: then
 * nothing has changed.
 */
export function poolGive(state: usize, address: u32): i32 {
  const row = load<u32>(state, POOL_STATE_ROW_OFFSET) as usize;
  const index = indexOf(state, address);
  const token = load<u64>(state, POOL_STATE_TOKEN_OFFSET);
  // P5. Pairs with P3.
  const holder = index == NONE ? 0 : atomic.cmpxchg<u64>(ownerAddress(state, index), token, 0);
  if (index == NONE || holder != token) {
    countUp(row, POOL_COUNT_REFUSED_OFFSET);
    return index == NONE ? STATUS_NO_RECORD : holder == 0 ? STATUS_NOT_TAKEN : STATUS_NOT_OWNER;
  }
  setHint(load<u32>(state, POOL_STATE_POOL_OFFSET) as usize, index);
  const next = load<u32>(state, POOL_STATE_RECENT_NEXT_OFFSET);
  store<u32>(recentAddress(state, next), index, POOL_STATE_RECENT_OFFSET);
  store<u32>(state, next + 1, POOL_STATE_RECENT_NEXT_OFFSET);
  const count = load<u32>(state, POOL_STATE_RECENT_COUNT_OFFSET);
  if (count < (POOL_STATE_RECENT_MAX as u32)) store<u32>(state, count + 1, POOL_STATE_RECENT_COUNT_OFFSET);
  countUp(row, POOL_COUNT_GIVES_OFFSET);
  return 1;
}

/** Makes a record that `from` has, living or dead, the caller's: 1, or as poolGive. How a record goes from thread to thread: the receiver adopts it. */
export function poolAdopt(state: usize, address: u32, from: u64): i32 {
  const index = indexOf(state, address);
  if (index == NONE) return STATUS_NO_RECORD;
  if (from == 0) return STATUS_NOT_OWNER;
  // P9. Pairs with P5, P8.
  const holder = atomic.cmpxchg<u64>(ownerAddress(state, index), from, load<u64>(state, POOL_STATE_TOKEN_OFFSET));
  if (holder != from) return holder == 0 ? STATUS_NOT_TAKEN : STATUS_NOT_OWNER;
  countUp(load<u32>(state, POOL_STATE_ROW_OFFSET) as usize, POOL_COUNT_ADOPTED_OFFSET);
  return 1;
}

/** Gives back everything that an owner who has died, or is the caller itself, still had: how many records. Any number of callers at once. */
export function poolReclaim(state: usize, dead: u64): i32 {
  if (dead == 0) return 0;
  const pool = load<u32>(state, POOL_STATE_POOL_OFFSET) as usize;
  const capacity = load<u32>(state, POOL_STATE_CAPACITY_OFFSET);
  let count: u32 = 0;
  for (let index: u32 = 0; index < capacity; index++) {
    const at = ownerAddress(state, index);
    // P8. Pairs with P3 of the dead.
    if (atomic.load<u64>(at) != dead || atomic.cmpxchg<u64>(at, dead, 0) != dead) continue;
    setHint(pool, index);
    count += 1;
  }
  if (count) atomic.add<u64>(pool, count, POOL_RECLAIMED_OFFSET);
  return count as i32;
}

/** Sets the hints that are missing: how many. After a death; harmless at any time. */
export function poolRepair(state: usize): i32 {
  const pool = load<u32>(state, POOL_STATE_POOL_OFFSET) as usize;
  const capacity = load<u32>(state, POOL_STATE_CAPACITY_OFFSET);
  let count: u32 = 0;
  for (let index: u32 = 0; index < capacity; index++) {
    if (atomic.load<u64>(ownerAddress(state, index)) == 0 && setHint(pool, index)) count += 1;
  }
  if (count) atomic.add<u64>(pool, count, POOL_REPAIRED_OFFSET);
  return count as i32;
}

/** Records that have an owner. */
export function poolInUse(state: usize): i32 {
  const capacity = load<u32>(state, POOL_STATE_CAPACITY_OFFSET);
  let count: u32 = 0;
  for (let index: u32 = 0; index < capacity; index++) {
    if (atomic.load<u64>(ownerAddress(state, index)) != 0) count += 1;
  }
  return count as i32;
}

/** P1. What this user gave last is most likely in its cache, and nobody else looks there first. */
// @ts-ignore: decorator
@inline
function takeRecent(state: usize): u32 {
  let count = load<u32>(state, POOL_STATE_RECENT_COUNT_OFFSET);
  let next = load<u32>(state, POOL_STATE_RECENT_NEXT_OFFSET);
  let index = NONE;
  for (let tries: u32 = 0; count > 0 && index == NONE && tries < RECENT_TRIES_MAX; tries++) {
    next -= 1;
    count -= 1;
    const candidate = load<u32>(recentAddress(state, next), POOL_STATE_RECENT_OFFSET);
    if (takeOwner(state, candidate)) index = candidate;
  }
  store<u32>(state, count, POOL_STATE_RECENT_COUNT_OFFSET);
  store<u32>(state, next, POOL_STATE_RECENT_NEXT_OFFSET);
  return index;
}

function takeElsewhere(state: usize, row: usize): u32 {
  let index = takeHinted(state);
  if (index == NONE) index = takeScanned(state, row);
  if (index == NONE) countUp(row, POOL_COUNT_FULL_OFFSET);
  return index;
}

/** The word of hints where the last search ended, then every word that the summary names, from there on and around. */
function takeHinted(state: usize): u32 {
  const pool = load<u32>(state, POOL_STATE_POOL_OFFSET) as usize;
  const start = load<u32>(state, POOL_STATE_START_OFFSET);
  const words = (load<u32>(state, POOL_STATE_CAPACITY_OFFSET) + 63) >>> 6;
  const summaryWords = (words + 63) >>> 6;
  const word = start >>> 6;
  let index = takeFromWord(state, word, start & 63);
  for (let turn: u32 = 0; turn < summaryWords && index == NONE; turn++) {
    let place = (word >>> 6) + turn;
    if (place >= summaryWords) place -= summaryWords;
    // Rotated, so that the word behind the one that was searched comes first. Pairs with P7.
    const rotation = turn == 0 ? (word + 1) & 63 : 0;
    let bits = rotr<u64>(atomic.load<u64>(pool + (place << 3), POOL_SUMMARY_OFFSET), rotation);
    while (bits && index == NONE) {
      const candidate = (place << 6) | (((ctz<u64>(bits) as u32) + rotation) & 63);
      bits &= bits - 1;
      if (candidate < words) index = takeFromWord(state, candidate, 0);
    }
  }
  if (index != NONE) store<u32>(state, index, POOL_STATE_START_OFFSET);
  return index;
}

/** A record of this word of hints, the one numbered `first` and its followers before the others. */
function takeFromWord(state: usize, word: u32, first: u32): u32 {
  const pool = load<u32>(state, POOL_STATE_POOL_OFFSET) as usize;
  const capacity = load<u32>(state, POOL_STATE_CAPACITY_OFFSET);
  const at = pool + POOL_HINTS_OFFSET + (word << 3);
  // Pairs with P6.
  let bits = rotr<u64>(atomic.load<u64>(at), first);
  while (bits) {
    const bit = ((ctz<u64>(bits) as u32) + first) & 63;
    bits &= bits - 1;
    const index = (word << 6) | bit;
    // A bit of a hostile peer.
    if (index >= capacity) continue;
    const mask = (1 as u64) << bit;
    // P2. Pairs with the load of P6. Who does not find the bit set leaves the record to the one who cleared it.
    const before = atomic.and<u64>(at, ~mask);
    if (!(before & mask)) continue;
    if (before == mask) clearSummary(pool, word);
    if (takeOwner(state, index)) return index;
  }
  return NONE;
}

/** P3. */
// @ts-ignore: decorator
@inline
function takeOwner(state: usize, index: u32): bool {
  store<u32>(state, load<u32>(state, POOL_STATE_TRIES_OFFSET) + 1, POOL_STATE_TRIES_OFFSET);
  // Pairs with P5, P8.
  return atomic.cmpxchg<u64>(ownerAddress(state, index), 0, load<u64>(state, POOL_STATE_TOKEN_OFFSET)) == 0;
}

/** P4. All owner words of a small pool; of a larger one as many as a call can afford, and the next call goes on from there. */
function takeScanned(state: usize, row: usize): u32 {
  const capacity = load<u32>(state, POOL_STATE_CAPACITY_OFFSET);
  const turns = min<u32>(capacity, SCAN_MAX);
  let index = load<u32>(state, POOL_STATE_SCAN_OFFSET);
  for (let turn: u32 = 0; turn < turns; turn++) {
    if (atomic.load<u64>(ownerAddress(state, index)) == 0 && takeOwner(state, index)) {
      countUp(row, POOL_COUNT_FALLBACKS_OFFSET);
      store<u32>(state, index, POOL_STATE_SCAN_OFFSET);
      // Not a hint's merit.
      store<u32>(state, 0, POOL_STATE_TRIES_OFFSET);
      return index;
    }
    index = index + 1 < capacity ? index + 1 : 0;
  }
  store<u32>(state, index, POOL_STATE_SCAN_OFFSET);
  return NONE;
}

/** P6, P7: whether the hint was missing. Mostly it is set already, and the line is only read. */
// @ts-ignore: decorator
@inline
function setHint(pool: usize, index: u32): bool {
  const word = index >>> 6;
  const at = pool + (word << 3);
  const mask = (1 as u64) << (index & 63);
  // P6. Pairs with P2.
  const isMissing = !(atomic.load<u64>(at, POOL_HINTS_OFFSET) & mask);
  if (isMissing) atomic.or<u64>(at, mask, POOL_HINTS_OFFSET);
  const summary = pool + ((word >>> 6) << 3);
  const summaryMask = (1 as u64) << (word & 63);
  // P7. Pairs with the and in clearSummary.
  if (atomic.load<u64>(summary, POOL_SUMMARY_OFFSET) & summaryMask) return isMissing;
  atomic.or<u64>(summary, summaryMask, POOL_SUMMARY_OFFSET);
  return true;
}

/** The word had its last hint. If somebody sets one meanwhile: he sets the summary after us, or we see his hint. */
function clearSummary(pool: usize, word: u32): void {
  const summary = pool + ((word >>> 6) << 3);
  const mask = (1 as u64) << (word & 63);
  // Pairs with P7.
  atomic.and<u64>(summary, ~mask, POOL_SUMMARY_OFFSET);
  // Pairs with P6.
  if (atomic.load<u64>(pool + (word << 3), POOL_HINTS_OFFSET)) atomic.or<u64>(summary, mask, POOL_SUMMARY_OFFSET);
}

// @ts-ignore: decorator
@inline
function ownerAddress(state: usize, index: u32): usize {
  return (load<u32>(state, POOL_STATE_OWNERS_OFFSET) as usize) + (index << 3);
}

// @ts-ignore: decorator
@inline
function recentAddress(state: usize, place: u32): usize {
  return state + ((place & (POOL_STATE_RECENT_MAX - 1)) << 2);
}

/**
 * Number of the record at this address, NONE when there is none. The product is exact for multiples of the stride: with inverse = 2^32 / stride + e, e <= 1, and
 * offset = number * stride it is number + offset * e / 2^32, and offset is less than 2^32.
 */
// @ts-ignore: decorator
@inline
function indexOf(state: usize, address: u32): u32 {
  const offset = address - load<u32>(state, POOL_STATE_RECORDS_OFFSET);
  const index = (((offset as u64) * load<u32>(state, POOL_STATE_INVERSE_OFFSET)) >> 32) as u32;
  const isRecord = index < load<u32>(state, POOL_STATE_CAPACITY_OFFSET) && index * load<u32>(state, POOL_STATE_STRIDE_OFFSET) == offset;
  return isRecord ? index : NONE;
}
