// One member of a crew around the queues of the engine (fan.mjs).

import { parentPort, workerData } from 'node:worker_threads';
import { pinThread } from '../harness/affinity.mjs';
import { instantiateLoops, load, loadLayout } from '../harness/engine.mjs';
import { CONTROL_WORDS, meet, takenWord, timed, WORD_NEVER } from './crew.mjs';
import { JsEndpoint, WasmEndpoint } from './queue-endpoint.mjs';

const CHUNK = 65_536;
const { member, memory, loops, sharedHead } = workerData;
const [{ Arena }, layout] = await Promise.all([load('src/arena/arena.js'), loadLayout()]);
const arena = Arena.attach(memory);
const controlAt = arena.region(layout.ARENA_REGION_SCRATCH, 0).address;
const control = arena.i32.subarray(controlAt / 4, controlAt / 4 + CONTROL_WORDS);

/** The comparator of lanes: bench/assembly/shared-head.ts. */
class SharedHead {
  loops = instantiateLoops(memory, sharedHead.loops);
  ring = arena.region(layout.ARENA_REGION_SCRATCH, 1).address;
  never = controlAt + WORD_NEVER * 4;

  /** @param {import('./queue-endpoint.mjs').Work} work */
  produce({ first, count, batch, spins }) {
    for (let done = 0; done < count; done += CHUNK) {
      const some = Math.min(CHUNK, count - done);
      this.loops.sharedProduceChunk(this.ring, sharedHead.capacity, this.never, first + done, some, batch, spins);
    }
  }

  /** @param {import('./queue-endpoint.mjs').Work & { takenAt: number }} work */
  consume({ count, takenAt, spins }) {
    let sum = 0;
    while (Number(Atomics.load(arena.i32, takenAt / 4)) !== count) {
      sum |= 0;
      sum += this.loops.sharedTakeChunk(this.ring, sharedHead.capacity, this.never, CHUNK, takenAt, count, spins);
    }
    return sum | 0;
  }
}

await pinThread(member.core);
/** @type {Record<string, { produce: (work: any) => void, consume: (work: any) => number }>} */
const endpoints = {
  wasm: new WasmEndpoint(arena, loops, member),
  js: new JsEndpoint(arena, member),
  ...(sharedHead === undefined ? {} : { sharedHead: new SharedHead() }),
};
const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
port.postMessage('ready');

port.on('message', ({ level, records, total, isShared, batch, spins, count }) => {
  const endpoint = endpoints[level];
  if (endpoint === undefined) throw new Error(`no level '${level}'`);
  const takenAt = controlAt + 4 * takenWord(isShared ? 0 : member.number);
  meet(control, count);
  if (member.role === 'producer') {
    endpoint.produce({ first: member.number * records, count: records, batch, spins });
    port.postMessage({});
  } else {
    const answer = timed(() => ({
      sum: endpoint.consume({ count: total, takenAt, spins, batch, first: 0 }),
      taken: 0,
    }));
    port.postMessage({ ...answer, taken: isShared ? (member.number === 0 ? total : 0) : total });
  }
});
