// Random interleavings of everything that producers and consumers can do, against a dumb model: arrays of records, and positions by plain arithmetic. Single-threaded:
// what threads may do to each other is tried in queue-threads, queue-kill and queue-history.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RING_PRODUCER_OWNER_OFFSET } from '../../layout/ring.ts';
import { STATUS_CLOSED } from '../../layout/status.ts';
import { ownerOf } from '../../src/arena/owner.ts';
import type { QueueConsumer } from '../../src/queue/consumer.ts';
import { laneAddress } from '../../src/queue/place.ts';
import type { QueueMode } from '../../src/queue/plan.ts';
import type { QueueProducer } from '../../src/queue/producer.ts';
import type { Queue } from '../../src/queue/queue.ts';
import { fastForward, MODES, recordOf, testQueue } from '../support/queue.ts';
import { runs } from '../support/seed.ts';

const CAPACITY = 4096;
const RECORD_LENGTH_MAX = CAPACITY / 2 - 8;
/** No thread has it: what is under this name belongs to the dead. */
const DEAD = ownerOf(4_194_303, 1n, 1);

interface ModelRecord {
  number: number;
  length: number;
  /** Position behind it. */
  end: bigint;
}

/** One lane as it should be. */
class ModelLane {
  position: bigint;
  published: bigint;
  /** As far as anybody ever wrote. */
  written: bigint;
  pending: ModelRecord[] = [];
  /** All that was ever published. */
  records: ModelRecord[] = [];
  nextNumber = 0;

  constructor(start: bigint) {
    this.position = start;
    this.published = start;
    this.written = start;
  }

  publish(): void {
    this.records.push(...this.pending.splice(0));
    this.published = this.position;
  }

  /** Its producer died: nobody ever sees what it had not published. */
  forget(): void {
    this.nextNumber -= this.pending.length;
    this.pending = [];
    this.position = this.published;
  }

  endOf(length: number): bigint {
    const needed = BigInt(Math.ceil((length + 8) / 8) * 8);
    const tail = BigInt(CAPACITY) - (this.position % BigInt(CAPACITY));
    return this.position + (needed > tail ? tail : 0n) + needed;
  }

  write(length: number): number {
    const end = this.endOf(length);
    const number = this.nextNumber++;
    this.pending.push({ number, length, end });
    this.position = end;
    if (end > this.written) this.written = end;
    return number;
  }
}

/** What one consumer should get. */
interface ModelConsumer {
  consumer: QueueConsumer;
  /** Of each lane: index of the next record, as far as this consumer knows. */
  next: number[];
  position: bigint[];
  missed: bigint;
  taken: number;
}

class Model {
  readonly queue: Queue;
  readonly mode: QueueMode;
  readonly lanes: ModelLane[];
  readonly producers: (QueueProducer | undefined)[] = [];
  readonly consumers: (ModelConsumer | undefined)[] = [];
  /** spsc, mpsc, mpmc: all consumers take from the same. */
  readonly next: number[];
  readonly released: bigint[];
  readonly start: bigint;

  constructor(mode: QueueMode, start: bigint, startCount: bigint) {
    const isSingle = mode === 'spsc';
    const hasOneConsumer = isSingle || mode === 'mpsc';
    this.mode = mode;
    this.start = start;
    this.queue = testQueue({
      mode,
      producers: isSingle ? 1 : 3,
      consumers: hasOneConsumer ? 1 : 3,
      laneCapacity: CAPACITY,
      expireAfterMs: 0,
    });
    fastForward(this.queue, start, startCount);
    this.lanes = Array.from({ length: this.queue.plan.lanes }, () => new ModelLane(start));
    this.next = this.lanes.map(() => 0);
    this.released = this.lanes.map(() => start);
  }

  openProducer(who: number): void {
    if (this.producers[who] !== undefined) return;
    const producer = this.queue.producer();
    expect(this.producers.some((other) => other?.lane === producer.lane)).toBe(false);
    this.producers[who] = producer;
    const lane = this.lanes[producer.lane] as ModelLane;
    expect(producer.published).toBe(lane.published);
  }

