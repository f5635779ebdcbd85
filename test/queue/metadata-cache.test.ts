import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ARENA_REGION_METADATA } from '../../layout/arena.ts';
import {
  METADATA_SLOT_OWNER_OFFSET,
  METADATA_SLOT_SEQUENCE_OFFSET,
  METADATA_TABLE_OFFSET,
  METADATA_TAGS_LENGTH,
} from '../../layout/metadata-cache.ts';
import { Arena, type Region } from '../../src/arena/arena.ts';
import { newOwner, ownerOf } from '../../src/arena/owner.ts';
import type { CausewayError } from '../../src/base/errors.ts';
import {
  MetadataCache,
  type MetadataCacheOptions,
  metadataCacheRegion,
  readMetadataCacheStats,
} from '../../src/queue/metadata-cache.ts';
import { requires } from '../support/capabilities.ts';
import { seed, seededRandom } from '../support/seed.ts';
import { peerProcess, peerThread, until } from '../support/structure-peer.ts';

interface Made {
  arena: Arena;
  region: Region;
  cache: MetadataCache;
}

function makeCache(options: MetadataCacheOptions, share = false): Made {
  const arena = Arena.create({ regions: [metadataCacheRegion(options)], endpoints: true, share });
  const region = arena.region(ARENA_REGION_METADATA);
  return { arena, region, cache: MetadataCache.create(arena, region, options) };
}

function codeOf(action: () => unknown): string {
  try {
    action();
    return 'none';
  } catch (error) {
    return (error as CausewayError).code ?? (error as Error).name;
  }
}

const keyOf = (number: number) => ({ device: 3n, inode: BigInt(number) });
const textOf = (value: Uint8Array | undefined): string | undefined =>
  value && Buffer.from(value).toString().replace(/\0+$/, '');

