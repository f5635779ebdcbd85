// What no source of events, or not every one, can see - said before somebody relies on it.

import { readFileSync } from 'node:fs';
import os from 'node:os';
import { OPTIONAL_PROGRAMS } from '../../source/ebpf/programs.ts';
import type { Check } from './check.ts';

const MMAP_TRACEPOINTS = ['writeback_dirty_folio'];
const IO_URING_TRACEPOINTS = ['io_uring_submit_req', 'io_uring_complete'];
const BTF_FILE = '/sys/kernel/btf/vmlinux';

export function blindSpots(ebpf: boolean): Check[] {
  return [mmapSpot(ebpf), ioUringSpot(ebpf), compatSpot(ebpf), networkSpot()];
}

function mmapSpot(ebpf: boolean): Check {
  const covered = ebpf && isCovered(MMAP_TRACEPOINTS);
  return {
    id: 'blind-mmap',
    name: 'stores through mmap',
    state: covered ? 'limited' : 'missing',
    found: covered
      ? 'seen once for each page that turns dirty, not for each store'
      : 'not seen: they are no system call, and inotify does not tell of them',
    enables: 'databases and linkers that write through shared mappings',
    todo: covered ? '' : 'Open, truncate and close of such files are seen: --all shows them.',
  };
}

function ioUringSpot(ebpf: boolean): Check {
  const covered = !ebpf || isCovered(IO_URING_TRACEPOINTS);
  return {
    id: 'blind-io-uring',
    name: 'operations through io_uring',
    state: covered ? 'limited' : 'missing',
    found: covered
      ? ebpf
        ? 'seen when the kernel completes them'
        : 'inotify sees what they change, without who'
      : 'not seen by the source ebpf: the kernel does them without a system call of their own',
    enables: 'programs that use io_uring for files: some databases, Node.js with UV_USE_IO_URING=1',
    todo: covered ? '' : 'Where every operation must be seen: sysctl kernel.io_uring_disabled=2, or --source inotify.',
  };
}

function compatSpot(ebpf: boolean): Check {
  const concerned = ebpf && (os.arch() === 'x64' || os.arch() === 'arm64');
  return {
    id: 'blind-compat',
    name: '32-bit programs',
    state: concerned ? 'missing' : 'info',
    found: concerned
      ? 'not seen by the source ebpf: their system calls have other numbers'
      : 'inotify sees what they change, as of any program',
    enables: 'old binaries, some games and installers',
    todo: concerned ? 'Where they matter: --source inotify.' : '',
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
