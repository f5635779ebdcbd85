// One end of a queue of the engine, in a thread or a process: the same task at two levels. `wasm`: a hot loop around the queue's own functions, which is what
// pipelines do (bench/assembly/queue-loop.ts). `js`: QueueProducer.offer and QueueConsumer.drain, which is what users call.

import { instantiateLoops, load, loadLayout } from '../harness/engine.mjs';
import { fillRecord, RECORD_LENGTH, sumOfRecord } from './record.mjs';

const CHUNK = 65_536;
const WAIT_MS = 1;
/** Of bench/assembly/queue-loop.ts. */
const MUST_WAKE = 0x80000000 | 0;
const [{ Queue }, { newOwner }, { park, wake }, layout] = await Promise.all([
  load('src/queue/queue.js'),
  load('src/arena/owner.js'),
  load('src/arena/parking.js'),
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
  #wakeWord;
  #roomWord;
  #wakeRoomFlag;

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
    this.#wakeWord = address + Number(layout.QUEUE_WAKE_OFFSET);
    this.#roomWord = address + Number(layout.QUEUE_ROOM_WAKE_OFFSET);
    this.#wakeRoomFlag = (state + Number(layout.QUEUE_CONSUMER_WAKE_ROOM_OFFSET)) / 4;
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
    const { arena, loops, state } = this;
    for (let done = 0; done < count; ) {
      const wanted = Math.min(CHUNK, count - done);
      const answer = loops.produceChunk(state, first + done, wanted, batch, spins);
      const made = answer & ~MUST_WAKE;
      if (answer & MUST_WAKE) wake(arena, this.#wakeWord);
      else if (made < wanted) this.#awaitRoom();
      done += made;
    }
  }

  /** S1 to S4 of assembly/queue.ts. */
  #awaitRoom() {
    const { arena, loops, state } = this;
    const value = loops.queueRoomSleep(state);
    if (loops.queueReserve(state, RECORD_LENGTH) <= 0) park(arena, this.#roomWord, value, WAIT_MS);
    loops.queueRoomAwake(state);
  }

  /** @param {Work & { takenAt: number }} work */
  consume({ count, takenAt, spins }) {
    const { arena, loops, state } = this;
    const words = arena.i32;
    const taken = takenAt / 4;
    let sum = 0;
    for (let before = 0; before !== count; ) {
      sum = (sum + loops.takeChunk(state, CHUNK, takenAt, count, spins)) | 0;
      const now = Number(Atomics.load(words, taken));
      if (words[this.#wakeRoomFlag] !== 0) {
        words[this.#wakeRoomFlag] = 0;
        wake(arena, this.#roomWord);
      } else if (now === before) {
        this.#awaitRecord();
      }
      before = now;
    }
    return sum;
  }

  #awaitRecord() {
    const { arena, loops, state } = this;
    const value = loops.queueSleep(state);
    if (!loops.queueAvailable(state)) park(arena, this.#wakeWord, value, WAIT_MS);
    loops.queueAwake(state);
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
