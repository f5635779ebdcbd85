// A worker can be ended between any two instructions: each place where that matters is made by hand here, and put right.

import { beforeEach, describe, expect, test } from 'vitest';
import { ARENA_INGEST_OFFSET, ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import { ENTRY_KIND_EVENT, ENTRY_KIND_OFFSET, ENTRY_KIND_VOID, ENTRY_SEQUENCE_OFFSET } from '../../layout/entry.ts';
import { INGEST_LANES_OFFSET, INGEST_SCRATCH_SETTLED_OFFSET } from '../../layout/ingest.ts';
import * as log from '../../layout/log.ts';
import { repairAfterIngest } from '../../src/engine/repair.ts';
import { encodeKernelRecord, kernelRecord } from '../../src/event/kernel-record.ts';
import { LogControl } from '../../src/journal/log-control.ts';
import { type TestLog, testLog } from '../support/log.ts';

let made: TestLog;

beforeEach(() => {
  made = testLog(65536);
});

function append(laneSequence: bigint, cpu = 1): number {
  const { arena, wasm } = made;
  const scratch = arena.region(ARENA_REGION_SCRATCH).address + INGEST_SCRATCH_SETTLED_OFFSET;
  encodeKernelRecord(kernelRecord({ cpu, laneSequence, path: Buffer.from('/a/path') }), arena.bytes, scratch);
  return wasm.translateRecord(scratch, 0n);
}

const story = () =>
  made.entries().map((entry) => {
    const view = new DataView(entry.buffer);
    return [view.getUint16(ENTRY_KIND_OFFSET, true), Number(view.getBigUint64(ENTRY_SEQUENCE_OFFSET, true))];
  });
const lane = (cpu: number) => made.arena.view.getBigUint64(ARENA_INGEST_OFFSET + INGEST_LANES_OFFSET + cpu * 8, true);

describe('repairAfterIngest', () => {
  test.each(['before', 'after'])(
    'closes a claim that was never committed, ended %s its length was stored, with entries behind it',
    (when) => {
      const { arena, wasm } = made;
      append(1n);
      const hole = wasm.journalReserve(300);
      if (when === 'before') {
        Atomics.store(arena.i32, hole / 4, 0);
        arena.view.setBigUint64(hole + ENTRY_SEQUENCE_OFFSET, 0n, true);
      }
      append(2n);
      expect(story().length).toBe(1);
      expect(repairAfterIngest(arena, wasm)).toBe(1);
      expect(story()).toEqual([
        [ENTRY_KIND_EVENT, 1],
        [ENTRY_KIND_VOID, 2],
        [ENTRY_KIND_EVENT, 3],
      ]);
      expect(repairAfterIngest(arena, wasm)).toBe(0);
      append(3n);
      expect(story().at(-1)).toEqual([ENTRY_KIND_EVENT, 4]);
    },
  );

  test('closes a claim at the very end', () => {
    const { arena, wasm } = made;
    append(1n);
    Atomics.store(arena.i32, wasm.journalReserve(200) / 4, 0);
    expect(repairAfterIngest(arena, wasm)).toBe(1);
    append(2n);
    expect(story()).toEqual([
      [ENTRY_KIND_EVENT, 1],
      [ENTRY_KIND_VOID, 2],
      [ENTRY_KIND_EVENT, 3],
    ]);
  });

  test('raises each lane to what the journal holds of it', () => {
    append(7n, 1);
    append(3n, 2);
    append(8n, 1);
    repairAfterIngest(made.arena, made.wasm);
    expect([lane(0), lane(1), lane(2)]).toEqual([0n, 8n, 3n]);
  });

  test.each([log.LOG_WINDOW_STATE_OPENING, log.LOG_WINDOW_STATE_OPEN])(
    'opens the next segment again when its opening was cut off in state %s',
    (state) => {
      const { arena, wasm } = made;
      const control = new LogControl(arena);
      const next = control.windowOf(1);
      // The second segment lies where a region of the test's own is: the first half of it is enough.
      control.store(next + log.LOG_WINDOW_ADDRESS_OFFSET, made.window);
      while (wasm.journalReserve(1000) > 0);
      control.storePair(next, 1, state);
      control.storeLong(next + log.LOG_WINDOW_CLAIM_OFFSET, 4096n);
      expect(wasm.journalReserve(200)).toBeLessThan(0);
      made.arena.bytes.fill(0, made.window, made.window + 65536);
      repairAfterIngest(arena, wasm);
      expect(control.activeSegment).toBe(1);
      expect(wasm.journalReserve(200)).toBeGreaterThan(0);
    },
  );
});
