// Lists directories, and compares what is known with what is there: after an overflow all of it, and what is in doubt whenever no event is waiting.
// Why it is needed, and why it is safe to believe: see the head of followed-tree.ts.

import type { Stats } from 'node:fs';
import { KERNEL_OP_FILE_WRITE, KERNEL_VARIANT_SCAN } from '../../../layout/kernel-record.ts';
import { childrenOf, contentStamp, type KnownNode } from '../tree/known-tree.ts';
import { GONE_ERRNOS, isHidden, lookAt, namesIn, whyUnreadable } from '../tree/look.ts';
import { type FollowedTree, isOther } from './followed-tree.ts';

/** Names that are looked at before it is checked that the directory is still the one: a huge one is not held in memory twice. */
const NAMES_PER_CHECK = 1024;
/**
 * A directory whose path leads elsewhere, with no event that says why: the kernel renames first and tells then, so it may come yet. After this time
 * it never will: the tree is wrong somewhere, and compared as a whole.
 */
const GONE_WAIT_MS = 50;

/** A name that was known and is not there. */
interface Missing {
  parent: KnownNode;
  name: string;
  node: KnownNode;
}

export class Settler {
  readonly #followed: FollowedTree;
  /** Since when a directory is not where it is known. */
  readonly #goneSince = new Map<KnownNode, number>();

  constructor(followed: FollowedTree) {
    this.#followed = followed;
  }

  /** settle() will have something to look at. */
  get isPending(): boolean {
    const { young, changed, uncheckedCount, isDoubtful } = this.#followed;
    return young.size > 0 || changed.size > 0 || uncheckedCount > 0 || isDoubtful;
  }

  /** Lists a root and all below it; what is there already is no event. */
  listRoot(start: KnownNode): void {
    this.#list(start, false);
  }

  /** Lists a directory that is new here, and reports what it holds: nobody knows who made that. */
  listNow(start: KnownNode): void {
    this.#anonymously(() => this.#list(start, true));
  }

