// What is done with a journal that was not closed, before anybody appends to it again. Idempotent: killed in the middle, it starts over and ends the same.
//
// What a kill -9 can leave, and what comes of it:
//   prepared   the last file was prepared and never used: removed
//   tail       behind the last valid entry, claims that never committed: cut off, reported
//   hole       a claim that never committed with valid entries behind it (another thread went on): padding that keeps its sequence, reported as a gap
// What a power failure can leave besides, of what was not flushed and so not acknowledged:
//   torn       sectors of zeros among the entries (gap-finder.ts): holes too
//   unbegun    a segment whose header still says that it was never used, and whose first entry is not whole: it and those behind it are moved aside
// A claim leaves either zeros (killed before the length word) or a negative length word. Anything else with valid entries behind it - a wrong checksum,
// a length that cannot be - no kill can leave: that is damage, and recovery refuses (JOURNAL_CORRUPT) instead of cutting acknowledged entries.

import path from 'node:path';
import * as E from '../../layout/entry.ts';
import { SEGMENT_HEADER_LENGTH } from '../../layout/segment.ts';
import { crc32c } from '../base/crc32c.ts';
import { corruptAt as corrupt } from './corrupt.ts';
import { type FileLayer, readAll, writeAll } from './file-layer.ts';
import { type Claim, GapFinder } from './gap-finder.ts';
import { segmentPath } from './plan.ts';
import { ReadBuffer } from './read-buffer.ts';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  formatUuid,
  type SegmentHeader,
  segmentIndexOf,
  segmentName,
} from './segment.ts';

const REWRITE_LENGTH = 1 << 20;

export interface TornTail {
  segment: number;
  offset: number;
  /** Bytes from the first that is not zero to the last that is not zero. */
  bytes: number;
  reason: string;
}

export interface Hole {
  segment: number;
  offset: number;
  sequence: bigint;
}

export interface RecoveryReport {
  /** The journal was closed the last time: nothing had to be looked at. */
  wasClosed: boolean;
  entriesChecked: number;
  tornTail: TornTail | undefined;
  holes: Hole[];
  /** Files of segments that were prepared and never used. */
  removed: string[];
  /** Files that hold what a power failure left of segments that were never flushed, by their new names. */
  aside: string[];
  /** Bytes of seals that were torn, or of entries that a power failure took. */
  sealBytesCut: number;
}

export interface RecoveredJournal {
  /** Index that the next segment gets, and sequence of the next entry. */
  nextIndex: number;
  nextSequence: bigint;
  /** Lowest epoch that is higher than all that were used. */
  nextEpoch: bigint;
  uuid: Uint8Array | undefined;
  report: RecoveryReport;
}

interface Segment {
  index: number;
  header: SegmentHeader;
  size: number;
  /** The header in the file is older than the entries. */
  isStale: boolean;
}

export interface RecoveryOptions {
  directory: string;
  files: FileLayer;
  /** From the journal's own file; undefined when that is missing. */
  uuid: Uint8Array | undefined;
  wasClosed: boolean;
  /** A flush failed: what is read must be written again before it is flushed (unflushed.ts). */
  isUnflushed?: boolean;
}

export class Recovery {
  readonly #directory: string;
  readonly #files: FileLayer;
  #uuid: Uint8Array | undefined;
  readonly #isUnflushed: boolean;
  readonly #buffer = ReadBuffer.take();
  readonly #gap: GapFinder;
  readonly #report: RecoveryReport;
  #epochAside: bigint | undefined;

