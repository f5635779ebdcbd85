// How a watch ends: the figures, for programs and for people.

import type { Engine } from '../../engine/engine.ts';
import type { Context } from '../context.ts';
import { formatBytes, formatClock, formatCount, formatDuration, formatRate, plural } from '../format.ts';
import { jsonLine } from '../json.ts';
import type { Feed } from './feed.ts';
import type { CommandEnd } from './gate.ts';
import type { Meter } from './meter.ts';

export interface Summary extends Record<string, unknown> {
  /** Events that were printed (those that the filters let through). */
  shown: number;
  /** Events that the engine delivered. */
  seen: bigint;
  lost: bigint;
  gaps: bigint;
  /** False when the end came before everything had been printed. */
  complete: boolean;
  seconds: number;
  command?: { command: string; exitCode: number | null; signal: string | null };
}

export function summaryData(end: {
  meter: Meter;
  feed: Feed;
  engine: Engine;
  command: string | undefined;
  end: CommandEnd | undefined;
  complete: boolean;
  roots: readonly string[];
}): Summary {
  const { meter, feed, command, engine } = end;
  const { ingest, source, journal } = meter.stats;
  return {
    shown: feed.shown,
    seen: ingest.delivered,
    lost: ingest.lost,
    gaps: ingest.gaps,
    complete: end.complete,
    filtered: ingest.filtered,
    malformed: ingest.malformed,
    duplicate: ingest.duplicate,
    bytes: ingest.bytes,
    seconds: Math.round(meter.seconds * 1000) / 1000,
    ...meter.latency(),
    source: { kind: source.kind, description: engine.description, produced: source.produced, dropped: source.dropped },
    paths: end.roots,
    ...(journal.directory === undefined
      ? {}
      : {
          journal: {
            directory: journal.directory,
            committedSequence: journal.committedSequence,
            durableSequence: journal.durableSequence,
            state: journal.state,
          },
        }),
    ...(command === undefined
      ? {}
      : { command: { command, exitCode: end.end?.exitCode ?? null, signal: end.end?.signal ?? null } }),
  };
}

/** Everything up to `sequence` has been handed out, and everything up to `durableSequence` survives a power cut. */
export function checkpointLine(engine: Engine): string {
  const { journal } = engine.stats();
  return jsonLine('checkpoint', { sequence: journal.committedSequence, durableSequence: journal.durableSequence });
}

/** For people, on standard error. */
export function tellSummary(summary: Summary, context: Context): void {
  const { paintError: paint } = context;
  const { command } = summary;
  if (command !== undefined && command.exitCode !== 0) {
    const how =
      command.exitCode === null
        ? `was ended by ${command.signal ?? 'nobody yet: it still runs'}`
        : `ended with exit code ${command.exitCode}`;
    context.say(`${paint('yellow', 'causeway:')} the command ${how}: ${command.command}`);
  }
  const latency = summary.latency as { count: number; p50Ns: number; p99Ns: number };
  const parts = [
    paint('bold', `${plural(summary.seen, 'event')} in ${formatClock(summary.seconds)}`),
    `${formatRate(Number(summary.seen) / Math.max(0.001, summary.seconds))}/s`,
    summary.lost === 0n && summary.gaps === 0n
      ? paint('green', 'none lost')
      : paint('red', `${formatCount(summary.lost)} lost in ${plural(summary.gaps, 'gap')}`),
    formatBytes(summary.bytes as bigint),
    ...(latency.count === 0
      ? []
      : [`kernel to wasm p50 ${formatDuration(latency.p50Ns)}, p99 ${formatDuration(latency.p99Ns)}`]),
    ...(Number(summary.malformed) === 0
      ? []
      : [paint('red', `${plural(summary.malformed as bigint, 'record')} malformed`)]),
  ];
  context.say(parts.join(' · '));
  if (!summary.complete) context.say('The end came before all of them had been printed.');
}
