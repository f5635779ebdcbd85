// Every file operation of the journal, behind one interface, so that tests can make each of them fail, tear and fall short. All are synchronous: they run
// in the sync worker, in recovery and in readers, never on a thread that must not wait.

import fs from 'node:fs';
import type { Native } from '../arena/native.ts';
import { errorName } from '../event/call-name.ts';

export interface FileLayer {
  /** @param flags as fs.openSync takes them. */
  open(path: string, flags: string | number, mode?: number): number;
  close(fd: number): void;
  /** Bytes read, 0 at the end of the file. May be fewer than asked. */
  read(fd: number, target: Uint8Array, position: number): number;
  /** Bytes written. May be fewer than asked: a short write is not an error. */
  write(fd: number, source: Uint8Array, position: number): number;
  fdatasync(fd: number): void;
  /** Makes the names in a directory as durable as fdatasync makes content. */
  syncDirectory(path: string): void;
  /** Room for these bytes, reading as zeros, that cannot fail to be there later; the file is at least that long afterwards. */
  preallocate(fd: number, position: number, length: number): void;
  /** Gives the bytes back to the file system; they read as zeros. False where that cannot be done. */
  punch(fd: number, position: number, length: number): boolean;
  truncate(fd: number, length: number): void;
  size(fd: number): number;
  rename(from: string, to: string): void;
  unlink(path: string): void;
  list(path: string): string[];
  exists(path: string): boolean;
}

/** A failed system call, shaped as those of node:fs. */
export class FileError extends Error {
  readonly errno: number;
  readonly code: string;

  constructor(call: string, errno: number) {
    super(`${errorName(errno)}: ${call}`);
    this.errno = -errno;
    this.code = errorName(errno);
  }
}

/** The positive errno of whatever a file operation threw; 0 when it is none. */
export function errnoOf(error: unknown): number {
  const { errno } = error as { errno?: unknown };
  return typeof errno === 'number' ? Math.abs(errno) : 0;
}

const ZEROS_LENGTH = 1 << 20;
const FALLOC_PUNCH_HOLE_KEEP_SIZE = 3;
const EINTR = 4;
const EOPNOTSUPP = 95;
/** Interrupted that often in a row, something else is wrong. */
const INTERRUPTS_MAX = 1000;

/** node:fs, and libc where Node has no call for it. */
export class NodeFileLayer implements FileLayer {
  readonly #native: Native | undefined;

  constructor(native: Native | undefined) {
    this.#native = native;
  }

  open(path: string, flags: string | number, mode = 0o600): number {
    return fs.openSync(path, flags, mode);
  }

  close(fd: number): void {
    fs.closeSync(fd);
  }

  read(fd: number, target: Uint8Array, position: number): number {
    return fs.readSync(fd, target, 0, target.length, position);
  }

  write(fd: number, source: Uint8Array, position: number): number {
    return fs.writeSync(fd, source, 0, source.length, position);
  }

  fdatasync(fd: number): void {
    fs.fdatasyncSync(fd);
  }

  syncDirectory(path: string): void {
    const fd = fs.openSync(path, 'r');
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  preallocate(fd: number, position: number, length: number): void {
    const end = position + length;
    if (this.#native === undefined) {
      // Nobody maps the file then, so a page without room is an ENOSPC of a write, not a SIGBUS: a hole is good enough.
      if (this.size(fd) < end) fs.ftruncateSync(fd, end);
      return;
    }
    const errno = this.#fallocate(this.#native, fd, 0, position, length);
    if (errno === EOPNOTSUPP) this.#writeZeros(fd, position, length);
    else if (errno !== 0) throw new FileError('fallocate', errno);
  }

  punch(fd: number, position: number, length: number): boolean {
    if (this.#native === undefined) return false;
    return this.#fallocate(this.#native, fd, FALLOC_PUNCH_HOLE_KEEP_SIZE, position, length) === 0;
  }

  truncate(fd: number, length: number): void {
    fs.ftruncateSync(fd, length);
  }

  size(fd: number): number {
    return fs.fstatSync(fd).size;
  }

  rename(from: string, to: string): void {
    fs.renameSync(from, to);
  }

  unlink(path: string): void {
    fs.unlinkSync(path);
  }

  list(path: string): string[] {
    return fs.readdirSync(path);
  }

  exists(path: string): boolean {
    return fs.existsSync(path);
  }

  #fallocate(native: Native, fd: number, mode: number, position: number, length: number): number {
    for (let turn = 0; turn < INTERRUPTS_MAX; turn++) {
      if (native.fallocate(fd, mode, BigInt(position), BigInt(length)) === 0) return 0;
      const errno = native.errno();
      if (errno !== EINTR) return errno;
    }
    return EINTR;
  }

  #writeZeros(fd: number, position: number, length: number): void {
    const zeros = new Uint8Array(Math.min(length, ZEROS_LENGTH));
    for (let at = 0; at < length; at += zeros.length) {
      writeAll(this, fd, zeros.subarray(0, Math.min(zeros.length, length - at)), position + at);
    }
  }
}

/** Writes all of it, however short each single write is. */
export function writeAll(files: FileLayer, fd: number, source: Uint8Array, position: number): void {
  let done = 0;
  while (done < source.length) {
    const written = files.write(fd, source.subarray(done), position + done);
    if (written <= 0) throw new FileError(`write answered ${written}`, 28);
    done += written;
  }
}

/** Reads until the target is full or the file ends: bytes read. */
export function readAll(files: FileLayer, fd: number, target: Uint8Array, position: number): number {
  let done = 0;
  while (done < target.length) {
    const count = files.read(fd, target.subarray(done), position + done);
    if (count <= 0) break;
    done += count;
  }
  return done;
}
