// Makes paths final that a source built from the caller's own words: symbolic links and dots resolved as the kernel does, and whether the file is
// inside a watched root. Paths are byte strings here (one character a byte): a path need not be UTF-8.
//
// What a path leads to is asked for after the operation, so it can have changed: a directory that is gone is resolved as far as it is still there
// (rm -rf), and what was resolved before is remembered until a record tells that something on the way changed. What is outside of the roots changes
// unseen, so whatever leads there, or through a link there, is never remembered.

import fs from 'node:fs';
import {
  KERNEL_FLAG_PATH_BY_NAME,
  KERNEL_FLAG_PATH_TRUNCATED,
  KERNEL_FLAG_PATH2_BY_NAME,
  KERNEL_FLAG_PATH2_TRUNCATED,
  KERNEL_FLAG_RESOLVED,
  KERNEL_FLAG_UNDECIDED,
  KERNEL_OP_DIR_DELETE,
  KERNEL_OP_FILE_CHMOD,
  KERNEL_OP_FILE_CHOWN,
  KERNEL_OP_FILE_CREATE,
  KERNEL_OP_FILE_DELETE,
  KERNEL_OP_FILE_OPEN,
  KERNEL_OP_FILE_RENAME,
  KERNEL_OP_FILE_TRUNCATE,
  KERNEL_OP_HARDLINK_CREATE,
  KERNEL_OP_MOUNT,
  KERNEL_OP_SYMLINK_CREATE,
  KERNEL_OP_UNMOUNT,
  KERNEL_RECORD_ARGUMENT_OFFSET,
  KERNEL_RECORD_ERROR_OFFSET,
  KERNEL_RECORD_FLAGS_OFFSET,
  KERNEL_RECORD_HEADER_LENGTH,
  KERNEL_RECORD_LENGTH_OFFSET,
  KERNEL_RECORD_MODE_OFFSET,
  KERNEL_RECORD_OP_OFFSET,
  KERNEL_RECORD_PATH_LENGTH_OFFSET,
  KERNEL_RECORD_PATH2_LENGTH_OFFSET,
  KERNEL_RECORD_VARIANT_OFFSET,
  KERNEL_VARIANT_LCHOWN,
  KERNEL_VARIANT_MKNOD,
  KERNEL_VARIANT_MKNODAT,
} from '../../layout/kernel-record.ts';
import { PATH_LENGTH_MAX } from '../../layout/limits.ts';

const DIRECTORIES_MAX = 4096;
/** As the kernel: more links in one path are a loop. */
const LINKS_MAX = 40;
const { O_EXCL, O_NOFOLLOW } = fs.constants;
const AT_SYMLINK_FOLLOW = 0x400;
const UMOUNT_NOFOLLOW = 8;
const TYPE_BITS = 0o170000;
const TYPE_LINK = 0o120000;

export interface PathResolverCounters {
  /** Records settled; of them outside of the roots. */
  settled: number;
  outside: number;
  /** Directories asked of the file system, and those remembered. */
  asked: number;
  remembered: number;
  /** Directories that were gone, resolved as far as they were there. */
  gone: number;
  /** Remembered directories given up because something on their way changed. */
  flushed: number;
}

interface Remembered {
  real: string;
  /** Everything that it depends on: a change of any of these names makes it void. */
  names: string[];
}

/** Without '.', '..', double and trailing slashes, by the letter: links are not looked at. */
export function normalizePath(path: string): string {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    if (name === '..') names.pop();
    else names.push(name);
  }
  return `/${names.join('/')}`;
}

export class PathResolver {
  readonly #roots: readonly string[];
  /** Directory as it was named -> where it is. In the order of their last use. */
  readonly #directories = new Map<string, Remembered>();
  /** Name -> directories that depend on it. */
  readonly #dependents = new Map<string, Set<string>>();
  readonly counters: PathResolverCounters = { settled: 0, outside: 0, asked: 0, remembered: 0, gone: 0, flushed: 0 };

  /** @param roots Absolute real paths; empty = everything is inside. */
  constructor(roots: readonly string[]) {
    this.#roots = roots.map((root) => Buffer.from(root).toString('latin1'));
  }

  /** Whether a resolved path is a root or below one. */
  inside(path: string): boolean {
    if (this.#roots.length === 0) return true;
    return this.#roots.some(
      (root) => path === root || root === '/' || (path.startsWith(root) && path[root.length] === '/'),
    );
  }

  /** @param options.followLast Whether the last name is resolved too if it is a link. */
  resolve(path: string, options: { followLast: boolean }): string {
    if (!path.startsWith('/')) return path;
    const trimmed = trimSlashes(path);
    const slash = trimmed.lastIndexOf('/');
    const name = trimmed.slice(slash + 1);
    // The kernel follows a last name with a slash behind it, or that is dots.
    if (name === '' || name === '.' || name === '..') return this.#directory(trimmed);
    const parent = this.#directory(slash <= 0 ? '/' : trimmed.slice(0, slash));
    const full = parent === '/' ? `/${name}` : `${parent}/${name}`;
    if (!options.followLast && trimmed === path) return full;
    return this.#target(full);
  }

