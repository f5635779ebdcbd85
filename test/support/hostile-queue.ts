// One side of a queue whose memory somebody else writes to as he likes: it does all that an endpoint can do, and checks what must hold whatever is in there (FAULTS.md R6).

import { ARENA_REGION_ENDPOINTS, ARENA_REGION_QUEUE } from '../../layout/arena.ts';
import {
  QUEUE_ABANDONED_OFFSET,
  QUEUE_CLOSED_OFFSET,
  QUEUE_CURSOR_LENGTH,
  QUEUE_CURSORS_OFFSET,
  QUEUE_DEAD_CONSUMERS_OFFSET,
  QUEUE_EXPIRED_OFFSET,
  QUEUE_NAME_OFFSET,
  QUEUE_REDELIVERED_OFFSET,
  QUEUE_ROOM_WAKE_OFFSET,
  QUEUE_SLOT_HELD_BYTES_OFFSET,
  QUEUE_SLOT_INTENT_OFFSET,
  QUEUE_SLOT_LENGTH,
  QUEUE_SLOTS_OFFSET,
  QUEUE_WAKE_OFFSET,
} from '../../layout/queue.ts';
import {
  RING_ANNOUNCED_OFFSET,
  RING_CONSUMER_POSITION_OFFSET,
  RING_COUNTS_COUNT_OFFSET,
  RING_COUNTS_OFFSET,
  RING_COUNTS_PAIR_LENGTH,
  RING_DATA_OFFSET,
  RING_DROPPED_OFFSET,
  RING_PRODUCER_OWNER_OFFSET,
  RING_PRODUCER_POSITION_OFFSET,
  RING_RESTART_OFFSET,
} from '../../layout/ring.ts';
import { CausewayError } from '../../src/base/errors.ts';
import type { QueueConsumer } from '../../src/queue/consumer.ts';
import { cursorAddress, heldAddress, laneAddress } from '../../src/queue/place.ts';
import type { QueueProducer } from '../../src/queue/producer.ts';
import { Queue } from '../../src/queue/queue.ts';
import { recordOf } from './queue.ts';

/** Far longer than anything takes, even on a busy machine: only a loop without bounds does. */
const CALL_MS_MAX = 5000;

interface Range {
  from: number;
  to: number;
}

export class Victim {
  readonly queue: Queue;
  readonly random: () => number;
  readonly errors = new Map<string, number>();
  taken = 0;
  #producer: QueueProducer | undefined;
  #consumer: QueueConsumer | undefined;
  readonly #readable: Range[];
  readonly #writable: Range[];

