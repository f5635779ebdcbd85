// What every source must do: after real file operations, the tree folded from its records is the tree that is really there.
//
//   describe('my source', () => sourceConformance((directory) => new Harness(...)));

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TreeView } from '../../src/event/tree-view.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { eventOf, type Harness } from './source-harness.ts';

export interface ConformanceOptions {
  /** The source's records carry both names of an operation even if one is outside the roots (inotify's do not). */
  factory: (root: string) => Harness;
}

export function sourceConformance({ factory }: ConformanceOptions): void {
  let root = '';
  let outside = '';
  let harness: Harness;
  let view: TreeView;

  beforeEach(() => {
    const base = temporaryDirectory('conformance');
    root = path.join(base, 'root');
    outside = path.join(base, 'outside');
    fs.mkdirSync(root);
    fs.mkdirSync(outside);
  });
  afterEach(() => harness.close());

  const at = (...names: string[]) => path.join(root, ...names);
  /** Opens the source on what is there by now. */
  const open = () => {
    view = new TreeView(root).load();
    harness = factory(root);
  };
  const shell = (script: string, cwd = root) => execFileSync('sh', ['-euc', script], { cwd, stdio: 'pipe' });
  /** Nothing is left to be told; the view equals the walk. Answers the records. */
  const settle = () => {
    harness.barrier();
    for (const record of harness.records) view.apply(eventOf(record));
    expect(view.compare()).toEqual([]);
    return harness.records.splice(0);
  };
  const typesOf = (name: string, records = settle()) =>
    records.filter((record) => record.name === at(name)).map((record) => record.type);

  it('tells a file created, written, changed and deleted', () => {
    open();
    fs.writeFileSync(at('a'), 'content');
    settle();
    fs.chmodSync(at('a'), 0o600);
    expect(typesOf('a')).toContain('fs.chmod');
    fs.appendFileSync(at('a'), 'more');
    expect(typesOf('a')).toContain('fs.write');
    fs.unlinkSync(at('a'));
    expect(typesOf('a')).toContain('fs.delete');
  });

  it('tells both names of a rename, also over a file, and between directories', () => {
    fs.mkdirSync(at('d'));
    fs.writeFileSync(at('a'), 'a');
    fs.writeFileSync(at('b'), 'b');
    open();
    fs.renameSync(at('a'), at('b'));
    fs.renameSync(at('b'), at('d', 'c'));
    const renames = settle().filter((record) => record.type === 'fs.rename');
    expect(renames.map(({ name, name2 }) => [name, name2])).toEqual([
      [at('a'), at('b')],
      [at('b'), at('d', 'c')],
    ]);
  });

  it('tells the text of a symbolic link and both names of a hard link', () => {
    open();
    fs.writeFileSync(at('file'), 'x');
    fs.symlinkSync('file', at('soft'));
    fs.linkSync(at('file'), at('hard'));
    const records = settle();
    const of = (type: string) =>
      records.filter((record) => record.type === type).map(({ name, name2 }) => [name, name2]);
    expect(of('fs.symlink')).toEqual([[at('soft'), 'file']]);
    expect(of('fs.hardlink')).toEqual([[at('file'), at('hard')]]);
  });

  it('tells each creation once when directories are nested quickly', () => {
    open();
    for (let round = 0; round < 20; round++) {
      fs.mkdirSync(at(`r${round}`, 'a', 'b', 'c', 'd'), { recursive: true });
      fs.writeFileSync(at(`r${round}`, 'a', 'b', 'c', 'd', 'file'), 'x');
      harness.turn();
    }
    const records = settle();
    const created = records
      .filter((record) => record.type === 'fs.mkdir' || record.type === 'fs.create')
      .map(({ name }) => name);
    expect(created.length).toBe(new Set(created).size);
    expect(created.length).toBe(20 * 6);
  });

  it('follows a directory that is renamed', () => {
    fs.mkdirSync(at('d', 'e'), { recursive: true });
    fs.writeFileSync(at('d', 'e', 'f'), 'x');
    open();
    fs.renameSync(at('d'), at('moved'));
    fs.writeFileSync(at('moved', 'e', 'g'), 'x');
    fs.appendFileSync(at('moved', 'e', 'f'), 'x');
    const records = settle();
    expect(records.some((record) => record.type === 'fs.create' && record.name === at('moved', 'e', 'g'))).toBe(true);
    expect(records.some((record) => record.type === 'fs.write' && record.name === at('moved', 'e', 'f'))).toBe(true);
    expect(records.some((record) => record.name.startsWith(at('d', 'e')))).toBe(false);
  });

  it('follows directories that are moved out, in and within', () => {
    fs.mkdirSync(at('d', 'e'), { recursive: true });
    fs.writeFileSync(at('d', 'e', 'f'), 'x');
    fs.mkdirSync(path.join(outside, 'in', 'deep'), { recursive: true });
    fs.writeFileSync(path.join(outside, 'in', 'deep', 'file'), 'x');
    open();
    fs.renameSync(at('d'), path.join(outside, 'd'));
    fs.writeFileSync(path.join(outside, 'd', 'e', 'unseen'), 'x');
    fs.renameSync(path.join(outside, 'in'), at('in'));
    const records = settle();
    expect(records.some((record) => record.name.includes('unseen'))).toBe(false);
    fs.writeFileSync(at('in', 'deep', 'later'), 'x');
    fs.mkdirSync(at('into'));
    fs.renameSync(at('in'), at('into', 'in'));
    fs.writeFileSync(at('into', 'in', 'deep', 'latest'), 'x');
    settle();
    fs.renameSync(path.join(outside, 'd'), at('back'));
    fs.renameSync(at('back'), path.join(outside, 'd'));
    fs.renameSync(path.join(outside, 'd'), at('back'));
    fs.writeFileSync(at('back', 'e', 'again'), 'x');
    settle();
  });

  it('tells a file moved out as deleted and a file moved in as there', () => {
    fs.writeFileSync(at('a'), 'x');
    fs.writeFileSync(path.join(outside, 'b'), 'x');
    open();
    fs.renameSync(at('a'), path.join(outside, 'a'));
    fs.renameSync(path.join(outside, 'b'), at('b'));
    settle();
  });

  it('follows an editor that saves atomically', () => {
    fs.writeFileSync(at('file.txt'), 'old');
    open();
    for (let save = 0; save < 10; save++) {
      const fd = fs.openSync(at('.file.txt.swp'), 'w');
      fs.writeSync(fd, `version ${save}`);
      fs.fsyncSync(fd);
      fs.closeSync(fd);
      fs.renameSync(at('.file.txt.swp'), at('file.txt'));
    }
    const renames = settle().filter((record) => record.type === 'fs.rename');
    expect(renames.length).toBe(10);
    expect(renames.every((record) => record.name2 === at('file.txt'))).toBe(true);
  });

  it('follows two names that change places', () => {
    fs.mkdirSync(at('one'));
    fs.writeFileSync(at('one', 'in-one'), 'x');
    fs.mkdirSync(at('two'));
    open();
    // util-linux has no exchange everywhere: three renames do the same, one after the other.
    shell('mv one three; mv two one; mv three two');
    fs.writeFileSync(at('two', 'later'), 'x');
    settle();
  });

  it('follows a burst like git clone: 1,000 files in directories that are just made', () => {
    open();
    for (let index = 0; index < 1000; index++) {
      const directory = at('repo', `d${index % 40}`, `e${index % 7}`);
      fs.mkdirSync(directory, { recursive: true });
      fs.writeFileSync(path.join(directory, `tmp_${index}`), `content ${index}`);
      fs.renameSync(path.join(directory, `tmp_${index}`), path.join(directory, `file_${index}`));
      if (index % 50 === 0) harness.turn();
    }
    settle();
    expect(view.size).toBe(1 + 40 + 280 + 1000);
  });

  it('follows tar x of 1,000 files, and rm -rf of it all', () => {
    const source = path.join(outside, 'tree');
    for (let index = 0; index < 1000; index++) {
      const directory = path.join(source, `d${index % 10}`, `e${index % 13}`, `f${index % 3}`);
      fs.mkdirSync(directory, { recursive: true });
      fs.writeFileSync(path.join(directory, `f${index}`), `content ${index}`);
      if (index % 100 === 0) fs.symlinkSync('../somewhere', path.join(directory, `link${index}`));
    }
    shell(`tar cf ${outside}/tree.tar tree`, outside);
    open();
    shell(`tar xf ${outside}/tree.tar`);
    settle();
    shell('rm -rf tree');
    settle();
    expect(view.size).toBe(0);
  });

  it('follows a deep tree that is deleted and made again at once', () => {
    open();
    const deep = path.join(...Array.from({ length: 30 }, (_, depth) => `level${depth}`));
    for (let round = 0; round < 10; round++) {
      fs.mkdirSync(at(deep), { recursive: true });
      fs.writeFileSync(at(deep, `file${round}`), 'x');
      if (round % 3 === 0) harness.turn();
      if (round < 9) fs.rmSync(at('level0'), { recursive: true });
    }
    settle();
    expect(view.size).toBe(31);
  });

  it('takes names that are not UTF-8, and long ones', () => {
    open();
    fs.writeFileSync(Buffer.concat([Buffer.from(at('x')), Buffer.of(0xff, 0xfe, 0x80)]), 'x');
    fs.writeFileSync(at('ü日本'), 'x');
    fs.writeFileSync(at('n'.repeat(255)), 'x');
    settle();
    expect(view.size).toBe(3);
  });
}
