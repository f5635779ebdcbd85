// The NDJSON lines: what scripts rely on.

import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { itemLine, jsonLine } from '../../src/cli/json.ts';
import type { Event } from '../../src/engine/types.ts';

const EVENT: Event = {
  type: 'fs.rename',
  sequence: 7n,
  lamport: 9n,
  timeNs: 1_790_000_000_123_456_789n,
  path: '/tmp/a "quoted"\nname',
  path2: '/tmp/b',
  pid: 42,
  comm: 'mv',
};

function parse(line: string): { type: string; data: Record<string, unknown> } {
  expect(line.endsWith('\n')).toBe(true);
  expect(line.indexOf('\n')).toBe(line.length - 1);
  return JSON.parse(line);
}

describe('events', () => {
  it('always have the eight fields that everybody needs, null where there is nothing', () => {
    expect(parse(itemLine({ type: 'fs.create', sequence: 1n, lamport: 1n, timeNs: 0n }))).toEqual({
      type: 'event',
      data: {
        sequence: 1,
        type: 'fs.create',
        path: null,
        path2: null,
        pid: null,
        comm: null,
        error: null,
        time: '1970-01-01T00:00:00.000000000Z',
        lamport: 1,
      },
    });
  });

  it('keep file names, however strange, on one line', () => {
    const { data } = parse(itemLine({ ...EVENT, error: 'ENOENT' }));
    expect(data).toMatchObject({
      path: EVENT.path,
      path2: '/tmp/b',
      error: 'ENOENT',
      time: '2026-09-21T14:13:20.123456789Z',
    });
  });

  it('write integers that a double cannot hold as text', () => {
    const { data } = parse(
      itemLine({ ...EVENT, inode: 2n ** 53n - 1n, device: 2n ** 53n, amount: -1n, size: 2n ** 64n - 1n }),
    );
    expect(data).toMatchObject({
      inode: 9007199254740991,
      device: '9007199254740992',
      amount: -1,
      size: '18446744073709551615',
    });
  });

  it('carry bytes as base64', () => {
    const { data } = parse(itemLine({ ...EVENT, pathBytes: Uint8Array.of(47, 255), payload: Uint8Array.of(1, 2, 3) }));
    expect(data).toMatchObject({ pathBytes: 'L/8=', payload: 'AQID' });
  });

  test.prop([fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), fc.bigInt(0n, 2n ** 64n - 1n)])(
    'written by hand say the same as JSON.stringify would',
    (path, comm, size) => {
      const { data } = parse(
        itemLine({ ...EVENT, path, comm, size, durationNs: 5n, mode: 420, cpu: 1, notes: ['directory'] }),
      );
      const plain = Number.isSafeInteger(Number(size)) ? Number(size) : String(size);
      expect(data).toMatchObject({ path, comm, size: plain, durationNs: 5, mode: 420, cpu: 1, notes: ['directory'] });
    },
  );
});

describe('other lines', () => {
  it('say how much was lost, and null when nobody knows', () => {
    const gap = { type: 'gap', sequence: 3n, timeNs: 0n, cause: 'ringFull' } as const;
    expect(parse(itemLine({ ...gap, count: 12n, from: 5n, to: 16n }))).toEqual({
      type: 'gap',
      data: { sequence: 3, cause: 'ringFull', count: 12, from: 5, to: 16, time: '1970-01-01T00:00:00.000000000Z' },
    });
    expect(parse(itemLine(gap)).data.count).toBeNull();
  });

  it('say when the past has been told', () => {
    expect(parse(itemLine({ type: 'caughtUp', sequence: 8n }))).toEqual({ type: 'caughtUp', data: { sequence: 8 } });
  });

  it('take big integers in a summary', () => {
    expect(parse(jsonLine('summary', { seen: 5n, most: 2n ** 63n }))).toEqual({
      type: 'summary',
      data: { seen: 5, most: '9223372036854775808' },
    });
  });
});
