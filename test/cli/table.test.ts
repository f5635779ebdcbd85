// The live table and the plain lines: rows and counters in, text out.

import { stripVTControlCharacters } from 'node:util';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { colourPaint, plainPaint, wantsColour } from '../../src/cli/style.ts';
import { appendRow, plainLine, type Row, rowOf } from '../../src/cli/watch/rows.ts';
import {
  type Counters,
  type Frame,
  renderFrame,
  rowsVisible,
  shortenLeft,
  shortenRight,
  sparkline,
} from '../../src/cli/watch/table.ts';
import type { Event } from '../../src/engine/types.ts';

const identity = (text: string): string => text;

function event(change: Partial<Event> = {}): Event {
  return {
    type: 'fs.write',
    sequence: 1n,
    lamport: 1n,
    timeNs: 1_790_000_000_000_000_000n,
    path: '/w/a.txt',
    pid: 42,
    comm: 'vim',
    ...change,
  };
}

function row(change: Partial<Event> = {}): Row {
  const made = rowOf(event(change), identity);
  if (made === undefined) throw new Error('no row');
  return made;
}

const COUNTERS: Counters = {
  seen: 12_345n,
  perSecond: 120.4,
  lost: 0n,
  lostUnknown: false,
  bytes: 4_200_000n,
  seconds: 75,
  latency: { count: 100, p50Ns: 5100, p99Ns: 2_100_000, maxNs: 31_000_000 },
  latencySpinning: { count: 80, p50Ns: 184, p99Ns: 2100, maxNs: 31_000 },
  history: [1, 5, 3, 8],
};

function frame(change: Partial<Frame> = {}): Frame {
  return {
    width: 80,
    height: 24,
    rows: [],
    counters: COUNTERS,
    title: '/srv/app',
    source: 'ebpf: tracepoints',
    hint: 'Ctrl-C to end',
    paint: plainPaint,
    ...change,
  };
}

const AWKWARD = [
  row(),
  row({ type: 'fs.rename', path: `/w/${'deep/'.repeat(40)}old.txt`, path2: '/w/new.txt', error: 'ENOENT' }),
  row({ path: '/w/世界/世界世界世界世界世界世界世界世界世界世界.txt', comm: '世界世界世界世界' }),
  row({ path: '/w/\x1b[31mred\nname' }),
  row({
    pid: 4_194_304,
    comm: 'a-long-command-x',
    type: 'system.checkpoint',
    durationNs: 123_456n,
    amount: 10n ** 12n,
  }),
];

describe('the frame', () => {
  it.each([
    [40, 10],
    [60, 24],
    [80, 24],
    [100, 30],
    [220, 50],
  ])('fits a terminal of %s x %s, whatever the rows say', (width, height) => {
    for (const paint of [plainPaint, colourPaint]) {
      const lines = renderFrame(frame({ width, height, rows: AWKWARD, paint })).split('\n');
      expect(lines).toHaveLength(Math.max(height - 1, 7));
      for (const line of lines) expect(stringWidth(line), line).toBeLessThanOrEqual(width);
    }
  });

  it('shows the newest rows and the counters', () => {
    const rows = Array.from({ length: 100 }, (_, index) => row({ path: `/w/file-${index}` }));
    const text = renderFrame(frame({ rows }));
    expect(text).toContain('/w/file-99');
    expect(text).not.toContain('/w/file-80 ');
    expect(text).toContain('seen 12,345   120/s   lost 0   4.2 MB');
    expect(text).toContain('kernel to wasm  p50 5.1 µs  p99 2.1 ms  max 31.0 ms   spinning p50 184 ns');
    expect(renderFrame(frame({ rows, width: 140 }))).toMatch(
      /wasm {2}p50 5\.1 µs .* spinning p50 184 ns {2}p99 2\.1 µs {2}max 31\.0 µs/,
    );
    expect(text).toMatch(/1:15 *$/m);
  });

  it('says that something was lost, in red, even where nobody knows how much', () => {
    expect(renderFrame(frame({ counters: { ...COUNTERS, lost: 5n }, paint: colourPaint }))).toContain(
      '\x1b[31mlost 5\x1b[39m',
    );
    expect(renderFrame(frame({ counters: { ...COUNTERS, lostUnknown: true } }))).toContain('lost 0 or more');
  });

  it('keeps the ends of both paths of a rename', () => {
    const text = renderFrame(frame({ rows: [AWKWARD[1] as Row] }));
    expect(text).toMatch(/…\S*old\.txt → /);
    expect(text).toMatch(/new\.txt ENOENT/);
  });

  it('says what is missing before the first event and the first measurement', () => {
    const text = renderFrame(frame({ counters: { ...COUNTERS, latency: { count: 0, p50Ns: 0, p99Ns: 0, maxNs: 0 } } }));
    expect(text).toContain('waiting for the first event');
    expect(text).toContain('nothing measured yet');
  });

  it('leaves room for at least one row', () => {
    expect([rowsVisible(24), rowsVisible(3)]).toEqual([17, 1]);
  });
});

