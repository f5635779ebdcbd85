// One thread of cycle.mjs: its own handle on the pool, on its core.

import { parentPort, workerData } from 'node:worker_threads';
import { pinThread } from '../harness/affinity.mjs';
import { instantiateLoops, load } from '../harness/engine.mjs';

const CHUNK = 32_768;

const { memory, region, scratch, loops: loopsPath, side } = workerData;
const [{ Arena }, { Pool }] = await Promise.all([load('src/arena/arena.js'), load('src/queue/pool.js')]);
const arena = Arena.attach(memory);
const loops = instantiateLoops(memory, loopsPath);
const pool = Pool.open(arena, region);
const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
const meetingWord = scratch / 4;
const held = scratch + 128 * (side + 1);

await pinThread(side);
port.postMessage('ready');

port.on('message', ({ count, meeting }) => {
  // Both have their task: they begin together.
  Atomics.add(arena.i32, meetingWord, 1);
  while (Atomics.load(arena.i32, meetingWord) < meeting) {}
  let sum = 0n;
  const begin = process.hrtime.bigint();
  for (let done = 0; done < count; done += CHUNK) {
    sum += loops.cycleChunk(pool.state, held, BigInt(done), Math.min(CHUNK, count - done));
  }
  port.postMessage({ ns: Number(process.hrtime.bigint() - begin), sum: BigInt.asUintN(64, sum) });
});
