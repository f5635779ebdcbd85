// A seal's record (layout/seal.ts) and the files that hold them.

import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import * as S from '../../layout/seal.ts';
import { SEGMENT_HEADER_LENGTH } from '../../layout/segment.ts';
import { crc32c } from '../base/crc32c.ts';
import { CausewayError } from '../base/errors.ts';
import { type FileLayer, readAll } from './file-layer.ts';
import { segmentPath } from './plan.ts';
import { decodeSegmentHeader, segmentIndexOf } from './segment.ts';
import type { Signer } from './signing.ts';

/** The last block of a chain, as journal.json and a head file keep it. */
export interface SealedHead {
  block: bigint;
  sequence: bigint;
  head: Uint8Array;
}

/** Where the chain goes on. */
export interface SealState {
  segment: number;
  offset: number;
  sequence: bigint;
  block: bigint;
  head: Uint8Array;
  /** Where the next record lies in the file of `sealsSegment`. */
  sealsSegment: number;
  sealsOffset: number;
}

export interface SealFields {
  uuid: Uint8Array;
  epoch: bigint;
  block: bigint;
  segment: number;
  from: number;
  to: number;
  firstSequence: bigint;
  lastSequence: bigint;
  previousHead: Uint8Array;
  /** SHA-256 of the segment's header, in the segment's first block. */
  headerDigest: Uint8Array;
  /** 32 bytes each. */
  leaves: Uint8Array;
}

const HEAD_DOMAIN = Buffer.from('causeway/seal/v1');
const LENGTH_MAX = S.SEAL_HEADER_LENGTH + S.SEAL_ENTRIES_MAX * S.SEAL_LEAF_LENGTH;
const NAME = /^(\d{12})\.seals$/;
const DIGEST_LENGTH = 32;

export function sealsPath(directory: string, index: number): string {
  return path.join(directory, `${String(index).padStart(12, '0')}.seals`);
}

export function encodeSeal(fields: SealFields, signer: Signer | undefined): { record: Buffer; head: Uint8Array } {
  const count = fields.leaves.length / DIGEST_LENGTH;
  const record = Buffer.alloc(S.SEAL_HEADER_LENGTH + count * S.SEAL_LEAF_LENGTH);
  record.writeUInt32LE(S.SEAL_MAGIC, S.SEAL_MAGIC_OFFSET);
  record.writeUInt32LE(record.length, S.SEAL_LENGTH_OFFSET);
  record.writeUInt32LE(signer === undefined ? 0 : S.SEAL_FLAG_SIGNED, S.SEAL_FLAGS_OFFSET);
  record.set(fields.uuid, S.SEAL_UUID_OFFSET);
  record.writeBigUInt64LE(fields.epoch, S.SEAL_EPOCH_OFFSET);
  record.writeBigUInt64LE(fields.block, S.SEAL_BLOCK_OFFSET);
  record.writeUInt32LE(fields.segment, S.SEAL_SEGMENT_OFFSET);
  record.writeUInt32LE(count, S.SEAL_COUNT_OFFSET);
  record.writeUInt32LE(fields.from, S.SEAL_FROM_OFFSET);
  record.writeUInt32LE(fields.to, S.SEAL_TO_OFFSET);
  record.writeBigUInt64LE(fields.firstSequence, S.SEAL_FIRST_SEQUENCE_OFFSET);
  record.writeBigUInt64LE(fields.lastSequence, S.SEAL_LAST_SEQUENCE_OFFSET);
  record.writeBigInt64LE(BigInt(Date.now()) * 1_000_000n, S.SEAL_TIME_NS_OFFSET);
  if (signer !== undefined) record.set(signer.id, S.SEAL_KEY_ID_OFFSET);
  record.set(fields.previousHead, S.SEAL_PREVIOUS_HEAD_OFFSET);
  const head = headOf(record, fields.headerDigest, fields.leaves);
  record.set(head, S.SEAL_HEAD_OFFSET);
  if (signer !== undefined) record.set(signer.sign(head), S.SEAL_SIGNATURE_OFFSET);
  for (let leaf = 0; leaf < count; leaf++) {
    const digest = fields.leaves.subarray(leaf * DIGEST_LENGTH, leaf * DIGEST_LENGTH + S.SEAL_LEAF_LENGTH);
    record.set(digest, S.SEAL_HEADER_LENGTH + leaf * S.SEAL_LEAF_LENGTH);
  }
  record.writeUInt32LE(crc32c(record, S.SEAL_FLAGS_OFFSET, record.length), S.SEAL_CRC32C_OFFSET);
  return { record, head };
}

function headOf(record: Uint8Array, headerDigest: Uint8Array, leaves: Uint8Array): Uint8Array {
  return crypto
    .createHash('sha256')
    .update(HEAD_DOMAIN)
    .update(record.subarray(S.SEAL_FLAGS_OFFSET, S.SEAL_HEAD_OFFSET))
    .update(headerDigest)
    .update(leaves)
    .digest();
}

interface Walked {
  last: Buffer | undefined;
  /** Offset behind the last whole record, and the file's size. */
  end: number;
  size: number;
  /** Records that cover entries beyond the segment's end. */
  beyond: number;
}

