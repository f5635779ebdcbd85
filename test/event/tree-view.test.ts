import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type TreeEvent, TreeView } from '../../src/event/tree-view.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const FILE = 0o100644;
const DIRECTORY = 0o040755;

function viewOf(events: TreeEvent[], root = '/r'): TreeView {
  const view = new TreeView(root);
  for (const event of events) view.apply(event);
  return view;
}

const paths = (view: TreeView) => [...view.entries().keys()];

describe('tree view', () => {
  it('folds creations, renames and deletions', () => {
    const view = viewOf([
      { type: 'fs.mkdir', path: '/r/d', mode: DIRECTORY },
      { type: 'fs.create', path: '/r/d/f', mode: FILE },
      { type: 'fs.symlink', path: '/r/l', path2: 'd/f' },
      { type: 'fs.rename', path: '/r/d', path2: '/r/e', mode: DIRECTORY },
      { type: 'fs.hardlink', path: '/r/e/f', path2: '/r/h', mode: FILE },
      { type: 'fs.chmod', path: '/r/h', mode: 0o100600 },
      { type: 'fs.delete', path: '/r/l' },
    ]);
    expect(paths(view)).toEqual(['e', 'e/f', 'h']);
    // Two names of one file have one mode.
    expect(view.entries().get('e/f')?.mode).toBe(0o600);
    expect(view.size).toBe(3);
  });

  it('lets two names change places', () => {
    const view = viewOf([
      { type: 'fs.create', path: '/r/a/x', mode: FILE },
      { type: 'fs.create', path: '/r/b', mode: FILE },
      { type: 'fs.rename', path: '/r/a', path2: '/r/b', argument: 2n },
    ]);
    expect(paths(view)).toEqual(['a', 'b', 'b/x']);
  });

  it('takes no notice of what failed, or is outside', () => {
    const view = viewOf([
      { type: 'fs.create', path: '/r/a', mode: FILE, error: 'EACCES' },
      { type: 'fs.create', path: '/rr/a', mode: FILE },
      { type: 'fs.create', path: '/r/b', mode: FILE },
      { type: 'fs.rename', path: '/r/b', path2: '/elsewhere' },
      { type: 'fs.write', path: '/r/never-created' },
      { type: 'fs.delete', path: '/r/never-created' },
      { type: 'fs.rmdir', path: '/r' },
    ]);
    expect(paths(view)).toEqual([]);
  });

  it('keeps names that are not UTF-8 apart', () => {
    const event = (byte: number): TreeEvent => ({
      type: 'fs.create',
      pathBytes: Buffer.from([...Buffer.from('/r/'), byte]),
    });
    expect(viewOf([event(0xff), event(0xfe)]).size).toBe(2);
  });

  it('walks a directory that came from where nobody looked', () => {
    const root = temporaryDirectory('view');
    fs.mkdirSync(path.join(root, 'in', 'deep'), { recursive: true });
    const view = viewOf([{ type: 'fs.rename', path: '/outside/in', path2: `${root}/in`, mode: DIRECTORY }], root);
    expect(view.compare()).toEqual([]);
    expect(view.walkedCount).toBe(1);
  });

  it('names every difference from the real tree', () => {
    const root = temporaryDirectory('view');
    const view = new TreeView(root);
    fs.writeFileSync(path.join(root, 'mode'), '', { mode: 0o600 });
    fs.writeFileSync(path.join(root, 'kind'), '');
    fs.symlinkSync('there', path.join(root, 'target'));
    fs.writeFileSync(path.join(root, 'same'), '');
    view.load();
    expect(view.compare()).toEqual([]);
    fs.chmodSync(path.join(root, 'mode'), 0o644);
    fs.rmSync(path.join(root, 'kind'));
    fs.mkdirSync(path.join(root, 'kind'));
    fs.rmSync(path.join(root, 'target'));
    fs.symlinkSync('elsewhere', path.join(root, 'target'));
    fs.writeFileSync(path.join(root, 'missing'), '');
    view.apply({ type: 'fs.create', path: path.join(root, 'extra'), mode: FILE });
    expect(view.compare().map(({ path: name, problem, view: seen, found }) => [name, problem, seen, found])).toEqual(
      expect.arrayContaining([
        ['mode', 'mode', '600', '644'],
        ['kind', 'kind', 'file', 'directory'],
        ['target', 'target', 'there', 'elsewhere'],
        ['missing', 'missing', undefined, 'file'],
        ['extra', 'extra', 'file', undefined],
      ]),
    );
    expect(view.compare().length).toBe(5);
  });
});