describe('a metadata cache', () => {
  it('answers what was put, by device and inode or by 16 bytes, and nothing else', () => {
    const { cache } = makeCache({ capacity: 64, valueLength: 60 });
    expect(cache.valueLength).toBe(64);
    expect(cache.get(keyOf(1))).toBeUndefined();
    expect(cache.put(keyOf(1), Buffer.from('one'), 0)).toBe(true);
    expect(textOf(cache.get(keyOf(1)))).toBe('one');
    expect(cache.get({ device: 4n, inode: 1n })).toBeUndefined();
    const bytes = new Uint8Array(16);
    new DataView(bytes.buffer).setBigUint64(0, 3n, true);
    new DataView(bytes.buffer).setBigUint64(8, 1n, true);
    expect(textOf(cache.get(bytes))).toBe('one');
    expect(cache.put(bytes, new Uint8Array(64).fill(7), 0)).toBe(true);
    expect(cache.get(keyOf(1))).toEqual(new Uint8Array(64).fill(7));
    // A shorter value leaves nothing of the longer one.
    cache.put(keyOf(1), Buffer.from('two'), 0);
    expect(textOf(cache.get(keyOf(1)))).toBe('two');
    expect(cache.stats()).toMatchObject({ hits: 4, misses: 2, stored: 3, evicted: 0 });
  });

  it('forgets at the very millisecond', () => {
    const { cache } = makeCache({ capacity: 64, valueLength: 8 });
    cache.put(keyOf(1), Buffer.from('x'), 50, 1000);
    expect([cache.get(keyOf(1), 1049), cache.get(keyOf(1), 1050)].map(textOf)).toEqual(['x', undefined]);
    cache.put(keyOf(2), Buffer.from('y'), 0, 1000);
    expect(textOf(cache.get(keyOf(2), 1e15))).toBe('y');
    expect(cache.stats()).toMatchObject({ hits: 2, misses: 1, expired: 1 });
  });

  it('is bounded: the one that was not read of late makes room, one that is too old before it', () => {
    const { arena, region, cache } = makeCache({ capacity: 8, valueLength: 8 });
    const put = (number: number, ttlMs = 0): boolean => cache.put(keyOf(number), Buffer.from(`${number}`), ttlMs, 1000);
    const present = (numbers: number[]): number[] => numbers.filter((number) => cache.get(keyOf(number), 2000));
    for (let number = 0; number < 8; number++) put(number);
    // All were new: the hand goes round once, and the first makes room.
    put(8);
    expect(present([2, 3, 4, 5, 6, 7])).toHaveLength(6);
    // Of 1 .. 8 the only one that was neither read nor new.
    put(9);
    expect(present([1])).toEqual([]);
    expect(present([0, 2, 3, 4, 5, 6, 7, 8, 9])).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
    expect(readMetadataCacheStats(arena, region)).toMatchObject({ evicted: 2 });
    cache.put(keyOf(4), Buffer.from('4'), 10, 1000);
    cache.put(keyOf(10), Buffer.from('10'), 0, 2000);
    expect(present([2, 3, 4, 5, 6, 7, 8, 9, 10])).toEqual([2, 3, 5, 6, 7, 8, 9, 10]);
    expect(cache.stats()).toMatchObject({ evicted: 2, capacity: 8 });
  });

  it('forgets what is invalidated, for all its handles', () => {
    const { arena, region, cache } = makeCache({ capacity: 64, valueLength: 8 });
    const other = MetadataCache.open(arena, region);
    cache.put(keyOf(1), Buffer.from('x'), 0);
    expect(textOf(other.get(keyOf(1)))).toBe('x');
    expect([other.invalidate(keyOf(1)), other.invalidate(keyOf(1))]).toEqual([true, false]);
    expect(cache.get(keyOf(1))).toBeUndefined();
    cache.put(keyOf(1), Buffer.from('y'), 0);
    expect(textOf(other.get(keyOf(1)))).toBe('y');
    other.close();
    other.close();
    expect(codeOf(() => other.get(keyOf(1)))).toBe('HANDLE_CLOSED');
  });

  it.each([
    { capacity: 0, valueLength: 8 },
    { capacity: 8, valueLength: 0 },
    { capacity: 8, valueLength: 4097 },
    { capacity: 2 ** 26, valueLength: 8 },
  ])('cannot be made with %o', (options) => {
    expect(codeOf(() => metadataCacheRegion(options))).toBe('CONFIG_INVALID');
  });

  it('refuses keys, values and times that cannot be', () => {
    const { cache } = makeCache({ capacity: 8, valueLength: 8 });
    expect(codeOf(() => cache.get(new Uint8Array(15)))).toBe('RangeError');
    expect(codeOf(() => cache.put(keyOf(1), new Uint8Array(9), 0))).toBe('RangeError');
    expect(codeOf(() => cache.put(keyOf(1), new Uint8Array(8), -1))).toBe('RangeError');
  });

  // Fewer keys than a set has slots: nothing makes room, so the answers are those of a Map, every one.
  it('answers what a Map does while there is room for all', () => {
    const step = fc.record({
      key: fc.nat(7),
      action: fc.constantFrom('get', 'get', 'put', 'invalidate'),
      ttlMs: fc.constantFrom(0, 1, 10, 1000),
      wait: fc.nat(8),
      text: fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 24 }),
    });
    fc.assert(
      fc.property(fc.constantFrom(8, 64), fc.array(step, { maxLength: 300 }), (capacity, steps) => {
        const { arena, region, cache } = makeCache({ capacity, valueLength: 24 });
        const handles = [cache, MetadataCache.open(arena, region)];
        const model = new Map<number, { text: string; expires: number }>();
        let nowMs = 1_000_000;
        for (const [index, { key, action, ttlMs, wait, text }] of steps.entries()) {
          nowMs += wait;
          const handle = handles[index % 2] ?? cache;
          if (action === 'put') {
            expect(handle.put(keyOf(key), Buffer.from(text), ttlMs, nowMs)).toBe(true);
            model.set(key, { text, expires: ttlMs === 0 ? Number.POSITIVE_INFINITY : nowMs + ttlMs });
          } else if (action === 'invalidate') {
            const known = model.get(key);
            model.delete(key);
            const wasThere = handle.invalidate(keyOf(key));
            // One that is too old may have made room already, or not.
            if (known === undefined || nowMs < known.expires) expect(wasThere).toBe(known !== undefined);
          } else {
            const known = model.get(key);
            expect(textOf(handle.get(keyOf(key), nowMs))).toBe(known && nowMs < known.expires ? known.text : undefined);
          }
        }
        expect(cache.stats()).toMatchObject({ evicted: 0, dropped: 0 });
      }),
    );
  });

  // More keys than slots: what is answered is what was put last, or nothing.
  it('never answers another value than the last one', () => {
    const step = fc.record({ key: fc.nat(60), isPut: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { minLength: 200, maxLength: 600 }), (steps) => {
        const { cache } = makeCache({ capacity: 16, valueLength: 8 });
        const model = new Map<number, string>();
        for (const [index, { key, isPut }] of steps.entries()) {
          if (isPut) {
            model.set(key, `${index}`);
            expect(cache.put(keyOf(key), Buffer.from(`${index}`), 0)).toBe(true);
            expect(textOf(cache.get(keyOf(key)))).toBe(`${index}`);
          } else expect([undefined, model.get(key)]).toContain(textOf(cache.get(keyOf(key))));
        }
      }),
    );
  });
});

