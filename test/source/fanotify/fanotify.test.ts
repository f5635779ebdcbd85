import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  GAP_CAUSE_MALFORMED,
  GAP_CAUSE_QUEUE_OVERFLOW,
  GAP_CAUSE_WATCH_FAILED,
  GAP_CAUSE_WORKER_RESTART,
} from '../../../layout/entry.ts';
import * as layout from '../../../layout/kernel-record.ts';
import type { Arena } from '../../../src/arena/arena.ts';
import type { Native } from '../../../src/arena/native.ts';
import { TreeView } from '../../../src/event/tree-view.ts';
import { attachFanotify, openFanotifyReader } from '../../../src/source/fanotify/index.ts';
import { Command, jsonLines } from '../../cli/run.ts';
import { requires } from '../../support/capabilities.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { sourceConformance } from '../conformance.ts';
import { arenaForSource, eventOf, type Harness, type Seen, sourceOptions } from '../source-harness.ts';
import { onOwnFileSystem, openFanotify } from './open-fanotify.ts';

const STRUCTURE = [4, 5, 6, 10, 11, 13, 14];
const CHANGES = [...STRUCTURE, layout.KERNEL_OP_FILE_WRITE, layout.KERNEL_OP_FILE_CHMOD, layout.KERNEL_OP_FILE_CHOWN];

function watching<Result>(harness: Harness, use: (harness: Harness) => Result): Result {
  try {
    return use(harness);
  } finally {
    harness.close();
  }
}

const told = (records: Seen[]) => records.map(({ type, name }) => `${type} ${path.basename(name)}`);

/** Applies what was told, and compares with what is there. */
function expectIdentical(harness: Harness, view: TreeView): Seen[] {
  harness.barrier();
  const records = harness.records.splice(0);
  for (const record of records) view.apply(eventOf(record));
  expect(view.compare()).toEqual([]);
  return records;
}

function renameat2(from: string, to: string, flags: number): void {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const call = koffi.load('libc.so.6').func('int renameat2(int, const char *, int, const char *, uint32_t)');
  expect(call(-100, from, -100, to, flags)).toBe(0);
}

/** A process that runs the script and then lives until its standard input ends. */
async function living(script: string, cwd: string, before: readonly string[] = []): Promise<ChildProcess> {
  const [program = 'sh', ...args] = [...before, 'sh', '-c', `${script}; echo done; read line`];
  const child = spawn(program, args, { cwd, stdio: ['pipe', 'pipe', 'inherit'] });
  if (child.stdout !== null) await once(child.stdout, 'data');
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  child.stdin?.end();
  await once(child, 'close');
}

