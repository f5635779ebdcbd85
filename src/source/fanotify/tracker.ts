// What each fanotify event means, given what is known of the tree. See the head of followed-tree.ts for why the order of events is not to be relied on.
//
// Decisions that fanotify leaves open:
//   - A merged event says that all of its bits happened, not in which order or how often: created, opened, read, written, changed, closed, deleted is
//     how it is told, once each.
//   - FAN_ATTRIB says only that something of the inode changed. Mode and owner are compared with what is known: fs.chmod, fs.chown, or nothing.
//   - Truncation cannot be told from writing: both are writes.
//   - A rename with one end outside of the roots is a deletion or a creation, with what the directory held deleted, or found by a scan.

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
  KERNEL_VARIANT_UNKNOWN,
} from '../../../layout/kernel-record.ts';
import type { Emitter } from '../tree/emitter.ts';
import { childrenOf, contentStamp, type KnownNode } from '../tree/known-tree.ts';
import { lookAt } from '../tree/look.ts';
import {
  FAN_ACCESS,
  FAN_ATTRIB,
  FAN_CLOSE_NOWRITE,
  FAN_CLOSE_WRITE,
  FAN_CREATE,
  FAN_DELETE,
  FAN_MODIFY,
  FAN_ONDIR,
  FAN_OPEN,
  FAN_RENAME,
} from './abi.ts';
import type { FanotifyEvent } from './events.ts';
import { type FollowedTree, isOther } from './followed-tree.ts';
import type { Settler } from './settler.ts';

/** linux/fs.h: the two names change places. */
const RENAME_EXCHANGE = 2n;
const CONTENT_BITS = FAN_OPEN | FAN_ACCESS | FAN_MODIFY | FAN_ATTRIB | FAN_CLOSE_WRITE | FAN_CLOSE_NOWRITE;
/** What listing a directory does. */
const LISTING_BITS = FAN_OPEN | FAN_ACCESS | FAN_CLOSE_NOWRITE;

/** The queue's next events: two renames that are one exchange. */
export interface Lookahead {
  /** Takes the rename newDirectory/newName -> directory/name of another file by the same process, if it is near. */
  takeInverse(event: FanotifyEvent): boolean;
}

export class Tracker {
  readonly #followed: FollowedTree;
  readonly #settler: Settler;
  readonly #emitter: Emitter;

  constructor(followed: FollowedTree, settler: Settler) {
    this.#followed = followed;
    this.#settler = settler;
    this.#emitter = followed.emitter;
  }

  /** Whether the event is about something below the roots. One that is not is remembered, in case that its directory is only not told yet. */
  concerns(event: FanotifyEvent): boolean {
    if (this.isInside(event)) return true;
    if (event.directory === '') return this.#linkedTo(event.target).length > 0;
    this.#followed.noteUnheard(event.directory);
    this.#followed.noteUnheard(event.newDirectory);
    return false;
  }

  /** It names something below the roots, as far as they are known now. */
  isInside(event: FanotifyEvent): boolean {
    if (this.#parentOf(event.directory, event.name) !== undefined) return true;
    return (event.mask & FAN_RENAME) !== 0 && this.#parentOf(event.newDirectory, event.newName) !== undefined;
  }

  /** Any event that concerns() us but an overflow. */
  handle(event: FanotifyEvent, ahead: Lookahead): void {
    if (event.mask & FAN_RENAME) {
      this.#renamed(event, ahead);
      return;
    }
    if (event.directory === '') {
      this.#linkCountChanged(event);
      return;
    }
    const parent = this.#parentOf(event.directory, event.name);
    if (parent === undefined) return;
    if (event.name === '.') this.#content(parent, event, lookAt(this.#followed.tree.path(parent)));
    else this.#entry(parent, event);
  }

  #entry(parent: KnownNode, event: FanotifyEvent): void {
    const { mask, name } = event;
    const isStructure = (mask & (FAN_CREATE | FAN_DELETE)) !== 0;
    const isLooked = isStructure || (mask & (FAN_MODIFY | FAN_ATTRIB)) !== 0;
    const stat = isLooked ? lookAt(`${this.#followed.tree.path(parent)}/${name}`) : undefined;
    if (mask & FAN_CREATE) this.#arrive(parent, name, event, stat);
    if (mask & CONTENT_BITS) this.#content(parent, event, stat);
    if (mask & FAN_DELETE) this.#leave(parent, name, event);
    if (isStructure) this.#followed.check(parent, name, stat);
  }

  /** One of a file's names is gone, or about to be told so. What was changed by that name shows by the others, where nobody may have looked since. */
  #linkCountChanged(event: FanotifyEvent): void {
    for (const node of this.#linkedTo(event.target)) this.#followed.changed.add(node);
  }

