// Takes back what the dead left, and leaves behind consumers that are too slow. Everything here is a slow path: a look into /proc for each owner.
//
// Whoever takes something back first becomes its owner, by a compare-and-swap of the dead owner's token, then mends, then gives it free: two reapers never
// mend the same thing, and one that dies in between is itself found dead.

import {
  QUEUE_ABANDONED_OFFSET,
  QUEUE_DEAD_CONSUMERS_OFFSET,
  QUEUE_EXPIRED_OFFSET,
  QUEUE_ROOM_SLEEPERS_OFFSET,
  QUEUE_ROOM_WAKE_OFFSET,
  QUEUE_SLEEPERS_OFFSET,
  QUEUE_SLOT_JOINED_OFFSET,
  QUEUE_SLOT_OWNER_OFFSET,
} from '../../layout/queue.ts';
import { RING_PRODUCER_OWNER_OFFSET } from '../../layout/ring.ts';
import { isOwnerAlive, newOwner, takeOwnership } from '../arena/owner.ts';
import { wake } from '../arena/parking.ts';
import { cursorAddress, laneAddress, type QueuePlace, slotAddress } from './place.ts';

/** Of a consumer that found the lane corrupt: it reads it no more (layout/queue.ts, QUEUE_CURSORS_OFFSET). */
const CURSOR_NONE = 2n ** 64n - 1n;

/** How many that had died were found. */
export interface Reaped {
  producers: number;
  consumers: number;
}

export function reapQueue(queue: QueuePlace): Reaped {
  const { lanes, consumers, mode } = queue.plan;
  let producersFound = 0;
  let consumersFound = 0;
  for (let lane = 0; lane < lanes; lane++) producersFound += Number(reapLane(queue, lane));
  // What a dead consumer of an mpmc queue had claimed is handed out by those that live, who take its slot for that.
  for (let slot = 0; slot < consumers && mode !== 'mpmc'; slot++) consumersFound += Number(reapSlot(queue, slot));
  return { producers: producersFound, consumers: consumersFound };
}

function reapLane(queue: QueuePlace, lane: number): boolean {
  const owner = laneAddress(queue, lane) + RING_PRODUCER_OWNER_OFFSET;
  if (!adopt(queue, owner)) return false;
  forgetProducer(queue, lane);
  Atomics.store(queue.arena.u64, owner / 8, 0n);
  return true;
}

/** Of a lane that was taken from a dead producer: it does not wait for room any more. */
export function forgetProducer(queue: QueuePlace, lane: number): void {
  clearBit(queue, QUEUE_ROOM_SLEEPERS_OFFSET, lane);
  addTo(queue, QUEUE_ABANDONED_OFFSET, 1n);
}

function reapSlot(queue: QueuePlace, slot: number): boolean {
  const owner = slotAddress(queue, slot) + QUEUE_SLOT_OWNER_OFFSET;
  if (!adopt(queue, owner)) return false;
  forgetConsumer(queue, slot);
  Atomics.store(queue.arena.u64, owner / 8, 0n);
  return true;
}

/** Of a slot that was taken from a dead consumer: it does not sleep, and producers do not wait for it. */
export function forgetConsumer(queue: QueuePlace, slot: number): void {
  clearBit(queue, QUEUE_SLEEPERS_OFFSET, slot);
  addTo(queue, QUEUE_DEAD_CONSUMERS_OFFSET, 1n);
  leaveBehind(queue, slot, joined(queue, slot));
}

/** Takes the owner word if its owner is dead. Free words and those of the living are left alone. */
function adopt(queue: QueuePlace, address: number): boolean {
  const holder = Atomics.load(queue.arena.u64, address / 8);
  if (holder === 0n || isOwnerAlive(holder)) return false;
  const ownership = takeOwnership(queue.arena, address, newOwner());
  if (ownership.taken && ownership.adoptedFrom === 0n) Atomics.store(queue.arena.u64, address / 8, 0n);
  return ownership.taken && ownership.adoptedFrom !== 0n;
}

/** broadcast: position of the slowest consumer that has joined, in this lane; undefined = nobody has. */
export function slowestCursor(queue: QueuePlace, lane: number): bigint | undefined {
  let slowest: bigint | undefined;
  for (let slot = 0; slot < queue.plan.consumers; slot++) {
    if ((joined(queue, slot) & 1) === 0) continue;
    const cursor = Atomics.load(queue.arena.u64, cursorAddress(queue, lane, slot) / 8);
    if (cursor === CURSOR_NONE) continue;
    if (slowest === undefined || cursor < slowest) slowest = cursor;
  }
  return slowest;
}

/** broadcast: producers wait no longer for the consumers that stand at this position of the lane. */
export function expireAt(queue: QueuePlace, lane: number, position: bigint): void {
  for (let slot = 0; slot < queue.plan.consumers; slot++) {
    // E1. Before the cursor: whoever takes the slot after this load has another value.
    const value = joined(queue, slot);
    // E2.
    if (Atomics.load(queue.arena.u64, cursorAddress(queue, lane, slot) / 8) !== position) continue;
    if (leaveBehind(queue, slot, value)) addTo(queue, QUEUE_EXPIRED_OFFSET, 1n);
  }
}

/**
 * Whether producers waited for the slot's consumer until now. `value` is what its joined word was when that was decided:
 * 1. It is odd: producers wait for the slot. 2. The consumer ends, another takes the slot: the word has moved on by two. 3. Our exchange of the old value fails:
 * the new consumer stays.
 */
export function leaveBehind(queue: QueuePlace, slot: number, value: number): boolean {
  if ((value & 1) === 0) return false;
  const index = (slotAddress(queue, slot) + QUEUE_SLOT_JOINED_OFFSET) / 4;
  // E3. Pairs with the load in slowestCursor (assembly/queue-producer.ts).
  if (Atomics.compareExchange(queue.arena.i32, index, value, (value + 1) | 0) !== value) return false;
  Atomics.add(queue.arena.i32, (queue.address + QUEUE_ROOM_WAKE_OFFSET) / 4, 1);
  wake(queue.arena, queue.address + QUEUE_ROOM_WAKE_OFFSET);
  return true;
}

/** The slot's joined word: odd while producers wait for its consumer. */
export function joined(queue: QueuePlace, slot: number): number {
  return Atomics.load(queue.arena.i32, (slotAddress(queue, slot) + QUEUE_SLOT_JOINED_OFFSET) / 4);
}

function clearBit(queue: QueuePlace, offset: number, bit: number): void {
  Atomics.and(queue.arena.i32, (queue.address + offset) / 4, ~(1 << bit));
}

function addTo(queue: QueuePlace, offset: number, count: bigint): void {
  Atomics.add(queue.arena.u64, (queue.address + offset) / 8, count);
}
