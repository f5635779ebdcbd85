// The demonstrations: what they show is real, they end when asked, and they leave nothing behind.

import { chmodSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { requires } from '../support/capabilities.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { Command, jsonLines, run } from './run.ts';

/** The demonstrations work in the temporary directory: one of their own, to see what they leave there. */
function ownTemporaryDirectory(): { env: { TMPDIR: string }; leftovers: () => string[] } {
  const directory = temporaryDirectory('tmp');
  chmodSync(directory, 0o777);
  return {
    env: { TMPDIR: directory },
    leftovers: () => readdirSync(directory).filter((name) => name.startsWith('causeway-')),
  };
}

describe.each([
  ['ebpf', requires('bpf'), {}],
  ['inotify as an ordinary user', requires('otherUser', 'koffi'), { unprivileged: true }],
] as const)('demo storm with %s', (name, needs, options) => {
  describe('a storm', needs, () => {
    it('ends with the real tree', async () => {
      const { env, leftovers } = ownTemporaryDirectory();
      const { exitCode, stdout } = await run(['demo', 'storm', '--seconds', '2', '--json'], { ...options, env });
      const [line] = jsonLines(stdout);
      expect(line).toMatchObject({
        type: 'summary',
        data: { identical: true, differences: [], fsWatch: { events: expect.any(Number) } },
      });
      expect(exitCode).toBe(0);
      expect(line?.data.operations).toBeGreaterThan(1000);
      expect(line?.data.entries).toBeGreaterThan(10);
      if (name === 'ebpf') {
        expect(line?.data.lost).toBe(0);
        expect(line?.data.eventsByType).toEqual(line?.data.operationsByType);
      }
      expect(leftovers()).toEqual([]);
    });
  });
});

describe('demo storm', () => {
  it('tells people what came of it', async () => {
    const { env } = ownTemporaryDirectory();
    const { exitCode, stdout } = await run(['demo', 'storm', '--seconds', '0.5', '--processes', '2'], { env });
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/The storm +[\d,]+ changes by 2 processes in 0\.5 s/);
    expect(stdout).toMatch(/its tree: identical to the real tree/);
    expect(stdout).toContain('fs.watch');
  });

  it('ends with Ctrl-C', async () => {
    const { env, leftovers } = ownTemporaryDirectory();
    const command = new Command(['demo', 'storm', '--seconds', '60', '--json'], { env });
    while (leftovers().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    command.child.kill('SIGINT');
    expect((await command.finished).exitCode).toBe(0);
    expect(leftovers()).toEqual([]);
  });
});

describe('demo live', () => {
  it('shows real programs at work, and ends them and their files with itself', async () => {
    const { env, leftovers } = ownTemporaryDirectory();
    const command = new Command(['demo', 'live', '--json'], { env });
    await command.until('counter.ts', 30_000);
    await command.until('server.log', 30_000);
    command.child.kill('SIGINT');
    const { exitCode, stdout } = await command.finished;
    expect(exitCode).toBe(0);
    expect(jsonLines(stdout).at(-1)?.type).toBe('summary');
    expect(leftovers()).toEqual([]);
  });

  it('leaves nothing behind even when it is killed', async () => {
    const { env, leftovers } = ownTemporaryDirectory();
    const command = new Command(['demo', 'live', '--json'], { env });
    await command.until('server.log', 30_000);
    command.child.kill('SIGKILL');
    await command.finished;
    const deadline = Date.now() + 25_000;
    while (leftovers().length > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 200));
    expect(leftovers()).toEqual([]);
  });

  it('ends by itself after --seconds', async () => {
    const { env, leftovers } = ownTemporaryDirectory();
    const { exitCode, stdout } = await run(['demo', 'live', '--seconds', '3'], { env });
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/fs\.write +log\/server\.log/);
    expect(leftovers()).toEqual([]);
  });
});