  constructor(queue: Queue, random: () => number) {
    this.queue = queue;
    this.random = random;
    const { plan, arena } = queue;
    this.#writable = Array.from({ length: plan.lanes }, (_, lane) => {
      const from = laneAddress(queue, lane) + RING_DATA_OFFSET;
      return { from, to: from + plan.laneCapacity };
    });
    const endpoints = arena.region(ARENA_REGION_ENDPOINTS);
    const held = { from: heldAddress(queue), to: heldAddress(queue) + plan.consumers * plan.heldLength };
    const copies = { from: endpoints.address, to: endpoints.address + endpoints.length };
    const isInPlace = plan.mode === 'spsc' || plan.mode === 'mpsc';
    this.#readable = isInPlace ? this.#writable : [plan.mode === 'mpmc' ? held : copies];
  }

  /** Something that an endpoint does. Throws when anything but a CausewayError comes of it, when it takes too long, or when an address is outside of its bounds. */
  act(): void {
    const start = performance.now();
    const what = this.#choose();
    try {
      what.call(this);
    } catch (error) {
      if (!(error instanceof CausewayError)) throw error;
      this.errors.set(error.code, (this.errors.get(error.code) ?? 0) + 1);
      if (error.code === 'RING_CORRUPT' && !/\d/.test(error.message)) throw new Error(`no values in: ${error.message}`);
    }
    const ms = performance.now() - start;
    if (ms > CALL_MS_MAX) throw new Error(`${what.name} took ${ms} ms`);
  }

  #choose(): () => void {
    const dice = this.random();
    if (dice < 0.4) return this.#produce;
    if (dice < 0.85) return this.#consume;
    if (dice < 0.88) return this.#wait;
    if (dice < 0.91) return this.#look;
    return this.random() < 0.5 ? this.#reopenProducer : this.#reopenConsumer;
  }

  #produce(): void {
    this.#producer ??= this.queue.producer();
    const producer = this.#producer;
    const { recordLengthMax } = this.queue.plan;
    for (let left = Math.floor(this.random() * 8); left >= 0; left--) {
      const length = Math.floor(this.random() ** 4 * (recordLengthMax + 1));
      const address = producer.reserve(length);
      if (address <= 0) break;
      this.#checkBounds(this.#writable, address, length);
      this.queue.arena.bytes.set(recordOf(length, length), address);
      producer.submit(length);
    }
    producer.publish();
  }

  #consume(): void {
    this.#consumer ??= this.queue.consumer();
    const { arena, plan } = this.queue;
    const take = (address: number, length: number, lane: number): void => {
      this.#checkBounds(this.#readable, address, length);
      if (length > plan.recordLengthMax) throw new Error(`record of length=${length}, max=${plan.recordLengthMax}`);
      if (lane >= plan.lanes) throw new Error(`record of lane=${lane}, lanes=${plan.lanes}`);
      arena.bytes.slice(address, address + length);
      this.taken += 1;
    };
    this.#consumer.drain(take, 1 + Math.floor(this.random() * 1024), (lane, missed) => {
      if (lane >= plan.lanes || missed < 0n) throw new Error(`lapse of lane=${lane}: missed=${missed}`);
    });
  }

  #wait(): void {
    this.#producer?.waitForRoom(8, 1);
    this.#consumer?.waitForRecord(1);
  }

  #look(): void {
    this.queue.stats();
    this.queue.unblock();
    Queue.open(this.queue.arena, this.queue.arena.region(ARENA_REGION_QUEUE), this.queue.wasm);
  }

  #reopenProducer(): void {
    const producer = this.#producer;
    this.#producer = undefined;
    producer?.close();
  }

  #reopenConsumer(): void {
    const consumer = this.#consumer;
    this.#consumer = undefined;
    consumer?.close();
  }

  #checkBounds(ranges: readonly Range[], address: number, length: number): void {
    if (ranges.some(({ from, to }) => address >= from && length >= 0 && address + length <= to)) return;
    throw new Error(`outside of its bounds: address=${address}, length=${length}, bounds=${JSON.stringify(ranges)}`);
  }

  /** Afterwards: gives back what is private, and makes the queue anew in the same place. */
  restore(): void {
    const { arena, address, plan, wasm } = this.queue;
    for (const reopen of [this.#reopenProducer, this.#reopenConsumer]) {
      try {
        reopen.call(this);
      } catch (error) {
        if (!(error instanceof CausewayError)) throw error;
      }
    }
    arena.bytes.fill(0, address, address + plan.length);
    Queue.create(arena, { ...arena.region(ARENA_REGION_QUEUE) }, { ...plan, producers: plan.lanes }, wasm);
  }
}

/** Words of a queue, and of a lane, that its endpoints read. */
const QUEUE_WORDS = [
  QUEUE_CLOSED_OFFSET,
  QUEUE_WAKE_OFFSET,
  QUEUE_ROOM_WAKE_OFFSET,
  QUEUE_ABANDONED_OFFSET,
  QUEUE_DEAD_CONSUMERS_OFFSET,
  QUEUE_REDELIVERED_OFFSET,
  QUEUE_EXPIRED_OFFSET,
];
const LANE_POSITIONS = [
  RING_CONSUMER_POSITION_OFFSET,
  RING_PRODUCER_POSITION_OFFSET,
  RING_COUNTS_OFFSET,
  RING_COUNTS_OFFSET + RING_COUNTS_PAIR_LENGTH,
  RING_ANNOUNCED_OFFSET,
  RING_RESTART_OFFSET,
];
const LANE_WORDS = [
  ...LANE_POSITIONS,
  RING_COUNTS_OFFSET + RING_COUNTS_COUNT_OFFSET,
  RING_COUNTS_OFFSET + RING_COUNTS_PAIR_LENGTH + RING_COUNTS_COUNT_OFFSET,
  RING_PRODUCER_OWNER_OFFSET,
  RING_DROPPED_OFFSET,
];

