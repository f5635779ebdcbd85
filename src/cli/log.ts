// `causeway log`: prints what a journal holds, from outside, while somebody writes it or nobody does.

import path from 'node:path';
import { EXIT_OK } from '../base/errors.ts';
import type { EventFilter, Gap, StreamItem } from '../engine/types.ts';
import { compileFilter } from '../event/filter.ts';
import { JournalReader } from '../journal/reader.ts';
import type { Context } from './context.ts';
import { parsePathFilters, parsePids, parseSince, parseTypes, type Since } from './filters.ts';
import { formatCount, pathShortener, plural } from './format.ts';
import { StopSignal } from './signals.ts';
import { createView, type View } from './watch/view.ts';

export interface LogOptions {
  follow?: boolean;
  since: string;
  type?: string[];
  path?: string[];
  pid?: string[];
}

const BATCH_ENTRIES_MAX = 1024;

interface Told {
  shown: number;
  read: number;
  gaps: number;
  lost: bigint;
  first: bigint | undefined;
  last: bigint | undefined;
}

/** @returns the exit code. */
export async function runLog(name: string, options: LogOptions, context: Context): Promise<number> {
  const directory = path.resolve(name);
  const since = parseSince(options.since);
  const filter: EventFilter = {
    ...(options.type === undefined ? {} : { types: parseTypes(options.type) }),
    ...(options.path === undefined ? {} : { path: parsePathFilters(options.path) }),
    ...(options.pid === undefined ? {} : { pid: parsePids(options.pid) }),
  };
  const reader = new JournalReader({ directory, since: firstSequence(since) });
  const stop = new StopSignal();
  context.out.onClosed = () => stop.stop();
  const told: Told = { shown: 0, read: 0, gaps: 0, lost: 0n, first: undefined, last: undefined };
  try {
    const view = createView({
      context,
      table: false,
      shorten: pathShortener([]),
      title: '',
      source: '',
      counters: () => {
        throw new Error('only the table asks for counters');
      },
      date: true,
    });
    await readAll({ reader, filter, since, view, follow: options.follow === true, stop, context, told });
    view.summary({ directory, ...told, position: reader.position });
    await context.out.drained();
  } finally {
    reader.close();
    stop.dispose();
  }
  tell(told, directory, context);
  return EXIT_OK;
}

function firstSequence(since: Since): bigint | 'start' {
  return typeof since === 'object' && 'sequence' in since ? since.sequence : 'start';
}

interface Reading {
  reader: JournalReader;
  filter: EventFilter;
  since: Since;
  view: View;
  follow: boolean;
  stop: StopSignal;
  context: Context;
  told: Told;
}

async function readAll(reading: Reading): Promise<void> {
  const { reader, view, follow, stop, context, told } = reading;
  const { matches } = compileFilter(reading.filter);
  const fromNs = typeof reading.since === 'object' && 'timeNs' in reading.since ? reading.since.timeNs : undefined;
  let isCaughtUp = false;
  const missed = missedGap(reader);
  if (missed !== undefined) show([missed], view, told);
  while (!stop.signal.aborted) {
    const items: StreamItem[] = [];
    const count = reader.readBatch(BATCH_ENTRIES_MAX, (decoder, at, length) => {
      if (!matches(decoder, at, length)) return;
      const item = decoder.item(at, length);
      if (item !== undefined && (fromNs === undefined || item.timeNs >= fromNs)) items.push(item);
    });
    told.read += count;
    show(items, view, told);
    if (context.out.congested) await context.out.drained();
    // Signals and the writes of the output get their turn.
    else if (count > 0) await new Promise((resolve) => setImmediate(resolve));
    if (count > 0) continue;
    if (!isCaughtUp) view.show([{ type: 'caughtUp', sequence: reader.position - 1n }]);
    isCaughtUp = true;
    if (!follow) return;
    await reader.wait(stop.signal);
  }
}

/** What was asked for and is kept no more is a loss, told first. */
function missedGap(reader: JournalReader): Gap | undefined {
  if (reader.missed === 0n) return undefined;
  const to = reader.position - 1n;
  const timeNs = BigInt(Date.now()) * 1_000_000n;
  return {
    type: 'gap',
    sequence: to,
    timeNs,
    cause: 'retention',
    count: reader.missed,
    from: to - reader.missed + 1n,
    to,
  };
}

function show(items: readonly StreamItem[], view: View, told: Told): void {
  if (items.length === 0) return;
  for (const item of items) {
    if (item.type === 'gap') {
      told.gaps++;
      told.lost += item.count ?? 0n;
    } else {
      told.shown++;
      told.first ??= item.sequence;
      told.last = item.sequence;
    }
  }
  view.show(items);
}

function tell(told: Told, directory: string, context: Context): void {
  const { paintError: paint } = context;
  const range =
    told.first === undefined ? '' : ` (sequence ${formatCount(told.first)} to ${formatCount(told.last ?? told.first)})`;
  const hidden = told.read - told.shown - told.gaps;
  const parts = [
    paint('bold', `${plural(told.shown, 'event')}${range}`),
    ...(hidden > 0 ? [`${formatCount(hidden)} others not shown`] : []),
    told.gaps === 0
      ? paint('green', 'none lost')
      : paint('red', `${formatCount(told.lost)} lost in ${plural(told.gaps, 'gap')}`),
    directory,
  ];
  context.say(parts.join(' · '));
}
