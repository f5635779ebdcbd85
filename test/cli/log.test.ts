// `causeway log`, and what becomes of a journal whose writer was killed.

import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { Command, jsonLines, MAIN, run } from './run.ts';

const EVENTS = 50;

async function journalWith(count: number): Promise<string> {
  const directory = path.join(temporaryDirectory('log'), 'journal');
  await using engine = await Engine.open({ source: 'none', journal: directory });
  for (let index = 1; index <= count; index++) {
    await engine.emit({
      type: index % 2 === 0 ? 'fs.write' : 'fs.create',
      path: `/d${index % 5}/f${index}`,
      pid: 1000 + (index % 3),
    });
  }
  return directory;
}

async function sequences(args: readonly string[]): Promise<number[]> {
  const { exitCode, stdout, stderr } = await run(['log', ...args, '--json']);
  expect(exitCode, stderr).toBe(0);
  return jsonLines(stdout)
    .filter(({ type }) => type === 'event')
    .map(({ data }) => data.sequence);
}

function count(from: number, to: number, wanted: (sequence: number) => boolean = () => true): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index).filter(wanted);
}

describe('log', () => {
  it('prints everything, and ends with a summary', async () => {
    const directory = await journalWith(EVENTS);
    const { exitCode, stdout, stderr } = await run(['log', directory]);
    expect(exitCode).toBe(0);
    expect(stdout.trim().split('\n')).toHaveLength(EVENTS);
    expect(stdout).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} +1001 \S* +fs\.create +\/d1\/f1$/m);
    expect(stderr).toContain('50 events (sequence 1 to 50) · none lost');
  });

  it('begins where --since says, and shows what the filters let through', async () => {
    const directory = await journalWith(EVENTS);
    expect(await sequences([directory, '--since', '31'])).toEqual(count(31, EVENTS));
    expect(await sequences([directory, '--since', '1h'])).toEqual(count(1, EVENTS));
    expect(await sequences([directory, '--since', '2099-01-01'])).toEqual([]);
    expect(await sequences([directory, '--type', 'fs.write'])).toEqual(
      count(1, EVENTS, (sequence) => sequence % 2 === 0),
    );
    expect(await sequences([directory, '--path', '/d0'])).toEqual(count(1, EVENTS, (sequence) => sequence % 5 === 0));
    expect(await sequences([directory, '--pid', '1000,1002'])).toEqual(
      count(1, EVENTS, (sequence) => sequence % 3 !== 1),
    );
  });

  it('says what the journal is, and who writes it', async () => {
    const directory = path.join(temporaryDirectory('log'), 'journal');
    await using engine = await Engine.open({ source: 'none', journal: directory });
    for (let index = 0; index < 3; index++) await engine.emit({ type: 'fs.create', path: '/f' });
    const { stdout } = await run(['log', directory, '--info']);
    expect(stdout).toMatch(/^entries +3: sequence 1 to 3$/m);
    expect(stdout).toMatch(new RegExp(`^writer +pid ${process.pid}$`, 'm'));
    await engine.close();
    const [line] = jsonLines((await run(['log', directory, '--info', '--json'])).stdout);
    expect(line).toMatchObject({ type: 'summary', data: { directory, epoch: 1, lastSequence: 3, writer: null } });
  });

  it('follows a journal that is being written, until Ctrl-C', async () => {
    const directory = path.join(temporaryDirectory('log'), 'journal');
    await using engine = await Engine.open({ source: 'none', journal: directory });
    await engine.emit({ type: 'fs.create', path: '/before' });
    const command = new Command(['log', directory, '--follow', '--json']);
    await command.until('"caughtUp"');
    await engine.emit({ type: 'fs.create', path: '/after' });
    await command.until('/after');
    command.child.kill('SIGINT');
    const { exitCode, stdout } = await command.finished;
    expect(exitCode).toBe(0);
    expect(jsonLines(stdout).map(({ type }) => type)).toEqual(['event', 'caughtUp', 'event', 'summary']);
  });

  it.each([
    ['a directory that is no journal', () => temporaryDirectory('empty'), 3, 'is no journal'],
    ['a directory that is not there', () => '/no/such/journal', 3, '/no/such/journal'],
  ])('refuses %s', async (_name, directory, exitCode, text) => {
    const result = await run(['log', directory()]);
    expect([result.exitCode, result.stdout]).toEqual([exitCode, '']);
    expect(result.stderr).toContain(text);
    expect(result.stderr).toContain('watch --journal');
  });

  it('says so when the disk behind its output is full', async () => {
    const directory = await journalWith(EVENTS);
    const full = openSync('/dev/full', 'w');
    const result = spawnSync(process.execPath, [MAIN, 'log', directory, '--json'], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    closeSync(full);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain('ENOSPC');
  });

  it('tells which byte of a damaged journal is wrong, behind all that is right', async () => {
    const directory = await journalWith(EVENTS);
    const [name = ''] = readdirSync(directory).filter((file) => file.endsWith('.segment'));
    const bytes = readFileSync(path.join(directory, name));
    const at = Math.floor(bytes.length / 2);
    bytes[at] = (bytes[at] ?? 0) ^ 0xff;
    writeFileSync(path.join(directory, name), bytes);
    const { exitCode, stdout, stderr } = await run(['log', directory, '--json']);
    expect(exitCode).toBe(5);
    expect(stderr).toMatch(/sequence/);
    const lines = jsonLines(stdout);
    expect(lines.at(-1)).toMatchObject({ type: 'error', data: { code: 'JOURNAL_CORRUPT', exitCode: 5 } });
    expect(lines.filter(({ type }) => type === 'event').length).toBeGreaterThan(10);
  });
});

describe('a journal whose writer was killed', () => {
  it('has everything that was printed as kept, and goes on', async () => {
    const watched = temporaryDirectory('watched');
    const journal = path.join(temporaryDirectory('log'), 'journal');
    const command = new Command(['watch', '--json', '--source', 'inotify', '--journal', journal, watched]);
    await command.until('caughtUp');
    for (let index = 0; index < 20; index++) writeFileSync(path.join(watched, `f${index}`), 'text');
    await command.until('f19');
    command.child.kill('SIGKILL');
    await command.finished;
    const printed = jsonLines(command.stdout.slice(0, command.stdout.lastIndexOf('\n') + 1)).filter(
      ({ type }) => type === 'event',
    );
    const kept = await sequences([journal]);
    expect(kept).toEqual(expect.arrayContaining(printed.map(({ data }) => data.sequence)));
    const again = new Command(['watch', '--json', '--source', 'inotify', '--journal', journal, watched]);
    await again.until('caughtUp');
    rmSync(path.join(watched, 'f0'));
    await again.until('fs.delete');
    again.child.kill('SIGTERM');
    expect((await again.finished).exitCode).toBe(0);
    const all = await sequences([journal]);
    expect(all.length).toBeGreaterThan(kept.length);
    expect(all).toEqual([...new Set(all)].sort((a, b) => a - b));
  });
});
