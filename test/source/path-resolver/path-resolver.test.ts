import fs from 'node:fs';
import path from 'node:path';
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import * as layout from '../../../layout/kernel-record.ts';
import {
  decodeKernelRecord,
  encodeKernelRecord,
  type KernelRecord,
  kernelRecord,
} from '../../../src/event/kernel-record.ts';
import { normalizePath, PathResolver } from '../../../src/source/path-resolver.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const BY_NAME = layout.KERNEL_FLAG_PATH_BY_NAME;
const BOTH_BY_NAME = BY_NAME | layout.KERNEL_FLAG_PATH2_BY_NAME;

/** The record as it is after settling; undefined if it is outside. */
function settle(
  resolver: PathResolver,
  fields: Partial<KernelRecord> & { name?: string; name2?: string },
): KernelRecord | undefined {
  const { name, name2, ...rest } = fields;
  const bytes = new Uint8Array(12288);
  const paths = { path: Buffer.from(name ?? ''), path2: Buffer.from(name2 ?? '') };
  const length = encodeKernelRecord(kernelRecord({ flags: BOTH_BY_NAME, ...paths, ...rest }), bytes, 0);
  const settled = resolver.settle(bytes, length);
  return settled === 0 ? undefined : decodeKernelRecord(bytes, 0, settled);
}

const text = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : Buffer.from(bytes).toString());

describe('normalizePath', () => {
  it('removes dots and slashes, and stops at the root', () => {
    expect(normalizePath('//a/./b/../c//')).toBe('/a/c');
    expect(normalizePath('/../../a')).toBe('/a');
    expect(normalizePath('/')).toBe('/');
    expect(normalizePath('/\xff/\xfe/..')).toBe('/\xff');
  });

  const segment = fc.constantFrom('a', 'b', '.', '..', '', '\xff');
  test.prop([fc.array(segment, { maxLength: 12 })])(
    'agrees with node:path, and changes nothing when repeated',
    (segments) => {
      const given = `/${segments.join('/')}`;
      const normal = normalizePath(given);
      expect(normal).toBe(path.posix.resolve('/', given));
      expect(normalizePath(normal)).toBe(normal);
    },
  );
});

