// `causeway demo storm`: what really happened, what causeway saw of it, and what fs.watch saw of it.

import { mkdtempSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { EXIT_FAILED, EXIT_OK } from '../../base/errors.ts';
import { Engine } from '../../engine/engine.ts';
import type { EngineOptions, StreamItem } from '../../engine/types.ts';
import { type TreeDifference, TreeView } from '../../event/tree-view.ts';
import type { Context } from '../context.ts';
import { CHANGE_TYPES } from '../filters.ts';
import { formatCount, formatDuration, formatRate, pathShortener, plural } from '../format.ts';
import { jsonLine } from '../json.ts';
import { StopSignal } from '../signals.ts';
import type { Paint } from '../style.ts';
import { Feed } from '../watch/feed.ts';
import { Meter } from '../watch/meter.ts';
import { createView, type View } from '../watch/view.ts';
import { FsWatchObserver, type FsWatchResult, runStormProcesses, type StormResult } from './processes.ts';

export interface StormOptions {
  seconds: number;
  processes: number;
  source: NonNullable<EngineOptions['source']>;
}

const DRAIN_TIMEOUT_MS = 60_000;
const DIFFERENCES_SHOWN = 10;

/** @returns EXIT_FAILED when the tree that the events describe is not the one that is there. */
export async function runStorm(options: StormOptions, context: Context): Promise<number> {
  const directory = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'causeway-storm-')));
  const stop = new StopSignal();
  try {
    const result = await storm(directory, options, context, stop);
    if (result === undefined) return EXIT_OK;
    if (context.json) context.out.push(jsonLine('summary', { ...result }));
    else context.out.push(report(result, context.paint));
    return result.identical ? EXIT_OK : EXIT_FAILED;
  } finally {
    stop.dispose();
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

interface Result {
  identical: boolean;
  seconds: number;
  processes: number;
  /** Operations that changed something, and those that were refused. */
  operations: number;
  operationsByType: Record<string, number>;
  refused: number;
  /** Events about them; with inotify fewer, because the kernel merges equal ones. */
  events: number;
  eventsByType: Record<string, number>;
  seen: bigint;
  lost: bigint;
  gaps: bigint;
  entries: number;
  differenceCount: number;
  /** The first few. */
  differences: readonly TreeDifference[];
  latency: { count: number; p50Ns: number; p99Ns: number; maxNs: number };
  source: string;
  fsWatch: FsWatchResult;
}

/** undefined when it was interrupted. */
async function storm(
  directory: string,
  options: StormOptions,
  context: Context,
  stop: StopSignal,
): Promise<Result | undefined> {
  const engine = await Engine.open({
    paths: [directory],
    source: options.source,
    filter: { types: [...CHANGE_TYPES] },
  });
  const meter = new Meter(engine);
  const tree = new TreeView(directory);
  const eventsByType: Record<string, number> = {};
  const view = stormView(context, directory, engine, meter, (items) => applyAll(items, tree, eventsByType));
  let fsWatch: FsWatchObserver | undefined;
  let storming: Promise<StormResult> | undefined;
  try {
    const feed = new Feed({ engine, filter: { since: 'start' }, view, context, meter });
    fsWatch = await FsWatchObserver.start(directory);
    const seed = Number(process.env.CAUSEWAY_SEED ?? 1) >>> 0;
    storming = runStormProcesses(directory, { ...options, seed, signal: stop.signal });
    storming.catch(() => {});
    const done = await Promise.race([stop.stopped().then(() => undefined), storming, feed.ended.then(() => undefined)]);
    const complete = await feed.drain(DRAIN_TIMEOUT_MS);
    meter.finish();
    view.end();
    if (done === undefined) return undefined;
    if (!complete) context.say('The end came before all events had been taken.');
    const fsWatchResult = await fsWatch.finish();
    return result({ options, done, tree, eventsByType, meter, fsWatchResult, source: engine.description });
  } finally {
    stop.stop();
    view.end();
    fsWatch?.kill();
    await storming?.catch(() => {});
    await engine.close();
  }
}

/** The live table on a terminal, silence otherwise; in both cases every event goes into the tree. */
function stormView(
  context: Context,
  directory: string,
  engine: Engine,
  meter: Meter,
  take: (items: readonly StreamItem[]) => void,
): View {
  const table = !context.json && process.stdout.isTTY === true && process.env.TERM !== 'dumb';
  if (!table) return { show: take, summary: () => {}, end: () => {} };
  const view = createView({
    context,
    table,
    shorten: pathShortener([directory]),
    title: `storm in ${directory}`,
    source: engine.description,
    counters: () => meter.counters(),
  });
  return {
    ...view,
    show: (items) => {
      take(items);
      view.show(items);
    },
  };
}

function applyAll(items: readonly StreamItem[], tree: TreeView, eventsByType: Record<string, number>): void {
  for (const item of items) {
    if (item.type === 'gap' || item.type === 'caughtUp') continue;
    tree.apply(item);
    if (item.error === undefined) eventsByType[item.type] = (eventsByType[item.type] ?? 0) + 1;
  }
}

function result(from: {
  options: StormOptions;
  done: StormResult;
  tree: TreeView;
  eventsByType: Record<string, number>;
  meter: Meter;
  fsWatchResult: FsWatchResult;
  source: string;
}): Result {
  const { options, done, tree, eventsByType, meter } = from;
  const { ingest } = meter.stats;
  const differences = tree.compare();
  const sum = (counts: Record<string, number>): number =>
    Object.values(counts).reduce((total, count) => total + count, 0);
  return {
    identical: differences.length === 0,
    seconds: options.seconds,
    processes: options.processes,
    operations: sum(done.operations),
    operationsByType: done.operations,
    refused: done.failed,
    events: sum(eventsByType),
    eventsByType,
    seen: ingest.delivered,
    lost: ingest.lost,
    gaps: ingest.gaps,
    entries: tree.size,
    differenceCount: differences.length,
    differences: differences.slice(0, DIFFERENCES_SHOWN),
    latency: meter.latency().latency,
    source: from.source,
    fsWatch: from.fsWatchResult,
  };
}

function report(result: Result, paint: Paint): string {
  const { fsWatch, latency } = result;
  const wrong = fsWatch.missing + fsWatch.stale;
  const verdict = result.identical
    ? paint('green', `identical to the real tree (${formatCount(result.entries)} entries)`)
    : paint(
        'red',
        `NOT identical to the real tree: ${plural(result.differenceCount, 'difference')} among ${formatCount(result.entries)} entries`,
      );
  const lost =
    result.lost === 0n && result.gaps === 0n
      ? paint('green', 'none lost')
      : paint('red', `${plural(result.lost, 'event')} lost`);
  const timing =
    latency.count === 0
      ? ''
      : `, kernel to wasm p50 ${formatDuration(latency.p50Ns)}, p99 ${formatDuration(latency.p99Ns)}`;
  const lines = [
    `${paint('bold', 'The storm')}   ${formatCount(result.operations)} changes by ${plural(result.processes, 'process')} in ${result.seconds} s ` +
      `(${formatRate(result.operations / result.seconds)}/s)`,
    `${paint('bold', 'causeway')}    ${formatCount(result.events)} events, ${lost}${timing}`,
    `            its tree: ${verdict}`,
    ...result.differences.map(
      ({ path: name, problem, view, found }) =>
        `              ${name}: ${problem}, causeway ${view ?? '-'}, really ${found ?? '-'}`,
    ),
    `${paint('bold', 'fs.watch')}    ${formatCount(fsWatch.events)} events${fsWatch.error === null ? '' : `, failed: ${fsWatch.error}`}`,
    `            its tree: ${
      wrong === 0
        ? 'identical to the real tree'
        : paint(
            'yellow',
            `${formatCount(fsWatch.missing)} entries missing, ${formatCount(fsWatch.stale)} that are gone still in it`,
          )
    }`,
  ];
  return `${lines.join('\n')}\n`;
}
