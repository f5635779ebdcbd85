// Contents seen lately (layout/dedup.ts): many threads and processes insert, and of those that insert equal contents inside of the window one gets FRESH.
//
//   D1. Look at the content's slots, in their order, up to the first that is 0. A slot with the content's tag is confirmed: the entry's position, hash, length, age
//       and every byte are compared, then the log's head is loaded: if the entry may have been overwritten meanwhile, it does not count. Equal: DUPLICATE.
//   D2. Reserve room in the log by adding to its head.   D3. Write the entry there.
//   D4. Compare-and-swap the oldest of the slots (the smallest position; 0 is smaller than all) to the entry. If it has changed: back to D1.
//
// Why one of several gets FRESH. Slots only ever grow: D4 takes a position above the one it replaces, positions never repeat, and nobody stores 0. Let A and B
// insert equal contents: they have the same slots. Let B's D4 at slot k come before A's at slot m, and A's D1 miss B's entry.
//   1. A looked at k before B's D4, and saw x <= q there, q being what B replaced.
//   2. B found q the smallest, so what it saw at m was p' >= q; p, what A replaces at m later, is p' or grew from it: p >= q.
//   3. A found p the smallest: p <= x. So p = q = x; positions are unique, so it is 0, and both slots were. Of two zeros each takes the first one: so A
//      took m before k, and m was 0 all the time until A's D4: B would have taken m. Contradiction.
//
// What a death leaves: between D2 and D4 some bytes of the log that no slot tells of. After D4 the content counts as seen. Nobody waits for anybody.
//
// A writer that sleeps between D2 and D3, or in D3, for as long as others need to fill the log once writes over a newer entry. That entry's position, hash or bytes are then
// wrong: it is forgotten too early. It is never confirmed, also not as the sleeper's content, which nobody may have called FRESH yet: the hash is stored exclusive-or the
// position, so a position of one and a hash of another are nobody's.
//
// Order off x86: D2 is a full barrier there too where it is one instruction (arm64 with LSE), so nobody sees D3's plain stores and not D2; readers load words atomically, and
// the head after them. Where it is not, a reader may compare with bytes that are just being overwritten and not know; but then the position and the hash that it loaded
// are still those of the old entry, and every byte is the content's: that entry was there, and was the content.

import {
  DEDUP_CONTENT_LENGTH_MAX_OFFSET,
  DEDUP_COUNT_COLLISIONS_OFFSET,
  DEDUP_COUNT_DUPLICATES_OFFSET,
  DEDUP_COUNT_EVICTED_OFFSET,
  DEDUP_COUNT_EXPIRED_OFFSET,
  DEDUP_COUNT_FRESH_OFFSET,
  DEDUP_COUNT_RETRIES_OFFSET,
  DEDUP_COUNT_TOO_LONG_OFFSET,
  DEDUP_DUPLICATE,
  DEDUP_ENTRY_HASH_OFFSET,
  DEDUP_ENTRY_HEADER_LENGTH,
  DEDUP_ENTRY_LENGTH_OFFSET,
  DEDUP_ENTRY_POSITION_OFFSET,
  DEDUP_ENTRY_TIME_OFFSET,
  DEDUP_FRESH,
  DEDUP_HEAD_OFFSET,
  DEDUP_LENGTH_OFFSET,
  DEDUP_LOG_LENGTH_OFFSET,
  DEDUP_MAGIC,
  DEDUP_MAGIC_OFFSET,
  DEDUP_POSITION_FIRST,
  DEDUP_POSITION_SHIFT,
  DEDUP_PROBES,
  DEDUP_ROW_ADDRESS_OFFSET,
  DEDUP_ROW_ANSWER_OFFSET,
  DEDUP_ROW_CANDIDATE_OFFSET,
  DEDUP_ROW_HASH_OFFSET,
  DEDUP_ROW_LENGTH,
  DEDUP_ROW_LENGTH_OFFSET,
  DEDUP_ROW_SLOT_OFFSET,
  DEDUP_ROWS_MAX,
  DEDUP_SEED_OFFSET,
  DEDUP_SLOTS_OFFSET,
  DEDUP_SLOTS_PER_LINE,
  DEDUP_STATE_CONTENT_LENGTH_MAX_OFFSET,
  DEDUP_STATE_DEDUP_OFFSET,
  DEDUP_STATE_LOG_LENGTH_OFFSET,
  DEDUP_STATE_LOG_OFFSET,
  DEDUP_STATE_ROW_OFFSET,
  DEDUP_STATE_SEED_OFFSET,
  DEDUP_STATE_SLOTS_OFFSET,
  DEDUP_STATE_VICTIM_ADDRESS_OFFSET,
  DEDUP_STATE_VICTIM_OFFSET,
  DEDUP_STATE_WINDOW_MS_OFFSET,
  DEDUP_TABLE_OFFSET,
  DEDUP_TAG_SHIFT,
  DEDUP_WINDOW_MS_OFFSET,
} from "../layout/dedup";
import { STATUS_CORRUPT, STATUS_EMPTY, STATUS_TOO_LONG } from "../layout/status";
import { bytesCopy } from "./bytes";
import { countUp } from "./user-row";
import { xxh64 } from "./xxh64";

