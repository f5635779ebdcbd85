// The kernel record as an object (layout/kernel-record.ts has the format and its validity rules). The data plane reads and writes records in
// wasm; this is for the sources that are not the kernel, for the recorder, and for tests.

import {
  KERNEL_OP_COUNT,
  KERNEL_RECORD_AMOUNT_OFFSET,
  KERNEL_RECORD_ARGUMENT_OFFSET,
  KERNEL_RECORD_COMM_OFFSET,
  KERNEL_RECORD_CPU_OFFSET,
  KERNEL_RECORD_DEVICE_OFFSET,
  KERNEL_RECORD_DURATION_NS_OFFSET,
  KERNEL_RECORD_ERROR_OFFSET,
  KERNEL_RECORD_FLAGS_OFFSET,
  KERNEL_RECORD_GID_OFFSET,
  KERNEL_RECORD_HEADER_LENGTH,
  KERNEL_RECORD_INODE_OFFSET,
  KERNEL_RECORD_LANE_SEQUENCE_OFFSET,
  KERNEL_RECORD_LENGTH_MAX,
  KERNEL_RECORD_LENGTH_OFFSET,
  KERNEL_RECORD_MODE_OFFSET,
  KERNEL_RECORD_OP_OFFSET,
  KERNEL_RECORD_PATH_LENGTH_OFFSET,
  KERNEL_RECORD_PATH2_LENGTH_OFFSET,
  KERNEL_RECORD_PID_OFFSET,
  KERNEL_RECORD_SIZE_OFFSET,
  KERNEL_RECORD_SUBMIT_DELAY_NS_OFFSET,
  KERNEL_RECORD_TID_OFFSET,
  KERNEL_RECORD_TIME_NS_OFFSET,
  KERNEL_RECORD_UID_OFFSET,
  KERNEL_RECORD_VARIANT_OFFSET,
  KERNEL_RECORD_VERSION,
  KERNEL_RECORD_VERSION_OFFSET,
  KERNEL_VARIANT_COUNT,
} from '../../layout/kernel-record.ts';
import { COMM_LENGTH, PATH_LENGTH_MAX } from '../../layout/limits.ts';
import { CausewayError } from '../base/errors.ts';

