import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ARENA_REGION_POOL } from '../../layout/arena.ts';
import { POOL_HINTS_OFFSET, POOL_SUMMARY_OFFSET } from '../../layout/pool.ts';
import { Arena, type Region } from '../../src/arena/arena.ts';
import { newOwner } from '../../src/arena/owner.ts';
import { CausewayError } from '../../src/base/errors.ts';
import { Pool, type PoolOptions, poolRegion, readPoolOwners, readPoolStats } from '../../src/queue/pool.ts';
import { requires } from '../support/capabilities.ts';
import { seed, seededRandom } from '../support/seed.ts';
import { peerProcess, peerThread, until } from '../support/structure-peer.ts';

interface Made {
  arena: Arena;
  region: Region;
  pool: Pool;
}

function makePool(options: PoolOptions, share = false): Made {
  const arena = Arena.create({ regions: [poolRegion(options)], endpoints: true, share });
  const region = arena.region(ARENA_REGION_POOL);
  return { arena, region, pool: Pool.create(arena, region, options) };
}

function takeAll(pool: Pool): number[] {
  const records: number[] = [];
  for (let record = pool.take(); record !== undefined; record = pool.take()) records.push(record);
  return records;
}

function codeOf(action: () => unknown): string {
  try {
    action();
    return 'none';
  } catch (error) {
    return (error as CausewayError).code;
  }
}