// @ts-ignore: decorator
@inline
const PROBES: u32 = DEDUP_PROBES;
// @ts-ignore: decorator
@inline
const HEADER_LENGTH: u32 = DEDUP_ENTRY_HEADER_LENGTH;
/** Every failed D4 is another's success: so many in a row are a peer that scribbles. */
// @ts-ignore: decorator
@inline
const ATTEMPTS_MAX: u32 = 1024;
/** Reservations of one append: one that would run over the log's end is left empty. */
// @ts-ignore: decorator
@inline
const RESERVATIONS_MAX: u32 = 16;
/** Of a processor's cache. */
// @ts-ignore: decorator
@inline
const LINE_LENGTH: u32 = 64;
/** Of a longer entry the processor fetches the rest by itself, and a batch of them would not stay in its cache. */
// @ts-ignore: decorator
@inline
const TOUCHED_MAX: u32 = 512;
// @ts-ignore: decorator
@inline
const POSITION_MASK: u64 = ((1 as u64) << DEDUP_TAG_SHIFT) - 1;

/** Makes an empty table in a region of zeros. */
export function dedupInit(
  dedup: usize,
  slots: u32,
  logLength: u32,
  contentLengthMax: u32,
  windowMs: u32,
  length: u32,
  seed: u64,
): void {
  store<u32>(dedup, slots, DEDUP_SLOTS_OFFSET);
  store<u32>(dedup, logLength, DEDUP_LOG_LENGTH_OFFSET);
  store<u32>(dedup, contentLengthMax, DEDUP_CONTENT_LENGTH_MAX_OFFSET);
  store<u32>(dedup, windowMs, DEDUP_WINDOW_MS_OFFSET);
  store<u32>(dedup, length, DEDUP_LENGTH_OFFSET);
  store<u64>(dedup, seed, DEDUP_SEED_OFFSET);
  store<u64>(dedup, DEDUP_POSITION_FIRST, DEDUP_HEAD_OFFSET);
  // Last. Pairs with the load in Dedup.open (src/queue/dedup.ts).
  atomic.store<u32>(dedup, DEDUP_MAGIC, DEDUP_MAGIC_OFFSET);
}

/** Begins a user's state. Everything that the header says comes from the caller, who has checked it. */
export function dedupUserInit(
  state: usize,
  dedup: u32,
  slots: u32,
  log: u32,
  logLength: u32,
  contentLengthMax: u32,
  windowMs: u32,
  row: u32,
  seed: u64,
): void {
  store<u64>(state, seed, DEDUP_STATE_SEED_OFFSET);
  store<u32>(state, dedup, DEDUP_STATE_DEDUP_OFFSET);
  store<u32>(state, slots, DEDUP_STATE_SLOTS_OFFSET);
  store<u32>(state, log, DEDUP_STATE_LOG_OFFSET);
  store<u32>(state, logLength, DEDUP_STATE_LOG_LENGTH_OFFSET);
  store<u32>(state, contentLengthMax, DEDUP_STATE_CONTENT_LENGTH_MAX_OFFSET);
  store<u32>(state, windowMs, DEDUP_STATE_WINDOW_MS_OFFSET);
  store<u32>(state, row, DEDUP_STATE_ROW_OFFSET);
}

