// For the tests of the eBPF source: the source attached to an arena, its ring drained by a plain decoder, and processes that make system calls by number.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { ARENA_REGION_KERNEL_CONTROL, ARENA_REGION_KERNEL_WINDOW } from '../../../layout/arena.ts';
import * as names from '../../../layout/kernel-record.ts';
import { KERNEL_FLAG_UNDECIDED, KERNEL_OP_COUNT } from '../../../layout/kernel-record.ts';
import { LANES_MAX, PAGE_LENGTH } from '../../../layout/limits.ts';
import {
  RING_CONSUMER_POSITION_OFFSET,
  RING_DATA_OFFSET,
  RING_PRODUCER_POSITION_OFFSET,
  RING_RECORD_BUSY,
  RING_RECORD_DISCARD,
  RING_RECORD_HEADER_LENGTH,
  RING_RECORD_LENGTH_MASK,
} from '../../../layout/ring.ts';
import { Arena } from '../../../src/arena/arena.ts';
import { decodeKernelRecord, type KernelRecord } from '../../../src/event/kernel-record.ts';
import { CALLS } from '../../../src/source/ebpf/call-table.ts';
import { attachEbpf } from '../../../src/source/ebpf/index.ts';
import type { SourceHost, SourceOptions } from '../../../src/source/source.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

export interface Watch {
  arena: Arena;
  host: SourceHost;
  /** All records that are in the ring now; takes them out. */
  drain(): KernelRecord[];
  /** Last lane sequences by CPU, as the kernel stored them. */
  lanes(): bigint[];
}

export function kernelArena(ringCapacity: number): Arena {
  return Arena.create({
    regions: [
      { kind: ARENA_REGION_KERNEL_WINDOW, length: 2 * PAGE_LENGTH + 2 * ringCapacity },
      { kind: ARENA_REGION_KERNEL_CONTROL, length: 4 * PAGE_LENGTH },
    ],
  });
}

/** Attached until the test ends. */
export function watch(options: Partial<SourceOptions>): Watch {
  const ringCapacity = options.ringCapacity ?? 1 << 20;
  const arena = kernelArena(ringCapacity);
  const host = attachEbpf(arena, {
    paths: [],
    pids: [],
    followFork: false,
    ops: [],
    includeSelf: false,
    ...options,
    ringCapacity,
  });
  onTestFinished(() => host.close());
  return { arena, host, drain: () => drain(arena, host), lanes: () => lanes(arena, host) };
}

function drain(arena: Arena, host: SourceHost): KernelRecord[] {
  const { ringAddress, ringCapacity } = host.plan;
  const consumerIndex = (ringAddress + RING_CONSUMER_POSITION_OFFSET) / 8;
  const producer = Atomics.load(arena.u64, (ringAddress + RING_PRODUCER_POSITION_OFFSET) / 8);
  let position = Atomics.load(arena.u64, consumerIndex);
  const records: KernelRecord[] = [];
  while (position < producer) {
    const at = ringAddress + RING_DATA_OFFSET + Number(position & BigInt(ringCapacity - 1));
    const header = arena.view.getUint32(at, true);
    if ((header & RING_RECORD_BUSY) !== 0) break;
    const length = header & RING_RECORD_LENGTH_MASK & ~RING_RECORD_DISCARD;
    if ((header & RING_RECORD_DISCARD) === 0) {
      records.push(decodeKernelRecord(arena.bytes, at + RING_RECORD_HEADER_LENGTH, length));
    }
    position += BigInt((length + RING_RECORD_HEADER_LENGTH + 7) & ~7);
  }
  Atomics.store(arena.u64, consumerIndex, position);
  return records;
}

function lanes(arena: Arena, host: SourceHost): bigint[] {
  return Array.from({ length: LANES_MAX }, (_, lane) => Atomics.load(arena.u64, host.plan.lanesAddress / 8 + lane));
}

/** The compiled test/source/ebpf/<name>.c. */
export function compileHelper(name: string): string {
  const program = path.join(temporaryDirectory(name), name);
  const source = new URL(`./${name}.c`, import.meta.url).pathname;
  const { status, stderr } = spawnSync('cc', ['-O1', '-o', program, source], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return program;
}

export function compileCalls(): string {
  return compileHelper('calls');
}

/** A call by name (or a number, or "fault"), and its arguments as calls.c takes them. */
export type Call = [name: string, ...words: string[]];

export interface Performed {
  pid: number;
  results: { result: number; errno: number }[];
}

const AT_FDCWD = 'i-100';

export { AT_FDCWD };

/** Numbers of calls that are not events but that the tests need. */
const OTHER_CALLS: Record<string, { x64: number; arm64: number }> = {
  mmap: { x64: 9, arm64: 222 },
  munmap: { x64: 11, arm64: 215 },
  chdir: { x64: 80, arm64: 49 },
  chroot: { x64: 161, arm64: 51 },
  lseek: { x64: 8, arm64: 62 },
  dup: { x64: 32, arm64: 23 },
  pipe2: { x64: 293, arm64: 59 },
  open_tree: { x64: 428, arm64: 428 },
  name_to_handle_at: { x64: 303, arm64: 264 },
};

export function callNumber(name: string): number {
  const row = CALLS.find((candidate) => candidate.name === name) ?? OTHER_CALLS[name];
  if (row === undefined) throw new Error(`no call ${name}`);
  return process.arch === 'arm64' ? row.arm64 : row.x64;
}

export function perform(program: string, directory: string, calls: readonly Call[]): Performed {
  const lines = calls.map(([name, ...words]) =>
    [name === 'fault' ? name : String(callNumber(name)), ...words].join('\t'),
  );
  const child = spawnSync(program, [], {
    cwd: directory,
    input: `${lines.join('\n')}\n`,
    encoding: 'utf8',
    timeout: 20_000,
  });
  if (child.status !== 0) throw new Error(`calls: status=${child.status} ${child.signal} ${child.stderr}`);
  const results = child.stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ').map(Number))
    .map(([result = 0, errno = 0]) => ({ result, errno }));
  return { pid: child.pid, results };
}

/** "write pwrite64 /path -> /path2 ENOENT 5": what the tests compare, without what differs from run to run. */
export function describeRecord(record: KernelRecord, root: string): string {
  const shorten = (bytes: Uint8Array) => {
    const text = Buffer.from(bytes).toString();
    return text === root ? '.' : text.startsWith(`${root}/`) ? text.slice(root.length + 1) : text;
  };
  return [
    opName(record.op),
    variantName(record.variant),
    shorten(record.path),
    record.path2.length > 0 ? `-> ${shorten(record.path2)}` : '',
    record.error === 0 ? '' : `error=${record.error}`,
    record.amount === 0n ? '' : `amount=${record.amount}`,
    (record.flags & KERNEL_FLAG_UNDECIDED) === 0 ? '' : 'undecided',
  ]
    .filter((word) => word !== '')
    .join(' ');
}

function opName(op: number): string {
  return constantName('KERNEL_OP_', op, KERNEL_OP_COUNT);
}

function variantName(variant: number): string {
  return constantName('KERNEL_VARIANT_', variant, names.KERNEL_VARIANT_COUNT);
}

function constantName(prefix: string, value: number, end: number): string {
  const found = Object.entries(names).find(
    ([name, number]) => name.startsWith(prefix) && number === value && value < end,
  );
  return found === undefined ? String(value) : found[0].slice(prefix.length).toLowerCase();
}

export function statOf(file: string): { inode: bigint; device: bigint } {
  const { ino, dev } = fs.statSync(file, { bigint: true });
  return { inode: ino, device: dev };
}