  /** Something with this resolved name was made, renamed or deleted: what was resolved through it is void. */
  changed(path: string): void {
    const keys = this.#dependents.get(path);
    if (keys === undefined) return;
    for (const key of [...keys]) {
      this.#forget(key);
      this.counters.flushed += 1;
    }
  }

  /**
   * Settles the record in the first `length` of these private bytes: paths resolved, KERNEL_FLAG_RESOLVED set, KERNEL_FLAG_UNDECIDED cleared.
   * @returns its new length, or 0 if none of its paths is inside the roots.
   */
  settle(bytes: Uint8Array, length: number): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const flags = view.getUint16(KERNEL_RECORD_FLAGS_OFFSET, true);
    const op = view.getUint16(KERNEL_RECORD_OP_OFFSET, true);
    const pathEnd = KERNEL_RECORD_HEADER_LENGTH + view.getUint16(KERNEL_RECORD_PATH_LENGTH_OFFSET, true);
    const path2End = Math.min(pathEnd + view.getUint16(KERNEL_RECORD_PATH2_LENGTH_OFFSET, true), length);
    let path = textOf(bytes, KERNEL_RECORD_HEADER_LENGTH, pathEnd);
    let path2 = textOf(bytes, pathEnd, path2End);
    if (flags & KERNEL_FLAG_PATH_BY_NAME && !(flags & KERNEL_FLAG_PATH_TRUNCATED)) {
      path = this.resolve(path, { followLast: followsLast(view, op) });
    }
    if (
      flags & KERNEL_FLAG_PATH2_BY_NAME &&
      !(flags & KERNEL_FLAG_PATH2_TRUNCATED) &&
      op !== KERNEL_OP_SYMLINK_CREATE
    ) {
      path2 = this.resolve(path2, { followLast: false });
    }
    if (view.getUint32(KERNEL_RECORD_ERROR_OFFSET, true) === 0) this.#learn(op, path, path2);
    this.counters.settled += 1;
    if (!this.#concerns(op, flags, path, path2)) {
      this.counters.outside += 1;
      return 0;
    }
    return rewrite(bytes, view, { path, path2, flags: (flags | KERNEL_FLAG_RESOLVED) & ~KERNEL_FLAG_UNDECIDED });
  }

  /** A path that was cut has lost its beginning: it cannot be shown to be outside. */
  #concerns(op: number, flags: number, path: string, path2: string): boolean {
    if (flags & KERNEL_FLAG_PATH_TRUNCATED || this.inside(path)) return true;
    if (op !== KERNEL_OP_FILE_RENAME && op !== KERNEL_OP_HARDLINK_CREATE) return false;
    return (flags & KERNEL_FLAG_PATH2_TRUNCATED) !== 0 || this.inside(path2);
  }

  #learn(op: number, path: string, path2: string): void {
    switch (op) {
      case KERNEL_OP_FILE_RENAME:
        this.changed(path);
        this.changed(path2);
        break;
      case KERNEL_OP_FILE_DELETE:
      case KERNEL_OP_DIR_DELETE:
      case KERNEL_OP_SYMLINK_CREATE:
      case KERNEL_OP_MOUNT:
      case KERNEL_OP_UNMOUNT:
        this.changed(path);
        break;
      default:
        break;
    }
  }

  /** Where a directory is, links and dots resolved. */
  #directory(named: string): string {
    if (named === '/') return named;
    const known = this.#directories.get(named);
    if (known !== undefined) {
      this.#directories.delete(named);
      this.#directories.set(named, known);
      this.counters.remembered += 1;
      return known.real;
    }
    this.counters.asked += 1;
    const real = realPath(named);
    if (real === undefined) return this.#goneDirectory(named);
    this.#remember(named, real);
    return real;
  }

  #goneDirectory(named: string): string {
    this.counters.gone += 1;
    const slash = named.lastIndexOf('/');
    const name = named.slice(slash + 1);
    const parent = this.#directory(slash <= 0 ? '/' : named.slice(0, slash));
    // Where the directory before '..' is gone, only the letter is left.
    return normalizePath(`${parent}/${name}`);
  }

  #remember(named: string, real: string): void {
    if (!this.inside(real)) return;
    const names = new Set(ancestors(real));
    if (real !== named) {
      const links = linksOf(named);
      if (links === undefined || !links.every((link) => this.#roots.length > 0 && this.inside(link))) return;
      for (const link of links) names.add(link);
    }
    if (this.#directories.size >= DIRECTORIES_MAX) {
      const [oldest] = this.#directories.keys();
      if (oldest !== undefined) this.#forget(oldest);
    }
    this.#directories.set(named, { real, names: [...names] });
    for (const name of names) {
      let dependents = this.#dependents.get(name);
      if (dependents === undefined) {
        dependents = new Set();
        this.#dependents.set(name, dependents);
      }
      dependents.add(named);
    }
  }

  #forget(named: string): void {
    const known = this.#directories.get(named);
    this.#directories.delete(named);
    for (const name of known?.names ?? []) {
      const dependents = this.#dependents.get(name);
      dependents?.delete(named);
      if (dependents?.size === 0) this.#dependents.delete(name);
    }
  }

  /** Where a name leads that may be a link; itself if it leads nowhere. Files are many and not remembered. */
  #target(path: string): string {
    try {
      if (!fs.lstatSync(toBytes(path)).isSymbolicLink()) return path;
    } catch {
      return path;
    }
    return realPath(path) ?? path;
  }
}

