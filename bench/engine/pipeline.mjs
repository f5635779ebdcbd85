// pipeline.throughput: a recorded trace at full speed through the whole engine - source, ring, check, lanes, translation, stamps, journal - to a subscriber in a
// thread of its own that goes over every committed entry where it lies; events a second from the first event to the last one at the subscriber.
// .events: the subscriber gets what users get, an object for each event (engine.subscribe).
//
// Goal: at least 5 M events/s, none lost, in order: the subscriber checks that each sequence follows the one before and sums the entries' checksums.
// Non-goals: deduplication by content, which is not built yet; the kernel's own part (kernel.capture).

import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { withDirectory } from '../harness/directory.mjs';
import { load } from '../harness/engine.mjs';
import { alternate, summarize } from '../harness/measure.mjs';
import { openParts } from './parts.mjs';
import { makeTrace } from './trace.mjs';

const EVENTS = 1_000_000;

export const ids = ['pipeline.throughput', 'pipeline.throughput.events'];

/** @param {import('../harness/measure.mjs').Context} context */
export async function run(context) {
  const records = Math.max(50_000, Math.round(EVENTS * context.scale));
  return withDirectory(async (root) => {
    const trace = await makeTrace(root, { records, seed: context.seed });
    const entries = await alternate(context, { subject: () => measureEntries(trace, records) });
    const events = await alternate(context, { subject: () => measureEvents(trace, records) });
    return [
      summarize({ id: 'pipeline.throughput', unit: 'events/s', better: 'higher', subject: entries.subject }),
      summarize({ id: 'pipeline.throughput.events', unit: 'events/s', better: 'higher', subject: events.subject }),
    ];
  });
}

/**
 * @param {string} trace
 * @param {number} records
 * @returns {Promise<import('../harness/measure.mjs').Sample>}
 */
async function measureEntries(trace, records) {
  const parts = await openParts({ trace });
  try {
    const worker = new Worker(new URL('entries.worker.mjs', import.meta.url), {
      workerData: { memory: parts.memory, plan: parts.plan, records },
    });
    await once(worker, 'message');
    const answer = once(worker, 'message');
    await parts.start();
    const [{ count, gaps, sum, ns }] = await answer;
    return {
      figures: { '': (count / ns) * 1e9 },
      checksum: sum.toString(16).padStart(8, '0'),
      counts: { produced: records, seen: count, lost: records - count, gaps },
    };
  } finally {
    await parts.close();
  }
}

/**
 * @param {string} trace
 * @param {number} records
 * @returns {Promise<import('../harness/measure.mjs').Sample>}
 */
async function measureEvents(trace, records) {
  const { Engine } = await load('src/index.js');
  // In files: without them an engine gives up what nobody has asked for by the time that the subscriber's thread is there.
  const journal = fs.mkdtempSync(path.join(path.dirname(trace), 'journal-'));
  const engine = await Engine.open({ source: { trace, speed: 'maximum' }, journal });
  try {
    const shared = new SharedArrayBuffer(64);
    const words = new Float64Array(shared);
    const subscription = await engine.subscribe(
      new URL('events.subscriber.mjs', import.meta.url),
      { since: 'start' },
      { shared },
    );
    await engine.finished();
    await subscription.close();
    const [count = 0, sum = 0, firstMs = 0, lastMs = 0, gaps = 0] = words;
    const { ingest } = engine.stats();
    const lost = Number(ingest.lost) + (records - count);
    return {
      figures: { '': (count / (lastMs - firstMs)) * 1000 },
      checksum: sum.toString(16),
      counts: { produced: records, seen: count, lost, gaps },
    };
  } finally {
    await engine.close();
    fs.rmSync(journal, { recursive: true });
  }
}
