// The rival of ring.spsc.parked: 64-byte records over a MessagePort. Side 0 sends, side 1 takes.

import { parentPort, workerData } from 'node:worker_threads';
import { pinThread } from '../harness/affinity.mjs';
import { sendTimed, sharedWords, TakenHops } from './timed-hop.mjs';

const GOLDEN = 0x9e3779b97f4a7c15n;
const { port, side, buffer } = workerData;
const shared = sharedWords(buffer, 0);
await pinThread(side);

/** The record of bench/assembly/ring-loop.ts. @param {number} number */
function makeRecord(number) {
  const mixed = BigInt(number) * GOLDEN;
  return BigUint64Array.from([0n, 0n, 1n, 2n, 3n, 4n, 5n, 6n], (more, index) =>
    BigInt.asUintN(64, index === 0 ? BigInt(number) : mixed + more),
  );
}

/** Low half of the sum of its words. @param {BigUint64Array} record */
function sumOf(record) {
  const words = new Uint32Array(record.buffer);
  let sum = 0;
  for (let index = 0; index < words.length; index += 2) sum = (sum + Number(words[index])) >>> 0;
  return sum;
}

parentPort?.on('message', ({ count, pauseNs }) => {
  if (side === 0) {
    // Made before the clock starts: the rival is the port, not BigInt.
    const records = Array.from({ length: count }, (_, number) => makeRecord(number));
    sendTimed({ count, pauseNs, shared, send: (number) => port.postMessage(records[number]), isIdle: () => true });
    parentPort?.postMessage({});
    return;
  }
  const taken = new TakenHops(shared, count);
  const take = (/** @type {BigUint64Array} */ record) => {
    taken.add(sumOf(record));
    if (!taken.isComplete) return;
    port.off('message', take);
    parentPort?.postMessage(taken.result());
  };
  port.on('message', take);
});