describe('a pool', () => {
  it.each([
    { capacity: 1, recordLength: 1 },
    { capacity: 63, recordLength: 8 },
    { capacity: 64, recordLength: 100 },
    { capacity: 65, recordLength: 4096 },
    { capacity: 5000, recordLength: 24 },
    { capacity: 2 ** 20, recordLength: 8 },
  ])('hands out every record once, 8-aligned and apart from the others: %o', (options) => {
    const { pool, region, arena } = makePool(options);
    const records = takeAll(pool).sort((a, b) => a - b);
    expect(records).toHaveLength(options.capacity);
    expect(records.every((record) => record % 8 === 0)).toBe(true);
    const gaps = records.slice(1).map((record, index) => record - (records[index] ?? 0));
    expect(gaps.every((gap) => gap >= options.recordLength)).toBe(true);
    expect((records.at(-1) ?? 0) + options.recordLength).toBeLessThanOrEqual(region.address + region.length);
    expect(readPoolStats(arena, region)).toMatchObject({ inUse: options.capacity, full: 1, fallbacks: 0 });
    for (const record of records) pool.give(record);
    expect(pool.stats()).toMatchObject({ inUse: 0, gives: options.capacity, takes: options.capacity });
    expect(takeAll(pool)).toHaveLength(options.capacity);
  });

  it('refuses what is not a record, what is free, and what somebody else has; nothing changes', () => {
    const { arena, region, pool } = makePool({ capacity: 10, recordLength: 20 });
    const other = Pool.open(arena, region);
    const record = pool.take() ?? 0;
    for (const wrong of [
      0,
      1,
      record + 4,
      record + 8,
      record - 24 * 11,
      record + 24 * 11,
      2 ** 32 - 8,
      region.address,
    ]) {
      expect(
        codeOf(() => pool.give(wrong)),
        String(wrong),
      ).toBe('POOL_NO_RECORD');
    }
    expect(codeOf(() => other.give(record))).toBe('POOL_NOT_OWNER');
    expect(codeOf(() => other.adopt(record, other.owner))).toBe('POOL_NOT_OWNER');
    pool.give(record);
    expect(codeOf(() => pool.give(record))).toBe('POOL_NOT_TAKEN');
    expect(codeOf(() => other.adopt(record, pool.owner))).toBe('POOL_NOT_TAKEN');
    expect(pool.stats()).toMatchObject({ inUse: 0, refused: 10, gives: 1, takes: 1 });
  });

  it('lets a record go from one owner to another', () => {
    const { arena, region, pool } = makePool({ capacity: 3, recordLength: 8 });
    const other = Pool.open(arena, region);
    const record = pool.take() ?? 0;
    pool.bytes(record).set([1, 2, 3]);
    other.adopt(record, pool.owner);
    expect([...other.bytes(record).slice(0, 3)]).toEqual([1, 2, 3]);
    expect(codeOf(() => pool.give(record))).toBe('POOL_NOT_OWNER');
    expect(readPoolOwners(arena, region)).toEqual(new Map([[other.owner, 1]]));
    expect(other.close()).toBe(1);
    expect(pool.stats()).toMatchObject({ inUse: 0, adopted: 1 });
  });

  it('is closed once, and refuses to be used after that', () => {
    const { arena, region, pool } = makePool({ capacity: 5, recordLength: 8 });
    takeAll(pool);
    expect([pool.close(), pool.close()]).toEqual([5, 0]);
    expect(codeOf(() => pool.take())).toBe('HANDLE_CLOSED');
    expect(Pool.open(arena, region).stats().inUse).toBe(0);
  });

  it('has room for as many handles as it has rows, and says so when they are taken', () => {
    const { arena, region } = makePool({ capacity: 5, recordLength: 8 });
    const open = (): string => codeOf(() => Array.from({ length: 128 }, () => Pool.open(arena, region)));
    expect(open()).toBe('ARENA_FULL');
  });

  it.each([
    { capacity: 0, recordLength: 8 },
    { capacity: 2 ** 20 + 1, recordLength: 8 },
    { capacity: 1.5, recordLength: 8 },
    { capacity: 1, recordLength: 0 },
    { capacity: 2 ** 20, recordLength: 2 ** 20 },
  ])('cannot be made with %o', (options) => {
    expect(codeOf(() => poolRegion(options))).toBe('CONFIG_INVALID');
  });

  it('does what a list of owners does, whatever three handles do', () => {
    const step = fc.record({
      handle: fc.nat(2),
      action: fc.constantFrom('take', 'take', 'take', 'give', 'give', 'giveForeign', 'adopt', 'reopen', 'repair'),
      pick: fc.nat(1000),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70 }), fc.array(step, { maxLength: 300 }), (capacity, steps) => {
        const { arena, region, pool } = makePool({ capacity, recordLength: 16 });
        const handles = [pool, Pool.open(arena, region), Pool.open(arena, region)];
        // The dumb one: who has what.
        const owned: number[][] = [[], [], []];
        for (const { handle, action, pick } of steps) {
          const own = owned[handle] ?? [];
          const user = handles[handle] ?? pool;
          const [from, others] = [(handle + 1) % 3, owned[(handle + 1) % 3] ?? []];
          if (action === 'take') {
            const record = user.take();
            const isFull = owned.flat().length === capacity;
            expect(record === undefined).toBe(isFull);
            if (record === undefined) continue;
            expect(owned.flat()).not.toContain(record);
            own.push(record);
          } else if (action === 'give' && own.length > 0) {
            user.give(own.splice(pick % own.length, 1)[0] ?? 0);
          } else if (action === 'giveForeign' && others.length > 0) {
            expect(codeOf(() => user.give(others[pick % others.length] ?? 0))).toBe('POOL_NOT_OWNER');
          } else if (action === 'adopt' && others.length > 0) {
            const [record = 0] = others.splice(pick % others.length, 1);
            user.adopt(record, handles[from]?.owner ?? 0n);
            own.push(record);
          } else if (action === 'reopen') {
            expect(user.close()).toBe(own.length);
            owned[handle] = [];
            handles[handle] = Pool.open(arena, region);
          } else if (action === 'repair') {
            expect(user.reclaimDead()).toBe(0);
          }
        }
        const expected = new Map(owned.map((records, handle) => [handles[handle]?.owner, records.length]));
        for (const [owner, count] of handles[0]?.owners() ?? []) expect(count).toBe(expected.get(owner));
        expect(handles[0]?.stats()).toMatchObject({ inUse: owned.flat().length, fallbacks: 0 });
      }),
    );
  });
});

