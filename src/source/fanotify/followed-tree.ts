// Keeps the known tree and the file system in step. fanotify names a directory by its handle, which never comes again: which directory an event is about
// is never in doubt, and since a whole file system is marked, nothing falls between mkdir and mark. What is in doubt is the order:
//
// The kernel merges an event with one that waits in the queue if both are of the same process and about the same name and file: the bits are added to
// the older one, at its place. Created, renamed away, renamed back and deleted can come as "created and deleted", "renamed", "renamed". So:
//   1. An event tells the story as well as it can (tracker.ts): what it says is done to the tree, and each record is what the tree does. The records,
//      applied one after the other, always give the tree that is known here.
//   2. Then the name is looked at. Whatever happened to a name, its event is read after it happened, so the last look at a name sees what is there.
//   3. If the look disagrees, events that explain it may be behind: the name is looked at again when no event is waiting (settler.ts), and what
//      differs then is told (variant SCAN).
//   4. A look goes by path, and the path may lead elsewhere if a directory above was renamed; the event of that is behind this one. So when a directory
//      turns out to have been renamed, all names that were looked at since no event was waiting are looked at again, too.
// Looks when no event is waiting are believed only if the path leads to the directory's own handle before and after.

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
} from '../../../layout/kernel-record.ts';
import { compareAttributes } from '../tree/attributes.ts';
import type { Emitter } from '../tree/emitter.ts';
import {
  birthStamp,
  childrenOf,
  isSameKind,
  type KnownDirectory,
  type KnownNode,
  KnownTree,
} from '../tree/known-tree.ts';
import { GONE_ERRNOS, linkText, lookAt } from '../tree/look.ts';
import type { Handles } from './handles.ts';

/** Handles of directories that events came from before they were known: more are forgotten, oldest first. */
const UNHEARD_MAX = 4096;

export interface FollowedTreeOptions {
  handles: Handles;
  emitter: Emitter;
  /** A file system is met below a root that is not marked yet. */
  mark: (path: string, stat: Stats) => void;
  /** A directory cannot be followed: errno name and path. */
  failed: (errno: string, path: string) => void;
}

/** How a name was found. */
export interface Found {
  stat: Stats | undefined;
  isDirectory: boolean;
  /** '' = not known. */
  handle: string;
  variant: number;
  /** False while the roots are listed: what is there already is no event. */
  report: boolean;
}

export class FollowedTree {
  readonly tree = new KnownTree();
  readonly handles: Handles;
  readonly emitter: Emitter;
  /** Directories by their handle. */
  readonly #directories = new Map<string, KnownNode>();
  readonly #unheard = new Set<string>();
  readonly #unreadable = new WeakSet<KnownNode>();
  readonly #mark: FollowedTreeOptions['mark'];
  readonly failed: FollowedTreeOptions['failed'];
  /** Names to be looked at when no event is waiting. */
  unchecked = new Map<KnownNode, Set<string>>();
  uncheckedCount = 0;
  /** What is to be looked at then for its mode and owner, by whatever name it has then. */
  changed = new Set<KnownNode>();
  /** Directories to be listed then. */
  young = new Set<KnownNode>();
  /** Names that were looked at since then, with what was known. */
  #looked: [parent: KnownNode, name: string][] = [];
  /** Directories with notes that hold until then. */
  readonly noted = new Set<KnownDirectory>();
  /** The tree contradicts itself: it must be compared as a whole. */
  isDoubtful = false;

  constructor(options: FollowedTreeOptions) {
    this.handles = options.handles;
    this.emitter = options.emitter;
    this.#mark = options.mark;
    this.failed = options.failed;
  }

  get directoryCount(): number {
    return this.#directories.size;
  }

  directoryOf(handle: string): KnownNode | undefined {
    return this.#directories.get(handle);
  }

