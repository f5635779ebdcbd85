// Queues for tests: in a private or a shared arena, begun at any position, and records that say what they are.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { onTestFinished } from 'vitest';
import { ARENA_REGION_QUEUE, ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import { QUEUE_CURSOR_POSITION_SHIFT } from '../../layout/queue.ts';
import {
  RING_ANNOUNCED_OFFSET,
  RING_CONSUMER_POSITION_OFFSET,
  RING_COUNTS_COUNT_OFFSET,
  RING_COUNTS_OFFSET,
  RING_COUNTS_PAIR_LENGTH,
  RING_PRODUCER_POSITION_OFFSET,
  RING_RESTART_OFFSET,
} from '../../layout/ring.ts';
import { Arena } from '../../src/arena/arena.ts';
import { cursorAddress, laneAddress } from '../../src/queue/place.ts';
import type { QueueMode, QueueOptions } from '../../src/queue/plan.ts';
import { Queue, queueRegion } from '../../src/queue/queue.ts';

export const MODES: readonly QueueMode[] = ['spsc', 'mpsc', 'mpmc', 'broadcast', 'broadcast-lossy'];

/** @param scratchLength Bytes of a region beside it, for what peers tell the test. */
export function testQueue(options: QueueOptions, share = false, scratchLength = 4096): Queue {
  const scratch = { kind: ARENA_REGION_SCRATCH, length: scratchLength };
  const arena = Arena.create({ regions: [queueRegion(options), scratch], share, endpoints: true });
  if (share) closeAfterTest(arena);
  const region = arena.region(ARENA_REGION_QUEUE);
  return Queue.create(arena, region, options);
}

function closeAfterTest(arena: Arena): void {
  onTestFinished(() => arena.close());
}

/** As if `records` records in `bytes` bytes (a multiple of 8) had gone through each lane already. Before anybody opened an endpoint. */
export function fastForward(queue: Queue, bytes: bigint, records: bigint): void {
  const { u64 } = queue.arena;
  const put = (address: number, value: bigint): void => void Atomics.store(u64, address / 8, value);
  for (let lane = 0; lane < queue.plan.lanes; lane++) {
    const ring = laneAddress(queue, lane);
    for (const offset of [RING_PRODUCER_POSITION_OFFSET, RING_CONSUMER_POSITION_OFFSET, RING_RESTART_OFFSET]) {
      put(ring + offset, bytes);
    }
    put(ring + RING_ANNOUNCED_OFFSET, bytes);
    for (let pair = 0; pair < 2; pair++) {
      put(ring + RING_COUNTS_OFFSET + pair * RING_COUNTS_PAIR_LENGTH, bytes);
      put(ring + RING_COUNTS_OFFSET + pair * RING_COUNTS_PAIR_LENGTH + RING_COUNTS_COUNT_OFFSET, records);
    }
    if (queue.plan.mode === 'mpmc') {
      put(cursorAddress(queue, lane), (bytes >> 3n) << BigInt(QUEUE_CURSOR_POSITION_SHIFT));
    }
  }
}

/** A record of `length` bytes that its reader can check: its number as far as there is room for it, then bytes that follow from it. */
export function recordOf(number: number, length: number): Buffer {
  const record = Buffer.alloc(length, number & 0xff);
  if (length >= 4) record.writeUInt32LE(number >>> 0);
  return record;
}

/** A thread or process with test/support/workers/queue-peer.mjs: what it says is kept, and can be waited for. */
export interface QueuePeer {
  /** Of the process, or of the thread's process. */
  readonly pid: number;
  /** Everything that it said, and what it has not been asked for yet. */
  readonly said: Record<string, unknown>[];
  readonly ended: Promise<unknown>;
  readonly isEnded: () => boolean;
  /** The next thing it says; rejects when it ends before, or fails, or says nothing in time. */
  next(timeoutMs?: number): Promise<Record<string, unknown>>;
  say(message: object): void;
  kill(): Promise<void>;
}

const FILE = new URL('./workers/queue-peer.mjs', import.meta.url);

/** @param task What it does, and its parameters. A thread gets the arena's memory, a process opens its handle. */
export function startPeer(kind: 'thread' | 'process', queue: Queue, task: { role: string; [name: string]: unknown }) {
  const peer = kind === 'thread' ? startThread(queue, task) : startProcess(queue, task);
  onTestFinished(() => peer.kill());
  return peer;
}

function startThread(queue: Queue, task: object): QueuePeer {
  const worker = new Worker(FILE, { workerData: { ...task, memory: queue.arena.memory } });
  const ended = once(worker, 'exit');
  const inbox = inboxOf(ended);
  worker.on('message', inbox.put);
  worker.on('error', (error) => inbox.put({ error: String(error.stack ?? error) }));
  return {
    pid: process.pid,
    ...inbox,
    ended,
    say: (message) => worker.postMessage(message),
    kill: async () => void (await worker.terminate()),
  };
}

function startProcess(queue: Queue, task: object): QueuePeer {
  const child = fork(FILE, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = once(child, 'exit');
  const inbox = inboxOf(ended);
  child.on('message', (message) => inbox.put(message as Record<string, unknown>));
  child.send({ ...task, handle: queue.arena.handle });
  return {
    pid: child.pid ?? 0,
    ...inbox,
    ended,
    say: (message) => void child.send(message),
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function inboxOf(ended: Promise<unknown>) {
  const said: Record<string, unknown>[] = [];
  const waiting: (() => void)[] = [];
  let isOver = false;
  const wakeUp = (): void => {
    for (const go of waiting.splice(0)) go();
  };
  const end = (): void => {
    isOver = true;
    wakeUp();
  };
  ended.then(end, end);
  let read = 0;
  const next = async (timeoutMs = 30_000): Promise<Record<string, unknown>> => {
    const deadline = Date.now() + timeoutMs;
    while (read === said.length) {
      if (isOver) throw new Error('the peer ended without a word');
      if (Date.now() > deadline) throw new Error(`the peer said nothing for ${timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        setTimeout(resolve, 50);
      });
    }
    const message = said[read++] as Record<string, unknown>;
    if (message.error !== undefined) throw new Error(`the peer failed: ${String(message.error)}`);
    return message;
  };
  const put = (message: Record<string, unknown>): void => {
    said.push(message);
    wakeUp();
  };
  return { said, put, next, isEnded: () => isOver };
}
