// A SEMJ file into a journal. The events get sequences and Lamport stamps of the journal, and keep their ids: an event that the journal has already, byte
// for byte, is left out, so that an import that was killed can be run again; another event under the same id is a conflict. The file is read twice: only
// when all of it is right and without conflict, the first event is appended (FAULTS.md R2). With `emergency` damaged parts and conflicts are left out and
// listed instead.

import { ENTRY_KIND_EVENT, ENTRY_KIND_GAP } from '../../../layout/entry.ts';
import { SEMJ_CHECKSUM_OFFSET, SEMJ_EVENT_ID_OFFSET, SEMJ_PLAN_LENGTH } from '../../../layout/semj.ts';
import { CausewayError } from '../../base/errors.ts';
import type { EntryDecoder } from '../../event/entry-decoder.ts';
import { EventIds, ID_CONFLICT, ID_KNOWN, ID_NEW } from '../event-ids.ts';
import type { FileLayer } from '../file-layer.ts';
import { ImportArena, ImportTarget } from '../import-target.ts';
import { JournalScan } from '../journal-scan.ts';
import { SemjEncoder } from './export.ts';
import type { SemjFileHeader } from './file-header.ts';
import { SEMJ_READ_LENGTH, SemjReader, type SkippedRange } from './reader.ts';

const BATCH_EVENTS = 1024;

export interface ImportSemjOptions {
  file: string;
  /** The journal; made if it is not there. Nobody may have it open for writing. */
  directory: string;
  emergency?: boolean;
  /** 'vexfs': events that carry the code of an Access event as subtype become that Access event. */
  compat?: 'vexfs';
  segmentLength?: number;
  signal?: AbortSignal;
  onProgress?: (done: { step: 'check' | 'import'; events: number; bytes: number; size: number }) => void;
  /** For tests: a file layer that fails. */
  files?: FileLayer;
}

export interface ImportSummary {
  /** Right events of the file. */
  events: number;
  imported: number;
  /** Left out because the journal, or the file further up, has them. */
  duplicates: number;
  /** Left out because the journal, or the file further up, has another event under their id. */
  conflicts: number;
  skipped: SkippedRange[];
  skippedBytes: number;
  /** undefined: the file header is damaged, nobody knows how many there were. */
  skippedEvents: bigint | undefined;
  /** Bytes of an index behind the events: not kept. */
  indexBytes: number;
  header: SemjFileHeader | undefined;
  firstSequence: bigint | undefined;
  lastSequence: bigint | undefined;
}

/**
 * @throws CausewayError SEMJ_CORRUPT, SEMJ_INCOMPATIBLE, IMPORT_CONFLICT: then nothing was imported. JOURNAL_BUSY, JOURNAL_FULL, JOURNAL_POISONED.
 */
export async function importSemj(options: ImportSemjOptions): Promise<ImportSummary> {
  const place = new ImportArena(SEMJ_READ_LENGTH + SEMJ_PLAN_LENGTH, options.segmentLength);
  const ids = new EventIds();
  await check(place, ids, options);
  const { directory, files } = options;
  const target = new ImportTarget(place, { directory, ...(files === undefined ? {} : { files }) });
  let isDone = false;
  try {
    if (target.before > 0n) await compare(ids, target, options);
    const summary = await append(place, ids, target, options);
    isDone = true;
    return summary;
  } finally {
    // A failure before is the one to be told.
    closeQuietly(target, isDone);
  }
}

function closeQuietly(target: ImportTarget, isDone: boolean): void {
  try {
    target.close();
  } catch (error) {
    if (isDone) throw error;
  }
}

type Take = (address: number, length: number, offset: number) => void;

/** Shows every right event of the file. */
async function readEvents(
  place: ImportArena,
  step: 'check' | 'import',
  options: ImportSemjOptions,
  take: Take,
): Promise<SemjReader> {
  const { arena, wasm, scratch } = place;
  const { file, emergency = false, signal } = options;
  const reader = new SemjReader({ file, arena, wasm, address: scratch, emergency });
  try {
    while (reader.readBatch(BATCH_EVENTS, take) > 0) {
      options.onProgress?.({ step, events: reader.events, bytes: reader.offset, size: reader.size });
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
    }
    return reader;
  } finally {
    reader.close();
  }
}