export interface KernelRecord {
  op: number;
  variant: number;
  flags: number;
  cpu: number;
  timeNs: bigint;
  durationNs: bigint;
  laneSequence: bigint;
  inode: bigint;
  device: bigint;
  size: bigint;
  /** Signed. */
  amount: bigint;
  argument: bigint;
  pid: number;
  tid: number;
  uid: number;
  gid: number;
  error: number;
  mode: number;
  submitDelayNs: number;
  /** Without the NULs that fill it up; at most COMM_LENGTH bytes. */
  comm: Uint8Array;
  path: Uint8Array;
  path2: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/** A record with these fields, and zero or nothing in all others. */
export function kernelRecord(fields: Partial<KernelRecord>): KernelRecord {
  return {
    op: 0,
    variant: 0,
    flags: 0,
    cpu: 0,
    timeNs: 0n,
    durationNs: 0n,
    laneSequence: 0n,
    inode: 0n,
    device: 0n,
    size: 0n,
    amount: 0n,
    argument: 0n,
    pid: 0,
    tid: 0,
    uid: 0,
    gid: 0,
    error: 0,
    mode: 0,
    submitDelayNs: 0,
    comm: NO_BYTES,
    path: NO_BYTES,
    path2: NO_BYTES,
    ...fields,
  };
}

export function kernelRecordLength(record: KernelRecord): number {
  return KERNEL_RECORD_HEADER_LENGTH + record.path.length + record.path2.length;
}

/**
 * Writes the record at `offset` and answers its length. Numbers are stored modulo their width, as typed arrays do.
 * @throws CausewayError RECORD_TOO_LONG when a path or the comm exceeds its limit; RangeError when the bytes end before the record.
 */
export function encodeKernelRecord(record: KernelRecord, bytes: Uint8Array, offset: number): number {
  const { path, path2, comm } = record;
  if (path.length > PATH_LENGTH_MAX || path2.length > PATH_LENGTH_MAX || comm.length > COMM_LENGTH) {
    throw new CausewayError(
      'RECORD_TOO_LONG',
      `kernel record: pathLength=${path.length}, path2Length=${path2.length}, pathLengthMax=${PATH_LENGTH_MAX}, ` +
        `commLength=${comm.length}, commLengthMax=${COMM_LENGTH}`,
    );
  }
  const length = kernelRecordLength(record);
  if (offset < 0 || offset + length > bytes.length) {
    throw new RangeError(`kernel record: offset=${offset}, length=${length}, room=${bytes.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, KERNEL_RECORD_HEADER_LENGTH);
  view.setUint32(KERNEL_RECORD_LENGTH_OFFSET, length, true);
  view.setUint16(KERNEL_RECORD_VERSION_OFFSET, KERNEL_RECORD_VERSION, true);
  view.setUint16(KERNEL_RECORD_OP_OFFSET, record.op, true);
  view.setUint16(KERNEL_RECORD_VARIANT_OFFSET, record.variant, true);
  view.setUint16(KERNEL_RECORD_FLAGS_OFFSET, record.flags, true);
  view.setUint32(KERNEL_RECORD_CPU_OFFSET, record.cpu, true);
  view.setBigUint64(KERNEL_RECORD_TIME_NS_OFFSET, record.timeNs, true);
  view.setBigUint64(KERNEL_RECORD_DURATION_NS_OFFSET, record.durationNs, true);
  view.setBigUint64(KERNEL_RECORD_LANE_SEQUENCE_OFFSET, record.laneSequence, true);
  view.setBigUint64(KERNEL_RECORD_INODE_OFFSET, record.inode, true);
  view.setBigUint64(KERNEL_RECORD_DEVICE_OFFSET, record.device, true);
  view.setBigUint64(KERNEL_RECORD_SIZE_OFFSET, record.size, true);
  view.setBigInt64(KERNEL_RECORD_AMOUNT_OFFSET, record.amount, true);
  view.setBigUint64(KERNEL_RECORD_ARGUMENT_OFFSET, record.argument, true);
  view.setUint32(KERNEL_RECORD_PID_OFFSET, record.pid, true);
  view.setUint32(KERNEL_RECORD_TID_OFFSET, record.tid, true);
  view.setUint32(KERNEL_RECORD_UID_OFFSET, record.uid, true);
  view.setUint32(KERNEL_RECORD_GID_OFFSET, record.gid, true);
  view.setUint32(KERNEL_RECORD_ERROR_OFFSET, record.error, true);
  view.setUint32(KERNEL_RECORD_MODE_OFFSET, record.mode, true);
  view.setUint32(KERNEL_RECORD_SUBMIT_DELAY_NS_OFFSET, record.submitDelayNs, true);
  view.setUint16(KERNEL_RECORD_PATH_LENGTH_OFFSET, path.length, true);
  view.setUint16(KERNEL_RECORD_PATH2_LENGTH_OFFSET, path2.length, true);
  const commAt = offset + KERNEL_RECORD_COMM_OFFSET;
  bytes.fill(0, commAt, commAt + COMM_LENGTH);
  bytes.set(comm, commAt);
  bytes.set(path, offset + KERNEL_RECORD_HEADER_LENGTH);
  bytes.set(path2, offset + KERNEL_RECORD_HEADER_LENGTH + path.length);
  return length;
}

/**
 * The record in bytes[offset, offset + length). The bytes are copied before they are checked: they may lie in memory that somebody else can write.
 * @param length What the ring or file says that the record has; it must agree with what the record itself says.
 * @throws CausewayError EVENT_INVALID with the rule that is broken.
 */
export function decodeKernelRecord(bytes: Uint8Array, offset: number, length: number): KernelRecord {
  const copy =
    offset >= 0 && length >= 0 ? bytes.slice(offset, offset + Math.min(length, KERNEL_RECORD_LENGTH_MAX)) : NO_BYTES;
  const fault = kernelRecordFault(copy, length);
  if (fault !== undefined) throw new CausewayError('EVENT_INVALID', `kernel record at ${offset}: ${fault}`);
  const view = new DataView(copy.buffer, copy.byteOffset, KERNEL_RECORD_HEADER_LENGTH);
  const pathEnd = KERNEL_RECORD_HEADER_LENGTH + view.getUint16(KERNEL_RECORD_PATH_LENGTH_OFFSET, true);
  const comm = copy.subarray(KERNEL_RECORD_COMM_OFFSET, KERNEL_RECORD_COMM_OFFSET + COMM_LENGTH);
  const commEnd = comm.indexOf(0);
  return {
    op: view.getUint16(KERNEL_RECORD_OP_OFFSET, true),
    variant: view.getUint16(KERNEL_RECORD_VARIANT_OFFSET, true),
    flags: view.getUint16(KERNEL_RECORD_FLAGS_OFFSET, true),
    cpu: view.getUint32(KERNEL_RECORD_CPU_OFFSET, true),
    timeNs: view.getBigUint64(KERNEL_RECORD_TIME_NS_OFFSET, true),
    durationNs: view.getBigUint64(KERNEL_RECORD_DURATION_NS_OFFSET, true),
    laneSequence: view.getBigUint64(KERNEL_RECORD_LANE_SEQUENCE_OFFSET, true),
    inode: view.getBigUint64(KERNEL_RECORD_INODE_OFFSET, true),
    device: view.getBigUint64(KERNEL_RECORD_DEVICE_OFFSET, true),
    size: view.getBigUint64(KERNEL_RECORD_SIZE_OFFSET, true),
    amount: view.getBigInt64(KERNEL_RECORD_AMOUNT_OFFSET, true),
    argument: view.getBigUint64(KERNEL_RECORD_ARGUMENT_OFFSET, true),
    pid: view.getUint32(KERNEL_RECORD_PID_OFFSET, true),
    tid: view.getUint32(KERNEL_RECORD_TID_OFFSET, true),
    uid: view.getUint32(KERNEL_RECORD_UID_OFFSET, true),
    gid: view.getUint32(KERNEL_RECORD_GID_OFFSET, true),
    error: view.getUint32(KERNEL_RECORD_ERROR_OFFSET, true),
    mode: view.getUint32(KERNEL_RECORD_MODE_OFFSET, true),
    submitDelayNs: view.getUint32(KERNEL_RECORD_SUBMIT_DELAY_NS_OFFSET, true),
    comm: commEnd < 0 ? comm : comm.subarray(0, commEnd),
    path: copy.subarray(KERNEL_RECORD_HEADER_LENGTH, pathEnd),
    path2: copy.subarray(pathEnd),
  };
}

/**
 * Which validity rule the record breaks, with the values, or undefined. Only for bytes that nobody else can write.
 * @param length What the container says; `bytes` may hold more.
 */
export function kernelRecordFault(bytes: Uint8Array, length: number): string | undefined {
  if (length < KERNEL_RECORD_HEADER_LENGTH || length > KERNEL_RECORD_LENGTH_MAX) {
    return `length=${length}, lengthMin=${KERNEL_RECORD_HEADER_LENGTH}, lengthMax=${KERNEL_RECORD_LENGTH_MAX}`;
  }
  if (bytes.length < length) return `length=${length}, but only ${bytes.length} bytes are there`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, KERNEL_RECORD_HEADER_LENGTH);
  const found = view.getUint32(KERNEL_RECORD_LENGTH_OFFSET, true);
  const version = view.getUint16(KERNEL_RECORD_VERSION_OFFSET, true);
  const op = view.getUint16(KERNEL_RECORD_OP_OFFSET, true);
  const variant = view.getUint16(KERNEL_RECORD_VARIANT_OFFSET, true);
  const pathLength = view.getUint16(KERNEL_RECORD_PATH_LENGTH_OFFSET, true);
  const path2Length = view.getUint16(KERNEL_RECORD_PATH2_LENGTH_OFFSET, true);
  if (version !== KERNEL_RECORD_VERSION) return `version=${version}, expected ${KERNEL_RECORD_VERSION}`;
  if (op >= KERNEL_OP_COUNT) return `op=${op}, opCount=${KERNEL_OP_COUNT}`;
  if (variant >= KERNEL_VARIANT_COUNT) return `variant=${variant}, variantCount=${KERNEL_VARIANT_COUNT}`;
  if (pathLength > PATH_LENGTH_MAX || path2Length > PATH_LENGTH_MAX) {
    return `pathLength=${pathLength}, path2Length=${path2Length}, pathLengthMax=${PATH_LENGTH_MAX}`;
  }
  const expected = KERNEL_RECORD_HEADER_LENGTH + pathLength + path2Length;
  if (found !== expected || length !== expected) {
    return `length=${length}, own length=${found}, header and paths=${expected}`;
  }
  return undefined;
}
