// The tree that a stream of events describes: what a consumer believes is there, to be compared with what really is.

import fs, { type Stats } from 'node:fs';
import type { Event } from './types.ts';

export type EntryKind = 'file' | 'directory' | 'symlink' | 'other';

export interface TreeEntry {
  /** undefined: the events did not tell (gone again before the source could look). */
  kind: EntryKind | undefined;
  /** Permission bits; undefined = not told. */
  mode: number | undefined;
  /** Of a symbolic link; undefined = not told. */
  target: string | undefined;
}

export interface TreeDifference {
  path: string;
  /** 'missing': really there, but not in the view. 'extra': in the view, but not really there. */
  problem: 'missing' | 'extra' | 'kind' | 'mode' | 'target';
  view: string | undefined;
  found: string | undefined;
}

/** What apply() looks at. */
export type TreeEvent = Pick<Event, 'type'> &
  Partial<Pick<Event, 'path' | 'path2' | 'pathBytes' | 'path2Bytes' | 'error' | 'mode' | 'argument' | 'notes'>>;

interface Node extends TreeEntry {
  /** All names of the same file that events have told, this one too: they share the mode. */
  links?: Set<Node>;
  /** Only of the real tree: it has another name, through which its mode may have been changed unseen. */
  isLinked?: boolean;
  children: Map<string, Node> | undefined;
}

const TYPE_BITS = 0o170000;
const PERMISSION_BITS = 0o7777;
const KINDS = new Map<number, EntryKind>([
  [0o100000, 'file'],
  [0o040000, 'directory'],
  [0o120000, 'symlink'],
]);
/** linux/fs.h */
const RENAME_EXCHANGE = 2n;

/**
 * Holds what is below `root`. Names are compared as bytes: a view of a tree with names that are not UTF-8 is right if the events have pathBytes.
 * Nothing here trusts that the events are complete: an event about an unknown name makes it known, or does nothing.
 */
export class TreeView {
  readonly #root: string;
  readonly #tree: Node = directory();

  /** Directories that came from where nobody looked, and were walked because no event tells what they hold. */
  walkedCount = 0;

  /** @param root Absolute, real path. The view begins empty: call load() if something is there already. */
  constructor(root: string) {
    this.#root = latin1(root);
  }

  /** Takes what is there now, by walking it, as if it had been told. */
  load(): this {
    walk(this.#root, this.#tree);
    return this;
  }

  apply(event: TreeEvent): void {
    if (event.error !== undefined) return;
    const path = event.pathBytes === undefined ? latin1(event.path ?? '') : fromBytes(event.pathBytes);
    const path2 = event.path2Bytes === undefined ? latin1(event.path2 ?? '') : fromBytes(event.path2Bytes);
    switch (event.type) {
      case 'fs.create':
        this.#put(path, { kind: kindOf(event.mode) ?? 'file', mode: modeOf(event.mode), target: undefined });
        break;
      case 'fs.mkdir':
        this.#put(path, { kind: 'directory', mode: modeOf(event.mode), target: undefined });
        break;
      case 'fs.symlink':
        this.#put(path, { kind: 'symlink', mode: undefined, target: path2 === '' ? undefined : path2 });
        break;
      case 'fs.hardlink':
        this.#link(path, path2, event.mode);
        break;
      case 'fs.delete':
      case 'fs.rmdir':
        this.#take(path);
        break;
      case 'fs.rename':
        this.#rename(path, path2, event);
        break;
      case 'fs.chmod':
        this.#chmod(path, event);
        break;
      default:
        break;
    }
  }

  /** Paths below the root, without it, sorted; byte strings shown as UTF-8. */
  entries(): Map<string, TreeEntry> {
    const entries = [...list(this.#tree)];
    return new Map(entries.map(([path, { kind, mode, target }]) => [path, { kind, mode, target }]));
  }

  get size(): number {
    return count(this.#tree);
  }

  /** Walks the real tree and answers every difference: an empty list means that the view is identical. */
  compare(): TreeDifference[] {
    const real = directory();
    walk(this.#root, real);
    return differences(list(this.#tree), list(real));
  }

  /** The node's parent and name; undefined outside of the root, or for the root itself. */
  #find(path: string): { parent: Node; name: string } | undefined {
    const names = this.#namesOf(path);
    const name = names?.pop();
    if (names === undefined || name === undefined) return undefined;
    let node = this.#tree;
    for (const each of names) {
      node.children ??= new Map();
      let next = node.children.get(each);
      if (next === undefined) {
        // Its creation was not told (a gap): it must be there.
        next = directory();
        node.children.set(each, next);
      }
      node = next;
    }
    node.children ??= new Map();
    return { parent: node, name };
  }

  #get(path: string): Node | undefined {
    let node: Node | undefined = this.#tree;
    for (const name of this.#namesOf(path) ?? ['/']) node = node?.children?.get(name);
    return node === this.#tree ? undefined : node;
  }

  #namesOf(path: string): string[] | undefined {
    const prefix = this.#root === '/' ? '/' : `${this.#root}/`;
    return path.startsWith(prefix) ? path.slice(prefix.length).split('/') : undefined;
  }

  #put(path: string, entry: TreeEntry): Node | undefined {
    const place = this.#find(path);
    if (place === undefined) return undefined;
    const node = { ...entry, children: entry.kind === 'directory' ? new Map<string, Node>() : undefined };
    const known = place.parent.children?.get(place.name);
    // A directory that is created cannot have been there: but if its content was told first, it is kept.
    if (known?.kind === 'directory' && node.kind === 'directory') node.children = known.children;
    place.parent.children?.set(place.name, node);
    return node;
  }

  #take(path: string): Node | undefined {
    const node = this.#get(path);
    if (node !== undefined) {
      const place = this.#find(path);
      place?.parent.children?.delete(place.name);
    }
    return node;
  }

  #link(path: string, path2: string, mode: number | undefined): void {
    const source = this.#get(path);
    const kind = kindOf(mode) ?? source?.kind ?? 'file';
    const node = this.#put(path2, { kind, mode: modeOf(mode) ?? source?.mode, target: source?.target });
    if (node === undefined || source === undefined) return;
    source.links ??= new Set([source]);
    source.links.add(node);
    node.links = source.links;
  }

  #rename(path: string, path2: string, event: TreeEvent): void {
    if (((event.argument ?? 0n) & RENAME_EXCHANGE) !== 0n) {
      this.#exchange(path, path2);
      return;
    }
    const source = this.#take(path);
    if (this.#namesOf(path2) === undefined) return;
    const kind = kindOf(event.mode) ?? source?.kind ?? (event.notes?.includes('directory') ? 'directory' : undefined);
    if (source !== undefined) {
      source.kind = kind;
      source.mode = modeOf(event.mode) ?? source.mode;
      this.#place(path2, source);
      return;
    }
    const node = this.#put(path2, { kind, mode: modeOf(event.mode), target: undefined });
    // Moved in from where nobody looked: what it holds is told by no event.
    if (node?.kind === 'directory') {
      node.children = new Map();
      this.walkedCount += 1;
      walk(path2, node);
    }
  }

  #exchange(path: string, path2: string): void {
    const [one, other] = [this.#take(path), this.#take(path2)];
    if (one !== undefined) this.#place(path2, one);
    if (other !== undefined) this.#place(path, other);
  }

  #place(path: string, node: Node): void {
    const place = this.#find(path);
    place?.parent.children?.set(place.name, node);
  }

  #chmod(path: string, event: TreeEvent): void {
    const node = this.#get(path);
    const mode =
      modeOf(event.mode) ?? (event.argument === undefined ? undefined : Number(event.argument) & PERMISSION_BITS);
    if (node === undefined || mode === undefined) return;
    for (const each of node.links ?? [node]) each.mode = mode;
  }
}

