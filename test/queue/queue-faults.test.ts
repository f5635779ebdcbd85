// The table "Ring" of the list of faults, as far as single modes have something of their own: laps, the slow, the dead, positions at the end of their encodings.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { ARENA_ENDPOINTS_MAX } from '../../layout/arena.ts';
import { QUEUE_SLOT_OWNER_OFFSET } from '../../layout/queue.ts';
import { RING_PRODUCER_OWNER_OFFSET } from '../../layout/ring.ts';
import { STATUS_CLOSED } from '../../layout/status.ts';
import { newOwner, ownerOf } from '../../src/arena/owner.ts';
import type { QueueConsumer } from '../../src/queue/consumer.ts';
import { laneAddress, slotAddress } from '../../src/queue/place.ts';
import type { QueueOptions } from '../../src/queue/plan.ts';
import type { QueueProducer } from '../../src/queue/producer.ts';
import type { Queue } from '../../src/queue/queue.ts';
import { fastForward, recordOf, testQueue } from '../support/queue.ts';
import { seededRandom } from '../support/seed.ts';

const CAPACITY = 4096;
/** No thread has it: what is under this name belongs to the dead. */
const DEAD = ownerOf(4_194_303, 1n, 1);

const make = (options: QueueOptions): Queue => testQueue({ laneCapacity: CAPACITY, expireAfterMs: 0, ...options });

function killProducer(queue: Queue, { lane }: QueueProducer): void {
  Atomics.store(queue.arena.u64, (laneAddress(queue, lane) + RING_PRODUCER_OWNER_OFFSET) / 8, DEAD);
}

function killConsumer(queue: Queue, slot: number): void {
  Atomics.store(queue.arena.u64, (slotAddress(queue, slot) + QUEUE_SLOT_OWNER_OFFSET) / 8, DEAD);
}

/** Numbers that were taken, and lapses before them as negative counts. */
function takeAll(queue: Queue, consumer: QueueConsumer, recordsMax = 1024): number[] {
  const seen: number[] = [];
  const take = (address: number): void => void seen.push(queue.arena.view.getUint32(address, true));
  for (let idle = 0; idle < 3; ) {
    const before = seen.length;
    const answer = consumer.drain(take, recordsMax, (_lane, missed) => seen.push(-Number(missed)));
    if (answer === STATUS_CLOSED) break;
    idle = seen.length > before ? 0 : idle + 1;
  }
  return seen;
}

