// ring.spsc.throughput: 64-byte records through the SPSC ring, from one thread to another, a batch of 64 a publication (and .batch1: one).
//
// Goal: at least 0.85 of the same ring in C++ with two pthreads. The consumer sums every word it reads; both sums are equal.
// Non-goals: rings of fixed slots; threads that share a core.

import { buildNative, runNative } from '../harness/build.mjs';
import { alternate, summarize } from '../harness/measure.mjs';
import { openPair, RING_CAPACITY } from './pair.mjs';

const RECORDS = { 64: 30_000_000, 1: 6_000_000 };
export const RIVAL = 'the same ring in C++';

export const ids = ['ring.spsc.throughput', 'ring.spsc.throughput.batch1'];

/** @param {import('../harness/measure.mjs').Context} context */
export async function run(context) {
  const program = await buildNative('ring-throughput');
  const pair = await openPair();
  try {
    const results = [];
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
      const id = batch === 64 ? 'ring.spsc.throughput' : 'ring.spsc.throughput.batch1';
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
 * @param {number} count
 * @param {number} ns
 */
function perSecond(count, ns) {
  return (count / ns) * 1e9;
}
