// Keeps the known tree, the kernel's watches and the file system in step.
//
// No window between mkdir and watch. A new directory is watched first and listed then, and what the listing finds that no event has told yet is
// reported with variant SCAN. Why each creation is told exactly once - D is the new directory, n a name in it:
//   1. n is created before the watch on D: no event. The listing comes later, finds n, and reports it.
//   2. n is created after the watch, before the listing: the event is queued. The listing finds n, reports it and enters it into the tree; the event
//      finds n known and is dropped (tracker.ts, arrive).
//   3. n is created after the listing: only the event tells it.
//   4. n is created and deleted again between watch and listing: the listing finds nothing, both events are handled in their order.
//   5. n is created before the watch and deleted between watch and listing: only the deletion is told. Nobody saw the creation.
// mkdir -p a/b/c is 1-3 applied again: what the listing of `a` finds is watched first and listed then.
//
// Whatever is looked at is looked at by path, and the path may lead elsewhere by now: a directory on it was renamed or replaced after the event that is
// being handled. What keeps that from being believed:
//   - A watch is on an inode. The kernel answers the same watch for the same inode, so a listing is believed only if the path led to the directory's own
//     watch before and after it (settler.ts, contents).
//   - A new directory may turn out to have the watch of a known one (claim):
//     1. The known name is gone: the directory was renamed, and the event that says so is still in the queue. The rename is reported now (SCAN); the
//        event later finds the old name `gone` and the new one with this inode, and is dropped.
//     2. Both names lead to the inode: a bind mount. It is followed under its first name only.
//     3. The known name leads to another inode: its watch was asked for too late, by a path that led here already. The watch is given to the new
//        name; the other one is watched again and compared with what is known of it.
//   - Until the queue was empty once after it was made, a watch is "young". Then - no event is waiting, so all known paths are true - it is asked
//     for again: another answer means that the directory must be watched and compared anew (settler.ts, settle).
//   - If a directory was renamed since the queue was last empty, everything that was looked at since then is looked at once more.
//   - A scan may have seen what a name became after the events that are still in the queue. An event about such a name makes it be looked at once
//     more, wherever it was moved to: if it stands for another file then, the old one's end and the new one are told (settler.ts, compareName).
//   - An inode number is used again as soon as its file is gone, whose end may still be in the queue. A new name is called a hard link of a known
//     one only if that one leads to the same file now, or was made when the file was made (hardLinkOf).
// rm -rf and mkdir again: the kernel counts the watches' numbers up, so late events of the old directory find no watch and are dropped.

import type { Stats } from 'node:fs';
import {
  KERNEL_OP_DIR_CREATE,
  KERNEL_OP_DIR_DELETE,
  KERNEL_OP_FILE_CREATE,
  KERNEL_OP_FILE_DELETE,
  KERNEL_OP_FILE_RENAME,
  KERNEL_OP_HARDLINK_CREATE,
  KERNEL_OP_SYMLINK_CREATE,
  KERNEL_VARIANT_SCAN,
  KERNEL_VARIANT_UNKNOWN,
} from '../../../layout/kernel-record.ts';
import { errnoName } from '../../arena/native.ts';
import { compareAttributes } from '../tree/attributes.ts';
import type { Emitter } from '../tree/emitter.ts';
import { birthStamp, isSameKind, type KnownDirectory, type KnownNode, KnownTree } from '../tree/known-tree.ts';
import { linkText, lookAt } from '../tree/look.ts';
import { IN_DONT_FOLLOW, IN_ONLYDIR } from './abi.ts';
import { isGone, type Watches } from './watches.ts';

export interface WatchedTreeOptions {
  watches: Watches;
  /** IN_ bits asked for on each directory. */
  mask: number;
  emitter: Emitter;
  /** A directory cannot be watched: errno name and path. */
  watchFailed: (errno: string, path: string) => void;
}

/** How a name was found. */
export interface Found {
  stat: Stats;
  variant: number;
  /** False while the roots are listed: what is there already is no event. */
  report: boolean;
}

export class WatchedTree {
  readonly tree = new KnownTree();
  readonly watches: Watches;
  readonly emitter: Emitter;
  readonly watchFailed: WatchedTreeOptions['watchFailed'];
  /** For a directory of the tree. */
  readonly mask: number;
  /** Directories whose watch or content must be checked when no event is waiting. */
  young = new Set<KnownNode>();
  /** Names that must be looked at again then. */
  unchecked = new Set<KnownNode>();
  /** Names that were looked at since then: to be looked at again if a directory was renamed meanwhile. */
  looked: KnownNode[] = [];
  /** Names that a scan has found since then: an event that tells them is still in the queue, or never was. */
  readonly scanned = new Set<KnownNode>();
  /** Directories with notes that hold until then. */
  readonly noted = new Set<KnownDirectory>();
  /** The tree contradicts itself: it must be compared as a whole. */
  isDoubtful = false;

