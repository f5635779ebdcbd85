import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ARENA_REGION_DEDUP } from '../../layout/arena.ts';
import {
  DEDUP_ENTRY_HEADER_LENGTH,
  DEDUP_HEAD_OFFSET,
  DEDUP_POSITION_FIRST,
  DEDUP_TABLE_OFFSET,
} from '../../layout/dedup.ts';
import { Arena, type Region } from '../../src/arena/arena.ts';
import type { CausewayError } from '../../src/base/errors.ts';
import { Dedup, type DedupOptions, dedupRegion, readDedupStats } from '../../src/queue/dedup.ts';
import { requires } from '../support/capabilities.ts';
import { seed, seededRandom } from '../support/seed.ts';
import { peerProcess, peerThread } from '../support/structure-peer.ts';

interface Made {
  arena: Arena;
  region: Region;
  dedup: Dedup;
}

function makeDedup(options: DedupOptions, share = false): Made {
  const arena = Arena.create({ regions: [dedupRegion(options)], endpoints: true, share });
  const region = arena.region(ARENA_REGION_DEDUP);
  return { arena, region, dedup: Dedup.create(arena, region, options) };
}

function codeOf(action: () => unknown): string {
  try {
    action();
    return 'none';
  } catch (error) {
    return (error as CausewayError).code;
  }
}

/** What the table promises, in the dumbest way: every content that was fresh, with when it was and where in the log. */
class Model {
  readonly #entries: { text: string; timeMs: number; position: number }[] = [];
  readonly #logLength: number;
  readonly #windowMs: number;
  #head = DEDUP_POSITION_FIRST;

  constructor({ logLength, windowMs = 0 }: DedupOptions) {
    this.#logLength = logLength;
    this.#windowMs = windowMs;
  }

  has(text: string, nowMs: number): boolean {
    return this.#entries.some(
      (entry) =>
        entry.text === text &&
        this.#head - entry.position <= this.#logLength &&
        (this.#windowMs === 0 || nowMs - entry.timeMs <= this.#windowMs),
    );
  }

