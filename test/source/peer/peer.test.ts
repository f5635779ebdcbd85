// Producers in C and TypeScript against a real engine: what they wrote arrives, whole, in order, and what did not fit is told exactly.

import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ARENA_ABI_VERSION_OFFSET, ARENA_LAYOUT_HASH_OFFSET, ARENA_MAGIC_OFFSET } from '../../../layout/arena.ts';
import {
  KERNEL_FLAG_DIRECTORY,
  KERNEL_FLAG_PATH_BY_NAME,
  KERNEL_FLAG_PATH_DELETED,
  KERNEL_OP_FILE_CREATE,
  KERNEL_OP_FILE_RENAME,
  KERNEL_OP_FILE_WRITE,
  KERNEL_VARIANT_RENAMEAT2,
  KERNEL_VARIANT_WRITE,
} from '../../../layout/kernel-record.ts';
import { encodeKernelRecord, kernelRecord, kernelRecordLength } from '../../../src/event/kernel-record.ts';
import { PeerProducer } from '../../../src/source/peer/producer.ts';
import { isEvent, isGap, openEngine, readAll } from '../../engine/support.ts';
import { requires } from '../../support/capabilities.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { compile, handleOf, isWhole, peersOf, run, start, until } from './support.ts';

const CAPACITY = 65536;

function shmPath(): string {
  // Where anybody may make a file; it is gone with the engine.
  return path.join(temporaryDirectory('peer'), 'arena');
}

describe('a producer in C', requires('koffi', 'cc'), () => {
  test('writes the same bytes as the codec in TypeScript', () => {
    const record = kernelRecord({
      op: KERNEL_OP_FILE_RENAME,
      variant: KERNEL_VARIANT_RENAMEAT2,
      flags: KERNEL_FLAG_PATH_DELETED | KERNEL_FLAG_DIRECTORY,
      cpu: 5,
      timeNs: 0x1112131415161718n,
      durationNs: 0x2122232425262728n,
      laneSequence: 0x3132333435363738n,
      inode: 0x8182838485868788n,
      device: 0x4142434445464748n,
      size: 0x5152535455565758n,
      amount: -2n,
      argument: 0x6162636465666768n,
      pid: 0x71727374,
      tid: 0x75767778,
      uid: 0x91929394,
      gid: 0x95969798,
      error: 17,
      mode: 0x81a4,
      submitDelayNs: 0xa1a2a3a4,
      comm: Buffer.from('sixteen-letters-'),
      path: Buffer.from('/golden'),
      path2: Buffer.from('/golden2\xff', 'latin1'),
    });
    const bytes = new Uint8Array(kernelRecordLength(record));
    encodeKernelRecord(record, bytes, 0);
    expect(run(compile('encode')).stdout).toBe(Buffer.from(bytes).toString('hex'));
  });

  test('tells what it does in a directory, and the engine what it was told', async () => {
    const engine = await openEngine({ source: { peer: true }, ringCapacity: CAPACITY });
    const directory = temporaryDirectory('work');
    expect(run(compile('producer'), handleOf(engine), directory, 100)).toEqual({ status: 0, stdout: '', stderr: '' });
    const events = (await readAll(engine)).filter(isEvent);
    expect(events.map(({ type }) => type)).toEqual(
      Array.from({ length: 100 }, () => ['fs.create', 'fs.write', 'fs.rename']).flat(),
    );
    const status = fs.statSync(path.join(directory, 'renamed-7'), { bigint: true });
    expect(events[7 * 3 + 2]).toMatchObject({
      path: path.join(directory, 'file-7'),
      path2: path.join(directory, 'renamed-7'),
      comm: 'producer',
      call: 'rename',
      inode: status.ino,
      device: status.dev,
      size: status.size,
      uid: process.geteuid?.(),
    });
    expect(peersOf(engine)).toMatchObject([{ lane: 0, state: 'free', records: 300n, dropped: 0n }]);
  });

  test.each<['cc' | 'c++', number]>([
    ['cc', 64],
    ['c++', 1],
  ])(
    'compiled with %s, in batches of %d: everything arrives, whole and in order, around the ring many times',
    async (compiler, batch) => {
      const engine = await openEngine({ source: { peer: true }, ringCapacity: CAPACITY });
      const answer = run(compile('storm', compiler), handleOf(engine), 20_000, batch, 'wait');
      expect(answer).toMatchObject({ status: 0, stderr: '', stdout: '{"accepted":20000,"dropped":0}\n' });
      const events = (await readAll(engine)).filter(isEvent);
      expect(events.map(({ size }) => size)).toEqual(Array.from({ length: 20_000 }, (_, index) => BigInt(index + 1)));
      expect(events.every(isWhole)).toBe(true);
      expect(engine.stats().ingest).toMatchObject({ delivered: 20_000n, lost: 0n, malformed: 0n, duplicate: 0n });
    },
  );

  test('that finds the ring full drops, and every record that is missing is in a gap', async () => {
    const engine = await openEngine({ source: { peer: true }, ringCapacity: 4096 });
    const answer = run(compile('storm'), handleOf(engine), 50_000, 16, 'drop');
    const { accepted, dropped } = JSON.parse(answer.stdout) as { accepted: number; dropped: number };
    expect(accepted + dropped).toBe(50_000);
    expect(dropped).toBeGreaterThan(0);
    const items = await readAll(engine);
    let next = 1n;
    for (const item of items) {
      if (isGap(item)) {
        expect(item).toMatchObject({ cause: 'ringFull', from: next, cpu: 0 });
        next = (item.to ?? 0n) + 1n;
      } else if (isEvent(item)) {
        expect(item.size).toBe(next);
        expect(isWhole(item)).toBe(true);
        next += 1n;
      }
    }
    // Also those at the very end, which no later record shows.
    expect(next).toBe(50_001n);
    const { ingest, source } = engine.stats();
    expect(ingest).toMatchObject({ delivered: BigInt(accepted), lost: BigInt(dropped) });
    expect(source).toMatchObject({ produced: 50_000n, dropped: { ringFull: BigInt(dropped) } });
  });

  test('is one of several, each with a ring and an arena of its own, by name', async () => {
    const file = shmPath();
    const engine = await openEngine({ source: { peer: file, producers: 3 }, ringCapacity: CAPACITY });
    expect(peersOf(engine).map(({ handle }) => handle)).toEqual([`${file}.0`, `${file}.1`, `${file}.2`]);
    const program = compile('storm');
    const producers = [0, 1, 2].map((lane) => start(program, `${file}.${lane}`, 5000, 32, 'wait'));
    await Promise.all(producers.map(({ ended }) => ended));
    const events = (await readAll(engine)).filter(isEvent);
    for (const lane of [0, 1, 2]) {
      const own = events.filter(({ cpu }) => cpu === lane);
      expect(own.map(({ size }) => size)).toEqual(Array.from({ length: 5000 }, (_, index) => BigInt(index + 1)));
      expect(own.every(isWhole)).toBe(true);
    }
    await engine.close();
    expect(fs.readdirSync(path.dirname(file))).toEqual([]);
  });

  test('wakes a sleeping engine; so do the engine itself and the end', async () => {
    const engine = await openEngine({ source: { peer: true, producers: 2 }, ringCapacity: CAPACITY });
    const producer = PeerProducer.open(handleOf(engine, 1));
    const tookMs: number[] = [];
    for (let round = 1n; round <= 20n; round++) {
      // Long enough to be asleep; the sleep itself lasts 200 ms.
      await new Promise((resolve) => setTimeout(resolve, 15));
      const started = performance.now();
      producer.write(
        kernelRecord({ op: KERNEL_OP_FILE_WRITE, timeNs: process.hrtime.bigint(), path: Buffer.from('/x') }),
      );
      producer.publish();
      await until(() => engine.stats().ingest.delivered === round);
      tookMs.push(performance.now() - started);
    }
    producer.close();
    // A wake-up that is missed takes what is left of 200 ms.
    expect(tookMs.sort((a, b) => a - b)[10]).toBeLessThan(100);
    const { p50Ns, maxNs } = engine.stats().latency.all;
    console.info(`peer: from a record's time to wasm, engine parked, 20 records: p50 ${p50Ns} ns, max ${maxNs} ns`);
    const started = performance.now();
    await engine.sync();
    expect(performance.now() - started).toBeLessThan(150);
  });
});

