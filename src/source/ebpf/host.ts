// The half of the eBPF source that lives in the main thread: it puts the programs into the kernel, and the kernel's ring into the arena.

import fs from 'node:fs';
import { ARENA_REGION_KERNEL_CONTROL, ARENA_REGION_KERNEL_WINDOW } from '../../../layout/arena.ts';
import { CALL_LENGTH } from '../../../layout/kernel-call.ts';
import * as control from '../../../layout/kernel-control.ts';
import { KERNEL_OP_COUNT, KERNEL_RECORD_LENGTH_MAX } from '../../../layout/kernel-record.ts';
import { FILTER_PIDS_MAX, LANES_MAX, PAGE_LENGTH, PATH_LENGTH_MAX, ROOTS_MAX } from '../../../layout/limits.ts';
import { RING_RECORD_HEADER_LENGTH } from '../../../layout/ring.ts';
import type { Arena } from '../../arena/arena.ts';
import { EFD_CLOEXEC, EFD_NONBLOCK, systemCallError } from '../../arena/native.ts';
import { CausewayError, messageOf } from '../../base/errors.ts';
import type { SourceHost, SourceOptions, SourcePlan } from '../source.ts';
import { callTable, uringCallTable } from './call-table.ts';
import { Programs } from './programs.ts';

const COUNTERS_AT = PAGE_LENGTH;
const LANES_AT = 2 * PAGE_LENGTH;
const RING_PAGES_LENGTH = 2 * PAGE_LENGTH;
/**
 * The data begins again behind its end, so that a record runs on: as far as the longest one reaches. The kernel offers the whole ring a second time,
 * and every page that is mapped counts as resident.
 */
const OVERHANG_LENGTH = Math.ceil((KERNEL_RECORD_LENGTH_MAX + RING_RECORD_HEADER_LENGTH) / PAGE_LENGTH) * PAGE_LENGTH;
/** uapi/asm-generic/fcntl.h */
const O_PATH = 0o10000000;
/** bpf/state.h: struct root_path. */
const ROOT_PATH_TEXT_AT = 8;
const ROOT_PATH_LENGTH = ROOT_PATH_TEXT_AT + 4096;
/** bpf/causeway.bpf.c: struct resolve_arguments. */
const RESOLVE_DEVICE_AT = 8;
const RESOLVE_FD_AT = 16;
const RESOLVE_LENGTH = 24;
/** linux/bpf.h: struct bpf_prog_info. */
const PROGRAM_INFO_LENGTH = 232;
const PROGRAM_INFO_RECURSION_MISSES_AT = 208;

// The exits first: a call whose entry nobody remembered is no operation yet.
const CORE_PROGRAMS = ['on_sys_exit', 'on_exit', 'on_fork', 'on_sys_enter'];

/**
 * Loads, fills, maps, and only then attaches the programs: nothing is reported by settings that are half there.
 * The arena needs a region KERNEL_WINDOW of 2 pages + 2 * ringCapacity, and a region KERNEL_CONTROL of 4 pages.
 * @throws CausewayError CAPABILITY_MISSING with what the machine lacks, or PATH_MISSING.
 */
export function attachEbpf(arena: Arena, options: SourceOptions): SourceHost {
  checkLimits(options);
  const programs = Programs.load({ ringCapacity: options.ringCapacity });
  let host: EbpfHost | undefined;
  try {
    host = new EbpfHost(arena, options, programs);
    host.start();
    return host;
  } catch (error) {
    if (host === undefined) programs.close();
    else host.close();
    throw error;
  }
}

class EbpfHost implements SourceHost {
  readonly kind = 'ebpf';
  readonly plan: SourcePlan;
  private readonly arena: Arena;
  private readonly options: SourceOptions;
  private readonly programs: Programs;
  private readonly window: number;
  private readonly control: number;
  private readonly wakeFd: number;
  private closed = false;
  private lastCounters: { produced: bigint; dropped: Record<string, bigint> } = { produced: 0n, dropped: {} };

  constructor(arena: Arena, options: SourceOptions, programs: Programs) {
    this.arena = arena;
    this.options = options;
    this.programs = programs;
    this.window = arena.region(ARENA_REGION_KERNEL_WINDOW).address;
    this.control = arena.region(ARENA_REGION_KERNEL_CONTROL).address;
    const { native } = arena;
    if (native === undefined) throw new CausewayError('CAPABILITY_MISSING', 'koffi is not available here');
    this.wakeFd = native.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (this.wakeFd < 0) throw systemCallError(native, 'eventfd', 'wake');
    this.plan = {
      kind: 'ebpf',
      ringAddress: this.window,
      ringCapacity: options.ringCapacity,
      doubleMapped: true,
      lanesAddress: this.control + LANES_AT,
      details: { ringFd: programs.mapFd('ring'), wakeFd: this.wakeFd, controlAddress: this.control },
    };
  }

