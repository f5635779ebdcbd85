// A journal's events as lines of text: jsonl (the lines of log --json) or csv. What such a line does not say of an entry is in `more`.

import * as E from '../../../layout/entry.ts';
import { decodeEntry, defaultFields, type EntryFields } from '../../event/entry.ts';
import type { EntryDecoder } from '../../event/entry-decoder.ts';
import { compileFilter } from '../../event/filter.ts';
import { itemLine, jsonValue } from '../../event/item-json.ts';
import type { Gap } from '../../event/types.ts';
import { JournalScan } from '../journal-scan.ts';
import { OutputFile } from '../output-file.ts';
import type { ExportSemjOptions, ExportSummary } from '../semj/export.ts';
import { CSV_COLUMNS, csvLine, dataCells, moreCells, rowData } from './csv.ts';
import { DATA_NAMES, type Data, fieldsOf, moreOf } from './fields.ts';

export interface ExportTextOptions extends Omit<ExportSemjOptions, 'file' | 'compat'> {
  format: 'jsonl' | 'csv';
  /** A file, or a function that takes the text (and may have its reader waited for). */
  output: string | ((text: string) => Promise<void> | void);
}

interface Line {
  kind: 'event' | 'gap';
  data: Data;
}

/** @throws CausewayError JOURNAL_MISSING, JOURNAL_CORRUPT, PATH_DENIED, SYSTEM_CALL_FAILED. */
export async function exportText(options: ExportTextOptions): Promise<ExportSummary> {
  const { matches } = compileFilter(options);
  const { format, output } = options;
  const scan = new JournalScan(options);
  const file = typeof output === 'string' ? new OutputFile(output) : undefined;
  const summary: ExportSummary = { events: 0, gaps: 0, bytes: 0, firstSequence: undefined, lastSequence: undefined };
  let lines: string[] = format === 'csv' ? [csvLine(CSV_COLUMNS)] : [];
  const write = async (): Promise<void> => {
    const text = lines.join('');
    lines = [];
    summary.bytes += Buffer.byteLength(text);
    if (file !== undefined) file.append(Buffer.from(text));
    else if (typeof output === 'function') await output(text);
  };
  try {
    const makeLine = format === 'csv' ? csvOf : jsonOf;
    for await (const sequence of scan.run((decoder, at, length) => {
      const item = matches(decoder, at, length) ? decoder.item(at, length) : undefined;
      if (item === undefined) return;
      lines.push(makeLine(itemLine(item), entryOf(decoder, at, length)));
      summary.firstSequence ??= item.sequence;
      summary.lastSequence = item.sequence;
      if (item.type === 'gap') summary.gaps += 1;
      else summary.events += 1;
    })) {
      await write();
      options.onProgress?.({ events: summary.events, sequence, lastSequence: scan.lastSequence });
    }
    await write();
    file?.finish();
    return summary;
  } finally {
    file?.abandon();
    scan.close();
  }
}

/** Its fields; those of a gap for a hole that recovery closed. */
function entryOf(decoder: EntryDecoder, at: number, length: number): EntryFields {
  if (decoder.kind(at) !== E.ENTRY_KIND_PADDING) return decodeEntry(decoder.copy(at, length));
  const gap = decoder.item(at, length) as Gap;
  return {
    ...defaultFields(E.ENTRY_KIND_GAP, 0),
    sequence: gap.sequence,
    timeNs: gap.timeNs,
    timeSequence: gap.sequence,
    u64: new Map([[E.ENTRY_BIT_GAP_COUNT, 1n]]),
    u32: new Map([[E.ENTRY_BIT_GAP_CAUSE, E.GAP_CAUSE_HOLE]]),
  };
}

function jsonOf(line: string, entry: EntryFields): string {
  const { type, data } = JSON.parse(line) as { type: Line['kind']; data: Data };
  const more = moreOf(entry, fieldsOf(type, data));
  return more === undefined ? line : `${line.slice(0, -3)},"more":${JSON.stringify(more, jsonValue)}}}\n`;
}

const DATA_COLUMNS = ['kind', ...DATA_NAMES];

function csvOf(line: string, entry: EntryFields): string {
  const { type, data } = JSON.parse(line) as { type: Line['kind']; data: Data };
  const cells = dataCells(type, data);
  const row = rowData(DATA_COLUMNS, cells);
  return csvLine([...cells, ...moreCells(moreOf(entry, fieldsOf(row.kind, row.data)))]);
}
