// Private memory that parts of a segment file are read into, with wasm over it: what is checked there cannot change any more. Half a MiB, made when a
// reader first needs a file.

import { ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import { ENTRY_HEADER_LENGTH, ENTRY_LENGTH_MAX } from '../../layout/entry.ts';
import { SEGMENT_HEADER_LENGTH } from '../../layout/segment.ts';
import { Arena } from '../arena/arena.ts';
import { instantiate } from '../arena/wasm.ts';
import type { Wasm } from '../arena/wasm-exports.ts';
import { EntryDecoder } from '../event/entry-decoder.ts';
import { type FileLayer, readAll } from './file-layer.ts';

/** Holds the longest entry several times. */
const CAPACITY = 4 * ENTRY_LENGTH_MAX;

/** Buffers of this thread that nobody uses: each has a wasm memory, whose address space is reserved in GiB, so they are made once and lent. */
const free: ReadBuffer[] = [];

export class ReadBuffer {
  readonly arena: Arena;
  readonly wasm: Wasm;
  readonly view: DataView;
  readonly decoder: EntryDecoder;
  /** Where the bytes are in the arena, and how many there are. */
  readonly address: number;
  length = 0;
  /** Offset in the segment of the first byte. */
  offset = 0;
  /** Bytes from the begin that are whole and right entries. */
  verified = 0;

  static take(): ReadBuffer {
    const buffer = free.pop() ?? new ReadBuffer();
    buffer.length = 0;
    buffer.verified = 0;
    return buffer;
  }

  /** Whoever took it must not use it any more. */
  give(): void {
    if (!free.includes(this)) free.push(this);
  }

  private constructor() {
    this.arena = Arena.create({ regions: [{ kind: ARENA_REGION_SCRATCH, length: CAPACITY }] });
    this.wasm = instantiate(this.arena);
    this.wasm.crc32cInit();
    this.address = this.arena.region(ARENA_REGION_SCRATCH).address;
    this.view = this.arena.view;
    this.decoder = new EntryDecoder(this.arena.memory.buffer);
  }

  /**
   * Reads entries of a segment from `offset` on, not beyond `end`, and checks them.
   * @param base position of the segment in its file.
   */
  fill(files: FileLayer, fd: number, base: number, offset: number, end: number): void {
    const wanted = Math.min(CAPACITY, Math.max(end - offset, 0));
    const target = this.arena.slice(this.address, wanted);
    this.offset = offset;
    this.length = readAll(files, fd, target, base + offset);
    this.verified = this.wasm.journalVerify(this.address, 0, this.length);
  }

  /** The segment's header, with zeros behind what the file does not have. */
  readHeader(files: FileLayer, fd: number, base: number): Uint8Array {
    const target = this.arena.slice(this.address, SEGMENT_HEADER_LENGTH);
    const length = readAll(files, fd, target, base);
    this.length = 0;
    this.verified = 0;
    return target.slice(0, length);
  }

  /** Length word at an offset of the segment: 0 where there is none. */
  lengthAt(offset: number): number {
    const at = offset - this.offset;
    return at >= 0 && at + 4 <= this.length ? this.view.getInt32(this.address + at, true) : 0;
  }

  /** True if the last byte that the file has to offer is in the buffer, and no header fits behind `offset`. */
  hasRoomFor(offset: number): boolean {
    return offset - this.offset + ENTRY_HEADER_LENGTH <= this.length;
  }
}
