// Standard output as the data plane of the command line: lines are gathered and written in large pieces, one write at a time, and whoever makes lines waits when
// the reader is slow. A reader that went away (EPIPE) is not an error: `causeway log dir | head` ends quietly.

import { write } from 'node:fs';
import { CausewayError, messageOf } from '../base/errors.ts';

/** Beyond this much unwritten text, producers should wait. */
const PENDING_LENGTH_MAX = 1 << 20;
/** A reader that has set the pipe to non-blocking gets asked again after this time. */
const RETRY_MS = 5;

type WriteFunction = (fd: number, bytes: Uint8Array, offset: number) => Promise<number>;

export class LineWriter {
  readonly #fd: number;
  readonly #write: WriteFunction;
  #pending: string[] = [];
  #pendingLength = 0;
  #writing: Promise<void> | undefined;
  #closed = false;
  #failure: Error | undefined;

  /** Called once when the reader has gone, or nothing can be written any more. */
  onClosed: () => void = () => {};

  constructor(options: { fd?: number; write?: WriteFunction } = {}) {
    this.#fd = options.fd ?? 1;
    this.#write = options.write ?? writeOnce;
  }

  /** True when the reader is slower than we are: wait for drained() before making more. */
  get congested(): boolean {
    return this.#pendingLength > PENDING_LENGTH_MAX;
  }

  /** True when the reader has gone: further lines go nowhere. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Takes a line, or several, each with its line break. Never blocks. */
  push(lines: string): void {
    if (this.#closed) return;
    this.#pending.push(lines);
    this.#pendingLength += lines.length;
    // The write starts when the caller has finished its batch, so that a thousand lines are one write and not a thousand.
    this.#writing ??= Promise.resolve().then(() => this.#run());
  }

  /**
   * Resolves when all that was pushed has been written, or the reader has gone.
   * @throws CausewayError SYSTEM_CALL_FAILED when the output cannot be written (a full disk).
   */
  async drained(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #run(): Promise<void> {
    try {
      while (this.#pending.length > 0 && !this.#closed) {
        const bytes = Buffer.from(this.#pending.join(''));
        this.#pending = [];
        this.#pendingLength = 0;
        await this.#writeAll(bytes);
      }
    } catch (error) {
      this.#close(error);
    } finally {
      this.#writing = undefined;
    }
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    let offset = 0;
    while (offset < bytes.length) {
      try {
        // A short write is no error: it says how far it came.
        offset += await this.#write(this.#fd, bytes, offset);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  #close(error: unknown): void {
    this.#closed = true;
    this.#pending = [];
    this.#pendingLength = 0;
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') {
      this.#failure = new CausewayError('SYSTEM_CALL_FAILED', `standard output: ${messageOf(error)}`, {
        hint: 'Some lines are missing in it; make room and run the command again.',
        cause: error,
      });
    }
    this.onClosed();
  }
}

function writeOnce(fd: number, bytes: Uint8Array, offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, offset, bytes.length - offset, null, (error, written) =>
      error ? reject(error) : resolve(written),
    );
  });
}
