// A journal that is opened to take what was read elsewhere: entries are written in place, by this thread alone, and nobody else writes it meanwhile.

import { ARENA_REGION_JOURNAL_WINDOW, ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import { ENTRY_SEQUENCE_OFFSET } from '../../layout/entry.ts';
import { LOG_WINDOWS } from '../../layout/log.ts';
import { STATUS_ROTATING, STATUS_TIMED_OUT } from '../../layout/status.ts';
import { Arena } from '../arena/arena.ts';
import { instantiate } from '../arena/wasm.ts';
import type { Wasm } from '../arena/wasm-exports.ts';
import { CausewayError } from '../base/errors.ts';
import type { FileLayer } from './file-layer.ts';
import { Journal } from './journal.ts';
import type { JournalSync } from './sync.ts';

/** As the engine's journals have. */
const SEGMENT_LENGTH_DEFAULT = 64 << 20;
const ROTATION_TIMEOUT_MS = 10_000;
const PUBLISH_ENTRIES = 256;

export interface ImportTargetOptions {
  directory: string;
  segmentLength?: number;
  files?: FileLayer;
}

/** An arena with room for a journal's windows, and `length` bytes for whoever fills them. */
export class ImportArena {
  readonly arena: Arena;
  readonly wasm: Wasm;
  readonly scratch: number;
  readonly segmentLength: number;

  constructor(length: number, segmentLength = SEGMENT_LENGTH_DEFAULT) {
    const windows = Array.from({ length: LOG_WINDOWS }, (_, number) => ({
      kind: ARENA_REGION_JOURNAL_WINDOW,
      number,
      length: segmentLength,
    }));
    this.arena = Arena.create({ regions: [...windows, { kind: ARENA_REGION_SCRATCH, length }] });
    this.wasm = instantiate(this.arena);
    this.wasm.crc32cInit();
    this.wasm.crc32Init();
    this.scratch = this.arena.region(ARENA_REGION_SCRATCH).address;
    this.segmentLength = segmentLength;
  }
}

export class ImportTarget {
  readonly journal: Journal;
  /** Sequences of what was appended; 0n = nothing yet. */
  firstSequence = 0n;
  lastSequence = 0n;
  /** The last entry that was there before. */
  readonly before: bigint;
  readonly #place: ImportArena;
  readonly #sync: JournalSync;
  #unpublished = 0;

  /** @throws CausewayError as Journal.open: JOURNAL_BUSY, JOURNAL_CORRUPT ... */
  constructor(place: ImportArena, options: ImportTargetOptions) {
    this.#place = place;
    const { arena, wasm, segmentLength } = place;
    const files = options.files === undefined ? {} : { files: options.files };
    this.journal = Journal.open({ arena, wasm, directory: options.directory, segmentLength, ...files });
    this.#sync = this.journal.sync();
    this.before = this.journal.claimedSequence;
  }

  /**
   * Room for an entry: its address. Fill it in, then commit().
   * @throws CausewayError JOURNAL_FULL, JOURNAL_POISONED, RECORD_TOO_LONG.
   */
  reserve(length: number): number {
    let answer = this.#place.wasm.journalReserve(length);
    const deadline = Date.now() + ROTATION_TIMEOUT_MS;
    while (answer === STATUS_ROTATING && Date.now() < deadline) {
      this.#sync.doWork();
      answer = this.#place.wasm.journalReserve(length);
    }
    if (answer >= 0 || answer < STATUS_TIMED_OUT) return answer >>> 0;
    const { directory, state, error } = this.journal.stats();
    const why = `state=${state}${error === undefined ? '' : `, ${error}`}, entry: length=${length}`;
    throw new CausewayError(state === 'poisoned' ? 'JOURNAL_POISONED' : 'JOURNAL_FULL', `journal ${directory}: ${why}`);
  }

  commit(address: number): void {
    const sequence = this.#place.arena.view.getBigUint64(address + ENTRY_SEQUENCE_OFFSET, true);
    if (this.firstSequence === 0n) this.firstSequence = sequence;
    this.lastSequence = sequence;
    this.#place.wasm.journalCommit(address);
    this.#unpublished += 1;
    if (this.#unpublished >= PUBLISH_ENTRIES) this.#publish();
  }

  #publish(): void {
    this.#unpublished = 0;
    this.#place.wasm.journalPublish();
    this.#sync.doWork();
  }

  /** Flushes and unlocks. @throws CausewayError JOURNAL_POISONED when a flush failed: what is kept is not known. */
  close(): void {
    this.#publish();
    this.#sync.close();
    this.journal.close();
    const { directory, state, error, durableSequence } = this.journal.stats();
    if (durableSequence >= this.lastSequence) return;
    throw new CausewayError(
      'JOURNAL_POISONED',
      `journal ${directory}: state=${state}, ${error ?? 'a flush did not end'}: durable up to ${durableSequence} of ${this.lastSequence}`,
    );
  }
}
