// `causeway watch`: opens the engine, shows what it delivers, and ends with a summary.

import { realpathSync } from 'node:fs';
import path from 'node:path';
import { CausewayError, EXIT_LOSS, EXIT_OK } from '../../base/errors.ts';
import { Engine } from '../../engine/engine.ts';
import type { Durability, EngineOptions, EventFilter } from '../../engine/types.ts';
import { type Context, failureLine, settleOutput } from '../context.ts';
import { CHANGE_TYPES, parsePathFilters, parsePids, parseRingSize, parseTypes } from '../filters.ts';
import { pathShortener, plural, tildePath } from '../format.ts';
import { pause, StopSignal } from '../signals.ts';
import { Feed } from './feed.ts';
import { type CommandEnd, CommandGate } from './gate.ts';
import { Meter } from './meter.ts';
import { checkpointLine, summaryData, tellSummary } from './summary.ts';
import { createView } from './view.ts';

export interface WatchOptions {
  command?: string;
  type?: string[];
  path?: string[];
  pid?: string[];
  children?: boolean;
  all?: boolean;
  source: 'auto' | 'ebpf' | 'fanotify' | 'inotify';
  journal?: string;
  sign?: string;
  durability?: Durability;
  record?: string;
  replay?: string;
  peer?: string;
  speed: 'recorded' | 'maximum';
  ring?: string;
  user?: string;
  strict?: boolean;
  self?: boolean;
  /** Ends by itself after this time. */
  seconds?: number;
  /** Called when nothing that happens from now on is missed. */
  onReady?: () => void;
}

/** How long the end may take before what is left is given up (and said). */
const DRAIN_TIMEOUT_MS = 10_000;
const CHECKPOINT_MS = 1000;

/** @returns the exit code. */
export async function runWatch(paths: readonly string[], options: WatchOptions, context: Context): Promise<number> {
  const table =
    !context.json && options.command === undefined && process.stdout.isTTY === true && process.env.TERM !== 'dumb';
  const plan = planWatch(paths, options, context);
  const stop = new StopSignal();
  context.out.onClosed = () => stop.stop();
  let gate: CommandGate | undefined;
  try {
    if (options.command !== undefined) gate = await CommandGate.start(options.command);
    context.log?.debug({ ...plan.engine, pid: gate?.pid }, 'opening the engine');
    const engine = await openEngine(plan.engine, gate, context);
    context.log?.debug({ position: String(engine.position) }, 'engine is open');
    try {
      return await watchEngine({ engine, gate, stop, plan, options, context, table });
    } finally {
      await engine.close();
    }
  } finally {
    gate?.kill();
    stop.dispose();
  }
}

/** For a command: with its pid as the filter where the source knows descendants, and without where it does not. */
async function openEngine(options: EngineOptions, gate: CommandGate | undefined, context: Context): Promise<Engine> {
  const noticed: EngineOptions = { ...options, onNotice: (notice) => context.say(notice) };
  const knowsForks = options.source === 'auto' || options.source === 'ebpf';
  if (gate === undefined || !knowsForks) return await Engine.open(noticed);
  const pids = [gate.pid, ...(options.filter?.pids ?? [])];
  const filtered: EngineOptions = { ...noticed, source: 'ebpf', filter: { ...options.filter, pids, followFork: true } };
  if (options.source === 'ebpf') return await Engine.open(filtered);
  const { probeEbpf } = await import('../../source/ebpf/probe.ts');
  // Where ebpf is out of the question, auto says why in its own description.
  if (!probeEbpf().ok) return await Engine.open(noticed);
  try {
    return await Engine.open(filtered);
  } catch (error) {
    if (!(error instanceof CausewayError) || !SOURCE_CODES.includes(error.code)) throw error;
    context.say(`The source ebpf could not be opened: ${error.message}`);
    const { probeFanotify } = await import('../../source/fanotify/index.ts');
    return await Engine.open({ ...noticed, source: probeFanotify().ok ? 'fanotify' : 'inotify' });
  }
}

