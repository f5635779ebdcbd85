// Lists directories, and compares what is known with what is there: after an overflow all of it, and what is young whenever no event is waiting.
// Why it is needed, and why it is safe to believe: see the head of watched-tree.ts.

import type { Stats } from 'node:fs';
import { KERNEL_OP_FILE_WRITE, KERNEL_VARIANT_SCAN } from '../../../layout/kernel-record.ts';
import { errnoName } from '../../arena/native.ts';
import { childrenOf, contentStamp, isSameKind, type KnownDirectory, type KnownNode } from '../tree/known-tree.ts';
import { lookAt, namesIn } from '../tree/look.ts';
import { IN_ACCESS, IN_CLOSE_NOWRITE, IN_OPEN } from './abi.ts';
import type { WatchedTree } from './watched-tree.ts';
import { isGone } from './watches.ts';

/** Names that are looked at before it is checked that the directory is still the one: a huge one is not held in memory twice. */
const NAMES_PER_CHECK = 1024;
/**
 * A young directory whose path leads nowhere, with no event that says why: the kernel renames first and tells then, so it may come yet. After this
 * time it never will: the tree is wrong somewhere, and compared as a whole.
 */
const GONE_WAIT_MS = 50;

export class Settler {
  readonly #watched: WatchedTree;
  /** Since when a young directory's path leads nowhere. */
  readonly #goneSince = new Map<KnownNode, number>();

  constructor(watched: WatchedTree) {
    this.#watched = watched;
  }

  /** settle() will have something to look at. */
  get isPending(): boolean {
    const { young, unchecked, isDoubtful } = this.#watched;
    return young.size > 0 || unchecked.size > 0 || isDoubtful;
  }

