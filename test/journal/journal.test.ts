import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { openBench, readAllOf } from './support.ts';
import { MODES } from './support-modes.ts';

describe.each(MODES)('journal ($mode)', ({ mapped }) => {
  it('gives sequences 1, 2, 3 and shows the events to a reader as they were appended', () => {
    const bench = openBench(undefined, { mapped });
    expect(bench.appender.append({ type: 'fs.write', path: '/a', pid: 7 })).toBe(1n);
    expect(bench.appender.append({ type: 'fs.rename', path: '/a', path2: '/b', payload: Buffer.from([1, 2, 3]) })).toBe(
      2n,
    );
    const events = readAllOf(bench.tail('start'));
    expect(events).toMatchObject([
      { type: 'fs.write', sequence: 1n, lamport: 1n, path: '/a', pid: 7 },
      { type: 'fs.rename', sequence: 2n, path: '/a', path2: '/b', payload: Uint8Array.of(1, 2, 3) },
    ]);
    bench.close();
  });

  it('rotates through segments without losing or doubling anything, for readers in front and far behind', () => {
    const bench = openBench(temporaryDirectory(), { mapped });
    const front = bench.tail('start');
    const behind = bench.tail('start');
    const seen: bigint[] = [];
    for (let n = 1; n <= 5000; n++) {
      bench.appender.append({ type: 'fs.write', path: `/directory/file-${n}` });
      if (n % 100 === 0) for (const item of readAllOf(front)) seen.push(item.sequence);
    }
    const wanted = Array.from({ length: 5000 }, (_, n) => BigInt(n + 1));
    expect(seen).toEqual(wanted);
    expect(readAllOf(behind).map((item) => item.sequence)).toEqual(wanted);
    expect(readAllOf(bench.tail(1234n)).map((item) => item.sequence)).toEqual(wanted.slice(1233));
    expect(readAllOf(bench.tail('now'))).toEqual([]);
    bench.close();
  });

  it('goes on after close with the next sequence and a new epoch', () => {
    const directory = temporaryDirectory();
    for (let epoch = 1; epoch <= 3; epoch++) {
      const bench = openBench(directory, { mapped });
      expect(bench.journal.plan.epoch).toBe(BigInt(epoch));
      expect(bench.journal.recovery).toMatchObject({ tornTail: undefined, holes: [] });
      expect(bench.appender.append({ type: 'fs.write', path: `/epoch/${epoch}` })).toBe(BigInt(epoch));
      expect(readAllOf(bench.tail('start'))).toHaveLength(epoch);
      bench.close();
    }
    // The lock's file stays, empty, where flock(2) holds it.
    expect(fs.readdirSync(directory).filter((name) => name !== 'lock')).toEqual([
      '000000000000.segment',
      '000000000001.segment',
      '000000000002.segment',
      'journal.json',
    ]);
    expect(fs.statSync(directory).mode & 0o777).toBe(0o700);
    expect(fs.statSync(path.join(directory, '000000000000.segment')).mode & 0o777).toBe(0o600);
  });
});
