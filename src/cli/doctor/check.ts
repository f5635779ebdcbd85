// What a check says, and the small helpers that the checks share.

import { readFileSync } from 'node:fs';

/** ok: works. missing: does not, and `todo` says what would help. limited: works, with a reservation. info: neither good nor bad. */
export type CheckState = 'ok' | 'missing' | 'limited' | 'info';

export interface Check {
  id: string;
  /** What was looked at: 'eBPF source'. */
  name: string;
  state: CheckState;
  /** What was found, with its values. */
  found: string;
  /** What it is good for. */
  enables: string;
  /** What to do when it is missing or limited; '' otherwise. */
  todo: string;
}

export interface Section {
  title: string;
  checks: Check[];
}

/** A file's text without the line break at its end; undefined when it cannot be read. */
export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trimEnd();
  } catch {
    return undefined;
  }
}

export function readNumber(file: string): number | undefined {
  const text = readText(file);
  const value = text === undefined ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}

const CAPABILITY_BITS = { CAP_SYS_ADMIN: 21, CAP_SYS_RESOURCE: 24, CAP_PERFMON: 38, CAP_BPF: 39 } as const;

export type CapabilityName = keyof typeof CAPABILITY_BITS;

/** The effective capabilities of this process, of those that matter here. */
export function effectiveCapabilities(status = readText('/proc/self/status') ?? ''): CapabilityName[] {
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  return (Object.keys(CAPABILITY_BITS) as CapabilityName[]).filter(
    (name) => (mask >> BigInt(CAPABILITY_BITS[name])) & 1n,
  );
}

/** [6, 18] for '6.18.44-x'. */
export function kernelVersion(release: string): [number, number] {
  const match = /^(\d+)\.(\d+)/.exec(release);
  return [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)];
}

export function atLeast([major, minor]: readonly [number, number], wantedMajor: number, wantedMinor: number): boolean {
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}