function directory(): Node {
  return { kind: 'directory', mode: undefined, target: undefined, children: new Map() };
}

function kindOf(mode: number | undefined): EntryKind | undefined {
  if (mode === undefined || (mode & TYPE_BITS) === 0) return undefined;
  return KINDS.get(mode & TYPE_BITS) ?? 'other';
}

function modeOf(mode: number | undefined): number | undefined {
  return mode === undefined || mode === 0 ? undefined : mode & PERMISSION_BITS;
}

function latin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function fromBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** Fills `into` with what is really below `path`; what goes away meanwhile is left out. */
function walk(path: string, into: Node): void {
  let names: string[];
  try {
    names = fs.readdirSync(Buffer.from(path, 'latin1'), { encoding: 'latin1' });
  } catch {
    return;
  }
  for (const name of names) {
    const at = `${path}/${name}`;
    const stat = lstat(at);
    if (stat === undefined) continue;
    const node: Node = { kind: kindOf(stat.mode), mode: modeOf(stat.mode), target: undefined, children: undefined };
    node.isLinked = node.kind !== 'directory' && stat.nlink > 1;
    if (node.kind === 'symlink') node.target = readLink(at);
    if (node.kind === 'directory') {
      node.children = new Map();
      walk(at, node);
    }
    into.children?.set(name, node);
  }
}

function lstat(path: string): Stats | undefined {
  return fs.lstatSync(Buffer.from(path, 'latin1'), { throwIfNoEntry: false });
}

function readLink(path: string): string | undefined {
  try {
    return fs.readlinkSync(Buffer.from(path, 'latin1'), { encoding: 'latin1' });
  } catch {
    return undefined;
  }
}

function list(tree: Node): Map<string, Node> {
  const entries: [string, Node][] = [];
  const visit = (node: Node, prefix: string): void => {
    for (const [name, child] of node.children ?? []) {
      const path = prefix + name;
      entries.push([Buffer.from(path, 'latin1').toString(), child]);
      visit(child, `${path}/`);
    }
  };
  visit(tree, '');
  return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function count(node: Node): number {
  let sum = 0;
  for (const child of node.children?.values() ?? []) sum += 1 + count(child);
  return sum;
}

function differences(view: Map<string, Node>, real: Map<string, Node>): TreeDifference[] {
  const found: TreeDifference[] = [];
  for (const [path, entry] of real) {
    const known = view.get(path);
    const difference = known === undefined ? missing(entry) : differenceOf(known, entry);
    if (difference !== undefined) found.push({ path, ...difference });
  }
  for (const [path, entry] of view) {
    if (!real.has(path)) found.push({ path, problem: 'extra', view: entry.kind, found: undefined });
  }
  return found;
}

function missing(entry: Node): Omit<TreeDifference, 'path'> {
  return { problem: 'missing', view: undefined, found: entry.kind };
}

/** The first thing in which they differ; what the events did not tell cannot. */
function differenceOf(known: Node, entry: Node): Omit<TreeDifference, 'path'> | undefined {
  if (known.kind !== undefined && known.kind !== entry.kind) {
    return { problem: 'kind', view: known.kind, found: entry.kind };
  }
  if (known.target !== undefined && known.target !== entry.target) {
    return { problem: 'target', view: known.target, found: entry.target };
  }
  const isModeTold = known.mode !== undefined && known.kind !== 'symlink' && !entry.isLinked;
  if (isModeTold && known.mode !== entry.mode) {
    return { problem: 'mode', view: known.mode?.toString(8), found: entry.mode?.toString(8) };
  }
  return undefined;
}
