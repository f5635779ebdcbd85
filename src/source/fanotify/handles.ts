// Handles as keys: what fanotify names directories and files by, and how the handle of a path is asked for. A key is a byte string of the file system's
// fsid (8 bytes), the handle's length and type (4 each), and the handle: what stands in an event from the fsid on. A handle holds the inode number and
// its generation (whatever the file system takes for these), so it never comes again for another file.
//
// Nothing is opened by handle: directories are found by listing the roots, and kept in step by events. So this works on file systems that cannot open
// by handle, and no descriptor keeps anything from being unmounted.

import { errnoName, type Native } from '../../arena/native.ts';
import { toBytes } from '../tree/look.ts';
import {
  AT_FDCWD,
  AT_HANDLE_FID,
  FILE_HANDLE_HEADER_LENGTH,
  FSID_LENGTH,
  HANDLE_LENGTH_MAX,
  STATFS_FSID_OFFSET,
  STATFS_LENGTH,
} from './abi.ts';

const EOPNOTSUPP = 95;
const HANDLE_AT = FSID_LENGTH + FILE_HANDLE_HEADER_LENGTH;
const NUL = Buffer.of(0);

export class Handles {
  readonly #native: Native;
  readonly #buffer = Buffer.alloc(HANDLE_AT + HANDLE_LENGTH_MAX);
  readonly #mountId = Buffer.alloc(4);
  /** Why at() answered '' last. */
  errno = '';
  /** st_dev -> fsid. */
  readonly #fsids = new Map<number, string>();
  readonly #devices = new Map<string, number>();
  /** fsids of file systems whose handles tell the inode number where inodeIn() looks for it. */
  readonly #readable = new Set<string>();

  constructor(native: Native) {
    this.#native = native;
  }

  /** Whether learn() was called for this st_dev. */
  knows(device: number): boolean {
    return this.#fsids.has(device);
  }

  /** The number may be another file system's by now. */
  forget(device: number): void {
    this.#fsids.delete(device);
  }

  /** Of the file system that a directory is on. False: it has no handles, or no fsid. */
  learn(path: string, stat: { dev: number; ino: number }): boolean {
    const statfs = Buffer.alloc(STATFS_LENGTH);
    if (this.#native.statfs(terminated(path), statfs) !== 0) return false;
    const fsid = statfs.toString('latin1', STATFS_FSID_OFFSET, STATFS_FSID_OFFSET + FSID_LENGTH);
    this.#fsids.set(stat.dev, fsid);
    this.#devices.set(fsid, stat.dev);
    const handle = this.at(path, stat.dev);
    if (handle === '') {
      this.#fsids.delete(stat.dev);
      return false;
    }
    if (numberIn(handle) === stat.ino) this.#readable.add(fsid);
    return true;
  }

  /** The handle of what is at the path, which is not followed if it is a link; '' = there is nothing, or it has none. */
  at(path: string, device: number): string {
    const fsid = this.#fsids.get(device);
    if (fsid === undefined) {
      this.errno = 'ENODEV';
      return '';
    }
    const bytes = terminated(path);
    if (!this.#ask(bytes, 0) && !(this.#native.errno() === EOPNOTSUPP && this.#ask(bytes, AT_HANDLE_FID))) {
      this.errno = errnoName(this.#native.errno());
      return '';
    }
    const length = this.#buffer.readUInt32LE(FSID_LENGTH);
    return length > HANDLE_LENGTH_MAX ? '' : fsid + this.#buffer.toString('latin1', FSID_LENGTH, HANDLE_AT + length);
  }

  /** The inode number in a handle; 0 = this file system keeps it elsewhere. */
  inodeIn(handle: string): number {
    return this.#readable.has(handle.slice(0, FSID_LENGTH)) ? numberIn(handle) : 0;
  }

  /** st_dev of the handle's file system; undefined: none of those that are followed. */
  deviceOf(handle: string): number | undefined {
    return this.#devices.get(handle.slice(0, FSID_LENGTH));
  }

  #ask(path: Buffer, flags: number): boolean {
    this.#buffer.writeUInt32LE(HANDLE_LENGTH_MAX, FSID_LENGTH);
    const handle = this.#buffer.subarray(FSID_LENGTH);
    return this.#native.nameToHandleAt(AT_FDCWD, path, handle, this.#mountId, flags) === 0;
  }
}

/** Where the usual file systems keep it; learn() has compared it with what lstat says. */
function numberIn(handle: string): number {
  const type = handle.charCodeAt(FSID_LENGTH + 4);
  const length = handle.length - HANDLE_AT;
  // FILEID_INO32_GEN, as ext4, f2fs; tmpfs has generation, low half, high half under the same type.
  if (type === 1 && length === 8) return u32At(handle, 0);
  if (type === 1 && length === 12) return u32At(handle, 4) + u32At(handle, 8) * 2 ** 32;
  // FILEID_INO64_GEN, as xfs; FILEID_BTRFS_WITHOUT_PARENT.
  if (type === 0x81 || type === 0x4d) return u32At(handle, 0) + u32At(handle, 4) * 2 ** 32;
  return 0;
}

function u32At(handle: string, offset: number): number {
  const at = HANDLE_AT + offset;
  const byte = (index: number) => handle.charCodeAt(at + index) & 0xff;
  return byte(0) + byte(1) * 2 ** 8 + byte(2) * 2 ** 16 + byte(3) * 2 ** 24;
}

function terminated(path: string): Buffer {
  return Buffer.concat([toBytes(path), NUL]);
}
