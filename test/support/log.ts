// An append log in plain memory: one window, opened as the journal would, for tests of what appends to it.

import { ARENA_LOG_OFFSET, ARENA_REGION_JOURNAL_WINDOW, ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import { ENTRY_LENGTH_OFFSET } from '../../layout/entry.ts';
import { INGEST_SCRATCH_LENGTH } from '../../layout/ingest.ts';
import {
  LOG_SEGMENT_LENGTH_OFFSET,
  LOG_WINDOW_ADDRESS_OFFSET,
  LOG_WINDOW_OFFSET,
  LOG_WINDOW_SEGMENT_OFFSET,
  LOG_WINDOW_STATE_READY,
} from '../../layout/log.ts';
import { SEGMENT_HEADER_LENGTH } from '../../layout/segment.ts';
import type { RegionRequest } from '../../src/arena/arena.ts';
import { type TestArena, testArena } from './arena.ts';

export interface TestLog extends TestArena {
  window: number;
  /** Copies of the committed entries, in order. */
  entries(): Uint8Array[];
}

export function testLog(segmentLength: number, regions: readonly RegionRequest[] = []): TestLog {
  const { arena, wasm } = testArena([
    { kind: ARENA_REGION_JOURNAL_WINDOW, length: segmentLength },
    { kind: ARENA_REGION_SCRATCH, length: INGEST_SCRATCH_LENGTH },
    { kind: ARENA_REGION_SCRATCH, number: 1, length: 8192 },
    ...regions,
  ]);
  const window = arena.region(ARENA_REGION_JOURNAL_WINDOW).address;
  const control = ARENA_LOG_OFFSET + LOG_WINDOW_OFFSET;
  arena.view.setUint32(ARENA_LOG_OFFSET + LOG_SEGMENT_LENGTH_OFFSET, segmentLength, true);
  arena.view.setUint32(control + LOG_WINDOW_ADDRESS_OFFSET, window, true);
  arena.view.setBigUint64(control + LOG_WINDOW_SEGMENT_OFFSET, BigInt(LOG_WINDOW_STATE_READY) << 32n, true);
  wasm.journalActivate(0, 1n);
  const entries = (): Uint8Array[] => {
    const found: Uint8Array[] = [];
    let at = window + SEGMENT_HEADER_LENGTH;
    for (;;) {
      const length = arena.view.getInt32(at + ENTRY_LENGTH_OFFSET, true);
      if (length <= 0) return found;
      found.push(arena.bytes.slice(at, at + length));
      at += Math.ceil(length / 8) * 8;
    }
  };
  return { arena, wasm, window, entries };
}