describe('a reader of a lossy broadcast', () => {
  test('is told exactly how many it missed, wherever it is lapped', () => {
    const random = seededRandom(7);
    const queue = make({ mode: 'broadcast-lossy', producers: 1 });
    const producer = queue.producer();
    const readers = Array.from({ length: 4 }, () => ({ consumer: queue.consumer(), next: 0, lapses: 0 }));
    let sent = 0;
    for (let round = 0; round < 3000; round++) {
      for (let left = random() < 0.02 ? 300 : random() * 20; left > 0; left--) {
        producer.offer(recordOf(sent++, 4 + Math.floor(random() * 60)));
        if (random() < 0.2) producer.publish();
      }
      for (const reader of readers) {
        if (random() < 0.5) continue;
        const seen = takeAll(queue, reader.consumer, 1 + Math.floor(random() * 50));
        for (const number of seen) {
          if (number < 0) reader.lapses += 1;
          // What was missed and what comes next: counted by hand.
          if (number < 0) reader.next -= number;
          else expect(number).toBe(reader.next++);
        }
      }
    }
    queue.close();
    producer.close();
    for (const { consumer, next, lapses } of readers) {
      const rest = takeAll(queue, consumer).reduce((sum, number) => sum + (number < 0 ? -number : 1), 0);
      expect(next + rest).toBe(sent);
      expect(consumer.delivered + consumer.lapped).toBe(BigInt(sent));
      expect(lapses).toBeGreaterThan(10);
      expect(consumer.drain(() => {})).toBe(STATUS_CLOSED);
    }
  });

  test.each([1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 32n + 1n, 3n * 2n ** 32n + 77n, 2n ** 53n + 1n])(
    'is told so after %d records, too',
    (missed) => {
      for (const alreadySeen of [0n, 5n, 2n ** 32n - 2n]) {
        const queue = make({ mode: 'broadcast-lossy', producers: 1 });
        fastForward(queue, alreadySeen * 16n, alreadySeen);
        const consumer = queue.consumer();
        // What a producer leaves that has sent so many records of 16 bytes, and more than a lane.
        const bytes = missed * 16n > 8192n ? missed * 16n : 8192n;
        fastForward(queue, alreadySeen * 16n + bytes, alreadySeen + missed);
        const producer = queue.producer();
        const lapses: bigint[] = [];
        const drain = (): number =>
          consumer.drain(
            () => {},
            10,
            (_lane, count) => lapses.push(count),
          );
        // Nothing follows yet: it is told all the same.
        drain();
        expect([lapses, consumer.lapped]).toEqual([[missed], missed]);
        producer.send(recordOf(1, 4));
        expect(drain()).toBe(1);
        expect([lapses, consumer.lapped, consumer.delivered]).toEqual([[missed], missed, 1n]);
      }
    },
  );

  test('gets the last of a burst that is longer than the lane', () => {
    const queue = make({ mode: 'broadcast-lossy', producers: 1 });
    const consumer = queue.consumer();
    const producer = queue.producer();
    for (let number = 0; number < 2000; number++) producer.offer(recordOf(number, 24));
    producer.publish();
    const [lapse = 0, ...seen] = takeAll(queue, consumer);
    expect(seen.length).toBeGreaterThan(10);
    expect(seen).toEqual(Array.from(seen, (_, index) => -lapse + index));
    expect(seen.at(-1)).toBe(1999);
  });

  test('hears of a lapse before the end when nothing follows it', () => {
    const queue = make({ mode: 'broadcast-lossy', producers: 1 });
    const [consumer, producer] = [queue.consumer(), queue.producer()];
    for (let number = 0; number < 1000; number++) producer.send(recordOf(number, 60));
    producer.close();
    queue.close();
    const seen = takeAll(queue, consumer);
    expect(seen.reduce((sum, number) => sum + (number < 0 ? -number : 1), 0)).toBe(1000);
    expect(seen.at(-1) === 999 || seen.length === 1).toBe(true);
  });

  test('never makes a producer wait, whatever it sends', () => {
    const queue = make({ mode: 'broadcast-lossy', producers: 1 });
    const producer = queue.producer();
    queue.consumer();
    for (let number = 0; number < 5000; number++) {
      // Records of half a lane, from every offset: with the padding before them they need nearly the whole lane.
      expect(producer.offer(recordOf(number, number % 2 === 0 ? 2040 : (number * 8) % 2041))).toBe(true);
    }
    expect(producer.dropped).toBe(0n);
  });
});

