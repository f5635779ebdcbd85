// What goes wrong, how it ends, and the command that people run.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { GAP_CAUSE_MALFORMED, GAP_CAUSE_QUEUE_OVERFLOW, GAP_CAUSE_WORKER_RESTART } from '../../../layout/entry.ts';
import * as layout from '../../../layout/kernel-record.ts';
import type { Arena } from '../../../src/arena/arena.ts';
import type { Native } from '../../../src/arena/native.ts';
import { TreeView } from '../../../src/event/tree-view.ts';
import { openFanotifyReader } from '../../../src/source/fanotify/index.ts';
import { Command, jsonLines } from '../../cli/run.ts';
import { requires } from '../../support/capabilities.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { CHANGES, expectIdentical, onOwnFileSystem, openFanotify, STRUCTURE, told, watching } from './open-fanotify.ts';

describe('fanotify losses', requires('fanotify'), () => {
  onOwnFileSystem();

  it('of a queue that overflowed are told, and made good by comparing', () => {
    const root = temporaryDirectory('fanotify');
    for (const name of ['kept', 'deleted', 'renamed', 'replaced']) fs.mkdirSync(path.join(root, name));
    for (const name of ['changed', 'written', 'gone']) fs.writeFileSync(path.join(root, name), 'x');
    fs.writeFileSync(path.join(root, 'renamed', 'content'), 'x');
    const view = new TreeView(root).load();
    const log: string[] = [];
    watching(openFanotify([root], { log, ops: CHANGES }), (harness) => {
      const limit = Number(fs.readFileSync('/proc/sys/fs/fanotify/max_queued_events', 'utf8'));
      // Files of different names: events about one would be merged.
      fs.mkdirSync(path.join(root, 'burst'));
      for (let count = 0; count <= limit; count++) fs.writeFileSync(path.join(root, 'burst', `f${count}`), '');
      fs.rmdirSync(path.join(root, 'deleted'));
      fs.renameSync(path.join(root, 'renamed'), path.join(root, 'kept', 'moved'));
      fs.rmdirSync(path.join(root, 'replaced'));
      fs.writeFileSync(path.join(root, 'replaced'), 'now a file');
      fs.chmodSync(path.join(root, 'changed'), 0o600);
      fs.appendFileSync(path.join(root, 'written'), 'more');
      fs.unlinkSync(path.join(root, 'gone'));
      fs.mkdirSync(path.join(root, 'new', 'deep'), { recursive: true });
      fs.symlinkSync('x', path.join(root, 'new', 'link'));
      const records = expectIdentical(harness, view);
      expect(harness.losses).toEqual([{ cause: GAP_CAUSE_QUEUE_OVERFLOW, from: 0n, to: 0n, count: 0n }]);
      expect(log).toHaveLength(1);
      expect(harness.host.counters().dropped.queueOverflow).toBe(1n);
      const scanned = records.filter(({ variant }) => variant === layout.KERNEL_VARIANT_SCAN);
      expect(told(scanned)).toEqual(
        expect.arrayContaining(['fs.rename renamed', 'fs.chmod changed', 'fs.write written', 'fs.delete gone']),
      );
      expect(scanned.every(({ flags }) => (flags & layout.KERNEL_FLAG_PID_UNKNOWN) !== 0)).toBe(true);
      // And it goes on.
      fs.writeFileSync(path.join(root, 'kept', 'moved', 'later'), 'x');
      fs.writeFileSync(path.join(root, 'new', 'deep', 'later'), 'x');
      expect(told(expectIdentical(harness, view))).toContain('fs.create later');
    });
  });

  it('of events that cannot be understood are told, counted, and made good', () => {
    const root = temporaryDirectory('fanotify');
    const view = new TreeView(root).load();
    let isBroken = false;
    const wrap = (arena: Arena): Arena => {
      const real = arena.native as Native;
      const read: Native['read'] = (fd, buffer, length) => {
        const count = Number(real.read(fd, buffer, length));
        // The version of the first event.
        if (isBroken && count > 0) buffer[4] = 99;
        return count;
      };
      return Object.create(arena, { native: { value: { ...real, read } } }) as Arena;
    };
    watching(openFanotify([root], { ops: STRUCTURE, wrap }), (harness) => {
      harness.clear();
      isBroken = true;
      fs.mkdirSync(path.join(root, 'd'));
      fs.writeFileSync(path.join(root, 'd', 'f'), '');
      harness.turn();
      isBroken = false;
      expectIdentical(harness, view);
      expect(harness.losses).toEqual([{ cause: GAP_CAUSE_MALFORMED, from: 0n, to: 0n, count: 1n }]);
      expect(harness.host.counters().dropped.malformed).toBe(1n);
    });
  });

  it('of a reader that died are told once by its replacement, which goes on with the numbers', () => {
    const root = temporaryDirectory('fanotify');
    watching(openFanotify([root], { ops: STRUCTURE }), (harness) => {
      fs.writeFileSync(path.join(root, 'a'), '');
      harness.barrier();
      const dead = harness.reader;
      fs.writeFileSync(path.join(root, 'b'), '');
      harness.reader = openFanotifyReader(harness.arena, harness.host.plan);
      fs.writeFileSync(path.join(root, 'c'), '');
      harness.barrier();
      expect(harness.losses).toEqual([{ cause: GAP_CAUSE_WORKER_RESTART, from: 0n, to: 0n, count: 0n }]);
      expect(harness.records.map(({ name, laneSequence }) => [path.basename(name), laneSequence])).toEqual([
        ['a', 1n],
        ['c', 2n],
      ]);
      dead.close();
    });
  });

  it('do not come from a ring that is full: what waits is kept in order', () => {
    const root = temporaryDirectory('fanotify');
    const outside = temporaryDirectory('outside');
    for (let index = 0; index < 500; index++) fs.writeFileSync(path.join(outside, `f${index}`), '');
    const view = new TreeView(root);
    watching(openFanotify([root], { ops: STRUCTURE, ringCapacity: 4096 }), (harness) => {
      fs.renameSync(outside, path.join(root, 'in'));
      fs.writeFileSync(path.join(root, 'last'), '');
      const position = harness.reader.mark();
      const records = expectIdentical(harness, view);
      expect(records.length).toBe(502);
      expect(records.at(-1)?.name).toBe(path.join(root, 'last'));
      expect(harness.reader.mark()).toBe(position);
      expect(harness.losses).toEqual([]);
      fs.mkdirSync(outside);
    });
  });
});

