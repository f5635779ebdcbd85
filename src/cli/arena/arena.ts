// `causeway arena`: the shared arenas of this machine, and one of them, live. It only looks: the mapping cannot be written, and no end of a queue is taken.

import { createLogUpdate } from 'log-update';
import { CausewayError, EXIT_OK, messageOf } from '../../base/errors.ts';
import { type Context, settleOutput } from '../context.ts';
import { formatClock, printable } from '../format.ts';
import { jsonLine } from '../json.ts';
import { pause, StopSignal } from '../signals.ts';
import { findArenas, LIST_HINT, resolveArena } from './find.ts';
import { type ArenaData, ArenaInspector } from './inspect.ts';
import { type ListedArena, renderArena, renderList } from './render.ts';

export interface ArenaOptions {
  once?: boolean;
  /** Seconds between two looks. */
  interval?: number;
  /** Ends by itself after this time. */
  seconds?: number;
}

const INTERVAL_DEFAULT = 1;

/** @returns the exit code. */
export async function runArena(target: string | undefined, options: ArenaOptions, context: Context): Promise<number> {
  if (target === undefined) return listArenas(context);
  const handle = resolveArena(target);
  const inspector = openArena(handle);
  const stop = new StopSignal();
  context.out.onClosed = () => stop.stop();
  if (options.seconds !== undefined) void pause(options.seconds * 1000, stop.signal).then(() => stop.stop());
  try {
    await show(inspector, options, { context, stop });
    await settleOutput(context, stop.received);
    return EXIT_OK;
  } finally {
    inspector.close();
    stop.dispose();
  }
}

function openArena(handle: string): ArenaInspector {
  try {
    return ArenaInspector.open(handle);
  } catch (error) {
    if (!(error instanceof CausewayError) || error.code !== 'PATH_MISSING') throw error;
    throw new CausewayError(error.code, error.message, { hint: LIST_HINT, cause: error });
  }
}

function listArenas(context: Context): number {
  const arenas = findArenas().map(listed);
  if (context.json) {
    for (const { handle, pids, arena, error } of arenas) {
      context.out.push(jsonLine('arena', { handle, pids, error: error ?? null, ...arena }));
    }
    return EXIT_OK;
  }
  context.out.push(renderList(arenas, context.paint));
  return EXIT_OK;
}

function listed({ handle, pids }: { handle: string; pids: number[] }): ListedArena {
  try {
    const inspector = ArenaInspector.open(handle);
    try {
      return { handle, pids, arena: inspector.look(), error: undefined };
    } finally {
      inspector.close();
    }
  } catch (error) {
    return { handle, pids, arena: undefined, error: printable(messageOf(error)) };
  }
}

interface Showing {
  context: Context;
  stop: StopSignal;
}

/** Rates need two looks: the first one is not shown, unless that is all there is time for. */
async function show(inspector: ArenaInspector, options: ArenaOptions, { context, stop }: Showing): Promise<void> {
  const intervalMs = (options.interval ?? INTERVAL_DEFAULT) * 1000;
  const isTable = !context.json && process.stdout.isTTY === true && process.env.TERM !== 'dumb';
  // A pipe gets one picture, unless it was asked for more.
  const isOnce =
    options.once ?? (!isTable && !context.json && options.interval === undefined && options.seconds === undefined);
  const view = isTable && !isOnce ? liveView(context) : lineView(context);
  let data = inspector.look();
  view.show(data, !isOnce);
  while (!stop.signal.aborted) {
    await pause(intervalMs, stop.signal);
    data = inspector.look();
    view.show(data, true);
    if (isOnce) break;
    while (context.out.congested && !stop.signal.aborted) await Promise.race([context.out.drained(), stop.stopped()]);
  }
  view.end();
}

interface View {
  show(data: ArenaData, isWanted: boolean): void;
  end(): void;
}

/** One picture after the other: NDJSON or text. */
function lineView({ out, json, paint }: Context): View {
  let shown = 0;
  return {
    show: (data, isWanted) => {
      if (!isWanted) return;
      if (json) out.push(jsonLine('arena', { ...data }));
      else out.push(`${shown++ === 0 ? '' : '\n'}${renderArena(data, { paint })}\n`);
    },
    end: () => {},
  };
}

/** A picture that is drawn over the last one, and stays when it ends. */
function liveView({ paint }: Context): View {
  const render = createLogUpdate(process.stdout, { showCursor: false });
  const startedMs = performance.now();
  // A terminal that was closed is no error.
  process.stdout.on('error', () => {});
  let last: ArenaData | undefined;
  const draw = (): void => {
    if (last === undefined) return;
    // A terminal that does not know its size says 0.
    const width = process.stdout.columns || 80;
    const height = process.stdout.rows || 24;
    const clock = formatClock((performance.now() - startedMs) / 1000);
    const text = renderArena(last, { paint, width, title: `causeway arena ${printable(last.handle)}  ${clock}` });
    const lines = text.split('\n');
    // The cursor stands on a line of its own below.
    render(lines.length < height ? text : [...lines.slice(0, height - 2), paint('dim', '...')].join('\n'));
  };
  process.stdout.on('resize', draw);
  return {
    show: (data) => {
      last = data;
      draw();
    },
    end: () => {
      process.stdout.off('resize', draw);
      draw();
      render.done();
    },
  };
}
