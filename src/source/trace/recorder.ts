// Records what a source produced: a tap on the drained kernel records and losses, written to a trace file in large pieces.

import fs from 'node:fs';
import {
  TRACE_FRAME_END,
  TRACE_FRAME_HEADER_LENGTH,
  TRACE_FRAME_LENGTH_MAX,
  TRACE_FRAME_LOSS,
  TRACE_FRAME_RECORD,
} from '../../../layout/trace-file.ts';
import { crc32c } from '../../base/crc32c.ts';
import { CausewayError, messageOf } from '../../base/errors.ts';
import type { SourceLoss } from '../source.ts';
import { encodeEnd, encodeFrameHeader, encodeLoss, encodeTraceHeader, kindCrc32c } from './frames.ts';

const BUFFER_LENGTH = 1 << 20;

export interface TraceRecorderOptions {
  /** Overwritten. */
  file: string;
  clockOffsetNs: bigint;
  /** CLOCK_REALTIME in ns. Default now. */
  createdNs?: bigint;
}

export class TraceRecorder {
  readonly #file: string;
  readonly #fd: number;
  readonly #buffer = new Uint8Array(BUFFER_LENGTH);
  #length = 0;
  /** Bytes in the file, all of them whole frames. */
  #written = 0;
  #records = 0n;
  #losses = 0n;
  #state: 'open' | 'failed' | 'closed' = 'open';

  /** @throws CausewayError SYSTEM_CALL_FAILED when the file cannot be made. */
  constructor(options: TraceRecorderOptions) {
    this.#file = options.file;
    try {
      this.#fd = fs.openSync(options.file, 'w', 0o600);
    } catch (error) {
      throw new CausewayError('SYSTEM_CALL_FAILED', `trace ${options.file}: ${messageOf(error)}`, { cause: error });
    }
    const createdNs = options.createdNs ?? BigInt(Date.now()) * 1_000_000n;
    this.#append(encodeTraceHeader({ createdNs, clockOffsetNs: options.clockOffsetNs }));
  }

  get records(): bigint {
    return this.#records;
  }

  /**
   * One kernel record, as it was drained, well-formed or not. The bytes are copied.
   * @throws CausewayError as flush(); RECORD_TOO_LONG.
   */
  record(bytes: Uint8Array): void {
    this.#frame(TRACE_FRAME_RECORD, bytes);
    this.#records += 1n;
  }

  loss(loss: SourceLoss): void {
    this.#frame(TRACE_FRAME_LOSS, encodeLoss(loss));
    this.#losses += 1n;
  }

  /**
   * Writes what is buffered: at quiet moments, so that a recording that is cut off has everything up to there.
   * @throws CausewayError SYSTEM_CALL_FAILED (no room on the disk). The file then ends with the last frame that fitted whole, without END, and
   * nothing more is recorded; the source itself is not concerned.
   */
  flush(): void {
    this.#expectOpen();
    let from = 0;
    try {
      // A short write is no error: what is left is tried again, and then fails if the disk is full.
      while (from < this.#length)
        from += fs.writeSync(this.#fd, this.#buffer, from, this.#length - from, this.#written + from);
    } catch (error) {
      this.#fail(this.#written + from, error);
    }
    this.#written += this.#length;
    this.#length = 0;
  }

  /** Ends the file as complete. Idempotent. @throws as flush(). */
  close(): void {
    if (this.#state === 'open') {
      this.#frame(TRACE_FRAME_END, encodeEnd({ records: this.#records, losses: this.#losses }));
      this.flush();
      fs.closeSync(this.#fd);
    }
    this.#state = 'closed';
  }

  #frame(kind: number, data: Uint8Array): void {
    this.#expectOpen();
    if (data.length > TRACE_FRAME_LENGTH_MAX) {
      throw new CausewayError(
        'RECORD_TOO_LONG',
        `trace ${this.#file}: length=${data.length}, lengthMax=${TRACE_FRAME_LENGTH_MAX}`,
      );
    }
    if (this.#length + TRACE_FRAME_HEADER_LENGTH + data.length > BUFFER_LENGTH) this.flush();
    const at = this.#length;
    const dataAt = at + TRACE_FRAME_HEADER_LENGTH;
    // Copied first: the checksum is of what is written, whatever happens to the original.
    this.#buffer.set(data, dataAt);
    const checksum = crc32c(this.#buffer, dataAt, dataAt + data.length, kindCrc32c(kind));
    encodeFrameHeader(this.#buffer, at, { kind, length: data.length, crc32c: checksum });
    this.#length = dataAt + data.length;
  }

  #append(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #fail(reached: number, error: unknown): never {
    this.#state = 'failed';
    const whole = this.#wholeFramesEnd(reached);
    try {
      fs.ftruncateSync(this.#fd, whole);
    } finally {
      fs.closeSync(this.#fd);
    }
    throw new CausewayError(
      'SYSTEM_CALL_FAILED',
      `trace ${this.#file}: recording ends at ${whole} bytes: ${messageOf(error)}`,
      {
        cause: error,
        hint: 'The recording can be replayed up to there.',
      },
    );
  }

  /** The end of the last whole frame of the buffer that lies below `reached` in the file. */
  #wholeFramesEnd(reached: number): number {
    const view = new DataView(this.#buffer.buffer);
    let end = 0;
    // The file's header, in the first buffer, is 32 bytes of its own.
    if (this.#written === 0)
      end = Math.min(encodeTraceHeader({ createdNs: 0n, clockOffsetNs: 0n }).length, this.#length);
    while (end + TRACE_FRAME_HEADER_LENGTH <= this.#length) {
      const next = end + TRACE_FRAME_HEADER_LENGTH + view.getUint32(end, true);
      if (this.#written + next > reached) break;
      end = next;
    }
    return this.#written + end;
  }

  #expectOpen(): void {
    if (this.#state !== 'open')
      throw new CausewayError('SOURCE_FAILED', `trace ${this.#file}: the recording has ended (${this.#state})`);
  }
}