describe('fanotify source', requires('fanotify'), () => {
  onOwnFileSystem();
  sourceConformance({ factory: (root) => openFanotify([root]) });

  it('tells the process, but neither the exact time nor the CPU', () => {
    const root = temporaryDirectory('fanotify');
    watching(openFanotify([root]), (harness) => {
      const before = process.hrtime.bigint();
      fs.writeFileSync(path.join(root, 'a'), 'content', { mode: 0o600 });
      harness.barrier();
      const [created] = harness.records;
      const stat = fs.lstatSync(path.join(root, 'a'), { bigint: true });
      expect(created).toMatchObject({
        type: 'fs.create',
        pid: process.pid,
        inode: stat.ino,
        device: stat.dev,
        size: 7n,
      });
      expect(created).toMatchObject({ uid: process.getuid?.(), gid: process.getgid?.(), tid: 0, mode: 0o100600 });
      expect(created?.flags).toBe(layout.KERNEL_FLAG_TIME_ESTIMATED);
      expect(Buffer.from(created?.comm ?? [])).toEqual(
        Buffer.from(fs.readFileSync('/proc/self/comm', 'utf8').trimEnd()),
      );
      expect(created?.timeNs).toBeGreaterThan(before);
      expect(harness.records.map(({ laneSequence }) => Number(laneSequence))).toEqual(
        harness.records.map((_, at) => at + 1),
      );
      expect(harness.host.counters().produced).toBe(BigInt(harness.records.length));
    });
  });

  it('tells user and name of another process while it lives', async () => {
    const root = temporaryDirectory('fanotify');
    fs.chmodSync(root, 0o777);
    const harness = openFanotify([root], { ops: CHANGES });
    const child = await living('echo x > file', root, ['setpriv', '--reuid=1234', '--regid=5678', '--clear-groups']);
    watching(harness, () => harness.barrier());
    await ended(child);
    expect(told(harness.records)).toEqual(['fs.create file', 'fs.write file']);
    for (const record of harness.records) {
      expect(record).toMatchObject({ pid: child.pid, uid: 1234, gid: 5678 });
      expect(Buffer.from(record.comm).toString()).toBe('sh');
      expect(record.flags & layout.KERNEL_FLAG_ACTOR_UNKNOWN).toBe(0);
    }
  });

  it('says of a process that has ended that its user and name are not known', () => {
    const root = temporaryDirectory('fanotify');
    watching(openFanotify([root], { ops: CHANGES }), (harness) => {
      const { pid } = spawnSync('touch', [path.join(root, 'file')]);
      harness.barrier();
      expect(harness.records[0]).toMatchObject({ type: 'fs.create', pid, uid: 0, gid: 0 });
      expect(harness.records[0]?.comm).toHaveLength(0);
      expect(harness.records[0]?.flags).toBe(layout.KERNEL_FLAG_TIME_ESTIMATED | layout.KERNEL_FLAG_ACTOR_UNKNOWN);
    });
  });

  it('notices that a process has executed another program', async () => {
    const root = temporaryDirectory('fanotify');
    const harness = openFanotify([root], { ops: STRUCTURE });
    const child = spawn(
      'sh',
      [
        '-c',
        ": > one; echo; read line; exec node -e \"require('fs').writeFileSync('two', ''); process.stdin.resume()\"",
      ],
      {
        cwd: root,
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    await once(child.stdout, 'data');
    harness.barrier();
    child.stdin.write('\n');
    while (!fs.existsSync(path.join(root, 'two'))) await new Promise((resolve) => setTimeout(resolve, 5));
    watching(harness, () => harness.barrier());
    await ended(child);
    const names = harness.records.map(({ name, pid, comm }) => [
      path.basename(name),
      pid,
      Buffer.from(comm).toString(),
    ]);
    expect(names[0]).toEqual(['one', child.pid, 'sh']);
    expect(names[1]?.slice(0, 2)).toEqual(['two', child.pid]);
    expect(names[1]?.[2]).not.toBe('sh');
  });

  it('tells what is done with a file, and with a directory - and not what it does itself', () => {
    const root = temporaryDirectory('fanotify');
    watching(openFanotify([root]), (harness) => {
      const seen: string[] = [];
      const after = (act: () => void) => {
        act();
        harness.barrier();
        seen.push(...told(harness.records.splice(0)));
      };
      after(() => fs.mkdirSync(path.join(root, 'd')));
      after(() => fs.writeFileSync(path.join(root, 'd', 'f'), 'x'));
      after(() => fs.readFileSync(path.join(root, 'd', 'f')));
      after(() => fs.readdirSync(path.join(root, 'd')));
      after(() => fs.chmodSync(path.join(root, 'd'), 0o700));
      after(() => fs.utimesSync(path.join(root, 'd'), 1, 1));
      expect(seen).toEqual([
        ...['fs.mkdir d', 'fs.create f', 'access.open f', 'fs.write f', 'access.close f'],
        ...['access.open f', 'fs.read f', 'access.close f'],
        ...['access.open d', 'access.readdir d', 'access.close d', 'fs.chmod d'],
      ]);
    });
  });

  it('asks only for what is wanted', () => {
    const root = temporaryDirectory('fanotify');
    watching(openFanotify([root], { ops: [layout.KERNEL_OP_FILE_DELETE] }), (harness) => {
      fs.writeFileSync(path.join(root, 'a'), 'x');
      fs.unlinkSync(path.join(root, 'a'));
      harness.barrier();
      expect(told(harness.records)).toEqual(['fs.delete a']);
    });
  });

  it('tells two names that change places at once as one exchange', () => {
    const root = temporaryDirectory('fanotify');
    const [one, two] = [path.join(root, 'one'), path.join(root, 'two')];
    fs.mkdirSync(path.join(one, 'in'), { recursive: true });
    fs.writeFileSync(two, 'x');
    const view = new TreeView(root).load();
    watching(openFanotify([root]), (harness) => {
      renameat2(one, two, 2);
      fs.writeFileSync(path.join(two, 'in', 'later'), 'x');
      const renames = expectIdentical(harness, view).filter(({ type }) => type === 'fs.rename');
      expect(renames.map(({ name, name2, argument }) => [name, name2, argument])).toEqual([[one, two, 2n]]);
    });
  });

  it('tells an owner that changed', () => {
    const root = temporaryDirectory('fanotify');
    fs.writeFileSync(path.join(root, 'a'), 'x');
    watching(openFanotify([root]), (harness) => {
      fs.chownSync(path.join(root, 'a'), 1234, 5678);
      harness.barrier();
      expect(harness.records.map(({ type, argument }) => [type, argument])).toEqual([
        ['fs.chown', (1234n << 32n) | 5678n],
      ]);
    });
  });

  it('follows a file system that is mounted below a root', () => {
    const root = temporaryDirectory('fanotify');
    const mounted = path.join(root, 'm');
    fs.mkdirSync(mounted);
    expect(spawnSync('mount', ['-t', 'tmpfs', 'causeway-test', mounted]).status).toBe(0);
    try {
      fs.mkdirSync(path.join(mounted, 'd'));
      const view = new TreeView(root).load();
      watching(openFanotify([root]), (harness) => {
        fs.writeFileSync(path.join(mounted, 'd', 'f'), 'x');
        fs.renameSync(path.join(mounted, 'd'), path.join(mounted, 'e'));
        fs.writeFileSync(path.join(root, 'g'), 'x');
        const records = expectIdentical(harness, view);
        expect(told(records)).toEqual(expect.arrayContaining(['fs.create f', 'fs.rename d', 'fs.create g']));
      });
    } finally {
      spawnSync('umount', [mounted]);
    }
  });
});

describe('fanotify events that the kernel has merged', requires('fanotify'), () => {
  onOwnFileSystem();

  it.each([
    [
      'a name that comes, goes and comes again by links',
      (at: (name: string) => string) => {
        fs.writeFileSync(at('x'), '1');
        fs.linkSync(at('x'), at('a'));
        fs.unlinkSync(at('a'));
        fs.linkSync(at('x'), at('a'));
      },
    ],
    [
      'a rename there and back and there',
      (at: (name: string) => string) => {
        fs.writeFileSync(at('x'), '1');
        for (let count = 0; count < 3; count++) {
          fs.renameSync(at('x'), at('a'));
          if (count < 2) fs.renameSync(at('a'), at('x'));
        }
      },
    ],
    [
      'a directory renamed there and back, with files made in both places',
      (at: (name: string) => string) => {
        fs.mkdirSync(at('x'));
        for (let count = 0; count < 5; count++) {
          fs.writeFileSync(at(`x/${count}`), '');
          fs.renameSync(at('x'), at('a'));
          fs.writeFileSync(at(`a/other${count}`), '');
          fs.unlinkSync(at(`a/${count}`));
          if (count < 4) fs.renameSync(at('a'), at('x'));
        }
      },
    ],
    [
      'made, renamed away, back, and deleted',
      (at: (name: string) => string) => {
        fs.writeFileSync(at('x'), '1');
        fs.renameSync(at('x'), at('a'));
        fs.renameSync(at('a'), at('x'));
        fs.unlinkSync(at('x'));
      },
    ],
    [
      'a mode that was changed by a name that is gone',
      (at: (name: string) => string) => {
        fs.writeFileSync(at('x'), '1');
        fs.linkSync(at('x'), at('a'));
        fs.chmodSync(at('x'), 0o600);
        fs.unlinkSync(at('x'));
      },
    ],
    [
      'two directories renamed into each other',
      (at: (name: string) => string) => {
        fs.mkdirSync(at('x/y'), { recursive: true });
        fs.renameSync(at('x/y'), at('y'));
        fs.renameSync(at('x'), at('y/x'));
        fs.renameSync(at('y/x'), at('x'));
        fs.renameSync(at('y'), at('x/y'));
        fs.writeFileSync(at('x/y/file'), '');
      },
    ],
  ])('end with the tree that is there: %s', (_name, act) => {
    const root = temporaryDirectory('fanotify');
    const view = new TreeView(root);
    watching(openFanotify([root], { ops: CHANGES }), (harness) => {
      act((name) => path.join(root, name));
      expectIdentical(harness, view);
      expect(harness.losses).toEqual([]);
    });
  });
});

describe('fanotify filters', requires('fanotify'), () => {
  onOwnFileSystem();

  it('leave out what is outside of the roots, and count it', () => {
    const [root, outside] = [temporaryDirectory('fanotify'), temporaryDirectory('outside')];
    watching(openFanotify([root], { ops: STRUCTURE }), (harness) => {
      for (let count = 0; count < 10; count++) fs.writeFileSync(path.join(outside, `f${count}`), '');
      fs.writeFileSync(path.join(root, 'f'), '');
      harness.barrier();
      expect(told(harness.records)).toEqual(['fs.create f']);
      expect(harness.host.counters().filtered).toBe(10n);
    });
  });

  it('leave out what this process does, unless asked for, and follow it all the same', () => {
    const root = temporaryDirectory('fanotify');
    watching(openFanotify([root], { ops: STRUCTURE, includeSelf: false }), (harness) => {
      fs.mkdirSync(path.join(root, 'own'));
      fs.writeFileSync(path.join(root, 'own', 'file'), '');
      const { pid } = spawnSync('touch', [path.join(root, 'own', 'foreign')]);
      harness.barrier();
      expect(harness.records.map(({ name, pid: by }) => [path.relative(root, name), by])).toEqual([
        ['own/foreign', pid],
      ]);
      expect(harness.host.counters().filtered).toBe(2n);
    });
  });

  it('take only the processes that were asked for', () => {
    const root = temporaryDirectory('fanotify');
    watching(openFanotify([root], { ops: STRUCTURE, pids: [process.pid] }), (harness) => {
      spawnSync('mkdir', [path.join(root, 'foreign')]);
      fs.writeFileSync(path.join(root, 'foreign', 'file'), '');
      harness.barrier();
      expect(told(harness.records)).toEqual(['fs.create file']);
      expect(() => harness.host.addPid(1)).toThrow(/chosen when the source is opened/);
    });
  });

  it('refuse descendants, which cannot be known without a race', () => {
    const arena = arenaForSource(4096);
    const options = sourceOptions({ paths: [temporaryDirectory()], pids: [1], followFork: true, ringCapacity: 4096 });
    expect(() => attachFanotify(arena, options)).toThrow(/followFork=true/);
  });
});

describe('fanotify roots', requires('fanotify'), () => {
  onOwnFileSystem();

  it('may be several, and files, which are followed through atomic saves', () => {
    const base = temporaryDirectory('fanotify');
    const [one, two, file] = ['one', 'two', 'file'].map((name) => path.join(base, name)) as [string, string, string];
    fs.mkdirSync(one);
    fs.mkdirSync(two);
    fs.writeFileSync(file, 'x');
    watching(openFanotify([one, two, file], { ops: [...STRUCTURE, layout.KERNEL_OP_FILE_WRITE] }), (harness) => {
      fs.writeFileSync(path.join(one, 'a'), '');
      fs.writeFileSync(path.join(two, 'b'), '');
      fs.writeFileSync(path.join(base, 'neighbour'), '');
      fs.appendFileSync(file, 'x');
      harness.barrier();
      fs.writeFileSync(path.join(base, 'temporary'), 'new');
      fs.renameSync(path.join(base, 'temporary'), file);
      fs.appendFileSync(file, 'x');
      harness.barrier();
      fs.unlinkSync(file);
      harness.barrier();
      expect(told(harness.records)).toEqual([
        ...['fs.create a', 'fs.create b', 'fs.write file', 'fs.create file', 'fs.write file', 'fs.delete file'],
      ]);
    });
  });

  it('are followed when they are deleted and made again', () => {
    const root = path.join(temporaryDirectory('fanotify'), 'root');
    fs.mkdirSync(root);
    watching(openFanotify([root], { ops: STRUCTURE }), (harness) => {
      fs.writeFileSync(path.join(root, 'a'), '');
      fs.rmSync(root, { recursive: true });
      harness.barrier();
      fs.mkdirSync(root);
      fs.writeFileSync(path.join(root, 'b'), '');
      harness.barrier();
      expect(told(harness.records)).toEqual([
        ...['fs.create a', 'fs.delete a', 'fs.rmdir root', 'fs.mkdir root', 'fs.create b'],
      ]);
    });
  });

  it('that are not there yet are told as not followed, and followed when they come', () => {
    const base = temporaryDirectory('fanotify');
    const root = path.join(base, 'later');
    const log: string[] = [];
    watching(openFanotify([root, base], { ops: STRUCTURE, log }), (harness) => {
      fs.mkdirSync(root);
      harness.barrier();
      expect(told(harness.records)).toEqual(['fs.mkdir later']);
      expect(harness.losses).toEqual([]);
    });
    watching(openFanotify([path.join(base, 'never'), root], { ops: STRUCTURE, log }), (harness) => {
      fs.mkdirSync(path.join(base, 'never'));
      fs.writeFileSync(path.join(base, 'never', 'file'), '');
      harness.barrier();
      expect(told(harness.records)).toEqual(['fs.mkdir never', 'fs.create file']);
      expect(harness.losses).toMatchObject([{ cause: GAP_CAUSE_WATCH_FAILED }]);
      expect(log).toEqual([`fanotify: cannot follow ${base}/never: ENOENT`]);
    });
  });
});

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
    expect(count()).toBe(before + 3);
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