// A death between P2 and P3, or P5 and P6, leaves a free record without a hint: the same as a hint that somebody has wiped out.
describe('a pool whose hints are wrong', () => {
  const CAPACITY = 3000;

  it('finds every free record when all hints are gone, mends them, and finds them by hints again', () => {
    const { arena, region, pool } = makePool({ capacity: CAPACITY, recordLength: 8 });
    arena.bytes.fill(0, region.address + POOL_SUMMARY_OFFSET, region.address + POOL_HINTS_OFFSET + CAPACITY / 8);
    const records = new Set<number>();
    // One take looks at 1,024 owner words: three calls see all.
    for (let missed = 0; missed < 4; ) {
      const record = pool.take();
      if (record === undefined) missed += 1;
      else records.add(record);
    }
    expect(records.size).toBe(CAPACITY);
    expect(pool.stats().fallbacks).toBe(CAPACITY);
    for (const record of records) pool.give(record);
    expect(takeAll(pool)).toHaveLength(CAPACITY);
    expect(pool.stats().fallbacks).toBe(CAPACITY);
  });

  it('mends all that are missing when it reclaims', () => {
    const { arena, region, pool } = makePool({ capacity: CAPACITY, recordLength: 8 });
    arena.bytes.fill(0, region.address + POOL_SUMMARY_OFFSET, region.address + POOL_HINTS_OFFSET + CAPACITY / 8);
    expect(pool.reclaimDead()).toBe(0);
    expect(pool.stats().repairedHints).toBe(CAPACITY);
    expect(takeAll(pool)).toHaveLength(CAPACITY);
    expect(pool.stats().fallbacks).toBe(0);
  });

  it('clears those that are wrong, and hands out no record twice', () => {
    const { arena, region, pool } = makePool({ capacity: CAPACITY, recordLength: 8 });
    const first = takeAll(pool);
    arena.bytes.fill(0xff, region.address + POOL_SUMMARY_OFFSET, region.address + POOL_HINTS_OFFSET + CAPACITY / 8);
    expect(pool.take()).toBeUndefined();
    for (const record of first.slice(0, 10)) pool.give(record);
    expect(takeAll(pool).sort()).toEqual(first.slice(0, 10).sort());
  });
});

describe('a pool that threads share', () => {
  // Acceptable: every take gets a record that nobody has, or none; every record that is given was the giver's all the time. Nothing else. With 12 records and three threads
  // that hold up to 8, hints are wrong and the pool is full all the time; with 1,000 they begin at words of their own.
  it.each([
    { capacity: 12, held: 8 },
    { capacity: 1000, held: 50 },
    { capacity: 1, held: 1 },
  ])('gives no record to two of three: %o', async ({ capacity, held }) => {
    const { arena, region, pool } = makePool({ capacity, recordLength: 16 });
    const peers = [1, 2, 3].map((id) =>
      peerThread<{ wrong: string[]; full: number; closed: number }>(arena, region, 'poolCycle', {
        cycles: 250_000,
        held,
        seed: seed + id,
        id,
      }),
    );
    for (const { wrong, closed } of await Promise.all(peers.map(({ value }) => value))) {
      expect({ wrong, closed }).toEqual({ wrong: [], closed: 0 });
    }
    const { takes, gives, inUse, hits, fallbacks } = pool.stats();
    expect(inUse).toBe(0);
    expect(gives).toBe(takes);
    expect(hits).toBeLessThanOrEqual(takes);
    // What lives loses no hint; a give between two looks of another's take may still be found by its owner word.
    expect(fallbacks / takes).toBeLessThan(0.05);
    expect(takeAll(pool)).toHaveLength(capacity);
    await Promise.all(peers.map((peer) => peer.kill()));
  });

  it('gets back what terminated threads had, by several reclaimers at once', async () => {
    const { arena, region, pool } = makePool({ capacity: 500, recordLength: 16 });
    const random = seededRandom(1);
    for (let round = 0; round < 8; round++) {
      const peers = [1, 2].map((id) =>
        peerThread(arena, region, 'poolStorm', { held: 100, seed: seed + round * 2 + id }),
      );
      const mine = pool.take() ?? 0;
      await Promise.all(peers.map(({ ready }) => ready));
      await new Promise((resolve) => setTimeout(resolve, random() * 20));
      await Promise.all(peers.map((peer) => peer.kill()));
      const reclaimers = [1, 2].map(() => peerThread(arena, region, 'poolReclaim', { rounds: 3 }));
      await until(() => {
        pool.reclaimDead();
        return pool.stats().inUse === 1;
      }, 'only our record is in use');
      await Promise.all(reclaimers.map(({ value }) => value));
      await Promise.all(reclaimers.map((peer) => peer.kill()));
      expect(pool.owners()).toEqual(new Map([[pool.owner, 1]]));
      pool.give(mine);
    }
    expect(pool.reclaimDead()).toBe(0);
    expect(takeAll(pool)).toHaveLength(500);
  });
});

