// ring.spsc.latency: a 64-byte record to the other thread and back, both spinning; half of the round trip.
//
// Goal: p50 <= 150 ns, p99 <= 500 ns, at least 0.8 of C++. On both sides the cost of reading the clock, measured in the same run, is taken off.
// Non-goals: threads on one core; the time that V8 needs to optimize (a warm-up turn is not counted).

import { buildNative, runNative } from '../harness/build.mjs';
import { alternate, summarize } from '../harness/measure.mjs';
import { openPair, RING_CAPACITY } from './pair.mjs';
import { RIVAL } from './spsc-throughput.mjs';

const ROUND_TRIPS = 1_000_000;

export const ids = ['ring.spsc.latency.p50', 'ring.spsc.latency.p99'];

/** @param {import('../harness/measure.mjs').Context} context */
export async function run(context) {
  const program = await buildNative('ring-latency');
  const pair = await openPair();
  const count = Math.max(20_000, Math.round(ROUND_TRIPS * context.scale));
  try {
    const { subject, rivals } = await alternate(context, {
      subject: async () => {
        const [{ p50, p99, checksum }] = await pair.run({ name: 'ping', count }, { name: 'pong', count });
        return { figures: { p50, p99 }, checksum };
      },
      rivals: {
        [RIVAL]: async () => {
          const { p50, p99, checksum } = await runNative(program, [count, RING_CAPACITY]);
          return { figures: { p50, p99 }, checksum };
        },
      },
    });
    return ['p50', 'p99'].map((figure) =>
      summarize({
        id: `ring.spsc.latency.${figure}`,
        unit: 'ns',
        better: 'lower',
        figure,
        subject,
        rival: RIVAL,
        rivalSamples: rivals[RIVAL] ?? [],
      }),
    );
  } finally {
    await pair.close();
  }
}
