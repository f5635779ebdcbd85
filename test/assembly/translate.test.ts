import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import {
  ENTRY_CRC32C_OFFSET,
  ENTRY_SEQUENCE_OFFSET,
  ENTRY_TIME_NS_OFFSET,
  ENTRY_TYPE_OFFSET,
} from '../../layout/entry.ts';
import { INGEST_SCRATCH_SETTLED_OFFSET } from '../../layout/ingest.ts';
import {
  KERNEL_OP_COUNT,
  KERNEL_OP_FILE_TRUNCATE,
  KERNEL_OP_SYNC,
  KERNEL_VARIANT_COUNT,
  KERNEL_VARIANT_FALLOCATE,
  KERNEL_VARIANT_FDATASYNC,
  KERNEL_VARIANT_FTRUNCATE,
  KERNEL_VARIANT_SYNCFS,
} from '../../layout/kernel-record.ts';
import { decodeKernelRecord, encodeKernelRecord } from '../../src/event/kernel-record.ts';
import { OPERATION_TYPES } from '../../src/event/operation.ts';
import { eventTypeName } from '../../src/event/type-name.ts';
import { anyKernelRecord } from '../support/kernel-records.ts';
import { testLog } from '../support/log.ts';

describe('translation', () => {
  test('gives each operation, whatever the variant, one of the types that it can become', () => {
    const { wasm } = testLog(65536);
    for (let op = 0; op < KERNEL_OP_COUNT; op++) {
      for (let variant = 0; variant < KERNEL_VARIANT_COUNT; variant++) {
        expect(OPERATION_TYPES[op]).toContain(eventTypeName(wasm.translateType(op, variant)));
      }
    }
    const nameOf = (op: number, variant: number) => eventTypeName(wasm.translateType(op, variant));
    expect(nameOf(KERNEL_OP_FILE_TRUNCATE, KERNEL_VARIANT_FTRUNCATE)).toBe('fs.truncate');
    expect(nameOf(KERNEL_OP_FILE_TRUNCATE, KERNEL_VARIANT_FALLOCATE)).toBe('access.fallocate');
    expect(nameOf(KERNEL_OP_SYNC, KERNEL_VARIANT_SYNCFS)).toBe('system.sync');
    expect(nameOf(KERNEL_OP_SYNC, KERNEL_VARIANT_FDATASYNC)).toBe('access.fsync');
  });

  test('loses nothing: the record that went in comes out again, field for field', () => {
    const { arena, wasm, entries } = testLog(8 * 1024 * 1024);
    const scratch = arena.region(ARENA_REGION_SCRATCH).address + INGEST_SCRATCH_SETTLED_OFFSET;
    let expectedSequence = 0n;
    fc.assert(
      fc.property(anyKernelRecord, fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }), (record, clockOffsetNs) => {
        const length = encodeKernelRecord(record, arena.bytes, scratch);
        expect(wasm.recordCheck(scratch, length)).toBe(0);
        const before = arena.bytes.slice(scratch, scratch + length);
        const entry = wasm.translateRecord(scratch, clockOffsetNs);
        expect(entry).toBeGreaterThan(0);
        expectedSequence += 1n;
        expect(arena.view.getBigUint64(entry + ENTRY_SEQUENCE_OFFSET, true)).toBe(expectedSequence);
        expect(arena.view.getBigInt64(entry + ENTRY_TIME_NS_OFFSET, true)).toBe(
          BigInt.asIntN(64, record.timeNs + clockOffsetNs),
        );
        expect(arena.view.getUint32(entry + ENTRY_TYPE_OFFSET, true)).toBe(
          wasm.translateType(record.op, record.variant),
        );
        const stored = arena.view.getInt32(entry, true);
        expect(arena.view.getUint32(entry + ENTRY_CRC32C_OFFSET, true)).toBe(wasm.crc32c(entry + 8, stored - 8) >>> 0);
        arena.bytes.fill(0xee, scratch, scratch + length);
        expect(wasm.recordFromEntry(entry, scratch)).toBe(length);
        expect(arena.bytes.slice(scratch, scratch + length)).toEqual(before);
        expect(decodeKernelRecord(arena.bytes, scratch, length)).toEqual(decodeKernelRecord(before, 0, length));
      }),
    );
    expect(entries().length).toBe(Number(expectedSequence));
  });
});