describe('a gated broadcast', () => {
  const fill = (producer: QueueProducer, from = 0): number => {
    let number = from;
    while (producer.offer(recordOf(number, 56))) number += 1;
    return number;
  };

  test('leaves a consumer behind that is too slow, and tells it exactly what it missed', () => {
    const queue = make({ mode: 'broadcast', producers: 1, consumers: 2, expireAfterMs: 150 });
    const [slow, quick, producer] = [queue.consumer(), queue.consumer(), queue.producer()];
    let sent = fill(producer);
    expect(takeAll(queue, quick)).toHaveLength(sent);
    const start = performance.now();
    while (performance.now() - start < 10_000 && !producer.send(recordOf(sent, 56), 50));
    sent += 1;
    expect(performance.now() - start).toBeGreaterThanOrEqual(150);
    expect(queue.stats().expired).toBe(1n);
    expect(queue.stats().consumers.map(({ isJoined }) => isJoined)).toEqual([false, true]);
    for (let more = 0; more < 500; more++) {
      expect(producer.send(recordOf(sent++, 56), 0)).toBe(true);
      expect(takeAll(queue, quick).at(-1)).toBe(sent - 1);
    }
    expect(quick.lapped).toBe(0n);
    const seen = takeAll(queue, slow);
    const [missed = 0, first = 0] = seen;
    expect(first).toBe(-missed);
    expect(seen.slice(1)).toEqual(Array.from({ length: sent + missed }, (_, index) => index - missed));
    expect([slow.lapped, slow.delivered]).toEqual([BigInt(-missed), BigInt(sent + missed)]);
    // It has joined again: nobody goes on without it.
    expect(queue.stats().consumers.map(({ isJoined }) => isJoined)).toEqual([true, true]);
    const full = fill(producer, sent);
    takeAll(queue, quick);
    expect(producer.send(recordOf(full, 56), 10)).toBe(false);
    expect(takeAll(queue, slow)).toHaveLength(full - sent);
    expect(producer.send(recordOf(full, 56), 0)).toBe(true);
  });

  test('does not wait for one that was left behind, came back to an empty lane, and found nothing there', () => {
    const queue = make({ mode: 'broadcast', producers: 1, consumers: 1, expireAfterMs: 1 });
    const [consumer, producer] = [queue.consumer(), queue.producer()];
    for (let lap = 0; lap < 8; lap++) {
      let sent = 0;
      while (sent < 300) if (producer.send(recordOf(sent, 56), 500)) sent += 1;
      takeAll(queue, consumer);
      // A whole lane must fit now, without anybody being left behind for it.
      const { expired } = queue.stats();
      expect(fill(producer)).toBeGreaterThanOrEqual(CAPACITY / 64 - 1);
      expect(queue.stats().expired).toBe(expired);
      takeAll(queue, consumer);
    }
    expect(consumer.delivered + consumer.lapped).toBe(producer.count);
  });

  test('waits for nobody who died, left, or was never there', () => {
    const queue = make({ mode: 'broadcast', producers: 1, consumers: 2 });
    const producer = queue.producer();
    for (let number = 0; number < 1000; number++) expect(producer.send(recordOf(number, 56), 0)).toBe(true);
    const [leaves, dies] = [queue.consumer(), queue.consumer()];
    fill(producer);
    leaves.close();
    expect(producer.send(recordOf(1, 56), 10)).toBe(false);
    killConsumer(queue, 1);
    expect(producer.send(recordOf(1, 56), 5000)).toBe(true);
    expect(queue.stats()).toMatchObject({ deadConsumers: 1n, consumers: [], expired: 0n });
    expect(dies.delivered).toBe(0n);
  });

  test('begins for each consumer when it joins', () => {
    const queue = make({ mode: 'broadcast', producers: 2, consumers: 3 });
    const producers = [queue.producer(), queue.producer()];
    const joined: { consumer: QueueConsumer; from: number }[] = [];
    let sent = 0;
    for (let round = 0; round < 30; round++) {
      if (round % 10 === 3) joined.push({ consumer: queue.consumer(), from: sent });
      for (const producer of producers) expect(producer.send(recordOf(sent++, 20), 0)).toBe(true);
      if (round % 4 !== 0) continue;
      for (const reader of joined) {
        const seen = takeAll(queue, reader.consumer);
        expect(seen.sort((a, b) => a - b)).toEqual(
          Array.from({ length: sent - reader.from }, (_, index) => reader.from + index),
        );
        reader.from = sent;
      }
    }
    expect(joined).toHaveLength(3);
  });
});

