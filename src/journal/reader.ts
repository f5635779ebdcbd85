// Reads a journal's directory from outside: another process while one writes, or nobody does. Only with read(2), never by mapping somebody else's files, and
// everything that was read is checked in private memory before it is used. Follows live by looking again, after up to 50 ms.
//
// What it makes of a place without a valid entry:
//   the segment ends, or nothing is claimed there, and the next segment goes on with the expected sequence   goes on there
//   a writer is alive                            not yet: claimed and not committed, or read in the middle of being written
//   no writer, valid entries behind claims       the holes of a killed writer: shown as gaps, as recovery will make them
//   no writer, nothing behind                    the end; a torn tail is recovery's matter
//   wrong bytes with valid entries behind them   JOURNAL_CORRUPT

import {
  ENTRY_CRC32C_OFFSET,
  ENTRY_HEADER_LENGTH,
  ENTRY_KIND_OFFSET,
  ENTRY_KIND_PADDING,
  ENTRY_LENGTH_OFFSET,
  ENTRY_SEQUENCE_OFFSET,
} from '../../layout/entry.ts';
import { SEGMENT_HEADER_LENGTH } from '../../layout/segment.ts';
import { CausewayError, messageOf } from '../base/errors.ts';
import { corruptAt } from './corrupt.ts';
import { errnoOf, type FileLayer, NodeFileLayer } from './file-layer.ts';
import { type Claim, GapFinder } from './gap-finder.ts';
import { readIdentity } from './identity.ts';
import { lockHolder } from './lock.ts';
import { segmentPath } from './plan.ts';
import { ReadBuffer } from './read-buffer.ts';
import { decodeSegmentHeader, formatUuid, type SegmentHeader, segmentIndexOf } from './segment.ts';
import type { Since, Visit } from './visit.ts';

export interface JournalReaderOptions {
  directory: string;
  since?: Since;
  files?: FileLayer;
}

const POLL_MS_MIN = 1;
const POLL_MS_MAX = 50;
/** Times that bytes are read again before a live writer's half-written entry is taken for damage. */
const TORN_READS_MAX = 20;
const ENOENT = 2;

export class JournalReader {
  readonly #directory: string;
  readonly #files: FileLayer;
  readonly #buffer = ReadBuffer.take();
  readonly #gaps: GapFinder;
  readonly #uuid: Uint8Array | undefined;
  readonly #wasClosed: boolean;
  /** The last opening's: what is older was recovered and flushed. */
  readonly #epoch: bigint | undefined;
  #segment = 0;
  #offset: number = SEGMENT_HEADER_LENGTH;
  #next = 1n;
  #skip = 0n;
  #fd = -1;
  #header: SegmentHeader | undefined;
  #pollMs = POLL_MS_MIN;
  #tornReads = 0;

  /** What a writer that was killed left behind the last entry; known once the end was reached. */
  tornTail: { segment: number; offset: number; bytes: number } | undefined;
  /** Entries before the oldest that is kept, which were asked for and are gone. */
  missed = 0n;