/** Failures that another source may not have. */
const SOURCE_CODES: readonly string[] = ['CAPABILITY_MISSING', 'SOURCE_FAILED', 'SYSTEM_CALL_FAILED'];

interface WatchPlan {
  engine: EngineOptions;
  display: EventFilter;
  roots: string[];
  title: string;
}

/** Checks what was asked for, before anything is started. */
function planWatch(paths: readonly string[], options: WatchOptions, context: Context): WatchPlan {
  const isLive = options.replay === undefined && options.peer === undefined;
  const roots = isLive ? (paths.length === 0 ? ['.'] : paths).map(realPathOf) : [];
  const types =
    options.type === undefined
      ? options.all === true || context.json
        ? undefined
        : [...CHANGE_TYPES]
      : parseTypes(options.type);
  const pids = parsePids(options.pid ?? []);
  const display: EventFilter = {};
  if (types !== undefined) display.types = types;
  if (options.path !== undefined) display.path = parsePathFilters(options.path);
  if (pids.length > 0 && options.replay !== undefined) display.pid = pids;
  // What is kept is not narrowed by what is shown by default: only by what was asked for.
  const keeps = options.journal !== undefined || options.record !== undefined;
  const captured = options.type !== undefined || !keeps ? types : undefined;
  const engine: EngineOptions = {
    paths: roots,
    source: sourceOf(options),
    filter: {
      ...(captured === undefined ? {} : { types: captured }),
      ...(pids.length === 0 || options.replay !== undefined ? {} : { pids, followFork: options.children === true }),
      ...(options.self === true ? { includeSelf: true } : {}),
    },
    ...(options.journal === undefined ? {} : { journal: journalOf(options.journal, options.sign) }),
    ...(options.durability === undefined ? {} : { durability: options.durability }),
    ...(options.record === undefined ? {} : { record: path.resolve(options.record) }),
    ...(options.ring === undefined ? {} : { ringCapacity: parseRingSize(options.ring) }),
    ...(options.user === undefined ? {} : { user: /^\d+$/.test(options.user) ? Number(options.user) : options.user }),
  };
  return { engine, display, roots, title: titleOf(roots, options) };
}

function journalOf(directory: string, sign: string | undefined): NonNullable<EngineOptions['journal']> {
  const resolved = path.resolve(directory);
  return sign === undefined ? resolved : { directory: resolved, signingKey: path.resolve(sign) };
}

function sourceOf({ replay, peer, source, speed }: WatchOptions): NonNullable<EngineOptions['source']> {
  if (replay !== undefined) return { trace: path.resolve(replay), speed };
  return peer === undefined ? source : { peer: path.resolve(peer) };
}

function titleOf(roots: readonly string[], { replay, peer }: WatchOptions): string {
  if (replay !== undefined) return `replay of ${replay}`;
  return peer === undefined ? roots.map((root) => tildePath(root)).join(' ') : `producer of ${peer}`;
}

/** Events carry real paths. What does not exist is the engine's to refuse, with its own words. */
function realPathOf(name: string): string {
  try {
    return realpathSync(name);
  } catch {
    return path.resolve(name);
  }
}

interface Watching {
  engine: Engine;
  gate: CommandGate | undefined;
  stop: StopSignal;
  plan: WatchPlan;
  options: WatchOptions;
  context: Context;
  table: boolean;
}

