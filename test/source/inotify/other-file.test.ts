// A name, or an inode number, that stands for another file by the time it is looked at. Each sequence of the races is made to happen, in turn with the
// reader's own calls.

import fs, { type Stats } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { TreeView } from '../../../src/event/tree-view.ts';
import { requires } from '../../support/capabilities.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { eventOf, type Harness } from '../source-harness.ts';
import { openInotify } from './open-inotify.ts';

const look = fs.lstatSync;

/** Lets `change` see what the reader sees at a path: after it was looked at, before it is believed. */
function whenLooking(change: (at: string, stat: Stats | undefined) => void): void {
  vi.spyOn(fs, 'lstatSync').mockImplementation(((where: Buffer, options: { throwIfNoEntry: false }) => {
    const stat = look(where, options);
    change(where.toString(), stat);
    return stat;
  }) as typeof fs.lstatSync);
}

/** What the events make of the tree, and what they were. */
function follow(root: string, harness: Harness, view: TreeView): string[] {
  harness.barrier();
  vi.restoreAllMocks();
  return harness.records.splice(0).map((record) => {
    view.apply(eventOf(record));
    const names = [record.name, record.name2].map((name) => path.relative(root, name));
    return `${record.type} ${record.type === 'fs.rename' || record.type === 'fs.hardlink' ? names.join(' ') : names[0]}`;
  });
}

describe('inotify source, another file', requires('koffi'), () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('with the inode number of a symbolic link that is gone is no hard link of it', () => {
    const root = temporaryDirectory('other-file');
    const at = (name: string) => path.join(root, name);
    const [link, file, second] = [at('link'), at('new/file'), at('new/second')];
    const view = new TreeView(root);
    const harness = openInotify([root]);
    try {
      fs.symlinkSync('nowhere', link);
      follow(root, harness, view);
      const { ino } = fs.lstatSync(link);
      fs.mkdirSync(at('new'));
      let isGone = false;
      whenLooking((where, stat) => {
        if (where === at('new') && !isGone) {
          // The end of the link is behind the new directory in the queue, whose scan comes first.
          isGone = true;
          fs.unlinkSync(link);
          fs.writeFileSync(file, 'content');
          fs.linkSync(file, second);
        }
        // What ext4 does at once.
        if (stat !== undefined && (where === file || where === second)) stat.ino = ino;
      });
      const told = follow(root, harness, view);
      expect(isGone).toBe(true);
      expect(view.compare()).toEqual([]);
      const linked = told.filter((line) => line.startsWith('fs.hardlink'));
      expect(linked).toHaveLength(1);
      expect(linked[0]).not.toContain(' link ');
    } finally {
      harness.close();
    }
  });

  it('that replaced a link which a scan had told, and was renamed then, is told as what it is', () => {
    const [root, outside] = [temporaryDirectory('other-file'), temporaryDirectory('outside')];
    const at = (name: string) => path.join(root, name);
    const view = new TreeView(root);
    const harness = openInotify([root]);
    try {
      fs.writeFileSync(path.join(outside, 'file'), 'content');
      fs.mkdirSync(at('new'));
      let made = 0;
      whenLooking((where) => {
        if (where === at('new') && made === 0) {
          made = 1;
          fs.symlinkSync('nowhere', at('new/name'));
        } else if (where === at('new/name') && made === 1) {
          made = 2;
          fs.renameSync(path.join(outside, 'file'), at('new/name'));
          fs.renameSync(at('new/name'), at('new/moved'));
        }
      });
      const told = follow(root, harness, view);
      expect(made).toBe(2);
      expect(view.compare()).toEqual([]);
      expect(told).toContain('fs.create new/moved');
    } finally {
      harness.close();
    }
  });
});
