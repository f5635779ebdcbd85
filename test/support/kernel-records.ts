// Kernel records for property tests.

import fc from 'fast-check';
import { KERNEL_OP_COUNT, KERNEL_VARIANT_COUNT } from '../../layout/kernel-record.ts';
import type { KernelRecord } from '../../src/event/kernel-record.ts';

const u32 = fc.oneof(fc.constant(0), fc.nat(0xffffffff));
const u64 = fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
const pathBytes = fc.uint8Array({ min: 1, maxLength: 300 });

/** Any record that passes the check: every field over its whole range, names of any bytes but NUL. */
export const anyKernelRecord: fc.Arbitrary<KernelRecord> = fc.record({
  op: fc.nat(KERNEL_OP_COUNT - 1),
  variant: fc.nat(KERNEL_VARIANT_COUNT - 1),
  flags: fc.nat(0xffff),
  cpu: fc.nat(1023),
  timeNs: u64,
  durationNs: u64,
  laneSequence: u64,
  inode: u64,
  device: u64,
  size: u64,
  amount: fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  argument: u64,
  pid: u32,
  tid: u32,
  uid: u32,
  gid: u32,
  error: u32,
  mode: u32,
  submitDelayNs: u32,
  comm: fc.uint8Array({ min: 1, maxLength: 16 }),
  path: pathBytes,
  path2: pathBytes,
});
