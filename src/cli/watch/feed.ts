// Takes the stream from the engine to the view, as fast as the output takes it, and knows when all that happened has been shown.

import type { Engine } from '../../engine/engine.ts';
import type { EventFilter, StreamItem } from '../../engine/types.ts';
import type { Context } from '../context.ts';
import type { Meter } from './meter.ts';
import type { View } from './view.ts';

export class Feed {
  /** Events handed to the view. */
  shown = 0;
  /** Resolves when the stream ends by itself (end of a replay). Rejects when the engine fails. */
  readonly ended: Promise<void>;
  readonly #engine: Engine;
  readonly #abort = new AbortController();
  readonly #view: View;
  readonly #context: Context;
  readonly #meter: Meter;

  constructor(options: { engine: Engine; filter: EventFilter; view: View; context: Context; meter: Meter }) {
    this.#engine = options.engine;
    this.#view = options.view;
    this.#context = options.context;
    this.#meter = options.meter;
    this.ended = this.#run({ ...options.filter, signal: this.#abort.signal });
    // Whoever waits gets the failure; nobody waiting yet is no reason to end the process.
    this.ended.catch(() => {});
  }

  async #run(filter: EventFilter): Promise<void> {
    const { out } = this.#context;
    for await (const items of this.#engine.batches(filter)) {
      this.#note(items);
      this.#view.show(items);
      if (out.closed) return;
      if (out.congested) await out.drained();
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
    }
  }
}