  constructor(options: WatchedTreeOptions) {
    this.watches = options.watches;
    this.emitter = options.emitter;
    this.watchFailed = options.watchFailed;
    this.mask = options.mask | IN_ONLYDIR | IN_DONT_FOLLOW;
  }

  /** Watches the node's path with this mask. False where that cannot be, which is not reported: the caller knows a way around it. */
  tryWatch(node: KnownNode, mask: number): boolean {
    const wd = this.watches.add(this.tree.path(node), mask);
    if (wd < 0) return false;
    this.watches.bind(node, wd, mask);
    return true;
  }

  /** A name that is not in the tree yet, entered and reported. Answers a directory that must be listed. */
  add(parent: KnownNode, name: string, found: Found): KnownNode | undefined {
    if (found.stat.isDirectory()) return this.#addDirectory(parent, name, found);
    const other = found.stat.nlink > 1 ? this.#hardLinkOf(found.stat) : undefined;
    const node = this.tree.add(parent, name, { isDirectory: false, stat: found.stat });
    this.looked.push(node);
    if (found.variant === KERNEL_VARIANT_SCAN) this.scanned.add(node);
    if (found.report) this.#reportFile(node, found, other);
    return undefined;
  }

  /** A name that was gone, or somebody else's, before it could be looked at: it is looked at again later. */
  addUnseen(parent: KnownNode, name: string, isDirectory: boolean): void {
    const node = this.tree.add(parent, name, { isDirectory, stat: undefined });
    const op = isDirectory ? KERNEL_OP_DIR_CREATE : KERNEL_OP_FILE_CREATE;
    this.emitter.emit({ op, variant: KERNEL_VARIANT_UNKNOWN, path: this.tree.path(node), isDirectory });
    if (isDirectory) this.doubt(node);
    else this.unchecked.add(node);
  }

  /** Takes the node and all below it out. `report`: deletions (SCAN), innermost first. */
  remove(node: KnownNode, report: 'none' | 'below' | 'all'): void {
    this.tree.remove(node, (each) => {
      this.watches.unbind(each);
      if (report === 'all' || (report === 'below' && each !== node)) this.#reportDeleted(each);
    });
  }

  /** A rename that an event tells. False: the tree contradicts it. */
  move(node: KnownNode, parent: KnownNode, name: string): boolean {
    if (node.directory !== undefined) {
      if (isWithin(parent, node)) return false;
      this.pathsChanged();
    }
    this.tree.move(node, parent, name);
    return true;
  }

  /** A directory has another name than it had: what was looked at by the old one may have been something else. */
  pathsChanged(): void {
    for (const node of this.looked) this.unchecked.add(node);
    this.looked = [];
  }

  /** An event says that mode, owner or something else of the node changed. */
  attributesChanged(node: KnownNode): void {
    const stat = lookAt(this.tree.path(node));
    if (stat !== undefined && node.inode === stat.ino) this.compareAttributes(node, stat, KERNEL_VARIANT_UNKNOWN);
    // The path belongs to another file by now, or to none: the events that say so are behind this one.
    else this.unchecked.add(node);
  }

  /** Reports what differs in mode and owner from what is known, and learns it. */
  compareAttributes(node: KnownNode, stat: Stats, variant: number): void {
    compareAttributes(this, node, stat, variant);
  }

  /** The kernel has dropped the watch: its inode is gone, or its file system was unmounted. */
  forgetWatch(wd: number): void {
    const node = this.watches.forget(wd);
    // If its path leads to a directory all the same (what lay below a mount), that is watched.
    if (node !== undefined) this.doubt(node);
  }

  /** The watch of this node is not, or no longer, the one of its path. */
  doubt(node: KnownNode): void {
    const { directory } = node;
    if (directory === undefined || directory.only !== undefined || directory.detached) return;
    directory.wd = -1;
    directory.settled = false;
    directory.isListed = false;
    this.young.add(node);
  }

  /** The event that tells the end of this name will be dropped: a scan has told it. */
  noteGone(parent: KnownNode, name: string): void {
    const { directory } = parent;
    if (directory === undefined) return;
    directory.gone ??= new Set();
    directory.gone.add(name);
    this.noted.add(directory);
  }

  /** Reports a name again as what it is, when it was told before it could be looked at and is a symbolic link. */
  reportLate(node: KnownNode, stat: Stats): void {
    if (stat.isSymbolicLink()) this.#reportFile(node, { stat, variant: KERNEL_VARIANT_SCAN, report: true }, undefined);
  }

