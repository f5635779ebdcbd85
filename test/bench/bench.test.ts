// Every bench id runs, small: the same work on subject and rival, a figure for each, nothing lost. How fast it is, is for `npm run bench` to say.

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { has } from '../support/capabilities.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ENTRY = path.join(ROOT, 'bench', 'run.mjs');
const SUITE_MS_MAX = 120_000;

interface Result {
  id: string;
  unit: string;
  value: number;
  rival: string | null;
  rivalValue: number | null;
  ratio: number | null;
  min: number;
  median: number;
  max: number;
  runs: number;
  checksum: string;
  lost?: number;
}

interface Report {
  schema: string;
  environment: Record<string, unknown>;
  results: Result[];
  skipped: { id: string; reason: string }[];
}

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

async function bench(...args: string[]): Promise<Ended> {
  try {
    const { stdout, stderr } = await run(process.execPath, [ENTRY, ...args], { timeout: SUITE_MS_MAX });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

async function listIds(): Promise<string[]> {
  const { stdout } = await bench('--list');
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '');
}

const isBuilt = fs.existsSync(path.join(ROOT, 'dist', 'assembly', 'release.wasm'));
const ids = isBuilt ? await listIds() : [];
/** One run for all ids of a folder: each bench is a process of its own anyway. */
const prefixes = ['ring', 'pool', 'dedup', 'digest', 'translate', 'journal', 'pipeline', 'engine', 'kernel'];

describe('npm run bench', { skip: !isBuilt, meta: { missing: ['needs dist/: npm run build'] } }, () => {
  it('knows the ids of every folder, and no others', () => {
    expect(new Set(ids.map((id) => id.split('.')[0]))).toEqual(new Set(prefixes));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it.each(prefixes)(
    '%s: every id has a figure, and its checksum is that of its rivals',
    async (prefix) => {
      const { code, stdout, stderr } = await bench(prefix, '--smoke', '--json');
      expect(code, stderr).toBe(0);
      const report = JSON.parse(stdout) as Report;
      expect(report.schema).toBe('causeway-bench/1');
      expect(report.environment).toMatchObject({ cores: expect.any(Number), cpu: expect.any(String), smoke: true });
      const expected = ids.filter((id) => id.startsWith(`${prefix}.`));
      const given = [...report.results, ...report.skipped].map(({ id }) => id);
      expect(given.toSorted()).toEqual(expected.toSorted());
      for (const result of report.results) checkResult(result);
      // Only what the machine lacks may be missing.
      const needsNothing = prefix !== 'kernel' || has('bpf');
      if (needsNothing && has('cxx')) expect(report.skipped).toEqual([]);
      for (const { reason } of report.skipped) expect(reason).toMatch(/^needs |is not installed/);
    },
    SUITE_MS_MAX,
  );

  it('measures only what was asked for', async () => {
    const { stdout } = await bench('translate.lossless', '--smoke', '--json');
    const report = JSON.parse(stdout) as Report;
    expect(report.results.map(({ id, value }) => ({ id, value }))).toEqual([{ id: 'translate.lossless', value: 1 }]);
  });

  it('does the same work for the same seed', async () => {
    const checksums = await Promise.all(
      ['7', '7', '8'].map(async (seed) => {
        const { stdout } = await bench('translate.lossless', '--smoke', '--json', '--seed', seed);
        return (JSON.parse(stdout) as Report).results[0]?.checksum;
      }),
    );
    expect(checksums[0]).toBe(checksums[1]);
    expect(checksums[0]).not.toBe(checksums[2]);
  });

  it('prints a table for people', async () => {
    const { code, stdout } = await bench('digest.crc32c.256', '--smoke');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^id +value +unit +rival/);
    expect(stdout).toMatch(/^digest\.crc32c\.256 .*(met|MISSED)$/m);
  });

  it('says in one line what is wrong with its arguments', async () => {
    expect(await bench('no.such.id')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("unknown id 'no.such.id'"),
    });
    expect(await bench('--seconds', '-1')).toMatchObject({ code: 2, stderr: expect.stringContaining('--seconds') });
    expect(await bench('--fast')).toMatchObject({ code: 2, stderr: expect.stringContaining("'--fast'") });
  });
});

function checkResult(result: Result): void {
  const { id, value, min, median, max, runs, checksum, rival, rivalValue, ratio, lost } = result;
  expect(value, id).toBeGreaterThan(0);
  expect(median, id).toBe(value);
  expect(min, id).toBeLessThanOrEqual(median);
  expect(max, id).toBeGreaterThanOrEqual(median);
  expect(runs, id).toBeGreaterThan(0);
  expect(checksum, id).toMatch(/^[0-9a-f]+$/);
  expect(lost ?? 0, id).toBe(0);
  if (rival === null) expect({ rivalValue, ratio }, id).toEqual({ rivalValue: null, ratio: null });
  else expect(ratio, id).toBeGreaterThan(0);
}