describe('a slot of a metadata cache whose writer has died', () => {
  // 1. The writer took the slot and made its sequence odd (M3), and was killed. 2. The key is not there; a put of another key takes another slot. 3. The slot comes back.
  it.each(['odd', 'even'])('comes back; it was left with an %s sequence', (parity) => {
    const { arena, region, cache } = makeCache({ capacity: 8, valueLength: 8 });
    for (let number = 0; number < 8; number++) cache.put(keyOf(number), Buffer.from(`${number}`), 0);
    const slots = Array.from(
      { length: 8 },
      (_, way) => region.address + METADATA_TABLE_OFFSET + METADATA_TAGS_LENGTH + way * 64,
    );
    const dead = ownerOf(2 ** 22 - 1, 12345n, 1);
    const cacheRow = region.address + 4096;
    // Its row: whoever writes has one.
    arena.u64[(cacheRow + 128 * 5) / 8] = dead;
    for (const slot of slots) {
      arena.u64[(slot + METADATA_SLOT_OWNER_OFFSET) / 8] = dead;
      if (parity === 'odd') Atomics.add(arena.u64, (slot + METADATA_SLOT_SEQUENCE_OFFSET) / 8, 1n);
    }
    const found = (): number[] => [0, 1, 2, 3, 4, 5, 6, 7].filter((number) => cache.get(keyOf(number)) !== undefined);
    expect(found()).toHaveLength(parity === 'odd' ? 0 : 8);
    expect(cache.put(keyOf(100), Buffer.from('x'), 0)).toBe(false);
    expect(cache.reclaimDead()).toBe(8);
    expect(cache.reclaimDead()).toBe(0);
    expect(found()).toHaveLength(parity === 'odd' ? 0 : 8);
    expect(cache.put(keyOf(100), Buffer.from('x'), 0)).toBe(true);
    expect(textOf(cache.get(keyOf(100)))).toBe('x');
  });

  it('stays when its writer lives', () => {
    const { arena, region, cache } = makeCache({ capacity: 8, valueLength: 8 });
    cache.put(keyOf(1), Buffer.from('x'), 0);
    const slot = region.address + METADATA_TABLE_OFFSET + METADATA_TAGS_LENGTH;
    arena.u64[(slot + METADATA_SLOT_OWNER_OFFSET) / 8] = newOwner();
    expect(cache.reclaimDead()).toBe(0);
    // The same key is being written: neither value is kept.
    expect(cache.put(keyOf(1), Buffer.from('y'), 0)).toBe(false);
    expect(cache.get(keyOf(1))).toBeUndefined();
    expect(cache.put(keyOf(2), Buffer.from('z'), 0)).toBe(true);
  });
});

