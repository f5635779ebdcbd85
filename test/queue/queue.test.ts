// What all modes of a queue promise alike, in private and in shared arenas. What a mode has for itself is in queue-faults.test.ts.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { RING_CAPACITY_MAX, RING_CAPACITY_MIN } from '../../layout/limits.ts';
import { QUEUE_CONSUMERS_MAX, QUEUE_COPIED_LENGTH_MAX, QUEUE_LANES_MAX } from '../../layout/queue.ts';
import { STATUS_CLOSED, STATUS_FULL } from '../../layout/status.ts';
import { planQueue, type QueueOptions } from '../../src/queue/plan.ts';
import { requires } from '../support/capabilities.ts';
import { MODES, recordOf, startPeer, testQueue } from '../support/queue.ts';

const CAPACITY = 4096;
const LENGTH_MAX = CAPACITY / 2 - 8;

const ARENAS = [
  { arena: 'private', share: false },
  { arena: 'shared', share: true },
] as const;

const code = (expected: string, message = /\d/) =>
  expect.objectContaining({ code: expected, message: expect.stringMatching(message) });

for (const { arena, share } of ARENAS) {
  describe.each(MODES)(`%s in a ${arena} arena`, share ? requires('koffi') : {}, (mode) => {
    const isBroadcast = mode.startsWith('broadcast');
    const isLossy = mode === 'broadcast-lossy';
    const make = (options: Partial<QueueOptions> = {}) =>
      testQueue({ mode, laneCapacity: CAPACITY, expireAfterMs: 0, ...options }, share);
    const open = (options: Partial<QueueOptions> = {}) => {
      const queue = make(options);
      return { queue, consumer: queue.consumer(), producer: queue.producer() };
    };

    test('hands over records of every length, whole, in order and once', () => {
      const { consumer, producer } = open();
      const lengths = [0, 1, 7, 8, 9, LENGTH_MAX - 1, LENGTH_MAX];
      for (let round = 0; round < 300; round++) {
        const length = lengths[round % lengths.length] ?? 0;
        expect(producer.send(recordOf(round, length), 0)).toBe(true);
        expect(consumer.read()).toEqual([new Uint8Array(recordOf(round, length))]);
      }
      expect(consumer.read()).toEqual([]);
    });

    test('shows nothing before it is published, then all of it', () => {
      const { consumer, producer } = open();
      for (let number = 0; number < 5; number++) expect(producer.offer(recordOf(number, 4))).toBe(true);
      expect(consumer.read()).toEqual([]);
      producer.publish();
      expect(consumer.read(3).map(([number]) => number)).toEqual([0, 1, 2]);
      expect(consumer.read(0)).toEqual([]);
      expect(consumer.read().map(([number]) => number)).toEqual([3, 4]);
    });

    test('takes a record that ends exactly at the end of the lane, and pads where one does not fit', () => {
      const { consumer, producer } = open();
      const half = recordOf(1, LENGTH_MAX);
      for (const record of [half, half]) {
        expect(producer.send(record, 0)).toBe(true);
        expect(consumer.read()).toEqual([new Uint8Array(record)]);
      }
      expect(producer.position).toBe(BigInt(CAPACITY));
      for (const record of [recordOf(2, 24), half, half, recordOf(3, 0)]) {
        expect(producer.send(record, 0)).toBe(true);
        expect(consumer.read()).toEqual([new Uint8Array(record)]);
      }
      // 4096 + 32 + 2048, then 2016 of padding, 2048, 8.
      expect(producer.position).toBe(BigInt(CAPACITY + 32 + 2048 + 2016 + 2048 + 8));
    });

    test('refuses a record that will never fit, and stays as it was', () => {
      const { queue, consumer, producer } = open({ recordLengthMax: 100 });
      producer.offer(recordOf(1, 100));
      const before = producer.position;
      expect(() => producer.offer(recordOf(2, 101))).toThrow(code('RECORD_TOO_LONG', /length=101, lengthMax=100/));
      expect(() => producer.reserve(2 ** 31 - 1)).toThrow(code('RECORD_TOO_LONG', /lengthMax=100/));
      expect([producer.position, producer.dropped]).toEqual([before, 0n]);
      producer.publish();
      expect(consumer.read()).toEqual([new Uint8Array(recordOf(1, 100))]);
      expect(queue.stats().lanes[producer.lane]).toMatchObject({ produced: 1n, dropped: 0n });
    });

    test('refuses one producer and one consumer more than it is for, also from another process', async () => {
      const counts = planQueue({ mode });
      const queue = make();
      const producers = Array.from({ length: counts.lanes }, () => queue.producer());
      const consumers = Array.from({ length: counts.consumers }, () => queue.consumer());
      expect(() => queue.producer()).toThrow(code('RING_TAKEN', new RegExp(`producersMax=${counts.lanes}`)));
      expect(() => queue.consumer()).toThrow(code('RING_TAKEN', new RegExp(`consumersMax=${counts.consumers}`)));
      const peer = startPeer(share ? 'process' : 'thread', queue, {
        role: 'produce',
        id: 0,
        count: 1,
        batchMax: 1,
        lengthMax: 8,
        seed: 1,
      });
      await expect(peer.next()).rejects.toThrow(/every lane has a producer: producers=producersMax=\d+/);
      expect(queue.unblock()).toEqual({ producers: 0, consumers: 0 });
      producers[0]?.close();
      consumers[0]?.close();
      expect(queue.producer().lane).toBe(producers[0]?.lane);
      queue.consumer();
    });

    test('says that it has ended once everything was taken', () => {
      const { queue, consumer, producer } = open();
      producer.offer(recordOf(1, 8));
      producer.close();
      producer.close();
      queue.close();
      expect(queue.isClosed).toBe(true);
      expect(consumer.waitForRecord(0)).toBe(true);
      expect(consumer.read()).toHaveLength(1);
      expect(consumer.waitForRecord(60_000)).toBe(true);
      expect(consumer.drain(() => {})).toBe(STATUS_CLOSED);
      expect(consumer.drain(() => {})).toBe(STATUS_CLOSED);
    });

    test('wakes who waits for a record: by publishing, by closing; else in time', async () => {
      const { queue, consumer, producer } = open();
      const start = performance.now();
      expect(consumer.waitForRecord(20)).toBe(false);
      expect(await consumer.waitForRecordAsync(20)).toBe(false);
      expect(performance.now() - start).toBeGreaterThan(35);
      const first = consumer.waitForRecordAsync(20_000);
      await sleep(20);
      producer.send(recordOf(1, 8));
      expect(await first).toBe(true);
      expect(consumer.read()).toHaveLength(1);
      const second = consumer.waitForRecordAsync(20_000);
      await sleep(20);
      queue.close();
      expect(await second).toBe(true);
      expect(performance.now() - start).toBeLessThan(15_000);
    });

    test('goes on with another producer where the last one stopped', () => {
      const { queue, consumer, producer } = open();
      for (let number = 0; number < 100; number++) {
        const next = number === 0 ? producer : queue.producer();
        expect([next.lane, next.count]).toEqual([producer.lane, BigInt(number)]);
        expect(next.offer(recordOf(number, 100))).toBe(true);
        next.close();
        expect(consumer.read()).toEqual([new Uint8Array(recordOf(number, 100))]);
      }
    });

    test('goes on with another consumer: what was not taken is still there, but for broadcasts', () => {
      const { queue, consumer, producer } = open();
      for (let number = 0; number < 20; number++) producer.send(recordOf(number, 10));
      expect(consumer.read(7)).toHaveLength(7);
      consumer.close();
      consumer.close();
      expect(consumer.drain(() => {})).toBe(STATUS_CLOSED);
      const next = queue.consumer();
      expect(next.read().map(([number]) => number)).toEqual(
        isBroadcast ? [] : Array.from({ length: 13 }, (_, index) => index + 7),
      );
      producer.send(recordOf(20, 10));
      expect(next.read()).toHaveLength(1);
      expect(next.delivered).toBe(isBroadcast ? 8n : 21n);
    });

    test('loses nothing behind a record whose taking throws', () => {
      const { queue, consumer, producer } = open();
      for (let number = 0; number < 5; number++) producer.send(recordOf(number, 10));
      const seen: number[] = [];
      const take = (address: number): void => {
        seen.push(queue.arena.bytes[address + 4] ?? -1);
        if (seen.length === 2) throw new Error('not this one');
      };
      expect(() => consumer.drain(take)).toThrow('not this one');
      expect(consumer.drain(take)).toBe(3);
      expect(seen).toEqual([0, 1, 2, 3, 4]);
      expect([consumer.drain(take), consumer.delivered]).toEqual([0, 5n]);
    });

    test('can be closed by who takes: the rest comes to the next one, but for broadcasts', () => {
      const { queue, consumer, producer } = open();
      for (let number = 0; number < 3; number++) producer.send(recordOf(number, 10));
      expect(consumer.drain(() => consumer.close())).toBe(1);
      const again = queue
        .consumer()
        .read()
        .map(([number]) => number);
      // What was handed out of an unfinished batch comes again with it.
      expect(again).toEqual(isBroadcast ? [] : [0, 1, 2]);
    });

    // A lossy one is never full. (Not skipIf: the options of the suite, `skip: false`, would win.)
    const testFull = isLossy ? () => {} : test;

    testFull('is full until somebody takes, and counts exactly what was given up', () => {
      const { queue, consumer, producer } = open();
      let sent = 0;
      while (producer.offer(recordOf(sent, 56))) sent += 1;
      expect(sent).toBe(CAPACITY / 64);
      expect(producer.reserve(0)).toBe(STATUS_FULL);
      expect(producer.waitForRoom(8, 30)).toBe(false);
      for (let more = 0; more < 7; more++) {
        expect(producer.send(recordOf(0, 56), 2)).toBe(false);
        producer.drop(1);
      }
      expect(producer.dropped).toBe(7n);
      expect(queue.stats().lanes[producer.lane]).toMatchObject({
        produced: BigInt(sent),
        dropped: 7n,
        waitingBytes: CAPACITY,
      });
      expect(consumer.read(1)).toHaveLength(1);
      expect(producer.send(recordOf(0, 56), 0)).toBe(true);
      expect(producer.send(recordOf(0, 56), 0)).toBe(false);
    });

    testFull('wakes who waits for room', async () => {
      const { consumer, producer } = open();
      while (producer.offer(recordOf(1, LENGTH_MAX)));
      expect(await producer.waitForRoomAsync(8, 10)).toBe(false);
      const room = producer.waitForRoomAsync(LENGTH_MAX, 20_000);
      await sleep(20);
      expect(consumer.read()).toHaveLength(2);
      expect(await room).toBe(true);
      while (producer.offer(recordOf(1, LENGTH_MAX)));
      const never = producer.waitForRoomAsync(LENGTH_MAX, 20_000);
      producer.close();
      expect(await never).toBe(false);
    });

    test('has counts that add up: produced = delivered + in flight, offered = produced + dropped', () => {
      const { queue, consumer, producer } = open();
      let offered = 0;
      for (let round = 0; round < 200; round++) {
        for (let more = 0; more < 10; more++) {
          offered += 1;
          if (!producer.offer(recordOf(offered, (offered * 37) % 300))) producer.drop(1);
        }
        producer.publish();
        consumer.read(round % 9);
      }
      const { produced = 0n, dropped = 0n } = queue.stats().lanes[producer.lane] ?? {};
      expect(produced + dropped).toBe(BigInt(offered));
      let inFlight = 0;
      const before = consumer.delivered + consumer.lapped;
      for (let idle = 0; idle < 3; ) {
        const lapped = consumer.lapped;
        const taken = consumer.read().length + Number(consumer.lapped - lapped);
        inFlight += taken;
        idle = taken > 0 ? 0 : idle + 1;
      }
      expect(produced).toBe(before + BigInt(inFlight));
      expect(queue.stats().consumers).toEqual([
        expect.objectContaining({ delivered: consumer.delivered, lapped: consumer.lapped }),
      ]);
    });

    test('works with a second thread or process at either end', async () => {
      const kind = share ? 'process' : 'thread';
      const queue = make({ laneCapacity: 65_536 });
      const consumer = isBroadcast ? queue.consumer() : undefined;
      const task = { role: 'produce', id: 3, count: 500, batchMax: 8, lengthMax: 64, seed: 5 };
      const producer = startPeer(kind, queue, task);
      expect(await producer.next()).toMatchObject({ ready: true, lane: 0 });
      expect(await producer.next()).toMatchObject({ done: true, dropped: '0' });
      const own = consumer ?? queue.consumer();
      const records = own.read(200);
      records.push(...own.read(), ...own.read());
      expect(records.map((record) => Buffer.from(record).readUInt32LE(4))).toEqual(
        Array.from({ length: 500 }, (_, number) => number),
      );
      own.close();
      const reader = startPeer(kind, queue, { role: 'consume', recordsMax: 9, seed: 6 });
      expect(await reader.next()).toMatchObject({ ready: true });
      const sender = queue.producer();
      for (let number = 0; number < 100; number++) {
        const record = Buffer.alloc(8);
        record.writeUInt32LE(1);
        record.writeUInt32LE(number, 4);
        expect(sender.send(record, 10_000)).toBe(true);
      }
      queue.close();
      expect(await reader.next()).toMatchObject({ done: true, taken: 100, missed: '0', next: [[1, 100]] });
    });
  });
}

