// `causeway import`: the events of a file into a journal.

import path from 'node:path';
import { EXIT_FAILED, EXIT_INTEGRITY, EXIT_OK } from '../../base/errors.ts';
import { type ImportSummary, importSemj } from '../../journal/semj/import.ts';
import type { SkippedRange } from '../../journal/semj/reader.ts';
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
    const summary = await importSemj({
      file,
      directory,
      emergency: options.emergency === true,
      ...(options.compat === undefined ? {} : { compat: options.compat }),
      signal: stop.signal,
      onProgress: ({ step, events, bytes, size }) => progress.show(step, events, bytes / size),
    });
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
