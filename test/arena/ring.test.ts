import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  RING_CONSUMER_POSITION_OFFSET,
  RING_DATA_OFFSET,
  RING_MAGIC_OFFSET,
  RING_PRODUCER_POSITION_OFFSET,
  RING_RECORD_DISCARD,
} from '../../layout/ring.ts';
import { STATUS_CLOSED, STATUS_FULL } from '../../layout/status.ts';
import { createRing, SpscConsumer, SpscProducer } from '../../src/arena/ring.ts';
import { testRing } from '../support/arena.ts';

function endpoints(capacity: number, startPosition = 0n) {
  const made = testRing(capacity);
  const { arena, wasm, ring, producerState, consumerState } = made;
  arena.view.setBigUint64(ring.address + RING_PRODUCER_POSITION_OFFSET, startPosition, true);
  arena.view.setBigUint64(ring.address + RING_CONSUMER_POSITION_OFFSET, startPosition, true);
  const producer = new SpscProducer({ arena, wasm, ring, state: producerState, owner: 1n });
  const consumer = new SpscConsumer({ arena, wasm, ring, state: consumerState, owner: 2n });
  const drain = (recordsMax = 1000): Uint8Array[] => {
    const records: Uint8Array[] = [];
    consumer.drain((address, length) => records.push(arena.bytes.slice(address, address + length)), recordsMax);
    return records;
  };
  return { ...made, producer, consumer, drain };
}

