// Reads a SEMJ file in bounded memory: pieces of it are copied into the arena, checked there, and shown where they lie. The file is hostile until then.
//
// With `emergency` damage does not end the reading. What is not a right event is skipped up to the next right one:
//   its sizes agree with each other, and a right event or the file's end follows   it alone is skipped
//   otherwise                                                                    every byte behind is tried for a header; a right checksum decides
// Damage can be made so that many headers look plausible; after CHECKED_PER_BYTE_MAX bytes of vain checksums for each byte of the file the rest is skipped.

import fs from 'node:fs';
import {
  SEMJ_EVENT_HEADER_LENGTH,
  SEMJ_EVENT_LENGTH_MAX,
  SEMJ_EVENT_SIZE_OFFSET,
  SEMJ_FILE_HEADER_LENGTH,
  SEMJ_FILE_TOTAL_EVENTS_OFFSET,
  SEMJ_WRONG_CHECKSUM,
  SEMJ_WRONG_EVENT_SIZE,
} from '../../../layout/semj.ts';
import type { Arena } from '../../arena/arena.ts';
import type { Wasm } from '../../arena/wasm-exports.ts';
import { CausewayError, messageOf } from '../../base/errors.ts';
import { errnoOf, type FileLayer, NodeFileLayer, readAll } from '../file-layer.ts';
import { decodeFileHeader, type SemjFileHeader } from './file-header.ts';
import { describeProblem, semjCorrupt } from './problem.ts';

/** Bytes of the arena that a reader needs. */
export const SEMJ_READ_LENGTH = 1 << 20;
const CHECKED_PER_BYTE_MAX = 16;
/** Ranges that are listed; what is skipped beyond them is still counted. */
const RANGES_MAX = 1000;
const ENOENT = 2;

export interface SemjReaderOptions {
  file: string;
  arena: Arena;
  wasm: Wasm;
  /** SEMJ_READ_LENGTH bytes of the arena. */
  address: number;
  emergency?: boolean;
  files?: FileLayer;
}

/** Bytes of the file that are no right events. */
export interface SkippedRange {
  offset: number;
  bytes: number;
  /** Events among them; undefined if that cannot be known. */
  events: number | undefined;
  why: string;
}

/** `address` and `length` are of the arena, `offset` of the file. The bytes stay as they are until the visitor returns. */
export type VisitSemj = (address: number, length: number, offset: number) => void;

export class SemjReader {
  /** undefined: it is damaged, and that was said in `skipped`. */
  readonly header: SemjFileHeader | undefined;
  readonly size: number;
  /** Right events so far. */
  events = 0;
  skippedBytes = 0;
  readonly skipped: SkippedRange[] = [];
  readonly #file: string;
  readonly #arena: Arena;
  readonly #wasm: Wasm;
  readonly #address: number;
  readonly #emergency: boolean;
  readonly #files: FileLayer;
  readonly #fd: number;
  /** Where the events end. */
  readonly #end: number;
  #offset = 0;
  #start = 0;
  #have = 0;
  #checkable: number;

  /** @throws CausewayError PATH_MISSING, PATH_DENIED, SEMJ_CORRUPT, SEMJ_INCOMPATIBLE. */
  constructor(options: SemjReaderOptions) {
    this.#file = options.file;
    this.#arena = options.arena;
    this.#wasm = options.wasm;
    this.#address = options.address;
    this.#emergency = options.emergency === true;
    this.#files = options.files ?? new NodeFileLayer(undefined);
    this.#fd = openToRead(options.file, this.#files);
    try {
      this.size = this.#files.size(this.#fd);
      this.#end = this.size;
      this.header = this.#readHeader();
      if (this.header !== undefined) {
        this.#offset = SEMJ_FILE_HEADER_LENGTH;
        if (this.header.indexOffset !== 0n) this.#end = Number(this.header.indexOffset);
      }
    } catch (error) {
      this.#files.close(this.#fd);
      throw error;
    }
    this.#checkable = this.size * CHECKED_PER_BYTE_MAX + SEMJ_READ_LENGTH;
  }

