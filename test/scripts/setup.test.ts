import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { requires } from '../support/capabilities.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

function runSetup(): { status: number | null; stderr: string; elapsedMs: number } {
  const begin = performance.now();
  const { status, stderr } = spawnSync(process.execPath, ['scripts/setup.mjs'], { encoding: 'utf8' });
  return { status, stderr, elapsedMs: performance.now() - begin };
}

describe('the set-up', () => {
  it('says and does nothing when everything is there, in less than a second', () => {
    // The first time it may have to build what changed since.
    runSetup();
    const runs = [runSetup(), runSetup(), runSetup()];
    // Without root, missing system packages are named each time.
    const lines = runs.flatMap(({ stderr }) => stderr.split('\n'));
    expect(lines.filter((line) => line !== '' && !line.includes('will be skipped'))).toEqual([]);
    expect(runs.map(({ status }) => status)).toEqual([0, 0, 0]);
    // Of the three the one that the machine disturbed least.
    expect(Math.min(...runs.map(({ elapsedMs }) => elapsedMs))).toBeLessThan(1000);
  });
});

describe('npm start', requires('npm'), () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'watches what it is told, and ends cleanly and wholly with %s',
    async (signal) => {
      const directory = temporaryDirectory('start');
      const npm = spawn('npm', ['start', '--', '--json', '--source', 'inotify', directory], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      let output = '';
      npm.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
      // Again and again: the first may come before the watch stands.
      for (let turn = 0; !output.includes('touched') && turn < 300; turn++) {
        fs.writeFileSync(path.join(directory, `touched-${turn}`), '');
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      npm.kill(signal);
      const [exitCode] = await once(npm, 'close');
      // npm passes SIGINT on and then ends by it.
      expect([0, null]).toContain(exitCode);
      expect(output).toContain('"type":"summary"');
      expect(processesWith(directory)).toEqual([]);
    },
  );
});

function processesWith(argument: string): string[] {
  return fs.readdirSync('/proc').filter((name) => {
    if (!/^[0-9]+$/.test(name)) return false;
    try {
      return fs.readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').includes(argument);
    } catch {
      return false;
    }
  });
}

describe('the summary of .ci/run', () => {
  const exitCodes = { test: 0, generated: 0, lint: 0, typecheck: 0, bench: 0 };
  const report = { numPassedTests: 40, numFailedTests: 0, testResults: [] };

  function summarize(codes: Record<string, number>, tests: unknown): { lines: string[]; status: number | null } {
    const results = temporaryDirectory('results');
    for (const [step, code] of Object.entries(codes)) fs.writeFileSync(path.join(results, `${step}.exit`), `${code}\n`);
    fs.writeFileSync(path.join(results, 'test.log'), ' Test Files  3 passed (3)\n      Tests  40 passed (40)\n');
    if (tests !== undefined) fs.writeFileSync(path.join(results, 'tests.json'), JSON.stringify(tests));
    const { stdout, status } = spawnSync(process.execPath, ['scripts/summarize.mjs', results], { encoding: 'utf8' });
    return { lines: stdout.trimEnd().split('\n'), status };
  }

  it('counts tests and steps on its last line', () => {
    const { lines, status } = summarize(exitCodes, report);
    expect(lines).toContain('      Tests  40 passed (40)');
    expect(lines.at(-1)).toBe('44 passed, 0 failed');
    expect(status).toBe(0);
  });

  it.each([
    [
      'a failed test',
      { ...exitCodes, test: 1 },
      { ...report, numPassedTests: 39, numFailedTests: 1 },
      '43 passed, 1 failed',
    ],
    ['a run that fails without a failed test', { ...exitCodes, test: 1 }, report, '44 passed, 1 failed'],
    ['a run that ends without a report', { ...exitCodes, test: 1 }, undefined, '4 passed, 1 failed'],
    ['a step that fails', { ...exitCodes, lint: 1, bench: 124 }, report, '42 passed, 2 failed'],
  ])('fails with %s', (_, codes, tests, last) => {
    const { lines, status } = summarize(codes, tests);
    expect(lines.at(-1)).toBe(last);
    expect(status).toBe(1);
  });
});
