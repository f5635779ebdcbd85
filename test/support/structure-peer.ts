// Threads and processes that use a structure of the arena (workers/structure-peer.mjs).

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Arena, Region } from '../../src/arena/arena.ts';

const FILE = new URL('./workers/structure-peer.mjs', import.meta.url);

interface Message {
  ready?: true;
  value?: unknown;
}

export interface StructurePeer<T> {
  /** It has the arena, and begins. */
  ready: Promise<void>;
  /** What its task answers; rejects when it fails. Unhandled when nobody asks. */
  value: Promise<T>;
  /** Ends it in the middle of whatever it does. */
  kill(): Promise<void>;
}

interface Emitter {
  on(event: 'message', listener: (message: Message) => void): unknown;
}

function promisesOf<T>(emitter: Emitter, failed: Promise<never>): Pick<StructurePeer<T>, 'ready' | 'value'> {
  const of = <U>(find: (message: Message) => boolean, pick: (message: Message) => U): Promise<U> => {
    const found = new Promise<U>((resolve) =>
      emitter.on('message', (message) => {
        if (find(message)) resolve(pick(message));
      }),
    );
    const promise = Promise.race([found, failed]);
    promise.catch(() => {});
    return promise;
  };
  return {
    ready: of(
      (message) => message.ready === true,
      () => {},
    ),
    value: of(
      (message) => 'value' in message,
      (message) => message.value as T,
    ),
  };
}

export function peerThread<T>(arena: Arena, region: Region, task: string, options: object): StructurePeer<T> {
  const worker = new Worker(FILE, { workerData: { memory: arena.memory, region, task, options } });
  const failed = once(worker, 'error').then(([error]) => {
    throw error;
  });
  return {
    ...promisesOf<T>(worker as Emitter, failed),
    kill: async () => {
      await worker.terminate();
    },
  };
}

export function peerProcess<T>(arena: Arena, region: Region, task: string, options: object): StructurePeer<T> {
  const child: ChildProcess = fork(FILE, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = once(child, 'exit');
  const failed = ended.then(([code, signal]) => {
    throw new Error(`peer ended: ${signal ?? code}`);
  });
  child.send({ handle: arena.handle, region, task, options });
  return {
    ...promisesOf<T>(child as Emitter, failed),
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Repeats until it is so; the ends of threads show in /proc a little later. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`it never came to be: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
