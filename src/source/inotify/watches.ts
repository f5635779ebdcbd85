// The kernel's watches and the nodes that they stand for. A watch belongs to an inode; it is asked for by path.

import { errnoName, type Native } from '../../arena/native.ts';
import type { KnownNode } from '../tree/known-tree.ts';
import { GONE_ERRNOS, toBytes } from '../tree/look.ts';

export class Watches {
  readonly #native: Native;
  readonly #fd: number;
  readonly #nodes = new Map<number, KnownNode>();

  constructor(native: Native, fd: number) {
    this.#native = native;
    this.#fd = fd;
  }

  get count(): number {
    return this.#nodes.size;
  }

  nodeOf(wd: number): KnownNode | undefined {
    return this.#nodes.get(wd);
  }

  /** The watch of the inode that the path leads to - the same one if it has one - or -errno. */
  add(path: string, mask: number): number {
    const wd = this.#native.inotifyAddWatch(this.#fd, toBytes(path), mask);
    return wd < 0 ? -this.#native.errno() : wd;
  }

  bind(node: KnownNode, wd: number, mask: number): void {
    this.#nodes.set(wd, node);
    if (node.directory === undefined) return;
    node.directory.wd = wd;
    node.directory.mask = mask;
  }

  /** Gives the node's watch up, if it still is the node's. */
  unbind(node: KnownNode): void {
    const { directory } = node;
    if (directory === undefined || directory.wd < 0) return;
    if (this.#nodes.get(directory.wd) === node) this.#remove(directory.wd);
    directory.wd = -1;
  }

  /** The kernel has given the watch up. */
  forget(wd: number): KnownNode | undefined {
    const node = this.#nodes.get(wd);
    this.#nodes.delete(wd);
    return node;
  }

  /** Whether the path leads to the inode that the node's watch is on, now. */
  isAt(node: KnownNode, path: string): boolean {
    const { directory } = node;
    if (directory === undefined || directory.wd < 0) return false;
    const wd = this.add(path, directory.mask);
    // Somebody else's directory, which nobody has asked to follow.
    if (wd >= 0 && !this.#nodes.has(wd)) this.#remove(wd);
    return wd === directory.wd;
  }

  #remove(wd: number): void {
    this.#nodes.delete(wd);
    // Fails where the kernel was faster: the inode is gone, and its watch with it.
    this.#native.inotifyRemoveWatch(this.#fd, wd);
  }
}

/** Of what add() answers: the path leads nowhere any more, and the events that say so are on their way. */
export function isGone(negativeErrno: number): boolean {
  return GONE_ERRNOS.includes(errnoName(-negativeErrno));
}
