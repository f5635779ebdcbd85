import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../support/seed.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { openBench, readAllOf, SEGMENT_LENGTH } from './support.ts';
import { MODES } from './support-modes.ts';

describe.each(MODES)('append log against an array ($mode)', ({ mapped }) => {
  it('holds what was appended, in order, for readers of every speed', () => {
    const operation = fc.oneof(
      { weight: 20, arbitrary: fc.record({ op: fc.constant('append'), size: fc.nat(6000) }) },
      { weight: 4, arbitrary: fc.record({ op: fc.constant('read'), size: fc.nat(40) }) },
      { weight: 1, arbitrary: fc.record({ op: fc.constant('open'), size: fc.nat(100) }) },
      { weight: 1, arbitrary: fc.record({ op: fc.constant('work'), size: fc.constant(0) }) },
    );
    fc.assert(
      fc.property(fc.array(operation, { minLength: 50, maxLength: 400 }), (operations) => {
        const bench = openBench(undefined, { mapped });
        const model: number[] = [];
        const readers = [{ tail: bench.tail('start'), at: 0 }];
        try {
          for (const { op, size } of operations) {
            if (op === 'append') {
              const sequence = bench.appender.append({ type: 'fs.write', payload: Buffer.alloc(size, size) });
              model.push(size);
              expect(sequence).toBe(BigInt(model.length));
            } else if (op === 'work') {
              bench.sync.doWork();
            } else if (op === 'open') {
              const wanted = BigInt(Math.floor((model.length * size) / 100) + 1);
              const tail = bench.tail(wanted);
              // What no reader needed any more is gone, and it says how much.
              expect(tail.position - tail.missed).toBe(wanted);
              readers.push({ tail, at: Number(tail.position) - 1 });
            } else {
              for (const reader of readers) {
                reader.tail.readBatch(size, (decoder, at, length) => {
                  const event = decoder.item(at, length);
                  expect(event).toMatchObject({ type: 'fs.write', sequence: BigInt(reader.at + 1) });
                  expect((event as { payload?: Uint8Array }).payload?.length ?? 0).toBe(model[reader.at]);
                  reader.at += 1;
                });
              }
            }
          }
          for (const reader of readers) {
            reader.at += readAllOf(reader.tail).length;
            expect(reader.at).toBe(model.length);
          }
        } finally {
          bench.close();
        }
      }),
      { numRuns: 20, endOnFailure: true },
    );
  });

  it('fills a segment to its last byte, and leaves less than a header as zeros', () => {
    for (const rest of [0, 8, 136, 144, 152]) {
      const bench = openBench(undefined, { mapped });
      // Header, then entries of 160 bytes, then one that leaves exactly `rest`.
      const room = SEGMENT_LENGTH - 4096;
      let left = room;
      let count = 0n;
      while (left - 160 - rest >= 1000) {
        bench.appender.append({ type: 'fs.write', payload: Buffer.alloc(16) });
        left -= 160;
        count += 1n;
      }
      bench.appender.append({ type: 'fs.write', payload: Buffer.alloc(left - rest - 144) });
      for (let n = 0; n < 10; n++) bench.appender.append({ type: 'fs.write', path: '/x' });
      const sequences = readAllOf(bench.tail('start')).map((item) => item.sequence);
      expect(sequences).toEqual(Array.from({ length: Number(count) + 11 }, (_, n) => BigInt(n + 1)));
      bench.close();
    }
  });

  it('refuses an event longer than a segment, and takes one that just fits', () => {
    const bench = openBench(undefined, { mapped });
    const room = SEGMENT_LENGTH - 4096 - 144;
    expect(() => bench.appender.append({ type: 'fs.write', payload: Buffer.alloc(room + 1) })).toThrow(
      expect.objectContaining({ code: 'RECORD_TOO_LONG' }),
    );
    bench.appender.append({ type: 'fs.write', payload: Buffer.alloc(room) });
    bench.appender.append({ type: 'fs.write', payload: Buffer.alloc(room) });
    expect(readAllOf(bench.tail('start')).map((item) => item.sequence)).toEqual([1n, 2n]);
    bench.close();
  });

  it('answers ROTATING until the sync worker has prepared the next segment', () => {
    const bench = openBench(undefined, { mapped });
    const STATUS_ROTATING = -5;
    let claimed = 0;
    let answer = 0;
    while (answer !== STATUS_ROTATING) {
      answer = bench.wasm.journalReserve(60_000);
      if (answer > 0) {
        claimed += 1;
        bench.wasm.journalCommit(answer);
      }
    }
    // The first segment, and the second that open() prepared.
    expect(claimed).toBe(2);
    expect(bench.wasm.journalReserve(144)).toBe(STATUS_ROTATING);
    bench.sync.doWork();
    expect(bench.wasm.journalReserve(144)).toBeGreaterThan(0);
  });
});

describe.each(MODES)('append log under threads ($mode)', ({ mapped }) => {
  // Workers run plain JavaScript on every Node: they use the wasm exports, and the main thread is the sync worker.
  const script = fileURLToPath(new URL('./append.worker.mjs', import.meta.url));

  it('gives four appending threads contiguous sequences, nothing lost, doubled or torn, over many rotations', async () => {
    const threads = 4;
    const each = 12_000;
    const bench = openBench(temporaryDirectory(), { mapped });
    const random = seededRandom(7);
    const workers = Array.from({ length: threads }, (_, thread) => {
      const workerData = { memory: bench.arena.memory, thread, each, seed: Math.floor(random() * 2 ** 32) };
      return new Worker(script, { workerData });
    });
    let running = threads;
    const failures: unknown[] = [];
    for (const worker of workers) {
      worker.on('error', (error) => failures.push(error));
      worker.on('exit', () => {
        running -= 1;
      });
    }
    const tail = bench.tail('start');
    const next = new Array(threads).fill(0);
    let expected = 0n;
    const check: Parameters<typeof tail.readBatch>[1] = (decoder, at, length) => {
      expected += 1n;
      const event = decoder.item(at, length) as { sequence: bigint; pid?: number; size?: bigint; payload?: Uint8Array };
      if (event.sequence !== expected) throw new Error(`sequence=${event.sequence}, expected ${expected}`);
      const thread = (event.pid as number) - 1;
      if (Number(event.size) !== next[thread] + 1)
        throw new Error(`thread ${thread}: ${event.size} after ${next[thread]}`);
      next[thread] += 1;
      const fill = event.payload?.[0];
      if (event.payload?.some((byte) => byte !== fill)) throw new Error(`torn payload at sequence=${event.sequence}`);
    };
    while (running > 0 || tail.hasMore()) {
      bench.sync.doWork();
      tail.readBatch(1000, check);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(failures).toEqual([]);
    expect(expected).toBe(BigInt(threads * each));
    expect(next).toEqual(new Array(threads).fill(each));
    expect(bench.journal.stats().segments).toBeGreaterThan(20);
    bench.close();
  }, 120_000);
});
