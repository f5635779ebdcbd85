// The verifier's own reading of headers and seals (layout/segment.ts, layout/seal.ts): written apart from the writer's, so that one's mistake is the other's
// finding. Everything it is given is hostile.

import crypto from 'node:crypto';
import * as S from '../../../layout/seal.ts';
import * as H from '../../../layout/segment.ts';
import { crc32c } from '../../base/crc32c.ts';

export const SEAL_LENGTH_MAX = S.SEAL_HEADER_LENGTH + S.SEAL_ENTRIES_MAX * S.SEAL_LEAF_LENGTH;

export interface Seal {
  length: number;
  isSigned: boolean;
  uuid: Buffer;
  block: bigint;
  segment: number;
  count: number;
  from: number;
  to: number;
  firstSequence: bigint;
  lastSequence: bigint;
  timeNs: bigint;
  keyId: Buffer;
  previousHead: Buffer;
  head: Buffer;
  signature: Buffer;
  /** The first 8 bytes of each leaf. */
  leaves: Buffer;
  /** The bytes of the record that the head covers. */
  covered: Buffer;
}

/** 'short': the bytes end before the record does. Another string: why it is no seal; then `length` to go on behind it is unknown. */
export function parseSeal(bytes: Buffer): Seal | string {
  if (bytes.length < S.SEAL_HEADER_LENGTH) return 'short';
  const magic = bytes.readUInt32LE(S.SEAL_MAGIC_OFFSET);
  if (magic !== S.SEAL_MAGIC) return `magic=0x${magic.toString(16)}`;
  const length = bytes.readUInt32LE(S.SEAL_LENGTH_OFFSET);
  const count = bytes.readUInt32LE(S.SEAL_COUNT_OFFSET);
  if (length > SEAL_LENGTH_MAX || length !== S.SEAL_HEADER_LENGTH + count * S.SEAL_LEAF_LENGTH || count === 0) {
    return `length=${length}, count=${count}`;
  }
  if (length > bytes.length) return 'short';
  const crc = crc32c(bytes, S.SEAL_FLAGS_OFFSET, length);
  if (crc !== bytes.readUInt32LE(S.SEAL_CRC32C_OFFSET)) return 'its crc32c is wrong';
  const flags = bytes.readUInt32LE(S.SEAL_FLAGS_OFFSET);
  if (flags > S.SEAL_FLAG_SIGNED) return `flags=${flags}`;
  const from = bytes.readUInt32LE(S.SEAL_FROM_OFFSET);
  const to = bytes.readUInt32LE(S.SEAL_TO_OFFSET);
  if (from < H.SEGMENT_HEADER_LENGTH || to <= from || to - from > S.SEAL_BYTES_MAX) return `from=${from}, to=${to}`;
  const part = (offset: number, size: number): Buffer => Buffer.from(bytes.subarray(offset, offset + size));
  return {
    length,
    isSigned: (flags & S.SEAL_FLAG_SIGNED) !== 0,
    uuid: part(S.SEAL_UUID_OFFSET, 16),
    block: bytes.readBigUInt64LE(S.SEAL_BLOCK_OFFSET),
    segment: bytes.readUInt32LE(S.SEAL_SEGMENT_OFFSET),
    count,
    from,
    to,
    firstSequence: bytes.readBigUInt64LE(S.SEAL_FIRST_SEQUENCE_OFFSET),
    lastSequence: bytes.readBigUInt64LE(S.SEAL_LAST_SEQUENCE_OFFSET),
    timeNs: bytes.readBigInt64LE(S.SEAL_TIME_NS_OFFSET),
    keyId: part(S.SEAL_KEY_ID_OFFSET, S.SEAL_KEY_ID_LENGTH),
    previousHead: part(S.SEAL_PREVIOUS_HEAD_OFFSET, S.SEAL_HEAD_LENGTH),
    head: part(S.SEAL_HEAD_OFFSET, S.SEAL_HEAD_LENGTH),
    signature: part(S.SEAL_SIGNATURE_OFFSET, S.SEAL_SIGNATURE_LENGTH),
    leaves: part(S.SEAL_HEADER_LENGTH, count * S.SEAL_LEAF_LENGTH),
    covered: part(S.SEAL_FLAGS_OFFSET, S.SEAL_HEAD_OFFSET - S.SEAL_FLAGS_OFFSET),
  };
}

export function headOf(seal: Seal, headerDigest: Buffer, leaves: Buffer): Buffer {
  const hash = crypto
    .createHash('sha256')
    .update('causeway/seal/v1', 'latin1')
    .update(seal.covered)
    .update(headerDigest);
  return hash.update(leaves).digest();
}

export interface Header {
  uuid: Buffer;
  index: number;
  firstSequence: bigint;
}

/** Or in words why it is none. */
export function parseHeader(bytes: Buffer): Header | string {
  if (bytes.length < H.SEGMENT_HEADER_LENGTH) return `shorter than its header: length=${bytes.length}`;
  if (bytes.readUInt32LE(H.SEGMENT_MAGIC_OFFSET) !== H.SEGMENT_MAGIC) return 'its header is damaged: magic';
  const crc = crc32c(bytes, 0, H.SEGMENT_CRC32C_OFFSET);
  if (bytes.readUInt32LE(H.SEGMENT_CRC32C_OFFSET) !== crc) return 'its header is damaged: crc32c';
  if (bytes.subarray(H.SEGMENT_RESERVED_OFFSET, H.SEGMENT_HEADER_LENGTH).some((byte) => byte !== 0)) {
    return 'its header is damaged: bytes that must be zero';
  }
  return {
    uuid: Buffer.from(bytes.subarray(H.SEGMENT_UUID_OFFSET, H.SEGMENT_UUID_OFFSET + 16)),
    index: Number(bytes.readBigUInt64LE(H.SEGMENT_INDEX_OFFSET)),
    firstSequence: bytes.readBigUInt64LE(H.SEGMENT_FIRST_SEQUENCE_OFFSET),
  };
}
