// What the machine lacks for the eBPF source, found without side effects.

import fs from 'node:fs';
import os from 'node:os';
import { loadNative, nativeFailure } from '../../arena/native.ts';
import { CausewayError, messageOf } from '../../base/errors.ts';
import { callTable } from './call-table.ts';
import { loadLibbpf } from './libbpf.ts';
import { objectPath } from './object-file.ts';

/** bpf_loop (5.17) bounds the walk along a path. */
const KERNEL_VERSION_MIN = [5, 17] as const;
const BTF_FILE = '/sys/kernel/btf/vmlinux';
const LOCKDOWN_FILE = '/sys/kernel/security/lockdown';
// linux/capability.h
const CAP_SYS_ADMIN = 21n;
const CAP_PERFMON = 38n;
const CAP_BPF = 39n;

export interface EbpfProbe {
  ok: boolean;
  /** What is missing, each with what would enable it; empty when ok. */
  reasons: string[];
}

/** Each missing capability by name. That nothing is missing does not promise that the kernel will take the programs: only attaching shows that. */
export function probeEbpf(): EbpfProbe {
  const reasons = [
    nativeReason(),
    versionReason(os.release()),
    privilegeReason(),
    btfReason(),
    lockdownReason(),
    libraryReason(),
    objectReason(),
    architectureReason(),
  ].filter((reason) => reason !== undefined);
  return { ok: reasons.length === 0, reasons };
}

function nativeReason(): string | undefined {
  if (loadNative() !== undefined) return undefined;
  return `koffi is not available (${nativeFailure()}): reinstall this package on Linux with its optional parts`;
}

/** Exported for its test. */
export function versionReason(release: string): string | undefined {
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  const [majorMin, minorMin] = KERNEL_VERSION_MIN;
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return undefined;
  return `kernel ${release} is too old: Linux >= ${majorMin}.${minorMin} is needed`;
}

function privilegeReason(): string | undefined {
  const held = effectiveCapabilities();
  const has = (capability: bigint) => ((held >> capability) & 1n) === 1n;
  if (has(CAP_SYS_ADMIN) || (has(CAP_BPF) && has(CAP_PERFMON))) return undefined;
  const missing = [has(CAP_BPF) ? [] : ['CAP_BPF'], has(CAP_PERFMON) ? [] : ['CAP_PERFMON']].flat();
  return `no privilege (${missing.join(' and ')}): run as root, or give node these capabilities`;
}

function effectiveCapabilities(): bigint {
  try {
    const status = fs.readFileSync('/proc/self/status', 'utf8');
    return BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  } catch {
    return 0n;
  }
}

function btfReason(): string | undefined {
  try {
    fs.closeSync(fs.openSync(BTF_FILE, 'r'));
    return undefined;
  } catch (error) {
    return `${BTF_FILE} cannot be read (${messageOf(error)}): a kernel built with CONFIG_DEBUG_INFO_BTF=y is needed`;
  }
}

function lockdownReason(): string | undefined {
  let text = '';
  try {
    text = fs.readFileSync(LOCKDOWN_FILE, 'utf8');
  } catch {
    // No such file: not locked down.
  }
  if (!text.includes('[confidentiality]')) return undefined;
  return 'the kernel is locked down (confidentiality) and lets nobody read its memory: boot without lockdown=confidentiality';
}

function libraryReason(): string | undefined {
  try {
    loadLibbpf();
    return undefined;
  } catch (error) {
    return `${messageOf(error)}: sudo apt-get install -y libbpf1`;
  }
}

function objectReason(): string | undefined {
  const missing = (['typed', 'probe'] as const).map(objectPath).filter((path) => !fs.existsSync(path));
  return missing.length === 0 ? undefined : `${missing.join(' and ')}: missing: npm run build`;
}

function architectureReason(): string | undefined {
  try {
    callTable();
    return undefined;
  } catch (error) {
    if (error instanceof CausewayError) return error.message;
    throw error;
  }
}