/** Whether the call that the record tells of follows a link in its last name. */
function followsLast(view: DataView, op: number): boolean {
  const variant = view.getUint16(KERNEL_RECORD_VARIANT_OFFSET, true);
  const argument = Number(view.getBigUint64(KERNEL_RECORD_ARGUMENT_OFFSET, true) & 0xffffffffn);
  switch (op) {
    case KERNEL_OP_FILE_OPEN:
      return (argument & O_NOFOLLOW) === 0;
    case KERNEL_OP_FILE_CREATE:
      return (
        variant !== KERNEL_VARIANT_MKNOD &&
        variant !== KERNEL_VARIANT_MKNODAT &&
        (argument & (O_NOFOLLOW | O_EXCL)) === 0
      );
    case KERNEL_OP_FILE_CHMOD:
    case KERNEL_OP_FILE_CHOWN:
      // The *at calls with AT_SYMLINK_NOFOLLOW worked on the link itself if that is what the record's mode says.
      return (
        variant !== KERNEL_VARIANT_LCHOWN && (view.getUint32(KERNEL_RECORD_MODE_OFFSET, true) & TYPE_BITS) !== TYPE_LINK
      );
    case KERNEL_OP_HARDLINK_CREATE:
      return (argument & AT_SYMLINK_FOLLOW) !== 0;
    case KERNEL_OP_UNMOUNT:
      return (argument & UMOUNT_NOFOLLOW) === 0;
    case KERNEL_OP_FILE_TRUNCATE:
    case KERNEL_OP_MOUNT:
      return true;
    default:
      return false;
  }
}

/** Puts paths and flags into the record: its new length. A path that has become too long keeps its end, and says so. */
function rewrite(bytes: Uint8Array, view: DataView, settled: { path: string; path2: string; flags: number }): number {
  let { flags } = settled;
  const cut = (path: string, flag: number): string => {
    if (path.length <= PATH_LENGTH_MAX) return path;
    flags |= flag;
    const slash = path.indexOf('/', path.length - PATH_LENGTH_MAX);
    return slash < 0 ? path.slice(-PATH_LENGTH_MAX) : path.slice(slash);
  };
  const path = cut(settled.path, KERNEL_FLAG_PATH_TRUNCATED);
  const path2 = cut(settled.path2, KERNEL_FLAG_PATH2_TRUNCATED);
  const length = KERNEL_RECORD_HEADER_LENGTH + path.length + path2.length;
  bytes.set(Buffer.from(path + path2, 'latin1'), KERNEL_RECORD_HEADER_LENGTH);
  view.setUint16(KERNEL_RECORD_FLAGS_OFFSET, flags, true);
  view.setUint16(KERNEL_RECORD_PATH_LENGTH_OFFSET, path.length, true);
  view.setUint16(KERNEL_RECORD_PATH2_LENGTH_OFFSET, path2.length, true);
  view.setUint32(KERNEL_RECORD_LENGTH_OFFSET, length, true);
  return length;
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, Math.max(0, end - start)).toString('latin1');
}

function trimSlashes(path: string): string {
  let end = path.length;
  while (end > 1 && path[end - 1] === '/') end -= 1;
  return path.slice(0, end);
}

/** The path and all directories above it but '/'. */
function ancestors(path: string): string[] {
  const found: string[] = [];
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) found.push(path.slice(0, end));
  return found;
}

/** Real paths of the links that a path leads through; undefined if it leads nowhere. */
function linksOf(path: string): string[] | undefined {
  const links: string[] = [];
  const names = path.split('/').reverse();
  let at = '';
  for (let name = names.pop(); name !== undefined; name = names.pop()) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      at = at.slice(0, Math.max(0, at.lastIndexOf('/')));
      continue;
    }
    const next = `${at}/${name}`;
    const text = linkText(next);
    if (text === undefined) {
      at = next;
      continue;
    }
    links.push(next);
    if (links.length > LINKS_MAX) return undefined;
    if (text.startsWith('/')) at = '';
    names.push(...text.split('/').reverse());
  }
  return links;
}

/** undefined: not a link. */
function linkText(path: string): string | undefined {
  try {
    return fs.readlinkSync(toBytes(path), { encoding: 'latin1' });
  } catch {
    return undefined;
  }
}

/** undefined: it leads nowhere. */
function realPath(path: string): string | undefined {
  try {
    return fs.realpathSync.native(toBytes(path), { encoding: 'latin1' });
  } catch {
    return undefined;
  }
}

function toBytes(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}
