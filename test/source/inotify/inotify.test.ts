import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { GAP_CAUSE_QUEUE_OVERFLOW, GAP_CAUSE_WATCH_FAILED, GAP_CAUSE_WORKER_RESTART } from '../../../layout/entry.ts';
import * as layout from '../../../layout/kernel-record.ts';
import type { Arena } from '../../../src/arena/arena.ts';
import { loadNative, type Native } from '../../../src/arena/native.ts';
import { TreeView } from '../../../src/event/tree-view.ts';
import { EventQueue } from '../../../src/source/inotify/event-queue.ts';
import { attachInotify, openInotifyReader } from '../../../src/source/inotify/index.ts';
import { outermost } from '../../../src/source/tree/outermost.ts';
import { requires } from '../../support/capabilities.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { sourceConformance } from '../conformance.ts';
import { arenaForSource, eventOf, type Harness, type Seen, sourceOptions } from '../source-harness.ts';
import { openInotify } from './open-inotify.ts';

const STRUCTURE = [4, 5, 6, 10, 11, 13, 14];
const ENOSPC = 28;

function watching<Result>(harness: Harness, use: (harness: Harness) => Result): Result {
  try {
    return use(harness);
  } finally {
    harness.close();
  }
}

/** An arena whose inotify_add_watch fails for some paths. */
function failingWatches(isFailing: (path: string) => boolean, errno: number): (arena: Arena) => Arena {
  return (arena) => {
    const real = arena.native as Native;
    let failed = false;
    const native: Native = {
      ...real,
      inotifyAddWatch: (fd, where, mask) => {
        failed = isFailing(Buffer.from(where).toString());
        return failed ? -1 : real.inotifyAddWatch(fd, where, mask);
      },
      errno: () => (failed ? errno : real.errno()),
    };
    return Object.create(arena, { native: { value: native } }) as Arena;
  };
}

const told = (records: Seen[]) => records.map(({ type, name }) => `${type} ${path.basename(name)}`);