/** DEDUP_FRESH: nobody had inserted it inside of the window, and now it is. DEDUP_DUPLICATE; STATUS_TOO_LONG; STATUS_CORRUPT. nowMs: of one clock for all users. */
export function dedupInsert(state: usize, address: usize, length: u32, nowMs: f64): i32 {
  const hash = hashOf(state, address, length);
  return insertHashed(state, address, length, hash, nowMs as u64);
}

/** DEDUP_DUPLICATE if it is there, else STATUS_EMPTY; nothing is inserted. */
export function dedupFind(state: usize, address: usize, length: u32, nowMs: f64): i32 {
  const hash = hashOf(state, address, length);
  const isThere = length <= load<u32>(state, DEDUP_STATE_CONTENT_LENGTH_MAX_OFFSET) && find(state, address, length, hash, nowMs as u64);
  return isThere ? DEDUP_DUPLICATE : STATUS_EMPTY;
}

/**
 * dedupInsert for each of up to DEDUP_ROWS_MAX rows; the answers are in the rows. Answers how many were fresh. The memory that each row needs is asked for in loops of their own, so that the
 * waits for it overlap (measured: 2.5 times as fast as one by one with a million contents of 256 bytes).
 */
export function dedupInsertBatch(state: usize, rows: usize, count: u32, nowMs: f64): i32 {
  const end = rows + min<u32>(count, DEDUP_ROWS_MAX) * DEDUP_ROW_LENGTH;
  for (let row = rows; row < end; row += DEDUP_ROW_LENGTH) {
    const hash = hashOf(state, load<u32>(row, DEDUP_ROW_ADDRESS_OFFSET) as usize, load<u32>(row, DEDUP_ROW_LENGTH_OFFSET));
    store<u64>(row, hash, DEDUP_ROW_HASH_OFFSET);
    store<u32>(row, slotAddress(state, firstSlot(state, hash)) as u32, DEDUP_ROW_SLOT_OFFSET);
  }
  // The stores keep the loads from being left out.
  for (let row = rows; row < end; row += DEDUP_ROW_LENGTH) {
    store<u32>(row, atomic.load<u64>(load<u32>(row, DEDUP_ROW_SLOT_OFFSET) as usize) as u32, DEDUP_ROW_ANSWER_OFFSET);
  }
  for (let row = rows; row < end; row += DEDUP_ROW_LENGTH) touchEntry(state, row);
  let fresh = 0;
  for (let row = rows; row < end; row += DEDUP_ROW_LENGTH) {
    const length = load<u32>(row, DEDUP_ROW_LENGTH_OFFSET);
    const address = load<u32>(row, DEDUP_ROW_ADDRESS_OFFSET) as usize;
    const hash = load<u64>(row, DEDUP_ROW_HASH_OFFSET);
    const candidate = load<u64>(row, DEDUP_ROW_CANDIDATE_OFFSET);
    let answer = DEDUP_DUPLICATE;
    // Mostly it is the one; else all slots are looked at, once more.
    if (candidate && isConfirmed(state, positionOf(candidate), address, length, hash, nowMs as u64)) {
      countUp(load<u32>(state, DEDUP_STATE_ROW_OFFSET) as usize, DEDUP_COUNT_DUPLICATES_OFFSET);
    } else {
      answer = insertHashed(state, address, length, hash, nowMs as u64);
    }
    store<i32>(row, answer, DEDUP_ROW_ANSWER_OFFSET);
    fresh += i32(answer == DEDUP_FRESH);
  }
  return fresh;
}

