// libc through koffi: the few calls that Node does not offer. Everything that needs them asks `loadNative()` first: without koffi, or off
// Linux, it answers undefined, and the caller takes the slower way that Node alone allows (DESIGN.md section 1).

import { createRequire } from 'node:module';
import os from 'node:os';
import { CausewayError, messageOf } from '../base/errors.ts';

type Pointer = Uint8Array | null;

/** The calls as koffi gives them: -1 (or a pointer of all ones) on failure, errno in `errno()`. */
export interface Native {
  mmap(address: Pointer, length: number, protection: number, flags: number, fd: number, offset: bigint): bigint;
  madvise(address: Uint8Array, length: number, advice: number): number;
  memfdCreate(name: string, flags: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  fallocate(fd: number, mode: number, offset: bigint, length: bigint): number;
  flock(fd: number, operation: number): number;
  eventfd(initial: number, flags: number): number;
  epollCreate(flags: number): number;
  epollControl(epoll: number, operation: number, fd: number, event: Uint8Array): number;
  epollWait(epoll: number, events: Uint8Array, eventsMax: number, timeoutMs: number): number;
  inotifyInit(flags: number): number;
  inotifyAddWatch(fd: number, path: string | Uint8Array, mask: number): number;
  inotifyRemoveWatch(fd: number, watch: number): number;
  fanotifyInit(flags: number, eventFlags: number): number;
  fanotifyMark(fd: number, flags: number, mask: bigint, directory: number, path: Uint8Array): number;
  /** `path` ends with a NUL; `handle` begins with its own capacity (struct file_handle). */
  nameToHandleAt(directory: number, path: Uint8Array, handle: Uint8Array, mountId: Uint8Array, flags: number): number;
  /** `path` ends with a NUL. */
  statfs(path: Uint8Array, buffer: Uint8Array): number;
  /** read(2) straight into the arena or another buffer. */
  read(fd: number, buffer: Uint8Array, length: number): number;
  /** For descriptors that these calls made: Node's own close warns of those that it did not open. */
  close(fd: number): number;
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  futex(word: Uint8Array, operation: number, value: number, timeout: Pointer): number;
  /** The same on a thread of libuv's pool: what it answers, and the errno if that is -1. */
  futexAsync(word: Uint8Array, operation: number, value: number, timeout: Pointer): Promise<FutexAnswer>;
  /** futex_waitv(2): sleeps on several words at once (Linux 5.16). The answer is the index of one that was woken. */
  futexWaitv(waiters: Uint8Array, count: number, timeout: Uint8Array): Promise<FutexAnswer>;
  /** The same on this thread: -1 and errno() on failure. */
  futexWaitvSync(waiters: Uint8Array, count: number, timeout: Uint8Array): number;
  hasFutexWaitv(): boolean;
  /** Where these bytes are: for structures that the kernel reads. */
  addressOf(bytes: Uint8Array): bigint;
  clockGettime(clock: number, timespec: Uint8Array): number;
  setgroups(count: number, groups: Uint8Array | null): number;
  errno(): number;
}

export interface FutexAnswer {
  value: number;
  errno: number;
}

export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const MAP_SHARED = 0x01;
export const MAP_PRIVATE = 0x02;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;
export const MADV_DONTNEED = 4;
export const MFD_CLOEXEC = 1;
export const MFD_ALLOW_SEALING = 2;
/** Linux 6.3: not executable, and never to be. */
export const MFD_NOEXEC_SEAL = 8;
export const F_ADD_SEALS = 1033;
export const F_GET_SEALS = 1034;
export const F_SEAL_SEAL = 1;
export const F_SEAL_SHRINK = 2;
export const F_SEAL_GROW = 4;
export const LOCK_EXCLUSIVE = 2;
export const LOCK_NON_BLOCKING = 4;
export const LOCK_UNLOCK = 8;
export const EFD_NONBLOCK = 0o4000;
export const EFD_CLOEXEC = 0o2000000;
export const EPOLL_CTL_ADD = 1;
export const EPOLLIN = 1;
export const EPOLLPRI = 2;
export const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = 1;

/** The same on all architectures. */
const FUTEX_WAITV_CALL = 449;
const FUTEX_CALL: Record<string, number> = { x64: 202, arm64: 98 };

let loaded: Native | undefined;
let failure: string | undefined;

/** Why loadNative() answers undefined; empty when it does not. */
export function nativeFailure(): string {
  loadNative();
  return failure ?? '';
}

/** libc, or undefined where koffi cannot be loaded or this is not Linux. CAUSEWAY_NO_NATIVE=1 acts as if it could not (tests of the fallback). */
export function loadNative(): Native | undefined {
  if (loaded !== undefined || failure !== undefined) return loaded;
  if (process.env.CAUSEWAY_NO_NATIVE === '1') {
    failure = 'CAUSEWAY_NO_NATIVE=1';
  } else if (process.platform !== 'linux') {
    failure = `platform ${process.platform} is not linux`;
  } else {
    try {
      loaded = bind();
    } catch (error) {
      failure = messageOf(error);
    }
  }
  return loaded;
}

function bind(): Native {
  // Imported here and not at the top: where koffi is missing the engine still works, more slowly.
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const libc = koffi.load('libc.so.6');
  const bytes = koffi.pointer('uint8_t');
  const futexCall = FUTEX_CALL[process.arch] ?? -1;
  const syscall = libc.func('syscall', 'long', ['long', bytes, 'int', 'uint32_t', bytes, 'void *', 'uint32_t']);
  const futexWaitv = libc.func('syscall', 'int', ['long', bytes, 'uint32_t', 'uint32_t', bytes, 'int']);
  return {
    mmap: libc.func('mmap', 'intptr_t', [bytes, 'size_t', 'int', 'int', 'int', 'int64_t']) as Native['mmap'],
    madvise: libc.func('madvise', 'int', [bytes, 'size_t', 'int']) as Native['madvise'],
    memfdCreate: libc.func('int memfd_create(const char *name, uint32_t flags)') as Native['memfdCreate'],
    fcntl: libc.func('int fcntl(int fd, int command, long argument)') as Native['fcntl'],
    fallocate: libc.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)') as Native['fallocate'],
    flock: libc.func('int flock(int fd, int operation)') as Native['flock'],
    eventfd: libc.func('int eventfd(uint32_t initial, int flags)') as Native['eventfd'],
    epollCreate: libc.func('int epoll_create1(int flags)') as Native['epollCreate'],
    epollControl: libc.func('epoll_ctl', 'int', ['int', 'int', 'int', bytes]) as Native['epollControl'],
    epollWait: libc.func('epoll_wait', 'int', ['int', bytes, 'int', 'int']) as Native['epollWait'],
    inotifyInit: libc.func('int inotify_init1(int flags)') as Native['inotifyInit'],
    inotifyAddWatch: inotifyAddWatchOf(libc.func('inotify_add_watch', 'int', ['int', bytes, 'uint32_t'])),
    inotifyRemoveWatch: libc.func('int inotify_rm_watch(int fd, int watch)') as Native['inotifyRemoveWatch'],
    fanotifyInit: libc.func('int fanotify_init(uint32_t flags, uint32_t eventFlags)') as Native['fanotifyInit'],
    fanotifyMark: libc.func('fanotify_mark', 'int', [
      'int',
      'uint32_t',
      'uint64_t',
      'int',
      bytes,
    ]) as Native['fanotifyMark'],
    nameToHandleAt: libc.func('name_to_handle_at', 'int', [
      'int',
      bytes,
      bytes,
      bytes,
      'int',
    ]) as Native['nameToHandleAt'],
    statfs: libc.func('statfs', 'int', [bytes, bytes]) as Native['statfs'],
    read: libc.func('read', 'intptr_t', ['int', bytes, 'size_t']) as Native['read'],
    close: libc.func('int close(int fd)') as Native['close'],
    ioctl: libc.func('ioctl', 'int', ['int', 'unsigned long', bytes]) as Native['ioctl'],
    futex: (word, operation, value, timeout) =>
      Number(syscall(futexCall, word, operation, value, timeout, null, 0) as number | bigint),
    futexAsync: (word, operation, value, timeout) =>
      onPool(koffi, syscall, [futexCall, word, operation, value, timeout, null, 0]),
    futexWaitv: (waiters, count, timeout) =>
      onPool(koffi, futexWaitv, [FUTEX_WAITV_CALL, waiters, count, 0, timeout, CLOCK_MONOTONIC]),
    futexWaitvSync: (waiters, count, timeout) =>
      futexWaitv(FUTEX_WAITV_CALL, waiters, count, 0, timeout, CLOCK_MONOTONIC) as number,
    // Of no words at all: refused by a kernel that knows the call.
    hasFutexWaitv: () =>
      futexWaitv(FUTEX_WAITV_CALL, null, 0, 0, null, CLOCK_MONOTONIC) === -1 && errnoName(koffi.errno()) === 'EINVAL',
    addressOf: (memory) => BigInt(koffi.address(memory)),
    clockGettime: libc.func('clock_gettime', 'int', ['int', bytes]) as Native['clockGettime'],
    setgroups: libc.func('setgroups', 'int', ['size_t', bytes]) as Native['setgroups'],
    errno: () => koffi.errno(),
  };
}

