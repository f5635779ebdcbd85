// `causeway import`: the events of a file into a journal.

import { closeSync, openSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import { CausewayError, EXIT_FAILED, EXIT_INTEGRITY, EXIT_OK } from '../../base/errors.ts';
import { type ImportSemjOptions, type ImportSummary, importSemj } from '../../journal/semj/import.ts';
import type { SkippedRange } from '../../journal/semj/reader.ts';
import { importText } from '../../journal/text/import.ts';
import type { Context } from '../context.ts';
import { formatCount, plural } from '../format.ts';
import { jsonLine } from '../json.ts';
import { StopSignal } from '../signals.ts';
import { Progress } from './progress.ts';

export interface ImportOptions {
  journal: string;
  format?: 'semj' | 'jsonl' | 'csv';
  emergency?: boolean;
  compat?: 'vexfs';
}

/** Ranges that are printed for people; --json has them all. */
const RANGES_SHOWN = 10;

/** @returns the exit code. */
export async function runImport(name: string, options: ImportOptions, context: Context): Promise<number> {
  const file = path.resolve(name);
  const directory = path.resolve(options.journal);
  const stop = new StopSignal();
  const progress = new Progress(context);
  const started = performance.now();
  try {
    const format = options.format ?? formatOf(file);
    const { emergency = false, compat } = options;
    if (format !== 'semj' && compat !== undefined) {
      throw new CausewayError('CONFIG_INVALID', `--compat ${compat}: only with --format semj`);
    }
    const onProgress: ImportSemjOptions['onProgress'] = ({ step, events, bytes, size }) =>
      progress.show(step, events, bytes / size);
    const common = { file, directory, emergency, signal: stop.signal, onProgress };
    const summary =
      format === 'semj'
        ? await importSemj({ ...common, ...(compat === undefined ? {} : { compat }) })
        : await importText({ ...common, format });
    progress.end();
    tell(summary, { file, directory, seconds: (performance.now() - started) / 1000 }, context);
    return summary.skippedBytes > 0 || summary.conflicts > 0 ? EXIT_INTEGRITY : EXIT_OK;
  } catch (error) {
    progress.end();
    if (!stop.signal.aborted) throw error;
    context.say('causeway: stopped; the same import again goes on where it was.');
    return EXIT_FAILED;
  } finally {
    stop.dispose();
  }
}

/** By its first bytes, then by its name. */
function formatOf(file: string): 'semj' | 'jsonl' | 'csv' {
  const begin = Buffer.alloc(5);
  if (statSync(file, { throwIfNoEntry: false })?.isFile() === true) {
    const fd = openSync(file, 'r');
    readSync(fd, begin, 0, begin.length, 0);
    closeSync(fd);
  }
  if (begin[0] === 0x7b) return 'jsonl';
  if (begin.toString('latin1') === 'kind,') return 'csv';
  const extension = path.extname(file).toLowerCase();
  if (extension === '.csv') return 'csv';
  return extension === '.jsonl' || extension === '.ndjson' ? 'jsonl' : 'semj';
}

function tell(
  summary: ImportSummary,
  run: { file: string; directory: string; seconds: number },
  context: Context,
): void {
  if (context.json) {
    const { skippedEvents = null, header = null, firstSequence = null, lastSequence = null, ...rest } = summary;
    context.out.push(jsonLine('summary', { ...run, ...rest, skippedEvents, header, firstSequence, lastSequence }));
    return;
  }
  const { paintError: paint, say } = context;
  const { imported, duplicates, conflicts, firstSequence, lastSequence, indexBytes } = summary;
  const range =
    firstSequence === undefined
      ? ''
      : ` as sequence ${formatCount(firstSequence)} to ${formatCount(lastSequence ?? firstSequence)}`;
  const parts = [
    `${paint('bold', plural(imported, 'event'))} imported${range}`,
    ...(duplicates === 0 ? [] : [`${formatCount(duplicates)} there already`]),
    ...(conflicts === 0 ? [] : [paint('red', `${formatCount(conflicts)} in conflict left out`)]),
    ...(indexBytes === 0 ? [] : [`index of ${formatCount(indexBytes)} bytes not kept`]),
    run.directory,
  ];
  for (const range of summary.skipped.slice(0, RANGES_SHOWN)) say(paint('red', rangeLine(range)));
  const more = summary.skipped.length - RANGES_SHOWN;
  if (more > 0) say(paint('red', `... and ${plural(more, 'other range')}`));
  if (summary.skippedBytes > 0) {
    const events =
      summary.skippedEvents === undefined ? 'an unknown number of events' : plural(summary.skippedEvents, 'event');
    say(paint('red', `${plural(summary.skippedBytes, 'byte')} left out: ${events}`));
  }
  say(parts.join(' · '));
}

function rangeLine({ offset, bytes, events, why }: SkippedRange): string {
  const count = events === undefined ? '' : `, ${plural(events, 'event')}`;
  return `offset ${formatCount(offset)}: ${plural(bytes, 'byte')}${count} left out: ${why}`;
}
