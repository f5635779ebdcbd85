// Header and frames of a trace file (layout/trace-file.ts has the format), written and checked.

import {
  TRACE_CLOCK_OFFSET_NS_OFFSET,
  TRACE_CRC32C_OFFSET,
  TRACE_CREATED_NS_OFFSET,
  TRACE_END_LENGTH,
  TRACE_FLAGS_OFFSET,
  TRACE_FRAME_CRC32C_OFFSET,
  TRACE_FRAME_END,
  TRACE_FRAME_HEADER_LENGTH,
  TRACE_FRAME_KIND_OFFSET,
  TRACE_FRAME_LENGTH_MAX,
  TRACE_FRAME_LENGTH_OFFSET,
  TRACE_FRAME_LOSS,
  TRACE_FRAME_RECORD,
  TRACE_HEADER_LENGTH,
  TRACE_HEADER_LENGTH_OFFSET,
  TRACE_LOSS_LENGTH,
  TRACE_MAGIC,
  TRACE_MAGIC_OFFSET,
  TRACE_VERSION,
  TRACE_VERSION_OFFSET,
} from '../../../layout/trace-file.ts';
import { crc32c } from '../../base/crc32c.ts';
import { CausewayError } from '../../base/errors.ts';
import type { SourceLoss } from '../source.ts';

export interface TraceHeader {
  /** CLOCK_REALTIME when recording began. */
  createdNs: bigint;
  /** CLOCK_REALTIME - CLOCK_MONOTONIC there. */
  clockOffsetNs: bigint;
}

export interface TraceEnd {
  records: bigint;
  losses: bigint;
}

export function encodeTraceHeader(header: TraceHeader): Uint8Array {
  const bytes = new Uint8Array(TRACE_HEADER_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint32(TRACE_MAGIC_OFFSET, TRACE_MAGIC, true);
  view.setUint16(TRACE_VERSION_OFFSET, TRACE_VERSION, true);
  view.setUint16(TRACE_HEADER_LENGTH_OFFSET, TRACE_HEADER_LENGTH, true);
  view.setBigInt64(TRACE_CREATED_NS_OFFSET, header.createdNs, true);
  view.setBigInt64(TRACE_CLOCK_OFFSET_NS_OFFSET, header.clockOffsetNs, true);
  view.setUint32(TRACE_FLAGS_OFFSET, 0, true);
  view.setUint32(TRACE_CRC32C_OFFSET, crc32c(bytes, 0, TRACE_CRC32C_OFFSET), true);
  return bytes;
}

/** @throws CausewayError TRACE_CORRUPT with what was found. */
export function decodeTraceHeader(bytes: Uint8Array, file: string): TraceHeader {
  if (bytes.length < TRACE_HEADER_LENGTH) {
    throw traceCorrupt(file, 0, `length=${bytes.length}, headerLength=${TRACE_HEADER_LENGTH}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, TRACE_HEADER_LENGTH);
  const expectEqual = (field: string, offset: number, found: number, expected: number) => {
    if (found !== expected) throw traceCorrupt(file, offset, `${field}=${found}, expected ${expected}`);
  };
  expectEqual('magic', TRACE_MAGIC_OFFSET, view.getUint32(TRACE_MAGIC_OFFSET, true), TRACE_MAGIC);
  expectEqual('version', TRACE_VERSION_OFFSET, view.getUint16(TRACE_VERSION_OFFSET, true), TRACE_VERSION);
  const headerLength = view.getUint16(TRACE_HEADER_LENGTH_OFFSET, true);
  expectEqual('headerLength', TRACE_HEADER_LENGTH_OFFSET, headerLength, TRACE_HEADER_LENGTH);
  const checksum = crc32c(bytes, 0, TRACE_CRC32C_OFFSET);
  expectEqual('crc32c', TRACE_CRC32C_OFFSET, view.getUint32(TRACE_CRC32C_OFFSET, true), checksum);
  expectEqual('flags', TRACE_FLAGS_OFFSET, view.getUint32(TRACE_FLAGS_OFFSET, true), 0);
  return {
    createdNs: view.getBigInt64(TRACE_CREATED_NS_OFFSET, true),
    clockOffsetNs: view.getBigInt64(TRACE_CLOCK_OFFSET_NS_OFFSET, true),
  };
}

/** Writes the frame's header at `offset`, in front of its data, which is there already. */
export function encodeFrameHeader(
  bytes: Uint8Array,
  offset: number,
  frame: { kind: number; length: number; crc32c: number },
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, TRACE_FRAME_HEADER_LENGTH);
  view.setUint32(TRACE_FRAME_LENGTH_OFFSET, frame.length, true);
  view.setUint32(TRACE_FRAME_KIND_OFFSET, frame.kind, true);
  view.setUint32(TRACE_FRAME_CRC32C_OFFSET, frame.crc32c, true);
}

/** Checksums of the kind alone, by kind: the data's goes on from there. */
const KIND_CRC32C: readonly number[] = [0, TRACE_FRAME_RECORD, TRACE_FRAME_LOSS, TRACE_FRAME_END].map((kind) =>
  crc32c(Uint8Array.of(kind, 0, 0, 0), 0, 4),
);

export function kindCrc32c(kind: number): number {
  return KIND_CRC32C[kind] ?? 0;
}

/** Which rule the frame's header breaks, or undefined. */
export function frameFault(kind: number, length: number): string | undefined {
  if (kind === TRACE_FRAME_RECORD) {
    return length > TRACE_FRAME_LENGTH_MAX ? `length=${length}, lengthMax=${TRACE_FRAME_LENGTH_MAX}` : undefined;
  }
  const expected = kind === TRACE_FRAME_LOSS ? TRACE_LOSS_LENGTH : kind === TRACE_FRAME_END ? TRACE_END_LENGTH : -1;
  if (expected < 0) return `kind=${kind}, length=${length}: no such kind`;
  return length === expected ? undefined : `kind=${kind}, length=${length}, expected ${expected}`;
}

export function encodeLoss(loss: SourceLoss): Uint8Array {
  const bytes = new Uint8Array(TRACE_LOSS_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, loss.cause, true);
  view.setBigUint64(8, loss.from, true);
  view.setBigUint64(16, loss.to, true);
  view.setBigUint64(24, loss.count, true);
  return bytes;
}

export function decodeLoss(bytes: Uint8Array, offset: number): SourceLoss {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, TRACE_LOSS_LENGTH);
  return {
    cause: view.getUint32(0, true),
    from: view.getBigUint64(8, true),
    to: view.getBigUint64(16, true),
    count: view.getBigUint64(24, true),
  };
}

export function encodeEnd(end: TraceEnd): Uint8Array {
  const bytes = new Uint8Array(TRACE_END_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, end.records, true);
  view.setBigUint64(8, end.losses, true);
  return bytes;
}

export function decodeEnd(bytes: Uint8Array, offset: number): TraceEnd {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, TRACE_END_LENGTH);
  return { records: view.getBigUint64(0, true), losses: view.getBigUint64(8, true) };
}

export function traceCorrupt(file: string, offset: number, found: string): CausewayError {
  return new CausewayError('TRACE_CORRUPT', `trace ${file}: corrupt at offset ${offset}: ${found}`);
}