describe('a metadata cache that threads share', () => {
  // Acceptable: any value that somebody put for the key, whole, or none. Never a part of one, never another key's.
  it.each([
    { keys: 3, valueLength: 64 },
    { keys: 40, valueLength: 256 },
  ])('never shows half a value: %o', async ({ keys, valueLength }) => {
    const { arena, region, cache } = makeCache({ capacity: 16, valueLength });
    const options = { keys, cycles: 200_000 };
    const peers = [1, 2, 3].map((id) =>
      peerThread<{ wrong: string[]; hits: number }>(arena, region, 'cacheStorm', { ...options, seed: seed + id }),
    );
    for (const { wrong, hits } of await Promise.all(peers.map(({ value }) => value))) {
      expect(wrong).toEqual([]);
      expect(hits).toBeGreaterThan(0);
    }
    const { hits, misses, stored, dropped, invalidated } = cache.stats();
    expect(hits + misses + stored + dropped).toBeLessThanOrEqual(600_000);
    expect(invalidated).toBeGreaterThan(0);
    await Promise.all(peers.map((peer) => peer.kill()));
  });
});

describe('a metadata cache that processes share', requires('koffi'), () => {
  it('gets back every slot that killed processes were writing', async () => {
    const { arena, region, cache } = makeCache({ capacity: 8, valueLength: 4096 }, true);
    const random = seededRandom(7);
    try {
      for (let round = 0; round < 5; round++) {
        const options = { keys: 20, cycles: 1e9 };
        const peers = [1, 2].map((id) =>
          peerProcess(arena, region, 'cacheStorm', { ...options, seed: seed + round + id }),
        );
        await Promise.all(peers.map(({ ready }) => ready));
        await new Promise((resolve) => setTimeout(resolve, 5 + random() * 30));
        await Promise.all(peers.map((peer) => peer.kill()));
        await until(() => {
          cache.reclaimDead();
          const numbers = Array.from({ length: 8 }, (_, number) => number + 1000 * round);
          const stored = numbers.filter((number) => cache.put(keyOf(number), Buffer.from('x'), 0));
          return stored.length === 8 && numbers.every((number) => textOf(cache.get(keyOf(number))) === 'x');
        }, 'all eight slots can be written');
      }
    } finally {
      arena.close();
    }
  });
});

describe('a metadata cache with a hostile peer', () => {
  it('is refused when its header cannot be', () => {
    const { arena, region } = makeCache({ capacity: 64, valueLength: 8 });
    for (const [offset, value] of [
      [0, 1],
      [4, 7],
      [4, 0],
      [4, 16],
      [8, 0],
      [8, 12],
      [8, 8192],
      [12, 100],
    ] as const) {
      const before = arena.view.getUint32(region.address + offset, true);
      arena.view.setUint32(region.address + offset, value, true);
      expect(
        codeOf(() => MetadataCache.open(arena, region)),
        `${offset}: ${value}`,
      ).toBe('TABLE_CORRUPT');
      arena.view.setUint32(region.address + offset, before, true);
    }
    MetadataCache.open(arena, region);
  });

  it('ends, and stays inside of its memory, whatever is written over it', async () => {
    const { arena, region, cache } = makeCache({ capacity: 16, valueLength: 64 });
    const peer = peerThread<number>(arena, region, 'scribble', { from: 0, milliseconds: 500, seed });
    await peer.ready;
    const random = seededRandom(8);
    const end = performance.now() + 600;
    while (performance.now() < end) {
      for (let turn = 0; turn < 300; turn++) {
        const key = keyOf(Math.floor(random() * 5));
        cache.put(key, Buffer.from('some value'), random() < 0.5 ? 0 : 1);
        cache.get(key);
        if (random() < 0.1) cache.invalidate(key);
      }
      cache.stats();
    }
    cache.reclaimDead();
    expect(await peer.value).toBeGreaterThan(1000);
    await peer.kill();
  });
});
