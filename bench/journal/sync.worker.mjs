// The journal's sync worker without the engine's supervisor.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { pinThread } from '../harness/affinity.mjs';
import { load } from '../harness/engine.mjs';

const WAIT_MS = 100;
const { memory, plan } = workerData;
const [{ Arena }, { instantiate }, { JournalSync }] = await Promise.all([
  load('src/arena/arena.js'),
  load('src/arena/wasm.js'),
  load('src/journal/sync.js'),
]);
const arena = Arena.attach(memory);
const sync = new JournalSync({ arena, wasm: instantiate(arena), plan });
let isStopping = false;
parentPort?.once('message', () => {
  isStopping = true;
});
await pinThread(1);
parentPort?.postMessage('ready');
while (!isStopping) {
  if (sync.doWork() === 0) sync.wait(WAIT_MS);
  await nextTurn();
}
sync.close();
process.exit(0);
