import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { beforeAll, describe, expect, it } from 'vitest';
import { GAP_CAUSE_TABLE_FULL } from '../../../layout/entry.ts';
import {
  KERNEL_COUNTER_DROPPED_TABLE_FULL_OFFSET,
  KERNEL_SETTINGS_PARKED_OFFSET,
} from '../../../layout/kernel-control.ts';
import type { KernelRecord } from '../../../src/event/kernel-record.ts';
import { attachEbpf, openEbpfReader } from '../../../src/source/ebpf/index.ts';
import { requires } from '../../support/capabilities.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { AT_FDCWD, type Call, compileCalls, kernelArena, perform, watch } from './harness.ts';

const COUNTERS_AT = 4096;
/** The machine is busy with other things; of this process only the children are reported. */
const CHILDREN_ONLY = { pids: [process.pid], followFork: true };
let program = '';

/** Opens and closes a file so many times, in one process. */
function storm(directory: string, pairs: number): Call[] {
  fs.writeFileSync(path.join(directory, 'f'), '');
  return Array.from({ length: pairs }, (_, pair) => [
    ['openat', AT_FDCWD, 'sf', 'i0'] as Call,
    ['close', `v${2 * pair}`] as Call,
  ]).flat();
}

describe('the ring', requires('bpf', 'cc'), () => {
  beforeAll(() => {
    program = compileCalls();
  });

  it('counts every record that it has no room for, and the lanes say where (R3)', () => {
    const directory = temporaryDirectory();
    const watched = watch({ ...CHILDREN_ONLY, paths: [directory], ringCapacity: 4096 });
    perform(program, directory, storm(directory, 500));
    const { produced, dropped } = watched.host.counters();
    const records = watched.drain();
    expect(produced).toBeGreaterThanOrEqual(1000n);
    expect(records.length).toBeGreaterThan(5);
    expect(BigInt(records.length) + (dropped.ringFull ?? 0n)).toBe(produced);
    expect(dropped).toEqual({ ringFull: produced - BigInt(records.length), tableFull: 0n, nested: 0n, recursion: 0n });
    // Each lane: what was seen and the jumps in between account for every sequence up to the lane's last.
    expect(missing(records, watched.lanes())).toBe(dropped.ringFull);
    // There is room again: nothing more is lost, and the sequences go on.
    perform(program, directory, storm(directory, 5));
    const later = watched.drain();
    expect(later.length).toBe(10);
    expect(watched.host.counters().dropped).toEqual(dropped);
    expect(missing([...records, ...later], watched.lanes())).toBe(dropped.ringFull);
  });

  it('loses nothing while it is drained in time, and keeps the order of each process', async () => {
    const directory = temporaryDirectory();
    const watched = watch({ ...CHILDREN_ONLY, paths: [directory], ringCapacity: 1 << 22 });
    const results = Array.from({ length: 3 }, () => perform(program, directory, storm(directory, 1500)));
    const records = watched.drain();
    for (const { pid } of results) {
      const own = records.filter((record) => record.pid === pid && record.path.length > directory.length);
      expect(own.map((record) => record.op)).toEqual(Array.from({ length: 3000 }, (_, index) => index % 2));
      const times = own.map((record) => record.timeNs);
      expect(times).toEqual([...times].sort((a, b) => Number(a - b)));
    }
    expect(missing(records, watched.lanes())).toBe(0n);
  });

  it('wakes a reader that sleeps, every time', async () => {
    const directory = temporaryDirectory();
    const watched = watch({ ...CHILDREN_ONLY, paths: [directory] });
    const reader = openEbpfReader(watched.arena, watched.host.plan);
    const rounds = 1000;
    // Touches the file once for each byte that it is sent: an event while the reader is asleep, or about to be.
    const child = spawn('sh', ['-c', 'while read line; do : > f; done'], {
      cwd: directory,
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    const parked = watched.arena.i32;
    const index = (Number(watched.host.plan.details.controlAddress) + KERNEL_SETTINGS_PARKED_OFFSET) / 4;
    let slowest = 0;
    try {
      for (let round = 0; round < rounds; round++) {
        fs.writeSync(childInput(child.stdin), 'x\n');
        const from = performance.now();
        let found = 0;
        // The shell opens the file, moves it to its output, and closes both descriptors: the first record wakes, the others may still be to come.
        while (found < 3 && performance.now() - from < 5000) {
          reader.wait(1000);
          found += watched.drain().filter((record) => record.pid === child.pid).length;
        }
        slowest = Math.max(slowest, performance.now() - from);
        expect(found).toBe(3);
        expect(Atomics.load(parked, index)).toBe(0);
      }
    } finally {
      reader.close();
      child.stdin.end();
    }
    expect(slowest).toBeLessThan(900);
  });

  it('lets its owner wake the reader', async () => {
    const directory = temporaryDirectory();
    const watched = watch({ paths: [directory] });
    const reader = openEbpfReader(watched.arena, watched.host.plan);
    watched.drain();
    fs.writeSync(Number(watched.host.plan.details.wakeFd), Buffer.from(BigUint64Array.of(1n).buffer));
    const from = performance.now();
    reader.wait(5000);
    expect(performance.now() - from).toBeLessThan(1000);
    watched.drain();
    const again = performance.now();
    reader.wait(50);
    expect(performance.now() - again).toBeLessThan(1000);
    reader.close();
    reader.close();
    reader.wait(5000);
  });

  it('marks a position that everything before it is below', () => {
    const directory = temporaryDirectory();
    const watched = watch({ paths: [directory] });
    const reader = openEbpfReader(watched.arena, watched.host.plan);
    expect(reader.finished).toBe(false);
    const before = reader.mark();
    perform(program, directory, storm(directory, 10));
    expect(reader.poll()).toBe(0);
    expect(reader.mark()).toBeGreaterThanOrEqual(before + 20n * 136n);
    expect(reader.takeLosses()).toEqual([]);
    reader.close();
  });

  it('reports the losses that no lane shows', () => {
    const watched = watch({ paths: [temporaryDirectory()] });
    const reader = openEbpfReader(watched.arena, watched.host.plan);
    const at =
      Number(watched.host.plan.details.controlAddress) + COUNTERS_AT + KERNEL_COUNTER_DROPPED_TABLE_FULL_OFFSET;
    Atomics.add(watched.arena.u64, at / 8, 3n);
    expect(reader.takeLosses()).toEqual([{ cause: GAP_CAUSE_TABLE_FULL, from: 0n, to: 0n, count: 3n }]);
    expect(reader.takeLosses()).toEqual([]);
    reader.close();
  });

  it('is drained by another thread', async () => {
    const directory = temporaryDirectory();
    const watched = watch({ paths: [directory] });
    perform(program, directory, storm(directory, 10));
    const { ringAddress } = watched.host.plan;
    // The mapping belongs to the process: a worker sees the same bytes through the same memory.
    const script =
      "const { workerData, parentPort } = require('node:worker_threads');" +
      'const words = new BigUint64Array(workerData.memory.buffer);' +
      'parentPort.postMessage(Atomics.load(words, (workerData.address + 4096) / 8));';
    const worker = new Worker(script, {
      eval: true,
      workerData: { memory: watched.arena.memory, address: ringAddress },
    });
    const [position] = await once(worker, 'message');
    expect(position).toBeGreaterThan(20n * 136n);
  });
});

describe('attaching and detaching', requires('bpf', 'cc', 'bpftool'), () => {
  it('leaves nothing behind', () => {
    const before = programIds();
    const arena = kernelArena(1 << 16);
    const options = { paths: [], pids: [], followFork: true, ops: [], includeSelf: false, ringCapacity: 1 << 16 };
    const host = attachEbpf(arena, options);
    const during = programIds().filter((id) => !before.includes(id));
    expect(during.length).toBeGreaterThanOrEqual(4);
    host.close();
    host.close();
    // The kernel frees programs after a grace period.
    const left = () => programIds().filter((id) => during.includes(id));
    for (let tries = 0; tries < 100 && left().length > 0; tries++) spawnSync('sleep', ['0.05']);
    expect(left()).toEqual([]);
    expect(host.counters().produced).toBeGreaterThanOrEqual(0n);
    // The memory is anonymous again: it can be written, and attached to anew.
    arena.bytes.fill(1, host.plan.ringAddress, host.plan.ringAddress + 8192 + 2 * options.ringCapacity);
    const second = attachEbpf(arena, options);
    second.close();
  });

  it('refuses what it cannot do, in one typed error', () => {
    const arena = kernelArena(1 << 16);
    const options = { paths: ['/'], pids: [], followFork: false, ops: [], includeSelf: false, ringCapacity: 1 << 16 };
    const refused = (changes: object) => {
      try {
        attachEbpf(arena, { ...options, ...changes }).close();
        return 'attached';
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(refused({ paths: ['/does/not/exist'] })).toBe('PATH_MISSING');
    expect(refused({ paths: Array(17).fill('/') })).toBe('CONFIG_INVALID');
    expect(refused({ pids: Array(65).fill(1) })).toBe('CONFIG_INVALID');
    expect(refused({ ringCapacity: 5000 })).toBe('CONFIG_INVALID');
    expect(refused({})).toBe('attached');
  });
});

function programIds(): number[] {
  const { stdout } = spawnSync('bpftool', ['--json', 'prog', 'list'], { encoding: 'utf8' });
  const names = ['on_sys_enter', 'on_sys_exit', 'on_fork', 'on_exit', 'resolve'];
  const programs = JSON.parse(stdout) as { id: number; name?: string }[];
  return programs.filter(({ name }) => names.includes(name ?? '')).map(({ id }) => id);
}

/** Sequences up to each lane's last that are not among the records. */
function missing(records: readonly KernelRecord[], lanes: readonly bigint[]): bigint {
  const last = new Map<number, bigint>();
  let jumps = 0n;
  for (const { cpu, laneSequence } of records) {
    const before = last.get(cpu) ?? 0n;
    expect(laneSequence).toBeGreaterThan(before);
    jumps += laneSequence - before - 1n;
    last.set(cpu, laneSequence);
  }
  lanes.forEach((sequence, cpu) => {
    jumps += sequence - (last.get(cpu) ?? 0n);
  });
  return jumps;
}

/** The descriptor of a child's input, to write at once instead of in the event loop, which the reader blocks. */
function childInput(stream: unknown): number {
  return (stream as { _handle: { fd: number } })._handle.fd;
}