describe('a producer is refused', requires('koffi', 'cc'), () => {
  test('while another one lives, in C as in TypeScript, and not when that has left', async () => {
    const engine = await openEngine({ source: { peer: true }, ringCapacity: CAPACITY });
    const handle = handleOf(engine);
    const storm = compile('storm');
    const first = PeerProducer.open(handle);
    expect(peersOf(engine)).toMatchObject([{ state: 'attached', pid: process.pid }]);
    expect(() => PeerProducer.open(handle)).toThrow(expect.objectContaining({ code: 'RING_TAKEN' }));
    const refused = run(storm, handle, 1, 1, 'wait');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/the ring has a producer: thread=\d+/);
    first.close();
    expect(run(storm, handle, 1, 1, 'wait').status).toBe(0);
    PeerProducer.open(handle).close();
  });

  test.each<[string, (header: Buffer) => void, number, RegExp]>([
    ['another magic', (header) => header.writeUInt32LE(7, ARENA_MAGIC_OFFSET), 5, /magic=7, expected/],
    ['another version', (header) => header.writeUInt32LE(99, ARENA_ABI_VERSION_OFFSET), 3, /abiVersion=99, expected/],
    ['another layout', (header) => header.writeUInt32LE(1, ARENA_LAYOUT_HASH_OFFSET), 3, /layoutHash=1, expected/],
  ])('by an arena of %s', async (_what, change, status, message) => {
    const file = shmPath();
    await openEngine({ source: { peer: file }, ringCapacity: CAPACITY });
    const copy = `${file}.copy`;
    const bytes = fs.readFileSync(file);
    change(bytes);
    fs.writeFileSync(copy, bytes, { mode: 0o600 });
    const answer = run(compile('storm'), copy, 1, 1, 'wait');
    expect(answer.stderr).toMatch(message);
    expect(answer.status).toBe(status);
    expect(() => PeerProducer.open(copy)).toThrow(expect.objectContaining({ exitCode: status }));
  });

  test('by a file that could shrink, that others may write, that is cut short, that is missing', async () => {
    const file = shmPath();
    await openEngine({ source: { peer: file }, ringCapacity: CAPACITY });
    const storm = compile('storm');
    const copy = `${file}.copy`;
    fs.copyFileSync(file, copy);
    fs.chmodSync(copy, 0o600);
    const fd = fs.openSync(copy, 'r+');
    const unsealed = run(storm, `/proc/${process.pid}/fd/${fd}`, 1, 1, 'wait');
    expect(unsealed).toMatchObject({ status: 5, stderr: expect.stringContaining('not sealed') });
    fs.chmodSync(copy, 0o622);
    expect(run(storm, copy, 1, 1, 'wait')).toMatchObject({ status: 4, stderr: expect.stringContaining('mode=622') });
    fs.chmodSync(copy, 0o600);
    fs.ftruncateSync(fd, 70_000);
    expect(run(storm, copy, 1, 1, 'wait')).toMatchObject({
      status: 5,
      stderr: expect.stringContaining('length=70000'),
    });
    fs.closeSync(fd);
    expect(run(storm, `${file}.none`, 1, 1, 'wait')).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('.none'),
    });
  });
});

