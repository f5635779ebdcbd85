// Lines of jsonl or csv into a journal. As with SEMJ files: event ids are kept (a line without one has its sequence for it), what the journal has is left out,
// another event under an id is a conflict, and nothing is appended before the whole file was found right, unless this is an emergency.

import fs from 'node:fs';
import * as E from '../../../layout/entry.ts';
import { crc32c } from '../../base/crc32c.ts';
import { CausewayError } from '../../base/errors.ts';
import { decodeEntry, type EntryFields, encodeEntry, entryLength } from '../../event/entry.ts';
import { EventIds, ID_CONFLICT, ID_KNOWN, ID_NEW } from '../event-ids.ts';
import { ImportArena, ImportTarget } from '../import-target.ts';
import { JournalScan } from '../journal-scan.ts';
import type { ImportSemjOptions, ImportSummary } from '../semj/import.ts';
import { checkCsvHeader, parseCsvRecord, rowData } from './csv.ts';
import { type Data, FieldError, fieldsOf } from './fields.ts';
import { readRecords } from './records.ts';

export interface ImportTextOptions extends Omit<ImportSemjOptions, 'compat' | 'files'> {
  format: 'jsonl' | 'csv';
}

/** Lines that are listed; those beyond are still counted. */
const SKIPPED_MAX = 1000;
const BATCH_LINES = 1024;
const PAGE_LENGTH = 4096;
/** Lines of log --json that are no entries. */
const OTHER_LINES: readonly unknown[] = ['caughtUp', 'checkpoint', 'summary', 'arena', 'error'];

/** @throws CausewayError IMPORT_INVALID with the line, IMPORT_CONFLICT: then nothing was imported. JOURNAL_BUSY, JOURNAL_FULL, JOURNAL_POISONED. */
export async function importText(options: ImportTextOptions): Promise<ImportSummary> {
  const ids = new EventIds();
  const counts = { events: 0, imported: 0, duplicates: 0, conflicts: 0 };
  const check = await readEntries(options, 'check', (fields, line) => {
    const id = idOf(fields);
    if (id === 0n) return;
    const checksum = checksumOf(fields);
    const row = ids.find(id);
    if (row < 0) ids.add(id, checksum, ID_NEW);
    else if (ids.checksum(row) !== checksum && options.emergency !== true) {
      throw conflict(`${options.file}: line=${line}: event id ${id} is in the file before, with another event`);
    }
  });
  const { directory, segmentLength } = options;
  const place = new ImportArena(PAGE_LENGTH, segmentLength);
  const target = new ImportTarget(place, { directory });
  try {
    if (target.before > 0n) await compare(ids, target, options);
    await readEntries(options, 'import', (fields, line) => {
      counts.events += 1;
      const id = idOf(fields);
      if (id !== 0n) {
        const row = ids.find(id);
        if (row < 0) throw conflict(`${options.file}: line=${line}: the file changes while it is read`);
        const isSame = ids.state(row) !== ID_CONFLICT && ids.checksum(row) === checksumOf(fields);
        if (ids.state(row) !== ID_NEW || !isSame) {
          if (isSame) counts.duplicates += 1;
          else counts.conflicts += 1;
          return;
        }
        ids.setState(row, ID_KNOWN);
      }
      append(explicit(fields), place, target);
      counts.imported += 1;
    });
  } catch (error) {
    closeQuietly(target);
    throw error;
  }
  target.close();
  return {
    ...counts,
    ...check,
    skippedEvents: BigInt(check.skipped.length),
    indexBytes: 0,
    header: undefined,
    firstSequence: target.firstSequence === 0n ? undefined : target.firstSequence,
    lastSequence: target.lastSequence === 0n ? undefined : target.lastSequence,
  };
}

function closeQuietly(target: ImportTarget): void {
  try {
    target.close();
  } catch {
    // What failed before is told.
  }
}

function conflict(message: string): CausewayError {
  return new CausewayError('IMPORT_CONFLICT', message, { hint: 'Import into another journal.' });
}

/** 0n: the line has none, it is appended whatever the journal has. */
function idOf(fields: EntryFields): bigint {
  return fields.u64.get(E.ENTRY_BIT_EVENT_ID) ?? fields.sequence;
}