/** Words that matter: whoever writes there does more harm than in the middle of a record. */
export function hotWords(queue: Queue): number[] {
  const { plan, address } = queue;
  const words: number[] = [];
  const add = (from: number, length: number): void => {
    for (let at = from; at < from + length; at += 8) words.push(at);
  };
  add(address, QUEUE_NAME_OFFSET);
  for (const offset of QUEUE_WORDS) add(address + offset, 8);
  for (let slot = 0; slot < plan.consumers; slot++) {
    add(address + QUEUE_SLOTS_OFFSET + slot * QUEUE_SLOT_LENGTH, QUEUE_SLOT_HELD_BYTES_OFFSET + 8);
    add(address + QUEUE_SLOTS_OFFSET + slot * QUEUE_SLOT_LENGTH + QUEUE_SLOT_INTENT_OFFSET, 8);
  }
  for (let row = 0; row < plan.lanes * plan.consumers; row++)
    add(address + QUEUE_CURSORS_OFFSET + row * QUEUE_CURSOR_LENGTH, 8);
  for (let lane = 0; lane < plan.lanes; lane++) {
    const ring = laneAddress(queue, lane);
    for (const offset of LANE_WORDS) add(ring + offset, 8);
    add(ring + RING_DATA_OFFSET, 128);
    add(ring + RING_DATA_OFFSET + plan.laneCapacity - 64, 64);
  }
  if (plan.heldLength > 0)
    for (let slot = 0; slot < plan.consumers; slot++) add(heldAddress(queue) + slot * plan.heldLength, 64);
  return words.filter((at) => at + 8 <= address + plan.length);
}

/** Positions of one lane that fit each other nearly: what single words, written over at random, never come to. */
export function scribbleLane(queue: Queue, random: () => number): void {
  const { arena, plan } = queue;
  const lane = Math.floor(random() * plan.lanes);
  const ring = laneAddress(queue, lane);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const old = Atomics.load(arena.u64, (ring + RING_PRODUCER_POSITION_OFFSET) / 8);
  const capacity = BigInt(plan.laneCapacity);
  const base = old + pick([0n, 0n, 1n, 4n, 8n, capacity, capacity - 1n, -8n, -capacity, 2n ** 63n]);

  const addresses = [
    ...LANE_POSITIONS.map((offset) => ring + offset),
    cursorAddress(queue, lane),
    cursorAddress(queue, lane, plan.consumers - 1),
  ];
  for (const at of addresses) {
    if (random() < 0.3) continue;
    const value = base + pick([0n, 0n, 0n, 0n, 1n, 8n, capacity, 2n * capacity, -8n]);
    Atomics.store(arena.u64, at / 8, BigInt.asUintN(64, value));
  }
}

/** Writes a word that is random, or nearly what is there: the next position, a bit more, an odd one, the largest. */
export function scribble(queue: Queue, hot: readonly number[], random: () => number): void {
  const { arena, address, plan } = queue;
  const anywhere = address + Math.floor((random() * plan.length) / 8) * 8;
  const at = random() < 0.8 ? (hot[Math.floor(random() * hot.length)] ?? anywhere) : anywhere;
  const old = Atomics.load(arena.u64, at / 8);
  const word = BigInt(Math.floor(random() * 2 ** 32));
  const values = [
    word,
    (word << 32n) | BigInt(Math.floor(random() * 2 ** 32)),
    old + 8n,
    old - 8n,
    old + 1n,
    old ^ (1n << (word % 64n)),
    old + BigInt(plan.laneCapacity),
    old | (1n << 63n),
    2n ** 64n - 1n,
    2n ** 64n - 8n,
    0n,
    1n,
    (old & ~0xffffffffn) | 0x40000000n,
    (old & ~0xffffffffn) | BigInt((plan.laneCapacity * 3) / 4),
  ];
  Atomics.store(arena.u64, at / 8, BigInt.asUintN(64, values[Math.floor(random() * values.length)] ?? 0n));
}
