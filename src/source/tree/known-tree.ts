// What is known of the watched trees: one node a name. inotify names a directory by its watch, fanotify by its handle, and a file by its name in there,
// so paths are built here; and only who knows what was there can tell a creation that a scan has found already from a new one.
//
// Names are byte strings: JavaScript strings with one character (U+0000..U+00FF) for each byte, because a name need not be UTF-8. ('latin1')

import type { Stats } from 'node:fs';

const TYPE_BITS = 0o170000;

export class KnownNode {
  name: string;
  parent: KnownNode | undefined;
  /** 0 = not known: it was gone before it could be looked at. */
  inode: number;
  /** st_mode, 0 = not known. */
  mode: number;
  uid: number;
  gid: number;
  /** Of size and mtime, 31 bits: whether the content changed while nobody told. */
  stamp: number;
  /** Of the moment at which the file was made; 0 = not known. */
  birth: number;
  /** fanotify: file system and file handle (handles.ts), the same one never again; '' = not known, or not asked for. */
  handle = '';
  readonly directory: KnownDirectory | undefined;

  constructor(name: string, parent: KnownNode | undefined, isDirectory: boolean, stat: Stats | undefined) {
    this.name = name;
    this.parent = parent;
    this.directory = isDirectory ? new KnownDirectory() : undefined;
    this.inode = stat?.ino ?? 0;
    this.mode = stat?.mode ?? 0;
    this.uid = stat?.uid ?? 0;
    this.gid = stat?.gid ?? 0;
    this.stamp = stat === undefined ? 0 : contentStamp(stat);
    this.birth = stat === undefined ? 0 : birthStamp(stat);
    if (this.directory !== undefined) this.directory.device = stat?.dev ?? 0;
  }

  learn(stat: Stats): void {
    this.inode = stat.ino;
    this.mode = stat.mode;
    this.uid = stat.uid;
    this.gid = stat.gid;
    this.stamp = contentStamp(stat);
    this.birth = birthStamp(stat);
  }
}

export class KnownDirectory {
  readonly children = new Map<string, KnownNode>();
  /** -1 = not watched. */
  wd = -1;
  /** IN_ bits of the watch. */
  mask = 0;
  /** Its content was listed completely, while it was at its path. */
  isListed = false;
  device = 0;
  /** Names whose end a scan has told, while the event that tells it too may still be in the queue. Emptied when the queue was. */
  gone: Set<string> | undefined;
  /** Only these names count: the parent of a root, watched for the root's own fate. */
  only: Set<string> | undefined;
  /** The watch is known to belong to the inode that this path leads to: checked at a moment when no event was waiting. */
  settled = false;
  /** No longer in the tree. */
  detached = false;
  /** Our own opendir and closedir, which inotify reports as anybody's. */
  ownOpens = 0;
  ownCloses = 0;
  path = '';
  pathGeneration = -1;
}

/** 31 bits, so that V8 keeps it in the object. */
export function contentStamp(stat: Stats): number {
  const low = Math.imul(stat.size | 0, 0x9e3779b1) ^ Math.imul(Math.round(stat.mtimeMs * 1000) | 0, 0x85ebca6b);
  return (low ^ (low >>> 15)) & 0x3fffffff;
}

/** 30 bits; 0 where the file system does not tell. */
export function birthStamp(stat: Stats): number {
  const time = Math.round(stat.birthtimeMs * 1000);
  const mixed = Math.imul(time | 0, 0x85ebca6b) ^ Math.imul((time / 2 ** 32) | 0, 0x9e3779b1);
  return (mixed ^ (mixed >>> 15)) & 0x3fffffff;
}

/** File, directory, symbolic link or another kind: the same as what is known. */
export function isSameKind(node: KnownNode, stat: Stats): boolean {
  return ((node.mode ^ stat.mode) & TYPE_BITS) === 0;
}

export class KnownTree {
  /** Grows with every rename of a directory: cached paths of an older generation are built again. */
  #pathGeneration = 0;
  /** (device, inode) -> the names that it is known under: hard links. */
  readonly #byInode = new Map<number, Map<number, KnownNode | Set<KnownNode>>>();
  /** Directories that are not below another one: parents of roots. */
  readonly tops: KnownNode[] = [];

