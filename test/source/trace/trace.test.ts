import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { GAP_CAUSE_QUEUE_OVERFLOW, GAP_CAUSE_RING_FULL, GAP_CAUSE_SOURCE } from '../../../layout/entry.ts';
import * as layout from '../../../layout/kernel-record.ts';
import {
  TRACE_CRC32C_OFFSET,
  TRACE_END_LENGTH,
  TRACE_FRAME_HEADER_LENGTH,
  TRACE_HEADER_LENGTH,
} from '../../../layout/trace-file.ts';
import { crc32c } from '../../../src/base/crc32c.ts';
import {
  encodeKernelRecord,
  type KernelRecord,
  kernelRecord,
  kernelRecordLength,
} from '../../../src/event/kernel-record.ts';
import type { SourceLoss } from '../../../src/source/source.ts';
import {
  attachTrace,
  generateTrace,
  openTraceReader,
  TraceGenerator,
  TraceRecorder,
} from '../../../src/source/trace/index.ts';
import { requires } from '../../support/capabilities.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { arenaForSource, Harness, sourceOptions } from '../source-harness.ts';

const END_FRAME_LENGTH = TRACE_FRAME_HEADER_LENGTH + TRACE_END_LENGTH;

interface OpenOptions {
  speed?: 'recorded' | 'maximum';
  ringCapacity?: number;
  ops?: number[];
  pids?: number[];
  log?: string[];
}

function open(file: string, options: OpenOptions = {}): Harness {
  const { speed = 'maximum', log = [], ringCapacity = 1 << 18, ops = [], pids = [] } = options;
  const arena = arenaForSource(ringCapacity);
  const host = attachTrace(arena, sourceOptions({ ringCapacity, ops, pids }), { trace: file, speed });
  return new Harness({ arena, host, reader: openTraceReader(arena, host.plan, { log: (line) => log.push(line) }) });
}

function replay(file: string, options: OpenOptions = {}): Harness {
  const harness = open(file, options);
  try {
    while (!harness.reader.finished) harness.turn();
    harness.turn();
  } finally {
    harness.close();
  }
  return harness;
}

function encoded(record: KernelRecord): Uint8Array {
  const bytes = new Uint8Array(kernelRecordLength(record));
  encodeKernelRecord(record, bytes, 0);
  return bytes;
}

function write(file: string, frames: (KernelRecord | SourceLoss)[]): void {
  const recorder = new TraceRecorder({ file, clockOffsetNs: 5n });
  for (const frame of frames) {
    if ('cause' in frame) recorder.loss(frame);
    else recorder.record(encoded(frame));
  }
  recorder.close();
}

const someRecord = (index: number) =>
  kernelRecord({
    op: 3,
    timeNs: BigInt(index),
    laneSequence: BigInt(index + 1),
    path: Buffer.from(`/work/file${index}`),
  });
const loss: SourceLoss = { cause: GAP_CAUSE_QUEUE_OVERFLOW, from: 3n, to: 9n, count: 7n };

describe('crc32c', () => {
  it('gives the values of RFC 3720', () => {
    const of = (bytes: Uint8Array) => crc32c(bytes, 0, bytes.length).toString(16);
    expect(of(Buffer.from('123456789'))).toBe('e3069283');
    expect(of(new Uint8Array(32))).toBe('8a9136aa');
    expect(of(new Uint8Array(32).fill(0xff))).toBe('62a8ab43');
    expect(of(Uint8Array.from({ length: 32 }, (_, at) => at))).toBe('46dd794e');
    expect(of(Uint8Array.from({ length: 32 }, (_, at) => 31 - at))).toBe('113fdb5c');
  });

  test.prop([fc.uint8Array({ maxLength: 100 }), fc.nat(100)])('goes on from a checksum', (bytes, cut) => {
    const at = Math.min(cut, bytes.length);
    expect(crc32c(bytes, at, bytes.length, crc32c(bytes, 0, at))).toBe(crc32c(bytes, 0, bytes.length));
  });
});