  insert(text: string, length: number, nowMs: number): boolean {
    if (this.has(text, nowMs)) return false;
    const needed = DEDUP_ENTRY_HEADER_LENGTH + Math.ceil(length / 16) * 16;
    // What does not fit before the end of the log is left empty.
    while ((this.#head % this.#logLength) + needed > this.#logLength) this.#head += needed;
    this.#entries.push({ text, timeMs: nowMs, position: this.#head });
    this.#head += needed;
    return true;
  }
}

describe('a deduplication table', () => {
  it('says of each content once that it is fresh', () => {
    const { arena, region, dedup } = makeDedup({ contents: 5000, logLength: 2 ** 20 });
    const contents = Array.from({ length: 5000 }, (_, number) => Buffer.from(`content ${number}`));
    expect(contents.filter((content) => dedup.has(content))).toEqual([]);
    expect(contents.filter((content) => dedup.insert(content))).toHaveLength(5000);
    expect(contents.filter((content) => dedup.insert(content))).toEqual([]);
    expect(contents.filter((content) => dedup.has(content))).toHaveLength(5000);
    expect(readDedupStats(arena, region)).toMatchObject({ fresh: 5000, duplicates: 5000, evicted: 0, expired: 0 });
  });

  it('tells contents of every length apart that differ in one bit, also in the last byte, or in their length', () => {
    const { dedup } = makeDedup({ contents: 10_000, logLength: 2 ** 22 });
    for (let length = 0; length < 300; length++) {
      const content = new Uint8Array(length);
      expect(dedup.insert(content)).toBe(true);
      if (length === 0) continue;
      for (const byte of [0, length >> 1, length - 1]) {
        const changed = content.slice();
        changed[byte] = 0x80;
        if (byte !== 0 || length > 0) expect(dedup.has(changed)).toBe(false);
      }
      content[length - 1] = 1;
      expect(dedup.insert(content)).toBe(true);
      expect(dedup.insert(content)).toBe(false);
    }
  });

  it('remembers for as long as the window says, and not a millisecond longer', () => {
    const { dedup } = makeDedup({ contents: 10, logLength: 4096, windowMs: 100 });
    const content = Buffer.from('x');
    expect(dedup.insert(content, 1000)).toBe(true);
    expect([dedup.has(content, 1100), dedup.has(content, 1101), dedup.has(content, 999)]).toEqual([true, false, true]);
    expect(dedup.insert(content, 1100)).toBe(false);
    // A duplicate does not make it younger.
    expect(dedup.insert(content, 1101)).toBe(true);
    expect(dedup.insert(content, 1201)).toBe(false);
  });

  it('refuses a content that is too long, however long', () => {
    const { dedup } = makeDedup({ contents: 10, logLength: 4096 });
    expect(dedup.contentLengthMax).toBe(1024 - 32);
    expect(dedup.insert(new Uint8Array(1024 - 32))).toBe(true);
    for (const length of [1024 - 31, 70_000, 10_000_000]) {
      expect(codeOf(() => dedup.insert(new Uint8Array(length)))).toBe('RECORD_TOO_LONG');
      expect(dedup.has(new Uint8Array(length))).toBe(false);
    }
    expect(dedup.stats()).toMatchObject({ tooLong: 3, fresh: 1 });
  });

  it('compares every byte: an equal hash is not enough', () => {
    const { arena, region, dedup } = makeDedup({ contents: 10, logLength: 4096 });
    const content = new Uint8Array(61).fill(7);
    dedup.insert(content);
    const log = region.address + DEDUP_TABLE_OFFSET + dedup.stats().slots * 8;
    const first = log + DEDUP_POSITION_FIRST + DEDUP_ENTRY_HEADER_LENGTH;
    for (let byte = 0; byte < content.length; byte++) {
      expect(dedup.has(content)).toBe(true);
      arena.bytes[first + byte] = 8;
      expect(dedup.has(content)).toBe(false);
      arena.bytes[first + byte] = 7;
    }
    expect(dedup.stats().collisions).toBe(content.length);
  });

  // 1. Others have reserved what lies there. 2. They have not written yet, so every byte still is the content's. 3. It does not count: it may change under the comparison.
  it('does not confirm what somebody may be overwriting', () => {
    const { arena, region, dedup } = makeDedup({ contents: 10, logLength: 4096 });
    const content = Buffer.from('content');
    dedup.insert(content);
    const head = (region.address + DEDUP_HEAD_OFFSET) / 8;
    Atomics.store(arena.u64, head, BigInt(DEDUP_POSITION_FIRST + 4096));
    expect(dedup.has(content)).toBe(true);
    Atomics.store(arena.u64, head, BigInt(DEDUP_POSITION_FIRST + 4096 + 16));
    expect(dedup.has(content)).toBe(false);
    expect(dedup.insert(content)).toBe(true);
    expect(dedup.insert(content)).toBe(false);
  });

  it.each([
    { contents: 0, logLength: 4096 },
    { contents: 10, logLength: 4097 },
    { contents: 10, logLength: 2048 },
    { contents: 2 ** 24, logLength: 4096 },
    { contents: 10, logLength: 4096, windowMs: -1 },
    { contents: 10, logLength: 4096, contentLengthMax: 1024 },
  ])('cannot be made with %o', (options) => {
    expect(codeOf(() => dedupRegion(options))).toBe('CONFIG_INVALID');
  });

  // Many slots for few contents: none makes room before its time, so the answers are the model's, every one.
  it('answers what a list of everything does', () => {
    const step = fc.record({ number: fc.nat(40), length: fc.nat(300), wait: fc.nat(60), batch: fc.boolean() });
    const options = fc.record({
      logLength: fc.constantFrom(4096, 8192, 65_536),
      windowMs: fc.constantFrom(0, 200, 5000),
    });
    fc.assert(
      fc.property(options, fc.array(step, { maxLength: 400 }), (given, steps) => {
        const all = { ...given, contents: 4096 };
        const { arena, region, dedup } = makeDedup(all);
        const handles = [dedup, Dedup.open(arena, region)];
        const model = new Model(all);
        let nowMs = 1_000_000;
        for (const [index, { number, length, wait, batch }] of steps.entries()) {
          nowMs += wait;
          const bytes = new Uint8Array(length + 4);
          new DataView(bytes.buffer).setUint32(length, number, true);
          const text = `${length} ${number}`;
          const handle = handles[index % 2] ?? dedup;
          expect(handle.has(bytes, nowMs)).toBe(model.has(text, nowMs));
          const expected = model.insert(text, bytes.length, nowMs);
          if (batch) {
            const { address } = arena.takeEndpoint(BigInt(index + 1));
            arena.bytes.set(bytes, address);
            const place = { address, length: bytes.length };
            // The second of two equal ones is not fresh.
            expect(handle.insertBatch([place, place], nowMs)).toEqual([expected, false]);
            arena.giveEndpoint(address);
          } else expect(handle.insert(bytes, nowMs)).toBe(expected);
        }
        expect(dedup.stats().evicted).toBe(0);
      }),
    );
  });

  // 64 slots for contents without number: most make room early, but nothing is called a duplicate that is none, and what was just inserted is there.
  it('forgets when it must, counts it, and never takes one content for another', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(500), { minLength: 200, maxLength: 1000 }), (numbers) => {
        const options = { contents: 1, logLength: 65_536 };
        const { dedup } = makeDedup(options);
        const seen = new Set<number>();
        let fresh = 0;
        for (const number of numbers) {
          const content = Buffer.from(`number ${number}`);
          const isFresh = dedup.insert(content, 1);
          if (!seen.has(number)) expect(isFresh).toBe(true);
          seen.add(number);
          fresh += Number(isFresh);
          expect(dedup.insert(content, 1)).toBe(false);
        }
        const stats = dedup.stats();
        expect(stats).toMatchObject({ fresh, duplicates: 2 * numbers.length - fresh, retries: 0 });
        expect(stats.fresh - stats.evicted - stats.expired).toBeLessThanOrEqual(64);
      }),
    );
  });
});

