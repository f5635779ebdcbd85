// What users start: the command line with --peer, and the example, each with the C producer of the examples.

import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Command, jsonLines, PROJECT, run as runCommand } from '../../cli/run.ts';
import { requires } from '../../support/capabilities.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { compile, run, startNode, until } from './support.ts';

test(
  'causeway watch --peer shows what a producer tells, and takes the file away',
  requires('koffi', 'cc'),
  async () => {
    const directory = temporaryDirectory('work');
    const file = path.join(temporaryDirectory('peer'), 'arena');
    const watch = new Command(['watch', '--json', '--peer', file]);
    await until(() => watch.stderr.includes(file), 20_000);
    expect(run(compile('producer'), file, directory, 2)).toMatchObject({ status: 0, stderr: '' });
    await until(() => watch.stdout.includes('renamed-1'), 20_000);
    watch.child.kill('SIGINT');
    const { exitCode, stdout } = await watch.finished;
    expect(exitCode).toBe(0);
    const events = jsonLines(stdout).filter(({ type }) => type === 'event');
    expect(events.map(({ data }) => data.type)).toEqual([
      'fs.create',
      'fs.write',
      'fs.rename',
      'fs.create',
      'fs.write',
      'fs.rename',
    ]);
    expect(events[0]?.data).toMatchObject({ path: path.join(directory, 'file-0'), comm: 'producer' });
    expect(existsSync(file)).toBe(false);
  },
);

test('--peer goes neither with a command nor with a recording', async () => {
  expect((await runCommand(['watch', '--peer', '/dev/shm/x', '-c', 'true'])).exitCode).toBe(2);
  expect((await runCommand(['watch', '--peer', '/dev/shm/x', '--replay', 'y'])).exitCode).toBe(2);
});

test('examples/peer/listen.mjs prints them', requires('koffi', 'cc'), async () => {
  const directory = temporaryDirectory('work');
  const file = path.join(temporaryDirectory('peer'), 'arena');
  const example = startNode(path.join(PROJECT, 'examples/peer/listen.mjs'), file);
  await until(() => example.stderr.includes(file), 20_000);
  expect(run(compile('producer'), file, directory).status).toBe(0);
  await until(() => example.stdout.includes('fs.rename'), 20_000);
  example.child.kill('SIGINT');
  expect(await example.finished, example.stderr).toBe(0);
  expect(example.stdout).toMatch(/^fs\.create .*\/file-0 by producer \(\d+\)$/m);
});