describe('trace', () => {
  it('replays records and losses as they were recorded, in their order', () => {
    const file = path.join(temporaryDirectory('trace'), 'a.trace');
    write(file, [someRecord(0), someRecord(1), loss, someRecord(2)]);
    const harness = open(file);
    harness.turn();
    expect(harness.records.length).toBe(2);
    expect(harness.losses).toEqual([]);
    harness.turn();
    expect(harness.losses).toEqual([loss]);
    expect(harness.records.length).toBe(2);
    while (!harness.reader.finished) harness.turn();
    expect(harness.records.map(({ name, timeNs, laneSequence }) => [name, timeNs, laneSequence])).toEqual(
      [0, 1, 2].map((index) => [`/work/file${index}`, BigInt(index), BigInt(index + 1)]),
    );
    expect(harness.losses.length).toBe(1);
    expect(harness.host.plan.details.clockOffsetNs).toBe(5n);
    harness.close();
  });

  it('replays an empty trace, and stays finished', () => {
    const file = path.join(temporaryDirectory('trace'), 'a.trace');
    write(file, []);
    const harness = replay(file);
    expect([harness.records.length, harness.losses.length, harness.reader.finished]).toEqual([0, 0, true]);
  });

  it('keeps malformed records as they are', () => {
    const file = path.join(temporaryDirectory('trace'), 'a.trace');
    const recorder = new TraceRecorder({ file, clockOffsetNs: 0n });
    recorder.record(Uint8Array.of(1, 2, 3));
    recorder.close();
    expect(() => replay(file)).toThrow(/kernel record at \d+: length=3/);
  });

  it('loses nothing in a ring that is much smaller than the trace', () => {
    const file = path.join(temporaryDirectory('trace'), 'a.trace');
    generateTrace({ file, records: 20_000, seed: 1 });
    const harness = replay(file, { ringCapacity: 32768 });
    expect(harness.records.length).toBe(20_000);
    const lanes = new Map<number, bigint>();
    for (const { cpu, laneSequence } of harness.records) {
      expect(laneSequence).toBe((lanes.get(cpu) ?? 0n) + 1n);
      lanes.set(cpu, laneSequence);
    }
  });

  it('tells a record that the ring can never hold as lost', () => {
    const file = path.join(temporaryDirectory('trace'), 'a.trace');
    write(file, [someRecord(0), kernelRecord({ path: new Uint8Array(4000).fill(0x2f) }), someRecord(2)]);
    const log: string[] = [];
    const harness = replay(file, { ringCapacity: 4096, log });
    expect(harness.records.length).toBe(2);
    expect(harness.losses).toEqual([{ cause: GAP_CAUSE_RING_FULL, from: 0n, to: 0n, count: 1n }]);
    expect(log[0]).toMatch(/length=4128/);
  });

  it('paces the replay by the recorded times', () => {
    const file = path.join(temporaryDirectory('trace'), 'a.trace');
    const times = [0, 30, 31, 90];
    write(
      file,
      times.map((ms) => ({ ...someRecord(ms), timeNs: 7_000_000_000n + BigInt(ms) * 1_000_000n })),
    );
    const harness = open(file, { speed: 'recorded' });
    const seen: number[] = [];
    const start = performance.now();
    while (!harness.reader.finished && performance.now() - start < 5000) {
      const count = harness.turn();
      for (let each = 0; each < count; each++) seen.push(performance.now() - start);
      if (count === 0) harness.reader.wait(1000);
    }
    harness.close();
    expect(seen.length).toBe(4);
    times.forEach((ms, index) => {
      expect(seen[index]).toBeGreaterThanOrEqual(ms - 0.01);
      expect(seen[index]).toBeLessThan(ms + 60);
    });
  });

  it('ends a wait when the wake-up descriptor is written', requires('koffi'), () => {
    const file = path.join(temporaryDirectory('trace'), 'a.trace');
    write(file, [someRecord(0), { ...someRecord(1), timeNs: 3_600_000_000_000n }]);
    const harness = open(file, { speed: 'recorded' });
    harness.turn();
    fs.writeSync(harness.host.plan.details.wakeFd as number, Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]));
    const start = performance.now();
    harness.reader.wait(10_000);
    expect(performance.now() - start).toBeLessThan(1000);
    harness.close();
  });

  it('leaves out what is not wanted, without inventing gaps, and tells the gaps that were there', () => {
    const file = path.join(temporaryDirectory('trace'), 'a.trace');
    const of = (sequence: number, op: number, pid: number) => kernelRecord({ op, pid, laneSequence: BigInt(sequence) });
    write(file, [of(1, 3, 10), of(2, 4, 10), of(3, 3, 11), of(7, 3, 10), of(8, 4, 10)]);
    const harness = replay(file, { ops: [3], pids: [10] });
    expect(harness.records.map(({ op, pid, laneSequence }) => [op, pid, laneSequence])).toEqual([
      [3, 10, 0n],
      [3, 10, 0n],
    ]);
    expect(harness.losses).toEqual([{ cause: GAP_CAUSE_SOURCE, from: 4n, to: 6n, count: 3n }]);
  });

  it('leaves out in a full ring, too', () => {
    const file = path.join(temporaryDirectory('trace'), 'a.trace');
    generateTrace({ file, records: 5000, seed: 2, lanes: 1 });
    const all = replay(file).records.filter((record) => record.op === layout.KERNEL_OP_FILE_READ);
    const harness = replay(file, { ops: [layout.KERNEL_OP_FILE_READ], ringCapacity: 32768 });
    expect(harness.losses).toEqual([]);
    expect(harness.records.map(({ name, timeNs }) => [name, timeNs])).toEqual(
      all.map(({ name, timeNs }) => [name, timeNs]),
    );
  });

  it('goes on where a reader that died had handed over', () => {
    const file = path.join(temporaryDirectory('trace'), 'a.trace');
    write(
      file,
      Array.from({ length: 10_000 }, (_, index) => someRecord(index)),
    );
    const harness = open(file);
    harness.turn();
    expect(harness.records.length).toBeLessThan(10_000);
    // Not closed: it died.
    harness.reader = openTraceReader(harness.arena, harness.host.plan);
    while (!harness.reader.finished) harness.turn();
    expect(harness.records.map(({ laneSequence }) => Number(laneSequence))).toEqual(
      Array.from({ length: 10_000 }, (_, index) => index + 1),
    );
    harness.close();
  });
});

