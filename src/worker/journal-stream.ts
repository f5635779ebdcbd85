// Entries of the journal as items for people: tail -> filter -> decode, in batches. Shared by the streams of the engine's own thread and by subscriber
// workers; waiting is theirs.

import type { Arena } from '../arena/arena.ts';
import { compileFilter, type EntryFilter } from '../event/filter.ts';
import type { CaughtUp, EventFilter, StreamItem } from '../event/types.ts';
import type { JournalPlan } from '../journal/plan.ts';
import { JournalTail } from '../journal/tail.ts';
import type { Since } from '../journal/visit.ts';

/**
 * Few, because what is in a batch outlives collections of the young generation, which V8 therefore makes larger, or fills the old one with: with 1024, 14 MB
 * more were resident after a million events. No slower.
 */
const BATCH_ENTRIES_MAX = 128;

export interface JournalStreamOptions {
  arena: Arena;
  plan: JournalPlan;
  filter: EventFilter;
  since: Since;
  /** Last sequence that was claimed when the stream was asked for: behind it, the stream has caught up. */
  position: bigint;
}

export class JournalStream {
  readonly tail: JournalTail;
  readonly #filter: EntryFilter;
  readonly #position: bigint;
  #isCaughtUp = false;
  #toldMissed = false;

  /** @throws CausewayError CONFIG_INVALID for a filter that cannot be, ARENA_FULL when there are too many readers. */
  constructor(options: JournalStreamOptions) {
    this.#filter = compileFilter(options.filter);
    this.tail = new JournalTail({ arena: options.arena, plan: options.plan, since: options.since });
    this.#position = options.position;
  }

  /** What there is, a batch at most; empty when nothing matched, `hasMore` tells whether to go on at once. */
  read(): { items: StreamItem[]; hasMore: boolean } {
    const items: StreamItem[] = [];
    this.#tellMissed(items);
    const count = this.tail.readBatch(BATCH_ENTRIES_MAX, (decoder, at, length) => {
      if (!this.#filter.matches(decoder, at, length)) return;
      const item = decoder.item(at, length);
      if (item !== undefined) items.push(item);
    });
    if (!this.#isCaughtUp && (count === 0 || this.tail.position > this.#position)) this.#tellCaughtUp(items);
    return { items, hasMore: count > 0 };
  }

  close(): void {
    this.tail.close();
  }

  #tellCaughtUp(items: StreamItem[]): void {
    this.#isCaughtUp = true;
    const caughtUp: CaughtUp = { type: 'caughtUp', sequence: this.#position };
    // Before the first item that came after the stream was asked for.
    const live = items.findIndex((item) => item.sequence > this.#position);
    items.splice(live === -1 ? items.length : live, 0, caughtUp);
  }

  /** What was asked for and is no longer kept is a loss of this reader: told first, exactly. */
  #tellMissed(items: StreamItem[]): void {
    if (this.#toldMissed || this.tail.missed === 0n) return;
    this.#toldMissed = true;
    const to = this.tail.position - 1n;
    const from = to - this.tail.missed + 1n;
    const timeNs = BigInt(Date.now()) * 1_000_000n;
    items.push({ type: 'gap', sequence: to, timeNs, cause: 'retention', count: this.tail.missed, from, to });
  }
}
