// Second processes and threads on an arena (workers/arena-peer.mjs) or its queues (workers/connection-peer.mjs), asked by messages.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

const ARENA_PEER = new URL('./workers/arena-peer.mjs', import.meta.url);
export const CONNECTION_PEER = new URL('./workers/connection-peer.mjs', import.meta.url);

interface Reply {
  id: number;
  value?: unknown;
  error?: { code?: string; message: string };
}

/** What the peer threw, with its code. */
export class PeerError extends Error {
  readonly code: string | undefined;
  constructor({ code, message }: { code?: string; message: string }) {
    super(message);
    this.code = code;
  }
}

export abstract class Peer {
  #id = 0;
  #ended = '';
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();

  /** What the operation answers; PeerError when it threw, Error when the peer ended before. */
  call<T = unknown>(op: string, ...args: unknown[]): Promise<T> {
    if (this.#ended !== '') return Promise.reject(new Error(this.#ended));
    this.#id += 1;
    const id = this.#id;
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    // Who does not wait for the answer of a peer that is killed need not hear of it.
    answer.catch(() => {});
    this.send({ id, op, args });
    return answer as Promise<T>;
  }

  protected abstract send(message: unknown): void;
  /** Ends it at once; resolves when it has ended. */
  abstract kill(): Promise<void>;

  protected onReply({ id, value, error }: Reply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new PeerError(error));
    else waiting?.resolve(value);
  }

  protected onEnd(how: string): void {
    this.#ended = how;
    for (const { reject } of this.#waiting.values()) reject(new Error(how));
    this.#waiting.clear();
  }
}

export class PeerProcess extends Peer {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;

  /** @param through A program that starts the peer, with its arguments. */
  constructor(through: string[] = [], file: URL = ARENA_PEER) {
    super();
    const [execPath = process.execPath, ...execArgv] = [...through, ...(through.length > 0 ? [process.execPath] : [])];
    this.child = fork(file, { execPath, execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.child.on('message', (reply) => this.onReply(reply as Reply));
    this.child.on('exit', (code, signal) => this.onEnd(`peer ended: ${signal ?? code}`));
    this.ended = once(this.child, 'exit');
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  protected override send(message: unknown): void {
    this.child.send(message as object);
  }

  override async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    if (this.child.exitCode === null && this.child.signalCode === null) await this.ended;
  }
}

export class PeerThread extends Peer {
  readonly worker: Worker;

  constructor(file: URL = ARENA_PEER) {
    super();
    this.worker = new Worker(file);
    this.worker.on('message', (reply: Reply) => this.onReply(reply));
    this.worker.on('error', (error) => this.onEnd(`peer failed: ${String(error)}`));
    this.worker.on('exit', (code) => this.onEnd(`peer ended: ${code}`));
  }

  protected override send(message: unknown): void {
    this.worker.postMessage(message);
  }

  override async kill(): Promise<void> {
    await this.worker.terminate();
  }
}
