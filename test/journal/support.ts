// A journal in an arena of its own, for tests: everything is stepped in this thread.

import { ARENA_REGION_JOURNAL_WINDOW } from '../../layout/arena.ts';
import { LOG_WINDOWS } from '../../layout/log.ts';
import { Arena } from '../../src/arena/arena.ts';
import { instantiate } from '../../src/arena/wasm.ts';
import type { Wasm } from '../../src/arena/wasm-exports.ts';
import type { Event, Gap } from '../../src/engine/types.ts';
import { Appender } from '../../src/journal/appender.ts';
import type { FileLayer } from '../../src/journal/file-layer.ts';
import { Journal, type JournalOptions } from '../../src/journal/journal.ts';
import type { JournalSync } from '../../src/journal/sync.ts';
import { JournalTail } from '../../src/journal/tail.ts';
import type { Since } from '../../src/journal/visit.ts';

export const SEGMENT_LENGTH = 65536;

export interface Bench {
  arena: Arena;
  wasm: Wasm;
  journal: Journal;
  sync: JournalSync;
  appender: Appender;
  tail(since: Since): JournalTail;
  /** Closes all of it. */
  close(): void;
}

export function makeArena(segmentLength = SEGMENT_LENGTH): { arena: Arena; wasm: Wasm } {
  const regions = Array.from({ length: LOG_WINDOWS }, (_, number) => ({
    kind: ARENA_REGION_JOURNAL_WINDOW,
    number,
    length: segmentLength,
  }));
  const arena = Arena.create({ regions });
  const wasm = instantiate(arena);
  wasm.crc32cInit();
  return { arena, wasm };
}

export function openBench(
  directory: string | undefined,
  options: { segmentLength?: number; files?: FileLayer; mapped?: boolean; seal?: JournalOptions['seal'] } = {},
): Bench {
  const segmentLength = options.segmentLength ?? SEGMENT_LENGTH;
  const { arena, wasm } = makeArena(segmentLength);
  const files = options.files === undefined ? {} : { files: options.files };
  const mapped = options.mapped === undefined ? {} : { mapped: options.mapped };
  const journal = Journal.open({ arena, wasm, directory, segmentLength, seal: options.seal, ...files, ...mapped });
  const sync = journal.sync();
  const appender = new Appender({
    arena,
    wasm,
    plan: journal.plan,
    help: () => sync.doWork(),
    rotationTimeoutMs: 2000,
  });
  const tails: JournalTail[] = [];
  return {
    arena,
    wasm,
    journal,
    sync,
    appender,
    tail: (since) => {
      const tail = new JournalTail({ arena, plan: journal.plan, since });
      tails.push(tail);
      return tail;
    },
    close: () => {
      for (const tail of tails) tail.close();
      sync.close();
      journal.close();
    },
  };
}

/** Everything that the reader has now. */
export function readAllOf(reader: { readBatch: JournalTail['readBatch'] }, batch = 100): (Event | Gap)[] {
  const items: (Event | Gap)[] = [];
  const take: Parameters<JournalTail['readBatch']>[1] = (decoder, at, length) => {
    const item = decoder.item(at, length);
    if (item !== undefined) items.push(item);
  };
  while (reader.readBatch(batch, take) > 0);
  return items;
}