/** Finds the first slot with the tag of the row's content, and loads a word of each line of its entry. The store keeps the loads from being left out. */
// @ts-ignore: decorator
@inline
function touchEntry(state: usize, row: usize): void {
  const hash = load<u64>(row, DEDUP_ROW_HASH_OFFSET);
  const first = firstSlot(state, hash);
  store<u64>(row, 0, DEDUP_ROW_CANDIDATE_OFFSET);
  for (let probe: u32 = 0; probe < PROBES; probe++) {
    // D1. Pairs with D4.
    const word = atomic.load<u64>(slotAddress(state, first + probe));
    if (word == 0) return;
    if (word >> DEDUP_TAG_SHIFT != hash >> DEDUP_TAG_SHIFT) continue;
    store<u64>(row, word, DEDUP_ROW_CANDIDATE_OFFSET);
    const logLength = load<u32>(state, DEDUP_STATE_LOG_LENGTH_OFFSET);
    const index = (positionOf(word) & (logLength - 1)) as u32;
    const entry = (load<u32>(state, DEDUP_STATE_LOG_OFFSET) as usize) + index;
    const length = min<u32>(HEADER_LENGTH + load<u32>(row, DEDUP_ROW_LENGTH_OFFSET), min<u32>(logLength - index, TOUCHED_MAX));
    let touched: u32 = 0;
    for (let at: u32 = 0; at < length; at += LINE_LENGTH) touched += atomic.load<u32>(entry + at);
    store<u32>(row, touched, DEDUP_ROW_ANSWER_OFFSET);
    return;
  }
}

function insertHashed(state: usize, address: usize, length: u32, hash: u64, nowMs: u64): i32 {
  const row = load<u32>(state, DEDUP_STATE_ROW_OFFSET) as usize;
  if (length > load<u32>(state, DEDUP_STATE_CONTENT_LENGTH_MAX_OFFSET)) {
    countUp(row, DEDUP_COUNT_TOO_LONG_OFFSET);
    return STATUS_TOO_LONG;
  }
  let position: u64 = 0;
  for (let attempt: u32 = 0; attempt < ATTEMPTS_MAX; attempt++) {
    // D1.
    if (find(state, address, length, hash, nowMs)) {
      countUp(row, DEDUP_COUNT_DUPLICATES_OFFSET);
      return DEDUP_DUPLICATE;
    }
    const victim = load<u64>(state, DEDUP_STATE_VICTIM_OFFSET);
    // Once more when others have gone past what was reserved: slots must grow.
    if (position <= positionOf(victim)) position = append(state, address, length, hash, nowMs);
    if (position == 0) return STATUS_CORRUPT;
    if (position <= positionOf(victim)) continue;
    const slot = load<u32>(state, DEDUP_STATE_VICTIM_ADDRESS_OFFSET) as usize;
    const word = ((hash >> DEDUP_TAG_SHIFT) << DEDUP_TAG_SHIFT) | (position >> DEDUP_POSITION_SHIFT);
    // D4. Pairs with the load of D1.
    if (atomic.cmpxchg<u64>(slot, victim, word) == victim) {
      countUp(row, DEDUP_COUNT_FRESH_OFFSET);
      if (victim) countForgotten(state, victim, nowMs);
      return DEDUP_FRESH;
    }
    countUp(row, DEDUP_COUNT_RETRIES_OFFSET);
  }
  return STATUS_CORRUPT;
}