  /** Another name of this file, if one is known for sure: the inode number alone may be that of a file whose end is still to be told. */
  #hardLinkOf(stat: Stats): KnownNode | undefined {
    const birth = birthStamp(stat);
    for (const node of this.tree.namesOf(stat)) {
      if (!isSameKind(node, stat)) continue;
      if (birth !== 0 && node.birth === birth) return node;
      const at = lookAt(this.tree.path(node));
      if (at !== undefined && at.ino === stat.ino && at.dev === stat.dev) return node;
    }
    return undefined;
  }

  #addDirectory(parent: KnownNode, name: string, found: Found): KnownNode | undefined {
    const path = `${this.tree.path(parent)}/${name}`;
    const wd = this.watches.add(path, this.mask);
    if (wd < 0) return this.#addUnwatched(parent, name, found, wd);
    const other = this.watches.nodeOf(wd);
    const claim = other === undefined ? 'free' : this.#claim(other, found.stat, parent);
    if (other !== undefined && claim === 'renamed') {
      this.#renamedBefore(other, parent, name);
      return undefined;
    }
    const node = this.#enter(parent, name, found);
    if (claim === 'alias') return undefined;
    if (claim === 'elsewhere') {
      this.doubt(node);
      return undefined;
    }
    if (other !== undefined) this.doubt(other);
    this.watches.bind(node, wd, this.mask);
    this.young.add(node);
    return node;
  }

  #addUnwatched(parent: KnownNode, name: string, found: Found, negativeErrno: number): KnownNode | undefined {
    const node = this.#enter(parent, name, found);
    if (isGone(negativeErrno)) {
      this.doubt(node);
      return undefined;
    }
    this.watchFailed(errnoName(-negativeErrno), this.tree.path(node));
    // Its content is told as it is now; what changes later is not seen, and the loss says so.
    return node;
  }

  #enter(parent: KnownNode, name: string, found: Found): KnownNode {
    const { stat, variant, report } = found;
    const node = this.tree.add(parent, name, { isDirectory: true, stat });
    if (variant === KERNEL_VARIANT_SCAN) this.scanned.add(node);
    const path = this.tree.path(node);
    if (report) this.emitter.emit({ op: KERNEL_OP_DIR_CREATE, variant, path, stat, isDirectory: true });
    return node;
  }

  /** Who is mistaken when a new name gets the watch of a known one: see the head of this file. 'elsewhere': the parent is no longer at its path. */
  #claim(other: KnownNode, stat: Stats, parent: KnownNode): 'renamed' | 'alias' | 'mistaken' | 'elsewhere' {
    if (isWithin(parent, other)) return 'alias';
    if (!this.watches.isAt(parent, this.tree.path(parent))) return 'elsewhere';
    const at = lookAt(this.tree.path(other));
    if (at === undefined || !at.isDirectory()) return 'renamed';
    if (at.ino === stat.ino && at.dev === stat.dev) return 'alias';
    return other.directory?.settled ? 'renamed' : 'mistaken';
  }

  #renamedBefore(node: KnownNode, parent: KnownNode, name: string): void {
    const path = this.tree.path(node);
    if (node.parent !== undefined) this.noteGone(node.parent, node.name);
    this.pathsChanged();
    this.tree.move(node, parent, name);
    this.emitter.emit({
      op: KERNEL_OP_FILE_RENAME,
      variant: KERNEL_VARIANT_SCAN,
      path,
      path2: this.tree.path(node),
      isDirectory: true,
      ...known(node),
    });
    // It was believed ahead of the event: to be checked.
    if (node.directory !== undefined) node.directory.settled = false;
    this.young.add(node);
  }

  #reportFile(node: KnownNode, found: Found, other: KnownNode | undefined): void {
    const { stat, variant } = found;
    const path = this.tree.path(node);
    if (other !== undefined) {
      const from = this.tree.path(other);
      this.emitter.emit({ op: KERNEL_OP_HARDLINK_CREATE, variant, path: from, path2: path, stat });
    } else if (stat.isSymbolicLink()) {
      this.emitter.emit({ op: KERNEL_OP_SYMLINK_CREATE, variant, path, path2: linkText(path), stat });
    } else {
      this.emitter.emit({ op: KERNEL_OP_FILE_CREATE, variant, path, stat });
    }
  }

  #reportDeleted(node: KnownNode): void {
    const isDirectory = node.directory !== undefined;
    const op = isDirectory ? KERNEL_OP_DIR_DELETE : KERNEL_OP_FILE_DELETE;
    const path = this.tree.path(node);
    this.emitter.emit({ op, variant: KERNEL_VARIANT_SCAN, path, isDirectory, ...known(node) });
  }
}

/** What a record can say of a node without looking. */
export function known(node: KnownNode): { inode: number; mode: number; device: number } {
  const device = node.directory?.device ?? node.parent?.directory?.device ?? 0;
  return { inode: node.inode, mode: node.mode, device };
}

/** Whether the node is `top`, or below it. */
function isWithin(node: KnownNode, top: KnownNode): boolean {
  for (let at: KnownNode | undefined = node; at !== undefined; at = at.parent) if (at === top) return true;
  return false;
}
