// A stream of events in the engine's own thread: async iteration over the journal, from where it was asked for to the engine's end.

import type { CausewayError } from '../base/errors.ts';
import { JournalStream, type JournalStreamOptions } from '../worker/journal-stream.ts';
import type { StreamItem } from './types.ts';

export interface EventStreamOptions extends JournalStreamOptions {
  /** Called once, when the stream has ended. */
  onEnd: () => void;
}

/** Batches and waits after which the event loop has its turn. */
const TURNS_WITHOUT_BREATH = 16;

export class EventStream {
  /** Resolves when the reader has left the journal. */
  readonly ended: Promise<void>;
  readonly #stream: JournalStream;
  readonly #options: EventStreamOptions;
  /** Ends a wait of ours; the user's signal ends the stream as well. */
  readonly #wake = new AbortController();
  #resolveEnded = (): void => {};
  #isEnding = false;
  #isClosed = false;
  #isReading = false;
  #failure: CausewayError | undefined;

  /** The place in the journal is taken here, not at the first next(): nothing that happens afterwards is missed. */
  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.#stream = new JournalStream(options);
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    options.filter.signal?.addEventListener('abort', () => this.abandon(), { once: true });
    if (options.filter.signal?.aborted === true) this.abandon();
  }

  async *batches(): AsyncGenerator<StreamItem[], void, undefined> {
    this.#isReading = true;
    let turns = 0;
    try {
      while (!this.#isClosed) {
        const isLast = this.#isEnding;
        const { items, hasMore } = this.#stream.read();
        if (items.length > 0) yield items;
        if (this.#failure !== undefined) throw this.#failure;
        // Everything that was committed before the end was asked for has been read.
        if (!hasMore && isLast) return;
        if (!hasMore) await this.#stream.tail.wait(this.#wake.signal);
        // A wait that ends at once is only a microtask: under a storm of small batches timers, signals and children would never have their turn.
        turns += 1;
        if (turns % TURNS_WITHOUT_BREATH === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      this.#close();
    }
  }

  async *items(): AsyncGenerator<StreamItem, void, undefined> {
    for await (const batch of this.batches()) yield* batch;
  }

  /** The journal gets no more: ends behind the last event. A stream that nobody reads ends at once. */
  end(): void {
    this.#isEnding = true;
    this.#wake.abort();
    if (!this.#isReading) this.#close();
  }

  /** Ends now, whatever is left. */
  abandon(): void {
    this.#isClosed = true;
    this.end();
    if (!this.#isReading) this.#close();
    else this.#stream.close();
  }

  /** The next read throws it, behind what is still there. */
  fail(error: CausewayError): void {
    this.#failure = error;
    this.#wake.abort();
  }

  #close(): void {
    if (this.#isClosed && this.#isDone) return;
    this.#isClosed = true;
    this.#isDone = true;
    this.#stream.close();
    this.#resolveEnded();
    this.#options.onEnd();
  }

  #isDone = false;
}
