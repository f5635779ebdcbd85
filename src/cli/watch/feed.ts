// Takes the stream from the engine to the view, as fast as the output takes it, and knows when all that happened has been shown.

import type { Engine } from '../../engine/engine.ts';
import type { EventFilter, StreamItem } from '../../engine/types.ts';
import type { Context } from '../context.ts';
import { pause } from '../signals.ts';
import type { Meter } from './meter.ts';
import type { View } from './view.ts';

/** A stream that has given nothing for this long, with a reader that is not behind, has nothing more: what is left does not match the filter. */
const IDLE_MS = 250;
const POLL_MS = 2;

export class Feed {
  /** Events handed to the view. */
  shown = 0;
  /** Resolves when the stream ends. Rejects when the engine or the output fails. */
  readonly ended: Promise<void>;
  readonly #engine: Engine;
  readonly #view: View;
  readonly #context: Context;
  readonly #meter: Meter;
  #lastSequence = 0n;
  #lastBatchMs = performance.now();
  #hasEnded = false;

  constructor(options: { engine: Engine; filter: EventFilter; view: View; context: Context; meter: Meter }) {
    this.#engine = options.engine;
    this.#view = options.view;
    this.#context = options.context;
    this.#meter = options.meter;
    this.ended = this.#run(options.filter);
    // Whoever waits gets the failure; nobody waiting yet is no reason to end the process.
    this.ended.catch(() => {});
  }

  /**
   * Shows everything that has happened before the call, then closes the engine, which ends the stream.
   * @returns false when it took too long, and something may be missing in what was shown.
   * @throws whatever ended the stream.
   */
  async drain(timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), timeoutMs);
    try {
      if (!this.#hasEnded && !this.#context.out.closed) {
        await Promise.race([this.#engine.sync(), this.ended, pause(timeoutMs, late.signal)]);
        const target = this.#engine.position;
        while (!this.#hasEnded && !this.#hasShown(target) && performance.now() < deadline) await pause(POLL_MS);
      }
      this.#meter.sample();
      await this.#engine.close();
      await Promise.race([this.ended, pause(timeoutMs, late.signal)]);
      return this.#hasEnded && performance.now() < deadline;
    } finally {
      clearTimeout(timer);
      late.abort();
    }
  }

  #hasShown(target: bigint): boolean {
    if (this.#lastSequence >= target) return true;
    return performance.now() - this.#lastBatchMs > IDLE_MS && !this.#context.out.congested;
  }

  async #run(filter: EventFilter): Promise<void> {
    const { out } = this.#context;
    try {
      for await (const items of this.#engine.batches(filter)) {
        this.#note(items);
        this.#view.show(items);
        if (out.closed) break;
        if (out.congested) await out.drained();
        this.#lastBatchMs = performance.now();
      }
    } finally {
      this.#hasEnded = true;
    }
  }

  #note(items: readonly StreamItem[]): void {
    for (const item of items) {
      if (item.type === 'gap') {
        if (item.count === undefined) this.#meter.noteUnknownLoss();
        this.#context.log?.warn({ cause: item.cause, count: String(item.count ?? 'unknown') }, 'events were lost');
      } else if (item.type !== 'caughtUp') {
        this.shown++;
      }
      this.#lastSequence = item.sequence;
    }
  }
}