/** With what depends on the place in a journal said explicitly. */
function explicit(fields: EntryFields): EntryFields {
  const id = idOf(fields);
  if (id === 0n) return { ...fields, sequence: 0n, lamport: 0n };
  const u64 = new Map(fields.u64);
  u64.set(E.ENTRY_BIT_EVENT_ID, id);
  u64.set(E.ENTRY_BIT_GLOBAL_SEQUENCE, fields.u64.get(E.ENTRY_BIT_GLOBAL_SEQUENCE) ?? fields.sequence);
  const isForeign = fields.subtype === E.ENTRY_ORIGIN_SEMJ << 24;
  const rootCauseEventId = fields.rootCauseEventId === 0n && !isForeign ? id : fields.rootCauseEventId;
  return { ...fields, u64, rootCauseEventId, sequence: 0n, lamport: 0n };
}

function checksumOf(fields: EntryFields): number {
  const whole = explicit(fields);
  const bytes = new Uint8Array(entryLength(whole));
  encodeEntry(whole, bytes);
  return crc32c(bytes, 0, bytes.length);
}

function append(fields: EntryFields, place: ImportArena, target: ImportTarget): void {
  const length = entryLength(fields);
  const at = target.reserve(length);
  const bytes = new Uint8Array(length);
  encodeEntry(fields, bytes);
  // Length, crc32c, sequence and Lamport stamp are the journal's.
  place.arena.slice(at, length).set(bytes.subarray(E.ENTRY_TIME_NS_OFFSET), E.ENTRY_TIME_NS_OFFSET);
  target.commit(at);
}

async function compare(ids: EventIds, target: ImportTarget, options: ImportTextOptions): Promise<void> {
  const { directory, signal } = options;
  const scan = new JournalScan({ directory, ...(signal === undefined ? {} : { signal }) });
  try {
    const steps = scan.run((decoder, at, length) => {
      const kind = decoder.kind(at);
      if ((kind !== E.ENTRY_KIND_EVENT && kind !== E.ENTRY_KIND_GAP) || decoder.sequence(at) > target.before) return;
      const fields = decodeEntry(decoder.copy(at, length));
      const row = ids.find(idOf(fields));
      if (row < 0) return;
      const isSame = ids.checksum(row) === checksumOf(fields);
      if (!isSame && options.emergency !== true) {
        const where = `journal ${directory}: sequence=${fields.sequence}`;
        throw conflict(`${where}: event id ${idOf(fields)} is another event than in ${options.file}`);
      }
      ids.setState(row, isSame ? ID_KNOWN : ID_CONFLICT);
    });
    while ((await steps.next()).done !== true);
  } finally {
    scan.close();
  }
}

type Skipped = Pick<ImportSummary, 'skipped' | 'skippedBytes'>;

/** Shows the entry of every right line. */
async function readEntries(
  options: ImportTextOptions,
  step: 'check' | 'import',
  take: (fields: EntryFields, line: number) => void,
): Promise<Skipped> {
  const { file, format, emergency, signal } = options;
  const size = fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  const result: Skipped = { skipped: [], skippedBytes: 0 };
  let columns: string[] | undefined;
  let [count, start] = [0, 0];
  for (const { line, text, end } of readRecords(file, format === 'csv')) {
    try {
      if (text === undefined) throw new FieldError('not UTF-8, or longer than 1 MiB');
      if (format === 'csv' && columns === undefined) {
        columns = parseCsvRecord(text.replace(/^\ufeff/, ''));
        checkCsvHeader(columns);
      } else if (text !== '') {
        const row = format === 'csv' ? rowData(columns as string[], parseCsvRecord(text)) : parseJsonLine(text);
        if (row !== undefined) take(fieldsOf(row.kind, row.data), line);
      }
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      if (emergency !== true || (format === 'csv' && line === 1)) {
        throw new CausewayError('IMPORT_INVALID', `${file}: line=${line}: ${error.message}`);
      }
      result.skippedBytes += end - start;
      const why = `line ${line}: ${error.message}`;
      if (result.skipped.length < SKIPPED_MAX)
        result.skipped.push({ offset: start, bytes: end - start, events: 1, why });
    }
    start = end;
    count += 1;
    if (count % BATCH_LINES !== 0) continue;
    options.onProgress?.({ step, events: count, bytes: end, size });
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
  }
  return result;
}

/** undefined: a line that is no entry. */
function parseJsonLine(text: string): { kind: 'event' | 'gap'; data: Data } | undefined {
  let line: { type?: unknown; data?: unknown };
  try {
    line = JSON.parse(text);
  } catch {
    throw new FieldError('no JSON');
  }
  if (typeof line !== 'object' || line === null) throw new FieldError('no {"type":...,"data":{...}}');
  const { type, data } = line;
  if (OTHER_LINES.includes(type)) return undefined;
  if ((type !== 'event' && type !== 'gap') || typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw new FieldError('no {"type":...,"data":{...}} of an event or gap');
  }
  return { kind: type, data: data as Data };
}
