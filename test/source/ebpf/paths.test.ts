import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  KERNEL_FLAG_DIRECTORY,
  KERNEL_FLAG_PATH_BY_NAME,
  KERNEL_FLAG_PATH_DELETED,
  KERNEL_FLAG_PATH_TRUNCATED,
  KERNEL_OP_FILE_CREATE,
  KERNEL_OP_FILE_OPEN,
  KERNEL_OP_FILE_READ,
  KERNEL_OP_FILE_WRITE,
  KERNEL_VARIANT_EXIT,
} from '../../../layout/kernel-record.ts';
import { PATH_LENGTH_MAX } from '../../../layout/limits.ts';
import type { KernelRecord } from '../../../src/event/kernel-record.ts';
import { requires } from '../../support/capabilities.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import {
  AT_FDCWD,
  type Call,
  callNumber,
  compileCalls,
  describeRecord,
  perform,
  statOf,
  type Watch,
  watch,
} from './harness.ts';

const O_RDONLY = 'i0';
const O_DIRECTORY = 'i0200000';
const O_RDWR_CREAT = 'i66';

let program = '';

function recordsOf(watched: Watch, directory: string, calls: readonly Call[]): KernelRecord[] {
  const { pid } = perform(program, directory, calls);
  return watched
    .drain()
    .filter((record) => record.pid === pid && record.variant !== KERNEL_VARIANT_EXIT)
    .filter((record) => !/^\/(etc|lib|usr)\//.test(pathOf(record)));
}

function pathOf(record: KernelRecord): string {
  return Buffer.from(record.path).toString();
}

function mount(...words: string[]): void {
  const { status, stderr } = spawnSync('mount', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  onTestFinished(() => {
    spawnSync('umount', ['--lazy', words.at(-1) ?? '']);
  });
}

describe('records', requires('bpf', 'cc'), () => {
  beforeAll(() => {
    program = compileCalls();
  });

  it('hold who, what, when and which inode', () => {
    const directory = temporaryDirectory();
    const before = process.hrtime.bigint();
    const [created, written] = recordsOf(watch({ paths: [directory] }), directory, [
      ['openat', AT_FDCWD, 'sa', O_RDWR_CREAT, 'i0640'],
      ['write', 'v0', 'shello', 'i5'],
    ]);
    const after = process.hrtime.bigint();
    if (created === undefined || written === undefined) throw new Error('records are missing');
    const file = path.join(directory, 'a');
    for (const record of [created, written]) {
      expect(pathOf(record)).toBe(file);
      expect({ inode: record.inode, device: record.device }).toEqual(statOf(file));
      expect(record.timeNs).toBeGreaterThan(before);
      expect(record.timeNs).toBeLessThan(after);
      expect(record.durationNs).toBeGreaterThan(0n);
      expect(record.durationNs).toBeLessThan(after - before);
      expect(record.submitDelayNs).toBeGreaterThan(0);
      expect(record.tid).toBe(record.pid);
      expect({ uid: record.uid, gid: record.gid }).toEqual({ uid: process.getuid?.(), gid: process.getgid?.() });
      expect(Buffer.from(record.comm).toString().replace(/\0+$/, '')).toBe('calls');
    }
    expect(created.argument).toBe(66n);
    expect(created.size).toBe(0n);
    expect(created.mode & 0o777).toBe(0o640 & ~process.umask());
    expect(written.size).toBe(5n);
    expect(written.timeNs).toBeGreaterThan(created.timeNs);
  });

  it('hold the argument of the call', () => {
    const directory = temporaryDirectory();
    const records = recordsOf(watch({ paths: [directory] }), directory, [
      ['openat', AT_FDCWD, 'sa', O_RDWR_CREAT, 'i0640'],
      ['ftruncate', 'v0', 'i0x123456789'],
      ['fchown', 'v0', 'i7', 'i9'],
      ['chown', 'sa', 'i-1', 'i9'],
      ['fchmod', 'v0', 'i0601'],
      ['mkdir', 'sd', 'i0711'],
      ['unlinkat', AT_FDCWD, 'sd', 'i0x200'],
      ['openat2', AT_FDCWD, 'sa', 'h0100001,0', 'i24'],
      ['creat', 'sa', 'i0600'],
      ['renameat2', AT_FDCWD, 'sa', AT_FDCWD, 'sb', 'i1'],
    ]);
    expect(records.map((record) => record.argument)).toEqual([
      66n,
      0x123456789n,
      (7n << 32n) | 9n,
      (0xffffffffn << 32n) | 9n,
      0o601n,
      0o711n,
      0x200n,
      0o100001n,
      0o1101n,
      1n,
    ]);
  });

  it('follow the working directory and directory descriptors', () => {
    const directory = temporaryDirectory();
    fs.mkdirSync(path.join(directory, 'one/two'), { recursive: true });
    const records = recordsOf(watch({ paths: [directory] }), directory, [
      ['chdir', 'sone'],
      ['openat', AT_FDCWD, 'stwo', O_DIRECTORY],
      ['mkdir', 'sx', 'i0755'],
      ['mkdirat', 'v1', 'sy', 'i0755'],
      ['openat', 'v1', 'smissing', O_RDONLY],
      ['chdir', 'stwo'],
      ['mkdir', 's../z', 'i0755'],
      ['mkdirat', 'i999', 'sz', 'i0755'],
      ['mkdirat', 'i999', `s${directory}/abs`, 'i0755'],
    ]);
    expect(records.map((record) => describeRecord(record, directory))).toEqual([
      'file_open openat one/two',
      'dir_create mkdir one/x',
      'dir_create mkdirat one/two/y',
      'file_open openat one/two/missing error=2',
      'dir_create mkdir one/two/../z undecided',
      'dir_create mkdirat abs',
    ]);
    expect(records.every((record) => (record.flags & KERNEL_FLAG_DIRECTORY) !== 0 || record.error !== 0)).toBe(true);
    const byName = records.map((record) => (record.flags & KERNEL_FLAG_PATH_BY_NAME) !== 0);
    expect(byName).toEqual([false, true, true, true, true, true]);
  });

  it('show deleted and renamed files', () => {
    const directory = temporaryDirectory();
    const records = recordsOf(watch({ paths: [directory] }), directory, [
      ['openat', AT_FDCWD, 'sa', O_RDWR_CREAT, 'i0640'],
      ['rename', 'sa', 'sb'],
      ['write', 'v0', 'sx', 'i1'],
      ['unlink', 'sb'],
      ['write', 'v0', 'sx', 'i1'],
      ['close', 'v0'],
    ]).filter((record) => (record.flags & KERNEL_FLAG_PATH_BY_NAME) === 0);
    expect(records.map((record) => describeRecord(record, directory))).toEqual([
      'file_create openat a',
      'file_write write b amount=1',
      'file_write write b amount=1',
      'file_close close b',
    ]);
    expect(records.map((record) => record.flags & KERNEL_FLAG_PATH_DELETED)).toEqual([0, 0, 4, 4]);
    expect(records.map((record) => record.size)).toEqual([0n, 1n, 2n, 2n]);
  });

  it('never show a name that the file did not have, however often it is renamed meanwhile', async () => {
    const directory = temporaryDirectory();
    const names = ['a', 'b'.repeat(30), 'c'.repeat(60), 'd'.repeat(200)].map((name) => path.join(directory, name));
    const watched = watch({ pids: [process.pid], followFork: true, paths: [directory], ringCapacity: 1 << 22 });
    const [first = ''] = names;
    fs.writeFileSync(first, 'text');
    // One process renames round and round, while another reads through a descriptor that it has opened before.
    const script = 'while :; do mv a $1; mv $1 $2; mv $2 $3; mv $3 a; done';
    const renaming = spawn('sh', ['-c', script, 'sh', ...names.slice(1).map((name) => path.basename(name))], {
      cwd: directory,
      stdio: 'ignore',
    });
    let reads = 0;
    for (let round = 0; round < 20; round++) {
      let calls: Call[] = [];
      for (const name of names) calls.push(['openat', AT_FDCWD, `s${name}`, O_RDONLY]);
      for (let read = 0; read < 1000; read++) calls = [...calls, ['pread64', `v${read % 4}`, 'b4', 'i4', 'i0']];
      const { pid } = perform(program, directory, calls);
      const own = watched.drain().filter((record) => record.pid === pid && record.op === KERNEL_OP_FILE_READ);
      for (const record of own) expect(names).toContain(pathOf(record));
      reads += own.length;
    }
    renaming.kill();
    await once(renaming, 'exit');
    expect(reads).toBeGreaterThan(100);
  });

  it('are cut from the front when their path is too long, and say so', () => {
    const directory = temporaryDirectory();
    // Too deep for Node's own rm.
    onTestFinished(() => {
      spawnSync('rm', ['-rf', directory]);
    });
    const name = 'n'.repeat(200);
    const calls: Call[] = [];
    for (let depth = 0; depth < 25; depth++) calls.push(['mkdir', `s${name}`, 'i0755'], ['chdir', `s${name}`]);
    calls.push(['openat', AT_FDCWD, 'slast', O_RDWR_CREAT, 'i0600'], ['unlink', 'slast']);
    const records = recordsOf(watch({ paths: [directory] }), directory, calls);
    expect(records.length).toBe(27);
    for (const record of records) {
      const text = pathOf(record);
      const whole = text.startsWith(directory);
      expect(text.length).toBeLessThanOrEqual(PATH_LENGTH_MAX);
      expect((record.flags & KERNEL_FLAG_PATH_TRUNCATED) !== 0).toBe(!whole);
      expect(whole || text.startsWith(`/${name}/`)).toBe(true);
      expect(record.error).toBe(0);
    }
    expect(pathOf(records[26] as KernelRecord).endsWith(`/${name}/last`)).toBe(true);
    expect(pathOf(records[25] as KernelRecord)).toBe(pathOf(records[26] as KernelRecord));
    expect(pathOf(records[25] as KernelRecord).length).toBeGreaterThan(PATH_LENGTH_MAX - 201);
  });

  it('hold paths that are longer than the short table, and bytes that are no text', () => {
    const directory = temporaryDirectory();
    const name = 'm'.repeat(255);
    const deep = `${name}/${name}`;
    fs.mkdirSync(path.join(directory, name));
    const records = recordsOf(watch({ paths: [directory] }), directory, [
      ['mkdir', `s${deep}`, 'i0755'],
      ['openat', AT_FDCWD, `s${deep}`, O_DIRECTORY],
      ['openat', AT_FDCWD, `s${deep}/none`, O_RDONLY],
      ['rename', `s${deep}`, `s${name}/\u00e9 \u{1f600}`],
      ['close', 'v1'],
      ['openat', AT_FDCWD, `s${'x'.repeat(256)}`, O_RDONLY],
      ['openat', AT_FDCWD, `s${'a/'.repeat(2047)}`, O_RDONLY],
      ['openat', AT_FDCWD, `s${'a/'.repeat(2047)}b`, O_RDONLY],
      ['openat', AT_FDCWD, `s${'a/'.repeat(2047)}bb`, O_RDONLY],
    ]);
    expect(records.map((record) => describeRecord(record, directory))).toEqual([
      `dir_create mkdir ${deep}`,
      `file_open openat ${deep}`,
      `file_open openat ${deep}/none error=2`,
      `file_rename rename ${deep} -> ${name}/\u00e9 \u{1f600}`,
      `file_close close ${name}/\u00e9 \u{1f600}`,
      `file_open openat ${'x'.repeat(256)} error=36`,
      expect.stringMatching(/^file_open openat .*a\/ error=2$/),
      expect.stringMatching(/^file_open openat .*a\/b error=2$/),
      expect.stringMatching(/^file_open openat .*a\/b.* error=36$/),
    ]);
  });

  it('go through bind mounts and file systems mounted below the root', requires('mount'), () => {
    const directory = temporaryDirectory();
    const elsewhere = temporaryDirectory();
    fs.mkdirSync(path.join(directory, 'tmpfs'));
    fs.mkdirSync(path.join(directory, 'bind'));
    mount('-t', 'tmpfs', '-o', 'size=1m', 'none', path.join(directory, 'tmpfs'));
    mount('--bind', elsewhere, path.join(directory, 'bind'));
    const records = recordsOf(watch({ paths: [directory] }), directory, [
      ['mkdir', 'stmpfs/d', 'i0755'],
      ['openat', AT_FDCWD, 'stmpfs/d/f', O_RDWR_CREAT, 'i0600'],
      ['openat', AT_FDCWD, 'sbind/f', O_RDWR_CREAT, 'i0600'],
      ['chdir', 'stmpfs/d'],
      ['openat', AT_FDCWD, 'sg', O_RDWR_CREAT, 'i0600'],
      ['unlink', 'sg'],
    ]);
    expect(records.map((record) => describeRecord(record, directory))).toEqual([
      'dir_create mkdir tmpfs/d',
      'file_create openat tmpfs/d/f',
      'file_create openat bind/f',
      'file_create openat tmpfs/d/g',
      'file_delete unlink tmpfs/d/g',
    ]);
    const { inode, device } = statOf(path.join(directory, 'tmpfs/d/f'));
    expect(records[1]).toMatchObject({ inode, device });
  });

  it('tell of mounts inside and above the root', requires('mount'), () => {
    const directory = temporaryDirectory();
    const root = path.join(directory, 'root');
    fs.mkdirSync(path.join(root, 'inside'), { recursive: true });
    fs.mkdirSync(path.join(directory, 'beside'));
    const watched = watch({ paths: [root] });
    const point = path.join(root, 'inside');
    const records = recordsOf(watched, directory, [
      ['mount', 'snone', `s${point}`, 'stmpfs', 'i0', 'i0'],
      ['umount2', `s${point}`, 'i2'],
      ['mount', `s${directory}`, `s${directory}`, 'i0', 'i4096', 'i0'],
      ['umount2', `s${directory}`, 'i2'],
      ['mount', 'snone', `s${directory}/missing`, 'stmpfs', 'i0', 'i0'],
    ]);
    expect(records.map((record) => describeRecord(record, directory))).toEqual([
      'mount mount root/inside -> none',
      'unmount umount2 root/inside',
      'mount mount . -> .',
      'unmount umount2 .',
      'mount mount missing -> none error=2 undecided',
    ]);
  });

  it('name files of a task with another root directory as the engine sees them', () => {
    const directory = temporaryDirectory();
    fs.mkdirSync(path.join(directory, 'jail/in'), { recursive: true });
    const records = recordsOf(watch({ paths: [directory] }), directory, [
      ['chroot', 'sjail'],
      ['chdir', 's/'],
      ['mkdir', 's/in/d', 'i0755'],
      ['openat', AT_FDCWD, 's/in/f', O_RDWR_CREAT, 'i0600'],
      ['openat', AT_FDCWD, 's/none', O_RDONLY],
    ]);
    expect(records.map((record) => describeRecord(record, directory))).toEqual([
      'dir_create mkdir jail/in/d',
      'file_create openat jail/in/f',
      'file_open openat jail/none error=2',
    ]);
  });
});

describe('another mount namespace', requires('bpf', 'cc', 'mount'), () => {
  it('is seen by the paths that the watched root has here', () => {
    const directory = temporaryDirectory();
    const root = path.join(directory, 'root');
    fs.mkdirSync(path.join(root, 'deep'), { recursive: true });
    fs.mkdirSync(path.join(directory, 'point'));
    const helper = compileCalls();
    const watched = watch({ pids: [process.pid], followFork: true, paths: [root] });
    // The root is somewhere else in there, and its old place is hidden by another file system.
    const script = [
      `mount --bind ${root} ${directory}/point`,
      `mount -t tmpfs none ${root}`,
      `cd ${directory}/point/deep`,
      `exec ${helper}`,
    ].join(' && ');
    const calls = [
      ['openat', AT_FDCWD, 'sa', O_RDWR_CREAT, 'i0600'],
      ['write', 'v0', 's12345', 'i5'],
      ['mkdir', 'sb', 'i0755'],
      ['openat', AT_FDCWD, `s${directory}/point/c`, O_RDWR_CREAT, 'i0600'],
      ['mkdir', `s${root}/hidden`, 'i0755'],
      ['rmdir', `s${directory}/point/deep/b`],
    ] as Call[];
    const input = calls.map(([name, ...words]) => [callNumber(name), ...words].join('\t')).join('\n');
    const child = spawnSync('unshare', ['--mount', 'sh', '-c', script], { input: `${input}\n`, encoding: 'utf8' });
    expect(child.stderr).toBe('');
    const lines = watched
      .drain()
      .filter(
        (record) => record.variant !== KERNEL_VARIANT_EXIT && Buffer.from(record.comm).toString().startsWith('calls'),
      )
      .map((record) => describeRecord(record, directory));
    expect(lines).toEqual([
      'file_create openat root/deep/a',
      'file_write write root/deep/a amount=5',
      'dir_create mkdir root/deep/b',
      'file_create openat root/c',
    ]);
  });
});

describe('the filter', requires('bpf', 'cc'), () => {
  beforeAll(() => {
    program = compileCalls();
  });

  it('leaves out what is outside, and leaves to user space what only it can know', () => {
    const directory = temporaryDirectory();
    const root = path.join(directory, 'root');
    const outside = path.join(directory, 'outside');
    fs.mkdirSync(root);
    fs.mkdirSync(outside);
    fs.mkdirSync(`${root}-like`);
    fs.symlinkSync(root, path.join(outside, 'link'));
    const records = recordsOf(watch({ paths: [root] }), outside, [
      ['openat', AT_FDCWD, 'sa', O_RDWR_CREAT, 'i0600'],
      ['write', 'v0', 'sx', 'i1'],
      ['close', 'v0'],
      ['openat', AT_FDCWD, 'smissing', O_RDONLY],
      ['openat', AT_FDCWD, `s${outside}/missing`, O_RDONLY],
      ['openat', AT_FDCWD, `s${outside}/missing/a`, O_RDWR_CREAT, 'i0600'],
      ['openat', AT_FDCWD, `s${root}/../missing`, O_RDONLY],
      ['openat', AT_FDCWD, 'slink/f', O_RDWR_CREAT, 'i0600'],
      ['mkdir', 'slink/d', 'i0755'],
      ['mkdir', `s${root}-like/d`, 'i0755'],
      ['mkdir', `s${root}/../outside/e`, 'i0755'],
      ['rename', 'sa', `s${root}/b`],
      ['rename', `s${root}/b`, 'sc'],
      ['unlink', 'sc'],
    ]);
    expect(records.map((record) => describeRecord(record, directory))).toEqual([
      'file_open openat outside/missing/a error=2 undecided',
      'file_open openat root/../missing error=2 undecided',
      'file_create openat root/f',
      'dir_create mkdir outside/link/d undecided',
      'dir_create mkdir root-like/d undecided',
      'dir_create mkdir root/../outside/e undecided',
      'file_rename rename outside/a -> root/b',
      'file_rename rename root/b -> outside/c',
      'file_delete unlink outside/c undecided',
    ]);
  });

  it('takes several roots, and a file as root', () => {
    const directory = temporaryDirectory();
    for (const name of ['one', 'two', 'three']) fs.mkdirSync(path.join(directory, name));
    fs.writeFileSync(path.join(directory, 'three/file'), '');
    const paths = ['one', 'two', 'three/file'].map((name) => path.join(directory, name));
    const records = recordsOf(watch({ paths }), directory, [
      ['creat', 'sone/a', 'i0600'],
      ['creat', 'stwo/a', 'i0600'],
      ['creat', 'sthree/a', 'i0600'],
      ['creat', 'sthree/file', 'i0600'],
      ['write', 'v3', 'sx', 'i1'],
    ]);
    expect(records.map((record) => describeRecord(record, directory))).toEqual([
      'file_create creat one/a',
      'file_create creat two/a',
      'file_open creat three/file',
      'file_write write three/file amount=1',
    ]);
  });

  it('watches everything without a root', () => {
    const directory = temporaryDirectory();
    const records = recordsOf(watch({}), directory, [['creat', 'sa', 'i0600']]);
    expect(records.map((record) => describeRecord(record, directory))).toContain('file_create creat a');
  });

  it('takes only the operations that were asked for', () => {
    const directory = temporaryDirectory();
    const ops = [KERNEL_OP_FILE_OPEN, KERNEL_OP_FILE_WRITE];
    fs.writeFileSync(path.join(directory, 'a'), 'text');
    const records = recordsOf(watch({ paths: [directory], ops }), directory, [
      ['creat', 'sb', 'i0600'],
      ['openat', AT_FDCWD, 'sa', 'i2'],
      ['sendfile', 'v0', 'v1', 'o0', 'i4'],
      ['close', 'v1'],
    ]);
    expect(records.map((record) => describeRecord(record, directory))).toEqual([
      'file_open openat a',
      'file_write sendfile b amount=4',
    ]);
  });

  it('never reports this process, unless asked', () => {
    const directory = temporaryDirectory();
    const without = watch({ paths: [directory] });
    const including = watch({ paths: [directory], includeSelf: true });
    fs.writeFileSync(path.join(directory, 'own'), '');
    const own = (watched: Watch) => watched.drain().filter((record) => record.pid === process.pid);
    expect(own(without).map((record) => describeRecord(record, directory))).toEqual([]);
    const lines = own(including).map((record) => describeRecord(record, directory));
    expect(lines).toEqual(['file_create openat own', 'file_close close own']);
  });

  it('takes only the pids that were asked for, and their children if asked', async () => {
    const script = 'read go; : > one; sh -c ": > two; (: > three)"; : > four';
    for (const followFork of [false, true]) {
      const directory = temporaryDirectory();
      const watched = watch({ paths: [directory], pids: [1], followFork });
      // The shell waits for a line: it is in the filter before it does anything.
      const child = await runShell(directory, script, (pid) => watched.host.addPid(pid));
      spawnSync('sh', ['-c', ': > other'], { cwd: directory });
      const created = watched
        .drain()
        .filter((record) => record.op === KERNEL_OP_FILE_CREATE)
        .map((record) => [record.pid === child, path.basename(pathOf(record))]);
      const all = [
        [true, 'one'],
        [false, 'two'],
        [false, 'three'],
        [true, 'four'],
      ];
      expect(created).toEqual(followFork ? all : [all[0], all[3]]);
    }
  });
});

/** Runs a shell that first waits to be let go; answers its pid. */
async function runShell(directory: string, script: string, beforeGo: (pid: number) => void): Promise<number> {
  const child = spawn('sh', ['-c', script], { cwd: directory, stdio: ['pipe', 'ignore', 'inherit'] });
  const pid = child.pid ?? 0;
  beforeGo(pid);
  child.stdin.end('go\n');
  await once(child, 'exit');
  return pid;
}