  get description(): string {
    const { running } = this.programs;
    return `eBPF: ${running.length} programs, ring ${this.options.ringCapacity / 1024} KiB`;
  }

  start(): void {
    this.map();
    this.fillTables();
    for (const program of [...CORE_PROGRAMS, ...this.programs.optional]) this.programs.attach(program);
  }

  counters(): { produced: bigint; dropped: Record<string, bigint> } {
    if (this.closed) return this.lastCounters;
    const { arena, control: at } = this;
    // Each lane is stored after the hand-over of its record: the sum never is ahead of what the ring or the drop counters show.
    let produced = 0n;
    for (let lane = 0; lane < LANES_MAX; lane++) produced += Atomics.load(arena.u64, (at + LANES_AT) / 8 + lane);
    const counter = (offset: number) => Atomics.load(arena.u64, (at + COUNTERS_AT + offset) / 8);
    Atomics.store(arena.u64, (at + COUNTERS_AT + control.KERNEL_COUNTER_PRODUCED_OFFSET) / 8, produced);
    Atomics.store(arena.u64, (at + COUNTERS_AT + control.KERNEL_COUNTER_FILTERED_OFFSET) / 8, this.filtered());
    return {
      produced,
      dropped: {
        ringFull: counter(control.KERNEL_COUNTER_DROPPED_RING_FULL_OFFSET),
        tableFull: counter(control.KERNEL_COUNTER_DROPPED_TABLE_FULL_OFFSET),
        nested: counter(control.KERNEL_COUNTER_DROPPED_NESTED_OFFSET),
        recursion: this.recursionMisses(),
      },
    };
  }

  addPid(pid: number): void {
    if (this.closed) return;
    const { view } = this.arena;
    const count = view.getUint32(this.control + control.KERNEL_SETTINGS_PID_COUNT_OFFSET, true);
    this.programs.updateMap('trackedPids', pid, u32Bytes(1));
    if (count < FILTER_PIDS_MAX) {
      view.setUint32(this.control + control.KERNEL_SETTINGS_PIDS_OFFSET + 4 * count, pid, true);
    }
    // Last: a filter whose pid is not in the table yet would drop everything.
    view.setUint32(this.control + control.KERNEL_SETTINGS_PID_COUNT_OFFSET, count + 1, true);
  }

  close(): void {
    if (this.closed) return;
    this.programs.detach();
    this.lastCounters = this.counters();
    this.closed = true;
    this.arena.unmap(this.window, RING_PAGES_LENGTH + 2 * this.options.ringCapacity);
    this.arena.unmap(this.control, LANES_AT + control.KERNEL_LANES_LENGTH);
    this.programs.close();
    fs.closeSync(this.wakeFd);
  }

  private map(): void {
    const { arena, programs, window, control: at } = this;
    const ring = programs.mapFd('ring');
    const { ringCapacity } = this.options;
    arena.mapFile({ address: window, length: PAGE_LENGTH, fd: ring, writable: true });
    // The producer's page and the data can only be mapped for reading: the kernel trusts what it wrote there.
    arena.mapFile({
      address: window + PAGE_LENGTH,
      length: PAGE_LENGTH + ringCapacity + Math.min(ringCapacity, OVERHANG_LENGTH),
      fd: ring,
      fileOffset: BigInt(PAGE_LENGTH),
      writable: false,
    });
    arena.mapFile({ address: at, length: PAGE_LENGTH, fd: programs.mapFd('settings'), writable: true });
    arena.mapFile({ address: at + COUNTERS_AT, length: PAGE_LENGTH, fd: programs.mapFd('counters'), writable: true });
    arena.mapFile({
      address: at + LANES_AT,
      length: control.KERNEL_LANES_LENGTH,
      fd: programs.mapFd('lanes'),
      writable: false,
    });
  }

  private fillTables(): void {
    const { options, control: at } = this;
    const { view } = this.arena;
    this.fillCalls('calls', callTable());
    this.fillCalls('uringCalls', uringCallTable());
    const all = options.ops.length === 0 ? Array.from({ length: KERNEL_OP_COUNT }, (_, op) => op) : options.ops;
    const mask = all.reduce((bits, op) => bits | (1 << op), 0);
    view.setUint32(at + control.KERNEL_SETTINGS_OP_MASK_OFFSET, mask, true);
    view.setUint32(at + control.KERNEL_SETTINGS_FOLLOW_FORK_OFFSET, options.followFork ? 1 : 0, true);
    view.setUint32(at + control.KERNEL_SETTINGS_OWN_PID_OFFSET, options.includeSelf ? 0 : process.pid, true);
    options.paths.forEach((path, row) => {
      this.fillRoot(path, row);
    });
    // The programs learn the engine's root directory from `resolve`, also when there is no path.
    if (options.paths.length === 0) this.resolve('/');
    view.setUint32(at + control.KERNEL_SETTINGS_ROOT_COUNT_OFFSET, options.paths.length, true);
    for (const pid of options.pids) this.addPid(pid);
  }