  /** No event was waiting a moment ago: the known paths are true. */
  settle(): void {
    this.#anonymously(() => {
      const followed = this.#followed;
      followed.beginSettling();
      const missing: Missing[] = [];
      const { young, unchecked } = followed;
      followed.young = new Set();
      followed.unchecked = new Map();
      followed.uncheckedCount = 0;
      for (const [parent, names] of unchecked) this.#checkNames(parent, names, missing);
      for (const node of young) {
        if (isAttached(node)) this.#compareDirectory(node, missing, false);
      }
      this.#removeAll(missing);
      if (this.#goneSince.size > 0 && !this.isPending) this.#goneSince.clear();
      if (followed.isDoubtful) this.#reconcile();
    });
  }

  /** Compares everything with the file system, and reports what differs. */
  reconcile(): void {
    this.#anonymously(() => this.#reconcile());
  }

  #reconcile(): void {
    const followed = this.#followed;
    followed.isDoubtful = false;
    const missing: Missing[] = [];
    const stack = [...followed.tree.tops];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (isAttached(node)) stack.push(...this.#compareDirectory(node, missing, true));
    }
    this.#removeAll(missing);
  }

  /** What is found by looking was done by nobody knows whom. */
  #anonymously(scan: () => void): void {
    const { emitter } = this.#followed;
    const { actor } = emitter;
    emitter.actor = undefined;
    scan();
    emitter.actor = actor;
  }

  #list(start: KnownNode, report: boolean): void {
    const stack = [start];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      const children = childrenOf(node);
      const outcome = this.#eachPart(node, (part) => {
        for (const [name, stat] of part) {
          if (children.has(name)) continue;
          const fresh = this.#enter(node, name, stat, report);
          if (fresh !== undefined) stack.push(fresh);
        }
      });
      if (outcome !== 'moved') this.#followed.young.delete(node);
    }
  }

  /** A name that is not known is entered. Answers a directory that must be listed. */
  #enter(parent: KnownNode, name: string, stat: Stats, report: boolean): KnownNode | undefined {
    const followed = this.#followed;
    const isDirectory = stat.isDirectory();
    const path = `${followed.tree.path(parent)}/${name}`;
    let handle = isDirectory ? followed.handleAt(path, stat) : '';
    const other = handle === '' ? undefined : followed.directoryOf(handle);
    if (other !== undefined) {
      const at = lookAt(followed.tree.path(other));
      const isThere = at !== undefined && followed.handles.at(followed.tree.path(other), at.dev) === handle;
      if (!isThere) {
        const { parent: before, name: was } = other;
        if (followed.renamed(other, parent, name) && before !== undefined) followed.doubtName(before, was);
        followed.young.add(other);
        return undefined;
      }
      // A bind mount: followed under its first name.
      handle = '';
    }
    const node = followed.add(parent, name, { stat, isDirectory, handle, variant: KERNEL_VARIANT_SCAN, report });
    if (!isDirectory || handle !== '') return isDirectory ? node : undefined;
    followed.young.delete(node);
    return undefined;
  }

  #checkNames(parent: KnownNode, names: Set<string>, missing: Missing[]): void {
    if (!isAttached(parent)) return;
    const followed = this.#followed;
    const path = followed.tree.path(parent);
    const found: [string, Stats | undefined][] = [];
    const place = this.#whereIs(parent, path);
    // What events have told of these names is all that can be known.
    if (place === 'hidden') return;
    const isHere = place === 'here';
    if (isHere) for (const name of names) found.push([name, lookAt(`${path}/${name}`)]);
    if (!isHere || this.#whereIs(parent, path) !== 'here') {
      for (const name of names) followed.doubtName(parent, name);
      this.#expectEvent(parent);
      return;
    }
    for (const [name, stat] of found) this.#compareName(parent, name, stat, missing);
  }

  /** Compares what is in a directory. Answers the known directories in it. */
  #compareDirectory(node: KnownNode, missing: Missing[], isDeep: boolean): KnownNode[] {
    const below: KnownNode[] = [];
    const found = new Set<string>();
    const children = childrenOf(node);
    const outcome = this.#eachPart(node, (part) => {
      for (const [name, stat] of part) {
        found.add(name);
        const child = children.get(name);
        if (isDeep && child !== undefined) this.#compareContent(child, stat);
        this.#compareName(node, name, stat, missing);
        if (isDeep && child?.directory !== undefined && children.get(name) === child) below.push(child);
      }
    });
    if (outcome === 'moved') {
      this.#followed.young.add(node);
      this.#expectEvent(node);
      return below;
    }
    this.#goneSince.delete(node);
    if (outcome === 'unreadable') return below;
    for (const child of children.values()) {
      if (!found.has(child.name)) missing.push({ parent: node, name: child.name, node: child });
    }
    return below;
  }

  #compareName(parent: KnownNode, name: string, stat: Stats | undefined, missing: Missing[]): void {
    const node = childrenOf(parent).get(name);
    if (stat === undefined) {
      if (node !== undefined) missing.push({ parent, name, node });
      return;
    }
    if (node !== undefined && this.#isSame(node, stat)) {
      if (node.mode === 0) this.#followed.reportLate(node, stat);
      this.#followed.compareAttributes(node, stat, KERNEL_VARIANT_SCAN);
      return;
    }
    if (node !== undefined) this.#followed.remove(node, 'all');
    const fresh = this.#enter(parent, name, stat, true);
    if (fresh !== undefined) this.#list(fresh, true);
  }

  #isSame(node: KnownNode, stat: Stats): boolean {
    if (node.directory !== undefined) {
      return stat.isDirectory() && this.#followed.handleAt(this.#followed.tree.path(node), stat) === node.handle;
    }
    // Told, but not seen until now.
    if (node.mode === 0 && !stat.isDirectory()) {
      const inode = this.#followed.handles.inodeIn(node.handle);
      return inode === 0 || inode === stat.ino;
    }
    return !isOther(node, stat);
  }

  #compareContent(node: KnownNode, stat: Stats): void {
    if (node.mode === 0 || !stat.isFile() || isOther(node, stat) || node.stamp === contentStamp(stat)) return;
    const path = this.#followed.tree.path(node);
    this.#followed.emitter.emit({ op: KERNEL_OP_FILE_WRITE, variant: KERNEL_VARIANT_SCAN, path, stat });
  }

  /** Last: what has only moved was found under its new name by now, and is no longer here. */
  #removeAll(missing: readonly Missing[]): void {
    for (const { parent, name, node } of missing) {
      if (!isAttached(parent) || childrenOf(parent).get(name) !== node) continue;
      // What events have told of it is all that can be known.
      if (!isHidden(this.#followed.tree.path(node))) this.#followed.remove(node, 'all');
    }
  }

  #expectEvent(node: KnownNode): void {
    const now = performance.now();
    const since = this.#goneSince.get(node) ?? now;
    this.#goneSince.set(node, since);
    if (now - since < GONE_WAIT_MS) return;
    this.#followed.isDoubtful = true;
    // Not at once again if that does not help.
    this.#goneSince.set(node, now + 10 * GONE_WAIT_MS);
  }

  /** Whether the path leads to the directory that is known there, now. 'hidden': nothing can be known of it. */
  #whereIs(node: KnownNode, path: string): 'here' | 'elsewhere' | 'hidden' {
    if (node.handle === '') return 'here';
    const { handles } = this.#followed;
    const found = handles.at(path, node.directory?.device ?? 0);
    if (found === node.handle) return 'here';
    return found === '' && !GONE_ERRNOS.includes(handles.errno) ? 'hidden' : 'elsewhere';
  }

  /**
   * What is in the directory, in parts that are true: the path led to it before and after each. 'moved': it stops leading there, and the rest is left out.
   */
  #eachPart(node: KnownNode, take: (part: [string, Stats][]) => void): 'whole' | 'moved' | 'unreadable' {
    const { directory } = node;
    if (directory === undefined) return 'moved';
    const path = this.#followed.tree.path(node);
    const place = this.#whereIs(node, path);
    if (place !== 'here') return place === 'hidden' ? 'unreadable' : 'moved';
    const all = namesIn(path);
    if (all === undefined) {
      const errno = whyUnreadable(path);
      if (errno === undefined || this.#whereIs(node, path) !== 'here') return 'moved';
      this.#followed.unreadable(node, errno);
      return 'unreadable';
    }
    directory.ownOpens += 1;
    this.#followed.noted.add(directory);
    const names = directory.only === undefined ? all : all.filter((name) => directory.only?.has(name));
    for (let from = 0; from < names.length; from += NAMES_PER_CHECK) {
      const part: [string, Stats][] = [];
      for (const name of names.slice(from, from + NAMES_PER_CHECK)) {
        const stat = lookAt(`${path}/${name}`);
        if (stat !== undefined) part.push([name, stat]);
      }
      if (this.#whereIs(node, path) !== 'here') return 'moved';
      take(part);
    }
    return 'whole';
  }
}

function isAttached(node: KnownNode): boolean {
  return node.directory?.detached === false;
}