describe('rows', () => {
  it('count repeated writes instead of filling the table', () => {
    const rows: Row[] = [];
    for (let index = 0; index < 5; index++) appendRow(rows, row({ amount: 1000n, durationNs: 10n }), 10);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ count: 5, detail: '5.0 kB', tookNs: 50n });
  });

  it('count the writes of two files in turn in two rows', () => {
    const rows: Row[] = [];
    for (let index = 0; index < 6; index++) appendRow(rows, row({ path: `/w/${index % 2}` }), 10);
    expect(rows.map(({ count }) => count)).toEqual([3, 3]);
  });

  it('never count a create or delete over what came in between', () => {
    const rows: Row[] = [];
    for (const type of ['fs.create', 'fs.delete', 'fs.create', 'fs.delete'] as const)
      appendRow(rows, row({ type }), 10);
    expect(rows.map(({ type }) => type)).toEqual(['fs.create', 'fs.delete', 'fs.create', 'fs.delete']);
  });

  it('keep no more than asked', () => {
    const rows: Row[] = [];
    for (let index = 0; index < 20; index++) appendRow(rows, row({ path: `/w/${index}` }), 10);
    expect(rows).toHaveLength(10);
    expect(rows.at(-1)?.path).toBe('/w/19');
  });

  it('show a gap as what it is', () => {
    const gap = rowOf({ type: 'gap', sequence: 1n, timeNs: 0n, cause: 'ringFull', count: 1200n }, identity);
    expect(gap).toMatchObject({ type: 'gap', path: '1,200 events lost here', error: 'ringFull' });
  });
});

describe('plain lines', () => {
  it('hold one event each', () => {
    const line = plainLine(event({ type: 'fs.rename', path2: '/w/b\n.txt', error: 'EACCES', durationNs: 2500n }), {
      shorten: identity,
      paint: plainPaint,
    });
    expect(line).toMatch(
      /^\d\d:\d\d:\d\d\.\d{6} {6}42 vim {13}fs\.rename {4}\/w\/a\.txt -> \/w\/b\\n\.txt {2}EACCES {2}2\.5 µs\n$/,
    );
  });

  it('are not made for caughtUp', () => {
    expect(plainLine({ type: 'caughtUp', sequence: 1n }, { shorten: identity, paint: plainPaint })).toBeUndefined();
  });

  it('mark what the source could not know', () => {
    const { pid: _pid, comm: _comm, ...unknown } = event();
    expect(plainLine(unknown, { shorten: identity, paint: plainPaint })).toContain(' ? ');
  });
});

describe('text', () => {
  it('is cut at the end that says less', () => {
    expect([
      shortenLeft('abcdef', 4),
      shortenLeft('abc', 3),
      shortenRight('abcdef', 4),
      shortenRight('abc', 3),
    ]).toEqual(['…def', 'abc', 'abc…', 'abc']);
    expect(stringWidth(shortenLeft('世界世界', 5))).toBeLessThanOrEqual(5);
  });

  it('draws the last seconds as bars', () => {
    expect(sparkline([0, 1, 2, 4], 10)).toBe('▁▃▅█');
    expect([sparkline([], 10), sparkline([1, 2], 0), sparkline([0, 0, 0], 2)]).toEqual(['', '', '▁▁']);
  });

  it('is coloured on a terminal only, and never with NO_COLOR', () => {
    const terminal = { isTTY: true };
    expect(wantsColour(terminal, { TERM: 'xterm' })).toBe(true);
    expect(wantsColour(terminal, { TERM: 'xterm', NO_COLOR: '1' })).toBe(false);
    expect(wantsColour(terminal, { TERM: 'dumb' })).toBe(false);
    expect(wantsColour({}, { TERM: 'xterm' })).toBe(false);
    expect(stripVTControlCharacters(colourPaint('red', 'x'))).toBe('x');
  });
});
