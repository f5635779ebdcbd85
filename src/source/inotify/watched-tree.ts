// Watches and scans: keeps the known tree (known-tree.ts), the kernel's watches and the file system in step.
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
// A watch belongs to an inode, but is asked for by path, and the path may lead elsewhere by now: the directory was renamed or replaced after the
// event that is being handled. The kernel answers the same watch for the same inode, which shows who was mistaken (claim):
//   1. The watch is ours already, under another name, and that name is gone: the directory was renamed, and the event that says so is still in the
//      queue. The rename is reported now (SCAN); the event later finds the old name `gone` and the new one with this inode, and is dropped.
//   2. Both names lead to the inode: a bind mount. It is followed under its first name only.
//   3. The other name leads to another inode: its watch was asked for too late, by a path that led here already. The watch is given to
//      the new name; the other one is watched again and compared with what is known of it.
// Until the queue was empty once after it was made, a watch is only believed ("young"). Then - no event is waiting, so all known paths are
// true - it is asked for again: the same answer settles it, another one means that 3 happened, and the directory is watched and compared anew.
// rm -rf and mkdir again: the kernel never gives a watch's number to another inode while the old one can be in the queue (it counts up),
// so late events of the old one find no watch and are dropped.

import fs, { type Stats } from 'node:fs';
import {
  KERNEL_OP_DIR_CREATE,
  KERNEL_OP_DIR_DELETE,
  KERNEL_OP_FILE_CHMOD,
  KERNEL_OP_FILE_CHOWN,
  KERNEL_OP_FILE_CREATE,
  KERNEL_OP_FILE_DELETE,
  KERNEL_OP_FILE_RENAME,
  KERNEL_OP_FILE_WRITE,
  KERNEL_OP_HARDLINK_CREATE,
  KERNEL_OP_SYMLINK_CREATE,
  KERNEL_VARIANT_SCAN,
} from '../../../layout/kernel-record.ts';
import { errnoName, type Native } from '../../arena/native.ts';
import { IN_ACCESS, IN_CLOSE_NOWRITE, IN_DONT_FOLLOW, IN_ONLYDIR, IN_OPEN } from './abi.ts';
import type { Emitter } from './emitter.ts';
import { childrenOf, contentStamp, type KnownDirectory, type KnownNode, KnownTree } from './known-tree.ts';

const PERMISSION_BITS = 0o7777;
/** The path leads nowhere any more: the events that say so are on their way. */
const GONE_ERRNOS = ['ENOENT', 'ENOTDIR', 'ELOOP'];
/** How often a young watch is asked for again when its path leads nowhere. */
const SETTLE_TRIES_MAX = 8;

export interface WatchedTreeOptions {
  native: Native;
  fd: number;
  /** IN_ bits asked for on each directory. */
  mask: number;
  emitter: Emitter;
  /** A directory cannot be watched: errno name and path. */
  watchFailed: (errno: string, path: string) => void;
}

export class WatchedTree {
  readonly tree = new KnownTree();
  readonly #options: WatchedTreeOptions;
  readonly #watches = new Map<number, KnownNode>();
  #young: { node: KnownNode; tries: number }[] = [];
  /** Directories with notes that hold until the queue was empty. */
  #noted = new Set<KnownDirectory>();

  constructor(options: WatchedTreeOptions) {
    this.#options = options;
  }

  get watchCount(): number {
    return this.#watches.size;
  }

  nodeOf(wd: number): KnownNode | undefined {
    return this.#watches.get(wd);
  }

  lstat(path: string): Stats | undefined {
    try {
      return fs.lstatSync(toBytes(path), { throwIfNoEntry: false });
    } catch {
      // EACCES, ENAMETOOLONG: it is there, and nothing can be known of it.
      return undefined;
    }
  }

  lstatOf(node: KnownNode): Stats | undefined {
    return this.lstat(this.tree.path(node));
  }

  /** Watches the node's path with this mask. False where that cannot be, which is not reported: the caller knows a way around it. */
  tryWatch(node: KnownNode, mask: number): boolean {
    const wd = this.#addWatch(this.tree.path(node), mask);
    if (wd < 0) return false;
    this.#bind(node, wd);
    return true;
  }

