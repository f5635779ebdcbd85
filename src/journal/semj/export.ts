// A journal's events as a SEMJ file. Gaps become observability.error_reported events that are read back as gaps; what users do not see (padding, checkpoints,
// claims that were given up) is left out.

import { ARENA_REGION_SCRATCH } from '../../../layout/arena.ts';
import * as E from '../../../layout/entry.ts';
import { Arena } from '../../arena/arena.ts';
import { instantiate } from '../../arena/wasm.ts';
import type { Wasm } from '../../arena/wasm-exports.ts';
import { defaultFields, encodeEntry, entryLength } from '../../event/entry.ts';
import type { EntryDecoder } from '../../event/entry-decoder.ts';
import { compileFilter, type EntryFilter } from '../../event/filter.ts';
import type { EventFilter } from '../../event/types.ts';
import { JournalScan } from '../journal-scan.ts';
import { exportImpossible } from './problem.ts';
import { SEMJ_WRITE_LENGTH, SemjWriter } from './writer.ts';

export interface ExportSemjOptions extends Pick<EventFilter, 'types' | 'path' | 'pid' | 'signal'> {
  directory: string;
  file: string;
  /** First sequence (inclusive); default: the oldest that is kept. */
  since?: bigint;
  /** Only events of this time or later (CLOCK_REALTIME in ns). */
  sinceNs?: bigint;
  /** 'vexfs': Access events are written as the types that VexFS has, their own code as subtype. */
  compat?: 'vexfs';
  onProgress?: (done: { events: number; sequence: bigint; lastSequence: bigint }) => void;
}

export interface ExportSummary {
  events: number;
  gaps: number;
  bytes: number;
  firstSequence: bigint | undefined;
  lastSequence: bigint | undefined;
}

/** Turns entries into SEMJ events, in an arena of its own. */
export class SemjEncoder {
  readonly arena: Arena;
  readonly wasm: Wasm;
  /** SEMJ_WRITE_LENGTH bytes. */
  readonly room: number;
  readonly #entry: number;
  readonly #vexfs: number;

  constructor(compat: 'vexfs' | undefined) {
    const length = SEMJ_WRITE_LENGTH + E.ENTRY_LENGTH_MAX;
    this.arena = Arena.create({ regions: [{ kind: ARENA_REGION_SCRATCH, length }] });
    this.wasm = instantiate(this.arena);
    this.wasm.crc32Init();
    this.room = this.arena.region(ARENA_REGION_SCRATCH).address;
    this.#entry = this.room + SEMJ_WRITE_LENGTH;
    this.#vexfs = compat === 'vexfs' ? 1 : 0;
  }

  /**
   * Writes the event of an entry at `target`: its length, 0 if the entry is none of those that users see.
   * @throws CausewayError EXPORT_IMPOSSIBLE, JOURNAL_CORRUPT with the sequence.
   */
  encode(decoder: EntryDecoder, at: number, length: number, target: number): number {
    const kind = decoder.kind(at);
    let bytes: Uint8Array;
    if (kind === E.ENTRY_KIND_EVENT || kind === E.ENTRY_KIND_GAP) bytes = decoder.copy(at, length);
    else if (kind === E.ENTRY_KIND_PADDING && decoder.sequence(at) !== 0n) bytes = hole(decoder, at);
    else return 0;
    this.arena.slice(this.#entry, bytes.length).set(bytes);
    const answer = this.wasm.semjFromEntry(this.#entry, bytes.length, target, this.#vexfs);
    if (answer < 0) throw exportImpossible(answer, decoder.sequence(at));
    return answer;
  }
}

/** What was claimed and never written, as the gap that users see. */
function hole(decoder: EntryDecoder, at: number): Uint8Array {
  const gap = decoder.item(at, E.ENTRY_HEADER_LENGTH);
  const fields = {
    ...defaultFields(E.ENTRY_KIND_GAP, 0),
    sequence: decoder.sequence(at),
    timeNs: gap?.timeNs ?? 0n,
    timeSequence: decoder.sequence(at),
    u64: new Map([[E.ENTRY_BIT_GAP_COUNT, 1n]]),
    u32: new Map([[E.ENTRY_BIT_GAP_CAUSE, E.GAP_CAUSE_HOLE]]),
  };
  const bytes = new Uint8Array(entryLength(fields));
  encodeEntry(fields, bytes);
  return bytes;
}

/**
 * Writes what the journal holds now, also while somebody writes it.
 * @throws CausewayError JOURNAL_MISSING, JOURNAL_CORRUPT, EXPORT_IMPOSSIBLE, PATH_DENIED, SYSTEM_CALL_FAILED: then there is no file.
 */
export async function exportSemj(options: ExportSemjOptions): Promise<ExportSummary> {
  const { matches }: EntryFilter = compileFilter(options);
  const scan = new JournalScan(options);
  try {
    const encoder = new SemjEncoder(options.compat);
    const { arena, wasm, room } = encoder;
    const writer = new SemjWriter({ file: options.file, arena, wasm, address: room });
    const summary: ExportSummary = { events: 0, gaps: 0, bytes: 0, firstSequence: undefined, lastSequence: undefined };
    try {
      for await (const sequence of scan.run((decoder, at, length) => {
        if (!matches(decoder, at, length)) return;
        const written = encoder.encode(decoder, at, length, writer.place());
        if (written === 0) return;
        writer.take(written);
        const found = decoder.sequence(at);
        summary.firstSequence ??= found;
        summary.lastSequence = found;
        if (decoder.kind(at) === E.ENTRY_KIND_EVENT) summary.events += 1;
        else summary.gaps += 1;
      })) {
        options.onProgress?.({ events: summary.events, sequence, lastSequence: scan.lastSequence });
      }
      writer.finish();
      summary.bytes = writer.length;
      return summary;
    } finally {
      writer.abandon();
    }
  } finally {
    scan.close();
  }
}
