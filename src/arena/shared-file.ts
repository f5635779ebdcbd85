// The file behind a shared arena: a sealed memfd, or a file with a name, by preference in /dev/shm. Its first 64 KiB hold the header as the creator wrote
// it; nobody maps them.
//
// A mapped file that shrinks kills its readers with SIGBUS. A memfd is sealed against that before anybody else can see it, and whoever opens it looks for
// the seals before mapping. A file with a name cannot be sealed; so its owner must be the user who opens it, who could kill us anyway, and nobody else may write it.
//
// The creator of a file with a name holds a lock (flock) on it for as long as it lives:
//   1. Whoever unlinks the name holds the lock of the very file that has the name at that time: the creator when it closes, or a successor that found
//      the lock free, because the creator has died.
//   2. A creator that makes the file and is killed before it locks it, or before it has written the header, leaves a file that is empty, or an arena but for
//      its magic: replaced as well.
//   3. A successor that locks the new file before its creator does: the creator sees the lock taken, and gives up with ARENA_BUSY.
// Processes that mapped a file keep it when its name is gone.

import fs from 'node:fs';
import path from 'node:path';
import {
  ARENA_ABI_VERSION,
  ARENA_ABI_VERSION_OFFSET,
  ARENA_CREATOR_OFFSET,
  ARENA_LAYOUT_HASH_OFFSET,
  ARENA_MAGIC,
  ARENA_MAGIC_OFFSET,
  ARENA_REGIONS_OFFSET,
} from '../../layout/arena.ts';
import { CausewayError, type ErrorCode, messageOf } from '../base/errors.ts';
import { HEADER_LENGTH } from './header.ts';
import { ARENA_LAYOUT_HASH } from './layout-hash.ts';
import {
  F_ADD_SEALS,
  F_GET_SEALS,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  LOCK_EXCLUSIVE,
  LOCK_NON_BLOCKING,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  MFD_NOEXEC_SEAL,
  type Native,
  systemCallError,
} from './native.ts';
import { describeOwner } from './owner.ts';

const MODE = 0o600;
const OTHERS_WRITE = 0o022;
const LOCK_TRIES_MAX = 10;
/** A descriptor that a process shows to those that may trace it. */
const PROC_DESCRIPTOR = /^\/proc\/(self|\d+)\/fd\/\d+$/;

const PATH_ERRORS = new Map<string, ErrorCode>([
  ['ENOENT', 'PATH_MISSING'],
  ['ENOTDIR', 'PATH_MISSING'],
  // The process whose descriptor it was has just ended.
  ['ESRCH', 'PATH_MISSING'],
  ['EACCES', 'PATH_DENIED'],
  ['EPERM', 'PATH_DENIED'],
  ['EROFS', 'PATH_DENIED'],
  // A symbolic link, which we do not follow.
  ['ELOOP', 'PATH_DENIED'],
  // Directories and sockets.
  ['EISDIR', 'ARENA_CORRUPT'],
  ['ENXIO', 'ARENA_CORRUPT'],
]);

export interface SharedFile {
  fd: number;
  /** What another process opens. */
  handle: string;
  /** Closes the descriptor, and takes away the name that was made. */
  close(): void;
}

/** @throws CausewayError SYSTEM_CALL_FAILED */
export function createMemfd(native: Native, length: number): SharedFile {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  let fd = native.memfdCreate('causeway-arena', flags | MFD_NOEXEC_SEAL);
  // Linux before 6.3 does not know the last flag.
  if (fd < 0) fd = native.memfdCreate('causeway-arena', flags);
  if (fd < 0) throw systemCallError(native, 'memfd_create', 'causeway-arena');
  try {
    fs.fchmodSync(fd, MODE);
    allocate(native, fd, length, 'memfd');
    if (native.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) !== 0) {
      throw systemCallError(native, 'fcntl', `F_ADD_SEALS, memfd, length=${length}`);
    }
  } catch (error) {
    native.close(fd);
    throw error;
  }
  return { fd, handle: descriptorHandle(fd), close: () => native.close(fd) };
}

/**
 * A new file with this name, in place of one whose creator is dead.
 * @throws CausewayError ARENA_BUSY when its creator lives, ARENA_CORRUPT when another kind of file is there, PATH_MISSING, PATH_DENIED.
 */