describe('a deduplication table that threads share', () => {
  // Acceptable: each content is fresh for one of the three, whoever it is. None for nobody, none for two.
  it.each([
    { contents: 60_000, length: 16, batch: false },
    { contents: 20_000, length: 300, batch: false },
    { contents: 60_000, length: 64, batch: true },
  ])('tells one of them that a content is fresh: %o', async ({ contents, length, batch }) => {
    const { arena, region, dedup } = makeDedup({ contents: contents * 2, logLength: 2 ** 26 });
    const peers = [1, 2, 3].map((id) =>
      peerThread<number[]>(arena, region, 'dedupInsert', { contents, length, seed: seed + id, batch }),
    );
    const fresh = (await Promise.all(peers.map(({ value }) => value))).flat();
    expect(new Set(fresh).size).toBe(contents);
    expect(fresh).toHaveLength(contents);
    expect(dedup.stats()).toMatchObject({ fresh: contents, duplicates: 2 * contents, evicted: 0 });
    await Promise.all(peers.map((peer) => peer.kill()));
  });

  // A log that is written over all the time: contents come and go. Acceptable: fresh again and again, but the counts add up, and nobody hangs.
  it('goes on while its log is overwritten and threads are terminated', async () => {
    const { arena, region, dedup } = makeDedup({ contents: 64, logLength: 8192 });
    const random = seededRandom(4);
    for (let round = 0; round < 5; round++) {
      const options = { contents: 100, length: 200, seed: seed + round };
      const peers = [1, 2].map((id) => peerThread(arena, region, 'dedupStorm', { ...options, seed: seed + id }));
      await Promise.all(peers.map(({ ready }) => ready));
      await new Promise((resolve) => setTimeout(resolve, random() * 30));
      await Promise.all(peers.map((peer) => peer.kill()));
      const content = Buffer.from(`after round ${round}`);
      expect([dedup.insert(content), dedup.insert(content)]).toEqual([true, false]);
    }
    expect(dedup.stats().expired).toBeGreaterThan(0);
  });
});

