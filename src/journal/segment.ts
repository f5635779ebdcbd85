// A segment's header (layout/segment.ts) and the name of its file.

import { PAGE_LENGTH, SEGMENT_LENGTH_MAX, SEGMENT_LENGTH_MIN } from '../../layout/limits.ts';
import * as S from '../../layout/segment.ts';
import { crc32c } from '../base/crc32c.ts';
import { CausewayError } from '../base/errors.ts';

export interface SegmentHeader {
  uuid: Uint8Array;
  epoch: bigint;
  index: number;
  /** 0n: prepared, not in use yet. */
  firstSequence: bigint;
  /** Bytes of the segment as it was made; the file may be shorter since. */
  length: number;
  createdNs: bigint;
  previousDigest: Uint8Array;
  flags: number;
}

const UUID_LENGTH = 16;
const DIGEST_LENGTH = 32;
const INDEX_DIGITS = 12;
const NAME = /^(\d{12})\.segment$/;

export function segmentName(index: number): string {
  return `${String(index).padStart(INDEX_DIGITS, '0')}.segment`;
}

/** The index in a segment file's name; undefined for other files. */
export function segmentIndexOf(name: string): number | undefined {
  const match = NAME.exec(name);
  return match === null ? undefined : Number(match[1]);
}

/** @throws CausewayError CONFIG_INVALID, with the limits. */
export function checkSegmentLength(length: number): void {
  if (
    Number.isInteger(length) &&
    length % PAGE_LENGTH === 0 &&
    length >= SEGMENT_LENGTH_MIN &&
    length <= SEGMENT_LENGTH_MAX
  )
    return;
  throw new CausewayError(
    'CONFIG_INVALID',
    `segmentLength=${length} is not a multiple of ${PAGE_LENGTH} from ${SEGMENT_LENGTH_MIN} to ${SEGMENT_LENGTH_MAX}`,
  );
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(S.SEGMENT_HEADER_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint32(S.SEGMENT_MAGIC_OFFSET, S.SEGMENT_MAGIC, true);
  view.setUint16(S.SEGMENT_VERSION_OFFSET, S.SEGMENT_VERSION, true);
  view.setUint16(S.SEGMENT_HEADER_LENGTH_OFFSET, S.SEGMENT_HEADER_LENGTH, true);
  bytes.set(header.uuid, S.SEGMENT_UUID_OFFSET);
  view.setBigUint64(S.SEGMENT_EPOCH_OFFSET, header.epoch, true);
  view.setBigUint64(S.SEGMENT_INDEX_OFFSET, BigInt(header.index), true);
  view.setBigUint64(S.SEGMENT_FIRST_SEQUENCE_OFFSET, header.firstSequence, true);
  view.setBigUint64(S.SEGMENT_LENGTH_OFFSET, BigInt(header.length), true);
  view.setBigInt64(S.SEGMENT_CREATED_NS_OFFSET, header.createdNs, true);
  bytes.set(header.previousDigest, S.SEGMENT_PREVIOUS_DIGEST_OFFSET);
  view.setUint32(S.SEGMENT_FLAGS_OFFSET, header.flags, true);
  view.setUint32(S.SEGMENT_CRC32C_OFFSET, crc32c(bytes, 0, S.SEGMENT_CRC32C_OFFSET), true);
  return bytes;
}

/** The header, or in one sentence why it is none. */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | string {
  if (bytes.length < S.SEGMENT_HEADER_LENGTH) return `shorter than its header: length=${bytes.length}`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(S.SEGMENT_MAGIC_OFFSET, true);
  if (magic !== S.SEGMENT_MAGIC) return `magic=0x${magic.toString(16)}, expected 0x${S.SEGMENT_MAGIC.toString(16)}`;
  const crc = view.getUint32(S.SEGMENT_CRC32C_OFFSET, true);
  const expected = crc32c(bytes, 0, S.SEGMENT_CRC32C_OFFSET);
  if (crc !== expected) return `crc32c=${crc} of the header, expected ${expected}`;
  const version = view.getUint16(S.SEGMENT_VERSION_OFFSET, true);
  if (version !== S.SEGMENT_VERSION) return `version=${version}, expected ${S.SEGMENT_VERSION}`;
  const headerLength = view.getUint16(S.SEGMENT_HEADER_LENGTH_OFFSET, true);
  if (headerLength !== S.SEGMENT_HEADER_LENGTH)
    return `headerLength=${headerLength}, expected ${S.SEGMENT_HEADER_LENGTH}`;
  for (let at: number = S.SEGMENT_RESERVED_OFFSET; at < S.SEGMENT_HEADER_LENGTH; at++) {
    if (bytes[at] !== 0) return `byte ${at} of the header is not zero`;
  }
  const length = view.getBigUint64(S.SEGMENT_LENGTH_OFFSET, true);
  const isWhole = length % BigInt(PAGE_LENGTH) === 0n;
  if (!isWhole || length < BigInt(SEGMENT_LENGTH_MIN) || length > BigInt(SEGMENT_LENGTH_MAX)) return `length=${length}`;
  const index = view.getBigUint64(S.SEGMENT_INDEX_OFFSET, true);
  if (index > 0xffffffffn) return `index=${index}`;
  return {
    uuid: bytes.slice(S.SEGMENT_UUID_OFFSET, S.SEGMENT_UUID_OFFSET + UUID_LENGTH),
    epoch: view.getBigUint64(S.SEGMENT_EPOCH_OFFSET, true),
    index: Number(index),
    firstSequence: view.getBigUint64(S.SEGMENT_FIRST_SEQUENCE_OFFSET, true),
    length: Number(length),
    createdNs: view.getBigInt64(S.SEGMENT_CREATED_NS_OFFSET, true),
    previousDigest: bytes.slice(S.SEGMENT_PREVIOUS_DIGEST_OFFSET, S.SEGMENT_PREVIOUS_DIGEST_OFFSET + DIGEST_LENGTH),
    flags: view.getUint32(S.SEGMENT_FLAGS_OFFSET, true),
  };
}

/** 8-4-4-4-12, as people write it. */
export function formatUuid(uuid: Uint8Array): string {
  const hex = Buffer.from(uuid).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** undefined when it is none. */
export function parseUuid(text: string): Uint8Array | undefined {
  const hex = text.replaceAll('-', '');
  return /^[0-9a-f]{32}$/.test(hex) && text.length === 36 ? new Uint8Array(Buffer.from(hex, 'hex')) : undefined;
}