/** First time: is all of it right, and which ids are there. */
async function check(place: ImportArena, ids: EventIds, options: ImportSemjOptions): Promise<void> {
  const { view } = place.arena;
  await readEvents(place, 'check', options, (address, _length, offset) => {
    const id = view.getBigUint64(address + SEMJ_EVENT_ID_OFFSET, true);
    const checksum = view.getUint32(address + SEMJ_CHECKSUM_OFFSET, true);
    const row = ids.find(id);
    if (row < 0) ids.add(id, checksum, ID_NEW);
    else if (ids.checksum(row) !== checksum && options.emergency !== true) {
      throw conflict(`${options.file}: offset=${offset}: event_id=${id} is in the file before, with another event`);
    }
  });
}

/** Which of the file's events the journal has. */
async function compare(ids: EventIds, target: ImportTarget, options: ImportSemjOptions): Promise<void> {
  const { directory, signal } = options;
  const encoder = new SemjEncoder(options.compat);
  const { view } = encoder.arena;
  const scan = new JournalScan({ directory, ...(signal === undefined ? {} : { signal }) });
  try {
    const steps = scan.run((decoder, at, length) => {
      const kind = decoder.kind(at);
      if ((kind !== ENTRY_KIND_EVENT && kind !== ENTRY_KIND_GAP) || decoder.sequence(at) > target.before) return;
      const isEvent = encodes(encoder, decoder, at, length);
      const id = isEvent ? view.getBigUint64(encoder.room + SEMJ_EVENT_ID_OFFSET, true) : decoder.sequence(at);
      const row = ids.find(id);
      if (row < 0) return;
      const isSame = isEvent && ids.checksum(row) === view.getUint32(encoder.room + SEMJ_CHECKSUM_OFFSET, true);
      if (!isSame && options.emergency !== true) {
        const where = `journal ${directory}: sequence=${decoder.sequence(at)}`;
        throw conflict(`${where}: event_id=${id} is another event than in ${options.file}`);
      }
      ids.setState(row, isSame ? ID_KNOWN : ID_CONFLICT);
    });
    while ((await steps.next()).done !== true);
  } finally {
    scan.close();
  }
}

/** False for an event that is too long for SEMJ: no file has it. */
function encodes(encoder: SemjEncoder, decoder: EntryDecoder, at: number, length: number): boolean {
  try {
    return encoder.encode(decoder, at, length, encoder.room) > 0;
  } catch (error) {
    if ((error as CausewayError).code === 'EXPORT_IMPOSSIBLE') return false;
    throw error;
  }
}

function conflict(message: string): CausewayError {
  return new CausewayError('IMPORT_CONFLICT', message, { hint: 'Import into another journal.' });
}

async function append(
  place: ImportArena,
  ids: EventIds,
  target: ImportTarget,
  options: ImportSemjOptions,
): Promise<ImportSummary> {
  const { view } = place.arena;
  const { wasm, scratch } = place;
  const plan = scratch + SEMJ_READ_LENGTH;
  const vexfs = options.compat === 'vexfs' ? 1 : 0;
  const left = { imported: 0, duplicates: 0, conflicts: 0 };
  const reader = await readEvents(place, 'import', options, (address, _length, offset) => {
    const id = view.getBigUint64(address + SEMJ_EVENT_ID_OFFSET, true);
    const checksum = view.getUint32(address + SEMJ_CHECKSUM_OFFSET, true);
    const row = ids.find(id);
    if (row < 0) throw conflict(`${options.file}: offset=${offset}: the file changes while it is read`);
    if (ids.state(row) !== ID_NEW || ids.checksum(row) !== checksum) {
      if (ids.state(row) === ID_CONFLICT || ids.checksum(row) !== checksum) left.conflicts += 1;
      else left.duplicates += 1;
      return;
    }
    ids.setState(row, ID_KNOWN);
    const entry = target.reserve(wasm.semjMeasure(address, plan, vexfs));
    wasm.semjToEntry(address, plan, entry);
    target.commit(entry);
    left.imported += 1;
  });
  return {
    events: reader.events,
    ...left,
    skipped: reader.skipped,
    skippedBytes: reader.skippedBytes,
    skippedEvents: reader.skippedEvents,
    indexBytes: reader.indexBytes,
    header: reader.header,
    firstSequence: target.firstSequence === 0n ? undefined : target.firstSequence,
    lastSequence: target.lastSequence === 0n ? undefined : target.lastSequence,
  };
}
