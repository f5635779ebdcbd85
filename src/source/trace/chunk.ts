// A trace file and the piece of it that lies in the arena, where wasm goes over its frames (layout/trace-replay.ts).

import fs from 'node:fs';
import { TRACE_HEADER_LENGTH } from '../../../layout/trace-file.ts';
import {
  TRACE_CHUNK_LENGTH,
  TRACE_SCRATCH_CHUNK_OFFSET,
  TRACE_SCRATCH_CONTROL_LENGTH,
  TRACE_SCRATCH_END_OFFSET,
  TRACE_SCRATCH_START_OFFSET,
} from '../../../layout/trace-replay.ts';
import type { Arena } from '../../arena/arena.ts';
import { CausewayError, messageOf } from '../../base/errors.ts';
import { decodeTraceHeader, type TraceHeader } from './frames.ts';

/** @throws CausewayError PATH_MISSING, PATH_DENIED, SYSTEM_CALL_FAILED, TRACE_CORRUPT. */
export function readTraceHeader(file: string): TraceHeader {
  const fd = openTrace(file);
  try {
    const header = Buffer.alloc(TRACE_HEADER_LENGTH);
    return decodeTraceHeader(header.subarray(0, readFull(fd, header, 0, file)), file);
  } finally {
    fs.closeSync(fd);
  }
}

export class TraceChunk {
  readonly file: string;
  readonly #fd: number;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  /** File offset of #bytes[0]. */
  #base: number;
  #atEnd = false;

  /**
   * @param scratch Address of the reader's region, which is made ready for traceFrames.
   * @param offset Where in the file reading begins; 0 = at the first frame.
   * @throws CausewayError as readTraceHeader.
   */
  constructor(arena: Arena, scratch: number, file: string, offset: number) {
    readTraceHeader(file);
    this.file = file;
    this.#fd = openTrace(file);
    this.#base = Math.max(offset, TRACE_HEADER_LENGTH);
    this.#view = new DataView(arena.memory.buffer, scratch, TRACE_SCRATCH_CONTROL_LENGTH);
    this.#bytes = arena.slice(scratch + TRACE_SCRATCH_CHUNK_OFFSET, TRACE_CHUNK_LENGTH);
    arena.slice(scratch, TRACE_SCRATCH_CONTROL_LENGTH).fill(0);
  }

  /** File offset of the frame at hand. */
  get offset(): number {
    return this.#base + this.start;
  }

  /** Place of the frame at hand in the chunk. */
  get start(): number {
    return this.#view.getUint32(TRACE_SCRATCH_START_OFFSET, true);
  }

  /** Bytes of the chunk from the frame at hand on. */
  get available(): number {
    return this.#end - this.start;
  }

  /** Goes on behind `length` bytes. */
  pass(length: number): void {
    this.#view.setUint32(TRACE_SCRATCH_START_OFFSET, this.start + length, true);
  }

  /** Keeps the frame at hand and reads behind it; false when the file has no more. */
  fill(): boolean {
    if (this.#atEnd) return false;
    const { start, available } = this;
    this.#bytes.copyWithin(0, start, start + available);
    this.#base += start;
    const room = this.#bytes.subarray(available);
    const count = readFull(this.#fd, room, this.#base + available, this.file);
    this.#atEnd = count < room.length;
    this.#view.setUint32(TRACE_SCRATCH_START_OFFSET, 0, true);
    this.#view.setUint32(TRACE_SCRATCH_END_OFFSET, available + count, true);
    return count > 0;
  }

  close(): void {
    fs.closeSync(this.#fd);
  }

  get #end(): number {
    return this.#view.getUint32(TRACE_SCRATCH_END_OFFSET, true);
  }
}

function openTrace(file: string): number {
  try {
    return fs.openSync(file, 'r');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const text = `trace ${file}: ${messageOf(error)}`;
    if (code === 'ENOENT') throw new CausewayError('PATH_MISSING', text, { cause: error });
    if (code === 'EACCES') throw new CausewayError('PATH_DENIED', text, { cause: error });
    throw new CausewayError('SYSTEM_CALL_FAILED', text, { cause: error });
  }
}

/** Reads until the buffer is full or the file ends. */
function readFull(fd: number, buffer: Uint8Array, position: number, file: string): number {
  let sum = 0;
  try {
    while (sum < buffer.length) {
      const count = fs.readSync(fd, buffer, sum, buffer.length - sum, position + sum);
      if (count === 0) break;
      sum += count;
    }
  } catch (error) {
    const text = `trace ${file}: at ${position + sum}: ${messageOf(error)}`;
    throw new CausewayError('SYSTEM_CALL_FAILED', text, { cause: error });
  }
  return sum;
}
