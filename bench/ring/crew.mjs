// Any number of worker threads that do one task together: all begin when the last one is there, and each says what it took, and how long it needed.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { checksumOf } from './record.mjs';

/** Words of 32 bits, each on a line of its own, at the beginning of what a crew shares. */
export const WORD_ARRIVED = 0;
/** Records taken by those that share them. With broadcasts each consumer has its own: this and those behind it. */
export const WORD_TAKEN = 32;
/** Stays 0: who sleeps on it sleeps for its timeout. */
export const WORD_NEVER = 256;
export const CONTROL_WORDS = 288;
const TAKEN_STEP = 32;

/** @param {number} number of a consumer that shares its records with nobody */
export function takenWord(number) {
  return WORD_TAKEN + number * TAKEN_STEP;
}

/**
 * @typedef {object} Member
 * @property {'producer' | 'consumer'} role
 * @property {number} number Among those of its role.
 * @property {number} core
 */

/** @typedef {{ run: (task: object) => Promise<import('../harness/measure.mjs').Sample & { records: number, ns: number }>, close: () => Promise<void> }} Crew */

/**
 * @param {{ file: string, members: Member[], control: Int32Array, data: (member: Member) => object, transfer?: (member: Member) => any[] }} options
 *   control: CONTROL_WORDS words of shared memory. data: what the thread needs besides its Member.
 * @returns {Promise<Crew>}
 */
export async function openCrew({ file, members, control, data, transfer = () => [] }) {
  const workers = members.map(
    (member) =>
      new Worker(new URL(file, import.meta.url), {
        workerData: { member, ...data(member) },
        transferList: transfer(member),
      }),
  );
  const failure = Promise.race(workers.map(failureOf));
  failure.catch(() => {});
  await Promise.race([Promise.all(workers.map((worker) => once(worker, 'message'))), failure]);
  return {
    async run(task) {
      control.fill(0);
      const answers = Promise.all(workers.map((worker) => once(worker, 'message')));
      for (const worker of workers) worker.postMessage({ ...task, count: workers.length });
      const given = (await Promise.race([answers, failure])).map(([answer]) => answer);
      const takers = given.filter((_, index) => members[index]?.role === 'consumer');
      const records = takers.reduce((total, { taken }) => total + taken, 0);
      const sum = takers.reduce((total, answer) => (total + answer.sum) | 0, 0);
      // Of all that begin at once the last one to end says how long it was.
      const ns = Math.max(...takers.map((answer) => answer.ns));
      return { figures: { '': (records / ns) * 1e9 }, checksum: checksumOf(sum), records, ns };
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

/** @param {Worker} worker @returns {Promise<never>} */
async function failureOf(worker) {
  const [error] = await once(worker, 'error');
  throw error;
}

/**
 * Waits for the other members, spinning.
 * @param {Int32Array} control
 * @param {number} members
 */
export function meet(control, members) {
  Atomics.add(control, WORD_ARRIVED, 1);
  while (Atomics.load(control, WORD_ARRIVED) < members) {}
}

/** @param {() => { sum: number, taken: number }} work */
export function timed(work) {
  const begin = process.hrtime.bigint();
  const done = work();
  return { ...done, ns: Number(process.hrtime.bigint() - begin) };
}