  #linkedTo(handle: string): KnownNode[] {
    const { handles, tree } = this.#followed;
    const [dev, ino] = [handles.deviceOf(handle), handles.inodeIn(handle)];
    return dev === undefined || ino === 0 ? [] : [...tree.namesOf({ dev, ino })];
  }

  #renamed(event: FanotifyEvent, ahead: Lookahead): void {
    const from = this.#parentOf(event.directory, event.name);
    const to = this.#parentOf(event.newDirectory, event.newName);
    const { tree } = this.#followed;
    const atOld = from === undefined ? undefined : lookAt(`${tree.path(from)}/${event.name}`);
    const atNew = to === undefined ? undefined : lookAt(`${tree.path(to)}/${event.newName}`);
    if (from !== undefined && to !== undefined) this.#rename(from, to, event, atNew, ahead);
    else if (to !== undefined) this.#arrive(to, event.newName, event, atNew);
    else if (from !== undefined) this.#leave(from, event.name, event);
    if (from !== undefined) this.#followed.check(from, event.name, atOld);
    if (to !== undefined) this.#followed.check(to, event.newName, atNew);
  }

  #rename(from: KnownNode, to: KnownNode, event: FanotifyEvent, atNew: Stats | undefined, ahead: Lookahead): void {
    const { newName } = event;
    const source = this.#sourceOf(from, event);
    const target = childrenOf(to).get(newName);
    if (source === undefined) {
      // Told already by a scan, or it came and went while nobody told.
      if (target === undefined || !this.#isSame(target, event.target)) this.#arrive(to, newName, event, atNew);
      return;
    }
    if (source === target) return;
    const { tree } = this.#followed;
    const path = tree.path(source);
    if (source.parent !== from || source.name !== event.name) {
      if (source.parent !== undefined) this.#followed.doubtName(source.parent, source.name);
    }
    const paths = { path, path2: `${tree.path(to)}/${newName}` };
    if (target !== undefined && ahead.takeInverse(event)) {
      tree.exchange(source, target);
      this.#followed.pathsChanged();
      this.#emitRename(source, paths, RENAME_EXCHANGE);
      return;
    }
    if (!this.#followed.move(source, to, newName)) return;
    // What was gone before it could be looked at may be found under its new name.
    if (source.mode === 0 && atNew !== undefined && this.#fits(event, atNew)) tree.learn(source, atNew);
    this.#emitRename(source, paths, 0n);
  }

  /** What the tree has for the file that was renamed. A directory may be known at another place: a rename before this one was merged. */
  #sourceOf(from: KnownNode, event: FanotifyEvent): KnownNode | undefined {
    const isDirectory = (event.mask & FAN_ONDIR) !== 0;
    if (isDirectory && event.target !== '') return this.#followed.directoryOf(event.target);
    const node = childrenOf(from).get(event.name);
    if (node === undefined || (node.directory !== undefined) !== isDirectory) return undefined;
    return this.#isSame(node, event.target) ? node : undefined;
  }

  #emitRename(node: KnownNode, paths: { path: string; path2: string }, argument: bigint): void {
    const isDirectory = node.directory !== undefined;
    const report = { variant: KERNEL_VARIANT_UNKNOWN, ...paths, ...this.#followed.known(node), argument, isDirectory };
    this.#emitter.emit({ op: KERNEL_OP_FILE_RENAME, ...report });
  }

  /** Created, or moved in from outside. */
  #arrive(parent: KnownNode, name: string, event: FanotifyEvent, at: Stats | undefined): void {
    const { target: handle } = event;
    const isDirectory = (event.mask & FAN_ONDIR) !== 0;
    const there = childrenOf(parent).get(name);
    // A scan has told it.
    if (there !== undefined && (there.directory !== undefined) === isDirectory && this.#isSame(there, handle)) return;
    const stat = at !== undefined && this.#fits(event, at) ? at : undefined;
    // A scan has found it at another place: this event is older.
    const isElsewhere = isDirectory && handle !== '' && this.#followed.directoryOf(handle) !== undefined;
    // A rename, of what is somewhere else by now: there is nothing to tell here, but that it replaced what was there.
    if (isElsewhere || (stat === undefined && event.mask & FAN_RENAME)) {
      if (there !== undefined && (at === undefined || isOther(there, at))) this.#followed.remove(there, 'all');
      this.#followed.doubtName(parent, name);
      return;
    }
    if (there !== undefined) this.#followed.remove(there, 'none');
    const found = { stat, isDirectory, handle, variant: KERNEL_VARIANT_UNKNOWN, report: true };
    const node = this.#followed.add(parent, name, found);
    // What it holds already no event tells, or one that was left out.
    if (isDirectory && (event.mask & FAN_RENAME || this.#followed.wasUnheard(handle))) this.#settler.listNow(node);
  }

  #leave(parent: KnownNode, name: string, event: FanotifyEvent): void {
    const node = childrenOf(parent).get(name);
    const isDirectory = (event.mask & FAN_ONDIR) !== 0;
    // Told already; or the end of an older file of this name.
    if (node === undefined || (node.directory !== undefined) !== isDirectory) return;
    if (!this.#isSame(node, event.target)) return;
    const path = this.#followed.tree.path(node);
    this.#followed.remove(node, 'below');
    const op = isDirectory ? KERNEL_OP_DIR_DELETE : KERNEL_OP_FILE_DELETE;
    this.#emitter.emit({
      op,
      variant: KERNEL_VARIANT_UNKNOWN,
      path,
      isDirectory,
      ...this.#followed.known(node),
      device: deviceOf(parent),
    });
  }

  /** Something happened to what the name stands for: opened, read, written, changed, closed. */
  #content(parent: KnownNode, event: FanotifyEvent, stat: Stats | undefined): void {
    const isDirectory = (event.mask & FAN_ONDIR) !== 0;
    const isSelf = event.name === '.';
    const mask = isSelf && event.pid === process.pid ? withoutOwnListing(parent, event.mask) : event.mask;
    const named = isSelf ? parent : childrenOf(parent).get(event.name);
    const node = named !== undefined && (isSelf || this.#isSame(named, event.target)) ? named : undefined;
    const at = this.#followed.tree.path(parent);
    const report = {
      variant: KERNEL_VARIANT_UNKNOWN,
      path: isSelf ? at : `${at}/${event.name}`,
      isDirectory,
      // Deleted or renamed, and still open.
      flags: node === undefined ? KERNEL_FLAG_PATH_DELETED : 0,
      ...(node === undefined ? { inode: this.#followed.handles.inodeIn(event.target) } : this.#followed.known(node)),
    };
    const seen = node !== undefined && stat !== undefined && stat.ino === node.inode ? stat : undefined;
    if (mask & FAN_OPEN) this.#emitter.emit({ op: KERNEL_OP_FILE_OPEN, ...report });
    if (mask & FAN_ACCESS)
      this.#emitter.emit({ op: isDirectory ? KERNEL_OP_DIR_READ : KERNEL_OP_FILE_READ, ...report });
    if (mask & FAN_MODIFY) {
      if (node !== undefined && seen !== undefined) node.stamp = contentStamp(seen);
      this.#emitter.emit({ op: KERNEL_OP_FILE_WRITE, ...report, stat: seen });
    }
    if (mask & FAN_ATTRIB && node !== undefined) this.#followed.attributesChanged(node, stat);
    if (mask & (FAN_CLOSE_WRITE | FAN_CLOSE_NOWRITE)) this.#emitter.emit({ op: KERNEL_OP_FILE_CLOSE, ...report });
  }

  /** What was looked at is what the event is about. */
  #fits(event: FanotifyEvent, stat: Stats): boolean {
    if (stat.isDirectory() !== ((event.mask & FAN_ONDIR) !== 0)) return false;
    const inode = this.#followed.handles.inodeIn(event.target);
    return inode === 0 || inode === stat.ino;
  }

  /** Whether a name stands for the file with this handle; a handle that is not known yet is learned. */
  #isSame(node: KnownNode, handle: string): boolean {
    if (handle === '' || node.handle === handle) return true;
    if (node.handle !== '') return false;
    const inode = this.#followed.handles.inodeIn(handle);
    if (inode !== 0 && node.inode !== 0 && inode !== node.inode) return false;
    if (node.directory === undefined) node.handle = handle;
    return true;
  }

  /** The known directory that the entry is in; undefined: outside of the roots. */
  #parentOf(handle: string, name: string): KnownNode | undefined {
    const node = this.#followed.directoryOf(handle);
    const only = node?.directory?.only;
    return only === undefined || only.has(name) ? node : undefined;
  }
}

function deviceOf(parent: KnownNode): number {
  return parent.directory?.device ?? 0;
}

/** Our own listing of a directory is an event like anybody's: the next one of this process about it is taken for it. */
function withoutOwnListing(node: KnownNode, mask: number): number {
  const { directory } = node;
  if (directory === undefined || directory.ownOpens === 0 || !(mask & LISTING_BITS)) return mask;
  directory.ownOpens -= 1;
  return mask & ~LISTING_BITS;
}
