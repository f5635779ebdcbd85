// Reads the frames of a trace file one after the other, in large pieces, with positions for every complaint.

import fs from 'node:fs';
import {
  TRACE_FRAME_CRC32C_OFFSET,
  TRACE_FRAME_HEADER_LENGTH,
  TRACE_FRAME_KIND_OFFSET,
  TRACE_FRAME_LENGTH_OFFSET,
  TRACE_HEADER_LENGTH,
} from '../../../layout/trace-file.ts';
import { CausewayError, messageOf } from '../../base/errors.ts';
import { decodeTraceHeader, frameFault, type TraceHeader, traceCorrupt } from './frames.ts';

const BUFFER_LENGTH = 1 << 20;

export class FrameStream {
  readonly file: string;
  readonly header: TraceHeader;
  /** The frame at hand, valid after next() answered 'frame': its data is bytes[dataStart, dataStart + length). */
  readonly bytes = Buffer.alloc(BUFFER_LENGTH);
  kind = 0;
  length = 0;
  crc32c = 0;
  dataStart = 0;
  readonly #fd: number;
  #start = 0;
  #end = 0;
  /** File offset of bytes[0]. */
  #base = 0;
  #atEnd = false;

  /**
   * @param offset Where to go on reading; 0 = the first frame.
   * @throws CausewayError PATH_MISSING, PATH_DENIED, SYSTEM_CALL_FAILED, TRACE_CORRUPT.
   */
  constructor(file: string, offset = 0) {
    this.file = file;
    this.#fd = openTrace(file);
    try {
      const header = Buffer.alloc(TRACE_HEADER_LENGTH);
      const count = readFull(this.#fd, header, 0, 0, file);
      this.header = decodeTraceHeader(header.subarray(0, count), file);
    } catch (error) {
      fs.closeSync(this.#fd);
      throw error;
    }
    this.#base = Math.max(offset, TRACE_HEADER_LENGTH);
  }

  /** File offset of the frame at hand. */
  get offset(): number {
    return this.#base + this.#start;
  }

  /**
   * The next frame, which stays at hand until advance(). Its checksum is the caller's to check (frames.ts).
   * 'end': the file ends here, between two frames. 'cut': it ends within this frame.
   * @throws CausewayError TRACE_CORRUPT when the frame's header breaks the rules.
   */
  next(): 'frame' | 'end' | 'cut' {
    if (this.#end - this.#start < TRACE_FRAME_HEADER_LENGTH) this.#fill();
    const available = this.#end - this.#start;
    if (available === 0) return 'end';
    if (available < TRACE_FRAME_HEADER_LENGTH) return 'cut';
    this.length = this.bytes.readUInt32LE(this.#start + TRACE_FRAME_LENGTH_OFFSET);
    this.kind = this.bytes.readUInt32LE(this.#start + TRACE_FRAME_KIND_OFFSET);
    this.crc32c = this.bytes.readUInt32LE(this.#start + TRACE_FRAME_CRC32C_OFFSET);
    const fault = frameFault(this.kind, this.length);
    if (fault !== undefined) throw traceCorrupt(this.file, this.offset, fault);
    const whole = TRACE_FRAME_HEADER_LENGTH + this.length;
    if (available < whole) this.#fill();
    if (this.#end - this.#start < whole) return 'cut';
    this.dataStart = this.#start + TRACE_FRAME_HEADER_LENGTH;
    return 'frame';
  }

  advance(): void {
    this.#start += TRACE_FRAME_HEADER_LENGTH + this.length;
  }

  close(): void {
    fs.closeSync(this.#fd);
  }

  #fill(): void {
    if (this.#atEnd) return;
    this.bytes.copyWithin(0, this.#start, this.#end);
    this.#base += this.#start;
    this.#end -= this.#start;
    this.#start = 0;
    const count = readFull(this.#fd, this.bytes, this.#end, this.#base + this.#end, this.file);
    this.#atEnd = this.#end + count < BUFFER_LENGTH;
    this.#end += count;
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
function readFull(fd: number, buffer: Buffer, from: number, position: number, file: string): number {
  let sum = 0;
  try {
    while (from + sum < buffer.length) {
      const count = fs.readSync(fd, buffer, from + sum, buffer.length - from - sum, position + sum);
      if (count === 0) break;
      sum += count;
    }
  } catch (error) {
    throw new CausewayError('SYSTEM_CALL_FAILED', `trace ${file}: at ${position + sum}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  return sum;
}
