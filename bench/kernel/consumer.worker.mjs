// The spinning consumer of kernel.latency: the calls of the ingest worker up to the moment that the record is in its hands (src/worker/ingest-agent.ts).

import { parentPort, workerData } from 'node:worker_threads';
import { pinThread } from '../harness/affinity.mjs';
import { load, loadLayout } from '../harness/engine.mjs';
import { percentile } from '../harness/measure.mjs';
import { WATCHER_CPU } from './storm.mjs';

const SPIN_TURNS = 256;
const LATENCIES_MAX = 4 << 20;
/** How the storm's task is called: "storm-...". */
const STORM_COMM = Buffer.from('stor').readUInt32LE();

const { memory, plan } = workerData;
const [{ Arena }, { instantiate }, L] = await Promise.all([
  load('src/arena/arena.js'),
  load('src/arena/wasm.js'),
  loadLayout(),
]);
const arena = Arena.attach(memory);
const wasm = instantiate(arena);
const state = arena.region(L.ARENA_REGION_SCRATCH).address;
const stopWord = (state + 1024) / 4;
const timeAt = Number(L.KERNEL_RECORD_TIME_NS_OFFSET);
const delayAt = Number(L.KERNEL_RECORD_SUBMIT_DELAY_NS_OFFSET);
const opAt = Number(L.KERNEL_RECORD_OP_OFFSET);
const commAt = Number(L.KERNEL_RECORD_COMM_OFFSET);
const latencies = new Uint32Array(LATENCIES_MAX);

let count = 0;
let sum = 0;

function consume() {
  wasm.ringConsumerInit(state, plan.ringAddress, plan.ringCapacity, 1);
  count = 0;
  sum = 0;
  for (;;) {
    const record = wasm.ringSpin(state, SPIN_TURNS);
    if (record > 0) {
      const now = process.hrtime.bigint();
      if (isOurs(record)) take(record, now);
      wasm.ringAdvance(state);
      wasm.ringRelease(state);
      continue;
    }
    if (record < 0) throw new Error(`ringSpin: status=${record}`);
    if (Number(Atomics.load(arena.i32, stopWord)) === 1 && wasm.ringPeek(state) === 0) break;
  }
  const sorted = latencies.slice(0, Math.min(count, LATENCIES_MAX)).sort();
  return {
    count,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    max: percentile(sorted, 1),
    checksum: sum.toString(16).padStart(16, '0'),
  };
}

/** Other processes' calls come too: a sync of everything, a name whose place the kernel could not tell. @param {number} record */
function isOurs(record) {
  return arena.view.getUint32(record + commAt, true) === STORM_COMM;
}

/**
 * @param {number} record
 * @param {bigint} now
 */
function take(record, now) {
  const handedOver =
    arena.view.getBigUint64(record + timeAt, true) + BigInt(arena.view.getUint32(record + delayAt, true));
  latencies[count % LATENCIES_MAX] = now > handedOver ? Number(now - handedOver) : 0;
  sum += arena.view.getUint16(record + opAt, true) + 1;
  count += 1;
}

await pinThread(WATCHER_CPU);
parentPort?.on('message', () => parentPort?.postMessage(consume()));
parentPort?.postMessage('ready');
