// Progress of long work, on standard error: on a terminal one line that changes, elsewhere nothing.

import type { Context } from '../context.ts';
import { formatCount } from '../format.ts';

const INTERVAL_MS = 200;
const CLEAR_LINE = '\r\x1b[K';

export class Progress {
  readonly #isShown = process.stderr.isTTY === true;
  readonly #context: Context;
  #lastMs = performance.now();
  #isOpen = false;

  constructor(context: Context) {
    this.#context = context;
  }

  /** @param share of the whole, 0 to 1. */
  show(what: string, events: number, share: number): void {
    const now = performance.now();
    if (!this.#isShown || now - this.#lastMs < INTERVAL_MS) return;
    this.#lastMs = now;
    this.#isOpen = true;
    const percent = `${Math.floor(Math.min(share, 1) * 100)} %`;
    process.stderr.write(
      `${CLEAR_LINE}${this.#context.paintError('dim', what)} ${formatCount(events)} events, ${percent}`,
    );
  }

  end(): void {
    if (this.#isOpen) process.stderr.write(CLEAR_LINE);
    this.#isOpen = false;
  }
}
