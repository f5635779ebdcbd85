// `causeway export`: a journal's events as a file for somebody else.

import path from 'node:path';
import { CausewayError, EXIT_FAILED, EXIT_OK } from '../../base/errors.ts';
import { type ExportSemjOptions, type ExportSummary, exportSemj } from '../../journal/semj/export.ts';
import { exportText } from '../../journal/text/export.ts';
import { type Context, settleOutput } from '../context.ts';
import { parsePathFilters, parsePids, parseSince, parseTypes } from '../filters.ts';
import { formatBytes, plural } from '../format.ts';
import { jsonLine } from '../json.ts';
import { StopSignal } from '../signals.ts';
import { Progress } from './progress.ts';

export interface ExportOptions {
  format: 'semj' | 'jsonl' | 'csv';
  output?: string;
  since: string;
  type?: string[];
  path?: string[];
  pid?: string[];
  compat?: 'vexfs';
}

/** @returns the exit code. */
export async function runExport(name: string, options: ExportOptions, context: Context): Promise<number> {
  const directory = path.resolve(name);
  const stop = new StopSignal();
  context.out.onClosed = () => stop.stop();
  const progress = new Progress(context);
  const started = performance.now();
  try {
    const reading = { directory, signal: stop.signal, ...filtersOf(options), onProgress: progressOf(progress) };
    const summary = await exportAs(options, reading, context);
    await settleOutput(context, stop.received);
    progress.end();
    tell(summary, options, { directory, seconds: (performance.now() - started) / 1000 }, context);
    return EXIT_OK;
  } catch (error) {
    progress.end();
    if (!stop.signal.aborted) throw error;
    // A reader that went away, as head does, has what it wanted.
    if (stop.received === undefined) return EXIT_OK;
    context.say(options.output === undefined ? 'causeway: stopped.' : 'causeway: stopped; nothing was written.');
    return EXIT_FAILED;
  } finally {
    stop.dispose();
  }
}

type Reading = Omit<ExportSemjOptions, 'file' | 'compat'>;

async function exportAs(options: ExportOptions, reading: Reading, context: Context): Promise<ExportSummary> {
  const { format, output, compat } = options;
  if (format !== 'semj' && compat !== undefined) {
    throw new CausewayError('CONFIG_INVALID', `--compat ${compat}: only with --format semj`);
  }
  if (format !== 'semj') {
    const file = output === undefined ? textTo(context) : path.resolve(output);
    return await exportText({ ...reading, format, output: file });
  }
  if (output === undefined) {
    throw new CausewayError('CONFIG_INVALID', '--format semj: needs --output', {
      hint: 'The begin of the file says how much is in it, so it is written last.',
    });
  }
  return await exportSemj({ ...reading, file: path.resolve(output), ...(compat === undefined ? {} : { compat }) });
}

/** Standard output; a slow reader is waited for. */
function textTo(context: Context): (text: string) => Promise<void> {
  return async (text) => {
    if (text !== '') context.out.push(text);
    if (context.out.congested) await context.out.drained();
  };
}

function filtersOf(options: ExportOptions): Partial<Reading> {
  const since = parseSince(options.since);
  return {
    ...(typeof since === 'object' && 'sequence' in since ? { since: since.sequence } : {}),
    ...(typeof since === 'object' && 'timeNs' in since ? { sinceNs: since.timeNs } : {}),
    ...(options.type === undefined ? {} : { types: parseTypes(options.type) }),
    ...(options.path === undefined ? {} : { path: parsePathFilters(options.path) }),
    ...(options.pid === undefined ? {} : { pid: parsePids(options.pid) }),
  };
}

function progressOf(progress: Progress): Exclude<Reading['onProgress'], undefined> {
  return ({ events, sequence, lastSequence }) =>
    progress.show('export', events, Number(sequence) / Number(lastSequence));
}

function tell(
  summary: ExportSummary,
  options: ExportOptions,
  run: { directory: string; seconds: number },
  context: Context,
): void {
  const { output = null, format } = options;
  const line = { directory: run.directory, format, output, ...summary, seconds: run.seconds };
  if (context.json && output !== null) context.out.push(jsonLine('summary', line));
  else if (context.json) context.say(jsonLine('summary', line).trimEnd());
  const parts = [
    context.paintError('bold', plural(summary.events, 'event')),
    ...(summary.gaps === 0 ? [] : [context.paintError('red', plural(summary.gaps, 'gap'))]),
    formatBytes(summary.bytes),
    `${format}${output === null ? '' : ` to ${output}`}`,
  ];
  if (!context.json) context.say(parts.join(' · '));
}
