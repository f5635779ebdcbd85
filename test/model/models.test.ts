// Runs every model through spin's exhaustive search: the right ones hold, and each planted bug is found. README.md says what the models are of.

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { requires } from '../support/capabilities.ts';
import { BUGS, MODELS, type Run } from './runs.ts';

const HERE = import.meta.dirname;
const ROOT = path.join(HERE, '../..');
const run = promisify(execFile);

interface Found {
  errors: number;
  states: number;
  /** Reached the end of the search: nothing was cut off for want of depth, memory or time. */
  isComplete: boolean;
  text: string;
}

async function search(model: string, flags: readonly string[], optimize: string): Promise<Found> {
  // Not temporaryDirectory(): tests run at once here, and its directories go when any of them ends.
  const cwd = fs.mkdtempSync(path.join(process.env.CAUSEWAY_TEST_DIRECTORY ?? os.tmpdir(), 'model-'));
  try {
    return await searchIn(cwd, model, flags, optimize);
  } finally {
    fs.rmSync(cwd, { recursive: true });
  }
}

async function searchIn(cwd: string, model: string, flags: readonly string[], optimize: string): Promise<Found> {
  const defines = flags.map((flag) => `-D${flag}`);
  const { stdout: complaint } = await run('spin', ['-a', ...defines, path.join(HERE, `${model}.pml`)], { cwd });
  if (!fs.existsSync(path.join(cwd, 'pan.c'))) throw new Error(`spin ${model} ${flags.join(' ')}: ${complaint}`);
  // Assertions and invalid end states; no cycles are looked for.
  await run('cc', [optimize, '-w', '-DSAFETY', '-DVECTORSZ=4096', '-o', 'pan', 'pan.c'], { cwd });
  const { stdout: text } = await run('./pan', ['-m20000', '-w21'], { cwd, timeout: 60_000 });
  return {
    errors: Number(/errors: (\d+)/.exec(text)?.[1] ?? Number.NaN),
    states: Number(/(\d+) states, stored/.exec(text)?.[1] ?? Number.NaN),
    isComplete: !/max search depth too small|out of memory|Search not completed|hash table too small/i.test(text),
    text,
  };
}

function named(runs: readonly Run[]): (Run & { name: string })[] {
  return runs.map((one) => ({ ...one, name: [one.model, ...one.flags].join(' ') }));
}

describe('models', requires('spin', 'cc'), () => {
  it.concurrent.each(named(MODELS))('$name: holds in every state', { timeout: 120_000 }, async ({ model, flags }) => {
    const found = await search(model, flags, '-O1');
    expect(found.errors, found.text).toBe(0);
    expect(found.isComplete, found.text).toBe(true);
    // Not a model that stands still.
    expect(found.states).toBeGreaterThan(400);
  });

  it.concurrent.each(named(BUGS))('$name: is found', { timeout: 120_000 }, async ({ model, flags }) => {
    const found = await search(model, flags, '-O0');
    expect(found.errors, found.text).toBeGreaterThan(0);
    expect(found.text).toMatch(/assertion violated|invalid end state/);
  });
});

describe('the table of the models', () => {
  const readme = fs.readFileSync(path.join(HERE, 'README.md'), 'utf8');

  it('names every bug that a model can have planted, and each is run', () => {
    for (const file of fs.readdirSync(HERE).filter((name) => name.endsWith('.pml'))) {
      const model = path.basename(file, '.pml');
      const text = fs.readFileSync(path.join(HERE, file), 'utf8');
      const planted = [...new Set(text.match(/\bBUG_[A-Z0-9_]+/g))].sort();
      const tried = BUGS.filter((bug) => bug.model === model).flatMap(({ flags }) => flags);
      expect([...new Set(tried.filter((flag) => flag.startsWith('BUG_')))].sort(), model).toEqual(planted);
      expect(MODELS.some((right) => right.model === model)).toBe(true);
      expect(readme).toContain(`\`${file}\``);
    }
  });

  // | step | function | file | label |
  const rows = [...readme.matchAll(/^\| ([A-Z][0-9][^|]*) \| `(\w+)` \| `([\w./-]+)` \|([^|]*)\|$/gm)];

  it.each(rows.map(([, step, name, file, label]) => ({ step, name, file, label })))(
    'step $step is in $name, $file',
    ({ step = '', name = '', file = '', label = '' }) => {
      const source = fs.readFileSync(path.join(ROOT, file), 'utf8');
      expect(source, `${step}: ${name}`).toMatch(new RegExp(`\\b#?${name}\\b`));
      const comments = (source.match(/^\s*(?:\/\/|\/?\*).*$/gm) ?? []).join('\n');
      for (const one of label.trim().split(/\s+/).filter(Boolean)) {
        expect(comments, `${step}: no comment says ${one}`).toMatch(new RegExp(`\\b${one}\\b`));
      }
    },
  );

  it('has rows', () => {
    expect(rows.length).toBeGreaterThan(50);
  });
});
