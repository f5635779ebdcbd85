// The journal's append path (layout/log.ts): any thread appends by itself. journalReserve -> fill in place -> journalCommit, and journalPublish once
// per batch. One fetch-add on the active window's claim word gives sequence and place at once.
//
// Why every sequence is given once and lies where it belongs:
//   1. A claim adds (1 << 32 | length) to the claim word. Additions are ordered, so counts and offsets grow together: entry number `count` of the segment
//      lies behind all entries with a smaller count, and its sequence is firstSequence + count.
//   2. A claim that starts inside and ends outside crosses the end. Offsets only grow until the window is recycled, so exactly one claim crosses, and
//      every claim before it succeeded: its count is the number of entries. It writes the padding, then END_SEQUENCE = firstSequence + count. The
//      counts that it and later failed claims added to the high half are never used.
//   3. The successor becomes active through activate(), which exactly one thread enters: compare-and-swap of the pair (segment, READY) to (segment,
//      OPENING). Segment numbers never come back, so a thread that slept through three rotations cannot win the swap of another segment.
//   4. A READY window's claim word is CLOSED, and activate() stores firstSequence before it opens the claim word. So an appender that slept between its
//      load of LOG_ACTIVE_SEGMENT and its fetch-add either fails (the window is full or closed) or has a good claim in a newer segment: it takes
//      sequence and address from the window, never from the segment number that it saw.
//   5. A window is recycled only when all its entries are committed (JournalSync): a claimed one is not, whether its length word is still 0 or
//      negative. So nothing is recycled under a slow appender. Readers announce themselves in their slot and look again (src/journal/tail.ts).
//   6. The low half cannot overflow into the count: before each fetch-add the appender loads the word and does not add if nothing can be claimed. Only
//      threads between that load and their addition add to a full window, each once, at most ENTRY_LENGTH_MAX: from CLOSED (2 GiB) up that
//      leaves room for 16,000 threads.
//   7. The thread that crosses and finds no READY successor answers STATUS_ROTATING. Whoever comes next - an appender, or the sync worker when it has
//      prepared the window - finds END_SEQUENCE and rotates.

import { ARENA_LOG_OFFSET } from "../layout/arena";
import {
  ENTRY_CRC32C_OFFSET,
  ENTRY_HEADER_LENGTH,
  ENTRY_KIND_OFFSET,
  ENTRY_KIND_PADDING,
  ENTRY_LAMPORT_OFFSET,
  ENTRY_LENGTH_MAX,
  ENTRY_LENGTH_OFFSET,
  ENTRY_SEQUENCE_OFFSET,
} from "../layout/entry";
import {
  LOG_ACTIVE_SEGMENT_OFFSET,
  LOG_COMMIT_NOTIFY_OFFSET,
  LOG_COMMIT_WAITERS_OFFSET,
  LOG_CURSOR_POSITION_OFFSET,
  LOG_CURSOR_SEGMENT_OFFSET,
  LOG_CURSOR_SEQUENCE_OFFSET,
  LOG_LAMPORT_OFFSET_OFFSET,
  LOG_SEGMENT_LENGTH_OFFSET,
  LOG_STATE_CLOSED,
  LOG_STATE_FULL,
  LOG_STATE_OFFSET,
  LOG_STATE_POISONED,
  LOG_SYNC_NOTIFY_OFFSET,
  LOG_SYNC_PARKED_OFFSET,
  LOG_SYNC_UNMAPPED_OFFSET,
  LOG_WINDOW_ADDRESS_OFFSET,
  LOG_WINDOW_CLAIM_OFFSET,
  LOG_WINDOW_END_SEQUENCE_OFFSET,
  LOG_WINDOW_FIRST_SEQUENCE_OFFSET,
  LOG_WINDOW_LENGTH,
  LOG_WINDOW_OFFSET,
  LOG_WINDOW_SEGMENT_OFFSET,
  LOG_WINDOW_STATE_OPEN,
  LOG_WINDOW_STATE_OPENING,
  LOG_WINDOW_STATE_READY,
  LOG_WINDOWS,
} from "../layout/log";
import { SEGMENT_CRC32C_OFFSET, SEGMENT_FIRST_SEQUENCE_OFFSET, SEGMENT_HEADER_LENGTH } from "../layout/segment";
import {
  STATUS_CLOSED,
  STATUS_EMPTY,
  STATUS_FULL,
  STATUS_POISONED,
  STATUS_ROTATING,
  STATUS_TOO_LONG,
} from "../layout/status";
import { crc32c } from "./crc32c";