describe('fanotify reader', requires('fanotify'), () => {
  onOwnFileSystem();

  it('waits until something happens, somebody wakes it, or the time is over', () => {
    const root = temporaryDirectory('fanotify');
    watching(openFanotify([root]), (harness) => {
      // Longer than the test may take: a wait that is not ended by what should end it fails the test.
      const forever = 600_000;
      harness.barrier();
      harness.reader.wait(30);
      fs.writeFileSync(path.join(root, 'a'), '');
      harness.reader.wait(forever);
      expect(harness.reader.poll()).toBeGreaterThan(0);
      harness.barrier();
      fs.writeSync(harness.host.plan.details.wakeFd as number, Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]));
      harness.reader.wait(forever);
      expect(harness.reader.poll()).toBe(0);
    });
  });

  it('closes what it opened, twice without harm, and keeps nothing from being unmounted', () => {
    const count = () => fs.readdirSync('/proc/self/fd').length;
    const before = count();
    const mounted = temporaryDirectory('mounted');
    expect(spawnSync('mount', ['-t', 'tmpfs', 'causeway-test', mounted]).status).toBe(0);
    const harness = openFanotify([mounted]);
    fs.mkdirSync(path.join(mounted, 'd'));
    harness.barrier();
    // Group, eventfd, epoll, the table of mounts.
    expect(count()).toBe(before + 4);
    expect(spawnSync('umount', [mounted]).status).toBe(0);
    harness.barrier();
    harness.close();
    harness.reader.close();
    harness.host.close();
    expect(count()).toBe(before);
    expect(harness.reader.poll()).toBe(0);
  });
});