  offer(who: number, length: number): void {
    const producer = this.producers[who];
    if (producer === undefined) return;
    const lane = this.lanes[producer.lane] as ModelLane;
    const isLossy = this.mode === 'broadcast-lossy';
    if (!isLossy && !this.hasRoom(producer.lane, length)) lane.publish();
    const fits = isLossy || this.hasRoom(producer.lane, length);
    expect(producer.offer(recordOf(lane.nextNumber, length))).toBe(fits);
    // Lossy: before it writes over what nobody has seen yet.
    if (isLossy && producer.published !== lane.published) lane.publish();
    if (fits) lane.write(length);
    else producer.drop(1);
    expect(producer.position).toBe(lane.position);
    expect(producer.published).toBe(lane.published);
  }

  hasRoom(number: number, length: number): boolean {
    return (this.lanes[number] as ModelLane).endOf(length) <= this.oldest(number) + BigInt(CAPACITY);
  }

  oldest(number: number): bigint {
    if (this.mode !== 'broadcast') return this.released[number] as bigint;
    const positions = this.consumers.flatMap((consumer) => (consumer ? [consumer.position[number] as bigint] : []));
    let oldest = (this.lanes[number] as ModelLane).published;
    for (const position of positions) if (position < oldest) oldest = position;
    return oldest;
  }

  publish(who: number): void {
    const producer = this.producers[who];
    if (producer === undefined) return;
    producer.publish();
    this.lanes[producer.lane]?.publish();
  }

  closeProducer(who: number, dies: boolean): void {
    const producer = this.producers[who];
    if (producer === undefined) return;
    this.producers[who] = undefined;
    if (!dies) {
      producer.close();
      this.lanes[producer.lane]?.publish();
      return;
    }
    const owner = laneAddress(this.queue, producer.lane) + RING_PRODUCER_OWNER_OFFSET;
    Atomics.store(this.queue.arena.u64, owner / 8, DEAD);
    this.lanes[producer.lane]?.forget();
    // A free lane would be taken first.
    this.queue.unblock();
  }

  openConsumer(who: number): void {
    if (this.consumers[who] !== undefined) return;
    this.consumers[who] = {
      consumer: this.queue.consumer(),
      next: this.lanes.map(({ records }) => records.length),
      position: this.lanes.map(({ published }) => published),
      missed: 0n,
      taken: 0,
    };
  }

  /** Everything that the consumer takes is the next of its lane; and it takes as many as there are and it wants. */
  drain(who: number, recordsMax: number): number {
    const reader = this.consumers[who];
    if (reader === undefined) return 0;
    const isBroadcast = this.mode.startsWith('broadcast');
    const next = isBroadcast ? reader.next : this.next;
    const before = this.lanes.map(({ records }, lane) => records.length - (next[lane] ?? 0));
    let lapses = 0;
    const { bytes } = this.queue.arena;
    const answer = reader.consumer.drain(
      (address, length, lane) => {
        const record = this.lanes[lane]?.records[next[lane] as number] as ModelRecord;
        expect(record).toBeDefined();
        expect(length).toBe(record.length);
        expect(Buffer.compare(recordOf(record.number, record.length), bytes.subarray(address, address + length))).toBe(
          0,
        );
        next[lane] = (next[lane] as number) + 1;
        if (isBroadcast) reader.position[lane] = record.end;
        else this.released[lane] = record.end;
      },
      recordsMax,
      (lane, missed) => {
        lapses += 1;
        this.checkLapse(reader, lane);
        next[lane] = (next[lane] as number) + Number(missed);
        reader.missed += missed;
      },
    );
    const count = Math.max(answer, 0);
    reader.taken += count;
    const available = before.reduce((sum, records) => sum + records, 0);
    if (this.mode === 'mpmc') expect(before.map((records) => Math.min(records, recordsMax))).toContain(count);
    else if (this.mode !== 'broadcast-lossy') expect(count).toBe(Math.min(available, recordsMax));
    return count + lapses;
  }

  /** Only a lossy reader is lapped, and only when its producer had written, or had said that it might, more than a lane since. */
  checkLapse(reader: ModelConsumer, lane: number): void {
    expect(this.mode).toBe('broadcast-lossy');
    const reach = (this.lanes[lane] as ModelLane).written + BigInt(CAPACITY / 16);
    expect(reach - (reader.position[lane] as bigint)).toBeGreaterThan(BigInt(CAPACITY));
  }

  closeConsumer(who: number): void {
    this.consumers[who]?.consumer.close();
    this.consumers[who] = undefined;
  }