describe('SPSC ring', () => {
  test('behaves as a queue of byte strings, for any sequence of operations, from any start position', () => {
    const operation = fc.oneof(
      fc.record({ kind: fc.constant('offer' as const), record: fc.uint8Array({ maxLength: 700 }) }),
      fc.record({ kind: fc.constant('publish' as const) }),
      fc.record({ kind: fc.constant('drain' as const), max: fc.integer({ min: 1, max: 9 }) }),
    );
    const start = fc.constantFrom(0n, 0x7ffffff8n, 0xfffffff8n, 2n ** 53n, 2n ** 63n - 4096n);
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), start, (operations, position) => {
        const { producer, drain } = endpoints(4096, position);
        let submitted: Uint8Array[] = [];
        let published: Uint8Array[] = [];
        for (const step of operations) {
          if (step.kind === 'offer') {
            if (producer.offer(step.record)) submitted.push(step.record);
          } else if (step.kind === 'publish') {
            producer.publish();
            published.push(...submitted);
            submitted = [];
          } else {
            const taken = drain(step.max);
            expect(taken).toEqual(published.slice(0, step.max));
            published = published.slice(step.max);
          }
        }
        producer.publish();
        expect(drain()).toEqual([...published, ...submitted]);
      }),
    );
  });

  test('refuses a record longer than half the ring for ever, and one that does not fit now for now', () => {
    const { producer, drain } = endpoints(4096);
    expect(() => producer.offer(new Uint8Array(2041))).toThrow(expect.objectContaining({ code: 'RECORD_TOO_LONG' }));
    expect(() => producer.offer(new Uint8Array(2041))).toThrow(/length=2041, lengthMax=2040/);
    expect(producer.offer(new Uint8Array(2040).fill(1))).toBe(true);
    expect(producer.offer(new Uint8Array(2040).fill(2))).toBe(true);
    expect(producer.reserve(0)).toBe(STATUS_FULL);
    producer.publish();
    expect(drain().map((record) => [record.length, record[0]])).toEqual([
      [2040, 1],
      [2040, 2],
    ]);
  });

  test('shows nothing before it is published, and empty records as records', () => {
    const { producer, drain } = endpoints(4096);
    producer.offer(new Uint8Array(0));
    expect(drain()).toEqual([]);
    producer.publish();
    expect(drain()).toEqual([new Uint8Array(0)]);
  });

  test('ends for the consumer behind the last record', () => {
    const { producer, consumer, drain } = endpoints(4096);
    producer.offer(Uint8Array.of(5));
    producer.close();
    expect(drain()).toEqual([Uint8Array.of(5)]);
    expect(consumer.drain(() => {}, 10)).toBe(STATUS_CLOSED);
    expect(consumer.waitForRecord(1000)).toBe(true);
  });

  test('refuses a second producer and a second consumer until the first has left', () => {
    const { arena, wasm, ring, producer, consumer, producerState: state } = endpoints(4096);
    const second = { arena, wasm, ring, state: state + 512, owner: 9n };
    expect(() => new SpscProducer(second)).toThrow(expect.objectContaining({ code: 'RING_TAKEN' }));
    expect(() => new SpscConsumer(second)).toThrow(/owner=2, refused=9/);
    producer.release();
    consumer.release();
    new SpscProducer(second);
    new SpscConsumer({ ...second, state: state + 600 });
  });

  test('goes on with a new consumer behind the last released batch', () => {
    const { arena, wasm, ring, producer, consumer, consumerState: state, drain } = endpoints(4096);
    for (const value of [1, 2, 3]) producer.offer(Uint8Array.of(value));
    producer.publish();
    expect(drain(1)).toEqual([Uint8Array.of(1)]);
    consumer.release();
    const next = new SpscConsumer({ arena, wasm, ring, state, owner: 3n });
    const seen: number[] = [];
    next.drain((address) => seen.push(arena.bytes[address] ?? -1), 10);
    expect(seen).toEqual([2, 3]);
  });

  test('refuses capacities that are no power of two, and memory that is no ring', () => {
    const { arena, wasm, ring, producerState: state } = testRing(4096);
    for (const capacity of [0, 1, 4095, 6000, 2 ** 30])
      expect(() => createRing(wasm, { ...ring, capacity })).toThrow(RangeError);
    expect(() => new SpscProducer({ arena, wasm, ring: { ...ring, capacity: 8192 }, state, owner: 1n })).toThrow(
      /RangeError|no ring/,
    );
    arena.view.setUint32(ring.address + RING_MAGIC_OFFSET, 1, true);
    expect(() => new SpscProducer({ arena, wasm, ring, state, owner: 1n })).toThrow(
      expect.objectContaining({ code: 'RING_CORRUPT' }),
    );
  });

  describe('with a hostile other side', () => {
    test.each([
      ['a length over the end', (view: DataView, data: number) => view.setUint32(data, 0x3fffffff, true)],
      ['a length beyond what was published', (view: DataView, data: number) => view.setUint32(data, 4000, true)],
      [
        'a discarded length over the end',
        (view: DataView, data: number) => view.setUint32(data, (RING_RECORD_DISCARD | 0x3fffffff) >>> 0, true),
      ],
    ])('reports corrupt with the position: %s', (_what, scribble) => {
      const { arena, ring, producer, consumer } = endpoints(4096);
      producer.offer(new Uint8Array(100));
      producer.publish();
      scribble(arena.view, ring.address + RING_DATA_OFFSET);
      expect(() => consumer.drain(() => {}, 10)).toThrow(expect.objectContaining({ code: 'RING_CORRUPT' }));
    });

    test.each([2n ** 63n, 12345n, 8192n])('reports a producer position of %s as corrupt', (position) => {
      const { arena, ring, consumer } = endpoints(4096);
      arena.view.setBigUint64(ring.address + RING_PRODUCER_POSITION_OFFSET, position, true);
      expect(() => consumer.drain(() => {}, 10)).toThrow(/corrupt at position 0/);
    });

    test('a consumer position ahead of the producer counts as full', () => {
      const { arena, ring, producer } = endpoints(4096);
      while (producer.offer(new Uint8Array(500))) {}
      arena.view.setBigUint64(ring.address + RING_CONSUMER_POSITION_OFFSET, 2n ** 62n, true);
      expect(producer.reserve(500)).toBe(STATUS_FULL);
    });
  });
});
