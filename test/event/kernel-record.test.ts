import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import * as layout from '../../layout/kernel-record.ts';
import { PATH_LENGTH_MAX } from '../../layout/limits.ts';
import {
  decodeKernelRecord,
  encodeKernelRecord,
  type KernelRecord,
  kernelRecord,
  kernelRecordFault,
  kernelRecordLength,
} from '../../src/event/kernel-record.ts';

const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const path = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  fc.integer({ min: PATH_LENGTH_MAX - 1, max: PATH_LENGTH_MAX }).map((length) => new Uint8Array(length).fill(0x61)),
);
const anyRecord: fc.Arbitrary<KernelRecord> = fc.record({
  op: fc.integer({ min: 0, max: layout.KERNEL_OP_COUNT - 1 }),
  variant: fc.integer({ min: 0, max: layout.KERNEL_VARIANT_COUNT - 1 }),
  flags: u16,
  cpu: u32,
  timeNs: u64,
  durationNs: u64,
  laneSequence: u64,
  inode: u64,
  device: u64,
  size: u64,
  amount: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  argument: u64,
  pid: u32,
  tid: u32,
  uid: u32,
  gid: u32,
  error: u32,
  mode: u32,
  submitDelayNs: u32,
  comm: fc.array(fc.integer({ min: 1, max: 255 }), { maxLength: 16 }).map((bytes) => Uint8Array.from(bytes)),
  path,
  path2: path,
});

/** Typed arrays of the same bytes, whatever they are views of. */
function plain(record: KernelRecord): Record<string, unknown> {
  return { ...record, comm: [...record.comm], path: [...record.path], path2: [...record.path2] };
}

describe('kernel record', () => {
  test.prop([anyRecord, fc.integer({ min: 0, max: 31 })])(
    'comes back as it went in, at any offset',
    (record, offset) => {
      const bytes = new Uint8Array(offset + kernelRecordLength(record) + 8).fill(0xee);
      const length = encodeKernelRecord(record, bytes, offset);
      expect(length).toBe(kernelRecordLength(record));
      expect(plain(decodeKernelRecord(bytes, offset, length))).toEqual(plain(record));
      expect([...bytes.subarray(0, offset)].every((byte) => byte === 0xee)).toBe(true);
      expect([...bytes.subarray(offset + length)].every((byte) => byte === 0xee)).toBe(true);
    },
  );

  test.prop([
    fc.uint8Array({ maxLength: 400 }),
    fc.integer({ min: -10, max: 500 }),
    fc.integer({ min: -10, max: 9000 }),
  ])('refuses random bytes with a typed error, and never reads outside', (bytes, offset, length) => {
    expect(() => decodeKernelRecord(bytes, offset, length)).toThrow(/^kernel record at /);
  });

  test.prop([anyRecord, fc.integer({ min: 0, max: 111 }), u32])(
    'takes or refuses a damaged header, but does not crash',
    (record, at, value) => {
      const bytes = new Uint8Array(kernelRecordLength(record));
      const length = encodeKernelRecord(record, bytes, 0);
      new DataView(bytes.buffer).setUint32(at, value, true);
      const fault = kernelRecordFault(bytes, length);
      if (fault === undefined) expect(kernelRecordLength(decodeKernelRecord(bytes, 0, length))).toBe(length);
      else expect(() => decodeKernelRecord(bytes, 0, length)).toThrow(fault);
    },
  );

  it('has a copy of its own: what happens to the shared bytes afterwards does not show', () => {
    const bytes = new Uint8Array(new SharedArrayBuffer(256));
    const length = encodeKernelRecord(kernelRecord({ path: Buffer.from('/a') }), bytes, 0);
    const record = decodeKernelRecord(bytes, 0, length);
    bytes.fill(0);
    expect(Buffer.from(record.path).toString()).toBe('/a');
  });

  it('refuses what breaks a rule, and says which', () => {
    const bytes = new Uint8Array(512);
    const length = encodeKernelRecord(kernelRecord({ path: Buffer.from('/some/path') }), bytes, 0);
    const cases: [number, number, RegExp][] = [
      [layout.KERNEL_RECORD_VERSION_OFFSET, 2, /version=2, expected 1/],
      [layout.KERNEL_RECORD_OP_OFFSET, layout.KERNEL_OP_COUNT, /op=18, opCount=18/],
      [layout.KERNEL_RECORD_VARIANT_OFFSET, layout.KERNEL_VARIANT_COUNT, /variant=63/],
      [layout.KERNEL_RECORD_PATH_LENGTH_OFFSET, 9, /own length=138, header and paths=137/],
      [layout.KERNEL_RECORD_PATH2_LENGTH_OFFSET, PATH_LENGTH_MAX + 1, /path2Length=4096, pathLengthMax=4095/],
      [layout.KERNEL_RECORD_LENGTH_OFFSET, 139, /own length=139/],
    ];
    for (const [at, value, message] of cases) {
      const damaged = bytes.slice();
      new DataView(damaged.buffer).setUint16(at, value, true);
      expect(() => decodeKernelRecord(damaged, 0, length)).toThrow(message);
    }
    expect(() => decodeKernelRecord(bytes, 0, length - 1)).toThrow(/length=137/);
    expect(() => decodeKernelRecord(bytes, 500, length)).toThrow(/only 12 bytes are there/);
  });

  it('does not write a path or a comm that is too long, nor behind the end', () => {
    const long = new Uint8Array(PATH_LENGTH_MAX + 1);
    const bytes = new Uint8Array(20000);
    expect(() => encodeKernelRecord(kernelRecord({ path: long }), bytes, 0)).toThrow(/pathLength=4096/);
    expect(() => encodeKernelRecord(kernelRecord({ path2: long }), bytes, 0)).toThrow(/path2Length=4096/);
    expect(() => encodeKernelRecord(kernelRecord({ comm: new Uint8Array(17) }), bytes, 0)).toThrow(/commLength=17/);
    expect(() => encodeKernelRecord(kernelRecord({}), bytes, 20000 - 127)).toThrow(/room=20000/);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });

  it('agrees with the layout on the longest record', () => {
    const longest = new Uint8Array(PATH_LENGTH_MAX);
    expect(kernelRecordLength(kernelRecord({ path: longest, path2: longest }))).toBe(layout.KERNEL_RECORD_LENGTH_MAX);
  });
});
