// What is tried by doing it: koffi, libbpf, files mapped into WebAssembly memory, fanotify, io_uring.

import { closeSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { ARENA_REGION_SCRATCH } from '../../../layout/arena.ts';
import { PAGE_LENGTH } from '../../../layout/limits.ts';
import { Arena } from '../../arena/arena.ts';
import { errnoName, loadNative, MFD_CLOEXEC, nativeFailure } from '../../arena/native.ts';
import { messageOf } from '../../base/errors.ts';
import { probeFanotify } from '../../source/fanotify/index.ts';
import { formatCount } from '../format.ts';
import { type Check, readNumber } from './check.ts';

export function nodeCheck(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const supported = major > 20 || (major === 20 && minor >= 19);
  return {
    id: 'node',
    name: 'Node.js',
    state: supported ? 'ok' : 'missing',
    found: `${process.version} ${process.arch}`,
    enables: 'everything',
    todo: supported ? '' : 'Use Node.js 20.19 or newer.',
  };
}

export function koffiCheck(): Check {
  const loaded = loadNative() !== undefined;
  return {
    id: 'koffi',
    name: 'libc through koffi',
    state: loaded ? 'ok' : 'missing',
    found: loaded ? `koffi ${requireKoffi()?.version ?? ''}` : nativeFailure(),
    enables: 'every source, mapped journals, waiting without polling',
    todo: loaded
      ? ''
      : 'Install the optional native package of koffi for this platform: npm install koffi. Without it journals are written with fs, more slowly.',
  };
}

/** Maps a file into a shared WebAssembly memory, writes through it, and reads the file: the idea that all the rest stands on. */
export function arenaCheck(): Check {
  const base = {
    id: 'arena',
    name: 'files mapped into wasm memory',
    enables: 'no copy and no system call between kernel and wasm',
  };
  const native = loadNative();
  if (native === undefined)
    return {
      ...base,
      state: 'missing',
      found: 'koffi is missing',
      todo: 'See koffi above; slower ways are taken by themselves.',
    };
  const fd = native.memfdCreate('causeway-doctor', MFD_CLOEXEC);
  if (fd < 0) return { ...base, state: 'missing', found: `memfd_create: ${errnoName(native.errno())}`, todo: '' };
  try {
    native.fallocate(fd, 0, 0n, BigInt(PAGE_LENGTH));
    const arena = Arena.create({
      regions: [
        { kind: ARENA_REGION_SCRATCH, number: 0, length: PAGE_LENGTH },
        { kind: ARENA_REGION_SCRATCH, number: 1, length: PAGE_LENGTH },
      ],
    });
    // The same page twice: what is written at one address must be there at the other.
    const [first, second] = [arena.region(ARENA_REGION_SCRATCH, 0), arena.region(ARENA_REGION_SCRATCH, 1)];
    for (const { address, length } of [first, second]) arena.mapFile({ address, length, fd, writable: true });
    Atomics.store(arena.i32, first.address / 4, 0x0ca05e1a);
    const seen = Atomics.load(arena.i32, second.address / 4) === 0x0ca05e1a;
    return {
      ...base,
      state: seen ? 'ok' : 'missing',
      found: seen ? 'a mapped page is shared both ways' : 'the page is not shared',
      todo: '',
    };
  } catch (error) {
    return { ...base, state: 'missing', found: messageOf(error), todo: 'Slower ways are taken by themselves.' };
  } finally {
    closeSync(fd);
  }
}

export function libbpfCheck(): Check {
  const base = { id: 'libbpf', name: 'libbpf', enables: 'loading eBPF programs' };
  const names = ['libbpf.so.1', 'libbpf.so.0'];
  const todo =
    'Debian, Ubuntu: apt install libbpf1 - Fedora: dnf install libbpf - Arch: pacman -S libbpf - Alpine: apk add libbpf';
  const koffi = requireKoffi();
  if (koffi === undefined) return { ...base, state: 'missing', found: 'koffi is missing', todo: 'See koffi above.' };
  for (const name of names) {
    try {
      const version = koffi.load(name).func('const char *libbpf_version_string()') as () => string;
      return { ...base, state: 'ok', found: `${name} ${version()}`, todo: '' };
    } catch {
      // The next name.
    }
  }
  return { ...base, state: 'missing', found: `none of ${names.join(', ')} can be loaded`, todo };
}

/** A fuller queue loses events: seen and said, but a storm fills it soon. */
const FANOTIFY_QUEUE_WANTED = 16_384;

export function fanotifyCheck(): Check {
  const base = { id: 'fanotify', name: 'fanotify', enables: 'the source fanotify: pids where eBPF is not allowed' };
  const { ok, reasons } = probeFanotify();
  if (!ok) {
    const todo = reasons.some((reason) => reason.includes('EPERM')) ? 'Run with sudo (CAP_SYS_ADMIN).' : '';
    return { ...base, state: 'missing', found: reasons.join('; '), todo };
  }
  const queue = readNumber('/proc/sys/fs/fanotify/max_queued_events');
  const small = queue !== undefined && queue < FANOTIFY_QUEUE_WANTED;
  return {
    ...base,
    state: small ? 'limited' : 'ok',
    found: `names, handles and targets are reported; ${queue === undefined ? 'queue of unknown length' : `${formatCount(queue)} events may wait`}`,
    todo: small ? `sysctl fs.fanotify.max_queued_events=65536 (a fuller queue loses events: seen and said)` : '',
  };
}

export function ioUringCheck(): Check {
  const disabled = readNumber('/proc/sys/kernel/io_uring_disabled');
  const words = ['any process may use it', 'only privileged processes may use it', 'nobody may use it'];
  return {
    id: 'io_uring',
    name: 'io_uring on this machine',
    state: 'info',
    found:
      disabled === undefined
        ? 'not in this kernel, or no setting for it'
        : (words[disabled] ?? `io_uring_disabled=${disabled}`),
    enables: 'knowing whether programs can work past the system calls (see the blind spots below)',
    todo: '',
  };
}

export function memoryCheck(): Check {
  const free = readNumber('/sys/fs/cgroup/memory.max');
  const limit = free === undefined ? os.totalmem() : Math.min(free, os.totalmem());
  const enough = limit >= 256 << 20;
  return {
    id: 'memory',
    name: 'memory',
    state: enough ? 'ok' : 'limited',
    found: `${Math.round(limit / (1 << 20))} MiB`,
    enables: 'the engine, which takes 100 to 130 MiB',
    todo: enough ? '' : 'Use a smaller ring: --ring 1M.',
  };
}

function requireKoffi(): typeof import('koffi') | undefined {
  if (loadNative() === undefined) return undefined;
  return createRequire(import.meta.url)('koffi') as typeof import('koffi');
}