describe('the shape of a queue', () => {
  test.each<[string, Partial<QueueOptions>]>([
    ['laneCapacity', { laneCapacity: 0 }],
    ['laneCapacity', { laneCapacity: 1 }],
    ['laneCapacity', { laneCapacity: 2 }],
    ['laneCapacity', { laneCapacity: RING_CAPACITY_MIN / 2 }],
    ['laneCapacity', { laneCapacity: RING_CAPACITY_MIN + 8 }],
    ['laneCapacity', { laneCapacity: RING_CAPACITY_MAX * 2 }],
    ['recordLengthMax', { laneCapacity: 4096, recordLengthMax: LENGTH_MAX + 1 }],
    ['recordLengthMax', { recordLengthMax: -1 }],
    ['recordLengthMax', { recordLengthMax: 1.5 }],
    [
      'recordLengthMax',
      { mode: 'mpmc', laneCapacity: RING_CAPACITY_MAX, recordLengthMax: QUEUE_COPIED_LENGTH_MAX + 1 },
    ],
    ['producers', { producers: 0 }],
    ['producers', { producers: QUEUE_LANES_MAX + 1 }],
    ['producers', { mode: 'spsc', producers: 2 }],
    ['consumers', { consumers: 2 }],
    ['consumers', { mode: 'mpmc', consumers: QUEUE_CONSUMERS_MAX + 1 }],
    ['expireAfterMs', { expireAfterMs: -1 }],
    ['name', { name: 'x'.repeat(65) }],
    ['name', { name: 'a\0b' }],
  ])('is refused with option, value and limit: %s of %j', (option, options) => {
    expect(() => planQueue({ mode: 'mpsc', ...options })).toThrow(code('CONFIG_INVALID', new RegExp(option)));
  });

  test('can be the largest: records of half a lane go through', () => {
    const queue = testQueue({ mode: 'spsc', laneCapacity: RING_CAPACITY_MAX });
    const [consumer, producer] = [queue.consumer(), queue.producer()];
    const length = RING_CAPACITY_MAX / 2 - 8;
    for (let number = 1; number <= 3; number++) {
      const address = producer.reserve(length);
      queue.arena.bytes[address + length - 1] = number;
      producer.submit(length);
      producer.publish();
      const seen: number[] = [];
      expect(consumer.drain((at, of) => seen.push(of, queue.arena.bytes[at + of - 1] ?? 0))).toBe(1);
      expect(seen).toEqual([length, number]);
    }
    expect(() => producer.reserve(length + 1)).toThrow(code('RECORD_TOO_LONG'));
  });

  test('is the same for every reader of the header, and refused when it cannot be', () => {
    const queue = testQueue({ mode: 'mpmc', name: 'größe', producers: 3, consumers: 5, laneCapacity: 8192 });
    const { Queue } = { Queue: queue.constructor as typeof import('../../src/queue/queue.ts').Queue };
    const region = queue.arena.regions().find(({ address }) => address === queue.address);
    if (region === undefined) throw new Error('no region');
    expect(Queue.open(queue.arena, region).plan).toEqual(queue.plan);
    for (let offset = 0; offset < 36; offset += 4) {
      const word = queue.arena.view.getUint32(queue.address + offset, true);
      for (const bit of [0, 1, 2, 12, 30, 31]) {
        queue.arena.view.setUint32(queue.address + offset, word ^ (1 << bit), true);
        // How long a slow consumer is waited for is the only word that nothing else in the header depends on.
        if (offset < 32)
          expect(() => Queue.open(queue.arena, region), `${offset} ${bit}`).toThrow(code('RING_CORRUPT'));
      }
      queue.arena.view.setUint32(queue.address + offset, word, true);
    }
  });
});
