// The subscriber of pipeline.throughput: goes over committed entries where they lie, checks that each sequence follows the one before, sums over them.

import { parentPort, workerData } from 'node:worker_threads';
import { load, loadLayout } from '../harness/engine.mjs';

const BATCH = 4096;
const { memory, plan, records } = workerData;
const [{ Arena }, { JournalTail }, L] = await Promise.all([
  load('src/arena/arena.js'),
  load('src/journal/tail.js'),
  loadLayout(),
]);
const arena = Arena.attach(memory);
const tail = new JournalTail({ arena, plan, since: 'start' });
const gapKind = Number(L.ENTRY_KIND_GAP);
let count = 0;
let sum = 0;
let last = 0;
let gaps = 0;
let firstNs = 0n;
let lastNs = 0n;

/**
 * The decoder is over whatever memory holds the entry: a window, or what was read from the file when this reader fell behind the windows.
 * @param {any} decoder
 * @param {number} at
 * @param {number} length
 */
function visit(decoder, at, length) {
  const sequence = Number(decoder.sequence(at));
  if (sequence !== last + 1) throw new Error(`sequence ${sequence} behind ${last}`);
  last = sequence;
  count += 1;
  sum = (Math.imul(sum, 31) + decoder.type(at) + decoder.pid(at) + length) >>> 0;
  if (decoder.kind(at) === gapKind) gaps += 1;
}

parentPort?.postMessage('ready');
while (count - gaps < records) {
  if (tail.readBatch(BATCH, visit) > 0) {
    lastNs = process.hrtime.bigint();
    if (firstNs === 0n) firstNs = lastNs;
  } else tail.waitSync(100);
}
tail.close();
parentPort?.postMessage({ count: count - gaps, gaps, sum, ns: Number(lastNs - firstNs) });
