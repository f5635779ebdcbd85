// What a test needs from the machine. A test whose needs are not met is skipped, and the run ends with the reason and the command that would help:
//
//   describe('ebpf source', requires('bpf'), () => { ... });
//   it('survives EIO', requires('strace'), async () => { ... });

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

declare module 'vitest' {
  interface TaskMeta {
    /** Why the test is skipped, one line for each need that is not met. */
    missing?: string[];
  }
}

// linux/capability.h
const CAP_PERFMON = 38n;
const CAP_BPF = 39n;

interface Need {
  /** Ends the sentence "needs ..." */
  readonly description: string;
  /** What to type to get it. */
  readonly enable: string;
  readonly probe: () => boolean;
}

const NEEDS = {
  root: { description: 'root', enable: 'sudo npm test', probe: isRoot },
  /** Start a process as somebody without privileges. */
  otherUser: { description: 'root and setpriv', enable: 'sudo npm test', probe: () => isRoot() && onPath('setpriv') },
  koffi: { description: 'koffi for this platform', enable: 'npm ci', probe: hasKoffi },
  bpf: {
    description: 'root (CAP_BPF and CAP_PERFMON), kernel BTF and libbpf.so.1',
    enable: 'sudo apt-get install -y libbpf1 && sudo npm test',
    probe: canTrace,
  },
  mount: { description: 'root with the right to mount', enable: 'sudo npm test', probe: canMount },
  fanotify: {
    description: 'root (CAP_SYS_ADMIN) and Linux 5.17 for fanotify, and the right to mount',
    enable: 'sudo npm test',
    probe: () => canMount() && canFanotify(),
  },
  fuse: {
    description: 'root, /dev/fuse and fusermount3',
    enable: 'sudo apt-get install -y fuse3 && sudo npm test',
    probe: () => isRoot() && fs.existsSync('/dev/fuse') && onPath('fusermount3'),
  },
  cc: program('cc', 'gcc'),
  cxx: program('c++', 'g++'),
  clang: program('clang'),
  bpftool: program('bpftool'),
  /** strace, and the right to trace. */
  strace: {
    ...program('strace'),
    probe: () => onPath('strace') && spawnSync('strace', ['-qq', '-e', 'trace=none', 'true']).status === 0,
  },
  git: program('git'),
  npm: program('npm'),
  /** A terminal for what is tested. */
  script: program('script', 'bsdutils'),
  setpriv: program('setpriv', 'util-linux'),
  'nats-server': program('nats-server'),
  spin: program('spin'),
} satisfies Record<string, Need>;

export type Capability = keyof typeof NEEDS;

const known = new Map<Capability, boolean>();

export function has(capability: Capability): boolean {
  const before = known.get(capability);
  if (before !== undefined) return before;
  const found = NEEDS[capability].probe();
  known.set(capability, found);
  return found;
}

/** Options for `describe` or `it`: skipped, with the reasons for the report, unless the machine has all of these. */
export function requires(...capabilities: Capability[]): { skip: boolean; meta: { missing: string[] } } {
  const missing = capabilities
    .filter((capability) => !has(capability))
    .map((capability) => `needs ${NEEDS[capability].description}: ${NEEDS[capability].enable}`);
  return { skip: missing.length > 0, meta: { missing } };
}

function program(name: string, debianPackage = name): Need {
  return { description: name, enable: `sudo apt-get install -y ${debianPackage}`, probe: () => onPath(name) };
}

function onPath(name: string): boolean {
  // Debian keeps some of what we need (bpftool) out of an ordinary user's PATH.
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => folder !== '' && fs.existsSync(path.join(folder, name)));
}

function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

function hasKoffi(): boolean {
  try {
    createRequire(import.meta.url)('koffi');
    return true;
  } catch {
    return false;
  }
}

function canTrace(): boolean {
  const folders = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib', '/lib64'];
  return (
    hasCapabilities(CAP_BPF, CAP_PERFMON) &&
    hasKoffi() &&
    fs.existsSync('/sys/kernel/btf/vmlinux') &&
    folders.some((folder) => fs.existsSync(path.join(folder, 'libbpf.so.1')))
  );
}

function hasCapabilities(...numbers: bigint[]): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return numbers.every((number) => (BigInt(`0x${effective}`) >> number) & 1n);
}

function canFanotify(): boolean {
  if (!hasKoffi()) return false;
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const libc = koffi.load('libc.so.6');
  // FAN_CLOEXEC | FAN_REPORT_DFID_NAME_TARGET
  const group = libc.func('int fanotify_init(uint32_t flags, uint32_t eventFlags)')(0x1e01, 0) as number;
  if (group < 0) return false;
  libc.func('int close(int fd)')(group);
  return true;
}

function canMount(): boolean {
  if (!isRoot()) return false;
  // In a mount namespace of its own: nothing is left behind, whatever happens.
  return spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;
}
