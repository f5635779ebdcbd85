// A queue in an arena, as its endpoints see it, and where its parts lie.

import {
  QUEUE_CURSOR_LENGTH,
  QUEUE_CURSORS_OFFSET,
  QUEUE_SLOT_LENGTH,
  QUEUE_SLOTS_OFFSET,
} from '../../layout/queue.ts';
import { RING_DATA_OFFSET } from '../../layout/ring.ts';
import type { Arena } from '../arena/arena.ts';
import type { Wasm } from '../arena/wasm.ts';
import type { QueuePlan } from './plan.ts';

export interface QueuePlace {
  readonly arena: Arena;
  readonly wasm: Wasm;
  readonly address: number;
  readonly plan: QueuePlan;
}

export function laneAddress(queue: QueuePlace, lane: number): number {
  const { lanesOffset, laneCapacity } = queue.plan;
  return queue.address + lanesOffset + lane * (RING_DATA_OFFSET + laneCapacity);
}

export function slotAddress(queue: QueuePlace, slot: number): number {
  return queue.address + QUEUE_SLOTS_OFFSET + slot * QUEUE_SLOT_LENGTH;
}

/** mpmc: the lane's cursor; broadcast: the slot's cursor in the lane. */
export function cursorAddress(queue: QueuePlace, lane: number, slot = 0): number {
  const row = queue.plan.mode === 'mpmc' ? lane : lane * queue.plan.consumers + slot;
  return queue.address + QUEUE_CURSORS_OFFSET + row * QUEUE_CURSOR_LENGTH;
}

export function heldAddress(queue: QueuePlace): number {
  return queue.address + queue.plan.heldOffset;
}

/** What a shared arena's waker has to know. */
export function sharedFlag(queue: QueuePlace): number {
  return queue.arena.isShared ? 1 : 0;
}
