// ring.spsc.throughput: 64-byte records from one thread to another, 64 a publication, through a queue of mode spsc: windows on one side, rows on the other, which is how
// pipelines in wasm use one. `.peek` and `.batch1` are the engine's bare ring record by record (ringReserve, ringPeek), with 64 and with one a publication.
//
// Goal: at least 0.85 of the same ring in C++ with two pthreads. The consumer sums every word it reads; both sums are equal.
// Non-goals: rings of fixed slots; threads that share a core.

import { buildNative, runNative } from '../harness/build.mjs';
import { alternate, summarize } from '../harness/measure.mjs';
import { openEngine } from './fan.mjs';
import { openPair, RING_CAPACITY } from './pair.mjs';

const RECORDS = { 64: 30_000_000, 1: 6_000_000 };
const BATCH = 64;
/** Turns before a thread sleeps: about 200 us. */
const SPINS = 20_000;
export const RIVAL = 'the same ring in C++';

export const ids = ['ring.spsc.throughput', 'ring.spsc.throughput.peek', 'ring.spsc.throughput.batch1'];

/** @param {import('../harness/measure.mjs').Context} context */
export async function run(context) {
  const program = await buildNative('ring-throughput');
  const pair = await openPair();
  try {
    const results = [await throughQueue(context, program)];
    for (const batch of /** @type {const} */ ([64, 1])) {
      const count = Math.max(100_000, Math.round(RECORDS[batch] * context.scale));
      const { subject, rivals } = await alternate(context, {
        subject: async () => {
          const [, taken] = await pair.run({ name: 'produce', count, batch }, { name: 'consume', count, batch });
          return { figures: { '': perSecond(count, taken.ns) }, checksum: taken.checksum };
        },
        rivals: {
          [RIVAL]: async () => {
            const taken = await runNative(program, [count, batch, RING_CAPACITY]);
            return { figures: { '': perSecond(count, taken.ns) }, checksum: taken.checksum };
          },
        },
      });
      const id = batch === 64 ? 'ring.spsc.throughput.peek' : 'ring.spsc.throughput.batch1';
      results.push(
        summarize({
          id,
          unit: 'records/s',
          better: 'higher',
          subject,
          rival: RIVAL,
          rivalSamples: rivals[RIVAL] ?? [],
        }),
      );
    }
    return results;
  } finally {
    await pair.close();
  }
}

/**
 * @param {import('../harness/measure.mjs').Context} context
 * @param {string} program
 */
async function throughQueue(context, program) {
  const crew = await openEngine({ id: 'ring.spsc.throughput', mode: 'spsc', producers: 1, consumers: 1 });
  const records = Math.max(100_000, Math.round(RECORDS[BATCH] * context.scale));
  try {
    const { subject, rivals } = await alternate(context, {
      subject: () => crew.run({ level: 'wasm', records, total: records, isShared: true, batch: BATCH, spins: SPINS }),
      rivals: {
        [RIVAL]: async () => {
          const taken = await runNative(program, [records, BATCH, RING_CAPACITY, 'words']);
          return { figures: { '': perSecond(records, taken.ns) }, checksum: taken.checksum };
        },
      },
    });
    const row = { unit: 'records/s', better: /** @type {const} */ ('higher'), rival: RIVAL };
    return summarize({ ...row, id: 'ring.spsc.throughput', subject, rivalSamples: rivals[RIVAL] ?? [] });
  } finally {
    await crew.close();
  }
}

/**
 * @param {number} count
 * @param {number} ns
 */
function perSecond(count, ns) {
  return (count / ns) * 1e9;
}
