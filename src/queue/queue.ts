// Queues for TypeScript: one producer a lane, consumers by mode (layout/queue.ts). Endpoints belong to the thread that made them; a thread or process that ends without closing
// its endpoint loses nothing that it published, and what it had is taken back by whoever needs it (unblock).

import { ARENA_REGION_QUEUE } from '../../layout/arena.ts';
import {
  QUEUE_CLOSED_OFFSET,
  QUEUE_MAGIC,
  QUEUE_MAGIC_OFFSET,
  QUEUE_NAME_OFFSET,
  QUEUE_WAKE_OFFSET,
} from '../../layout/queue.ts';
import { RING_CAPACITY_OFFSET, RING_MAGIC, RING_MAGIC_OFFSET } from '../../layout/ring.ts';
import type { Arena, Region, RegionRequest } from '../arena/arena.ts';
import { wake } from '../arena/parking.ts';
import { instantiate, type Wasm } from '../arena/wasm.ts';
import { CausewayError } from '../base/errors.ts';
import { QueueConsumer } from './consumer.ts';
import { laneAddress, type QueuePlace } from './place.ts';
import { modeNumber, planQueue, type QueueOptions, type QueuePlan, readQueuePlan } from './plan.ts';
import { QueueProducer } from './producer.ts';
import { type Reaped, reapQueue } from './reaper.ts';
import { type QueueStats, readQueueStats } from './stats.ts';

/** The region that a queue with these options needs: pass it to Arena.create, then the region to Queue.create. */
export function queueRegion(options: QueueOptions, number = 0): RegionRequest {
  return { kind: ARENA_REGION_QUEUE, number, length: planQueue(options).length };
}

export class Queue implements QueuePlace {
  readonly arena: Arena;
  readonly wasm: Wasm;
  readonly address: number;
  readonly plan: QueuePlan;

  private constructor(arena: Arena, wasm: Wasm, address: number, plan: QueuePlan) {
    this.arena = arena;
    this.wasm = wasm;
    this.address = address;
    this.plan = plan;
  }

  /**
   * Makes an empty queue in a region of zeros.
   * @throws CausewayError CONFIG_INVALID naming the option; ARENA_FULL when the region is too short.
   */
  static create(arena: Arena, region: Region, options: QueueOptions, wasm: Wasm = instantiate(arena)): Queue {
    const plan = planQueue(options);
    checkAddress(region.address, plan);
    if (region.length < plan.length) {
      throw new CausewayError('ARENA_FULL', `queue: length=${plan.length}, region length=${region.length}`);
    }
    const { address } = region;
    arena.bytes.set(Buffer.from(plan.name), address + QUEUE_NAME_OFFSET);
    wasm.queueInit(
      address,
      plan.length,
      modeNumber(plan.mode),
      plan.lanes,
      plan.laneCapacity,
      plan.consumers,
      plan.recordLengthMax,
      plan.heldLength,
      plan.expireAfterMs,
      address + plan.lanesOffset,
    );
    return new Queue(arena, wasm, address, plan);
  }

  /**
   * The queue that somebody has made in this region.
   * @throws CausewayError RING_CORRUPT with what was found and expected.
   */
  static open(arena: Arena, region: Region, wasm: Wasm = instantiate(arena)): Queue {
    // Pairs with the store in queueInit.
    const magic = Atomics.load(arena.i32, (region.address + QUEUE_MAGIC_OFFSET) / 4);
    if (magic !== QUEUE_MAGIC) {
      throw new CausewayError('RING_CORRUPT', `queue at ${region.address}: magic=${magic}, expected ${QUEUE_MAGIC}`);
    }
    const plan = readQueuePlan(arena, region);
    checkAddress(region.address, plan);
    const queue = new Queue(arena, wasm, region.address, plan);
    for (let lane = 0; lane < plan.lanes; lane++) queue.#checkLane(lane);
    return queue;
  }

  #checkLane(lane: number): void {
    const address = laneAddress(this, lane);
    const magic = this.arena.view.getUint32(address + RING_MAGIC_OFFSET, true);
    const capacity = this.arena.view.getUint32(address + RING_CAPACITY_OFFSET, true);
    if (magic === RING_MAGIC && capacity === this.plan.laneCapacity) return;
    throw new CausewayError(
      'RING_CORRUPT',
      `queue at ${this.address}: lane=${lane}: magic=${magic}, capacity=${capacity}, ` +
        `expected ${RING_MAGIC} and ${this.plan.laneCapacity}`,
    );
  }

  /**
   * A producer with a lane of its own. Where one died, its lane is taken over, behind what it published last.
   * @throws CausewayError RING_TAKEN when every lane has a living producer; ARENA_FULL when the process has no endpoint left.
   */
  producer(): QueueProducer {
    this.#requireWritable();
    return QueueProducer.open(this);
  }

  /**
   * A consumer with a slot of its own. spsc and mpsc: begins with what was not released; mpmc: with what a dead consumer of the slot had claimed; broadcasts: from now on.
   * @throws CausewayError RING_TAKEN when every slot has a living consumer; ARENA_FULL.
   */
  consumer(): QueueConsumer {
    return QueueConsumer.open(this);
  }

  /** Nothing will follow: consumers see the end once they have everything. Call it when all producers are done. */
  close(): void {
    this.#requireWritable();
    const mustWake = this.wasm.queueClose(this.address, Number(this.arena.isShared));
    if (mustWake) wake(this.arena, this.address + QUEUE_WAKE_OFFSET);
  }

  get isClosed(): boolean {
    return Atomics.load(this.arena.i32, (this.address + QUEUE_CLOSED_OFFSET) / 4) !== 0;
  }

  /**
   * Takes lanes and slots back from producers and consumers that have died, so that nobody waits for them. Endpoints that wait do it by themselves. What a dead mpmc
   * consumer had claimed stays for the consumers: those that live hand it out with their next records.
   */
  unblock(): Reaped {
    this.#requireWritable();
    return reapQueue(this);
  }

  /** A store would raise SIGSEGV. */
  #requireWritable(): void {
    if (!this.arena.isReadOnly) return;
    throw new CausewayError('CONFIG_INVALID', `queue ${JSON.stringify(this.plan.name)}: the arena is read-only`);
  }

  /** Counts of one moment; nothing stops for it. */
  stats(): QueueStats {
    return readQueueStats(this);
  }
}

/** wasm answers addresses and, below 0, statuses. */
function checkAddress(address: number, plan: QueuePlan): void {
  const end = address + plan.length;
  if (end > 2 ** 31) throw new CausewayError('ARENA_FULL', `queue: end=${end}, endMax=${2 ** 31}`);
}
