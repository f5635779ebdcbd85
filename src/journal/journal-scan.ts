// Once over what a journal holds now: it ends where the journal ended when the scan began, however fast somebody goes on writing.

import { journalInfo } from './info.ts';
import { JournalReader } from './reader.ts';
import type { Visit } from './visit.ts';

const BATCH_ENTRIES = 1024;

export interface JournalScanOptions {
  directory: string;
  since?: bigint;
  sinceNs?: bigint;
  signal?: AbortSignal;
}

export class JournalScan {
  /** Nothing behind it is shown. */
  readonly lastSequence: bigint;
  readonly #reader: JournalReader;
  readonly #options: JournalScanOptions;

  /** @throws CausewayError JOURNAL_MISSING, PATH_DENIED, JOURNAL_CORRUPT. */
  constructor(options: JournalScanOptions) {
    this.#options = options;
    this.lastSequence = journalInfo(options.directory).lastSequence;
    this.#reader = new JournalReader({ directory: options.directory, since: options.since ?? 'start' });
  }

  /** Entries that were asked for and are kept no more. */
  get missed(): bigint {
    return this.#reader.missed;
  }

  /**
   * Shows every entry; yields the sequence that it has come to now and then, so that others get their turn.
   * @throws CausewayError JOURNAL_CORRUPT; what comes before the damage has been shown.
   * @throws the signal's reason when that is aborted.
   */
  async *run(visit: Visit): AsyncGenerator<bigint, void, undefined> {
    const { signal, sinceNs } = this.#options;
    const show: Visit = (decoder, at, length) => {
      if (decoder.sequence(at) > this.lastSequence) return;
      if (sinceNs !== undefined && decoder.timeNs(at) < sinceNs) return;
      visit(decoder, at, length);
    };
    while (this.#reader.position <= this.lastSequence) {
      if (this.#reader.readBatch(BATCH_ENTRIES, show) === 0) break;
      yield this.#reader.position - 1n;
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
    }
  }

  close(): void {
    this.#reader.close();
  }
}
