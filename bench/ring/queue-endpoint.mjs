// One end of a queue of the engine, in a thread or a process: the same task at two levels. `wasm`: a hot loop around the queue's own functions, which is what
// pipelines do (bench/assembly/queue-loop.ts). `js`: QueueProducer.offer and QueueConsumer.drain, which is what users call.

import { instantiateLoops, load, loadLayout } from '../harness/engine.mjs';
import { fillRecord, RECORD_LENGTH, sumOfRecord } from './record.mjs';

const CHUNK = 65_536;
const WAIT_MS = 1;
const [{ Queue }, { newOwner }, layout] = await Promise.all([
  load('src/queue/queue.js'),
  load('src/arena/owner.js'),
  loadLayout(),
]);

/** Of ARENA_REGION_QUEUE: each level has a queue of its own. */
export const QUEUE_OF_WASM = 0;
export const QUEUE_OF_JS = 1;
/** The way back, of wasm. */
export const QUEUE_OF_BACK = 2;

/**
 * @typedef {object} Work
 * @property {number} first Number of the first record.
 * @property {number} count Records of this producer; of a consumer: those that it and whoever shares `takenAt` take together.
 * @property {number} batch Records a publication.
 * @property {number} spins Turns before a thread that can do nothing sleeps.
 */

/** Its state lies in an endpoint slot, as that of the classes does, but its lane has no owner: nobody looks whether it lives. */
export class WasmEndpoint {
  /**
   * @param {any} arena
   * @param {string} loopsPath
   * @param {import('./crew.mjs').Member} member
   * @param {number} [number] of the queue
   */
  constructor(arena, loopsPath, member, number = QUEUE_OF_WASM) {
    this.loops = instantiateLoops(arena.memory, loopsPath);
    this.state = arena.takeEndpoint(newOwner()).address;
    this.arena = arena;
    const { address, plan } = Queue.open(arena, arena.region(layout.ARENA_REGION_QUEUE, number));
    const mode = arena.view.getUint32(address + Number(layout.QUEUE_MODE_OFFSET), true);
    const lanes = address + plan.lanesOffset;
    const lane = lanes + member.number * (Number(layout.RING_DATA_OFFSET) + plan.laneCapacity);
    const { loops, state } = this;
    const shared = Number(arena.isShared);
    if (member.role === 'producer') {
      loops.queueProducerInit(
        state,
        address,
        mode,
        member.number,
        lane,
        plan.laneCapacity,
        plan.consumers,
        plan.recordLengthMax,
        shared,
      );
      return;
    }
    const isClaimed = plan.mode === 'mpmc';
    const held = isClaimed ? address + plan.heldOffset + member.number * plan.heldLength : state;
    const heldLength = isClaimed ? plan.heldLength : layout.QUEUE_CONSUMER_COPIES_LENGTH;
    loops.queueConsumerInit(
      state,
      address,
      mode,
      plan.lanes,
      plan.laneCapacity,
      plan.consumers,
      plan.recordLengthMax,
      member.number,
      lanes,
      held,
      heldLength,
      shared,
    );
  }

  /** @param {Work} work */
  produce({ first, count, batch, spins }) {
    for (let done = 0; done < count; done += CHUNK) {
      this.loops.produceChunk(this.state, first + done, Math.min(CHUNK, count - done), batch, spins);
    }
  }

  /** @param {Work & { takenAt: number }} work */
  consume({ count, takenAt, spins }) {
    let sum = 0;
    while (Number(Atomics.load(this.arena.i32, takenAt / 4)) !== count) {
      sum = (sum + this.loops.takeChunk(this.state, CHUNK, takenAt, count, spins)) | 0;
    }
    return sum;
  }
}

export class JsEndpoint {
  /**
   * @param {any} arena
   * @param {import('./crew.mjs').Member} member
   */
  constructor(arena, member) {
    this.words = arena.i32;
    const queue = Queue.open(arena, arena.region(layout.ARENA_REGION_QUEUE, QUEUE_OF_JS));
    this.producer = member.role === 'producer' ? queue.producer() : undefined;
    this.consumer = member.role === 'consumer' ? queue.consumer() : undefined;
  }

  /** @param {Work} work */
  produce({ first, count, batch, spins }) {
    const { producer } = this;
    const bytes = new Uint8Array(RECORD_LENGTH);
    const words = new Int32Array(bytes.buffer);
    for (let done = 0; done < count; done++) {
      fillRecord(words, 0, first + done);
      for (let idle = 1; !producer.offer(bytes); idle++) {
        if (idle % spins === 0) producer.waitForRoom(RECORD_LENGTH, WAIT_MS);
      }
      if ((done + 1) % batch === 0) producer.publish();
    }
    producer.publish();
  }

  /** @param {Work & { takenAt: number }} work */
  consume({ count, takenAt, spins }) {
    const { consumer, words } = this;
    let sum = 0;
    const take = (/** @type {number} */ address) => {
      sum = (sum + sumOfRecord(words, address / 4)) | 0;
    };
    for (let idle = 0; Number(Atomics.load(words, takenAt / 4)) !== count; ) {
      const records = consumer.drain(take);
      if (records > 0) {
        Atomics.add(words, takenAt / 4, records);
        idle = 0;
      } else if (++idle % spins === 0) {
        consumer.waitForRecord(WAIT_MS);
      }
    }
    return sum;
  }
}
