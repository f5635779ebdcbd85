// The seed of everything random in a test run. vitest.config.ts chooses and prints it; CAUSEWAY_SEED=n repeats a run, CAUSEWAY_RUNS=n makes the
// property tests longer or shorter.

import fc from 'fast-check';

/** 32 bits, the same in every test file of a run. */
export const seed = Number(process.env.CAUSEWAY_SEED ?? 1) >>> 0;
export const runs = Number(process.env.CAUSEWAY_RUNS ?? 100);

fc.configureGlobal({ seed: seed | 0, numRuns: runs });

/** Numbers in [0, 1), the same for the same seed and salt: mulberry32. For workloads; properties take fast-check's arbitraries. */
export function seededRandom(salt = 0): () => number {
  let state = (seed + Math.imul(salt, 0x9e3779b9)) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