  private fillCalls(map: 'calls' | 'uringCalls', table: Uint8Array): void {
    for (let row = 0; row * CALL_LENGTH < table.length; row++) {
      this.programs.updateMap(map, row, table.subarray(row * CALL_LENGTH, (row + 1) * CALL_LENGTH));
    }
  }

  private fillRoot(path: string, row: number): void {
    const { inode, device } = this.resolve(path);
    const at = this.control + control.KERNEL_SETTINGS_ROOTS_OFFSET + row * control.KERNEL_SETTINGS_ROOT_LENGTH;
    this.arena.view.setBigUint64(at, inode, true);
    this.arena.view.setBigUint64(at + 8, device, true);
    const bytes = Buffer.from(path);
    // "/" is the empty prefix: what follows it begins with the slash.
    const length = path === '/' ? 0 : bytes.length;
    const value = Buffer.alloc(ROOT_PATH_LENGTH);
    value.writeUInt32LE(length);
    bytes.copy(value, ROOT_PATH_TEXT_AT, 0, length);
    this.programs.updateMap('rootPaths', row, value);
  }

  /** Inode and device as the programs see them. */
  private resolve(path: string): { inode: bigint; device: bigint } {
    let fd: number;
    try {
      fd = fs.openSync(path, O_PATH);
    } catch (error) {
      throw new CausewayError('PATH_MISSING', `cannot watch ${path}: ${messageOf(error)}`, { cause: error });
    }
    try {
      const context = Buffer.alloc(RESOLVE_LENGTH);
      context.writeUInt32LE(fd, RESOLVE_FD_AT);
      const { status, result } = this.programs.libbpf.run(this.programs.programFd('resolve'), context);
      if (status < 0 || result !== 0) {
        throw new CausewayError(
          'CAPABILITY_MISSING',
          `BPF program resolve: status=${status}, result=${result}, path=${path}`,
        );
      }
      return { inode: context.readBigUInt64LE(0), device: context.readBigUInt64LE(RESOLVE_DEVICE_AT) };
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Operations found outside of the filter, summed over the CPUs (each possible CPU has its own counter). */
  private filtered(): bigint {
    const cpus = possibleCpus();
    const value = this.programs.lookupMap('filtered', 0, 8 * cpus);
    let sum = 0n;
    for (let cpu = 0; cpu < cpus; cpu++) sum += value.readBigUInt64LE(8 * cpu);
    return sum;
  }

  /** Events that the kernel kept from a program because it was running already on that CPU. */
  private recursionMisses(): bigint {
    let sum = 0n;
    for (const program of this.programs.running) {
      const info = Buffer.alloc(PROGRAM_INFO_LENGTH);
      if (this.programs.libbpf.objectInfo(this.programs.programFd(program), info) < 0) continue;
      sum += info.readBigUInt64LE(PROGRAM_INFO_RECURSION_MISSES_AT);
    }
    return sum;
  }
}

function checkLimits(options: SourceOptions): void {
  const { paths, pids, ringCapacity } = options;
  if (paths.length > ROOTS_MAX) {
    throw new CausewayError('CONFIG_INVALID', `too many paths: paths=${paths.length}, pathsMax=${ROOTS_MAX}`);
  }
  if (pids.length > FILTER_PIDS_MAX) {
    throw new CausewayError('CONFIG_INVALID', `too many pids: pids=${pids.length}, pidsMax=${FILTER_PIDS_MAX}`);
  }
  const tooLong = paths.find((path) => Buffer.byteLength(path) > PATH_LENGTH_MAX);
  if (tooLong !== undefined) throw new CausewayError('CONFIG_INVALID', `path too long: length=${tooLong.length}`);
  if (ringCapacity < PAGE_LENGTH || (ringCapacity & (ringCapacity - 1)) !== 0) {
    throw new CausewayError('CONFIG_INVALID', `ringCapacity=${ringCapacity} is not a power of two >= ${PAGE_LENGTH}`);
  }
}

/** "0-3,8" and the like: the highest number that the machine may ever have, plus one. */
function possibleCpus(): number {
  const text = fs.readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim();
  return Number(text.split(/[-,]/).at(-1)) + 1;
}

function u32Bytes(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