/** Tries before journalReserve gives the thread back to its caller: long enough for another thread to finish a rotation that it has begun. */
const RESERVE_ATTEMPTS_MAX = 256;
/** The sync worker is asked each time the log grows over a multiple of this: it gives back memory that was written. */
const SYNC_STRIDE_BITS = 21;

/**
 * Claims room for an entry of `length` bytes: its address, with the length word (negative), sequence and lamport written and all else zero. Or
 * STATUS_ROTATING (try again: the next segment is being prepared), STATUS_FULL (no room on the disk), STATUS_TOO_LONG, STATUS_POISONED, STATUS_CLOSED.
 */
export function journalReserve(length: u32): i32 {
  const segmentLength = load<u32>(ARENA_LOG_OFFSET, LOG_SEGMENT_LENGTH_OFFSET);
  const taken = (length + 7) & ~7;
  if (length < <u32>ENTRY_HEADER_LENGTH || length > <u32>ENTRY_LENGTH_MAX || taken > segmentLength - SEGMENT_HEADER_LENGTH) {
    return STATUS_TOO_LONG;
  }
  for (let attempt = 0; attempt < RESERVE_ATTEMPTS_MAX; attempt++) {
    const state = atomic.load<u32>(ARENA_LOG_OFFSET, LOG_STATE_OFFSET);
    if (state == LOG_STATE_POISONED) return STATUS_POISONED;
    if (state == LOG_STATE_CLOSED) return STATUS_CLOSED;
    // Pairs with the store in activate.
    const segment = atomic.load<u32>(ARENA_LOG_OFFSET, LOG_ACTIVE_SEGMENT_OFFSET);
    const window = windowOf(segment);
    if ((atomic.load<u64>(window, LOG_WINDOW_CLAIM_OFFSET) as u32) <= segmentLength) {
      const claim = atomic.add<u64>(window, (1 << 32) | (taken as u64), LOG_WINDOW_CLAIM_OFFSET);
      const offset = claim as u32;
      if (offset <= segmentLength) {
        if (taken <= segmentLength - offset) return begin(window, claim, length, taken);
        closeWindow(window, claim, segmentLength);
      }
    }
    if (rotate(segment) == STATUS_FULL) return state == LOG_STATE_FULL ? STATUS_FULL : STATUS_ROTATING;
  }
  return STATUS_ROTATING;
}

// @ts-ignore: decorator
@inline
function windowOf(segment: u32): usize {
  return (ARENA_LOG_OFFSET + LOG_WINDOW_OFFSET + (segment % LOG_WINDOWS) * LOG_WINDOW_LENGTH) as usize;
}

// @ts-ignore: decorator
@inline
function begin(window: usize, claim: u64, length: u32, taken: u32): i32 {
  const offset = claim as u32;
  const address = (load<u32>(window, LOG_WINDOW_ADDRESS_OFFSET) + offset) as usize;
  const sequence = atomic.load<u64>(window, LOG_WINDOW_FIRST_SEQUENCE_OFFSET) + (claim >>> 32);
  // Negative: claimed, of this length. After a crash recovery knows from it where the next entry begins.
  atomic.store<i32>(address, -(length as i32), ENTRY_LENGTH_OFFSET);
  store<u64>(address, sequence, ENTRY_SEQUENCE_OFFSET);
  store<u64>(address, sequence + atomic.load<u64>(ARENA_LOG_OFFSET, LOG_LAMPORT_OFFSET_OFFSET), ENTRY_LAMPORT_OFFSET);
  if (offset >>> SYNC_STRIDE_BITS != (offset + taken) >>> SYNC_STRIDE_BITS) journalSyncRequest();
  return address as i32;
}

/** Ends the window's segment; `claim` is the one that crossed its end. */
function closeWindow(window: usize, claim: u64, segmentLength: u32): void {
  const offset = claim as u32;
  const rest = segmentLength - offset;
  // Where not even a header fits, the zeros that are there say so by themselves.
  if (rest >= <u32>ENTRY_HEADER_LENGTH) {
    const address = (load<u32>(window, LOG_WINDOW_ADDRESS_OFFSET) + offset) as usize;
    store<u16>(address, ENTRY_KIND_PADDING, ENTRY_KIND_OFFSET);
    store<u32>(address, crc32c(address + 8, ENTRY_HEADER_LENGTH - 8), ENTRY_CRC32C_OFFSET);
    // Pairs with the load in journalScan.
    atomic.store<i32>(address, rest as i32, ENTRY_LENGTH_OFFSET);
  }
  const first = atomic.load<u64>(window, LOG_WINDOW_FIRST_SEQUENCE_OFFSET);
  // Pairs with the load in rotate.
  atomic.store<u64>(window, first + (claim >>> 32), LOG_WINDOW_END_SEQUENCE_OFFSET);
}