  #readHeader(): SemjFileHeader | undefined {
    this.#fill();
    const place = { view: this.#arena.view, at: this.#address, available: this.#have, wasm: this.#wasm };
    try {
      return decodeFileHeader(place, this.#file, this.size);
    } catch (error) {
      if (!this.#emergency || (error as CausewayError).code !== 'SEMJ_CORRUPT') throw error;
      this.#headerProblem = messageOf(error).replace(`${this.#file}: offset=0: `, '');
      return undefined;
    }
  }

  #headerProblem = '';

  /** Offset in the file of what is read next. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes behind the events: an index, which is made anew by whoever needs one. */
  get indexBytes(): number {
    return this.size - this.#end;
  }

  /** Events that the file says it has and that were not right; undefined if it cannot be known. Known at the end. */
  get skippedEvents(): bigint | undefined {
    if (this.skippedBytes === 0) return 0n;
    if (this.header === undefined) return undefined;
    const missing = this.header.totalEvents - BigInt(this.events);
    return missing < 0n ? undefined : missing;
  }

  /**
   * Shows at most `max` events, in the order of the file: how many. 0 = the end.
   * @throws CausewayError SEMJ_CORRUPT naming the offset, unless this is an emergency.
   */
  readBatch(max: number, visit: VisitSemj): number {
    let count = 0;
    while (count < max && this.#offset < this.#end) {
      const status = this.#check();
      if (status > 0) {
        visit(this.#address + this.#offset - this.#start, status, this.#offset);
        this.#offset += status;
        this.events += 1;
        count += 1;
      } else this.#skip(status);
    }
    if (count === 0) this.#checkTotal();
    return count;
  }

  close(): void {
    this.#files.close(this.#fd);
  }

  #checkTotal(): void {
    if (this.#emergency || this.header === undefined || this.header.totalEvents === BigInt(this.events)) return;
    const why = `total_events=${this.header.totalEvents}, the file has ${this.events}`;
    throw semjCorrupt(this.#file, SEMJ_FILE_TOTAL_EVENTS_OFFSET, why);
  }

  /** Length of the event at the offset, or what is wrong with it. */
  #check(): number {
    this.#ensure();
    const available = Math.min(this.#start + this.#have, this.#end) - this.#offset;
    return this.#wasm.semjCheck(this.#address + this.#offset - this.#start, available);
  }

  /** The longest event is in the buffer, or all that the file has of it. */
  #ensure(): void {
    const have = this.#start + this.#have;
    const isWhole = have - this.#offset >= SEMJ_EVENT_LENGTH_MAX || have >= this.size;
    if (this.#offset < this.#start || !isWhole) this.#fill();
  }

  /** Reads from the offset on. */
  #fill(): void {
    this.#start = this.#offset;
    this.#have = readAll(this.#files, this.#fd, this.#arena.slice(this.#address, SEMJ_READ_LENGTH), this.#offset);
  }

  #skip(status: number): void {
    const from = this.#offset;
    const isHeader = from === 0;
    const why = isHeader ? this.#headerProblem : this.#describe(status);
    if (!this.#emergency) throw semjCorrupt(this.#file, from, why);
    // Sizes that agree with each other: what is wrong is something else.
    const hasSizes = status <= SEMJ_WRONG_CHECKSUM && !isHeader;
    if (hasSizes) {
      const length = this.#arena.view.getUint32(this.#address + from - this.#start + SEMJ_EVENT_SIZE_OFFSET, true);
      this.#offset = from + length;
      if (this.#offset === this.#end || this.#check() > 0) {
        this.#note(from, 1, why);
        return;
      }
    }
    this.#offset = isHeader ? 0 : from + 1;
    this.#findRight();
    this.#note(from, isHeader && this.#offset === SEMJ_FILE_HEADER_LENGTH ? 0 : undefined, why);
  }

  #describe(status: number): string {
    const at = this.#address + this.#offset - this.#start;
    return describeProblem(status, this.#arena.view, at);
  }

  #note(from: number, events: number | undefined, why: string): void {
    const bytes = this.#offset - from;
    this.skippedBytes += bytes;
    if (this.skipped.length < RANGES_MAX) this.skipped.push({ offset: from, bytes, events, why });
  }

  /** Moves the offset to the next right event, or to the end. */
  #findRight(): void {
    while (this.#offset < this.#end) {
      this.#ensure();
      const at = this.#offset - this.#start;
      const headers = Math.min(this.#start + this.#have, this.#end) - this.#start - SEMJ_EVENT_HEADER_LENGTH + 1;
      if (headers <= at) break;
      const found = this.#wasm.semjFind(this.#address, at, headers);
      this.#offset = this.#start + found;
      if (found === headers) continue;
      const status = this.#check();
      if (status > 0) return;
      if (status < SEMJ_WRONG_EVENT_SIZE) {
        this.#checkable -= this.#arena.view.getUint32(
          this.#address + this.#offset - this.#start + SEMJ_EVENT_SIZE_OFFSET,
          true,
        );
        if (this.#checkable < 0) break;
      }
      this.#offset += 1;
    }
    this.#offset = this.#end;
  }
}

/** Only regular files: a pipe would block, and has no offsets. */
function openToRead(file: string, files: FileLayer): number {
  try {
    const status = fs.statSync(file);
    if (!status.isFile()) throw new CausewayError('CONFIG_INVALID', `${file} is no regular file`);
    return files.open(file, 'r');
  } catch (error) {
    if (error instanceof CausewayError) throw error;
    const code = errnoOf(error) === ENOENT ? 'PATH_MISSING' : 'PATH_DENIED';
    throw new CausewayError(code, `${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
