import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { CausewayError } from '../../src/base/errors.ts';
import { NodeFileLayer } from '../../src/journal/file-layer.ts';
import { readIdentity } from '../../src/journal/identity.ts';
import { JournalReader } from '../../src/journal/reader.ts';
import { Recovery, type RecoveryReport } from '../../src/journal/recovery.ts';
import { decodeSegmentHeader, encodeSegmentHeader } from '../../src/journal/segment.ts';
import { seededRandom } from '../support/seed.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { openBench, readAllOf } from './support.ts';

const files = new NodeFileLayer(undefined);
const HEADER = 4096;

interface Image {
  directory: string;
  /** Bytes of the segment that is damaged, and its name. */
  segment: Buffer;
  name: string;
  /** Offset of each entry, and where the last one ends. */
  offsets: number[];
  end: number;
}

/** A journal of `count` events as kill -9 leaves it: the last segment as long as it was made, nothing closed. */
function killedImage(count: number): Image {
  const live = temporaryDirectory();
  const bench = openBench(live);
  for (let n = 1; n <= count; n++) bench.appender.append({ type: 'fs.write', path: `/a/${n}`, pid: n });
  const directory = temporaryDirectory();
  for (const name of fs.readdirSync(live)) {
    if (name !== 'lock') fs.copyFileSync(path.join(live, name), path.join(directory, name));
  }
  bench.close();
  return imageOf(directory);
}

function closedImage(count: number): Image {
  const directory = temporaryDirectory();
  const bench = openBench(directory);
  for (let n = 1; n <= count; n++) bench.appender.append({ type: 'fs.write', path: `/a/${n}`, pid: n });
  bench.close();
  return imageOf(directory);
}

function imageOf(directory: string): Image {
  const name = '000000000000.segment';
  const segment = fs.readFileSync(path.join(directory, name));
  const offsets: number[] = [];
  let at = HEADER;
  while (at + 144 <= segment.length && segment.readInt32LE(at) > 0) {
    offsets.push(at);
    at += (segment.readInt32LE(at) + 7) & ~7;
  }
  return { directory, segment, name, offsets, end: at };
}

function write(image: Image, bytes: Buffer): void {
  fs.writeFileSync(path.join(image.directory, image.name), bytes);
}

function recover(image: Image): { report: RecoveryReport; next: bigint } {
  const identity = readIdentity(image.directory);
  const options = { directory: image.directory, files, uuid: identity?.uuid, wasClosed: identity?.closed ?? false };
  const { report, nextSequence } = new Recovery(options).run();
  return { report, next: nextSequence };
}

function sequencesOf(directory: string): bigint[] {
  const reader = new JournalReader({ directory });
  try {
    return readAllOf(reader).map((item) => item.sequence);
  } finally {
    reader.close();
  }
}

function codeOf(run: () => unknown): string {
  try {
    run();
    return 'ok';
  } catch (error) {
    if (error instanceof CausewayError) return error.code;
    throw error;
  }
}

const upTo = (last: number): bigint[] => Array.from({ length: last }, (_, n) => BigInt(n + 1));

describe('a torn tail', () => {
  const COUNT = 4;
  let image: Image;
  beforeAll(() => {
    image = killedImage(COUNT);
  });

  it('is cut at whatever byte it tore, reported, and the next open finds nothing more', () => {
    const last = image.offsets.at(-1) as number;
    for (let kept = 1; kept < image.segment.readInt32LE(last); kept++) {
      const torn = Buffer.from(image.segment);
      torn.fill(0, last + kept);
      // The entry ends with zeros or not: what was cut off must have been something.
      if (torn.equals(image.segment)) continue;
      write(image, torn);
      expect(sequencesOf(image.directory)).toEqual(upTo(COUNT - 1));
      const first = recover(image);
      expect(first.next).toBe(BigInt(COUNT));
      expect(first.report.tornTail).toMatchObject({ segment: 0, offset: last });
      expect(fs.statSync(path.join(image.directory, image.name)).size).toBe(last);
      const again = recover(image);
      expect(again).toMatchObject({ next: BigInt(COUNT), report: { tornTail: undefined, holes: [] } });
    }
  });

  it('of claims that were never committed is cut too', () => {
    const torn = Buffer.from(image.segment);
    torn.writeInt32LE(-200, image.end);
    torn.fill(7, image.end + 8, image.end + 100);
    write(image, torn);
    expect(recover(image)).toMatchObject({
      next: BigInt(COUNT + 1),
      report: { tornTail: { offset: image.end, bytes: 100, reason: 'claimed, never committed' } },
    });
  });
});

describe('a header that a power failure left behind its entries', () => {
  it('is written again', () => {
    const image = killedImage(3);
    const stale = Buffer.from(image.segment);
    const header = decodeSegmentHeader(stale.subarray(0, HEADER));
    if (typeof header === 'string') throw new Error(header);
    stale.set(encodeSegmentHeader({ ...header, firstSequence: 0n }), 0);
    write(image, stale);
    expect(recover(image)).toMatchObject({ next: 4n, report: { tornTail: undefined, holes: [] } });
    expect(sequencesOf(image.directory)).toEqual(upTo(3));
  });
});

