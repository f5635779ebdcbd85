// Races for the ends of a queue, in threads and processes, with every outcome that is acceptable.

import { describe, expect, test } from 'vitest';
import { ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import { QUEUE_SLOT_OWNER_OFFSET } from '../../layout/queue.ts';
import { RING_PRODUCER_OWNER_OFFSET } from '../../layout/ring.ts';
import { ownerOf } from '../../src/arena/owner.ts';
import { laneAddress, slotAddress } from '../../src/queue/place.ts';
import type { QueueMode } from '../../src/queue/plan.ts';
import type { Queue } from '../../src/queue/queue.ts';
import { requires } from '../support/capabilities.ts';
import { recordOf, startPeer, testQueue } from '../support/queue.ts';
import { runs } from '../support/seed.ts';

const ROUNDS = Math.ceil(runs / 2);
const RACERS = ['thread', 'process', 'thread'] as const;
/** No thread has it: what is under this name belongs to the dead. */
const DEAD = ownerOf(4_194_303, 1n, 1);

interface Answer {
  outcome: string;
  records: number;
}

/**
 * Three take one end at once, in each round. The test is the fourth at each meeting: nobody races before `prepare`.
 * @returns The answers of each round.
 */
async function race(queue: Queue, end: 'producer' | 'consumer', prepare: (round: number) => void) {
  const meetings = queue.arena.region(ARENA_REGION_SCRATCH).address;
  const parties = RACERS.length + 1;
  const task = { role: 'race', end, rounds: ROUNDS, meetings, parties };
  const peers = RACERS.map((kind) => startPeer(kind, queue, task));
  for (const peer of peers) await peer.next();
  const meet = async (which: number, round: number): Promise<void> => {
    const index = (meetings + which * 8) / 4;
    Atomics.add(queue.arena.i32, index, 1);
    const start = Date.now();
    while (Atomics.load(queue.arena.i32, index) < parties * round) {
      if (Date.now() - start > 30_000) throw new Error(`round ${round}: somebody never came`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  for (let round = 1; round <= ROUNDS; round++) {
    prepare(round);
    await meet(0, round);
    await meet(1, round);
    await meet(2, round);
  }
  const answers = await Promise.all(peers.map(async (peer) => (await peer.next()).answers as Answer[]));
  return Array.from({ length: ROUNDS }, (_, round) => answers.map((of) => of[round] as Answer));
}

const outcomes = (round: Answer[]): string =>
  round
    .map(({ outcome }) => outcome)
    .sort()
    .join(' ');

describe('who is first', requires('koffi'), () => {
  // Each compares the owner word with 0 and swaps; one is first, and lives until all have tried. So: one has it, the others are refused. Not acceptable: two have it; nobody has it.
  test.each(['producer', 'consumer'] as const)('one of three gets the only free place of a %s', async (end) => {
    const queue = testQueue({ mode: 'spsc' }, true);
    const rounds = await race(queue, end, () => {});
    expect(new Set(rounds.map(outcomes))).toEqual(new Set(['RING_TAKEN RING_TAKEN taken']));
  });

  // 1. All find the dead owner in /proc. 2. One swaps it for itself. 3. The others' exchange fails; they see the new one, who lives. The dead is counted once.
  test('one of three takes over the lane of a dead producer', async () => {
    const queue = testQueue({ mode: 'spsc' }, true);
    const owner = (laneAddress(queue, 0) + RING_PRODUCER_OWNER_OFFSET) / 8;
    const kill = (): void => void Atomics.store(queue.arena.u64, owner, DEAD);
    const rounds = await race(queue, 'producer', kill);
    expect(new Set(rounds.map(outcomes))).toEqual(new Set(['RING_TAKEN RING_TAKEN taken']));
    expect(queue.stats().abandonedProducers).toBe(BigInt(ROUNDS));
  });

  // mpmc: three slots, two of them free, in the third a dead consumer with a run that it had claimed. Acceptable:
  //   all three get a slot: two swap 0, the third takes the dead one's, with the run; or, before the third comes there, one of the two others, whose first drain looks for the dead, has it,
  //   and hands the run out: then the third finds it either taken (RING_TAKEN) or, given back by then, free.
  // In any case the run is handed out once, by one of them, and counted once.
  test('one of three hands out what a dead consumer had claimed', async () => {
    const queue = testQueue({ mode: 'mpmc', producers: 1, consumers: 3 }, true);
    const producer = queue.producer();
    const prepare = (round: number): void => {
      const dies = queue.consumer();
      for (let number = 0; number < 5; number++) producer.send(recordOf(round, 8));
      expect(() =>
        dies.drain(() => {
          throw new Error('killed');
        }),
      ).toThrow('killed');
      const owner = (slotAddress(queue, 0) + QUEUE_SLOT_OWNER_OFFSET) / 8;
      queue.arena.giveEndpoint(endpointOf(queue));
      Atomics.store(queue.arena.u64, owner, DEAD);
    };
    const rounds = await race(queue, 'consumer', prepare);
    for (const round of rounds) {
      expect(['taken taken taken', 'RING_TAKEN taken taken']).toContain(outcomes(round));
      expect(round.map(({ records }) => records).sort()).toEqual([0, 0, 5]);
    }
    expect(queue.stats()).toMatchObject({ redelivered: BigInt(5 * ROUNDS), deadConsumers: BigInt(ROUNDS) });
  });

  // Each of three joins and reads; the producer publishes before and after, never meanwhile. "From now on" is the same for all: nothing of before, all of after.
  test.each<QueueMode>(['broadcast', 'broadcast-lossy'])(
    'all of three that join a %s at once begin at the same place',
    async (mode) => {
      const queue = testQueue({ mode, producers: 1, consumers: 3 }, true);
      const producer = queue.producer();
      const rounds = await race(queue, 'consumer', (round) =>
        expect(producer.send(recordOf(round, 8), 1000)).toBe(true),
      );
      expect(new Set(rounds.map((round) => JSON.stringify(round)))).toEqual(
        new Set([JSON.stringify(RACERS.map(() => ({ outcome: 'taken', records: 0 })))]),
      );
    },
  );
});

/** The private state that the test's last consumer had: a process that dies gives it back, the test, which lives on, has to. */
function endpointOf(queue: Queue): number {
  const slot = queue.arena.takeEndpoint(1n);
  queue.arena.giveEndpoint(slot.address);
  return slot.address - slot.length;
}