/** Goes over the whole records of a file, up to the first that is none or that covers more than the segment has. */
function walk(directory: string, files: FileLayer, index: number): Walked {
  const fd = files.open(sealsPath(directory, index), 'r');
  try {
    const size = files.size(fd);
    const segmentSize = sizeOfSegment(directory, files, index);
    const buffer = Buffer.alloc(LENGTH_MAX);
    let last: Buffer | undefined;
    let end = 0;
    let beyond = 0;
    while (end < size) {
      const read = readAll(files, fd, buffer, end);
      const length = read < S.SEAL_HEADER_LENGTH ? 0 : buffer.readUInt32LE(S.SEAL_LENGTH_OFFSET);
      const isPlausible = length >= S.SEAL_HEADER_LENGTH && length <= read;
      if (!isPlausible || buffer.readUInt32LE(S.SEAL_MAGIC_OFFSET) !== S.SEAL_MAGIC) break;
      const crc = crc32c(buffer, S.SEAL_FLAGS_OFFSET, length);
      if (crc !== buffer.readUInt32LE(S.SEAL_CRC32C_OFFSET)) break;
      if (buffer.readUInt32LE(S.SEAL_TO_OFFSET) > segmentSize) {
        beyond += 1;
        break;
      }
      last = Buffer.from(buffer.subarray(0, S.SEAL_HEADER_LENGTH));
      end += length;
    }
    return { last, end, size, beyond };
  } finally {
    files.close(fd);
  }
}

function sizeOfSegment(directory: string, files: FileLayer, index: number): number {
  let fd: number;
  try {
    fd = files.open(segmentPath(directory, index), 'r');
  } catch {
    return 0;
  }
  try {
    return files.size(fd);
  } finally {
    files.close(fd);
  }
}

/** Indexes of the files that hold seals, in order. */
function sealIndexes(directory: string, files: FileLayer): number[] {
  const names = files.list(directory).map((name) => NAME.exec(name)?.[1]);
  return names
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}

/** Where the chain of a journal goes on; undefined while it has no segment in use. */
export function readSealState(directory: string, files: FileLayer): SealState | undefined {
  for (const index of sealIndexes(directory, files).reverse()) {
    const { last, end } = walk(directory, files, index);
    if (last === undefined) continue;
    return {
      segment: index,
      offset: last.readUInt32LE(S.SEAL_TO_OFFSET),
      sequence: last.readBigUInt64LE(S.SEAL_LAST_SEQUENCE_OFFSET) + 1n,
      block: last.readBigUInt64LE(S.SEAL_BLOCK_OFFSET) + 1n,
      head: new Uint8Array(last.subarray(S.SEAL_HEAD_OFFSET, S.SEAL_HEAD_OFFSET + S.SEAL_HEAD_LENGTH)),
      sealsSegment: index,
      sealsOffset: end,
    };
  }
  const segments = files.list(directory).map(segmentIndexOf);
  const first = Math.min(...segments.filter((index) => index !== undefined));
  if (!Number.isFinite(first)) return undefined;
  const fd = files.open(segmentPath(directory, first), 'r');
  try {
    const bytes = new Uint8Array(SEGMENT_HEADER_LENGTH);
    const header = decodeSegmentHeader(bytes.subarray(0, readAll(files, fd, bytes, 0)));
    if (typeof header === 'string' || header.firstSequence === 0n) return undefined;
    const offset = SEGMENT_HEADER_LENGTH;
    const head = new Uint8Array(S.SEAL_HEAD_LENGTH);
    const sequence = header.firstSequence;
    return { segment: first, offset, sequence, block: 0n, head, sealsSegment: first, sealsOffset: 0 };
  } finally {
    files.close(fd);
  }
}

/**
 * Before a journal goes on: cuts what a kill left behind the last whole seal and, after a power failure, seals of entries that did not reach the disk.
 * Answers the bytes that were cut.
 * @throws CausewayError JOURNAL_CORRUPT when no kill can have left it, or seals are missing that were there when the journal was closed.
 */
export function recoverSeals(options: {
  directory: string;
  files: FileLayer;
  wasClosed: boolean;
  sealed: SealedHead | undefined;
}): number {
  const { directory, files, wasClosed, sealed } = options;
  let cut = 0;
  for (const index of sealIndexes(directory, files).reverse()) {
    const { last, end, size, beyond } = walk(directory, files, index);
    if (size > end) {
      const isTorn = size - end <= LENGTH_MAX || beyond > 0;
      if (wasClosed || !isTorn) {
        throw damagedSeals(index, end, beyond > 0 ? 'sealed entries are missing' : 'not a whole, right seal');
      }
      cut += size - end;
      const fd = files.open(sealsPath(directory, index), 'r+');
      try {
        files.truncate(fd, end);
        files.fdatasync(fd);
      } finally {
        files.close(fd);
      }
    }
    if (last !== undefined) break;
    files.unlink(sealsPath(directory, index));
  }
  const state = readSealState(directory, files);
  if (sealed !== undefined && (state === undefined || state.block <= sealed.block)) {
    throw damagedSeals(
      state?.sealsSegment ?? 0,
      state?.sealsOffset ?? 0,
      `block=${sealed.block} was sealed, and is gone`,
    );
  }
  return cut;
}

function damagedSeals(index: number, offset: number, why: string): CausewayError {
  return new CausewayError(
    'JOURNAL_CORRUPT',
    `journal: ${path.basename(sealsPath('', index))}, offset=${offset}: ${why}`,
    {
      hint: '`causeway verify` says what differs; `seal: false` writes on without seals.',
    },
  );
}

export function readHeaderDigest(files: FileLayer, fd: number): Uint8Array {
  const bytes = new Uint8Array(SEGMENT_HEADER_LENGTH);
  readAll(files, fd, bytes, 0);
  return crypto.createHash('sha256').update(bytes).digest();
}

/** For publishing: the head of the chain as JSON in a line. Replaced as a whole. */
export function writeHeadFile(file: string, uuid: string, sealed: SealedHead): void {
  const { block, sequence } = sealed;
  const head = Buffer.from(sealed.head).toString('hex');
  const draft = `${file}.new`;
  fs.writeFileSync(
    draft,
    `${JSON.stringify({ journal: uuid, block: Number(block), sequence: String(sequence), head })}\n`,
  );
  fs.renameSync(draft, file);
}