describe('a pool that processes share', requires('koffi'), () => {
  it('gets back every record of processes that were killed in the middle', async () => {
    const { arena, region, pool } = makePool({ capacity: 300, recordLength: 64 }, true);
    const random = seededRandom(2);
    try {
      for (let round = 0; round < 6; round++) {
        const peers = [1, 2].map((id) =>
          peerProcess(arena, region, 'poolStorm', { held: 80, seed: seed + round + id }),
        );
        await Promise.all(peers.map(({ ready }) => ready));
        await new Promise((resolve) => setTimeout(resolve, 5 + random() * 30));
        await Promise.all(peers.map((peer) => peer.kill()));
        await until(() => {
          pool.reclaimDead();
          return pool.stats().inUse === 0;
        }, 'nothing is in use');
        const records = takeAll(pool);
        expect(records).toHaveLength(300);
        for (const record of records) pool.give(record);
      }
      expect(pool.stats().takes).toBeGreaterThan(1800);
    } finally {
      arena.close();
    }
  });

  it('leaves a living process what it has', async () => {
    const { arena, region, pool } = makePool({ capacity: 10, recordLength: 64 }, true);
    const peer = peerProcess<number[]>(arena, region, 'poolHold', { count: 4 });
    try {
      const records = await peer.value;
      expect(pool.reclaimDead()).toBe(0);
      expect(codeOf(() => pool.give(records[0] ?? 0))).toBe('POOL_NOT_OWNER');
      expect(takeAll(pool)).toHaveLength(6);
      await peer.kill();
      expect(pool.reclaimDead()).toBe(4);
    } finally {
      await peer.kill();
      arena.close();
    }
  });
});

describe('a pool with a hostile peer', () => {
  it('is refused when its header cannot be', () => {
    const { arena, region } = makePool({ capacity: 10, recordLength: 64 });
    for (const [offset, value] of [
      [0, 1],
      [4, 11],
      [4, 0],
      [4, 0xffffffff],
      [8, 0],
      [8, 0xfffffff8],
      [12, 100],
    ] as const) {
      const before = arena.view.getUint32(region.address + offset, true);
      arena.view.setUint32(region.address + offset, value, true);
      expect(codeOf(() => Pool.open(arena, region))).toBe('POOL_CORRUPT');
      arena.view.setUint32(region.address + offset, before, true);
    }
    Pool.open(arena, region);
  });

  it('answers records inside of it, or errors, and ends, whatever is written over it', async () => {
    const capacity = 200;
    const { arena, region, pool } = makePool({ capacity, recordLength: 16 });
    const valid = new Set(takeAll(pool));
    for (const record of valid) pool.give(record);
    const peer = peerThread<number>(arena, region, 'scribble', { from: 0, milliseconds: 600, seed });
    await peer.ready;
    const random = seededRandom(3);
    const codes = new Set<string>();
    const end = performance.now() + 700;
    let takes = 0;
    while (performance.now() < end) {
      for (let turn = 0; turn < 500; turn++) {
        const record = pool.take();
        if (record === undefined) continue;
        if (!valid.has(record)) throw new Error(`record ${record}`);
        takes += 1;
        if (random() < 0.9) codes.add(codeOf(() => pool.give(record)));
      }
      pool.stats();
      pool.owners();
    }
    pool.reclaimDead();
    codes.add(codeOf(() => Pool.open(arena, region)));
    pool.close();
    const scribbled = await peer.value;
    expect(scribbled).toBeGreaterThan(1000);
    expect(takes).toBeGreaterThan(0);
    for (const code of codes)
      expect(['none', 'POOL_NOT_OWNER', 'POOL_NOT_TAKEN', 'POOL_CORRUPT', 'ARENA_FULL']).toContain(code);
    await peer.kill();
  });

  it('keeps its own records apart from tokens that are no tokens', () => {
    const { pool } = makePool({ capacity: 4, recordLength: 8 });
    const record = pool.take() ?? 0;
    expect(codeOf(() => pool.adopt(record, 0n))).toBe('POOL_NOT_OWNER');
    expect(codeOf(() => pool.adopt(record, newOwner()))).toBe('POOL_NOT_OWNER');
    expect(new CausewayError('POOL_NOT_OWNER', '').exitCode).toBe(1);
  });
});
