// A journal's events for those who do not write it: another process, now or later. Needs no lock, and no arena.

import { compileFilter } from '../event/filter.ts';
import { JournalReader } from '../journal/reader.ts';
import type { EventFilter, StreamItem } from './types.ts';

export interface ReadJournalOptions extends EventFilter {
  /** Go on with what is written from now on, until the signal. */
  follow?: boolean;
}

const BATCH_ENTRIES_MAX = 1024;

/**
 * Everything in the journal that matches, in arrays, from `since` (default: the oldest that is kept). `caughtUp` stands where the past ends; a `gap` where
 * something was lost, whatever the filter. Arrays may be empty: then nothing matched, and the caller had its turn.
 * @throws CausewayError JOURNAL_MISSING, PATH_DENIED, JOURNAL_CORRUPT naming segment, offset and sequence: behind all that is right.
 */
export async function* readJournal(
  directory: string,
  options: ReadJournalOptions = {},
): AsyncGenerator<StreamItem[], void, undefined> {
  const { matches } = compileFilter(options);
  const { signal } = options;
  const reader = new JournalReader({ directory, since: options.since ?? 'start' });
  try {
    const missed = missedItems(reader);
    if (missed.length > 0) yield missed;
    let isCaughtUp = false;
    while (signal?.aborted !== true) {
      const items: StreamItem[] = [];
      let count = 0;
      try {
        count = reader.readBatch(BATCH_ENTRIES_MAX, (decoder, at, length) => {
          const item = matches(decoder, at, length) ? decoder.item(at, length) : undefined;
          if (item !== undefined) items.push(item);
        });
      } catch (error) {
        // What lies before the damage is whole.
        if (items.length > 0) yield items;
        throw error;
      }
      if (count > 0) {
        yield items;
        continue;
      }
      if (!isCaughtUp) yield [{ type: 'caughtUp', sequence: reader.position - 1n }];
      isCaughtUp = true;
      if (options.follow !== true) return;
      await reader.wait(signal);
    }
  } finally {
    reader.close();
  }
}

/** What was asked for and is kept no more is a loss, told first. */
function missedItems(reader: JournalReader): StreamItem[] {
  if (reader.missed === 0n) return [];
  const to = reader.position - 1n;
  const timeNs = BigInt(Date.now()) * 1_000_000n;
  const from = to - reader.missed + 1n;
  return [{ type: 'gap', sequence: to, timeNs, cause: 'retention', count: reader.missed, from, to }];
}