describe('a damaged trace', () => {
  function place(count = 3): { file: string; bytes: Buffer } {
    const file = path.join(temporaryDirectory('trace'), 'a.trace');
    write(file, [...Array.from({ length: count }, (_, index) => someRecord(index)), loss]);
    return { file, bytes: fs.readFileSync(file) };
  }

  it('that was cut off anywhere is replayed up to there, and says that its end is missing', () => {
    const { file, bytes } = place();
    let records = 0;
    for (let length = TRACE_HEADER_LENGTH; length < bytes.length; length++) {
      fs.writeFileSync(file, bytes.subarray(0, length));
      const log: string[] = [];
      const harness = replay(file, { log });
      expect(harness.losses.at(-1)).toEqual({ cause: GAP_CAUSE_SOURCE, from: 0n, to: 0n, count: 0n });
      expect(log).toHaveLength(1);
      expect(log[0]).toMatch(/cut off (within a frame|without an end) at offset \d+, after \d+ records/);
      expect(harness.records.length).toBeGreaterThanOrEqual(records);
      records = harness.records.length;
    }
    expect(records).toBe(3);
  });

  it('with any bit flipped is refused with the offset, or shows as cut off', () => {
    const { file, bytes } = place();
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      fs.writeFileSync(file, damaged);
      let outcome = '';
      try {
        const log: string[] = [];
        replay(file, { log });
        outcome = log.join();
      } catch (error) {
        outcome = String(error);
      }
      expect(outcome, `byte ${at}`).toMatch(/corrupt at offset \d+: .*\d|cut off within a frame/);
    }
  });

  it('delivers what is whole before the damage', () => {
    const { file, bytes } = place(100);
    const at = bytes.length - END_FRAME_LENGTH - 60;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    fs.writeFileSync(file, bytes);
    const harness = open(file);
    expect(() => {
      for (let turn = 0; turn < 10; turn++) harness.turn();
    }).toThrow(/crc32c=/);
    harness.take();
    expect(harness.records.length).toBe(99);
    harness.close();
  });

  it('that says another count, or goes on behind its end, is refused', () => {
    const { file, bytes } = place();
    fs.writeFileSync(file, Buffer.concat([bytes, bytes.subarray(TRACE_HEADER_LENGTH)]));
    expect(() => replay(file)).toThrow(/something follows the end/);
    // A whole record frame left out.
    const frame = TRACE_FRAME_HEADER_LENGTH + kernelRecordLength(someRecord(0));
    fs.writeFileSync(
      file,
      Buffer.concat([bytes.subarray(0, TRACE_HEADER_LENGTH), bytes.subarray(TRACE_HEADER_LENGTH + frame)]),
    );
    expect(() => replay(file)).toThrow(/the end says records=3, losses=1, but there are records=2/);
  });

  it('of another format or version is refused', () => {
    const { file, bytes } = place();
    fs.writeFileSync(file, 'no trace at all, but long enough to have a header');
    expect(() => open(file)).toThrow(/corrupt at offset 0: magic=/);
    fs.writeFileSync(file, 'short');
    expect(() => open(file)).toThrow(/length=5/);
    const newer = Buffer.from(bytes);
    newer.writeUInt16LE(2, 4);
    newer.writeUInt32LE(crc32c(newer, 0, TRACE_CRC32C_OFFSET), TRACE_CRC32C_OFFSET);
    fs.writeFileSync(file, newer);
    expect(() => open(file)).toThrow(/version=2, expected 1/);
    expect(() => open(`${file}.missing`)).toThrow(expect.objectContaining({ code: 'PATH_MISSING' }));
  });
});

