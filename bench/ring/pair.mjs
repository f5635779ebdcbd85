// Two worker threads over one arena, each on its core, with a ring there and a ring back. Ids of the ring run in it.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { buildAssembly, load, loadLayout } from '../harness/engine.mjs';

export const RING_CAPACITY = 262_144;
const STATES_LENGTH = 4096;

/**
 * @typedef {object} Pair
 * @property {(first: object, second: object) => Promise<[any, any]>} run Gives each thread its task; both begin together.
 * @property {() => Promise<void>} close
 */

/** @returns {Promise<Pair>} */
export async function openPair() {
  const [{ Arena }, layout, loops] = await Promise.all([
    load('src/arena/arena.js'),
    loadLayout(),
    buildAssembly('ring-loop'),
  ]);
  const ringLength = (layout.RING_DATA_OFFSET ?? 0) + RING_CAPACITY;
  const arena = Arena.create({
    regions: [
      { kind: layout.ARENA_REGION_RING, number: 0, length: ringLength },
      { kind: layout.ARENA_REGION_RING, number: 1, length: ringLength },
      { kind: layout.ARENA_REGION_SCRATCH, number: 0, length: STATES_LENGTH },
      { kind: layout.ARENA_REGION_SCRATCH, number: 1, length: STATES_LENGTH },
      { kind: layout.ARENA_REGION_SCRATCH, number: 2, length: STATES_LENGTH },
    ],
  });
  const workers = [0, 1].map(
    (side) =>
      new Worker(new URL('pair.worker.mjs', import.meta.url), { workerData: { memory: arena.memory, loops, side } }),
  );
  const failure = Promise.race(workers.map(failureOf));
  await Promise.race([Promise.all(workers.map((worker) => once(worker, 'message'))), failure]);
  let turn = 0;
  return {
    async run(...tasks) {
      turn += 1;
      const answers = Promise.all(workers.map((worker) => once(worker, 'message')));
      for (const [side, worker] of workers.entries()) worker.postMessage({ ...tasks[side], turn });
      const [[first], [second]] = /** @type {[[any], [any]]} */ (await Promise.race([answers, failure]));
      return [first, second];
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
