// What a dead ingest worker leaves half done, put right before its replacement starts: entries that it claimed and never committed, and a lane table
// that is behind the journal.
//
//   1. A claimed entry becomes a VOID one that keeps its sequence. Its record is still in the ring (the ring is released after the entries are committed), so
//      nothing is lost: the replacement appends it again.
//   2. Records that were committed but not released come again, too: the lane table, raised to what the journal holds, tells that they are duplicates.
//
//   3. A segment that it was opening is opened again.
//
// The worker is dead, and the only other appender is the engine's own thread, which runs this: nobody else claims meanwhile.

import { ARENA_INGEST_OFFSET } from '../../layout/arena.ts';
import * as entry from '../../layout/entry.ts';
import { INGEST_LANES_OFFSET } from '../../layout/ingest.ts';
import { LANES_MAX } from '../../layout/limits.ts';
import * as log from '../../layout/log.ts';
import { SEGMENT_HEADER_LENGTH } from '../../layout/segment.ts';
import type { Arena } from '../arena/arena.ts';
import type { Wasm } from '../arena/wasm.ts';
import { LogControl } from '../journal/log-control.ts';

/** How many claimed entries were closed. */
export function repairAfterIngest(arena: Arena, wasm: Wasm): number {
  const control = new LogControl(arena);
  repairRotation(control, wasm);
  const active = control.activeSegment;
  let holes = 0;
  // A batch lies in the active segment, or began in the one before it.
  for (const segment of active === 0 ? [0] : [active - 1, active]) {
    if (control.isOpen(segment)) holes += repairSegment(arena, wasm, control, segment);
  }
  wasm.journalPublish();
  return holes;
}

/** A worker that died while it was opening the next segment: nobody has appended there yet, because it is not the active one. It is opened again. */
function repairRotation(control: LogControl, wasm: Wasm): void {
  const next = control.activeSegment + 1;
  const window = control.windowOf(next);
  const { segment, state } = control.pair(window);
  const isHalfOpen = state === log.LOG_WINDOW_STATE_OPENING || state === log.LOG_WINDOW_STATE_OPEN;
  if (segment !== next || !isHalfOpen) return;
  control.storeLong(window + log.LOG_WINDOW_CLAIM_OFFSET, BigInt(log.LOG_CLAIM_CLOSED));
  control.storePair(window, next, log.LOG_WINDOW_STATE_READY);
  wasm.journalRotate();
}

function repairSegment(arena: Arena, wasm: Wasm, control: LogControl, segment: number): number {
  const { view } = arena;
  const address = control.windowAddress(segment);
  const claim = control.loadLong(control.windowOf(segment) + log.LOG_WINDOW_CLAIM_OFFSET);
  const end = Math.min(Number(claim & 0xffffffffn), control.segmentLength);
  let sequence = control.windowFirstSequence(segment);
  let offset = SEGMENT_HEADER_LENGTH;
  let holes = 0;
  while (offset + entry.ENTRY_HEADER_LENGTH <= end) {
    const at = address + offset;
    let length = view.getInt32(at + entry.ENTRY_LENGTH_OFFSET, true);
    if (length <= 0) {
      length = holeLength(arena, { address, offset, end, length, sequence });
      closeHole(arena, wasm, at, length, sequence);
      holes += 1;
    }
    const isEndPadding = view.getBigUint64(at + entry.ENTRY_SEQUENCE_OFFSET, true) === 0n;
    if (!isEndPadding) sequence += 1n;
    raiseLane(arena, at);
    offset += Math.ceil(length / entry.ENTRY_ALIGNMENT) * entry.ENTRY_ALIGNMENT;
  }
  return holes;
}

/** The claim's extent: as its length word says, else up to the next entry, which has the next sequence, else up to the end of what was claimed. */
function holeLength(
  arena: Arena,
  hole: { address: number; offset: number; end: number; length: number; sequence: bigint },
): number {
  if (hole.length < 0) return -hole.length;
  const first = hole.offset + entry.ENTRY_HEADER_LENGTH;
  for (let offset = first; offset + entry.ENTRY_HEADER_LENGTH <= hole.end; offset += entry.ENTRY_ALIGNMENT) {
    const at = hole.address + offset;
    const isEntry = arena.view.getInt32(at + entry.ENTRY_LENGTH_OFFSET, true) !== 0;
    if (isEntry && arena.view.getBigUint64(at + entry.ENTRY_SEQUENCE_OFFSET, true) === hole.sequence + 1n) {
      return offset - hole.offset;
    }
  }
  return hole.end - hole.offset;
}

function closeHole(arena: Arena, wasm: Wasm, at: number, length: number, sequence: bigint): void {
  const { view, bytes } = arena;
  bytes.fill(0, at + entry.ENTRY_CRC32C_OFFSET, at + length);
  view.setBigUint64(at + entry.ENTRY_SEQUENCE_OFFSET, sequence, true);
  view.setUint16(at + entry.ENTRY_KIND_OFFSET, entry.ENTRY_KIND_VOID, true);
  view.setUint32(at + entry.ENTRY_CRC32C_OFFSET, wasm.crc32c(at + 8, length - 8), true);
  // Pairs with the load in journalScan: last, as in journalCommit.
  Atomics.store(arena.i32, (at + entry.ENTRY_LENGTH_OFFSET) / 4, length);
}

/** A lane is as far as its last event, or the last gap that was told of it. */
function raiseLane(arena: Arena, at: number): void {
  const { view } = arena;
  const lane = view.getUint32(at + entry.ENTRY_CPU_OFFSET, true);
  const sequence = laneSequenceOf(arena, at);
  if (lane >= LANES_MAX || sequence === 0n) return;
  const slot = ARENA_INGEST_OFFSET + INGEST_LANES_OFFSET + lane * 8;
  if (sequence > view.getBigUint64(slot, true)) view.setBigUint64(slot, sequence, true);
}

function laneSequenceOf(arena: Arena, at: number): bigint {
  const { view } = arena;
  const kind = view.getUint16(at + entry.ENTRY_KIND_OFFSET, true);
  // gapAppend: from, to, count are the first three fields.
  if (kind === entry.ENTRY_KIND_GAP) return view.getBigUint64(at + entry.ENTRY_HEADER_LENGTH + 8, true);
  const origin = view.getUint32(at + entry.ENTRY_SUBTYPE_OFFSET, true) >>> 24;
  if (kind !== entry.ENTRY_KIND_EVENT || origin !== entry.ENTRY_ORIGIN_KERNEL) return 0n;
  return view.getBigUint64(at + entry.ENTRY_LOCAL_SEQUENCE_OFFSET, true);
}
