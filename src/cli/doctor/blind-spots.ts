// What no source of events, or not every one, can see - said before somebody relies on it.

import { readFileSync } from 'node:fs';
import os from 'node:os';
import { OPTIONAL_PROGRAMS } from '../../source/ebpf/programs.ts';
import type { Check } from './check.ts';

const MMAP_TRACEPOINTS = ['writeback_dirty_folio'];
const IO_URING_TRACEPOINTS = ['io_uring_submit_req', 'io_uring_complete'];
const BTF_FILE = '/sys/kernel/btf/vmlinux';

export function blindSpots(source: 'ebpf' | 'fanotify' | 'inotify' | 'none'): Check[] {
  const ebpf = source === 'ebpf';
  // Without any, what the one would miss that needs nothing.
  const other = source === 'fanotify' ? source : 'inotify';
  return [
    mmapSpot(ebpf, other),
    ioUringSpot(ebpf, other),
    compatSpot(ebpf, other),
    ...(ebpf ? [] : [resultSpot(other), mergeSpot(other)]),
    ...(source === 'fanotify' ? [shortLivedSpot()] : []),
    networkSpot(),
  ];
}

type OtherSource = 'fanotify' | 'inotify';

function mmapSpot(ebpf: boolean, other: OtherSource): Check {
  const covered = ebpf && isCovered(MMAP_TRACEPOINTS);
  return {
    id: 'blind-mmap',
    name: 'stores through mmap',
    state: covered ? 'limited' : 'missing',
    found: covered
      ? 'seen once for each page that turns dirty, not for each store'
      : `not seen: they are no system call, and ${other} does not tell of them`,
    enables: 'databases and linkers that write through shared mappings',
    todo: covered ? '' : 'Open, truncate and close of such files are seen: --all shows them.',
  };
}

function ioUringSpot(ebpf: boolean, other: OtherSource): Check {
  const covered = !ebpf || isCovered(IO_URING_TRACEPOINTS);
  const seen =
    other === 'fanotify' ? 'fanotify sees what they change, and who' : 'inotify sees what they change, without who';
  return {
    id: 'blind-io-uring',
    name: 'operations through io_uring',
    state: covered ? 'limited' : 'missing',
    found: covered
      ? ebpf
        ? 'seen when the kernel completes them'
        : seen
      : 'not seen by the source ebpf: the kernel does them without a system call of their own',
    enables: 'programs that use io_uring for files: some databases, Node.js with UV_USE_IO_URING=1',
    todo: covered ? '' : 'Where every operation must be seen: sysctl kernel.io_uring_disabled=2, or --source fanotify.',
  };
}

function compatSpot(ebpf: boolean, other: OtherSource): Check {
  const concerned = ebpf && (os.arch() === 'x64' || os.arch() === 'arm64');
  return {
    id: 'blind-compat',
    name: '32-bit programs',
    state: concerned ? 'missing' : 'info',
    found: concerned
      ? 'not seen by the source ebpf: their system calls have other numbers'
      : `${other} sees what they change, as of any program`,
    enables: 'old binaries, some games and installers',
    todo: concerned ? 'Where they matter: --source fanotify.' : '',
  };
}

function resultSpot(other: OtherSource): Check {
  return {
    id: 'blind-results',
    name: 'results of operations',
    state: 'missing',
    found: `${other} does not tell what failed, how much was read or written, and truncation from writing`,
    enables: 'finding out why a program fails',
    todo: 'The source ebpf tells them.',
  };
}

function mergeSpot(other: OtherSource): Check {
  return {
    id: 'blind-merge',
    name: 'repeated operations',
    state: 'limited',
    found:
      other === 'fanotify'
        ? 'the kernel merges what one process does with one file while the events wait: told once each, not in which order'
        : 'the kernel merges equal events that follow each other: 100 writes may be one',
    enables: 'counting operations',
    todo: 'The source ebpf tells each one.',
  };
}

function shortLivedSpot(): Check {
  return {
    id: 'blind-short-lived',
    name: 'processes that end at once',
    state: 'limited',
    found:
      'fanotify tells their pid; name and user are asked of /proc, and unknown (said with the event) if they have ended by then',
    enables: 'shell scripts, which start a process for each command',
    todo: 'The source ebpf knows them.',
  };
}

function networkSpot(): Check {
  return {
    id: 'blind-network',
    name: 'network file systems',
    state: 'info',
    found: 'what another machine changes on NFS or SMB, or the host on a shared folder, happens outside of this kernel',
    enables: 'shared folders',
    todo: '',
  };
}

/** There are programs at these tracepoints, and this kernel has them. */
function isCovered(tracepoints: readonly string[]): boolean {
  const used: readonly string[] = OPTIONAL_PROGRAMS.map(({ tracepoint }) => tracepoint);
  try {
    const types = readFileSync(BTF_FILE);
    return tracepoints.every((tracepoint) => used.includes(tracepoint) && types.includes(`btf_trace_${tracepoint}`));
  } catch {
    return false;
  }
}