  /** @param path Absolute, a byte string. */
  addTop(path: string): KnownNode {
    const top = new KnownNode(path === '/' ? '' : path, undefined, true, undefined);
    this.tops.push(top);
    return top;
  }

  /** There must not be such a name yet. */
  add(parent: KnownNode, name: string, options: { isDirectory: boolean; stat: Stats | undefined }): KnownNode {
    const node = new KnownNode(name, parent, options.isDirectory, options.stat);
    childrenOf(parent).set(name, node);
    this.#index(node, deviceOf(parent));
    return node;
  }

  /** Takes the node and all below it out, calling `visit` for each, children first. */
  remove(node: KnownNode, visit: (node: KnownNode) => void): void {
    const { directory, parent } = node;
    if (directory !== undefined) {
      for (const child of [...directory.children.values()]) this.remove(child, visit);
    }
    visit(node);
    if (directory !== undefined) directory.detached = true;
    if (parent === undefined) return;
    this.#unindex(node, deviceOf(parent));
    const siblings = childrenOf(parent);
    if (siblings.get(node.name) === node) siblings.delete(node.name);
  }

  /** The name must be free in the new parent. */
  move(node: KnownNode, parent: KnownNode, name: string): void {
    if (node.parent !== undefined) childrenOf(node.parent).delete(node.name);
    node.parent = parent;
    node.name = name;
    childrenOf(parent).set(name, node);
    if (node.directory !== undefined) this.#pathGeneration += 1;
  }

  /** Two names change places. */
  exchange(one: KnownNode, other: KnownNode): void {
    const { parent, name } = one;
    if (parent === undefined || other.parent === undefined) return;
    one.parent = other.parent;
    one.name = other.name;
    other.parent = parent;
    other.name = name;
    childrenOf(one.parent).set(one.name, one);
    childrenOf(other.parent).set(other.name, other);
    this.#pathGeneration += 1;
  }

  /** What a name that was created before it could be looked at turned out to be. */
  learn(node: KnownNode, stat: Stats): void {
    const device = node.parent === undefined ? stat.dev : deviceOf(node.parent);
    if (node.inode !== stat.ino) {
      this.#unindex(node, device);
      node.learn(stat);
      this.#index(node, device);
    } else {
      node.learn(stat);
    }
    if (node.directory !== undefined) node.directory.device = stat.dev;
  }

  /** Names that are known for this inode number: the file's, unless the number has been used again. */
  namesOf(stat: Pick<Stats, 'dev' | 'ino'>): Iterable<KnownNode> {
    const found = this.#byInode.get(stat.dev)?.get(stat.ino);
    if (found === undefined) return [];
    return found instanceof Set ? found : [found];
  }

  /** Absolute path as a byte string. */
  path(node: KnownNode): string {
    const { directory, parent } = node;
    if (parent === undefined) return node.name;
    if (directory === undefined) return `${this.path(parent)}/${node.name}`;
    if (directory.pathGeneration !== this.#pathGeneration) {
      directory.path = `${this.path(parent)}/${node.name}`;
      directory.pathGeneration = this.#pathGeneration;
    }
    return directory.path;
  }

  #index(node: KnownNode, device: number): void {
    if (node.inode === 0 || node.directory !== undefined) return;
    let inodes = this.#byInode.get(device);
    if (inodes === undefined) {
      inodes = new Map();
      this.#byInode.set(device, inodes);
    }
    const found = inodes.get(node.inode);
    if (found === undefined) inodes.set(node.inode, node);
    else if (found instanceof Set) found.add(node);
    else inodes.set(node.inode, new Set([found, node]));
  }

  #unindex(node: KnownNode, device: number): void {
    const inodes = this.#byInode.get(device);
    const found = inodes?.get(node.inode);
    if (inodes === undefined || found === undefined) return;
    if (found === node) inodes.delete(node.inode);
    else if (found instanceof Set && found.delete(node) && found.size === 0) inodes.delete(node.inode);
  }
}

export function childrenOf(node: KnownNode): Map<string, KnownNode> {
  if (node.directory === undefined) throw new Error(`not a directory: ${node.name}`);
  return node.directory.children;
}

function deviceOf(node: KnownNode): number {
  return node.directory?.device ?? 0;
}