describe('trace recorder', () => {
  it('ends with the last whole frame when the disk is full, and records no more', requires('mount'), () => {
    const directory = temporaryDirectory('full');
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', directory]).status).toBe(0);
    try {
      const file = path.join(directory, 'a.trace');
      const recorder = new TraceRecorder({ file, clockOffsetNs: 0n });
      for (let index = 0; index < 1000; index++) recorder.record(encoded(someRecord(index)));
      expect(() => recorder.flush()).toThrow(/recording ends at \d+ bytes: ENOSPC/);
      expect(() => recorder.record(new Uint8Array(1))).toThrow(/the recording has ended/);
      recorder.close();
      const log: string[] = [];
      const harness = replay(file, { log });
      expect(harness.records.length).toBeGreaterThan(300);
      expect(log[0]).toMatch(/cut off without an end/);
      expect(harness.records.map(({ laneSequence }) => Number(laneSequence))).toEqual(
        harness.records.map((_, index) => index + 1),
      );
    } finally {
      spawnSync('umount', [directory]);
    }
  });

  it('refuses a record that no reader would take', () => {
    const recorder = new TraceRecorder({ file: path.join(temporaryDirectory('trace'), 'a'), clockOffsetNs: 0n });
    expect(() => recorder.record(new Uint8Array(65537))).toThrow(/length=65537, lengthMax=65536/);
    recorder.close();
    recorder.close();
  });

  it('says which file it cannot make', () => {
    expect(() => new TraceRecorder({ file: '/no/such/directory/a', clockOffsetNs: 0n })).toThrow(
      /trace \/no\/such\/directory\/a: ENOENT/,
    );
  });
});

describe('generated traces', () => {
  it('are the same for the same seed, and others for another', () => {
    const directory = temporaryDirectory('generated');
    const digest = (name: string, seed: number) => {
      const file = path.join(directory, name);
      generateTrace({ file, records: 5000, seed });
      return createHash('sha256').update(fs.readFileSync(file)).digest('hex');
    };
    expect(digest('a', 7)).toBe(digest('b', 7));
    expect(digest('c', 7)).not.toBe(digest('d', 8));
  });

  it('hold a mix of operations on files that are there', () => {
    const generator = new TraceGenerator({ seed: 3 });
    const ops = new Map<number, number>();
    const living = new Set<string>();
    let lastNs = 0n;
    for (let count = 0; count < 30_000; count++) {
      const record = generator.next();
      expect(record.timeNs).toBeGreaterThan(lastNs);
      lastNs = record.timeNs;
      const name = Buffer.from(record.path).toString();
      ops.set(record.op, (ops.get(record.op) ?? 0) + 1);
      if (record.op === layout.KERNEL_OP_FILE_CREATE) living.add(name);
      if (record.op === layout.KERNEL_OP_FILE_RENAME) {
        expect(living.delete(name)).toBe(true);
        living.add(Buffer.from(record.path2).toString());
      }
      if (record.op === layout.KERNEL_OP_FILE_DELETE) expect(living.delete(name)).toBe(true);
    }
    expect(ops.size).toBeGreaterThan(12);
  });
});
