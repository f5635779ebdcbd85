import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { GAP_CAUSE_WATCH_FAILED } from '../../../layout/entry.ts';
import * as layout from '../../../layout/kernel-record.ts';
import { TreeView } from '../../../src/event/tree-view.ts';
import { attachFanotify } from '../../../src/source/fanotify/index.ts';
import { requires } from '../../support/capabilities.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { sourceConformance } from '../conformance.ts';
import { arenaForSource, sourceOptions } from '../source-harness.ts';
import { CHANGES, expectIdentical, onOwnFileSystem, openFanotify, STRUCTURE, told, watching } from './open-fanotify.ts';

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

describe('fanotify mounts below a root', requires('fanotify'), () => {
  onOwnFileSystem();

  it('are told when they appear and when they go, and followed', () => {
    const root = temporaryDirectory('fanotify');
    const mounted = path.join(root, 'a mount');
    fs.mkdirSync(path.join(mounted, 'below'), { recursive: true });
    const view = new TreeView(root).load();
    let isMounted = false;
    watching(openFanotify([root]), (harness) => {
      try {
        for (let round = 0; round < 3; round++) {
          expect(spawnSync('mount', ['-t', 'tmpfs', 'causeway-test', mounted]).status).toBe(0);
          isMounted = true;
          expect(told(expectIdentical(harness, view))).toEqual(
            expect.arrayContaining(['system.mount a mount', 'fs.rmdir below']),
          );
          fs.mkdirSync(path.join(mounted, 'd'));
          fs.writeFileSync(path.join(mounted, 'd', 'f'), 'x');
          expect(told(expectIdentical(harness, view))).toEqual(expect.arrayContaining(['fs.mkdir d', 'fs.create f']));
          expect(spawnSync('umount', [mounted]).status).toBe(0);
          isMounted = false;
          expect(told(expectIdentical(harness, view))).toEqual(
            expect.arrayContaining(['system.unmount a mount', 'fs.delete f', 'fs.mkdir below']),
          );
          fs.writeFileSync(path.join(mounted, 'below', 'f'), 'x');
          expect(told(expectIdentical(harness, view))).toContain('fs.create f');
          fs.unlinkSync(path.join(mounted, 'below', 'f'));
          expectIdentical(harness, view);
        }
        expect(harness.losses).toEqual([]);
      } finally {
        if (isMounted) spawnSync('umount', [mounted]);
      }
    });
  });

  it('that are none of ours are none of our business', () => {
    const [root, elsewhere] = [temporaryDirectory('fanotify'), temporaryDirectory('elsewhere')];
    watching(openFanotify([root]), (harness) => {
      harness.clear();
      expect(spawnSync('mount', ['-t', 'tmpfs', 'causeway-test', elsewhere]).status).toBe(0);
      expect(spawnSync('umount', [elsewhere]).status).toBe(0);
      harness.barrier();
      expect(harness.records).toEqual([]);
    });
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
      'a directory whose mode was changed, and that was renamed then',
      (at: (name: string) => string) => {
        fs.mkdirSync(at('x'));
        fs.chmodSync(at('x'), 0o700);
        fs.renameSync(at('x'), at('a'));
        fs.chmodSync(at('a'), 0o711);
        fs.renameSync(at('a'), at('y'));
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