describe('an mpmc queue', () => {
  test('hands a dead consumer’s run to another, once, and counts it', async () => {
    const queue = make({ mode: 'mpmc', producers: 1, consumers: 2 });
    const [dies, lives, producer] = [queue.consumer(), queue.consumer(), queue.producer()];
    for (let number = 0; number < 10; number++) producer.send(recordOf(number, 8));
    const taken: number[] = [];
    // It dies in the middle of a run: what it took of it comes again with the rest, in order.
    expect(() =>
      dies.drain((address) => {
        taken.push(queue.arena.view.getUint32(address, true));
        if (taken.length === 3) throw new Error('killed');
      }, 6),
    ).toThrow('killed');
    killConsumer(queue, 0);
    await sleep(250);
    expect(takeAll(queue, lives)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(queue.stats()).toMatchObject({ redelivered: 6n, deadConsumers: 1n });
    expect(queue.stats().consumers).toMatchObject([{ slot: 1, delivered: 10n }]);
    queue.consumer();
  });

  test('gives a dead consumer’s run to whoever takes its slot', () => {
    const queue = make({ mode: 'mpmc', producers: 1, consumers: 1 });
    const [dies, producer] = [queue.consumer(), queue.producer()];
    for (let number = 0; number < 10; number++) producer.send(recordOf(number, 8));
    expect(() =>
      dies.drain(() => {
        throw new Error('killed');
      }, 4),
    ).toThrow('killed');
    killConsumer(queue, 0);
    expect(takeAll(queue, queue.consumer())).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(queue.stats()).toMatchObject({ redelivered: 4n, deadConsumers: 1n });
  });

  test('is full for good where its cursors end, and everything before is delivered', () => {
    const queue = make({ mode: 'mpmc', producers: 1, consumers: 1 });
    const end = 2n ** 59n - 8n;
    fastForward(queue, 2n ** 59n - 8192n, 12345n);
    const [consumer, producer] = [queue.consumer(), queue.producer()];
    let sent = 0;
    let seen = 0;
    for (let round = 0; round < 1000; round++) {
      if (producer.send(recordOf(sent, 56), 0)) sent += 1;
      for (const number of takeAll(queue, consumer)) expect(number).toBe(seen++);
    }
    expect([sent, seen]).toEqual([127, 127]);
    expect(producer.published).toBe(end - 56n);
    expect(producer.send(recordOf(0, 48), 0)).toBe(true);
    expect(takeAll(queue, consumer)).toHaveLength(1);
    expect(producer.published).toBe(end);
    expect(producer.send(recordOf(0, 0), 0)).toBe(false);
    expect([producer.count, queue.stats().lanes[0]?.waitingBytes]).toEqual([12345n + 128n, 0]);
    queue.close();
    expect(consumer.drain(() => {})).toBe(STATUS_CLOSED);
  });
});

describe('what the dead leave', () => {
  test('an spsc consumer’s successor begins with what was not released', () => {
    const queue = make({ mode: 'spsc' });
    const [dies, producer] = [queue.consumer(), queue.producer()];
    for (let number = 0; number < 5; number++) producer.send(recordOf(number, 8));
    expect(() =>
      dies.drain(() => {
        throw new Error('killed');
      }, 4),
    ).toThrow('killed');
    killConsumer(queue, 0);
    expect(takeAll(queue, queue.consumer())).toEqual([0, 1, 2, 3, 4]);
  });

  test.each(['spsc', 'mpsc', 'mpmc', 'broadcast', 'broadcast-lossy'] as const)(
    'of a %s: a batch that was not published was never there, and its lane goes on',
    (mode) => {
      const queue = make({ mode, producers: 1 });
      const consumer = queue.consumer();
      let number = 0;
      for (let round = 0; round < 100; round++) {
        const producer = queue.producer();
        expect(producer.count).toBe(BigInt(number));
        expect(producer.send(recordOf(number++, 100 + round), 0)).toBe(true);
        // Written, submitted, and reserved, but never published.
        producer.offer(recordOf(666, round * 5));
        producer.reserve(round * 3);
        killProducer(queue, producer);
        expect(takeAll(queue, consumer)).toEqual([number - 1]);
      }
      expect(queue.unblock()).toMatchObject({ producers: 1 });
      expect(queue.stats()).toMatchObject({ abandonedProducers: 100n });
      expect(queue.stats().lanes[0]).toMatchObject({ produced: 100n, owner: 0n });
    },
  );
});

test('a producer that was closed writes nothing more', () => {
  const queue = make({ mode: 'mpsc' });
  const producer = queue.producer();
  producer.close();
  for (const use of [() => producer.offer(Uint8Array.of(1)), () => producer.publish(), () => producer.drop(1)]) {
    expect(use).toThrow(expect.objectContaining({ code: 'HANDLE_CLOSED' }));
  }
  producer.close();
});

test('a consumer that gets no private memory takes nobody’s slot', () => {
  const queue = make({ mode: 'mpmc', producers: 1, consumers: 1 });
  const endpoints = Array.from({ length: ARENA_ENDPOINTS_MAX }, () => queue.arena.takeEndpoint(newOwner()));
  expect(() => queue.consumer()).toThrow(expect.objectContaining({ code: 'ARENA_FULL' }));
  expect(() => queue.producer()).toThrow(expect.objectContaining({ code: 'ARENA_FULL' }));
  for (const { address } of endpoints) queue.arena.giveEndpoint(address);
  queue.producer().send(recordOf(1, 4));
  expect(queue.consumer().read()).toHaveLength(1);
});
