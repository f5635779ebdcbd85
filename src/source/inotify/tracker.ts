// What each inotify event means, given what is known of the tree (known-tree.ts). Names and directories are kept in step by watched-tree.ts.
//
// Decisions that inotify leaves open:
//   - IN_ATTRIB says only that something of the inode changed. Mode and owner are compared with what is known: fs.chmod, fs.chown, or - times, extended
//     attributes, link count, or a change that was there already when the name was first looked at - nothing.
//   - Truncation cannot be told from writing: both are writes.
//   - A directory's own opens, reads and attributes come twice, from its own watch and from its parent's: the first is taken.
//   - A half of a rename without the other one is a deletion or a creation, with the directory's known content deleted, or its content found by a scan.

import type { Stats } from 'node:fs';
import {
  KERNEL_FLAG_PATH_DELETED,
  KERNEL_OP_DIR_DELETE,
  KERNEL_OP_DIR_READ,
  KERNEL_OP_FILE_CLOSE,
  KERNEL_OP_FILE_DELETE,
  KERNEL_OP_FILE_OPEN,
  KERNEL_OP_FILE_READ,
  KERNEL_OP_FILE_RENAME,
  KERNEL_OP_FILE_WRITE,
  KERNEL_OP_UNMOUNT,
  KERNEL_VARIANT_UNKNOWN,
} from '../../../layout/kernel-record.ts';
import type { Emitter } from '../tree/emitter.ts';
import { childrenOf, contentStamp, type KnownNode } from '../tree/known-tree.ts';
import { lookAt } from '../tree/look.ts';
import {
  IN_ACCESS,
  IN_ATTRIB,
  IN_CLOSE_NOWRITE,
  IN_CLOSE_WRITE,
  IN_CREATE,
  IN_DELETE,
  IN_DELETE_SELF,
  IN_IGNORED,
  IN_ISDIR,
  IN_MODIFY,
  IN_MOVE_SELF,
  IN_MOVED_TO,
  IN_OPEN,
  IN_UNMOUNT,
} from './abi.ts';
import type { EventQueue, InotifyEvent } from './event-queue.ts';
import type { Settler } from './settler.ts';
import { known, type WatchedTree } from './watched-tree.ts';

/** linux/fs.h: the two names change places. */
const RENAME_EXCHANGE = 2n;

export class Tracker {
  readonly #watched: WatchedTree;
  readonly #settler: Settler;
  readonly #emitter: Emitter;
  /** A root is gone and cannot come back into view. */
  readonly #rootLost: (path: string) => void;

  constructor(watched: WatchedTree, settler: Settler, emitter: Emitter, rootLost: (path: string) => void) {
    this.#watched = watched;
    this.#settler = settler;
    this.#emitter = emitter;
    this.#rootLost = rootLost;
  }

  /** Any event but overflow and IN_MOVED_FROM. */
  handle(event: InotifyEvent): void {
    const { wd, mask, name } = event;
    const node = this.#watched.watches.nodeOf(wd);
    // No such watch any more: the directory was moved out of the tree, or is gone.
    if (node === undefined) return;
    if (mask & IN_IGNORED) this.#ignored(node, wd);
    else if (!concerns(node, name)) return;
    else if (mask & IN_UNMOUNT) this.#unmounted(node);
    else if (mask & (IN_CREATE | IN_MOVED_TO)) this.#arrive(node, event);
    else if (mask & IN_DELETE) this.#leave(node, name, (mask & IN_ISDIR) !== 0);
    else if (mask & (IN_DELETE_SELF | IN_MOVE_SELF)) this.#rootGone(node);
    else this.#content(node, event);
  }

  /** IN_MOVED_FROM with its other half, or without: then it was moved out of what is watched. */
  renamed(from: InotifyEvent, to: InotifyEvent | undefined, queue: EventQueue): void {
    const fromParent = this.#watched.watches.nodeOf(from.wd);
    const toParent = to === undefined ? undefined : this.#watched.watches.nodeOf(to.wd);
    const isOut = to === undefined || toParent === undefined || !concerns(toParent, to.name);
    const isIn = fromParent === undefined || !concerns(fromParent, from.name);
    if (isOut) {
      if (!isIn) this.#leave(fromParent, from.name, (from.mask & IN_ISDIR) !== 0);
    } else if (isIn) {
      this.#arrive(toParent, to);
    } else {
      this.#rename(fromParent, from, toParent, to, queue);
    }
  }