describe('path resolver', () => {
  function place() {
    const base = temporaryDirectory('resolver');
    const root = path.join(base, 'root');
    fs.mkdirSync(path.join(root, 'd', 'e'), { recursive: true });
    fs.mkdirSync(path.join(base, 'outside'));
    fs.writeFileSync(path.join(root, 'd', 'e', 'file'), 'x');
    return { base, root, resolver: new PathResolver([root]) };
  }

  it('resolves links and dots in the directory, and the last name only if asked to', () => {
    const { root, resolver } = place();
    fs.symlinkSync('d/e', path.join(root, 'link'));
    fs.symlinkSync('file', path.join(root, 'd', 'e', 'soft'));
    expect(resolver.resolve(`${root}/link/file`, { followLast: false })).toBe(`${root}/d/e/file`);
    expect(resolver.resolve(`${root}/link/../x`, { followLast: false })).toBe(`${root}/d/x`);
    expect(resolver.resolve(`${root}//d/./e/soft`, { followLast: false })).toBe(`${root}/d/e/soft`);
    expect(resolver.resolve(`${root}/link/soft`, { followLast: true })).toBe(`${root}/d/e/file`);
    expect(resolver.resolve(`${root}/link`, { followLast: false })).toBe(`${root}/link`);
    expect(resolver.resolve(`${root}/link/`, { followLast: false })).toBe(`${root}/d/e`);
    expect(resolver.resolve('/', { followLast: false })).toBe('/');
  });

  it('resolves what is gone as far as it is there', () => {
    const { root, resolver } = place();
    fs.symlinkSync('d', path.join(root, 'link'));
    expect(resolver.resolve(`${root}/link/no/such/file`, { followLast: true })).toBe(`${root}/d/no/such/file`);
    expect(resolver.resolve(`${root}/link/no/../file`, { followLast: true })).toBe(`${root}/d/file`);
    expect(resolver.counters.gone).toBeGreaterThan(0);
  });

  it('remembers a directory that is deleted until its deletion is told', () => {
    const { root, resolver } = place();
    fs.symlinkSync(`${root}/d/e`, path.join(root, 'link'));
    const unlink = { op: layout.KERNEL_OP_FILE_DELETE, name: `${root}/link/file`, flags: BY_NAME };
    expect(text(settle(resolver, unlink)?.path)).toBe(`${root}/d/e/file`);
    fs.rmSync(path.join(root, 'd'), { recursive: true });
    expect(text(settle(resolver, unlink)?.path)).toBe(`${root}/d/e/file`);
    expect(text(settle(resolver, { op: layout.KERNEL_OP_DIR_DELETE, name: `${root}/d/e`, flags: BY_NAME })?.path)).toBe(
      `${root}/d/e`,
    );
    expect(resolver.counters.flushed).toBe(1);
    expect(text(settle(resolver, unlink)?.path)).toBe(`${root}/link/file`);
  });

  it('forgets what led through a link that is replaced, or a directory that is renamed', () => {
    const { root, resolver } = place();
    fs.mkdirSync(path.join(root, 'other'));
    fs.symlinkSync('d', path.join(root, 'link'));
    expect(resolver.resolve(`${root}/link/e/x`, { followLast: false })).toBe(`${root}/d/e/x`);
    expect(resolver.resolve(`${root}/link/e/y`, { followLast: false })).toBe(`${root}/d/e/y`);
    expect(resolver.counters.remembered).toBe(1);
    fs.unlinkSync(path.join(root, 'link'));
    settle(resolver, { op: layout.KERNEL_OP_FILE_DELETE, name: `${root}/link`, flags: BY_NAME });
    fs.symlinkSync('other', path.join(root, 'link'));
    settle(resolver, { op: layout.KERNEL_OP_SYMLINK_CREATE, name: `${root}/link`, name2: 'other' });
    expect(resolver.resolve(`${root}/link/x`, { followLast: false })).toBe(`${root}/other/x`);
    fs.renameSync(path.join(root, 'other'), path.join(root, 'third'));
    fs.unlinkSync(path.join(root, 'link'));
    fs.symlinkSync('third', path.join(root, 'link'));
    settle(resolver, { op: layout.KERNEL_OP_FILE_RENAME, name: `${root}/other`, name2: `${root}/third` });
    expect(resolver.resolve(`${root}/link/x`, { followLast: false })).toBe(`${root}/third/x`);
  });

  it('never remembers what leads through a link outside of the roots: nobody tells when that changes', () => {
    const { base, root, resolver } = place();
    fs.symlinkSync(path.join(root, 'd'), path.join(base, 'into'));
    expect(resolver.resolve(`${base}/into/x`, { followLast: false })).toBe(`${root}/d/x`);
    fs.unlinkSync(path.join(base, 'into'));
    fs.symlinkSync(path.join(base, 'outside'), path.join(base, 'into'));
    expect(resolver.resolve(`${base}/into/x`, { followLast: false })).toBe(`${base}/outside/x`);
  });

  it('decides what is inside by where it leads', () => {
    const { base, root, resolver } = place();
    fs.symlinkSync(path.join(base, 'outside'), path.join(root, 'out'));
    fs.symlinkSync(root, path.join(base, 'in'));
    const remove = (name: string) =>
      settle(resolver, { op: layout.KERNEL_OP_FILE_DELETE, name, flags: BY_NAME | layout.KERNEL_FLAG_UNDECIDED });
    expect(remove(`${root}/out/file`)).toBeUndefined();
    const inside = remove(`${base}/in/d/file`);
    expect(text(inside?.path)).toBe(`${root}/d/file`);
    expect(inside?.flags).toBe(BY_NAME | layout.KERNEL_FLAG_RESOLVED);
    expect(resolver.inside(root)).toBe(true);
    expect(resolver.inside(`${root}x`)).toBe(false);
    expect(new PathResolver([]).inside('/anything')).toBe(true);
    expect(new PathResolver(['/']).inside('/anything')).toBe(true);
  });

  it('keeps a rename or link with one name inside, and never touches the text of a symbolic link', () => {
    const { base, root, resolver } = place();
    const rename = settle(resolver, {
      op: layout.KERNEL_OP_FILE_RENAME,
      name: `${base}/outside/x`,
      name2: `${root}//d/y`,
    });
    expect([text(rename?.path), text(rename?.path2)]).toEqual([`${base}/outside/x`, `${root}/d/y`]);
    const symlink = settle(resolver, {
      op: layout.KERNEL_OP_SYMLINK_CREATE,
      name: `${root}/d/../l`,
      name2: '..//d/./e',
    });
    expect([text(symlink?.path), text(symlink?.path2)]).toEqual([`${root}/l`, '..//d/./e']);
  });

  it('follows the last name as the call does', () => {
    const { root, resolver } = place();
    fs.symlinkSync('d/e/file', path.join(root, 'soft'));
    const of = (fields: Partial<KernelRecord>) =>
      text(settle(resolver, { name: `${root}/soft`, flags: BY_NAME, ...fields })?.path);
    const [link, target] = [`${root}/soft`, `${root}/d/e/file`];
    expect(of({ op: layout.KERNEL_OP_FILE_CHMOD })).toBe(target);
    expect(of({ op: layout.KERNEL_OP_FILE_TRUNCATE })).toBe(target);
    expect(of({ op: layout.KERNEL_OP_FILE_CHOWN, variant: layout.KERNEL_VARIANT_LCHOWN })).toBe(link);
    expect(of({ op: layout.KERNEL_OP_FILE_CHOWN, mode: 0o120777 })).toBe(link);
    expect(of({ op: layout.KERNEL_OP_FILE_OPEN })).toBe(target);
    expect(of({ op: layout.KERNEL_OP_FILE_OPEN, argument: BigInt(fs.constants.O_NOFOLLOW) })).toBe(link);
    expect(of({ op: layout.KERNEL_OP_FILE_DELETE })).toBe(link);
  });

  it('cuts a path that has become too long, and says so', () => {
    const { root, resolver } = place();
    const deep = `/${'n'.repeat(200)}`.repeat(20);
    fs.symlinkSync('d', path.join(root, 'l'));
    const name = `${root}/l${deep}`.slice(0, 4095);
    fs.renameSync(path.join(root, 'd'), path.join(root, `d${'x'.repeat(200)}`));
    fs.unlinkSync(path.join(root, 'l'));
    fs.symlinkSync(`d${'x'.repeat(200)}`, path.join(root, 'l'));
    const settled = settle(resolver, { op: layout.KERNEL_OP_FILE_DELETE, name, flags: BY_NAME });
    expect(settled?.path.length).toBeLessThanOrEqual(4095);
    expect((settled?.flags ?? 0) & layout.KERNEL_FLAG_PATH_TRUNCATED).not.toBe(0);
    expect(text(settled?.path)?.startsWith('/n')).toBe(true);
  });

  it('remembers a bounded number of directories', () => {
    const { root, resolver } = place();
    for (let index = 0; index < 5000; index++)
      resolver.resolve(`${root}/d/./${'./'.repeat(index % 50)}e/${index}/x`, { followLast: false });
    fs.mkdirSync(path.join(root, 'many'));
    for (let index = 0; index < 4200; index++) {
      fs.mkdirSync(path.join(root, 'many', `${index}`));
      resolver.resolve(`${root}/many/${index}/x`, { followLast: false });
    }
    const before = resolver.counters.flushed;
    resolver.changed(`${root}/many`);
    expect(resolver.counters.flushed - before).toBe(4096);
  });
});
