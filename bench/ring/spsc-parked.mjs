// ring.spsc.parked: a 64-byte record to a thread that sleeps, one way, p50.
//
// Goal: at least 5 times as fast as MessagePort, which is how Node's threads talk when they do not spin. The receiver sleeps before each record, on both sides: in
// memory.atomic.wait32 here, in its event loop there. Most of either figure is the operating system waking a thread on an idle core.
// Non-goals: processes (their parking is futex(2)); several consumers.

import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { alternate, summarize } from '../harness/measure.mjs';
import { openPair } from './pair.mjs';
import { SHARED_WORDS_LENGTH } from './timed-hop.mjs';

const RECORDS = 10_000;
const PAUSE_NS = 50_000;
const RIVAL = 'MessagePort';

export const ids = ['ring.spsc.parked'];

/** @param {import('../harness/measure.mjs').Context} context */
export async function run(context) {
  const count = Math.max(500, Math.round(RECORDS * context.scale));
  const pair = await openPair();
  const ports = openPorts();
  try {
    const { subject, rivals } = await alternate(context, {
      subject: async () => {
        const [, { p50, checksum }] = await pair.run(
          { name: 'sendParked', count, pauseNs: PAUSE_NS },
          { name: 'takeParked', count },
        );
        return { figures: { '': p50 }, checksum };
      },
      rivals: {
        [RIVAL]: async () => {
          const { p50, checksum } = await ports.run(count);
          return { figures: { '': p50 }, checksum };
        },
      },
    });
    return [
      summarize({
        id: 'ring.spsc.parked',
        unit: 'ns',
        better: 'lower',
        subject,
        rival: RIVAL,
        rivalSamples: rivals[RIVAL] ?? [],
      }),
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
