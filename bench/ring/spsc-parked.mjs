// ring.spsc.parked: a 64-byte record to a thread that sleeps, one way, p50.
//
// Goal: at least 5 times as fast as MessagePort, which is how Node's threads talk when they do not spin. The receiver sleeps before each record, on both sides: in
// memory.atomic.wait32 here, in its event loop there. `.futex` is the same with futex(2) through koffi; `.floor` holds ring.spsc.parked against a bare futex(2)
// between two threads in C++, which hands nothing over: what of the figure is the operating system waking a thread on an idle core.
// Non-goals: processes (ring.process.parked); several consumers.

import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { buildNative, runNative } from '../harness/build.mjs';
import { load } from '../harness/engine.mjs';
import { alternate, summarize } from '../harness/measure.mjs';
import { openPair } from './pair.mjs';
import { PAUSE_NS, SHARED_WORDS_LENGTH } from './timed-hop.mjs';

const RECORDS = 10_000;
const RIVAL = 'MessagePort';
const FLOOR = 'futex(2) in C++';
const FUTEX = 'futex(2) through koffi';

export const ids = ['ring.spsc.parked', 'ring.spsc.parked.futex', 'ring.spsc.parked.floor'];

/** @param {import('../harness/measure.mjs').Context} context */
export async function run(context) {
  const count = Math.max(500, Math.round(RECORDS * context.scale));
  const { loadNative, nativeFailure } = await load('src/arena/native.js');
  const hasFutex = loadNative() !== undefined;
  if (!hasFutex) context.note(`ring.spsc.parked.futex needs koffi: ${nativeFailure()}`);
  const floor = await buildNative('futex-hop');
  const pair = await openPair();
  const ports = openPorts();
  const measure = async (/** @type {string} */ send, /** @type {string} */ take) => {
    const [, { p50, checksum }] = await pair.run({ name: send, count, pauseNs: PAUSE_NS }, { name: take, count });
    return { figures: { '': p50 }, checksum };
  };
  try {
    const { subject, rivals } = await alternate(context, {
      subject: () => measure('sendParked', 'takeParked'),
      rivals: {
        [RIVAL]: async () => {
          const { p50, checksum } = await ports.run(count);
          return { figures: { '': p50 }, checksum };
        },
        ...(hasFutex ? { [FUTEX]: () => measure('sendFutex', 'takeFutex') } : {}),
        // The same proof of work as the others would be a lie: it hands nothing over.
        [FLOOR]: async () => ({
          figures: { '': (await runNative(floor, [count, PAUSE_NS, 'threads'])).p50 },
          checksum: '0',
        }),
      },
      checksums: 'own',
    });
    const row = { unit: 'ns', better: /** @type {const} */ ('lower') };
    const port = { rival: RIVAL, rivalSamples: rivals[RIVAL] ?? [] };
    return [
      summarize({ ...row, ...port, id: 'ring.spsc.parked', subject }),
      ...(hasFutex ? [summarize({ ...row, ...port, id: 'ring.spsc.parked.futex', subject: rivals[FUTEX] ?? [] })] : []),
      summarize({ ...row, id: 'ring.spsc.parked.floor', subject, rival: FLOOR, rivalSamples: rivals[FLOOR] ?? [] }),
    ];
  } finally {
    await Promise.all([pair.close(), ports.close()]);
  }
}

/** Two workers joined by a MessageChannel. */
function openPorts() {
  const { port1, port2 } = new MessageChannel();
  const buffer = new SharedArrayBuffer(SHARED_WORDS_LENGTH);
  const workers = [port1, port2].map(
    (port, side) =>
      new Worker(new URL('message-port.worker.mjs', import.meta.url), {
        workerData: { port, side, buffer },
        transferList: [port],
      }),
  );
  return {
    /** @param {number} count @returns {Promise<{ p50: number, checksum: string }>} */
    async run(count) {
      const answers = Promise.all(workers.map((worker) => once(worker, 'message')));
      for (const worker of workers) worker.postMessage({ count, pauseNs: PAUSE_NS });
      const [, [answer]] = await answers;
      return answer;
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
