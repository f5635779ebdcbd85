// The 52 bytes at the begin of a SEMJ file (layout/semj.ts).

import * as S from '../../../layout/semj.ts';
import type { Wasm } from '../../arena/wasm-exports.ts';
import { CausewayError } from '../../base/errors.ts';
import { semjCorrupt } from './problem.ts';

export interface SemjFileHeader {
  minor: number;
  totalEvents: bigint;
  nextEventId: bigint;
  /** Bytes of the whole file. */
  journalSize: bigint;
  /** Where the events end; 0 = at the end of the file. */
  indexOffset: bigint;
  flags: number;
}

/** Writes the header at `at` of the wasm's memory. */
export function encodeFileHeader(header: SemjFileHeader, view: DataView, at: number, wasm: Wasm): void {
  view.setUint32(at + S.SEMJ_FILE_MAGIC_OFFSET, S.SEMJ_MAGIC, true);
  view.setUint32(at + S.SEMJ_FILE_MAJOR_OFFSET, S.SEMJ_MAJOR, true);
  view.setUint32(at + S.SEMJ_FILE_MINOR_OFFSET, header.minor, true);
  view.setBigUint64(at + S.SEMJ_FILE_TOTAL_EVENTS_OFFSET, header.totalEvents, true);
  view.setBigUint64(at + S.SEMJ_FILE_NEXT_EVENT_ID_OFFSET, header.nextEventId, true);
  view.setBigUint64(at + S.SEMJ_FILE_JOURNAL_SIZE_OFFSET, header.journalSize, true);
  view.setBigUint64(at + S.SEMJ_FILE_INDEX_OFFSET_OFFSET, header.indexOffset, true);
  view.setUint32(at + S.SEMJ_FILE_FLAGS_OFFSET, header.flags, true);
  view.setUint32(at + S.SEMJ_FILE_CHECKSUM_OFFSET, 0, true);
  view.setUint32(at + S.SEMJ_FILE_CHECKSUM_OFFSET, wasm.crc32Update(0, at, S.SEMJ_FILE_HEADER_LENGTH), true);
}

/**
 * The header of a file of `size` bytes, of which the first `available` are at `at` of the wasm's memory.
 * @throws CausewayError SEMJ_CORRUPT, SEMJ_INCOMPATIBLE, with what was found.
 */
export function decodeFileHeader(
  place: { view: DataView; at: number; available: number; wasm: Wasm },
  file: string,
  size: number,
): SemjFileHeader {
  const { view, at, available, wasm } = place;
  const wrong = (offset: number, why: string): CausewayError => semjCorrupt(file, offset, why);
  if (available < S.SEMJ_FILE_HEADER_LENGTH) throw wrong(0, `the file header is 52 bytes, the file has ${size}`);
  const magic = view.getUint32(at + S.SEMJ_FILE_MAGIC_OFFSET, true);
  if (isZero(view, at)) throw wrong(0, 'the file header is empty: its writer did not finish this file');
  if (magic !== S.SEMJ_MAGIC) throw wrong(0, `magic=${hex(magic)}, expected ${hex(S.SEMJ_MAGIC)}: no SEMJ file`);
  const major = view.getUint32(at + S.SEMJ_FILE_MAJOR_OFFSET, true);
  if (major !== S.SEMJ_MAJOR) {
    throw new CausewayError('SEMJ_INCOMPATIBLE', `${file}: offset=4: major=${major}, expected ${S.SEMJ_MAJOR}`);
  }
  const stored = view.getUint32(at + S.SEMJ_FILE_CHECKSUM_OFFSET, true);
  view.setUint32(at + S.SEMJ_FILE_CHECKSUM_OFFSET, 0, true);
  const right = wasm.crc32Update(0, at, S.SEMJ_FILE_HEADER_LENGTH) >>> 0;
  const zlib = ~wasm.crc32Update(0xffffffff, at, S.SEMJ_FILE_HEADER_LENGTH) >>> 0;
  view.setUint32(at + S.SEMJ_FILE_CHECKSUM_OFFSET, stored, true);
  if (stored !== right) {
    const why = stored === zlib ? "zlib's crc32; SEMJ has the kernel's, without inversions" : `expected ${right}`;
    throw wrong(S.SEMJ_FILE_CHECKSUM_OFFSET, `the file header's checksum=${stored}, ${why}`);
  }
  const header: SemjFileHeader = {
    minor: view.getUint32(at + S.SEMJ_FILE_MINOR_OFFSET, true),
    totalEvents: view.getBigUint64(at + S.SEMJ_FILE_TOTAL_EVENTS_OFFSET, true),
    nextEventId: view.getBigUint64(at + S.SEMJ_FILE_NEXT_EVENT_ID_OFFSET, true),
    journalSize: view.getBigUint64(at + S.SEMJ_FILE_JOURNAL_SIZE_OFFSET, true),
    indexOffset: view.getBigUint64(at + S.SEMJ_FILE_INDEX_OFFSET_OFFSET, true),
    flags: view.getUint32(at + S.SEMJ_FILE_FLAGS_OFFSET, true),
  };
  if (header.journalSize !== BigInt(size)) {
    throw wrong(S.SEMJ_FILE_JOURNAL_SIZE_OFFSET, `journal_size=${header.journalSize}, the file has ${size} bytes`);
  }
  const { indexOffset } = header;
  if (indexOffset !== 0n && (indexOffset < BigInt(S.SEMJ_FILE_HEADER_LENGTH) || indexOffset > header.journalSize)) {
    throw wrong(S.SEMJ_FILE_INDEX_OFFSET_OFFSET, `index_offset=${indexOffset}, not within the file's ${size} bytes`);
  }
  return header;
}

function isZero(view: DataView, at: number): boolean {
  for (let offset = 0; offset < S.SEMJ_FILE_HEADER_LENGTH; offset++) {
    if (view.getUint8(at + offset) !== 0) return false;
  }
  return true;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