describe('fanotify without privileges', requires('fanotify', 'otherUser'), () => {
  it('says what it needs', async () => {
    const directory = temporaryDirectory('fanotify');
    fs.chmodSync(directory, 0o777);
    const { exitCode, stderr } = await new Command(['watch', '--source', 'fanotify', directory], {
      unprivileged: true,
    }).finished;
    expect(exitCode).toBe(4);
    expect(stderr).toContain('needs root (CAP_SYS_ADMIN)');
  });
});

describe('watch --source fanotify --user', requires('fanotify', 'otherUser'), () => {
  onOwnFileSystem();

  it('goes on telling what happens where the user cannot look', async () => {
    const directory = temporaryDirectory('watch');
    fs.chmodSync(directory, 0o755);
    const closed = path.join(directory, 'closed');
    fs.mkdirSync(closed, { mode: 0o700 });
    const command = new Command([
      'watch',
      '--source',
      'fanotify',
      '--user',
      '65534',
      '--json',
      '--type',
      'fs.*',
      directory,
    ]);
    await command.until('caughtUp');
    fs.writeFileSync(path.join(closed, 'a'), '');
    fs.renameSync(path.join(closed, 'a'), path.join(closed, 'b'));
    fs.mkdirSync(path.join(closed, 'd'));
    fs.writeFileSync(path.join(closed, 'd', 'f'), '');
    await command.until('closed/d/f');
    command.child.kill('SIGINT');
    const lines = jsonLines((await command.finished).stdout);
    const changes = lines.filter(({ type, data }) => type === 'event' && data.type !== 'fs.write');
    expect(changes.map(({ data }) => `${data.type} ${path.relative(directory, data.path)} ${data.pid}`)).toEqual(
      ['fs.create closed/a', 'fs.rename closed/a', 'fs.mkdir closed/d', 'fs.create closed/d/f'].map(
        (line) => `${line} ${process.pid}`,
      ),
    );
    expect(lines.at(-1)).toMatchObject({ type: 'summary', data: { lost: 0, gaps: 0 } });
  });
});

describe('watch --source fanotify', requires('fanotify'), () => {
  onOwnFileSystem();

  it('shows what a command does, and which process did it', async () => {
    const directory = temporaryDirectory('watch');
    const script = 'mkdir d; echo x > d/a; mv d/a d/b; rm -r d; true';
    const command = new Command(['watch', '--source', 'fanotify', '--json', '-c', script, directory], {
      cwd: directory,
    });
    const { exitCode, stdout, stderr } = await command.finished;
    expect(exitCode).toBe(0);
    expect(stderr).toContain('does not know which processes the command starts');
    const lines = jsonLines(stdout);
    const events = lines.filter(({ type }) => type === 'event').map(({ data }) => data);
    const changes = events.filter(({ type }) => type.startsWith('fs.') && type !== 'fs.read');
    const relative = (name: string | null) => (name ?? '').replace(`${directory}/`, '');
    expect(changes.map(({ type, path: at, path2 }) => `${type} ${relative(at)} ${relative(path2)}`.trim())).toEqual([
      ...['fs.mkdir d', 'fs.create d/a', 'fs.write d/a', 'fs.rename d/a d/b', 'fs.delete d/b', 'fs.rmdir d'],
    ]);
    const [mkdir, create, write, rename] = changes;
    expect(changes.every(({ pid }) => pid > 0)).toBe(true);
    expect(create?.pid).toBe(write?.pid);
    expect(new Set([mkdir?.pid, create?.pid, rename?.pid]).size).toBe(3);
    expect(events.every((event) => event.cpu === undefined && event.durationNs === undefined)).toBe(true);
    expect(lines.at(-1)).toMatchObject({ type: 'summary', data: { lost: 0, gaps: 0, complete: true } });
  });
});