  #rename(fromParent: KnownNode, from: InotifyEvent, toParent: KnownNode, to: InotifyEvent, queue: EventQueue): void {
    const { tree } = this.#watched;
    const source = childrenOf(fromParent).get(from.name);
    const target = childrenOf(toParent).get(to.name);
    const paths = {
      path: `${tree.path(fromParent)}/${from.name}`,
      path2: `${tree.path(toParent)}/${to.name}`,
    };
    if (source === undefined) {
      this.#renameOfUnknown(fromParent, from, toParent, to, paths);
      return;
    }
    if (target !== undefined && this.#isExchange(source, target, paths) && queue.takeInverse(from, to)) {
      tree.exchange(source, target);
      this.#watched.pathsChanged();
      this.#emitRename(source, paths, undefined, RENAME_EXCHANGE);
      return;
    }
    if (target !== undefined && target !== source) this.#watched.remove(target, 'none');
    toParent.directory?.gone?.delete(to.name);
    if (!this.#watched.move(source, toParent, to.name)) {
      // A scan was ahead of the events and has moved the new parent below the old one: all of it is compared when the queue is empty.
      this.#watched.remove(source, 'all');
      this.#watched.isDoubtful = true;
      return;
    }
    // A scan may have seen what the old name became later.
    if (source.directory === undefined && this.#watched.scanned.has(source)) this.#watched.unchecked.add(source);
    // What was gone before it could be looked at may be found under its new name.
    const stat = source.mode === 0 ? lookAt(paths.path2) : undefined;
    if (stat !== undefined && stat.isDirectory() === (source.directory !== undefined)) tree.learn(source, stat);
    this.#emitRename(source, paths, source.mode === 0 ? undefined : stat, 0n);
  }

