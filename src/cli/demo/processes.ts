// The processes of the storm: those that make it, and the one in which fs.watch looks on.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { CausewayError } from '../../base/errors.ts';

export interface StormResult {
  /** How many of each event type ought to come of it. */
  operations: Record<string, number>;
  /** Operations that were refused, as they should be. */
  failed: number;
}

export interface FsWatchResult {
  events: number;
  /** Names that are there, and that it never told of (or told of too early). */
  missing: number;
  /** Names that are gone, and that it still has. */
  stale: number;
  error: string | null;
}

/** Runs the storm: each process below its own directory, so that what happens in one directory has an order. */
export async function runStormProcesses(
  root: string,
  options: { processes: number; seconds: number; seed: number; signal: AbortSignal },
): Promise<StormResult> {
  const runs = Array.from({ length: options.processes }, async (_, index) => {
    const directory = path.join(root, `process-${index}`);
    const child = start(
      'storm-worker',
      [directory, String(options.seconds), String(options.seed + index)],
      options.signal,
    );
    return JSON.parse(await outputOf(child, 'storm')) as StormResult;
  });
  // All of them, even when one fails: the caller removes their directory.
  await Promise.allSettled(runs);
  const total: StormResult = { operations: {}, failed: 0 };
  for (const result of await Promise.all(runs)) {
    total.failed += result.failed;
    for (const [type, count] of Object.entries(result.operations))
      total.operations[type] = (total.operations[type] ?? 0) + count;
  }
  return total;
}

export class FsWatchObserver {
  readonly #child: ChildProcess;
  readonly #output: Promise<string>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#output = outputOf(child, 'fs.watch');
    this.#output.catch(() => {});
  }

  /** Resolves when fs.watch looks on. */
  static async start(root: string): Promise<FsWatchObserver> {
    const observer = new FsWatchObserver(start('fs-watch-observer', [root]));
    await Promise.race([once(observer.#child.stdout ?? observer.#child, 'data'), observer.#output]);
    return observer;
  }

  /** Waits until it has told all that it will tell. */
  async finish(): Promise<FsWatchResult> {
    this.#child.stdin?.end();
    const lines = (await this.#output).trim().split('\n');
    return JSON.parse(lines.at(-1) ?? '') as FsWatchResult;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

function start(script: string, args: readonly string[], signal?: AbortSignal): ChildProcess {
  const file = fileURLToPath(new URL(`./${script}.js`, import.meta.url));
  const ending = signal === undefined ? {} : { signal, killSignal: 'SIGKILL' as const };
  return spawn(process.execPath, [file, ...args], { stdio: ['pipe', 'pipe', 'ignore'], ...ending });
}

/**
 * What the process has printed, when it has really ended: until then it may still make files.
 * @throws CausewayError WORKER_FAILED when the process fails.
 */
async function outputOf(child: ChildProcess, name: string): Promise<string> {
  let text = '';
  let failure = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  child.on('error', (error) => {
    failure = error.message;
  });
  const [exitCode, signal] = await new Promise<[number | null, string | null]>((resolve) => {
    child.once('close', (...end: [number | null, string | null]) => resolve(end));
  });
  if (exitCode === 0) return text;
  throw new CausewayError(
    'WORKER_FAILED',
    `the ${name} process ended with ${failure || (signal ?? `exit code ${exitCode}`)}`,
  );
}