/** D1: whether the content is there. If not, the oldest of its slots is in the state. */
function find(state: usize, address: usize, length: u32, hash: u64, nowMs: u64): bool {
  const first = firstSlot(state, hash);
  const tag = hash >> DEDUP_TAG_SHIFT;
  let oldest = u64.MAX_VALUE;
  let oldestAddress: usize = 0;
  for (let probe: u32 = 0; probe < PROBES; probe++) {
    const at = slotAddress(state, first + probe);
    // Pairs with D4.
    const word = atomic.load<u64>(at);
    if (positionOf(word) < positionOf(oldest)) {
      oldest = word;
      oldestAddress = at;
    }
    // Slots are filled in their order: there is nothing behind the first that is 0.
    if (word == 0) break;
    if (word >> DEDUP_TAG_SHIFT == tag && isConfirmed(state, positionOf(word), address, length, hash, nowMs)) return true;
  }
  store<u64>(state, oldest, DEDUP_STATE_VICTIM_OFFSET);
  store<u32>(state, oldestAddress as u32, DEDUP_STATE_VICTIM_ADDRESS_OFFSET);
  return false;
}

/** Whether the entry at `position` holds the content, is not too old, and had not been overwritten when the last byte was compared. */
function isConfirmed(state: usize, position: u64, address: usize, length: u32, hash: u64, nowMs: u64): bool {
  const logLength = load<u32>(state, DEDUP_STATE_LOG_LENGTH_OFFSET);
  const index = (position & (logLength - 1)) as u32;
  const entry = (load<u32>(state, DEDUP_STATE_LOG_OFFSET) as usize) + index;
  // Only what a hostile peer has put into a slot runs over the end.
  if (logLength - index < HEADER_LENGTH + ((length + 15) & ~15)) return false;
  // Overwritten.
  if (atomic.load<u64>(entry, DEDUP_ENTRY_POSITION_OFFSET) != position) return false;
  const isEqual =
    atomic.load<u64>(entry, DEDUP_ENTRY_HASH_OFFSET) == (hash ^ position) &&
    atomic.load<u32>(entry, DEDUP_ENTRY_LENGTH_OFFSET) == length &&
    areEqual(entry + HEADER_LENGTH, address, length);
  const time = atomic.load<u64>(entry, DEDUP_ENTRY_TIME_OFFSET);
  // Pairs with D2.
  if (isOverwritten(state, position, logLength)) return false;
  if (isEqual) return !isOld(state, time, nowMs);
  countUp(load<u32>(state, DEDUP_STATE_ROW_OFFSET) as usize, DEDUP_COUNT_COLLISIONS_OFFSET);
  return false;
}

/** `entry` is loaded in whole words, atomically; the last one is padded with zeros. */
// @ts-ignore: decorator
@inline
function areEqual(entry: usize, address: usize, length: u32): bool {
  let differing: u64 = 0;
  let at: u32 = 0;
  for (; at + 32 <= length; at += 32) {
    differing |= atomic.load<u64>(entry + at) ^ load<u64>(address + at);
    differing |= atomic.load<u64>(entry + at, 8) ^ load<u64>(address + at, 8);
    differing |= atomic.load<u64>(entry + at, 16) ^ load<u64>(address + at, 16);
    differing |= atomic.load<u64>(entry + at, 24) ^ load<u64>(address + at, 24);
  }
  for (; at + 8 <= length; at += 8) differing |= atomic.load<u64>(entry + at) ^ load<u64>(address + at);
  if (at < length) differing |= atomic.load<u64>(entry + at) ^ lastWord(address + at, length - at);
  return differing == 0;
}

/** 1 to 7 bytes as a word. Nothing behind them is read: the memory may end there. */
function lastWord(address: usize, length: u32): u64 {
  let word: u64 = 0;
  for (let byte: u32 = 0; byte < length; byte++) word |= (load<u8>(address + byte) as u64) << (byte << 3);
  return word;
}