  /** To the end: nothing is left, and the counts add up (R3). */
  finish(): void {
    for (const who of this.producers.keys()) this.closeProducer(who, false);
    this.openConsumer(0);
    this.queue.close();
    const readers = this.consumers.keys();
    for (const who of readers) {
      // Each round takes something, or tells of a lapse, or has found a new place to go on: three times as many as there are lanes are more than enough then.
      let idle = 0;
      while (idle < 9) idle = this.drain(who, 1024) > 0 ? 0 : idle + 1;
      if (this.consumers[who]) expect(this.consumers[who]?.consumer.drain(() => {})).toBe(STATUS_CLOSED);
    }
    this.checkCounts();
  }

  checkCounts(): void {
    const { lanes } = this.queue.stats();
    for (const [lane, model] of this.lanes.entries()) {
      expect(lanes[lane]?.position).toBe(model.published);
      for (const reader of this.consumers) {
        const next = this.mode.startsWith('broadcast') ? reader?.next : this.next;
        if (reader) expect(next?.[lane]).toBe(model.records.length);
      }
    }
  }
}

const operation = fc.oneof(
  { weight: 30, arbitrary: fc.record({ op: fc.constant('offer' as const), who: fc.nat(2), amount: lengths() }) },
  { weight: 10, arbitrary: fc.record({ op: fc.constant('publish' as const), who: fc.nat(2), amount: fc.nat(0) }) },
  {
    weight: 12,
    arbitrary: fc.record({
      op: fc.constant('drain' as const),
      who: fc.nat(2),
      amount: fc.integer({ min: 1, max: 40 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constantFrom(
        'openProducer' as const,
        'openConsumer' as const,
        'closeConsumer' as const,
        'closeProducer' as const,
        'killProducer' as const,
      ),
      who: fc.nat(2),
      amount: fc.nat(0),
    }),
  },
);

function lengths(): fc.Arbitrary<number> {
  const edges = fc.constantFrom(0, 1, 7, 8, 9, RECORD_LENGTH_MAX - 1, RECORD_LENGTH_MAX);
  return fc.oneof(
    { weight: 1, arbitrary: edges },
    { weight: 6, arbitrary: fc.nat(200) },
    { weight: 2, arbitrary: fc.nat(RECORD_LENGTH_MAX) },
  );
}

/** Bytes that went through before, where an encoding could end: 32 bits, doubles, the cursors of mpmc (2^59), signed 64 bits. */
const STARTS = [0n, 2n ** 31n - 8n, 2n ** 32n - 8n, 2n ** 53n - 8n, 2n ** 53n, 2n ** 58n + 4088n];
const STARTS_WIDE = [...STARTS, 2n ** 59n - 8n, 2n ** 60n - 16n, 2n ** 63n - 4096n];
const COUNTS = [0n, 1n, 2n ** 31n - 3n, 2n ** 32n - 5n, 2n ** 53n - 1n, 2n ** 61n];

describe.each(MODES)('%s, as the model says', (mode) => {
  const isSingle = mode === 'spsc';
  const hasOneConsumer = isSingle || mode === 'mpsc';

  test('whatever producers and consumers do, in whatever order, from wherever they begin', { timeout: 60_000 }, () => {
    const starts = fc.constantFrom(...(mode === 'mpmc' ? STARTS : STARTS_WIDE));
    fc.assert(
      fc.property(
        starts,
        fc.constantFrom(...COUNTS),
        fc.array(operation, { maxLength: 120, size: 'max' }),
        (start, count, operations) => {
          const model = new Model(mode, start, count);
          model.openProducer(0);
          model.openConsumer(0);
          for (const { op, who, amount } of operations) {
            const producer = isSingle ? 0 : who;
            const consumer = hasOneConsumer ? 0 : who;
            if (op === 'offer') model.offer(producer, amount);
            else if (op === 'publish') model.publish(producer);
            else if (op === 'drain') model.drain(consumer, amount);
            else if (op === 'openProducer') model.openProducer(producer);
            else if (op === 'openConsumer') model.openConsumer(consumer);
            else if (op === 'closeConsumer') model.closeConsumer(consumer);
            else model.closeProducer(producer, op === 'killProducer');
          }
          model.finish();
        },
      ),
      { numRuns: runs },
    );
  });
});