  /** A directory's new name, met by an event or a listing: watched, entered, reported. Answers the node if it must be listed now. */
  addDirectory(
    parent: KnownNode,
    name: string,
    found: { stat: Stats; variant: number; report: boolean },
  ): KnownNode | undefined {
    const path = `${this.tree.path(parent)}/${name}`;
    const wd = this.#addWatch(path, this.#options.mask | IN_ONLYDIR | IN_DONT_FOLLOW);
    const other = wd < 0 ? undefined : this.#watches.get(wd);
    if (other !== undefined) {
      const claim = this.#claim(other, found.stat, parent);
      if (claim === 'renamed') {
        this.#renamedBefore(other, parent, name, path);
        return undefined;
      }
      if (claim === 'alias') {
        // Not listed either: it may lead to itself.
        this.#enter(parent, name, found, path, -1);
        return undefined;
      }
      this.#doubt(other);
    }
    const node = this.#enter(parent, name, found, path, wd);
    if (wd >= 0) return node;
    const errno = errnoName(-wd);
    if (GONE_ERRNOS.includes(errno)) return undefined;
    this.#options.watchFailed(errno, path);
    // Its content is told as it is now; what changes later is not seen, and the loss says so.
    return node;
  }

  /** Lists directories that are watched already, and all that is new below them. */
  list(start: KnownNode, report: boolean): void {
    const stack = [start];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      for (const name of this.#names(node) ?? []) {
        const fresh = this.#discover(node, name, report);
        if (fresh !== undefined) stack.push(fresh);
      }
    }
  }

  /** Reports a name that is not a directory: hard link, symbolic link or file. The node must be in the tree already. */
  reportCreated(node: KnownNode, stat: Stats | undefined, variant: number, other: KnownNode | undefined): void {
    const path = this.tree.path(node);
    if (other !== undefined && stat !== undefined && stat.nlink > 1) {
      const known = this.tree.path(other);
      this.#options.emitter.emit({ op: KERNEL_OP_HARDLINK_CREATE, variant, path: known, path2: path, stat });
    } else if (stat?.isSymbolicLink()) {
      this.#options.emitter.emit({ op: KERNEL_OP_SYMLINK_CREATE, variant, path, path2: linkText(path), stat });
    } else {
      this.#options.emitter.emit({ op: KERNEL_OP_FILE_CREATE, variant, path, stat });
    }
  }

  /** Reports what differs in mode and owner from what is known, and learns it. */
  compareAttributes(node: KnownNode, stat: Stats, variant: number): void {
    const { emitter } = this.#options;
    const isKnown = node.mode !== 0 && node.inode === stat.ino;
    const report = { variant, path: this.tree.path(node), stat, isDirectory: stat.isDirectory() };
    if (isKnown && (node.uid !== stat.uid || node.gid !== stat.gid)) {
      const argument = (BigInt(stat.uid) << 32n) | BigInt(stat.gid);
      emitter.emit({ op: KERNEL_OP_FILE_CHOWN, argument, ...report });
    }
    if (isKnown && (node.mode ^ stat.mode) & PERMISSION_BITS) {
      emitter.emit({ op: KERNEL_OP_FILE_CHMOD, argument: BigInt(stat.mode & PERMISSION_BITS), ...report });
    }
    if (isKnown || node.mode === 0) this.tree.learn(node, stat);
  }

  /** Takes a node and all below it out. `report`: deletions, innermost first, of all but the node itself. */
  remove(node: KnownNode, report: boolean): void {
    this.tree.remove(node, (each) => {
      this.#unwatch(each);
      if (report && each !== node) this.#reportDeleted(each);
    });
  }

  /** The kernel has dropped the watch: its inode is gone, or its file system was unmounted. */
  forgetWatch(wd: number): void {
    const node = this.#watches.get(wd);
    if (node === undefined) return;
    this.#watches.delete(wd);
    if (node.directory === undefined || node.directory.detached) return;
    node.directory.wd = -1;
    // If the path leads to a directory all the same (what lay below a mount), it is watched again.
    this.#doubt(node);
  }

  /** The event that tells the end of this name will be dropped: a scan has told it. */
  noteGone(parent: KnownNode, name: string): void {
    const { directory } = parent;
    if (directory === undefined) return;
    directory.gone ??= new Set();
    directory.gone.add(name);
    this.#noted.add(directory);
  }

  /** No event was waiting a moment ago: what is known is true, so young watches are checked, and notes for waiting events end. */
  settle(): void {
    for (const directory of this.#noted) {
      directory.gone = undefined;
      directory.ownOpens = 0;
      directory.ownCloses = 0;
    }
    this.#noted.clear();
    const young = this.#young;
    this.#young = [];
    for (const { node, tries } of young) {
      if (node.directory === undefined || node.directory.detached) continue;
      const before = node.directory.wd;
      if (!this.#watchAgain(node)) {
        if (tries < SETTLE_TRIES_MAX) this.#young.push({ node, tries: tries + 1 });
      } else if (node.directory.wd === before) {
        node.directory.settled = true;
      } else {
        this.reconcile([node]);
      }
    }
  }

  get hasYoung(): boolean {
    return this.#young.length > 0;
  }

  /** Compares these directories and all below them with the file system, and reports what differs. */
  reconcile(starts: readonly KnownNode[]): void {
    const missing: KnownNode[] = [];
    const stack = [...starts];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (node.directory === undefined || node.directory.detached) continue;
      if (node.directory.only === undefined) this.#watchAgain(node);
      const names = new Set(this.#names(node) ?? []);
      for (const child of node.directory.children.values()) {
        if (!names.has(child.name)) missing.push(child);
      }
      for (const name of names) {
        const known = this.#compare(node, name);
        if (known?.directory !== undefined) stack.push(known);
      }
    }
    // Last: what has only moved was found under its new name by now.
    for (const node of missing) {
      if (node.parent === undefined || childrenOf(node.parent).get(node.name) !== node) continue;
      if (this.lstatOf(node) === undefined) this.#removeMissing(node);
    }
  }

  /** The known child if it must be looked into. */
  #compare(parent: KnownNode, name: string): KnownNode | undefined {
    const known = childrenOf(parent).get(name);
    const stat = known === undefined ? undefined : this.lstatOf(known);
    if (known !== undefined && stat === undefined) return undefined;
    const isSame =
      known !== undefined &&
      stat !== undefined &&
      (known.inode === 0 || known.inode === stat.ino) &&
      isLike(known, stat);
    if (known === undefined || stat === undefined || !isSame) {
      if (known !== undefined) this.#removeMissing(known);
      const fresh = this.#discover(parent, name, true);
      if (fresh !== undefined) this.list(fresh, true);
      return undefined;
    }
    const isChanged = known.mode !== 0 && stat.isFile() && known.stamp !== contentStamp(stat);
    this.compareAttributes(known, stat, KERNEL_VARIANT_SCAN);
    if (isChanged) {
      known.stamp = contentStamp(stat);
      const path = this.tree.path(known);
      this.#options.emitter.emit({ op: KERNEL_OP_FILE_WRITE, variant: KERNEL_VARIANT_SCAN, path, stat });
    }
    return known;
  }

  #removeMissing(node: KnownNode): void {
    const { parent, name } = node;
    this.tree.remove(node, (each) => {
      this.#unwatch(each);
      this.#reportDeleted(each);
    });
    if (parent !== undefined) this.noteGone(parent, name);
  }

  #reportDeleted(node: KnownNode): void {
    const isDirectory = node.directory !== undefined;
    this.#options.emitter.emit({
      op: isDirectory ? KERNEL_OP_DIR_DELETE : KERNEL_OP_FILE_DELETE,
      variant: KERNEL_VARIANT_SCAN,
      path: this.tree.path(node),
      inode: node.inode,
      mode: node.mode,
      device: node.directory?.device ?? node.parent?.directory?.device ?? 0,
      isDirectory,
    });
  }

  /** A name that a listing found: nothing if it is known. Answers a directory that must be listed. */
  #discover(parent: KnownNode, name: string, report: boolean): KnownNode | undefined {
    if (childrenOf(parent).has(name)) return undefined;
    const stat = this.lstat(`${this.tree.path(parent)}/${name}`);
    if (stat === undefined) return undefined;
    const variant = KERNEL_VARIANT_SCAN;
    if (stat.isDirectory()) return this.addDirectory(parent, name, { stat, variant, report });
    const other = stat.nlink > 1 ? this.tree.otherName(stat) : undefined;
    const node = this.tree.add(parent, name, { isDirectory: false, stat });
    if (report) this.reportCreated(node, stat, variant, other);
    return undefined;
  }

  #enter(
    parent: KnownNode,
    name: string,
    found: { stat: Stats; variant: number; report: boolean },
    path: string,
    wd: number,
  ): KnownNode {
    const { stat, variant, report } = found;
    const node = this.tree.add(parent, name, { isDirectory: true, stat });
    if (wd >= 0) {
      this.#bind(node, wd);
      this.#young.push({ node, tries: 0 });
    }
    if (report) this.#options.emitter.emit({ op: KERNEL_OP_DIR_CREATE, variant, path, stat, isDirectory: true });
    return node;
  }

  /** Who is mistaken when a new name gets the watch of a known one: see the head of this file. */
  #claim(other: KnownNode, stat: Stats, parent: KnownNode): 'renamed' | 'alias' | 'mistaken' {
    for (let above: KnownNode | undefined = parent; above !== undefined; above = above.parent) {
      if (above === other) return 'alias';
    }
    const at = this.lstatOf(other);
    if (at === undefined || !at.isDirectory()) return 'renamed';
    if (at.ino === stat.ino && at.dev === stat.dev) return 'alias';
    return other.directory?.settled ? 'renamed' : 'mistaken';
  }

  #renamedBefore(node: KnownNode, parent: KnownNode, name: string, path2: string): void {
    const path = this.tree.path(node);
    if (node.parent !== undefined) this.noteGone(node.parent, node.name);
    this.tree.move(node, parent, name);
    this.#options.emitter.emit({
      op: KERNEL_OP_FILE_RENAME,
      variant: KERNEL_VARIANT_SCAN,
      path,
      path2,
      isDirectory: true,
      inode: node.inode,
      mode: node.mode,
      device: node.directory?.device ?? 0,
    });
  }

  /** The watch of this node is not, or no longer, the one of its path: to be checked when no event is waiting. */
  #doubt(node: KnownNode): void {
    if (node.directory === undefined || node.directory.only !== undefined) return;
    node.directory.wd = -1;
    node.directory.settled = false;
    this.#young.push({ node, tries: 0 });
  }

  /** Asks for the watch of the node's path, and takes it whoever had it. False: the path leads nowhere, or cannot be watched. */
  #watchAgain(node: KnownNode): boolean {
    const { directory } = node;
    if (directory === undefined) return false;
    const wd = this.#addWatch(this.tree.path(node), this.#options.mask | IN_ONLYDIR | IN_DONT_FOLLOW);
    if (wd < 0) return false;
    if (wd === directory.wd) return true;
    const other = this.#watches.get(wd);
    if (other !== undefined && other !== node) {
      const [at, here] = [this.lstatOf(other), this.lstatOf(node)];
      // A bind mount: followed under its first name.
      if (at !== undefined && here !== undefined && at.ino === here.ino && at.dev === here.dev) return true;
      this.#doubt(other);
    }
    this.#unwatch(node);
    this.#bind(node, wd);
    this.#young.push({ node, tries: 0 });
    return true;
  }

  #bind(node: KnownNode, wd: number): void {
    this.#watches.set(wd, node);
    if (node.directory !== undefined) node.directory.wd = wd;
  }

  #unwatch(node: KnownNode): void {
    const { directory } = node;
    if (directory === undefined || directory.wd < 0) return;
    if (this.#watches.get(directory.wd) === node) {
      this.#watches.delete(directory.wd);
      // Fails where the kernel was faster: the inode is gone, and its watch with it.
      this.#options.native.inotifyRemoveWatch(this.#options.fd, directory.wd);
    }
    directory.wd = -1;
  }

  /** The watch, or -errno. */
  #addWatch(path: string, mask: number): number {
    const { native, fd } = this.#options;
    const wd = native.inotifyAddWatch(fd, toBytes(path), mask);
    return wd < 0 ? -native.errno() : wd;
  }

  /** undefined: the directory is gone or cannot be read. */
  #names(node: KnownNode): string[] | undefined {
    const { directory } = node;
    if (directory === undefined) return undefined;
    let names: string[];
    try {
      names = fs.readdirSync(toBytes(this.tree.path(node)), { encoding: 'latin1' });
    } catch {
      return undefined;
    }
    if (directory.only !== undefined) return names.filter((name) => directory.only?.has(name));
    this.#noteOwnListing(directory);
    return names;
  }

  /** inotify will report our own reading of the directory: those events are told apart by their number. */
  #noteOwnListing(directory: KnownDirectory): void {
    const { mask } = this.#options;
    if (directory.wd < 0 || !(mask & (IN_OPEN | IN_ACCESS | IN_CLOSE_NOWRITE))) return;
    if (mask & IN_OPEN) directory.ownOpens += 1;
    if (mask & IN_CLOSE_NOWRITE) directory.ownCloses += 1;
    this.#noted.add(directory);
  }
}

function isLike(node: KnownNode, stat: Stats): boolean {
  return (node.directory !== undefined) === stat.isDirectory();
}

function toBytes(path: string): Buffer {
  return Buffer.from(path === '' ? '/' : path, 'latin1');
}

/** Empty if it is gone. */
function linkText(path: string): string {
  try {
    return fs.readlinkSync(toBytes(path), { encoding: 'latin1' });
  } catch {
    return '';
  }
}