describe('a deduplication table that processes share', requires('koffi'), () => {
  it('goes on after processes were killed in the middle, and calls nothing a duplicate that nobody inserted', async () => {
    const { arena, region, dedup } = makeDedup({ contents: 10_000, logLength: 2 ** 20 }, true);
    const random = seededRandom(5);
    try {
      for (let round = 0; round < 4; round++) {
        const options = { contents: 2000, length: 64, seed: seed + round };
        const peers = [1, 2].map((id) => peerProcess(arena, region, 'dedupStorm', { ...options, seed: seed + id }));
        await Promise.all(peers.map(({ ready }) => ready));
        await new Promise((resolve) => setTimeout(resolve, 5 + random() * 30));
        await Promise.all(peers.map((peer) => peer.kill()));
        // Of another length than what they insert.
        const fresh = Array.from({ length: 500 }, (_, number) => dedup.insert(Buffer.from(`round ${round} ${number}`)));
        expect(fresh.every((isFresh) => isFresh)).toBe(true);
      }
    } finally {
      arena.close();
    }
  });
});

describe('a deduplication table with a hostile peer', () => {
  it('is refused when its header cannot be', () => {
    const { arena, region } = makeDedup({ contents: 10, logLength: 4096 });
    for (const [offset, value] of [
      [0, 1],
      [4, 63],
      [4, 128],
      [4, 0],
      [8, 4095],
      [8, 8192],
      [12, 70_000],
      [20, 100],
    ] as const) {
      const before = arena.view.getUint32(region.address + offset, true);
      arena.view.setUint32(region.address + offset, value, true);
      expect(
        codeOf(() => Dedup.open(arena, region)),
        `${offset}: ${value}`,
      ).toBe('TABLE_CORRUPT');
      arena.view.setUint32(region.address + offset, before, true);
    }
    Dedup.open(arena, region);
  });

  it('says that it is corrupt when every slot tells of what cannot be yet', () => {
    const { arena, region, dedup } = makeDedup({ contents: 10, logLength: 4096 });
    arena.bytes.fill(0xff, region.address + DEDUP_TABLE_OFFSET, region.address + DEDUP_TABLE_OFFSET + 64 * 8);
    expect(codeOf(() => dedup.insert(Buffer.from('x')))).toBe('TABLE_CORRUPT');
    expect(dedup.has(Buffer.from('x'))).toBe(false);
  });

  it('ends, and stays inside of its memory, whatever is written over it', async () => {
    const { arena, region, dedup } = makeDedup({ contents: 16, logLength: 4096 });
    const peer = peerThread<number>(arena, region, 'scribble', { from: 0, milliseconds: 600, seed });
    await peer.ready;
    const random = seededRandom(6);
    const codes = new Set<string>();
    const end = performance.now() + 700;
    while (performance.now() < end) {
      for (let turn = 0; turn < 500; turn++) {
        const content = new Uint8Array(Math.floor(random() * 1100)).fill(random() * 3);
        codes.add(codeOf(() => dedup.insert(content)));
        dedup.has(content);
      }
      dedup.stats();
    }
    expect(await peer.value).toBeGreaterThan(1000);
    for (const code of codes) expect(['none', 'RECORD_TOO_LONG', 'TABLE_CORRUPT']).toContain(code);
    await peer.kill();
  });
});
