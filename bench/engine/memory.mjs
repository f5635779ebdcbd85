// engine.memory: resident memory of a whole process - Node, engine, workers, journal windows, a subscriber - after a million events have gone through it.
//
// Goal: at most 100 MB (VmRSS, which counts shared file pages too). The process is a child of its own, so that nothing of the harness is in the figure.
// Non-goals: the peak while it starts.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { withDirectory } from '../harness/directory.mjs';
import { alternate, summarize } from '../harness/measure.mjs';
import { makeTrace } from './trace.mjs';

const EVENTS = 1_000_000;
const EVENTS_SMOKE = 50_000;
const RUNS_MAX = 3;
const TIMEOUT_MS = 120_000;
const run1 = promisify(execFile);

export const ids = ['engine.memory'];

/** @param {import('../harness/measure.mjs').Context} context */
export async function run(context) {
  const records = context.smoke ? EVENTS_SMOKE : EVENTS;
  return withDirectory(async (root) => {
    const trace = await makeTrace(root, { records, seed: context.seed });
    const subject = async () => {
      const { stdout } = await run1(
        process.execPath,
        [fileURLToPath(new URL('memory.child.mjs', import.meta.url)), trace],
        { timeout: TIMEOUT_MS },
      );
      const { rss, anonymous, peak, seen, sum } = JSON.parse(stdout);
      if (seen !== records) throw new Error(`events=${records}, seen=${seen}`);
      return {
        figures: { '': rss },
        checksum: sum.toString(16).padStart(8, '0'),
        counts: { seen, lost: records - seen, anonymousBytes: anonymous, peakBytes: peak },
      };
    };
    const measured = await alternate(
      { ...context, runs: Math.min(context.runs, RUNS_MAX) },
      { subject, warmUp: false },
    );
    return [summarize({ id: 'engine.memory', unit: 'bytes', better: 'lower', subject: measured.subject })];
  });
}
