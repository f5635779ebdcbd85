// `causeway log`: prints what a journal holds, from outside, while somebody writes it or nobody does.

import path from 'node:path';
import { EXIT_OK } from '../base/errors.ts';
import { type ReadJournalOptions, readJournal } from '../engine/read-journal.ts';
import type { StreamItem } from '../engine/types.ts';
import { journalInfo } from '../journal/info.ts';
import { type Context, settleOutput } from './context.ts';
import { parsePathFilters, parsePids, parseSince, parseTypes } from './filters.ts';
import { formatBytes, formatCount, pathShortener, plural } from './format.ts';
import { jsonLine } from './json.ts';
import { StopSignal } from './signals.ts';
import { createStreamView } from './watch/view.ts';

export interface LogOptions {
  info?: boolean;
  follow?: boolean;
  since: string;
  type?: string[];
  path?: string[];
  pid?: string[];
}

interface Told {
  shown: number;
  gaps: number;
  lost: bigint;
  first: bigint | undefined;
  last: bigint | undefined;
}

/** @returns the exit code. */
export async function runLog(name: string, options: LogOptions, context: Context): Promise<number> {
  const directory = path.resolve(name);
  if (options.info === true) return showInfo(directory, context);
  const stop = new StopSignal();
  context.out.onClosed = () => stop.stop();
  const { reading, fromNs } = planReading(options, stop.signal);
  const view = createStreamView(context, { shorten: pathShortener([]), date: true });
  const told: Told = { shown: 0, gaps: 0, lost: 0n, first: undefined, last: undefined };
  try {
    for await (const batch of readJournal(directory, reading)) {
      const items = fromNs === undefined ? batch : batch.filter((item) => isSince(item, fromNs));
      note(items, told);
      if (items.length > 0) view.show(items);
      if (context.out.congested) await Promise.race([context.out.drained(), stop.stopped()]);
      // Signals and the writes of the output get their turn.
      else await new Promise((resolve) => setImmediate(resolve));
    }
    view.summary({ directory, ...told });
    await settleOutput(context, stop.received);
  } finally {
    stop.dispose();
  }
  tell(told, directory, context);
  return EXIT_OK;
}

function showInfo(directory: string, context: Context): number {
  const info = journalInfo(directory);
  const { uuid, epoch, segments, bytes, firstSequence, lastSequence, writer } = info;
  if (context.json) {
    context.out.push(jsonLine('summary', { ...info, writer: writer ?? null }));
    return EXIT_OK;
  }
  const events = lastSequence === 0n ? 0n : lastSequence - firstSequence + 1n;
  const range = events === 0n ? '' : `: sequence ${formatCount(firstSequence)} to ${formatCount(lastSequence)}`;
  const rows: [string, string][] = [
    ['journal', directory],
    ['uuid', uuid ?? 'unknown'],
    ['opened for writing', `${epoch ?? 'unknown'} times`],
    ['entries', `${formatCount(events)}${range}`],
    ['segments', `${formatCount(segments)}, ${formatBytes(bytes)}`],
    ['writer', writer === undefined ? 'nobody now' : `pid ${writer.pid}`],
  ];
  for (const [label, value] of rows) context.out.push(`${context.paint('bold', label.padEnd(20))}${value}\n`);
  return EXIT_OK;
}

function planReading(
  options: LogOptions,
  signal: AbortSignal,
): { reading: ReadJournalOptions; fromNs: bigint | undefined } {
  const since = parseSince(options.since);
  const reading: ReadJournalOptions = {
    signal,
    follow: options.follow === true,
    since: typeof since === 'object' && 'sequence' in since ? since.sequence : 'start',
    ...(options.type === undefined ? {} : { types: parseTypes(options.type) }),
    ...(options.path === undefined ? {} : { path: parsePathFilters(options.path) }),
    ...(options.pid === undefined ? {} : { pid: parsePids(options.pid) }),
  };
  return { reading, fromNs: typeof since === 'object' && 'timeNs' in since ? since.timeNs : undefined };
}

function isSince(item: StreamItem, fromNs: bigint): boolean {
  return item.type === 'caughtUp' || item.timeNs >= fromNs;
}

function note(items: readonly StreamItem[], told: Told): void {
  for (const item of items) {
    if (item.type === 'caughtUp') continue;
    if (item.type === 'gap') {
      told.gaps++;
      told.lost += item.count ?? 0n;
      continue;
    }
    told.shown++;
    told.first ??= item.sequence;
    told.last = item.sequence;
  }
}

function tell(told: Told, directory: string, context: Context): void {
  const { paintError: paint } = context;
  const { first, last } = told;
  const range = first === undefined ? '' : ` (sequence ${formatCount(first)} to ${formatCount(last ?? first)})`;
  const lost = `${formatCount(told.lost)} lost in ${plural(told.gaps, 'gap')}`;
  const parts = [
    paint('bold', `${plural(told.shown, 'event')}${range}`),
    told.gaps === 0 ? paint('green', 'none lost') : paint('red', lost),
    directory,
  ];
  context.say(parts.join(' · '));
}