/** D2, D3: position of the new entry; 0 when the head cannot be right, or the positions of 72 PB are used up. */
function append(state: usize, address: usize, length: u32, hash: u64, nowMs: u64): u64 {
  const head = (load<u32>(state, DEDUP_STATE_DEDUP_OFFSET) as usize) + DEDUP_HEAD_OFFSET;
  const logLength = load<u32>(state, DEDUP_STATE_LOG_LENGTH_OFFSET);
  const padded = (length + 15) & ~15;
  const needed = HEADER_LENGTH + padded;
  for (let reservation: u32 = 0; reservation < RESERVATIONS_MAX; reservation++) {
    // D2. Pairs with the load in isOverwritten.
    const position = atomic.add<u64>(head, needed);
    if (position & 15 || position >> DEDUP_POSITION_SHIFT > POSITION_MASK) return 0;
    const index = (position & (logLength - 1)) as u32;
    if (logLength - index < needed) continue;
    // D3.
    const entry = (load<u32>(state, DEDUP_STATE_LOG_OFFSET) as usize) + index;
    store<u64>(entry, position, DEDUP_ENTRY_POSITION_OFFSET);
    store<u64>(entry, hash ^ position, DEDUP_ENTRY_HASH_OFFSET);
    store<u64>(entry, nowMs, DEDUP_ENTRY_TIME_OFFSET);
    store<u64>(entry, length, DEDUP_ENTRY_LENGTH_OFFSET);
    const content = entry + HEADER_LENGTH;
    if (padded != length) v128.store(content + padded - 16, v128.splat<u8>(0));
    bytesCopy(content, address, length);
    return position;
  }
  return 0;
}

/** What a slot had told of is not found any more: was it time? */
function countForgotten(state: usize, word: u64, nowMs: u64): void {
  const position = positionOf(word);
  const logLength = load<u32>(state, DEDUP_STATE_LOG_LENGTH_OFFSET);
  const entry = (load<u32>(state, DEDUP_STATE_LOG_OFFSET) as usize) + ((position & (logLength - 1)) as usize);
  let isExpired = isOverwritten(state, position, logLength);
  // Few come here: an entry that the log still holds makes room only if all its slots are younger.
  if (!isExpired) isExpired = isOld(state, atomic.load<u64>(entry, DEDUP_ENTRY_TIME_OFFSET), nowMs);
  const row = load<u32>(state, DEDUP_STATE_ROW_OFFSET) as usize;
  countUp(row, isExpired ? DEDUP_COUNT_EXPIRED_OFFSET : DEDUP_COUNT_EVICTED_OFFSET);
}

// @ts-ignore: decorator
@inline
function isOverwritten(state: usize, position: u64, logLength: u32): bool {
  const dedup = load<u32>(state, DEDUP_STATE_DEDUP_OFFSET) as usize;
  return atomic.load<u64>(dedup, DEDUP_HEAD_OFFSET) - position > logLength;
}

/** Another's clock may be a little ahead of ours: what comes from the future is young. */
// @ts-ignore: decorator
@inline
function isOld(state: usize, timeMs: u64, nowMs: u64): bool {
  const windowMs = load<u32>(state, DEDUP_STATE_WINDOW_MS_OFFSET);
  return windowMs != 0 && nowMs > timeMs && nowMs - timeMs > windowMs;
}

/** What is too long is refused, and need not be hashed: not all of it may lie in the memory. */
// @ts-ignore: decorator
@inline
function hashOf(state: usize, address: usize, length: u32): u64 {
  if (length > load<u32>(state, DEDUP_STATE_CONTENT_LENGTH_MAX_OFFSET)) return 0;
  return xxh64(address, length, load<u64>(state, DEDUP_STATE_SEED_OFFSET));
}

// @ts-ignore: decorator
@inline
function firstSlot(state: usize, hash: u64): u32 {
  return (hash as u32) & (load<u32>(state, DEDUP_STATE_SLOTS_OFFSET) - 1) & ~(DEDUP_SLOTS_PER_LINE - 1);
}

// @ts-ignore: decorator
@inline
function slotAddress(state: usize, slot: u32): usize {
  const index = slot & (load<u32>(state, DEDUP_STATE_SLOTS_OFFSET) - 1);
  return (load<u32>(state, DEDUP_STATE_DEDUP_OFFSET) as usize) + DEDUP_TABLE_OFFSET + (index << 3);
}

// @ts-ignore: decorator
@inline
function positionOf(word: u64): u64 {
  return (word & POSITION_MASK) << DEDUP_POSITION_SHIFT;
}