export function createNamedFile(native: Native, file: string, length: number): SharedFile {
  const name = path.resolve(file);
  const fd = createLocked(native, name);
  const close = (): void => {
    if (isNamed(fd, name)) fs.unlinkSync(name);
    fs.closeSync(fd);
  };
  try {
    // Whatever the umask has left of the mode.
    fs.fchmodSync(fd, MODE);
    allocate(native, fd, length, name);
  } catch (error) {
    close();
    throw error;
  }
  return { fd, handle: name, close };
}

/**
 * Writes the header to the file. The magic comes last: a file that is opened before is no arena yet.
 * @param header HEADER_LENGTH bytes.
 */
export function writeFileHeader(fd: number, header: Uint8Array): void {
  const draft = Buffer.from(header);
  draft.writeUInt32LE(0, ARENA_MAGIC_OFFSET);
  fs.writeSync(fd, draft, 0, HEADER_LENGTH, 0);
  draft.writeUInt32LE(ARENA_MAGIC, ARENA_MAGIC_OFFSET);
  fs.writeSync(fd, draft, ARENA_MAGIC_OFFSET, 4, ARENA_MAGIC_OFFSET);
}

/**
 * Opens the file of an arena and checks that it cannot shrink under us. Nothing of its content is believed yet.
 * @throws CausewayError PATH_MISSING, PATH_DENIED, ARENA_CORRUPT
 */
