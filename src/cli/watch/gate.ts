// `-c 'command'`: a process that exists, and whose pid is known, before it does anything.
//
// 1. `sh` is started with a line that stops itself (SIGSTOP) and then becomes `sh -c command`, under the same pid.
// 2. When /proc says that it is stopped, all that a shell does when it starts is behind it.
// 3. The engine opens with this pid in its filter; then SIGCONT lets the shell go.
// Between SIGCONT and exec the shell does nothing that touches a file: nothing of the gate is ever seen, and nothing of the command is missed.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CausewayError, messageOf } from '../../base/errors.ts';

const GATE = 'kill -STOP $$; exec sh -c "$1"';
const STOPPED_TIMEOUT_MS = 5000;

export interface CommandEnd {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
}

export class CommandGate {
  readonly command: string;
  readonly pid: number;
  /** Resolves when the command has ended. */
  readonly ended: Promise<CommandEnd>;
  readonly #child: ChildProcess;
  #end: CommandEnd | undefined;

  private constructor(command: string, child: ChildProcess, pid: number) {
    this.command = command;
    this.pid = pid;
    this.#child = child;
    this.ended = new Promise((resolve) => {
      // 'exit' and not 'close': the command is over, even where a daemon that it started keeps its output open.
      child.once('exit', (exitCode, signal) => {
        this.#end = { exitCode, signal };
        resolve(this.#end);
      });
    });
  }

  /**
   * Starts the command as far as the gate.
   * @param options.stdout where its output goes: not to standard output, which belongs to our results.
   * @throws CausewayError SOURCE_FAILED when there is no shell, or it does not get to the gate.
   */
  static async start(command: string): Promise<CommandGate> {
    const child = spawn('sh', ['-c', GATE, 'sh', command], { stdio: ['inherit', 2, 'inherit'] });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => reject(gateError(command, messageOf(error))));
    });
    const gate = new CommandGate(command, child, child.pid ?? 0);
    try {
      await gate.#untilStopped();
    } catch (error) {
      gate.kill();
      throw error;
    }
    return gate;
  }

  /** Lets the command run. */
  open(): void {
    this.#child.kill('SIGCONT');
  }

  /** Ends the command if it still runs. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    if (this.#end !== undefined) return;
    this.#child.kill(signal);
    // A stopped process takes no signal but SIGKILL before it goes on.
    this.#child.kill('SIGCONT');
  }

  async #untilStopped(): Promise<void> {
    const deadline = Date.now() + STOPPED_TIMEOUT_MS;
    while (Date.now() < deadline) {
      if (this.#end !== undefined) throw gateError(this.command, 'the shell ended before it began');
      if (processState(this.pid) === 'T') return;
      await sleep(1);
    }
    throw gateError(
      this.command,
      `the shell did not stop at the gate: pid=${this.pid}, timeoutMs=${STOPPED_TIMEOUT_MS}`,
    );
  }
}

/** One letter, as in ps; '' when there is no such process. */
function processState(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything, parentheses included.
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  } catch {
    return '';
  }
}

function gateError(command: string, reason: string): CausewayError {
  return new CausewayError('SOURCE_FAILED', `-c '${command}' could not be started: ${reason}`);
}
