// Runs the real command, as users do: dist/src/cli/main.js in a process of its own.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
export const MAIN = path.join(PROJECT, 'dist/src/cli/main.js');

export interface Finished {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Line {
  type: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it as they like
  data: Record<string, any>;
}

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Through setpriv, as nobody. */
  unprivileged?: boolean;
  timeoutMs?: number;
}

export class Command {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly finished: Promise<Finished>;
  stdout = '';
  stderr = '';

  constructor(args: readonly string[], options: RunOptions = {}) {
    const { cwd = PROJECT, env = {}, unprivileged = false, timeoutMs = 50_000 } = options;
    const command = [process.execPath, MAIN, ...args];
    const whole = unprivileged ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', ...command] : command;
    this.child = spawn(whole[0] ?? '', whole.slice(1), {
      cwd,
      env: { ...process.env, NO_COLOR: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.finished = once(this.child, 'close').then(([exitCode, signal]) => ({
      exitCode: exitCode as number | null,
      signal: signal as NodeJS.Signals | null,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
  }

  /** Resolves when the text has appeared on one of the outputs. */
  async until(text: string, timeoutMs = 20_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!this.stdout.includes(text) && !this.stderr.includes(text)) {
      if (Date.now() > deadline || this.child.exitCode !== null) {
        throw new Error(`"${text}" did not appear\nstdout: ${this.stdout}\nstderr: ${this.stderr}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

export function run(args: readonly string[], options?: RunOptions): Promise<Finished> {
  return new Command(args, options).finished;
}

export function jsonLines(text: string): Line[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}
