// pool.cycle: a record is taken, written, and given back, four held at a time: in one thread, and in two at once (.threads; .mutex against a std::mutex).
//
// The rival is a free list in C++: a stack whose head has a tag against ABA, and one under std::mutex. Both do less: they do not know who has a record, so one whose owner is
// killed is lost, and one that is given twice is handed out twice. (An array in JS is no rival: threads cannot share it.)
// Non-goals: a pool that is nearly full.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { buildNative, runNative } from '../harness/build.mjs';
import { buildAssembly, load, loadLayout } from '../harness/engine.mjs';
import { alternate, summarize } from '../harness/measure.mjs';

const OPTIONS = { capacity: 4096, recordLength: 64 };
const CYCLES = 8_000_000;
const HELD = 4;
const CASES = [
  { id: 'pool.cycle', threads: 1, kind: 'treiber', rival: 'tagged free list in C++' },
  { id: 'pool.cycle.threads', threads: 2, kind: 'treiber', rival: 'tagged free list in C++' },
  { id: 'pool.cycle.threads.mutex', threads: 2, kind: 'mutex', rival: 'std::mutex free list in C++' },
];

export const ids = CASES.map(({ id }) => id);

/** @param {import('../harness/measure.mjs').Context} context */
export async function run(context) {
  const program = await buildNative('pool-cycle');
  const threads = await openThreads();
  const count = Math.max(100_000, Math.round((CYCLES * context.scale) / HELD) * HELD);
  try {
    const results = [];
    for (const { id, threads: running, kind, rival } of CASES) {
      const { subject, rivals } = await alternate(context, {
        subject: async () => sampleOf(await threads.run(running, count), count * running),
        rivals: {
          [rival]: async () =>
            sampleOf(await runNative(program, [running, count, OPTIONS.capacity, kind]), count * running),
        },
      });
      const rivalSamples = rivals[rival] ?? [];
      results.push(summarize({ id, unit: 'cycles/s', better: 'higher', subject, rival, rivalSamples }));
    }
    return results;
  } finally {
    await threads.close();
  }
}

async function openThreads() {
  const [{ Arena }, { Pool, poolRegion }, layout, loops] = await Promise.all([
    load('src/arena/arena.js'),
    load('src/queue/pool.js'),
    loadLayout(),
    buildAssembly('pool-loop'),
  ]);
  const arena = Arena.create({
    regions: [poolRegion(OPTIONS), { kind: layout.ARENA_REGION_SCRATCH, length: 4096 }],
    endpoints: true,
  });
  const region = arena.region(layout.ARENA_REGION_POOL);
  Pool.create(arena, region, OPTIONS).close();
  const scratch = arena.region(layout.ARENA_REGION_SCRATCH).address;
  const url = new URL('cycle.worker.mjs', import.meta.url);
  const workers = [0, 1].map(
    (side) => new Worker(url, { workerData: { memory: arena.memory, region, scratch, loops, side } }),
  );
  const failure = Promise.race(workers.map(failureOf));
  await Promise.race([Promise.all(workers.map((worker) => once(worker, 'message'))), failure]);
  let meeting = 0;
  return {
    /** @param {number} running how many of the threads @param {number} count */
    async run(running, count) {
      meeting += running;
      const chosen = workers.slice(0, running);
      const answers = Promise.all(chosen.map((worker) => once(worker, 'message')));
      for (const worker of chosen) worker.postMessage({ count, meeting });
      const done = /** @type {[{ ns: number, sum: bigint }][]} */ (await Promise.race([answers, failure]));
      const sum = done.reduce((total, [{ sum: part }]) => total + part, 0n);
      const checksum = BigInt.asUintN(64, sum).toString(16).padStart(16, '0');
      return { ns: Math.max(...done.map(([{ ns }]) => ns)), checksum };
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

/** @param {{ ns: number, checksum: string }} taken @param {number} cycles */
function sampleOf({ ns, checksum }, cycles) {
  return { figures: { '': (cycles / ns) * 1e9 }, checksum };
}

/** @param {Worker} worker @returns {Promise<never>} */
async function failureOf(worker) {
  const [error] = await once(worker, 'error');
  throw error;
}