async function watchEngine(watching: Watching): Promise<number> {
  const { engine, gate, stop, plan, options, context, table } = watching;
  const source = engine.stats().source;
  tellRecovery(engine, context);
  const meter = new Meter(engine);
  const view = createView({
    context,
    table,
    shorten: pathShortener(plan.roots),
    title: plan.title,
    source: engine.description,
    counters: () => meter.counters(),
  });
  if (!table) context.say(`${context.paintError('dim', `watching ${plan.title}: ${engine.description}`)}`);
  if (gate !== undefined && source.kind !== 'ebpf') {
    const lacks = source.kind === 'fanotify' ? 'which processes the command starts' : 'which process does what';
    context.say(
      `The source ${source.kind} does not know ${lacks}: everything in ${plan.title} is shown, whoever did it.`,
    );
  }
  const filter = { ...plan.display, since: firstWanted(engine, options) };
  const feed = new Feed({ engine, filter, view, context, meter });
  const checkpoints = startCheckpoints(engine, options, context);
  let complete = false;
  try {
    const end = await untilEnd(watching, feed);
    clearInterval(checkpoints);
    context.log?.debug({ shown: feed.shown }, 'draining');
    complete = await feed.drain(DRAIN_TIMEOUT_MS);
    context.log?.debug({ shown: feed.shown, complete }, 'engine is closed');
    meter.finish();
    view.end();
    const summary = summaryData({ meter, feed, engine, command: options.command, end, complete, roots: plan.roots });
    if (options.journal !== undefined && context.json) context.out.push(checkpointLine(engine));
    view.summary(summary);
    await settleOutput(context, stop.received);
    tellSummary(summary, context);
  } finally {
    clearInterval(checkpoints);
    view.end();
  }
  if (options.strict !== true || !(meter.anyLoss || !complete)) return EXIT_OK;
  context.say(failureLine(context.paintError, `events were lost, and --strict was given: exit code ${EXIT_LOSS}.`));
  return EXIT_LOSS;
}

/** What was mended when the journal was opened: nobody should have to look for it. */
function tellRecovery({ recovery }: Engine, context: Context): void {
  const { tornTail, holes, entriesChecked, sealBytesCut } = recovery;
  if (tornTail === undefined && holes.length === 0 && sealBytesCut === 0) return;
  const found = [
    ...(tornTail === undefined ? [] : ['a torn tail was cut']),
    ...(holes.length === 0 ? [] : [`${plural(holes.length, 'hole')} of a killed writer closed`]),
    ...(sealBytesCut === 0 ? [] : ['a torn seal was cut']),
  ];
  context.say(
    `The journal was not closed the last time: ${found.join(', ')}; ${plural(entriesChecked, 'entry')} checked.`,
  );
  context.log?.debug(recovery, 'recovery');
}

/** Lets the command go, and waits for whatever comes first: its end, a signal, the end of a recording, a failure. */
async function untilEnd({ engine, gate, stop, options }: Watching, feed: Feed): Promise<CommandEnd | undefined> {
  gate?.open();
  options.onReady?.();
  if (options.seconds !== undefined) void pause(options.seconds * 1000, stop.signal).then(() => stop.stop());
  const replayed = options.replay === undefined ? undefined : engine.finished();
  // The engine ends what waits for it when it closes.
  replayed?.catch(() => {});
  const ends = [gate?.ended, stop.stopped(), feed.ended, replayed].filter((end) => end !== undefined);
  const ended = await Promise.race<unknown>(ends);
  return gate === undefined ? undefined : await endOfCommand(gate, ended as CommandEnd | undefined);
}

/** A journal that was there before is not shown again: `causeway log` does that. */
function firstWanted(engine: Engine, options: WatchOptions): bigint | 'start' {
  return options.journal === undefined ? 'start' : engine.position + 1n;
}

async function endOfCommand(gate: CommandGate, end: CommandEnd | undefined): Promise<CommandEnd | undefined> {
  if (end !== undefined) return end;
  // Stopped by the user: Ctrl-C has reached the command as well, SIGTERM has not.
  gate.kill('SIGTERM');
  const patience = new Promise<undefined>((resolve) => setTimeout(resolve, 1000, undefined).unref());
  return await Promise.race([gate.ended, patience]);
}

function startCheckpoints(engine: Engine, options: WatchOptions, context: Context): NodeJS.Timeout | undefined {
  if (!context.json || options.journal === undefined) return undefined;
  let last = '';
  return setInterval(() => {
    const line = checkpointLine(engine);
    if (line !== last) context.out.push(line);
    last = line;
  }, CHECKPOINT_MS);
}
