// What can be seen of a queue without touching it: read by anybody, also through a read-only mapping.

import {
  QUEUE_ABANDONED_OFFSET,
  QUEUE_CLOSED_OFFSET,
  QUEUE_CURSOR_POSITION_SHIFT,
  QUEUE_DEAD_CONSUMERS_OFFSET,
  QUEUE_EXPIRED_OFFSET,
  QUEUE_REDELIVERED_OFFSET,
  QUEUE_SLEEPERS_OFFSET,
  QUEUE_SLOT_DELIVERED_OFFSET,
  QUEUE_SLOT_JOINED_OFFSET,
  QUEUE_SLOT_LAPPED_OFFSET,
  QUEUE_SLOT_OWNER_OFFSET,
} from '../../layout/queue.ts';
import {
  RING_CONSUMER_POSITION_OFFSET,
  RING_COUNTS_COUNT_OFFSET,
  RING_COUNTS_OFFSET,
  RING_COUNTS_PAIR_LENGTH,
  RING_DROPPED_OFFSET,
  RING_PRODUCER_OWNER_OFFSET,
  RING_PRODUCER_POSITION_OFFSET,
} from '../../layout/ring.ts';
import { cursorAddress, laneAddress, type QueuePlace, slotAddress } from './place.ts';
import { slowestCursor } from './reaper.ts';

export interface LaneStats {
  /** 0n = no producer. */
  owner: bigint;
  /** Records published. */
  produced: bigint;
  /** Records that the producer gave up because the lane was full. */
  dropped: bigint;
  /** Bytes ever published. */
  position: bigint;
  /** Bytes that wait for the (slowest) consumer; undefined where nobody is waited for. */
  waitingBytes: number | undefined;
}

export interface ConsumerStats {
  slot: number;
  owner: bigint;
  delivered: bigint;
  /** Records that it missed. */
  lapped: bigint;
  isAsleep: boolean;
  /** broadcast: producers wait for it. */
  isJoined: boolean;
}

export interface QueueStats {
  isClosed: boolean;
  lanes: LaneStats[];
  /** Slots that somebody has. */
  consumers: ConsumerStats[];
  abandonedProducers: bigint;
  deadConsumers: bigint;
  redelivered: bigint;
  expired: bigint;
}

export function readQueueStats(queue: QueuePlace): QueueStats {
  const { lanes, consumers } = queue.plan;
  const counter = (offset: number): bigint => Atomics.load(queue.arena.u64, (queue.address + offset) / 8);
  return {
    isClosed: Atomics.load(queue.arena.i32, (queue.address + QUEUE_CLOSED_OFFSET) / 4) !== 0,
    lanes: Array.from({ length: lanes }, (_, lane) => readLane(queue, lane)),
    consumers: Array.from({ length: consumers }, (_, slot) => readSlot(queue, slot)).filter(
      ({ owner }) => owner !== 0n,
    ),
    abandonedProducers: counter(QUEUE_ABANDONED_OFFSET),
    deadConsumers: counter(QUEUE_DEAD_CONSUMERS_OFFSET),
    redelivered: counter(QUEUE_REDELIVERED_OFFSET),
    expired: counter(QUEUE_EXPIRED_OFFSET),
  };
}

function readLane(queue: QueuePlace, lane: number): LaneStats {
  const address = laneAddress(queue, lane);
  const word = (offset: number): bigint => Atomics.load(queue.arena.u64, (address + offset) / 8);
  // The reader first: it never is ahead of a producer that is read later.
  const read = readPosition(queue, lane);
  const position = word(RING_PRODUCER_POSITION_OFFSET);
  const pair = word(RING_COUNTS_OFFSET) === position ? 0 : RING_COUNTS_PAIR_LENGTH;
  return {
    owner: word(RING_PRODUCER_OWNER_OFFSET),
    produced: word(RING_COUNTS_OFFSET + pair + RING_COUNTS_COUNT_OFFSET),
    dropped: word(RING_DROPPED_OFFSET),
    position,
    waitingBytes: read === undefined ? undefined : Number(position - read),
  };
}

function readPosition(queue: QueuePlace, lane: number): bigint | undefined {
  const { mode } = queue.plan;
  if (mode === 'broadcast-lossy') return undefined;
  if (mode === 'broadcast') return slowestCursor(queue, lane);
  if (mode !== 'mpmc') {
    return Atomics.load(queue.arena.u64, (laneAddress(queue, lane) + RING_CONSUMER_POSITION_OFFSET) / 8);
  }
  const cursor = Atomics.load(queue.arena.u64, cursorAddress(queue, lane) / 8);
  return (cursor >> BigInt(QUEUE_CURSOR_POSITION_SHIFT)) << 3n;
}

function readSlot(queue: QueuePlace, slot: number): ConsumerStats {
  const address = slotAddress(queue, slot);
  const word = (offset: number): bigint => Atomics.load(queue.arena.u64, (address + offset) / 8);
  const sleepers = Atomics.load(queue.arena.i32, (queue.address + QUEUE_SLEEPERS_OFFSET) / 4);
  return {
    slot,
    owner: word(QUEUE_SLOT_OWNER_OFFSET),
    delivered: word(QUEUE_SLOT_DELIVERED_OFFSET),
    lapped: word(QUEUE_SLOT_LAPPED_OFFSET),
    isAsleep: ((sleepers >>> slot) & 1) === 1,
    isJoined: (Atomics.load(queue.arena.i32, (address + QUEUE_SLOT_JOINED_OFFSET) / 4) & 1) === 1,
  };
}
