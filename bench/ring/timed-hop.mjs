// A hop to a thread that sleeps, one way: the sender notes the time in shared memory and sends; the receiver reads the clock as soon as it has the record. The
// clock is one for all threads (CLOCK_MONOTONIC). Before each record the sender waits until the receiver is asleep again.

import { percentile } from '../harness/measure.mjs';

/** @typedef {{ sentNs: Float64Array, taken: Int32Array }} SharedWords */

export const SHARED_WORDS_LENGTH = 256;
/** From the moment that a receiver is about to sleep to the next record. */
export const PAUSE_NS = 50_000;

/**
 * @param {SharedArrayBuffer} buffer
 * @param {number} offset
 * @returns {SharedWords}
 */
export function sharedWords(buffer, offset) {
  return { sentNs: new Float64Array(buffer, offset, 1), taken: new Int32Array(buffer, offset + 128, 1) };
}

function nowNs() {
  return Number(process.hrtime.bigint());
}

/**
 * @param {{ count: number, pauseNs: number, shared: SharedWords, send: (number: number) => void, isIdle: () => boolean }} options
 *   pauseNs: from the moment that the receiver is about to sleep to the next record.
 */
export function sendTimed({ count, pauseNs, shared, send, isIdle }) {
  for (let number = 0; number < count; number++) {
    while (Atomics.load(shared.taken, 0) !== number || !isIdle()) {}
    const asleep = nowNs() + pauseNs;
    while (nowNs() < asleep) {}
    shared.sentNs[0] = nowNs();
    send(number);
  }
  while (Atomics.load(shared.taken, 0) !== count) {}
  Atomics.store(shared.taken, 0, 0);
}

/** The receiver's side. */
export class TakenHops {
  #hops;
  #shared;
  #taken = 0;
  #sum = 0;

  /**
   * @param {SharedWords} shared
   * @param {number} count
   */
  constructor(shared, count) {
    this.#shared = shared;
    this.#hops = new Float64Array(count);
  }

  get isComplete() {
    return this.#taken === this.#hops.length;
  }

  /** @param {number} recordSum */
  add(recordSum) {
    this.#hops[this.#taken] = nowNs() - Number(this.#shared.sentNs[0]);
    this.#sum = (this.#sum + recordSum) >>> 0;
    this.#taken += 1;
    Atomics.store(this.#shared.taken, 0, this.#taken);
  }

  result() {
    return { p50: percentile(this.#hops.sort(), 0.5), checksum: this.#sum.toString(16).padStart(8, '0') };
  }
}
