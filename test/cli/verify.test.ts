import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../src/index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { jsonLines, run } from './run.ts';

const COUNT = 20;
let keys: string;
let whole: string;

beforeAll(async () => {
  keys = temporaryDirectory('keys');
  whole = path.join(temporaryDirectory('verify'), 'journal');
  const { exitCode, stdout } = await run(['keygen', path.join(keys, 'mine')]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `${keys}/mine\n${keys}/mine.pub\n` });
  const engine = await Engine.open({
    source: 'none',
    journal: { directory: whole, signingKey: path.join(keys, 'mine'), headFile: path.join(keys, 'head.json') },
  });
  for (let n = 1; n <= COUNT; n++) await engine.emit({ type: 'fs.write', path: `/a/${n}`, pid: n });
  await engine.close();
});

function spoiled(spoil: (bytes: Buffer) => void): string {
  const copy = path.join(temporaryDirectory('verify'), 'journal');
  fs.cpSync(whole, copy, { recursive: true });
  const file = path.join(copy, '000000000000.segment');
  const bytes = fs.readFileSync(file);
  spoil(bytes);
  fs.writeFileSync(file, bytes);
  return copy;
}

describe('verify', () => {
  it('says that a journal is what was written, and whose signature that is', async () => {
    const { exitCode, stdout, stderr } = await run([
      'verify',
      whole,
      '--key',
      path.join(keys, 'mine.pub'),
      '--head',
      path.join(keys, 'head.json'),
    ]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/intact +sequence 1 to 20\n/);
    expect(stdout).toMatch(/1 signed by [0-9a-f]{16}\n/);
    expect(stderr).toMatch(/20 entries as sealed · intact/);
  });

  it('names the first record that differs, and what is intact around it, with exit code 5', async () => {
    const directory = spoiled((bytes) => {
      const at = bytes.indexOf('/a/7');
      bytes.write('/b/7', at);
    });
    const { exitCode, stdout, stderr } = await run(['verify', directory, '--json']);
    expect(exitCode).toBe(5);
    const lines = jsonLines(stdout);
    expect(lines.filter(({ type }) => type === 'intact').map(({ data }) => data)).toEqual([
      { first: 1, last: 6 },
      { first: 8, last: COUNT },
    ]);
    expect(lines.filter(({ type }) => type === 'damage').map(({ data }) => data)).toMatchObject([
      { kind: 'entry', sequence: 7, file: '000000000000.segment' },
    ]);
    expect(lines.at(-1)).toMatchObject({
      type: 'summary',
      data: { isIntact: false, damageCount: 1, entries: COUNT - 1 },
    });
    expect(stderr).toContain('first entry: sequence 7, 000000000000.segment at ');
  });

  it('tells a head that is not in the chain, and a key that did not sign', async () => {
    const head = await run(['verify', whole, '--head', 'ab'.repeat(32)]);
    expect(head).toMatchObject({ exitCode: 5 });
    expect(head.stderr).toContain('the published head is not in the chain');
    await run(['keygen', path.join(keys, 'other')]);
    const key = await run(['verify', whole, '--key', path.join(keys, 'other.pub')]);
    expect(key).toMatchObject({ exitCode: 5 });
    expect(key.stderr).toContain('signed with another key');
  });

  it('fails with a sentence where there is nothing to verify, and with files that are no keys or heads', async () => {
    expect(await run(['verify', temporaryDirectory()])).toMatchObject({ exitCode: 3 });
    expect(await run(['verify', whole, '--key', path.join(keys, 'missing')])).toMatchObject({ exitCode: 3 });
    const noKey = await run(['verify', whole, '--key', path.join(keys, 'head.json')]);
    expect(noKey).toMatchObject({ exitCode: 3 });
    expect(noKey.stderr).toContain('no public key in PEM');
    expect(await run(['verify', whole, '--head', path.join(keys, 'mine.pub')])).toMatchObject({ exitCode: 3 });
  });
});

describe('keygen', () => {
  it('replaces nothing', async () => {
    const file = path.join(keys, 'once');
    expect(await run(['keygen', file])).toMatchObject({ exitCode: 0 });
    const before = fs.readFileSync(file);
    const again = await run(['keygen', file]);
    expect(again).toMatchObject({ exitCode: 3, stdout: '' });
    expect(fs.readFileSync(file)).toEqual(before);
  });
});