  /** @throws CausewayError JOURNAL_MISSING, PATH_DENIED, JOURNAL_CORRUPT, JOURNAL_INCOMPATIBLE. */
  constructor(options: JournalReaderOptions) {
    this.#directory = options.directory;
    this.#files = options.files ?? new NodeFileLayer(undefined);
    this.#gaps = new GapFinder(this.#files, this.#buffer);
    const indexes = segmentIndexes(this.#directory, this.#files);
    const missing = indexes.find((index, place) => place > 0 && index !== (indexes[place - 1] as number) + 1);
    if (missing !== undefined) throw corruptAt(missing, 0, undefined, 'the segment before it is missing');
    const identity = readIdentity(this.#directory, this.#files);
    this.#uuid = identity?.uuid;
    this.#wasClosed = identity?.closed ?? false;
    this.#epoch = identity?.epoch;
    this.#locate(indexes, options.since ?? 'start');
  }

  /** Sequence of the entry that is read next. */
  get position(): bigint {
    return this.#next + this.#skip;
  }

  /** True while a process has the journal open for writing. */
  get isLive(): boolean {
    return lockHolder(this.#directory) !== undefined;
  }

  /**
   * Shows at most `max` entries to the visitor, in order: how many. 0 = nothing more for now.
   * @throws CausewayError JOURNAL_CORRUPT naming segment, offset and sequence; what came before it has been shown.
   */
  readBatch(max: number, visit: Visit): number {
    let count = 0;
    while (count < max) {
      if (!this.#open()) break;
      const available = this.#available();
      if (available > 0) count += this.#show(available, max - count, visit);
      else if (!this.#goOn(visit)) break;
    }
    if (count > 0) this.#pollMs = POLL_MS_MIN;
    return count;
  }

  /** Waits a little, longer each time that nothing came. */
  async wait(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return;
    const pause = this.#pollMs;
    this.#pollMs = Math.min(this.#pollMs * 2, POLL_MS_MAX);
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, pause);
      signal?.addEventListener('abort', end, { once: true });
    });
  }

  close(): void {
    this.#closeSegment();
    this.#buffer.give();
  }

  #closeSegment(): void {
    if (this.#fd >= 0) this.#files.close(this.#fd);
    this.#fd = -1;
    this.#header = undefined;
  }

  /** Verified bytes at the position, read now if there are none in the buffer. */
  #available(): number {
    const buffer = this.#buffer;
    const rest = buffer.offset + buffer.verified - this.#offset;
    if (this.#offset >= buffer.offset && rest > 0) return rest;
    buffer.fill(this.#files, this.#fd, 0, this.#offset, this.#files.size(this.#fd));
    return buffer.verified;
  }

  #show(available: number, max: number, visit: Visit): number {
    const { view, decoder } = this.#buffer;
    this.#tornReads = 0;
    const end = this.#offset + available;
    let count = 0;
    while (this.#offset < end && count < max) {
      const at = this.#buffer.address + this.#offset - this.#buffer.offset;
      const length = view.getInt32(at + ENTRY_LENGTH_OFFSET, true);
      const sequence = decoder.sequence(at);
      if (sequence === this.#next) {
        this.#next += 1n;
        this.#offset += (length + 7) & ~7;
        if (this.#skip > 0n) this.#skip -= 1n;
        else {
          count += 1;
          visit(decoder, at, length);
        }
      } else if (sequence === 0n && decoder.kind(at) === ENTRY_KIND_PADDING) {
        this.#offset += (length + 7) & ~7;
      } else {
        throw corruptAt(this.#segment, this.#offset, this.#next, `misdirected entry: sequence=${sequence}`);
      }
    }
    return count;
  }

  /** At a place without a valid entry: true if reading can go on, here or elsewhere. */
  #goOn(visit: Visit): boolean {
    const size = this.#files.size(this.#fd);
    const length = this.#buffer.lengthAt(this.#offset);
    const next = this.#nextHeader();
    const isEnd = size - this.#offset < ENTRY_HEADER_LENGTH;
    if ((isEnd || length <= 0) && next !== undefined && next.firstSequence === this.#next) {
      this.#goTo(this.#segment + 1, SEGMENT_HEADER_LENGTH);
      return true;
    }
    if (this.isLive) {
      // Written at this very moment: the bytes come in any order. Damage stays.
      this.#tornReads += length > 0 ? 1 : 0;
      if (length <= 0 || this.#tornReads < TORN_READS_MAX) return false;
    }
    const { expected, nextFirst } = { expected: this.#next, nextFirst: next?.firstSequence };
    const isUnflushed = !this.#wasClosed && (this.#header?.epoch ?? 0n) >= (this.#epoch ?? 0n);
    const place = { fd: this.#fd, index: this.#segment, offset: this.#offset, size, expected, nextFirst, isUnflushed };
    const gap = this.#gaps.look(place);
    this.#buffer.verified = 0;
    if (gap === undefined) {
      this.#noteTornTail(size);
      return false;
    }
    for (const claim of gap.claims) this.#showHoles(claim, visit);
    this.#offset = gap.end;
    this.#next = gap.sequence;
    return true;
  }

  /** Bytes behind the last entry: recovery will cut them. A journal that was closed has none. */
  #noteTornTail(size: number): void {
    const extent = this.#gaps.extent(this.#fd, this.#offset, size);
    this.#buffer.verified = 0;
    if (extent === undefined) return;
    if (this.#wasClosed) throw corruptAt(this.#segment, this.#offset, this.#next, 'not a whole, right entry');
    this.tornTail = { segment: this.#segment, offset: this.#offset, bytes: extent.bytes };
  }

  /** A hole is shown as the padding that recovery will make of it. */
  #showHoles(claim: Claim, visit: Visit): void {
    const { arena, address, view, decoder } = this.#buffer;
    for (let count = 0; count < claim.count; count++) {
      arena.slice(address, ENTRY_HEADER_LENGTH).fill(0);
      view.setInt32(address + ENTRY_LENGTH_OFFSET, ENTRY_HEADER_LENGTH, true);
      view.setBigUint64(address + ENTRY_SEQUENCE_OFFSET, this.#next, true);
      view.setUint16(address + ENTRY_KIND_OFFSET, ENTRY_KIND_PADDING, true);
      const crc = this.#buffer.wasm.crc32c(
        address + ENTRY_SEQUENCE_OFFSET,
        ENTRY_HEADER_LENGTH - ENTRY_SEQUENCE_OFFSET,
      );
      view.setUint32(address + ENTRY_CRC32C_OFFSET, crc, true);
      this.#next += 1n;
      if (this.#skip > 0n) this.#skip -= 1n;
      else visit(decoder, address, ENTRY_HEADER_LENGTH);
    }
  }

  #goTo(segment: number, offset: number): void {
    this.#closeSegment();
    this.#segment = segment;
    this.#offset = offset;
    this.#buffer.verified = 0;
    this.#tornReads = 0;
  }

  /** Opens the current segment; false if it is not there yet. */
  #open(): boolean {
    if (this.#fd >= 0) return true;
    const header = this.#readHeader(this.#segment);
    if (header === undefined || header.firstSequence === 0n) return false;
    if (header.firstSequence !== this.#next) {
      throw corruptAt(this.#segment, 0, this.#next, `firstSequence=${header.firstSequence}, expected ${this.#next}`);
    }
    this.#fd = this.#files.open(segmentPath(this.#directory, this.#segment), 'r');
    this.#header = header;
    return true;
  }

  /** Header of the next segment, if that is in use. */
  #nextHeader(): SegmentHeader | undefined {
    const header = this.#readHeader(this.#segment + 1);
    if (header === undefined || header.firstSequence === 0n) return undefined;
    if (this.#header !== undefined && header.epoch < this.#header.epoch) {
      throw corruptAt(
        this.#segment + 1,
        0,
        this.#next,
        `misdirected: epoch=${header.epoch} behind ${this.#header.epoch}`,
      );
    }
    return header;
  }

  /** undefined when the segment is not there, or still being made. */
  #readHeader(index: number): SegmentHeader | undefined {
    let fd: number;
    try {
      fd = this.#files.open(segmentPath(this.#directory, index), 'r');
    } catch (error) {
      if (errnoOf(error) === ENOENT) return undefined;
      throw unreadable(this.#directory, error);
    }
    try {
      const buffer = new Uint8Array(SEGMENT_HEADER_LENGTH);
      const length = this.#files.read(fd, buffer, 0);
      const header = decodeSegmentHeader(buffer.subarray(0, length));
      if (typeof header === 'string') {
        if (this.isLive || buffer.every((byte) => byte === 0)) return undefined;
        throw corruptAt(index, 0, undefined, header);
      }
      if (header.index !== index)
        throw corruptAt(index, 0, undefined, `misdirected: index=${header.index} in its header`);
      if (this.#uuid !== undefined && !Buffer.from(header.uuid).equals(this.#uuid)) {
        throw corruptAt(index, 0, undefined, `it belongs to another journal: uuid=${formatUuid(header.uuid)}`);
      }
      return header;
    } finally {
      this.#files.close(fd);
    }
  }

  #locate(indexes: readonly number[], since: Since): void {
    const oldest = indexes[0];
    if (oldest === undefined) {
      // Made this moment, or never written: the first segment may come yet.
      if (typeof since === 'bigint' && since > 1n) this.#skip = since - 1n;
      return;
    }
    let low = oldest;
    let high = indexes.at(-1) as number;
    while (high > low && (this.#readHeader(high)?.firstSequence ?? 0n) === 0n) high -= 1;
    const wanted = since === 'start' ? 0n : since === 'now' ? undefined : since;
    if (wanted === undefined) low = high;
    else {
      // The last segment that begins at or before the wanted sequence.
      while (low < high) {
        const middle = Math.ceil((low + high) / 2);
        if ((this.#readHeader(middle)?.firstSequence ?? 0n) <= wanted) low = middle;
        else high = middle - 1;
      }
    }
    this.#segment = low;
    const first = this.#readHeader(low)?.firstSequence ?? 0n;
    this.#next = first === 0n ? 1n : first;
    if (wanted === undefined) {
      while (this.readBatch(1 << 16, () => {}) > 0);
    } else if (wanted > this.#next) {
      this.#skip = wanted - this.#next;
    } else if (typeof since === 'bigint') {
      this.missed = this.#next - wanted;
    }
  }
}

/**
 * Indexes of the segments in a directory, in order.
 * @throws CausewayError JOURNAL_MISSING when this is no journal, PATH_DENIED when it cannot be read.
 */
export function segmentIndexes(directory: string, files: FileLayer): number[] {
  let names: string[];
  try {
    names = files.list(directory);
  } catch (error) {
    throw unreadable(directory, error);
  }
  const indexes = names.map(segmentIndexOf).filter((index) => index !== undefined);
  if (indexes.length === 0 && !names.includes('journal.json')) {
    throw new CausewayError('JOURNAL_MISSING', `${directory} is no journal: it has neither journal.json nor segments`);
  }
  return indexes.sort((a, b) => a - b);
}

function unreadable(directory: string, error: unknown): CausewayError {
  const code = errnoOf(error) === ENOENT ? 'JOURNAL_MISSING' : 'PATH_DENIED';
  return new CausewayError(code, `journal ${directory} cannot be read: ${messageOf(error)}`, { cause: error });
}