export function openSharedFile(native: Native, handle: string, readOnly: boolean): SharedFile {
  const isDescriptor = PROC_DESCRIPTOR.test(handle);
  const fd = openFile(handle, readOnly, isDescriptor);
  try {
    checkFile(native, fd, handle, isDescriptor);
    // The descriptor of another process goes with it; ours is as good, and lives as long as we do.
    const own = isDescriptor ? descriptorHandle(fd) : path.resolve(handle);
    return { fd, handle: own, close: () => fs.closeSync(fd) };
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}

/** A private copy of the header, read once: what a peer does to the file afterwards changes nothing. */
export function readFileHeader(fd: number): DataView {
  const copy = Buffer.alloc(ARENA_REGIONS_OFFSET);
  fs.readSync(fd, copy, 0, copy.length, 0);
  return new DataView(copy.buffer, copy.byteOffset, copy.length);
}

/** Final as soon as the header has its magic. */
export function fileLength(fd: number): number {
  return fs.fstatSync(fd).size;
}

/** The pid as /proc counts, which may be that of an outer namespace: process.pid may not. */
function descriptorHandle(fd: number): string {
  return `/proc/${fs.readlinkSync('/proc/self')}/fd/${fd}`;
}

function openFile(handle: string, readOnly: boolean, isDescriptor: boolean): number {
  const { O_RDONLY, O_RDWR, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = fs.constants;
  // O_NONBLOCK: a FIFO without a writer must not hold us up. A handle in /proc is a link by nature; elsewhere somebody else may have put one there.
  const flags = (readOnly ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_NOCTTY | (isDescriptor ? 0 : O_NOFOLLOW);
  try {
    return fs.openSync(handle, flags);
  } catch (error) {
    throw pathError(error, handle);
  }
}

function checkFile(native: Native, fd: number, handle: string, isDescriptor: boolean): void {
  const status = fs.fstatSync(fd);
  if (!status.isFile()) throw new CausewayError('ARENA_CORRUPT', `arena ${handle}: not a regular file`);
  if (isDescriptor) checkSeals(native, fd, handle);
  else checkOwner(status, handle);
}

function checkSeals(native: Native, fd: number, handle: string): void {
  const seals = native.fcntl(fd, F_GET_SEALS, 0);
  const needed = F_SEAL_SHRINK | F_SEAL_GROW;
  if (seals < 0 || (seals & needed) !== needed) {
    throw new CausewayError(
      'ARENA_CORRUPT',
      `arena ${handle}: its length is not sealed: seals=${seals}, needed=${needed} (F_SEAL_SHRINK | F_SEAL_GROW)`,
    );
  }
}

function checkOwner(status: fs.Stats, handle: string): void {
  const uid = process.geteuid?.() ?? -1;
  if (status.uid !== uid) {
    throw new CausewayError('PATH_DENIED', `arena ${handle}: owner=${status.uid}, expected ${uid}`, {
      hint: 'Only the user who shares an arena may open it: its owner could shrink the file, which would kill us.',
    });
  }
  if ((status.mode & OTHERS_WRITE) !== 0) {
    const mode = (status.mode & 0o7777).toString(8);
    throw new CausewayError('PATH_DENIED', `arena ${handle}: mode=${mode}: others may write it, expected 600`, {
      hint: 'Whoever may write the file can shrink it, which would kill us.',
    });
  }
}

/** Exclusively, or after what a dead creator left there was taken away; locked. */
function createLocked(native: Native, name: string): number {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
  for (let tries = 0; tries < LOCK_TRIES_MAX; tries++) {
    try {
      const fd = fs.openSync(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, MODE);
      if (isLocked(native, fd) && isNamed(fd, name)) return fd;
      fs.closeSync(fd);
      throw busy(name, 0n);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw pathError(error, name);
    }
    removeLeftover(native, name);
  }
  throw busy(name, 0n);
}

function removeLeftover(native: Native, name: string): void {
  const { O_RDWR, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = fs.constants;
  let fd: number;
  try {
    fd = fs.openSync(name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw pathError(error, name);
  }
  try {
    const status = fs.fstatSync(fd);
    if (!status.isFile()) throw notArena(name);
    checkOwner(status, name);
    const header = readFileHeader(fd);
    if (!isLocked(native, fd)) throw busy(name, header.getBigUint64(ARENA_CREATOR_OFFSET, true));
    // Locked: nobody writes it now, so what is there is what its creator left.
    if (!isLeftover(readFileHeader(fd))) throw notArena(name);
    if (isNamed(fd, name)) fs.unlinkSync(name);
  } finally {
    fs.closeSync(fd);
  }
}

/** An arena, or what its creator had of it when it died: nothing, or all but the magic. */
function isLeftover(header: DataView): boolean {
  const magic = header.getUint32(ARENA_MAGIC_OFFSET, true);
  const isDraft =
    header.getUint32(ARENA_ABI_VERSION_OFFSET, true) === ARENA_ABI_VERSION &&
    header.getUint32(ARENA_LAYOUT_HASH_OFFSET, true) === ARENA_LAYOUT_HASH;
  const isEmpty = new Uint8Array(header.buffer, header.byteOffset, HEADER_LENGTH).every((byte) => byte === 0);
  return magic === ARENA_MAGIC || (magic === 0 && (isDraft || isEmpty));
}

function notArena(name: string): CausewayError {
  return new CausewayError('ARENA_CORRUPT', `${name} is there, and is no arena: it is left alone`);
}

function isLocked(native: Native, fd: number): boolean {
  return native.flock(fd, LOCK_EXCLUSIVE | LOCK_NON_BLOCKING) === 0;
}

/** Whether the name is still that of this file. */
function isNamed(fd: number, name: string): boolean {
  const own = fs.fstatSync(fd);
  const named = fs.lstatSync(name, { throwIfNoEntry: false });
  return named?.ino === own.ino && named.dev === own.dev;
}

/** Every page has its memory now: one that cannot be had later would raise SIGBUS. */
function allocate(native: Native, fd: number, length: number, name: string): void {
  if (native.fallocate(fd, 0, 0n, BigInt(length)) !== 0) {
    throw systemCallError(native, 'fallocate', `${name}, length=${length}`);
  }
}

/** @param creator As the file says: 0n when it does not say it yet. */
function busy(name: string, creator: bigint): CausewayError {
  const { pid, comm } = describeOwner(creator);
  const who = pid === undefined ? 'a living process' : `process ${pid} (${comm})`;
  return new CausewayError('ARENA_BUSY', `${name}: ${who} shares an arena there`, {
    hint: 'Open that arena, or choose another path.',
  });
}

/** What an error of fs means here. Our own go through as they are. */
function pathError(error: unknown, name: string): CausewayError {
  if (error instanceof CausewayError) return error;
  const { code = '' } = error as NodeJS.ErrnoException;
  return new CausewayError(PATH_ERRORS.get(code) ?? 'SYSTEM_CALL_FAILED', `arena ${name}: ${messageOf(error)}`, {
    cause: error,
  });
}
