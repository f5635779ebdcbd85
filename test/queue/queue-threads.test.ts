// Real threads and a second process on one queue. CAUSEWAY_QUEUE_RECORDS=10000000 makes it as long as the promise in the README.

import { describe, expect, test } from 'vitest';
import type { QueueOptions } from '../../src/queue/plan.ts';
import type { Queue } from '../../src/queue/queue.ts';
import { requires } from '../support/capabilities.ts';
import { type QueuePeer, startPeer, testQueue } from '../support/queue.ts';
import { seed } from '../support/seed.ts';

const RECORDS = Number(process.env.CAUSEWAY_QUEUE_RECORDS ?? 200_000);
const TIMEOUT_MS = 60_000 + RECORDS / 20;

/** Small lanes: full and empty again and again, each record wraps sooner or later. */
const LANES = { laneCapacity: 16_384, producers: 4 };

function startProducers(queue: Queue, count: number, batchMax: number, kinds: readonly ('thread' | 'process')[]) {
  return kinds.map((kind, id) =>
    startPeer(kind, queue, { role: 'produce', id, count, batchMax, lengthMax: 72, seed: seed + id }),
  );
}

async function answers(peers: readonly QueuePeer[]) {
  for (const peer of peers) expect(await peer.next()).toMatchObject({ ready: true });
  return () => Promise.all(peers.map((peer) => peer.next(TIMEOUT_MS)));
}

interface Case {
  options: QueueOptions;
  /** Producers first: the consumer of a broadcast begins with what comes after it. */
  producers: readonly ('thread' | 'process')[];
  consumers: readonly ('thread' | 'process')[];
}

// Acceptable of every case: each record once at one consumer (broadcast: once at each), whole, in the order of its producer, then the end. A record of one producer may
// come before or after any record of another. Nothing else.
const CASES: Record<string, Case> = {
  'three threads and a process to one thread': {
    options: { mode: 'mpsc', ...LANES },
    producers: ['thread', 'thread', 'thread', 'process'],
    consumers: ['thread'],
  },
  'a thread and a process to a thread and a process, each record to one of them': {
    options: { mode: 'mpmc', ...LANES, producers: 2, consumers: 2 },
    producers: ['thread', 'process'],
    consumers: ['thread', 'process'],
  },
  'a process to two threads and a process, each record to all of them': {
    options: { mode: 'broadcast', ...LANES, producers: 1, consumers: 3, expireAfterMs: 0 },
    producers: ['process'],
    consumers: ['thread', 'thread', 'process'],
  },
  'a process to two threads and a process, each record to all of them or told as missed': {
    options: { mode: 'broadcast-lossy', ...LANES, producers: 1, consumers: 3 },
    producers: ['process'],
    consumers: ['thread', 'thread', 'process'],
  },
};

describe(
  'between threads and processes nothing is lost, doubled or out of a producer’s order',
  requires('koffi'),
  () => {
    for (const [name, { options, producers, consumers }] of Object.entries(CASES)) {
      test.each([1, 64])(`${name}, in batches up to %i`, { timeout: TIMEOUT_MS }, async (batchMax) => {
        const each = Math.floor(RECORDS / producers.length);
        const queue = testQueue(options, true, 4096 + producers.length * each);
        const tally = queue.arena.regions()[1]?.address as number;
        const isBroadcast = options.mode.startsWith('broadcast');
        const counted = isBroadcast ? {} : { tally, perId: each };
        const readers = consumers.map((kind, id) =>
          startPeer(kind, queue, { role: 'consume', recordsMax: 256, seed: seed + 100 + id, ...counted }),
        );
        const read = await answers(readers);
        const written = await (await answers(startProducers(queue, each, batchMax, producers)))();
        expect(written.every(({ done }) => done)).toBe(true);
        queue.close();
        const results = await read();
        const total = each * producers.length;
        for (const { taken, missed, delivered, told } of isBroadcast ? results : []) {
          expect([Number(taken) + Number(missed), Number(delivered), Number(told)]).toEqual([
            total,
            taken,
            Number(missed),
          ]);
          if (options.mode === 'broadcast') expect(missed).toBe('0');
        }
        if (!isBroadcast) {
          expect(results.reduce((sum, { taken }) => sum + Number(taken), 0)).toBe(total);
          expect(queue.arena.slice(tally, total).every((count) => count === 1)).toBe(true);
        }
        expect(queue.stats().lanes.reduce((sum, { produced }) => sum + Number(produced), 0)).toBe(total);
      });
    }
  },
);
