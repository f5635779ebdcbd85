import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KERNEL_VARIANT_EXIT } from '../../../layout/kernel-record.ts';
import { requires } from '../../support/capabilities.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { AT_FDCWD, type Call, compileCalls, describeRecord, perform, watch } from './harness.ts';

const O_RDONLY = 'i0';
const O_RDWR_CREAT = 'i66';

/** What the calls came to, without those of the dynamic loader. */
function trace(directory: string, calls: readonly Call[]): string[] {
  const { drain } = watch({ paths: [directory] });
  const { pid } = perform(program, directory, calls);
  const records = drain().filter((record) => record.pid === pid && record.variant !== KERNEL_VARIANT_EXIT);
  return records.map((record) => describeRecord(record, directory)).filter((line) => !/ \/(etc|lib|usr)\//.test(line));
}

let program = '';

describe.each(['typed', 'probe'])('the calls, one by one, with %s reads', { ...requires('bpf', 'cc') }, (reads) => {
  beforeAll(() => {
    process.env.CAUSEWAY_BPF_READS = reads;
    program = compileCalls();
  });
  afterAll(() => {
    delete process.env.CAUSEWAY_BPF_READS;
  });

  it('create, write, read, close', () => {
    const directory = temporaryDirectory();
    expect(
      trace(directory, [
        ['openat', AT_FDCWD, 'sa', O_RDWR_CREAT, 'i0644'],
        ['write', 'v0', 'shello', 'i5'],
        ['pwrite64', 'v0', 'sworld', 'i5', 'i5'],
        ['pread64', 'v0', 'b20', 'i20', 'i0'],
        ['close', 'v0'],
        ['openat', AT_FDCWD, 'sa', O_RDONLY],
        ['read', 'v5', 'b4', 'i4'],
        ['close', 'v5'],
        ['openat', AT_FDCWD, 'sb', O_RDONLY],
      ]),
    ).toEqual([
      'file_create openat a',
      'file_write write a amount=5',
      'file_write pwrite64 a amount=5',
      'file_read pread64 a amount=10',
      'file_close close a',
      'file_open openat a',
      'file_read read a amount=4',
      'file_close close a',
      'file_open openat b error=2',
    ]);
    expect(fs.readFileSync(path.join(directory, 'a'), 'utf8')).toBe('helloworld');
  });

  it('every way to open and create', () => {
    const directory = temporaryDirectory();
    const calls: Call[] = [
      ['creat', 'sa', 'i0600'],
      ['open', 'sa', O_RDONLY],
      ['openat2', AT_FDCWD, 'sa', 'h0,0', 'i24'],
      ['openat2', AT_FDCWD, 'sb', 'h66,0644', 'i24'],
      ['open', 'snone/x', O_RDWR_CREAT, 'i0600'],
      ['openat', AT_FDCWD, 's.', 'i0200000'],
      ['openat', 'v5', 'sa', O_RDONLY],
      ['openat', AT_FDCWD, `s${directory}/a`, O_RDONLY],
      ['openat', AT_FDCWD, `s${directory}/missing`, O_RDONLY],
      ['mknod', 'sn', 'i0100644', 'i0'],
      ['mknodat', 'v5', 'sn2', 'i0100644', 'i0'],
      ['openat', AT_FDCWD, 's.', 'i020200002', 'i0600'],
    ];
    const lines = trace(directory, calls);
    expect(lines.pop()).toMatch(/^file_open openat #\d+$/);
    expect(lines).toEqual([
      'file_create creat a',
      'file_open open a',
      'file_open openat2 a',
      'file_create openat2 b',
      'file_open open none/x error=2',
      'file_open openat .',
      'file_open openat a',
      'file_open openat a',
      'file_open openat missing error=2',
      'file_create mknod n',
      'file_create mknodat n2',
    ]);
  });

  it('every way to read and write', () => {
    const directory = temporaryDirectory();
    fs.writeFileSync(path.join(directory, 'in'), 'abcdefgh');
    expect(
      trace(directory, [
        ['openat', AT_FDCWD, 'sin', 'i2'],
        ['openat', AT_FDCWD, 'sout', O_RDWR_CREAT, 'i0644'],
        ['readv', 'v0', 'wxxxx', 'i1'],
        ['preadv', 'v0', 'wxxx', 'i1', 'i0', 'i0'],
        ['preadv2', 'v0', 'wxx', 'i1', 'i0', 'i0', 'i0'],
        ['writev', 'v1', 'w1234', 'i1'],
        ['pwritev', 'v1', 'w123', 'i1', 'i0', 'i0'],
        ['pwritev2', 'v1', 'w12', 'i1', 'i0', 'i0', 'i0'],
        ['copy_file_range', 'v0', 'o0', 'v1', 'o0', 'i6', 'i0'],
        ['sendfile', 'v1', 'v0', 'o0', 'i5'],
        ['read', 'v0', 'i0', 'i5'],
        ['write', 'v0', 'i8', 'i5'],
        ['close', 'v0'],
        ['close', 'v1'],
      ]),
    ).toEqual([
      'file_open openat in',
      'file_create openat out',
      'file_read readv in amount=4',
      'file_read preadv in amount=3',
      'file_read preadv2 in amount=2',
      'file_write writev out amount=4',
      'file_write pwritev out amount=3',
      'file_write pwritev2 out amount=2',
      'file_read copy_file_range in amount=6',
      'file_write copy_file_range out amount=6',
      'file_read sendfile in amount=5',
      'file_write sendfile out amount=5',
      'file_read read in error=14',
      'file_write write in error=14',
      'file_close close in',
      'file_close close out',
    ]);
  });

  it('descriptors that end', () => {
    const directory = temporaryDirectory();
    fs.writeFileSync(path.join(directory, 'a'), '');
    fs.writeFileSync(path.join(directory, 'b'), '');
    expect(
      trace(directory, [
        ['openat', AT_FDCWD, 'sa', O_RDONLY],
        ['openat', AT_FDCWD, 'sb', O_RDONLY],
        ['dup2', 'v0', 'v1'],
        ['dup2', 'v0', 'v0'],
        ['dup2', 'i999', 'v0'],
        ['dup2', 'v0', 'i50'],
        ['dup3', 'v0', 'i50', 'i0'],
        ['close_range', 'v0', 'i40', 'i0'],
        ['close_range', 'i50', 'i50', 'i4'],
        ['close_range', 'i50', 'i1', 'i0'],
        ['close', 'i999'],
        ['close', 'i50'],
      ]),
    ).toEqual([
      'file_open openat a',
      'file_open openat b',
      'file_close dup2 b',
      'file_close dup3 a',
      'file_close close_range a',
      'file_close close_range a',
      'file_close close a',
    ]);
  });

  it('names that come and go', () => {
    const directory = temporaryDirectory();
    fs.mkdirSync(path.join(directory, 'd'));
    expect(
      trace(directory, [
        ['openat', AT_FDCWD, 'sd', 'i0200000'],
        ['mkdir', 'sd/e', 'i0755'],
        ['mkdirat', 'v0', 'sf', 'i0755'],
        ['mkdir', 'sd/e', 'i0755'],
        ['creat', 'sd/e/x', 'i0644'],
        ['rename', 'sd/e/x', 'sd/y'],
        ['renameat', 'v0', 'sy', AT_FDCWD, 'sz'],
        ['renameat2', AT_FDCWD, 'sz', 'v0', 'sz', 'i1'],
        ['link', 'sd/z', 'sl'],
        ['linkat', 'v0', 'sz', AT_FDCWD, 'sl2', 'i0'],
        ['linkat', 'v4', 's', AT_FDCWD, 'sl3', 'i0x1000'],
        ['symlink', 'ssomewhere/else', 'ss'],
        ['symlinkat', 's../up', 'v0', 'ss'],
        ['unlink', 'sl'],
        ['unlinkat', 'v0', 'ss', 'i0'],
        ['unlinkat', 'v0', 'sf', 'i0x200'],
        ['rmdir', 'sd/e'],
        ['rmdir', 'sd'],
        ['unlink', 'snone'],
        ['rename', 'snone', 'snone2'],
      ]),
    ).toEqual([
      'file_open openat d',
      'dir_create mkdir d/e',
      'dir_create mkdirat d/f',
      'dir_create mkdir d/e error=17',
      'file_create creat d/e/x',
      'file_rename rename d/e/x -> d/y',
      'file_rename renameat d/y -> z',
      'file_rename renameat2 z -> d/z',
      'hardlink_create link d/z -> l',
      'hardlink_create linkat d/z -> l2',
      'hardlink_create linkat d/z -> l3',
      'symlink_create symlink s -> somewhere/else',
      'symlink_create symlinkat d/s -> ../up',
      'file_delete unlink l',
      'file_delete unlinkat d/s',
      'dir_delete unlinkat d/f',
      'dir_delete rmdir d/e',
      'dir_delete rmdir d error=39',
      'file_delete unlink none error=2',
      'file_rename rename none -> none2 error=2',
    ]);
  });

  it('what belongs to a file', () => {
    const directory = temporaryDirectory();
    fs.writeFileSync(path.join(directory, 'a'), '');
    expect(
      trace(directory, [
        ['openat', AT_FDCWD, 'sa', 'i2'],
        ['openat', AT_FDCWD, 's.', 'i0200000'],
        ['chmod', 'sa', 'i0600'],
        ['fchmod', 'v0', 'i0640'],
        ['fchmodat', 'v1', 'sa', 'i0644'],
        ['fchmodat2', 'v1', 'sa', 'i0644', 'i0'],
        ['chown', 'sa', 'i1', 'i2'],
        ['fchown', 'v0', 'i1', 'i2'],
        ['lchown', 'sa', 'i1', 'i2'],
        ['fchownat', 'v0', 's', 'i1', 'i2', 'i0x1000'],
        ['truncate', 'sa', 'i100'],
        ['ftruncate', 'v0', 'i10'],
        ['fallocate', 'v0', 'i0', 'i0', 'i4096'],
        ['getdents64', 'v1', 'b4096', 'i4096'],
        ['getdents', 'v1', 'b4096', 'i4096'],
        ['sync'],
        ['syncfs', 'v0'],
        ['fsync', 'v0'],
        ['fdatasync', 'v0'],
        ['sync_file_range', 'v0', 'i0', 'i0', 'i2'],
        ['mmap', 'i0', 'i4096', 'i3', 'i1', 'v0', 'i0'],
        ['msync', 'v20', 'i4096', 'i4'],
        ['chmod', 'snone', 'i0600'],
      ]).map((line) => line.replace(/amount=\d+/, 'amount')),
    ).toEqual([
      'file_open openat a',
      'file_open openat .',
      'file_chmod chmod a',
      'file_chmod fchmod a',
      'file_chmod fchmodat a',
      'file_chmod fchmodat2 a',
      'file_chown chown a',
      'file_chown fchown a',
      'file_chown lchown a',
      'file_chown fchownat a',
      'file_truncate truncate a',
      'file_truncate ftruncate a',
      'file_truncate fallocate a',
      'dir_read getdents64 . amount',
      'dir_read getdents .',
      'sync sync',
      'sync syncfs a',
      'sync fsync a',
      'sync fdatasync a',
      'sync sync_file_range a',
      'sync msync a',
      'file_chmod chmod none error=2',
    ]);
  });

  it('the end of a process closes what it has open', () => {
    const directory = temporaryDirectory();
    const { drain } = watch({ paths: [directory] });
    const { pid } = perform(program, directory, [
      ['openat', AT_FDCWD, 'sa', O_RDWR_CREAT, 'i0644'],
      ['openat', AT_FDCWD, 's.', 'i0200000'],
      ['dup2', 'v0', 'i200'],
      ['openat', AT_FDCWD, 's/', 'i0'],
    ]);
    const closed = drain().filter((record) => record.pid === pid && record.variant === KERNEL_VARIANT_EXIT);
    expect(closed.map((record) => describeRecord(record, directory))).toEqual([
      'file_close exit a',
      'file_close exit .',
      'file_close exit a',
    ]);
  });

  it('stores through a shared mapping, a page at a time', () => {
    const directory = temporaryDirectory();
    expect(
      trace(directory, [
        ['openat', AT_FDCWD, 'sa', O_RDWR_CREAT, 'i0644'],
        ['ftruncate', 'v0', 'i16384'],
        ['fsync', 'v0'],
        ['mmap', 'i0', 'i16384', 'i3', 'i1', 'v0', 'i0'],
        ['fault', 'v3'],
        ['fault', 'v3'],
        ['openat', AT_FDCWD, 'sa', O_RDONLY],
        ['pread64', 'v6', 'b10', 'i10', 'i0'],
        ['write', 'v0', 's12345', 'i5'],
        ['msync', 'v3', 'i16384', 'i4'],
        ['fault', 'v3'],
        ['munmap', 'v3', 'i16384'],
        ['close', 'v0'],
      ]),
    ).toEqual([
      'file_create openat a',
      'file_truncate ftruncate a',
      'sync fsync a',
      'file_write mmap a',
      'file_open openat a',
      'file_read pread64 a amount=10',
      'file_write write a amount=5',
      'sync msync a',
      'file_write mmap a',
      'file_close close a',
    ]);
  });

  it('splice: the ends that are files', () => {
    const directory = temporaryDirectory();
    fs.writeFileSync(path.join(directory, 'in'), 'abcdef');
    expect(
      trace(directory, [
        ['pipe2', 'o0', 'i0'],
        ['openat', AT_FDCWD, 'sin', O_RDONLY],
        ['openat', AT_FDCWD, 'sout', O_RDWR_CREAT, 'i0644'],
        // The pipe's ends are the two descriptors before.
        ['dup', 'v1'],
        ['splice', 'v1', 'i0', 'i4', 'i0', 'i6', 'i0'],
        ['splice', 'i3', 'i0', 'v2', 'i0', 'i6', 'i0'],
        ['read', 'i3', 'b1', 'i0'],
      ]),
    ).toEqual([
      'file_open openat in',
      'file_create openat out',
      'file_read splice in amount=6',
      'file_write splice out amount=6',
    ]);
  });

  it('files opened by handle', () => {
    const directory = temporaryDirectory();
    fs.writeFileSync(path.join(directory, 'a'), '');
    fs.mkdirSync(path.join(directory, 'd'));
    expect(
      trace(directory, [
        ['openat', AT_FDCWD, 's.', 'i0200000'],
        ['name_to_handle_at', AT_FDCWD, 'sa', 'o128', 'o0', 'i0'],
        ['open_by_handle_at', 'v0', 'a1,2', O_RDONLY],
        ['open_by_handle_at', 'v0', 'o4', O_RDONLY],
      ]),
    ).toEqual([
      'file_open openat .',
      'file_open open_by_handle_at a',
      expect.stringMatching(/^file_open open_by_handle_at \. error/),
    ]);
  });

  it('names in memory that is not resident when the call begins', () => {
    const directory = temporaryDirectory();
    for (const name of ['made', 'missing', 'linked'])
      fs.writeFileSync(path.join(directory, `${name}.txt`), `${name}\0`);
    const lazily = (name: string, index: number): Call[] => [
      ['openat', AT_FDCWD, `s${name}.txt`, O_RDONLY],
      ['mmap', 'i0', 'i4096', 'i1', 'i2', `v${index}`, 'i0'],
    ];
    const lines = trace(directory, [
      ...lazily('made', 0),
      ...lazily('missing', 2),
      ...lazily('linked', 4),
      ['mkdir', 'v1', 'i0755'],
      ['openat', AT_FDCWD, 'v3', O_RDONLY],
      ['rename', 'v1', 'v5'],
      ['mkdir', 'i8', 'i0755'],
    ]);
    expect(lines.slice(3)).toEqual([
      'dir_create mkdir made',
      'file_open openat missing error=2',
      'file_rename rename made -> linked',
    ]);
  });

  it('mounts that are moved', () => {
    const directory = temporaryDirectory();
    fs.mkdirSync(path.join(directory, 'from'));
    fs.mkdirSync(path.join(directory, 'to'));
    expect(
      trace(directory, [
        ['open_tree', AT_FDCWD, 'sfrom', 'i1'],
        ['move_mount', 'v0', 's', AT_FDCWD, `s${directory}/to`, 'i4'],
        ['umount2', `s${directory}/to`, 'i2'],
      ]),
    ).toEqual([expect.stringMatching(/^mount move_mount to/), 'unmount umount2 to']);
  });
});