/** A call that may sleep, on a thread of libuv's pool. Its buffers are kept until it has returned: it knows their addresses only. */
function onPool(
  koffi: typeof import('koffi'),
  call: { async: (...args: unknown[]) => void },
  args: unknown[],
): Promise<FutexAnswer> {
  return new Promise((resolve, reject) => {
    call.async(...args, (error: unknown, answer: number | bigint) => {
      const value = Number(answer);
      if (error || args.length === 0) reject(error);
      else resolve({ value, errno: value < 0 ? koffi.errno() : 0 });
    });
  });
}

/** Paths are bytes: one that is not UTF-8 is passed as a buffer, with its NUL added here. */
function inotifyAddWatchOf(call: (...args: unknown[]) => unknown): Native['inotifyAddWatch'] {
  return (fd, path, mask) => call(fd, Buffer.concat([Buffer.from(path), Buffer.of(0)]), mask) as number;
}

/** 'ENOENT' for 2. */
export function errnoName(errno: number): string {
  for (const [name, value] of Object.entries(os.constants.errno)) {
    if (value === errno) return name;
  }
  return `errno ${errno}`;
}

/** The error of a system call that answered -1, with its name and what it was about. */
export function systemCallError(native: Native, call: string, about: string): CausewayError {
  const errno = native.errno();
  return new CausewayError('SYSTEM_CALL_FAILED', `${call}: ${errnoName(errno)} (${errno}): ${about}`);
}

/** CLOCK_MONOTONIC and CLOCK_REALTIME apart, in ns: what is added to a kernel timestamp to get the time of day. */
export function clockOffsetNs(): bigint {
  const native = loadNative();
  if (native === undefined) return BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();
  const timespec = Buffer.alloc(16);
  const read = (clock: number): bigint => {
    if (native.clockGettime(clock, timespec) !== 0) throw systemCallError(native, 'clock_gettime', `clock ${clock}`);
    return timespec.readBigInt64LE(0) * 1_000_000_000n + timespec.readBigInt64LE(8);
  };
  // The realtime clock is read between two readings of the other one: the error is at most half the time in between.
  const before = read(CLOCK_MONOTONIC);
  const realtime = read(CLOCK_REALTIME);
  const after = read(CLOCK_MONOTONIC);
  return realtime - (before + after) / 2n;
}