  /** An event was left out because its directory is not known: outside of the roots, or not told yet. */
  noteUnheard(handle: string): void {
    if (handle === '' || this.#unheard.has(handle)) return;
    if (this.#unheard.size >= UNHEARD_MAX) {
      const [oldest] = this.#unheard;
      if (oldest !== undefined) this.#unheard.delete(oldest);
    }
    this.#unheard.add(handle);
  }

  /** Whether an event of this directory was left out before it was known. */
  wasUnheard(handle: string): boolean {
    return this.#unheard.delete(handle);
  }

  /** Makes a directory the one that events with its handle are about. */
  bind(node: KnownNode, handle: string): void {
    node.handle = handle;
    if (handle !== '') this.#directories.set(handle, node);
  }

  /** The handle of a directory that was looked at; asks for a mark if its file system is new. */
  handleAt(path: string, stat: Stats): string {
    if (!this.handles.knows(stat.dev)) this.#mark(path, stat);
    const handle = this.handles.at(path, stat.dev);
    // What is gone will be told; a file system without handles was told when it was marked.
    if (handle === '' && this.handles.knows(stat.dev) && !GONE_ERRNOS.includes(this.handles.errno)) {
      this.failed(this.handles.errno, path);
    }
    return handle;
  }

  /** A name that is not in the tree yet, entered and reported. A new directory is to be listed. */
  add(parent: KnownNode, name: string, found: Found): KnownNode {
    const { stat, isDirectory, handle } = found;
    const other = stat !== undefined && !isDirectory && stat.nlink > 1 ? this.#hardLinkOf(stat, handle) : undefined;
    const node = this.tree.add(parent, name, { isDirectory, stat });
    if (isDirectory) {
      if (node.directory !== undefined && stat === undefined) node.directory.device = parent.directory?.device ?? 0;
      this.bind(node, handle);
      this.young.add(node);
    } else {
      node.handle = handle;
    }
    if (found.report) this.#reportNew(node, found, other);
    return node;
  }

  /** Takes the node and all below it out. `report`: deletions (SCAN), innermost first. */
  remove(node: KnownNode, report: 'none' | 'below' | 'all'): void {
    this.tree.remove(node, (each) => {
      if (each.directory !== undefined && this.#directories.get(each.handle) === each) {
        this.#directories.delete(each.handle);
      }
      if (report === 'all' || (report === 'below' && each !== node)) this.#reportDeleted(each);
    });
  }

  /** What has the new name is replaced. False: the new parent is below the node, or the node below what it replaces: the tree is wrong somewhere. */
  move(node: KnownNode, parent: KnownNode, name: string): boolean {
    const target = childrenOf(parent).get(name);
    if (isWithin(parent, node) || (target !== undefined && isWithin(node, target))) {
      this.isDoubtful = true;
      return false;
    }
    if (target !== undefined) this.remove(target, 'none');
    if (node.directory !== undefined) this.pathsChanged();
    this.tree.move(node, parent, name);
    return true;
  }

  /** A directory that is known by another name than it has. False as for move(). */
  renamed(node: KnownNode, parent: KnownNode, name: string): boolean {
    const path = this.tree.path(node);
    if (!this.move(node, parent, name)) return false;
    this.emitter.emit({
      op: KERNEL_OP_FILE_RENAME,
      variant: KERNEL_VARIANT_SCAN,
      path,
      path2: this.tree.path(node),
      isDirectory: node.directory !== undefined,
      ...this.known(node),
    });
    return true;
  }

  /** A directory has another name than it had: what was looked at by the old one may have been something else. */
  pathsChanged(): void {
    for (const [parent, name] of this.#looked) this.doubtName(parent, name);
    this.#looked = [];
  }

  /** Looks at a name after an event about it: if it is not what the tree says, it is looked at again later. */
  check(parent: KnownNode, name: string, stat: Stats | undefined): void {
    const node = childrenOf(parent).get(name);
    const agrees = node === undefined ? stat === undefined : stat !== undefined && !isOther(node, stat);
    if (!agrees) {
      this.doubtName(parent, name);
      return;
    }
    this.#looked.push([parent, name]);
    if (this.unchecked.get(parent)?.delete(name)) this.uncheckedCount -= 1;
  }

  doubtName(parent: KnownNode, name: string): void {
    let names = this.unchecked.get(parent);
    if (names === undefined) {
      names = new Set();
      this.unchecked.set(parent, names);
    }
    if (names.has(name)) return;
    names.add(name);
    this.uncheckedCount += 1;
  }

  /** No event was waiting a moment ago: what was looked at before holds. */
  beginSettling(): void {
    this.#looked = [];
    for (const node of this.changed) {
      const isKnown = node.parent !== undefined && childrenOf(node.parent).get(node.name) === node;
      if (isKnown && node.parent !== undefined) this.doubtName(node.parent, node.name);
    }
    this.changed.clear();
    for (const directory of this.noted) {
      directory.ownOpens = 0;
      directory.ownCloses = 0;
    }
    this.noted.clear();
  }

  /** An event says that mode, owner or something else of the node changed. */
  attributesChanged(node: KnownNode, stat: Stats | undefined): void {
    if (stat !== undefined && node.inode === stat.ino) this.compareAttributes(node, stat, 0);
    // The path belongs to another file by now, or to none: the events that say so are behind this one.
    else this.changed.add(node);
  }

  /** Reports what differs in mode and owner from what is known, and learns it. */
  compareAttributes(node: KnownNode, stat: Stats, variant: number): void {
    compareAttributes(this, node, stat, variant);
  }

  /** Reports a name again as what it is, when it was told before it could be looked at and is a symbolic link. */
  reportLate(node: KnownNode, stat: Stats): void {
    if (!stat.isSymbolicLink()) return;
    const found = { stat, isDirectory: false, handle: node.handle, variant: KERNEL_VARIANT_SCAN, report: true };
    this.#reportNew(node, found, undefined);
  }

  /** What a record can say of a node without looking. */
  known(node: KnownNode): { inode: number; mode: number; device: number } {
    const device = node.directory?.device ?? node.parent?.directory?.device ?? 0;
    return { inode: node.inode === 0 ? this.handles.inodeIn(node.handle) : node.inode, mode: node.mode, device };
  }

  /** A directory that is there, but cannot be read: told once. */
  unreadable(node: KnownNode, errno: string): void {
    if (this.#unreadable.has(node)) return;
    this.#unreadable.add(node);
    this.failed(errno, this.tree.path(node));
  }

  /** Another name of this file, if one is known for sure. */
  #hardLinkOf(stat: Stats, handle: string): KnownNode | undefined {
    const birth = birthStamp(stat);
    for (const node of this.tree.namesOf(stat)) {
      if (!isSameKind(node, stat)) continue;
      // Both handles are known: they decide.
      if (handle !== '' && node.handle !== '') {
        if (node.handle === handle) return node;
        continue;
      }
      if (birth !== 0 && node.birth === birth) return node;
      const at = lookAt(this.tree.path(node));
      if (at !== undefined && at.ino === stat.ino && at.dev === stat.dev) return node;
    }
    return undefined;
  }

  #reportNew(node: KnownNode, found: Found, other: KnownNode | undefined): void {
    const { stat, variant, isDirectory } = found;
    const path = this.tree.path(node);
    if (isDirectory) {
      const { inode, device } = this.known(node);
      this.emitter.emit({ op: KERNEL_OP_DIR_CREATE, variant, path, stat, isDirectory, inode, device });
    } else if (other !== undefined) {
      const from = this.tree.path(other);
      this.emitter.emit({ op: KERNEL_OP_HARDLINK_CREATE, variant, path: from, path2: path, stat });
    } else if (stat?.isSymbolicLink()) {
      this.emitter.emit({ op: KERNEL_OP_SYMLINK_CREATE, variant, path, path2: linkText(path), stat });
    } else {
      const { inode, device } = this.known(node);
      this.emitter.emit({ op: KERNEL_OP_FILE_CREATE, variant, path, stat, inode, device });
    }
  }

  #reportDeleted(node: KnownNode): void {
    const isDirectory = node.directory !== undefined;
    const op = isDirectory ? KERNEL_OP_DIR_DELETE : KERNEL_OP_FILE_DELETE;
    this.emitter.emit({
      op,
      variant: KERNEL_VARIANT_SCAN,
      path: this.tree.path(node),
      isDirectory,
      ...this.known(node),
    });
  }
}

/** Whether it is certainly not what is known, by kind and number. */
export function isOther(node: KnownNode, stat: Stats): boolean {
  if ((node.directory !== undefined) !== stat.isDirectory()) return true;
  // Told, but not seen yet: to be looked at again, for what it is.
  if (node.mode === 0) return true;
  return node.inode !== stat.ino || !isSameKind(node, stat);
}

/** Whether the node is `top`, or below it. */
function isWithin(node: KnownNode, top: KnownNode): boolean {
  for (let at: KnownNode | undefined = node; at !== undefined; at = at.parent) if (at === top) return true;
  return false;
}