/** Makes the successor of a full segment the active one, if it is ready. STATUS_FULL: the successor is missing; STATUS_ROTATING: look again. */
function rotate(segment: u32): i32 {
  // Pairs with the store in closeWindow. 0: the thread that crossed the end is not through yet.
  const end = atomic.load<u64>(windowOf(segment), LOG_WINDOW_END_SEQUENCE_OFFSET);
  if (end == 0) return STATUS_ROTATING;
  const answer = journalActivate(segment + 1, end);
  if (answer == STATUS_EMPTY) {
    if (atomic.load<u32>(ARENA_LOG_OFFSET, LOG_ACTIVE_SEGMENT_OFFSET) != segment) return STATUS_ROTATING;
    journalSyncRequest();
    return STATUS_FULL;
  }
  return STATUS_ROTATING;
}

/** For the sync worker, after it has made a window ready: rotates if the active segment is full already. */
export function journalRotate(): void {
  const segment = atomic.load<u32>(ARENA_LOG_OFFSET, LOG_ACTIVE_SEGMENT_OFFSET);
  const end = atomic.load<u64>(windowOf(segment), LOG_WINDOW_END_SEQUENCE_OFFSET);
  if (end != 0) journalActivate(segment + 1, end);
}

/** Opens a READY segment for appending, its first entry being `firstSequence`. 1, or STATUS_EMPTY when it is not ready or another thread does it. */
export function journalActivate(segment: u32, firstSequence: u64): i32 {
  const window = windowOf(segment);
  const ready = pairOf(segment, LOG_WINDOW_STATE_READY);
  const opening = pairOf(segment, LOG_WINDOW_STATE_OPENING);
  // Pairs with the store of READY in JournalSync.
  if (atomic.load<u64>(window, LOG_WINDOW_SEGMENT_OFFSET) != ready) return STATUS_EMPTY;
  if (atomic.cmpxchg<u64>(window, ready, opening, LOG_WINDOW_SEGMENT_OFFSET) != ready) return STATUS_EMPTY;
  activate(window, segment, firstSequence);
  return 1;
}

function activate(window: usize, segment: u32, firstSequence: u64): void {
  const address = load<u32>(window, LOG_WINDOW_ADDRESS_OFFSET) as usize;
  store<u64>(address, firstSequence, SEGMENT_FIRST_SEQUENCE_OFFSET);
  store<u32>(address, crc32c(address, SEGMENT_CRC32C_OFFSET), SEGMENT_CRC32C_OFFSET);
  atomic.store<u64>(window, firstSequence, LOG_WINDOW_FIRST_SEQUENCE_OFFSET);
  // Readers look at the pair, appenders at the active segment. The claim word comes first: see 4 at the top.
  atomic.store<u64>(window, SEGMENT_HEADER_LENGTH, LOG_WINDOW_CLAIM_OFFSET);
  atomic.store<u64>(window, pairOf(segment, LOG_WINDOW_STATE_OPEN), LOG_WINDOW_SEGMENT_OFFSET);
  // Pairs with the load in journalReserve.
  atomic.store<u32>(ARENA_LOG_OFFSET, segment, LOG_ACTIVE_SEGMENT_OFFSET);
  journalSyncRequest();
}

/** Segment and state, as the one u64 that they are at LOG_WINDOW_SEGMENT_OFFSET. */
// @ts-ignore: decorator
@inline
function pairOf(segment: u32, state: u64): u64 {
  return (state << 32) | (segment as u64);
}

/** The entry that journalReserve gave is filled in: from here on it survives the process (where the segment is mapped). */
export function journalCommit(address: usize): void {
  const length = -load<i32>(address, ENTRY_LENGTH_OFFSET);
  store<u32>(address, crc32c(address + 8, length - 8), ENTRY_CRC32C_OFFSET);
  // Pairs with the loads in journalScan and JournalTail.
  atomic.store<i32>(address, length, ENTRY_LENGTH_OFFSET);
}