  /** Lists a directory that is watched already, and all that is new below it. */
  list(start: KnownNode, report: boolean): void {
    const stack = [start];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      const children = childrenOf(node);
      for (const chunk of this.#contents(node)) {
        for (const [name, stat] of chunk) {
          if (children.has(name)) continue;
          const fresh = this.#watched.add(node, name, { stat, variant: KERNEL_VARIANT_SCAN, report });
          if (fresh !== undefined) stack.push(fresh);
        }
      }
    }
  }

  /** No event was waiting a moment ago: the known paths are true. */
  settle(): void {
    const watched = this.#watched;
    for (const directory of watched.noted) {
      directory.gone = undefined;
      directory.ownOpens = 0;
      directory.ownCloses = 0;
    }
    watched.noted.clear();
    watched.looked = [];
    watched.scanned.clear();
    const { young } = watched;
    watched.young = new Set();
    for (const node of young) {
      if (node.directory?.detached === false) this.#settleDirectory(node);
      else this.#goneSince.delete(node);
    }
    this.#checkNames();
    if (watched.isDoubtful) this.reconcile(watched.tree.tops);
  }

  /** Compares these directories and all below them with the file system, and reports what differs. */
  reconcile(starts: readonly KnownNode[]): void {
    if (starts === this.#watched.tree.tops) this.#watched.isDoubtful = false;
    const missing: { parent: KnownNode; node: KnownNode }[] = [];
    const stack = [...starts];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      const { directory } = node;
      if (directory === undefined || directory.detached) continue;
      if (directory.only === undefined && this.#watchAgain(node) === 'gone') continue;
      const found = new Set<string>();
      for (const chunk of this.#contents(node)) {
        for (const [name, stat] of chunk) {
          found.add(name);
          const below = this.#compare(node, name, stat);
          if (below !== undefined) stack.push(below);
        }
      }
      if (!directory.isListed) continue;
      for (const child of directory.children.values()) {
        if (!found.has(child.name)) missing.push({ parent: node, node: child });
      }
    }
    // Last: what has only moved was found under its new name by now, and is no longer here.
    for (const { parent, node } of missing) {
      if (node.parent === parent && childrenOf(parent).get(node.name) === node) this.#removeMissing(node);
    }
  }

  #settleDirectory(node: KnownNode): void {
    const { directory } = node;
    if (directory === undefined) return;
    const outcome = this.#watchAgain(node);
    if (outcome === 'gone') {
      this.#expectEvent(node);
      return;
    }
    this.#goneSince.delete(node);
    if (outcome === 'failed') return;
    if (outcome === 'same' && directory.isListed) {
      directory.settled = true;
      // Changed between the first look at it and its watch.
      this.#watched.unchecked.add(node);
      return;
    }
    this.#watched.young.add(node);
    this.reconcile([node]);
  }

  #expectEvent(node: KnownNode): void {
    this.#watched.young.add(node);
    const now = performance.now();
    const since = this.#goneSince.get(node) ?? now;
    this.#goneSince.set(node, since);
    if (now - since < GONE_WAIT_MS) return;
    this.#watched.isDoubtful = true;
    // Not at once again if that does not help.
    this.#goneSince.set(node, now + 10 * GONE_WAIT_MS);
  }

  #checkNames(): void {
    const { unchecked, tree } = this.#watched;
    this.#watched.unchecked = new Set();
    for (const node of unchecked) {
      if (node.parent === undefined || childrenOf(node.parent).get(node.name) !== node) continue;
      const stat = lookAt(tree.path(node));
      // The event that says where it went is on its way.
      if (stat === undefined) this.#watched.unchecked.add(node);
      else this.#compareName(node, stat);
    }
  }

  /** The name stands for this; it may have stood for something else when it was looked at first. */
  #compareName(node: KnownNode, stat: Stats): void {
    const { parent, name } = node;
    if (isOther(node, stat)) {
      this.#removeMissing(node);
      if (parent !== undefined) this.#addFound(parent, name, stat);
      return;
    }
    if (node.mode === 0) this.#watched.reportLate(node, stat);
    this.#watched.compareAttributes(node, stat, KERNEL_VARIANT_SCAN);
  }

  /** A known child that must be looked into. */
  #compare(parent: KnownNode, name: string, stat: Stats): KnownNode | undefined {
    const node = childrenOf(parent).get(name);
    if (node === undefined) {
      this.#addFound(parent, name, stat);
      return undefined;
    }
    if (isOther(node, stat) || (node.inode !== 0 && node.inode !== stat.ino)) {
      this.#removeMissing(node);
      this.#addFound(parent, name, stat);
      return undefined;
    }
    const isChanged = node.mode !== 0 && stat.isFile() && node.stamp !== contentStamp(stat);
    this.#compareName(node, stat);
    if (isChanged) {
      const path = this.#watched.tree.path(node);
      this.#watched.emitter.emit({ op: KERNEL_OP_FILE_WRITE, variant: KERNEL_VARIANT_SCAN, path, stat });
    }
    return node.directory === undefined ? undefined : node;
  }

  #addFound(parent: KnownNode, name: string, stat: Stats): void {
    const fresh = this.#watched.add(parent, name, { stat, variant: KERNEL_VARIANT_SCAN, report: true });
    if (fresh !== undefined) this.list(fresh, true);
  }

  #removeMissing(node: KnownNode): void {
    const { parent, name } = node;
    this.#watched.remove(node, 'all');
    if (parent !== undefined) this.#watched.noteGone(parent, name);
  }

  /**
   * What is in the directory, in pieces that are true: the path led to its watch before and after each. If it stops leading there, the rest is left
   * out, and the directory is not `isListed`.
   */
  *#contents(node: KnownNode): Generator<[string, Stats][]> {
    const { directory } = node;
    if (directory === undefined) return;
    const { watches, tree } = this.#watched;
    const path = tree.path(node);
    directory.isListed = false;
    const all = namesIn(path);
    if (all === undefined) return;
    const names = directory.only === undefined ? all : all.filter((name) => directory.only?.has(name));
    this.#noteOwnListing(directory);
    for (let from = 0; from < names.length || from === 0; from += NAMES_PER_CHECK) {
      const chunk: [string, Stats][] = [];
      for (const name of names.slice(from, from + NAMES_PER_CHECK)) {
        const stat = lookAt(`${path}/${name}`);
        if (stat !== undefined) chunk.push([name, stat]);
      }
      // Where it cannot be watched, it cannot be checked either.
      if (directory.wd >= 0 && !watches.isAt(node, path)) {
        this.#watched.young.add(node);
        return;
      }
      yield chunk;
    }
    directory.isListed = true;
  }

  /** Asks for the watch of the node's path, and takes it whoever had it. */
  #watchAgain(node: KnownNode): 'same' | 'changed' | 'gone' | 'failed' {
    const { directory } = node;
    const { watches, tree, mask } = this.#watched;
    if (directory === undefined) return 'failed';
    const path = tree.path(node);
    const wd = watches.add(path, mask);
    if (wd < 0) {
      if (isGone(wd)) return 'gone';
      if (directory.wd < 0) this.#watched.watchFailed(errnoName(-wd), path);
      return 'failed';
    }
    if (wd === directory.wd) return 'same';
    const other = watches.nodeOf(wd);
    if (other !== undefined && other !== node) {
      const [at, here] = [lookAt(tree.path(other)), lookAt(path)];
      // A bind mount: followed under its first name.
      if (at !== undefined && here !== undefined && at.ino === here.ino && at.dev === here.dev) return 'failed';
      this.#watched.doubt(other);
    }
    watches.unbind(node);
    watches.bind(node, wd, mask);
    this.#watched.young.add(node);
    return 'changed';
  }

  /** inotify will report our own reading of the directory: those events are told apart by their number. */
  #noteOwnListing(directory: KnownDirectory): void {
    const { mask } = directory;
    if (directory.wd < 0 || !(mask & (IN_OPEN | IN_ACCESS | IN_CLOSE_NOWRITE))) return;
    if (mask & IN_OPEN) directory.ownOpens += 1;
    if (mask & IN_CLOSE_NOWRITE) directory.ownCloses += 1;
    this.#watched.noted.add(directory);
  }
}

/** Whether it is certainly not what is known. Whether a directory is the same one is asked of its watch. */
function isOther(node: KnownNode, stat: Stats): boolean {
  if ((node.directory !== undefined) !== stat.isDirectory()) return true;
  return node.directory === undefined && node.inode !== 0 && (node.inode !== stat.ino || !isSameKind(node, stat));
}