describe('a hole', () => {
  const COUNT = 5;

  it.each([
    {
      name: 'a claim with its length',
      make: (bytes: Buffer, at: number) => bytes.writeInt32LE(-bytes.readInt32LE(at), at),
    },
    {
      name: 'a claim without its length',
      make: (bytes: Buffer, at: number) => bytes.fill(0, at, at + ((bytes.readInt32LE(at) + 7) & ~7)),
    },
  ])('$name keeps its sequence and is reported as a gap', ({ make }) => {
    for (const which of [0, 1, 3]) {
      const image = killedImage(COUNT);
      const holed = Buffer.from(image.segment);
      make(holed, image.offsets[which] as number);
      write(image, holed);
      const before = new JournalReader({ directory: image.directory });
      const items = readAllOf(before);
      before.close();
      expect(items.map((item) => item.sequence)).toEqual(upTo(COUNT));
      expect(items[which]).toMatchObject({ type: 'gap', cause: 'hole', count: 1n });
      const { report, next } = recover(image);
      expect(next).toBe(BigInt(COUNT + 1));
      expect(report.holes).toEqual([{ segment: 0, offset: image.offsets[which], sequence: BigInt(which + 1) }]);
      expect(report.tornTail).toBeUndefined();
      const bench = openBench(image.directory);
      expect(bench.journal.recovery.holes).toEqual([]);
      const after = readAllOf(bench.tail('start'));
      expect(after.map((item) => item.sequence)).toEqual(upTo(COUNT));
      expect(after[which]).toMatchObject({ type: 'gap', cause: 'hole', count: 1n });
      bench.close();
    }
  });

  it('of several claims side by side keeps all their sequences', () => {
    const image = killedImage(6);
    const holed = Buffer.from(image.segment);
    holed.fill(0, image.offsets[1], image.offsets[4]);
    write(image, holed);
    expect(recover(image).report.holes.map((hole) => hole.sequence)).toEqual([2n, 3n, 4n]);
    expect(sequencesOf(image.directory)).toEqual(upTo(6));
    expect(recover(image).report.holes).toEqual([]);
  });
});

describe('a flipped bit', () => {
  const COUNT = 4;
  const random = seededRandom(3);

  it('anywhere in a journal that was killed is detected, or only the last entry goes and that is reported', () => {
    const image = killedImage(COUNT);
    const names = new Set<string>();
    for (let at = 0; at < image.end + 64; at++) {
      if (at >= 200 && at < HEADER - 8) continue;
      const flipped = Buffer.from(image.segment);
      flipped[at] = (flipped[at] as number) ^ (1 << Math.floor(random() * 8));
      write(image, flipped);
      let next = -1n;
      let report: RecoveryReport | undefined;
      const code = codeOf(() => {
        ({ next, report } = recover(image));
      });
      names.add(code);
      if (code !== 'ok') {
        expect(code).toBe('JOURNAL_CORRUPT');
        continue;
      }
      // Whoever gets through has everything, or all but the last and says so.
      expect(next, `byte ${at}`).toBeGreaterThanOrEqual(BigInt(COUNT));
      if (next === BigInt(COUNT)) expect(report?.tornTail, `byte ${at}`).toBeDefined();
    }
    expect(names).toEqual(new Set(['ok', 'JOURNAL_CORRUPT']));
  });

  it('anywhere in a journal that was closed is detected by recovery and by readers', () => {
    const image = closedImage(COUNT);
    for (let at = 0; at < image.segment.length; at++) {
      if (at >= 200 && at < HEADER - 8) continue;
      const flipped = Buffer.from(image.segment);
      flipped[at] = (flipped[at] as number) ^ (1 << Math.floor(random() * 8));
      write(image, flipped);
      const name = `byte ${at} of ${image.segment.length}, entries at ${image.offsets.join(' ')}`;
      if (isAlignment(image, at)) {
        // Up to seven bytes between entries mean nothing.
        expect(sequencesOf(image.directory)).toEqual(upTo(COUNT));
        continue;
      }
      expect(
        codeOf(() => sequencesOf(image.directory)),
        name,
      ).toBe('JOURNAL_CORRUPT');
      expect(
        codeOf(() => recover(image)),
        name,
      ).toBe('JOURNAL_CORRUPT');
    }
  });
});

function isAlignment(image: Image, at: number): boolean {
  return image.offsets.some((offset) => {
    const end = offset + image.segment.readInt32LE(offset);
    return at >= end && at < ((end + 7) & ~7);
  });
}

describe('segments that do not belong', () => {
  it('are refused: of another journal, renamed, missing', () => {
    const others = closedImage(3);
    const one = temporaryDirectory();
    for (let epoch = 0; epoch < 3; epoch++) {
      const bench = openBench(one);
      bench.appender.append({ type: 'fs.write' });
      bench.close();
    }
    const segment = (index: number): string => path.join(one, `${String(index).padStart(12, '0')}.segment`);
    const good = [0, 1, 2].map((index) => fs.readFileSync(segment(index)));
    const restore = (): void => {
      for (const [index, bytes] of good.entries()) fs.writeFileSync(segment(index), bytes);
    };
    const spoil: [string, () => void][] = [
      ['of another journal', () => fs.copyFileSync(path.join(others.directory, others.name), segment(0))],
      ['renamed', () => fs.copyFileSync(segment(0), segment(1))],
      ['missing', () => fs.rmSync(segment(1))],
      ['shorter', () => fs.truncateSync(segment(1), 4096)],
    ];
    for (const [name, make] of spoil) {
      restore();
      make();
      expect(
        codeOf(() => sequencesOf(one)),
        name,
      ).toBe('JOURNAL_CORRUPT');
      if (name !== 'shorter')
        expect(
          codeOf(() => openBench(one)),
          name,
        ).toBe('JOURNAL_CORRUPT');
    }
    restore();
    expect(sequencesOf(one)).toEqual(upTo(3));
  });
});