/** Once per batch: wakes those that wait for entries. */
export function journalPublish(): void {
  // Pairs with the wait in JournalTail: it counts itself as a waiter, looks for entries, then waits for this word to change.
  atomic.add<u32>(ARENA_LOG_OFFSET, 1, LOG_COMMIT_NOTIFY_OFFSET);
  if (atomic.load<u32>(ARENA_LOG_OFFSET, LOG_COMMIT_WAITERS_OFFSET)) {
    atomic.notify(ARENA_LOG_OFFSET + LOG_COMMIT_NOTIFY_OFFSET, -1);
  }
  if (load<u32>(ARENA_LOG_OFFSET, LOG_SYNC_UNMAPPED_OFFSET)) journalSyncRequest();
}

/** Asks the sync worker to look at its work. */
export function journalSyncRequest(): void {
  // Pairs with the wait in JournalSync.
  atomic.add<u32>(ARENA_LOG_OFFSET, 1, LOG_SYNC_NOTIFY_OFFSET);
  if (atomic.load<u32>(ARENA_LOG_OFFSET, LOG_SYNC_PARKED_OFFSET)) {
    atomic.notify(ARENA_LOG_OFFSET + LOG_SYNC_NOTIFY_OFFSET, 1);
  }
}

/**
 * Moves a cursor (LOG_CURSOR_) over committed entries, padding included, at most entriesMax of them: how many. It stops at the first one that is not
 * committed, so everything behind it is contiguous. The caller sees to it that the cursor's window is not recycled meanwhile.
 */
export function journalScan(cursor: usize, entriesMax: i32): i32 {
  const last = load<u32>(ARENA_LOG_OFFSET, LOG_SEGMENT_LENGTH_OFFSET) - ENTRY_HEADER_LENGTH;
  let segment = load<u32>(cursor, LOG_CURSOR_SEGMENT_OFFSET);
  let offset = load<u32>(cursor, LOG_CURSOR_POSITION_OFFSET);
  let sequence = load<u64>(cursor, LOG_CURSOR_SEQUENCE_OFFSET);
  let count = 0;
  while (count < entriesMax) {
    const window = windowOf(segment);
    // Pairs with the store in activate.
    if (atomic.load<u64>(window, LOG_WINDOW_SEGMENT_OFFSET) != pairOf(segment, LOG_WINDOW_STATE_OPEN)) break;
    const address = load<u32>(window, LOG_WINDOW_ADDRESS_OFFSET) as usize;
    while (offset <= last && count < entriesMax) {
      // Pairs with the stores in journalCommit and closeWindow.
      const length = atomic.load<i32>(address + offset, ENTRY_LENGTH_OFFSET);
      if (length <= 0) break;
      const found = load<u64>(address + offset, ENTRY_SEQUENCE_OFFSET);
      if (found != 0) sequence = found;
      offset += (length + 7) & ~7;
      count += 1;
    }
    if (offset <= last) break;
    segment += 1;
    offset = SEGMENT_HEADER_LENGTH;
  }
  store<u32>(cursor, segment, LOG_CURSOR_SEGMENT_OFFSET);
  store<u32>(cursor, offset, LOG_CURSOR_POSITION_OFFSET);
  store<u64>(cursor, sequence, LOG_CURSOR_SEQUENCE_OFFSET);
  return count;
}

/**
 * Walks private bytes at `address` (a copy of a part of a segment: hostile) from offset `from` to `to`: the offset of the first entry that is not whole
 * and right. Whoever calls compares sequences.
 */
export function journalVerify(address: usize, from: u32, to: u32): u32 {
  let offset = from;
  while (to - offset >= <u32>ENTRY_HEADER_LENGTH) {
    const entry = address + offset;
    const length = load<i32>(entry, ENTRY_LENGTH_OFFSET);
    if (length < ENTRY_HEADER_LENGTH || length > ENTRY_LENGTH_MAX) break;
    const taken = ((length + 7) & ~7) as u32;
    if (taken > to - offset) break;
    const covered = load<u16>(entry, ENTRY_KIND_OFFSET) == ENTRY_KIND_PADDING ? ENTRY_HEADER_LENGTH : length;
    if (load<u32>(entry, ENTRY_CRC32C_OFFSET) != crc32c(entry + 8, covered - 8)) break;
    offset += taken;
  }
  return offset;
}
