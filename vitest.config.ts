import { defineConfig } from 'vitest/config';

// One seed for the whole run, known before the first test: a failure is repeated with it.
const seed = process.env.CAUSEWAY_SEED ?? String(Math.floor(Math.random() * 2 ** 32));
if (process.env.CAUSEWAY_SEED === undefined) {
  process.env.CAUSEWAY_SEED = seed;
  console.error(`random tests: CAUSEWAY_SEED=${seed}`);
}

/** They trace, fill or kill the machine's shared things, or build the whole package: one file at a time, after the others. */
const ALONE = [
  'test/source/ebpf/**',
  'test/engine/**',
  'test/cli/**',
  'test/bench/**',
  'test/end-to-end/**',
  'test/scripts/setup.test.ts',
  'test/examples.test.ts',
  'test/package.test.ts',
];

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
          exclude: ALONE,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...common,
          name: 'machine',
          include: ALONE.map((pattern) => (pattern.endsWith('.ts') ? pattern : `${pattern}/*.test.ts`)),
          maxWorkers: 1,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
