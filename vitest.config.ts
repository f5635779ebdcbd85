import { defineConfig } from 'vitest/config';

// One seed for the whole run, known before the first test: a failure is repeated with it.
const seed = process.env.CAUSEWAY_SEED ?? String(Math.floor(Math.random() * 2 ** 32));
if (process.env.CAUSEWAY_SEED === undefined) {
  process.env.CAUSEWAY_SEED = seed;
  console.error(`random tests: CAUSEWAY_SEED=${seed}`);
}

/** They trace, fill or kill things that the whole machine shares: one file at a time, after the others. */
const MACHINE = [
  'test/source/ebpf/**/*.test.ts',
  'test/engine/**/*.test.ts',
  'test/cli/**/*.test.ts',
  'test/bench/**/*.test.ts',
  'test/end-to-end/**/*.test.ts',
  'test/scripts/setup.test.ts',
  'test/examples.test.ts',
];
/** Slow, and of no use before the rest works: at the very end. */
const PACKAGE = ['test/package.test.ts'];

const common = {
  environment: 'node' as const,
  pool: 'forks' as const,
  setupFiles: ['test/support/seed.ts'],
  // Machines are slow and shared; a test that hangs still ends.
  testTimeout: 60_000,
  hookTimeout: 60_000,
  teardownTimeout: 20_000,
};

export default defineConfig({
  test: {
    reporters: ['default', './test/support/skip-reporter.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...MACHINE, ...PACKAGE],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      { test: { ...common, name: 'machine', include: MACHINE, maxWorkers: 1, sequence: { groupOrder: 1 } } },
      { test: { ...common, name: 'package', include: PACKAGE, maxWorkers: 1, sequence: { groupOrder: 2 } } },
    ],
  },
});
