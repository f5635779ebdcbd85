// A peer that writes over header, positions, cursors, slots, owners, records and held bytes (FAULTS.md: malicious peer). Acceptable of every call: a record whose bytes lie where
// records of this queue may lie; full; empty; the end; a CausewayError with the values. Not acceptable: any other error, a trap, an address outside, a call that does not return.
// CAUSEWAY_QUEUE_HOSTILE_MS is how long the process that scribbles goes on with each mode.

import { describe, expect, test } from 'vitest';
import { ARENA_REGION_QUEUE, ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import { RING_PRODUCER_POSITION_OFFSET } from '../../layout/ring.ts';
import { Arena } from '../../src/arena/arena.ts';
import { laneAddress } from '../../src/queue/place.ts';
import type { QueueMode, QueueOptions } from '../../src/queue/plan.ts';
import { Queue, queueRegion } from '../../src/queue/queue.ts';
import { requires } from '../support/capabilities.ts';
import { hotWords, scribble, scribbleLane, Victim } from '../support/hostile-queue.ts';
import { MODES, recordOf, startPeer, testQueue } from '../support/queue.ts';
import { runs, seed, seededRandom } from '../support/seed.ts';

const HOSTILE_MS = Number(process.env.CAUSEWAY_QUEUE_HOSTILE_MS ?? 2000);
/** Words are written over, and calls made, this often in one seed's story. */
const STEPS = 60;

function optionsOf(mode: QueueMode): QueueOptions {
  const isSingle = mode === 'spsc';
  const consumers = isSingle || mode === 'mpsc' ? 1 : 2;
  return { mode, producers: isSingle ? 1 : 2, consumers, laneCapacity: 4096, expireAfterMs: 1 };
}

/** A queue between two regions that nobody may touch. */
function guarded(mode: QueueMode) {
  const options = optionsOf(mode);
  const guard = { kind: ARENA_REGION_SCRATCH, length: 4096 };
  const arena = Arena.create({ regions: [guard, queueRegion(options), { ...guard, number: 1 }], endpoints: true });
  const guards = [0, 1].map((number) => arena.slice(arena.region(ARENA_REGION_SCRATCH, number).address, 4096));
  for (const bytes of guards) bytes.fill(0xa5);
  const queue = Queue.create(arena, arena.region(ARENA_REGION_QUEUE), options);
  return { queue, isUntouched: () => guards.every((bytes) => bytes.every((byte) => byte === 0xa5)) };
}

describe.each(MODES)('%s with a hostile peer', (mode) => {
  test('survives words that are written over between its calls', { timeout: 120_000 }, () => {
    const { queue, isUntouched } = guarded(mode);
    const hot = hotWords(queue);
    const errors = new Map<string, number>();
    for (let story = 0; story < runs * 10; story++) {
      const random = seededRandom(story);
      const victim = new Victim(queue, random);
      for (let step = 0; step < STEPS; step++) {
        if (random() < 0.2) scribble(queue, hot, random);
        if (random() < 0.1) scribbleLane(queue, random);
        try {
          victim.act();
        } catch (error) {
          throw new Error(`story ${story}, step ${step}: ${(error as Error).stack}`);
        }
      }
      for (const [code, count] of victim.errors) errors.set(code, (errors.get(code) ?? 0) + count);
      victim.restore();
    }
    expect(isUntouched()).toBe(true);
    expect(errors.get('RING_CORRUPT')).toBeGreaterThan(0);
    expect(
      [...errors.keys()].filter((code) => !['RING_CORRUPT', 'RING_TAKEN', 'RECORD_TOO_LONG'].includes(code)),
    ).toEqual([]);
  });

  test('survives a process that scribbles in a loop', {
    timeout: 60_000 + HOSTILE_MS * 2,
    ...requires('koffi'),
  }, async () => {
    const queue = testQueue(optionsOf(mode), true);
    const stop = queue.arena.region(ARENA_REGION_SCRATCH).address;
    const hot = hotWords(queue);
    const peer = startPeer('process', queue, { role: 'scribble', seed, hot, stop });
    await peer.next();
    const end = performance.now() + HOSTILE_MS;
    const errors = new Map<string, number>();
    for (let story = 0; performance.now() < end; story++) {
      const victim = new Victim(queue, seededRandom(story));
      for (let step = 0; step < 40; step++) victim.act();
      for (const [code, count] of victim.errors) errors.set(code, (errors.get(code) ?? 0) + count);
      victim.restore();
    }
    Atomics.store(queue.arena.i32, stop / 4, 1);
    expect(await peer.next()).toMatchObject({ done: true });
    expect(errors.get('RING_CORRUPT')).toBeGreaterThan(0);
    expect(
      [...errors.keys()].filter((code) => !['RING_CORRUPT', 'RING_TAKEN', 'RECORD_TOO_LONG'].includes(code)),
    ).toEqual([]);
  });

  test('names lane and position of what is corrupt, leaves that lane and goes on with the other', () => {
    const queue = testQueue({ ...optionsOf(mode), ...(mode === 'spsc' ? {} : { producers: 2 }) });
    const consumer = queue.consumer();
    const [bad, good] = [queue.producer(), mode === 'spsc' ? undefined : queue.producer()];
    bad.offer(recordOf(1, 16));
    bad.publish();
    expect(consumer.read()).toHaveLength(1);
    const position = laneAddress(queue, bad.lane) + RING_PRODUCER_POSITION_OFFSET;
    Atomics.add(queue.arena.u64, position / 8, 1_000_000n);
    expect(() => consumer.drain(() => {})).toThrow(
      expect.objectContaining({
        code: 'RING_CORRUPT',
        message: expect.stringMatching(/lane=0 is corrupt at position 24$/),
      }),
    );
    expect(consumer.read()).toEqual([]);
    if (good === undefined) return;
    for (let number = 0; number < 1000; number++) {
      expect(good.send(recordOf(number, 100), 0)).toBe(true);
      expect(consumer.read()).toEqual([new Uint8Array(recordOf(number, 100))]);
    }
  });
});
