// What the kernel and its settings allow.

import { accessSync, constants } from 'node:fs';
import os from 'node:os';
import { versionReason } from '../../source/ebpf/probe.ts';
import { formatBytes, formatCount } from '../format.ts';
import { atLeast, type Check, effectiveCapabilities, kernelVersion, readNumber, readText } from './check.ts';

export function kernelCheck(release = os.release()): Check {
  const base = { id: 'kernel', name: 'Linux kernel', enables: 'eBPF programs of our size' };
  if (os.platform() !== 'linux')
    return { ...base, state: 'missing', found: os.platform(), todo: 'Sources of events exist for Linux only.' };
  const reason = versionReason(release);
  if (reason === undefined) return { ...base, state: 'ok', found: `${release} ${os.arch()}`, todo: '' };
  return { ...base, state: 'missing', found: reason, todo: 'The source inotify works with any kernel.' };
}

export function btfCheck(file = '/sys/kernel/btf/vmlinux'): Check {
  const readable = canRead(file);
  return {
    id: 'btf',
    name: 'BTF type information',
    state: readable ? 'ok' : 'missing',
    found: readable ? file : `${file} cannot be read`,
    enables: 'eBPF programs that fit this very kernel',
    todo: readable ? '' : 'Use a kernel built with CONFIG_DEBUG_INFO_BTF=y (all large distributions do).',
  };
}

export function capabilitiesCheck(): Check {
  const held = effectiveCapabilities();
  const can = held.includes('CAP_SYS_ADMIN') || (held.includes('CAP_BPF') && held.includes('CAP_PERFMON'));
  const user = os.userInfo().username;
  return {
    id: 'capabilities',
    name: 'privileges',
    state: can ? 'ok' : 'missing',
    found: `${user}: ${held.length === 0 ? 'no capabilities' : held.join(', ')}`,
    enables: 'loading eBPF programs: pids, commands, failed and read operations',
    todo: can
      ? ''
      : 'Run with sudo, or give node CAP_BPF and CAP_PERFMON; with --user NAME they are dropped again after the start.',
  };
}

export function bpfSettingsCheck(): Check {
  const lockdown = /\[(\w+)\]/.exec(readText('/sys/kernel/security/lockdown') ?? '')?.[1] ?? 'none';
  const jit = readNumber('/proc/sys/net/core/bpf_jit_enable');
  const locked = lockdown === 'confidentiality';
  return {
    id: 'bpf-settings',
    name: 'BPF settings',
    state: locked ? 'missing' : jit === 0 ? 'limited' : 'ok',
    found: `lockdown ${lockdown}, JIT ${jit === undefined ? 'unknown' : jit === 0 ? 'off' : 'on'}`,
    enables: 'eBPF that may read kernel memory, compiled',
    todo: locked
      ? 'The kernel is locked down (confidentiality): eBPF may not read its memory. Boot with lockdown=integrity or none.'
      : jit === 0
        ? 'sysctl net.core.bpf_jit_enable=1 makes the programs several times faster.'
        : '',
  };
}

/** Needed by the BPF ring below Linux 5.11, where maps are charged to this limit. */
export function memlockCheck(release = os.release()): Check {
  const line = /^Max locked memory\s+(\S+)/m.exec(readText('/proc/self/limits') ?? '')?.[1] ?? 'unknown';
  const charged = !atLeast(kernelVersion(release), 5, 11);
  const short = charged && line !== 'unlimited' && Number(line) < 64 << 20;
  return {
    id: 'memlock',
    name: 'locked memory',
    state: short ? 'limited' : 'ok',
    found: `${line === 'unlimited' ? 'unlimited' : formatBytes(Number(line) || 0)}${charged ? '' : ' (not counted for BPF by this kernel)'}`,
    enables: 'large kernel rings',
    todo: short ? 'ulimit -l unlimited before the start, or a smaller ring: --ring 1M.' : '',
  };
}

const WATCHES_WANTED = 100_000;
const QUEUE_WANTED = 16_384;

export function inotifyCheck(): Check {
  const watches = readNumber('/proc/sys/fs/inotify/max_user_watches');
  const queue = readNumber('/proc/sys/fs/inotify/max_queued_events');
  const instances = readNumber('/proc/sys/fs/inotify/max_user_instances');
  const base = {
    id: 'inotify',
    name: 'inotify',
    enables: 'the source inotify: what changed, without who, for any user',
  };
  if (watches === undefined || queue === undefined) {
    return {
      ...base,
      state: 'missing',
      found: '/proc/sys/fs/inotify cannot be read',
      todo: 'The kernel needs CONFIG_INOTIFY_USER=y.',
    };
  }
  const todo = [
    ...(watches < WATCHES_WANTED ? [`fs.inotify.max_user_watches=524288 (one is used for each directory)`] : []),
    ...(queue < QUEUE_WANTED
      ? [`fs.inotify.max_queued_events=65536 (a fuller queue loses events: seen and said)`]
      : []),
  ];
  return {
    ...base,
    state: todo.length > 0 ? 'limited' : 'ok',
    found: `${formatCount(watches)} watches, queue of ${formatCount(queue)}, ${formatCount(instances ?? 0)} instances`,
    todo: todo.length > 0 ? `As root: sysctl ${todo.join(' ')}` : '',
  };
}

export function fuseCheck(): Check {
  const device = canRead('/dev/fuse', constants.R_OK | constants.W_OK);
  return {
    id: 'fuse',
    name: 'FUSE',
    state: device ? 'ok' : 'missing',
    found: device ? '/dev/fuse can be opened' : '/dev/fuse is not there, or not for this user',
    enables: 'mounts that see every operation before it happens (not used yet by this version)',
    todo: device ? '' : 'As root: modprobe fuse. In a container: --device /dev/fuse.',
  };
}

function canRead(file: string, mode = constants.R_OK): boolean {
  try {
    accessSync(file, mode);
    return true;
  } catch {
    return false;
  }
}
