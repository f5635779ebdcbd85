// What no source of events, or not every one, can see - said before somebody relies on it.

import os from 'node:os';
import type { Check } from './check.ts';

export function blindSpots(ebpf: boolean): Check[] {
  return [
    {
      id: 'blind-mmap',
      name: 'stores through mmap',
      state: 'limited',
      found: ebpf
        ? 'seen once for each page that turns dirty, not for each store'
        : 'not seen: inotify tells of write(2) and the like only',
      enables: 'databases and linkers that write through memory mappings',
      todo: '',
    },
    {
      id: 'blind-io-uring',
      name: 'operations through io_uring',
      state: 'limited',
      found: ebpf
        ? 'seen when the kernel completes them, with the path where the kernel still knows it'
        : 'seen as any other change by inotify, without who',
      enables: 'programs that use io_uring for files (some databases, Node.js with UV_USE_IO_URING=1)',
      todo: ebpf ? 'Where every operation must be seen: sysctl kernel.io_uring_disabled=2.' : '',
    },
    {
      id: 'blind-compat',
      name: '32-bit programs',
      state: ebpf && os.arch() === 'x64' ? 'missing' : 'info',
      found: ebpf
        ? 'system calls of 32-bit programs (int 0x80) are not traced; 64-bit programs are not affected'
        : 'no difference for inotify',
      enables: 'old binaries',
      todo: '',
    },
    {
      id: 'blind-network',
      name: 'network file systems',
      state: 'info',
      found: 'what another machine changes on NFS, SMB, or a host on a shared folder, happens outside of this kernel',
      enables: 'shared folders',
      todo: '',
    },
  ];
}