describe('a producer in TypeScript', requires('koffi'), () => {
  test('gives paths as they are: they are not looked up', async () => {
    const engine = await openEngine({ source: { peer: true }, ringCapacity: CAPACITY });
    using producer = PeerProducer.open(handleOf(engine));
    const flags = KERNEL_FLAG_PATH_BY_NAME;
    producer.write(kernelRecord({ op: KERNEL_OP_FILE_CREATE, flags, path: Buffer.from('/proc/self/../x') }));
    producer.publish();
    expect(await readAll(engine)).toMatchObject([{ type: 'fs.create', path: '/proc/self/../x' }]);
  });

  test('is filtered by operation and process, and what is left out is no gap', async () => {
    const filter = { types: ['fs.write'], pids: [7, 8] };
    const engine = await openEngine({ source: { peer: true }, ringCapacity: CAPACITY, filter });
    using producer = PeerProducer.open(handleOf(engine));
    for (const pid of [6, 7, 8, 9]) {
      for (const op of [KERNEL_OP_FILE_CREATE, KERNEL_OP_FILE_WRITE]) {
        producer.write(kernelRecord({ op, variant: KERNEL_VARIANT_WRITE, pid, path: Buffer.from(`/${pid}`) }));
      }
    }
    producer.publish();
    const items = await readAll(engine);
    expect(items.map((item) => [item.type, item.path])).toEqual([
      ['fs.write', '/7'],
      ['fs.write', '/8'],
    ]);
    expect(engine.stats().ingest).toMatchObject({ delivered: 2n, filtered: 6n, lost: 0n, gaps: 0n });
  });

  test('waits for room, and says when nobody listens', async () => {
    const engine = await openEngine({ source: { peer: true }, ringCapacity: 4096 });
    const producer = PeerProducer.open(handleOf(engine));
    const record = kernelRecord({ op: KERNEL_OP_FILE_WRITE, path: Buffer.alloc(1000, '/') });
    let written = 0;
    for (; written < 500; written++) {
      while (!producer.offer(record)) expect(producer.waitForRoom(kernelRecordLength(record), 5000)).toBe(true);
    }
    producer.publish();
    expect((await readAll(engine)).filter(isEvent)).toHaveLength(500);
    expect(producer.isHeard).toBe(true);
    expect(() => producer.offer(kernelRecord({ path: Buffer.alloc(3000, '/') }))).toThrow(/length=3128/);
    await engine.close();
    expect(producer.isHeard).toBe(false);
    producer.close();
  });

  test('survives an ingest worker that is replaced: nothing lost, nothing twice', async () => {
    const engine = await openEngine({ source: { peer: true }, ringCapacity: CAPACITY });
    using producer = PeerProducer.open(handleOf(engine));
    for (let number = 1; number <= 3000; number++) {
      const record = kernelRecord({ op: KERNEL_OP_FILE_WRITE, size: BigInt(number), path: Buffer.from('/x') });
      // This thread must not block: it is the one that replaces the worker.
      while (!producer.offer(record)) await new Promise((resolve) => setTimeout(resolve, 1));
      if (number % 10 === 0) producer.publish();
      if (number % 700 === 350) {
        void engine
          .threads()
          .find(({ name }) => name === 'ingest')
          ?.terminate();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    producer.publish();
    const events = (await readAll(engine)).filter(isEvent);
    expect(events.map(({ size }) => Number(size))).toEqual(Array.from({ length: 3000 }, (_, index) => index + 1));
    expect(engine.stats().ingest.lost).toBe(0n);
  });
});
