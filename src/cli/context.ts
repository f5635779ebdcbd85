// What every command gets: where results go, where everything else goes, and how to say that something failed.

import type { Logger } from 'pino';
import { CausewayError, type ErrorCode, EXIT_FAILED, messageOf } from '../base/errors.ts';
import { printable } from './format.ts';
import { jsonLine } from './json.ts';
import { LineWriter } from './output.ts';
import { type Paint, paintFor } from './style.ts';

export interface Context {
  /** Results: standard output. */
  out: LineWriter;
  /** A message for people: one line on standard error. */
  say(line: string): void;
  /** Steps and details, with --verbose; otherwise nothing. */
  log: Logger | undefined;
  json: boolean;
  verbose: boolean;
  /** For text on standard output, and on standard error. */
  paint: Paint;
  paintError: Paint;
}

export async function createContext(options: { json?: boolean; verbose?: boolean }): Promise<Context> {
  const verbose = options.verbose === true;
  return {
    out: new LineWriter(),
    say: (line) => {
      process.stderr.write(`${line}\n`);
    },
    log: verbose ? await createLogger() : undefined,
    json: options.json === true,
    verbose,
    paint: paintFor(process.stdout),
    paintError: paintFor(process.stderr),
  };
}

/** How long a reader that has stopped reading is waited for when the user wants the end. */
const READER_TIMEOUT_MS = 3000;

/**
 * Waits until all results have been written. With a signal received, not for ever: a reader that stands still must not keep a command alive. A write that is
 * stuck in the kernel can be left behind in one way only, so the process ends itself.
 */
export async function settleOutput(context: Context, received: NodeJS.Signals | undefined): Promise<void> {
  if (received === undefined) return await context.out.drained();
  const timer = setTimeout(() => {
    context.say(
      failureLine(context.paintError, 'the reader of standard output does not read: the rest of it is given up'),
    );
    process.kill(process.pid, 'SIGKILL');
  }, READER_TIMEOUT_MS);
  await context.out.drained().finally(() => clearTimeout(timer));
}

async function createLogger(): Promise<Logger> {
  const { pino } = await import('pino');
  return pino({ level: 'debug', base: { pid: process.pid } }, pino.destination({ dest: 2, sync: true }));
}

/** What to do on the command line, where the error itself does not say. */
const HINTS: Partial<Record<ErrorCode, string>> = {
  PATH_MISSING: 'A path must be there when the watch begins.',
  JOURNAL_MISSING: 'Give the directory that was given to watch --journal.',
  JOURNAL_BUSY:
    'A journal has one writer at a time: end that process, or take another directory. causeway log reads it meanwhile.',
  JOURNAL_FULL: 'Make room on the disk, or take another directory.',
  JOURNAL_CORRUPT: 'What came before is whole. Keep a copy before anything else writes there.',
  TRACE_CORRUPT: 'What came before it is whole; what follows is lost: record it again.',
  CAPABILITY_MISSING: 'causeway doctor says what this machine lacks.',
};

/**
 * Says what failed, in one line with what to do about it, and as a JSON line under --json.
 * @returns the exit code.
 */
export function reportFailure(context: Context, error: unknown): number {
  const known = error instanceof CausewayError ? error : undefined;
  const message = messageOf(error);
  const hint = known === undefined ? '' : known.hint || (HINTS[known.code] ?? '');
  const exitCode = known?.exitCode ?? EXIT_FAILED;
  const code = known?.code ?? 'INTERNAL';
  if (context.json) context.out.push(jsonLine('error', { code, message, hint, exitCode }));
  context.say(failureLine(context.paintError, message, hint));
  if (context.verbose && error instanceof Error) context.say(withCauses(error));
  else if (known === undefined) context.say('This is a defect of causeway: with --verbose it shows where.');
  return exitCode;
}

export function failureLine(paint: Paint, message: string, hint = ''): string {
  const text = [message, hint].filter((part) => part !== '').map((part) => printable(part).replaceAll('\\\\', '\\'));
  return `${paint('red', 'causeway:')} ${text.map(asSentence).join(' ')}`;
}

function asSentence(text: string, index: number, all: readonly string[]): string {
  return index < all.length - 1 && !/[.!?]$/.test(text) ? `${text}.` : text;
}

function withCauses(error: Error): string {
  const stack = error.stack ?? String(error);
  return error.cause instanceof Error ? `${stack}\ncaused by: ${withCauses(error.cause)}` : stack;
}