  /** The name was created and renamed before its directory was listed, or a scan has told the rename, or the end of the old name, already. */
  #renameOfUnknown(
    fromParent: KnownNode,
    from: InotifyEvent,
    toParent: KnownNode,
    to: InotifyEvent,
    paths: { path: string; path2: string },
  ): void {
    const wasTold = fromParent.directory?.gone?.delete(from.name) === true;
    const target = childrenOf(toParent).get(to.name);
    const stat = lookAt(paths.path2);
    if (target !== undefined && (stat === undefined || target.inode === stat.ino)) {
      if (stat === undefined && target.directory === undefined) this.#watched.unchecked.add(target);
      return;
    }
    if (wasTold || target === undefined) {
      this.#arrive(toParent, to);
      return;
    }
    this.#watched.remove(target, 'none');
    this.#arrive(toParent, to);
  }

  /** The old name still exists, and is what the new one was. */
  #isExchange(source: KnownNode, target: KnownNode, paths: { path: string; path2: string }): boolean {
    const [atOld, atNew] = [lookAt(paths.path), lookAt(paths.path2)];
    return atOld !== undefined && atOld.ino === target.inode && atNew?.ino === source.inode;
  }

  #emitRename(
    node: KnownNode,
    paths: { path: string; path2: string },
    stat: Stats | undefined,
    argument: bigint,
  ): void {
    this.#emitter.emit({
      op: KERNEL_OP_FILE_RENAME,
      variant: KERNEL_VARIANT_UNKNOWN,
      ...paths,
      ...known(node),
      stat,
      argument,
      isDirectory: node.directory !== undefined,
    });
  }

  /** Created, or moved in from outside. */
  #arrive(parent: KnownNode, event: InotifyEvent): void {
    const { name, mask } = event;
    const isDirectory = (mask & IN_ISDIR) !== 0;
    parent.directory?.gone?.delete(name);
    let stat = lookAt(`${this.#watched.tree.path(parent)}/${name}`);
    // The name belongs to something else by now; the events that say so are behind this one.
    if (stat?.isDirectory() !== isDirectory) stat = undefined;
    const target = childrenOf(parent).get(name);
    if (target !== undefined) {
      const isOther = stat === undefined ? !this.#watched.scanned.has(target) : target.inode !== stat.ino;
      const isReplaced = (mask & IN_MOVED_TO) !== 0 && isOther;
      // A scan has told it; if that was something else, the name is looked at once more.
      if (!isReplaced) {
        if (target.directory === undefined && target.inode !== stat?.ino) this.#watched.unchecked.add(target);
        return;
      }
      this.#watched.remove(target, 'none');
    }
    if (stat === undefined) {
      this.#watched.addUnseen(parent, name, isDirectory);
      return;
    }
    const fresh = this.#watched.add(parent, name, { stat, variant: KERNEL_VARIANT_UNKNOWN, report: true });
    if (fresh !== undefined) this.#settler.list(fresh, true);
  }

  #leave(parent: KnownNode, name: string, isDirectory: boolean): void {
    const node = childrenOf(parent).get(name);
    if (node === undefined && parent.directory?.gone?.delete(name)) return;
    if (node !== undefined) this.#watched.remove(node, 'below');
    this.#emitter.emit({
      op: isDirectory ? KERNEL_OP_DIR_DELETE : KERNEL_OP_FILE_DELETE,
      variant: KERNEL_VARIANT_UNKNOWN,
      path: `${this.#watched.tree.path(parent)}/${name}`,
      isDirectory,
      ...(node === undefined ? {} : known(node)),
    });
  }

  /** A root whose parent cannot be watched: only its own watch can tell. */
  #rootGone(node: KnownNode): void {
    if (node.parent === undefined) return;
    const path = this.#watched.tree.path(node);
    this.#leave(node.parent, node.name, node.directory !== undefined);
    this.#rootLost(path);
  }

  #ignored(node: KnownNode, wd: number): void {
    this.#watched.forgetWatch(wd);
    if (node.directory?.only !== undefined) {
      for (const name of node.directory.only) this.#rootLost(`${this.#watched.tree.path(node)}/${name}`);
    }
  }

  #unmounted(node: KnownNode): void {
    const above = node.parent?.directory;
    if (above !== undefined && above.only === undefined && above.device === node.directory?.device) return;
    const path = this.#watched.tree.path(node);
    this.#emitter.emit({
      op: KERNEL_OP_UNMOUNT,
      variant: KERNEL_VARIANT_UNKNOWN,
      path,
      ...known(node),
      isDirectory: true,
    });
  }

  /** Something happened to what the name stands for: opened, read, written, closed, changed. */
  #content(parent: KnownNode, event: InotifyEvent): void {
    const { mask, name } = event;
    const isDirectory = (mask & IN_ISDIR) !== 0;
    const node = name === '' ? parent : childrenOf(parent).get(name);
    if (name !== '' && isDirectory && (node?.directory === undefined || node.directory.wd >= 0)) return;
    if (name === '' && isDirectory && isOwnListing(parent, mask)) return;
    const path = name === '' ? this.#watched.tree.path(parent) : `${this.#watched.tree.path(parent)}/${name}`;
    if (mask & IN_ATTRIB) {
      if (node !== undefined) this.#watched.attributesChanged(node);
      return;
    }
    const report = {
      variant: KERNEL_VARIANT_UNKNOWN,
      path,
      isDirectory,
      // Deleted or renamed, and still open.
      flags: node === undefined ? KERNEL_FLAG_PATH_DELETED : 0,
      ...(node === undefined ? {} : known(node)),
    };
    if (mask & IN_MODIFY)
      this.#emitter.emit({ op: KERNEL_OP_FILE_WRITE, ...report, stat: this.#statAfterWrite(node, path) });
    else if (mask & IN_OPEN) this.#emitter.emit({ op: KERNEL_OP_FILE_OPEN, ...report });
    else if (mask & IN_ACCESS)
      this.#emitter.emit({ op: isDirectory ? KERNEL_OP_DIR_READ : KERNEL_OP_FILE_READ, ...report });
    else if (mask & (IN_CLOSE_WRITE | IN_CLOSE_NOWRITE)) this.#emitter.emit({ op: KERNEL_OP_FILE_CLOSE, ...report });
  }

  #statAfterWrite(node: KnownNode | undefined, path: string): Stats | undefined {
    const stat = node === undefined ? undefined : lookAt(path);
    // The name may stand for another file by now.
    if (node === undefined || stat === undefined || stat.ino !== node.inode) return undefined;
    node.stamp = contentStamp(stat);
    return stat;
  }
}

/** The parent of a root is watched for the root's name only. */
function concerns(node: KnownNode, name: string): boolean {
  return node.directory?.only === undefined || node.directory.only.has(name);
}

/** An open, read or close that our own listing of the directory caused. */
function isOwnListing(node: KnownNode, mask: number): boolean {
  const { directory } = node;
  if (directory === undefined) return false;
  if (mask & IN_OPEN && directory.ownOpens > 0) {
    directory.ownOpens -= 1;
    return true;
  }
  if (mask & IN_CLOSE_NOWRITE && directory.ownCloses > 0) {
    directory.ownCloses -= 1;
    return true;
  }
  return (mask & IN_ACCESS) !== 0 && directory.ownCloses > 0;
}
