// The subscriber of pipeline.throughput: goes over committed entries where they lie, checks that each sequence follows the one before, sums their checksums.

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
const sequenceAt = Number(L.ENTRY_SEQUENCE_OFFSET);
const crcAt = Number(L.ENTRY_CRC32C_OFFSET);
const kindAt = Number(L.ENTRY_KIND_OFFSET);
const gapKind = Number(L.ENTRY_KIND_GAP);
const { view } = arena;
let count = 0;
let sum = 0;
let last = 0;
let gaps = 0;
let firstNs = 0n;
let lastNs = 0n;

/**
 * In the windows only: this reader keeps up, so entries lie in the arena.
 * @param {unknown} _decoder
 * @param {number} at
 */
function visit(_decoder, at) {
  const sequence = view.getUint32(at + sequenceAt, true);
  if (sequence !== last + 1) throw new Error(`sequence ${sequence} behind ${last}`);
  last = sequence;
  count += 1;
  sum = (sum + view.getUint32(at + crcAt, true)) >>> 0;
  if (view.getUint16(at + kindAt, true) === gapKind) gaps += 1;
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