describe('inotify source', requires('koffi'), () => {
  sourceConformance({ factory: (root) => openInotify([root]) });

  it('says that process and time are not known', () => {
    const root = temporaryDirectory('inotify');
    watching(openInotify([root]), (harness) => {
      const before = process.hrtime.bigint();
      fs.writeFileSync(path.join(root, 'a'), 'content', { mode: 0o600 });
      harness.barrier();
      const [created] = harness.records;
      const flags = layout.KERNEL_FLAG_PID_UNKNOWN | layout.KERNEL_FLAG_TIME_ESTIMATED;
      const stat = fs.lstatSync(path.join(root, 'a'), { bigint: true });
      expect(created).toMatchObject({ type: 'fs.create', pid: 0, flags, inode: stat.ino, device: stat.dev, size: 7n });
      expect(created?.mode).toBe(0o100600);
      expect(created?.timeNs).toBeGreaterThan(before);
      expect(harness.records.map(({ laneSequence }) => Number(laneSequence))).toEqual(
        harness.records.map((_, at) => at + 1),
      );
      expect(harness.host.counters().produced).toBe(BigInt(harness.records.length));
    });
  });

  it('tells what is done with a file, and with a directory, once each - and not what it does itself', () => {
    const root = temporaryDirectory('inotify');
    watching(openInotify([root]), (harness) => {
      fs.mkdirSync(path.join(root, 'd'));
      fs.mkdirSync(path.join(root, 'd', 'e'));
      harness.barrier();
      expect(told(harness.records)).toEqual(['fs.mkdir d', 'fs.mkdir e']);
      harness.clear();
      fs.writeFileSync(path.join(root, 'd', 'f'), 'x');
      fs.readFileSync(path.join(root, 'd', 'f'));
      fs.readdirSync(path.join(root, 'd'));
      fs.chmodSync(path.join(root, 'd'), 0o700);
      fs.utimesSync(path.join(root, 'd'), 1, 1);
      harness.barrier();
      expect(told(harness.records)).toEqual([
        ...['fs.create f', 'access.open f', 'fs.write f', 'access.close f'],
        ...['access.open f', 'fs.read f', 'access.close f'],
        ...['access.open d', 'access.readdir d', 'access.readdir d', 'access.close d', 'fs.chmod d'],
      ]);
      expect(harness.records.at(-1)).toMatchObject({ mode: 0o040700, argument: 0o700n });
    });
  });

  it('asks only for what is wanted', () => {
    const root = temporaryDirectory('inotify');
    watching(openInotify([root], { ops: [layout.KERNEL_OP_FILE_DELETE] }), (harness) => {
      fs.writeFileSync(path.join(root, 'a'), 'x');
      fs.unlinkSync(path.join(root, 'a'));
      harness.barrier();
      expect(told(harness.records)).toEqual(['fs.delete a']);
    });
  });

  it('tells two names that change places at once as one exchange', () => {
    const root = temporaryDirectory('inotify');
    const [one, two] = [path.join(root, 'one'), path.join(root, 'two')];
    fs.mkdirSync(path.join(one, 'in'), { recursive: true });
    fs.writeFileSync(two, 'x');
    const view = new TreeView(root).load();
    watching(openInotify([root]), (harness) => {
      const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
      const renameat2 = koffi.load('libc.so.6').func('int renameat2(int, const char *, int, const char *, uint32_t)');
      expect(renameat2(-100, one, -100, two, 2)).toBe(0);
      fs.writeFileSync(path.join(two, 'in', 'later'), 'x');
      harness.barrier();
      const renames = harness.records.filter(({ type }) => type === 'fs.rename');
      expect(renames.map(({ name, name2, argument }) => [name, name2, argument])).toEqual([[one, two, 2n]]);
      for (const record of harness.records) view.apply(eventOf(record));
      expect(view.compare()).toEqual([]);
    });
  });

  it('tells an owner that changed', requires('root'), () => {
    const root = temporaryDirectory('inotify');
    fs.writeFileSync(path.join(root, 'a'), 'x');
    watching(openInotify([root]), (harness) => {
      fs.chownSync(path.join(root, 'a'), 1234, 5678);
      harness.barrier();
      expect(harness.records.map(({ type, argument }) => [type, argument])).toEqual([
        ['fs.chown', (1234n << 32n) | 5678n],
      ]);
    });
  });

  it('tells an unmounted file system, and follows what lay below it', requires('mount'), () => {
    const root = temporaryDirectory('inotify');
    const mounted = path.join(root, 'm');
    fs.mkdirSync(path.join(mounted, 'below'), { recursive: true });
    expect(spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', mounted]).status).toBe(0);
    let isMounted = true;
    try {
      fs.mkdirSync(path.join(mounted, 'd'));
      const view = new TreeView(root).load();
      watching(openInotify([root]), (harness) => {
        fs.writeFileSync(path.join(mounted, 'd', 'f'), 'x');
        harness.barrier();
        expect(spawnSync('umount', [mounted]).status).toBe(0);
        isMounted = false;
        harness.barrier();
        harness.barrier();
        fs.writeFileSync(path.join(mounted, 'below', 'f'), 'x');
        harness.barrier();
        expect(told(harness.records).filter((line) => line.startsWith('system'))).toEqual(['system.unmount m']);
        for (const record of harness.records) view.apply(eventOf(record));
        expect(view.compare()).toEqual([]);
      });
    } finally {
      if (isMounted) spawnSync('umount', [mounted]);
    }
  });
});

describe('inotify roots', requires('koffi'), () => {
  it('are watched once if one lies in another', () => {
    expect(outermost(['/a/b', '/a', '/ab', '/a/b/c', '/a'])).toEqual(['/a', '/ab']);
    expect(outermost(['/x', '/'])).toEqual(['/']);
  });

  it('may be several, and files, which are followed through atomic saves', () => {
    const base = temporaryDirectory('inotify');
    const [one, two, file] = ['one', 'two', 'file'].map((name) => path.join(base, name)) as [string, string, string];
    fs.mkdirSync(one);
    fs.mkdirSync(two);
    fs.writeFileSync(file, 'x');
    watching(openInotify([one, two, file], { ops: [...STRUCTURE, layout.KERNEL_OP_FILE_WRITE] }), (harness) => {
      fs.writeFileSync(path.join(one, 'a'), '');
      fs.writeFileSync(path.join(two, 'b'), '');
      fs.writeFileSync(path.join(base, 'neighbour'), '');
      fs.appendFileSync(file, 'x');
      fs.writeFileSync(path.join(base, 'temporary'), 'new');
      fs.renameSync(path.join(base, 'temporary'), file);
      fs.appendFileSync(file, 'x');
      fs.unlinkSync(file);
      harness.barrier();
      expect(told(harness.records)).toEqual([
        ...['fs.create a', 'fs.create b', 'fs.write file', 'fs.create file', 'fs.write file', 'fs.delete file'],
      ]);
    });
  });

  it('are followed when they are deleted and made again', () => {
    const root = path.join(temporaryDirectory('inotify'), 'root');
    fs.mkdirSync(root);
    watching(openInotify([root], { ops: STRUCTURE }), (harness) => {
      fs.writeFileSync(path.join(root, 'a'), '');
      fs.rmSync(root, { recursive: true });
      harness.barrier();
      fs.mkdirSync(root);
      fs.writeFileSync(path.join(root, 'b'), '');
      harness.barrier();
      expect(told(harness.records)).toEqual([
        'fs.create a',
        'fs.delete a',
        'fs.rmdir root',
        'fs.mkdir root',
        'fs.create b',
      ]);
    });
  });

  it('whose parent cannot be watched say when they are gone', () => {
    const base = temporaryDirectory('inotify');
    const root = path.join(base, 'root');
    fs.mkdirSync(root);
    const log: string[] = [];
    const wrap = failingWatches((where) => where === base, 13);
    watching(openInotify([root], { ops: STRUCTURE, log, wrap }), (harness) => {
      fs.writeFileSync(path.join(root, 'a'), '');
      harness.barrier();
      fs.rmSync(root, { recursive: true });
      harness.barrier();
      expect(told(harness.records)).toEqual(['fs.create a', 'fs.delete a', 'fs.rmdir root']);
      expect(harness.losses).toMatchObject([{ cause: GAP_CAUSE_WATCH_FAILED }]);
      expect(log).toEqual([`inotify: cannot watch ${root}: ENOENT`]);
    });
  });
});

describe('inotify losses', requires('koffi'), () => {
  it('of a queue that overflowed are told, and made good by comparing', () => {
    const root = temporaryDirectory('inotify');
    for (const name of ['kept', 'deleted', 'renamed', 'replaced']) fs.mkdirSync(path.join(root, name));
    for (const name of ['changed', 'written', 'gone', 'other']) fs.writeFileSync(path.join(root, name), 'x');
    fs.writeFileSync(path.join(root, 'renamed', 'content'), 'x');
    const otherTime = fs.statSync(path.join(root, 'other')).mtime;
    fs.utimesSync(path.join(root, 'other'), otherTime, otherTime);
    const view = new TreeView(root).load();
    const log: string[] = [];
    watching(openInotify([root], { log }), (harness) => {
      const limit = Number(fs.readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'));
      // Two files in turn: equal events in a row would be merged.
      for (let count = 0; count <= limit; count++) fs.utimesSync(path.join(root, count % 2 ? 'other' : 'gone'), 1, 1);
      fs.utimesSync(path.join(root, 'other'), otherTime, otherTime);
      fs.rmdirSync(path.join(root, 'deleted'));
      fs.renameSync(path.join(root, 'renamed'), path.join(root, 'kept', 'moved'));
      fs.rmdirSync(path.join(root, 'replaced'));
      fs.writeFileSync(path.join(root, 'replaced'), 'now a file');
      fs.chmodSync(path.join(root, 'changed'), 0o600);
      fs.appendFileSync(path.join(root, 'written'), 'more');
      fs.unlinkSync(path.join(root, 'gone'));
      fs.mkdirSync(path.join(root, 'new', 'deep'), { recursive: true });
      fs.symlinkSync('x', path.join(root, 'new', 'link'));
      harness.barrier();
      expect(harness.losses).toEqual([{ cause: GAP_CAUSE_QUEUE_OVERFLOW, from: 0n, to: 0n, count: 0n }]);
      expect(log).toHaveLength(1);
      expect(harness.host.counters().dropped.queueOverflow).toBe(1n);
      const scanned = harness.records.filter(({ variant }) => variant === layout.KERNEL_VARIANT_SCAN);
      expect(told(scanned)).toEqual(
        expect.arrayContaining([
          'fs.rename renamed',
          'fs.chmod changed',
          'fs.write written',
          'fs.delete gone',
          'fs.symlink link',
        ]),
      );
      expect(told(scanned)).not.toContain('fs.write other');
      for (const record of harness.records.splice(0)) view.apply(eventOf(record));
      expect(view.compare()).toEqual([]);
      // And it goes on.
      fs.writeFileSync(path.join(root, 'kept', 'moved', 'later'), 'x');
      fs.writeFileSync(path.join(root, 'new', 'deep', 'later'), 'x');
      harness.barrier();
      for (const record of harness.records.splice(0)) view.apply(eventOf(record));
      expect(view.compare()).toEqual([]);
    });
  });

  it('of directories that cannot be watched are told, and the rest goes on', () => {
    const root = temporaryDirectory('inotify');
    fs.mkdirSync(path.join(root, 'full-before'));
    const log: string[] = [];
    const wrap = failingWatches((where) => where.includes('full'), ENOSPC);
    watching(openInotify([root], { log, wrap, ops: STRUCTURE }), (harness) => {
      fs.mkdirSync(path.join(root, 'full', 'deep'), { recursive: true });
      fs.mkdirSync(path.join(root, 'good'));
      harness.barrier();
      fs.writeFileSync(path.join(root, 'full', 'unseen'), '');
      fs.writeFileSync(path.join(root, 'good', 'seen'), '');
      harness.barrier();
      expect(told(harness.records)).toEqual(['fs.mkdir full', 'fs.mkdir deep', 'fs.mkdir good', 'fs.create seen']);
      expect(harness.losses.map(({ cause }) => cause)).toContain(GAP_CAUSE_WATCH_FAILED);
      expect(log[0]).toBe(`inotify: cannot watch ${root}/full-before: ENOSPC (fs.inotify.max_user_watches)`);
      expect(harness.host.counters().dropped.watchFailed).toBe(3n);
    });
  });

  it('of a reader that died are told once by its replacement, which goes on with the numbers', () => {
    const root = temporaryDirectory('inotify');
    watching(openInotify([root], { ops: STRUCTURE }), (harness) => {
      fs.writeFileSync(path.join(root, 'a'), '');
      harness.barrier();
      const dead = harness.reader;
      fs.writeFileSync(path.join(root, 'b'), '');
      harness.reader = openInotifyReader(harness.arena, harness.host.plan);
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
    const root = temporaryDirectory('inotify');
    const outside = temporaryDirectory('outside');
    for (let index = 0; index < 500; index++) fs.writeFileSync(path.join(outside, `f${index}`), '');
    const view = new TreeView(root);
    watching(openInotify([root], { ops: STRUCTURE, ringCapacity: 4096 }), (harness) => {
      fs.renameSync(outside, path.join(root, 'in'));
      fs.writeFileSync(path.join(root, 'last'), '');
      const position = harness.reader.mark();
      harness.barrier();
      expect(harness.records.length).toBe(502);
      expect(harness.records.at(-1)?.name).toBe(path.join(root, 'last'));
      expect(harness.reader.mark()).toBe(position);
      expect(harness.losses).toEqual([]);
      for (const record of harness.records) view.apply(eventOf(record));
      expect(view.compare()).toEqual([]);
      fs.mkdirSync(outside);
    });
  });
});

describe('inotify reader', requires('koffi'), () => {
  it('waits until something happens, somebody wakes it, or the time is over', () => {
    const root = temporaryDirectory('inotify');
    watching(openInotify([root]), (harness) => {
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

  it('closes what it opened, twice without harm', () => {
    const count = () => fs.readdirSync('/proc/self/fd').length;
    const before = count();
    const harness = openInotify([temporaryDirectory('inotify')]);
    expect(count()).toBe(before + 3);
    harness.close();
    harness.reader.close();
    harness.host.close();
    expect(count()).toBe(before);
    expect(harness.reader.poll()).toBe(0);
  });

  it('refuses to tell processes apart', () => {
    const arena = arenaForSource(4096);
    const options = sourceOptions({ paths: ['/tmp'], pids: [1], ringCapacity: 4096 });
    expect(() => attachInotify(arena, options)).toThrow(/cannot tell processes apart: pids=1/);
  });
});

describe('inotify event queue', requires('koffi'), () => {
  /** A queue whose reads give these bytes. */
  function queueOf(bytes: Uint8Array): EventQueue {
    const real = loadNative() as Native;
    let given = false;
    const native: Native = {
      ...real,
      read: (_fd, buffer) => {
        if (given) return -1;
        given = true;
        buffer.set(bytes);
        return bytes.length;
      },
      errno: () => 11,
    };
    return new EventQueue(native);
  }

  test.prop([fc.uint8Array({ minLength: 1, maxLength: 200 })])(
    'takes or refuses any bytes, and does not read outside of them',
    (bytes) => {
      const queue = queueOf(bytes);
      try {
        queue.fill();
        for (let event = queue.peek(); event !== undefined; event = queue.peek()) {
          queue.takeMovedTo(event.cookie);
          queue.advance();
        }
        expect(queue.position).toBe(bytes.length);
      } catch (error) {
        expect(String(error)).toMatch(/inotify: event at \d+: nameLength=\d+, nameLengthMax=256, available=\d+/);
      } finally {
        queue.close();
      }
    },
  );
});

describe('inotify as an unprivileged user', requires('koffi', 'otherUser'), () => {
  it('passes all of the above', () => {
    const vitest = path.resolve(import.meta.dirname, '../../../node_modules/vitest/vitest.mjs');
    const home = temporaryDirectory('nobody');
    fs.chmodSync(home, 0o777);
    const args = [
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      process.execPath,
      vitest,
      'run',
      '--configLoader',
      'runner',
    ];
    const run = spawnSync('setpriv', [...args, import.meta.filename, '-t', 'inotify (source|roots|losses)'], {
      cwd: path.resolve(import.meta.dirname, '../../..'),
      env: { ...process.env, HOME: home, TMPDIR: home, CAUSEWAY_TEST_DIRECTORY: home },
      encoding: 'utf8',
    });
    expect(run.status, run.stdout + run.stderr).toBe(0);
  });
});