  constructor(options: RecoveryOptions) {
    this.#directory = options.directory;
    this.#files = options.files;
    this.#uuid = options.uuid;
    this.#isUnflushed = options.isUnflushed ?? false;
    this.#gap = new GapFinder(options.files, this.#buffer);
    this.#report = {
      wasClosed: options.wasClosed,
      entriesChecked: 0,
      tornTail: undefined,
      holes: [],
      removed: [],
      aside: [],
      sealBytesCut: 0,
    };
  }

  /** @throws CausewayError JOURNAL_CORRUPT or JOURNAL_INCOMPATIBLE, naming segment, offset and sequence. */
  run(): RecoveredJournal {
    try {
      return this.#run();
    } finally {
      this.#buffer.give();
    }
  }

  #run(): RecoveredJournal {
    const segments = this.#readHeaders();
    const last = segments.at(-1);
    if (last === undefined) {
      return { nextIndex: 0, nextSequence: 1n, nextEpoch: 1n, uuid: this.#uuid, report: this.#report };
    }
    // Older epochs were recovered, flushed and cut when the last one began.
    const first = this.#report.wasClosed
      ? segments.length - 1
      : segments.findIndex((segment) => segment.header.epoch === last.header.epoch);
    let sequence = (segments[first] as Segment).header.firstSequence;
    for (let at = first; at < segments.length; at++) {
      sequence = this.#recoverSegment(segments[at] as Segment, segments[at + 1], sequence);
    }
    this.#files.syncDirectory(this.#directory);
    return {
      nextIndex: last.index + 1,
      nextSequence: sequence,
      nextEpoch: last.header.epoch + 1n,
      uuid: this.#uuid,
      report: this.#report,
    };
  }

  /** Every segment in use, in order; files that were only prepared are removed. */
  #readHeaders(): Segment[] {
    const indexes = this.#files
      .list(this.#directory)
      .map(segmentIndexOf)
      .filter((index) => index !== undefined)
      .sort((a, b) => a - b);
    while (indexes.length > 0 && this.#removeUnused(indexes.at(-1) as number)) indexes.pop();
    const segments: Segment[] = [];
    for (const [place, index] of indexes.entries()) {
      const before = segments.at(-1);
      if (before !== undefined && index !== before.index + 1) {
        throw corrupt(index, 0, undefined, `segment ${segmentName(before.index + 1)} is missing`);
      }
      const segment = this.#readHeader(index, before);
      if (segment === undefined) {
        this.#moveAside(indexes.slice(place), before);
        break;
      }
      segments.push(segment);
    }
    return segments;
  }

  /** Removes a file that was prepared and never used: no header that says more, and nothing but zeros behind it. */
  #removeUnused(index: number): boolean {
    const file = segmentPath(this.#directory, index);
    const fd = this.#files.open(file, 'r+');
    try {
      const header = decodeSegmentHeader(this.#buffer.readHeader(this.#files, fd, 0));
      if (typeof header !== 'string' && header.firstSequence !== 0n) return false;
      if (this.#gap.extent(fd, SEGMENT_HEADER_LENGTH, this.#files.size(fd)) !== undefined) return false;
      this.#files.unlink(file);
      this.#report.removed.push(segmentName(index));
      return true;
    } finally {
      this.#files.close(fd);
    }
  }

  /** undefined: it is unbegun. */
  #readHeader(index: number, before: Segment | undefined): Segment | undefined {
    const fd = this.#files.open(segmentPath(this.#directory, index), 'r+');
    try {
      const size = this.#files.size(fd);
      const header = decodeSegmentHeader(this.#buffer.readHeader(this.#files, fd, 0));
      if (typeof header === 'string') throw corrupt(index, 0, undefined, header);
      const isStale = header.firstSequence === 0n && !this.#report.wasClosed;
      // A power failure kept the entries' pages and not the header's: it says less than they do. Checked against the segment before, then written again.
      if (isStale) header.firstSequence = this.#sequenceOfFirst(fd, size);
      if (isStale && header.firstSequence === 0n) return undefined;
      this.#checkHeader(index, header, before);
      return { index, header, size, isStale };
    } finally {
      this.#files.close(fd);
    }
  }

  /**
   * A flush of the first of these segments would have covered its header, so nothing in them was acknowledged. The last one goes first: killed in between,
   * the others still follow each other.
   */
  #moveAside(indexes: readonly number[], before: Segment | undefined): void {
    for (const index of [...indexes].reverse()) {
      const file = segmentPath(this.#directory, index);
      const fd = this.#files.open(file, 'r');
      let epoch: bigint;
      try {
        const header = decodeSegmentHeader(this.#buffer.readHeader(this.#files, fd, 0));
        if (typeof header === 'string') throw corrupt(index, 0, undefined, header);
        ({ epoch } = header);
      } finally {
        this.#files.close(fd);
      }
      // Segments of one opening only: those of the next begin when these have been recovered.
      this.#epochAside ??= epoch;
      if (epoch !== this.#epochAside || (before !== undefined && epoch < before.header.epoch)) {
        throw corrupt(index, 0, undefined, `epoch=${epoch}, expected ${this.#epochAside}`);
      }
      const name = `${segmentName(index)}.${epoch}.torn`;
      this.#files.rename(file, path.join(this.#directory, name));
      this.#files.syncDirectory(this.#directory);
      this.#report.aside.push(name);
    }
  }

  /** 0n when there is no valid entry at the segment's begin. */
  #sequenceOfFirst(fd: number, size: number): bigint {
    this.#buffer.fill(this.#files, fd, 0, SEGMENT_HEADER_LENGTH, size);
    return this.#buffer.verified === 0 ? 0n : this.#buffer.decoder.sequence(this.#buffer.address);
  }

  #checkHeader(index: number, header: SegmentHeader, before: Segment | undefined): void {
    this.#uuid ??= header.uuid;
    if (!Buffer.from(header.uuid).equals(this.#uuid)) {
      const found = formatUuid(header.uuid);
      throw corrupt(
        index,
        0,
        undefined,
        `it belongs to another journal: uuid=${found}, expected ${formatUuid(this.#uuid)}`,
      );
    }
    if (header.index !== index) throw corrupt(index, 0, undefined, `misdirected: index=${header.index} in its header`);
    if (header.firstSequence === 0n) throw corrupt(index, 0, undefined, 'its header says that it was never used');
    if (before === undefined) return;
    if (header.epoch < before.header.epoch) {
      throw corrupt(index, 0, undefined, `misdirected: epoch=${header.epoch} behind epoch=${before.header.epoch}`);
    }
    if (header.firstSequence < before.header.firstSequence) {
      const sequences = `firstSequence=${header.firstSequence} behind firstSequence=${before.header.firstSequence}`;
      throw corrupt(index, 0, undefined, `misdirected: ${sequences}`);
    }
  }

  /** Answers the sequence behind the segment's last entry. */
  #recoverSegment(segment: Segment, next: Segment | undefined, expected: bigint): bigint {
    const { index, header, size } = segment;
    if (header.firstSequence !== expected) {
      throw corrupt(index, 0, expected, `firstSequence=${header.firstSequence}, expected ${expected}`);
    }
    const fd = this.#files.open(segmentPath(this.#directory, index), 'r+');
    try {
      if (segment.isStale) writeAll(this.#files, fd, encodeSegmentHeader(header), 0);
      let sequence = expected;
      let offset: number = SEGMENT_HEADER_LENGTH;
      while (true) {
        ({ offset, sequence } = this.#walk(fd, index, offset, size, sequence));
        const gap = this.#gap.look({
          fd,
          index,
          offset,
          size,
          expected: sequence,
          nextFirst: next?.header.firstSequence,
          isUnflushed: !this.#report.wasClosed,
        });
        if (gap === undefined) {
          this.#cut(fd, segment, offset);
          break;
        }
        this.#closeHoles(fd, index, gap.claims, sequence);
        offset = gap.end;
        sequence = gap.sequence;
        if (size - offset < E.ENTRY_HEADER_LENGTH) break;
      }
      if (this.#isUnflushed) this.#writeAgain(fd);
      this.#files.fdatasync(fd);
      return sequence;
    } finally {
      this.#files.close(fd);
    }
  }

  /** Goes over valid entries with the sequences that they must have. */
  #walk(fd: number, index: number, from: number, size: number, expected: bigint): { offset: number; sequence: bigint } {
    const buffer = this.#buffer;
    let offset = from;
    let sequence = expected;
    while (true) {
      buffer.fill(this.#files, fd, 0, offset, size);
      if (buffer.verified === 0) return { offset, sequence };
      for (let at = 0; at < buffer.verified; ) {
        const found = buffer.decoder.sequence(buffer.address + at);
        if (found === sequence) sequence += 1n;
        else if (found !== 0n || buffer.decoder.kind(buffer.address + at) !== E.ENTRY_KIND_PADDING) {
          throw corrupt(index, offset + at, sequence, `misdirected entry: sequence=${found}`);
        }
        this.#report.entriesChecked += 1;
        at += (buffer.view.getInt32(buffer.address + at, true) + 7) & ~7;
      }
      offset += buffer.verified;
    }
  }

  /**
   * Turns claims that never committed into padding that keeps their sequences. Whenever it is interrupted, also by a power failure that keeps any part of
   * what was written last, recovery finds claims there and does it again:
   *   1. a negative length over each stretch, flushed: a claim, whatever lies in it
   *   2. all of the padding but the length words that a claim begins with, flushed
   *   3. those: each is a word, written or not
   */
  #closeHoles(fd: number, index: number, claims: readonly Claim[], first: bigint): void {
    const stretches = claims.flatMap(stretchesOf);
    for (const { offset, length } of stretches) this.#writeLength(fd, offset, -length);
    this.#files.fdatasync(fd);
    let sequence = first;
    for (const { offset, length, count } of stretches) {
      const end = offset + length;
      let at = offset;
      for (let left = Math.max(count, 1); left > 0; left--) {
        const taken = left > 1 ? E.ENTRY_HEADER_LENGTH : end - at;
        this.#writePadding(fd, at, taken, count === 0 ? 0n : sequence);
        if (at !== offset) this.#writeLength(fd, at, taken);
        if (count > 0) {
          this.#report.holes.push({ segment: index, offset: at, sequence });
          sequence += 1n;
        }
        at += taken;
      }
    }
    this.#files.fdatasync(fd);
    for (const { offset, length, count } of stretches) {
      this.#writeLength(fd, offset, count > 1 ? E.ENTRY_HEADER_LENGTH : length);
    }
  }

  #writeLength(fd: number, offset: number, length: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setInt32(0, length, true);
    writeAll(this.#files, fd, bytes, offset);
  }

  /** Padding without its length word. */
  #writePadding(fd: number, offset: number, length: number, sequence: bigint): void {
    const bytes = new Uint8Array(E.ENTRY_HEADER_LENGTH);
    const view = new DataView(bytes.buffer);
    view.setInt32(E.ENTRY_LENGTH_OFFSET, length, true);
    view.setBigUint64(E.ENTRY_SEQUENCE_OFFSET, sequence, true);
    view.setBigUint64(E.ENTRY_LAMPORT_OFFSET, sequence, true);
    view.setBigInt64(E.ENTRY_TIME_NS_OFFSET, BigInt(Date.now()) * 1_000_000n, true);
    view.setUint16(E.ENTRY_KIND_OFFSET, E.ENTRY_KIND_PADDING, true);
    view.setUint32(E.ENTRY_CRC32C_OFFSET, crc32c(bytes, E.ENTRY_SEQUENCE_OFFSET, bytes.length), true);
    writeAll(this.#files, fd, bytes.subarray(4), offset + 4);
  }

  /** Every byte of the file, so that the next flush has something to do. */
  #writeAgain(fd: number): void {
    const bytes = new Uint8Array(REWRITE_LENGTH);
    const size = this.#files.size(fd);
    for (let at = 0; at < size; ) {
      const length = readAll(this.#files, fd, bytes.subarray(0, Math.min(bytes.length, size - at)), at);
      if (length === 0) break;
      writeAll(this.#files, fd, bytes.subarray(0, length), at);
      at += length;
    }
  }

  /** The segment ends here: nothing valid is behind. */
  #cut(fd: number, segment: Segment, offset: number): void {
    const extent = this.#gap.extent(fd, offset, segment.size);
    if (extent !== undefined) {
      // A journal that was closed ends behind its last entry: these bytes were one, and it was acknowledged.
      if (this.#report.wasClosed) throw corrupt(segment.index, offset, undefined, 'the last entry is damaged');
      const reason = extent.length < 0 ? 'claimed, never committed' : 'not a whole, right entry';
      this.#report.tornTail = { segment: segment.index, offset, bytes: extent.bytes, reason };
    }
    if (segment.size > offset) this.#files.truncate(fd, offset);
  }
}

/** Parts of a claim that are no longer than a padding can be, with their shares of its sequences. */
function stretchesOf(claim: Claim): Claim[] {
  const stretches: Claim[] = [];
  const end = claim.offset + claim.length;
  let left = claim.count;
  for (let offset = claim.offset; offset < end; ) {
    const length = paddingLength(end - offset);
    const count = Math.min(left, Math.floor(length / E.ENTRY_HEADER_LENGTH));
    stretches.push({ offset, length, count });
    left -= count;
    offset += length;
  }
  return stretches;
}

/** As much of `room` as one padding can fill without leaving less than a header behind it. */
function paddingLength(room: number): number {
  if (room <= E.ENTRY_LENGTH_MAX) return room;
  return room - E.ENTRY_LENGTH_MAX >= E.ENTRY_HEADER_LENGTH
    ? E.ENTRY_LENGTH_MAX
    : E.ENTRY_LENGTH_MAX - E.ENTRY_HEADER_LENGTH;
}
