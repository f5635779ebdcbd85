import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import { Arena } from '../../src/arena/arena.ts';
import { FutexGroup } from '../../src/arena/futex-group.ts';
import { loadNative, type Native } from '../../src/arena/native.ts';
import { park, parkAsync, wake } from '../../src/arena/parking.ts';
import { type Peer, PeerProcess, PeerThread } from '../support/arena-peer.ts';
import { requires } from '../support/capabilities.ts';

const ROUNDS = 5000;
/** A missed wake-up shows as a round that takes this long; on the busiest machine a thread runs sooner. */
const MISSED_MS = 20_000;

const peers: Peer[] = [];
const arenas: Arena[] = [];
afterEach(async () => {
  await Promise.all(peers.splice(0).map((peer) => peer.kill()));
  for (const arena of arenas.splice(0)) arena.close();
});

function arenaOf(share: boolean): { arena: Arena; word: number; other: number } {
  const arena = Arena.create({ regions: [{ kind: ARENA_REGION_SCRATCH, length: 4096 }], share });
  arenas.push(arena);
  const word = arena.region(ARENA_REGION_SCRATCH).address;
  return { arena, word, other: word + 128 };
}

async function threadOn(arena: Arena): Promise<PeerThread> {
  const thread = new PeerThread();
  peers.push(thread);
  expect(await thread.call('attach', arena.memory)).toMatchObject({ isShared: arena.isShared });
  return thread;
}

async function processOn(arena: Arena): Promise<PeerProcess> {
  const child = new PeerProcess();
  peers.push(child);
  await child.call('open', arena.handle);
  return child;
}

describe.each([
  { share: false, name: 'a private arena' },
  { share: true, name: 'a shared arena' },
])('parking in $name', ({ share }) => {
  const needs = share ? requires('koffi') : {};

  test('wakes a thread that sleeps, once for each that is asked for', needs, async () => {
    const { arena, word } = arenaOf(share);
    expect(wake(arena, word)).toBe(0);
    const threads = await Promise.all([threadOn(arena), threadOn(arena), threadOn(arena)]);
    const woken = threads.map((thread) => thread.call<number>('park', word, 0, MISSED_MS));
    let ended = 0;
    for (const answer of woken) void answer.then(() => (ended += 1));
    await sleep(300);
    // One that is between two slices of its sleep at this moment is not in the list, and is woken by the change.
    Atomics.store(arena.i32, word / 4, 1);
    expect(wake(arena, word, 1)).toBeLessThanOrEqual(1);
    await sleep(20);
    wake(arena, word);
    for (const answer of woken) expect(await answer).toBeLessThan(MISSED_MS / 2);
    expect(ended).toBe(3);
  });

  test('may end without a change of the word', needs, async () => {
    const { arena, word } = arenaOf(share);
    const thread = await threadOn(arena);
    const parked = thread.call<number>('park', word, 0, MISSED_MS);
    let isOver = false;
    void parked.then(() => {
      isOver = true;
    });
    while (!isOver) {
      wake(arena, word);
      await sleep(5);
    }
    expect(await parked).toBeLessThan(MISSED_MS / 2);
  });

  test('does not begin when the word is another already, whatever its sign', needs, async () => {
    const { arena, word } = arenaOf(share);
    const start = performance.now();
    park(arena, word, 1, MISSED_MS);
    await parkAsync(arena, word, 1, MISSED_MS);
    Atomics.store(arena.i32, word / 4, -2);
    park(arena, word, -3, MISSED_MS);
    expect(performance.now() - start).toBeLessThan(MISSED_MS / 2);
    // The same word as an unsigned number: that one is waited for.
    for (const expected of [-2, 2 ** 32 - 2]) {
      const before = performance.now();
      park(arena, word, expected, 30);
      await parkAsync(arena, word, expected, 30);
      expect(performance.now() - before).toBeGreaterThan(55);
    }
  });

  test('ends when the time is over: not before, and with many slices', needs, async () => {
    const { arena, word } = arenaOf(share);
    for (const timeoutMs of [0, 0.2, 30, 450]) {
      const start = performance.now();
      park(arena, word, 0, timeoutMs);
      const middle = performance.now();
      await parkAsync(arena, word, 0, timeoutMs);
      const end = performance.now();
      expect(middle - start).toBeGreaterThanOrEqual(timeoutMs - 1);
      expect(end - middle).toBeGreaterThanOrEqual(timeoutMs - 1);
      expect(end - start).toBeLessThan(2 * timeoutMs + 5000);
    }
    park(arena, word, 0, -5);
  });

  test('misses no wake-up between two threads', needs, async () => {
    const { arena, word, other } = arenaOf(share);
    const [one, two] = await Promise.all([threadOn(arena), threadOn(arena)]);
    const answers = await Promise.all([
      one?.call('pingPong', { mine: word, theirs: other, rounds: ROUNDS, timeoutMs: MISSED_MS }),
      two?.call('pingPong', { mine: other, theirs: word, rounds: ROUNDS, timeoutMs: MISSED_MS }),
    ]);
    expect(answers).toEqual([ROUNDS, ROUNDS]);
  });

  test('misses no wake-up between a thread that blocks and one with an event loop', needs, async () => {
    const { arena, word, other } = arenaOf(share);
    const [one, two] = await Promise.all([threadOn(arena), threadOn(arena)]);
    const answers = await Promise.all([
      one?.call('pingPong', { mine: word, theirs: other, rounds: ROUNDS, timeoutMs: MISSED_MS }),
      two?.call('pingPong', { mine: other, theirs: word, rounds: ROUNDS, timeoutMs: MISSED_MS, isAsync: true }),
    ]);
    expect(answers).toEqual([ROUNDS, ROUNDS]);
  });

  test('leaves the event loop its turn', needs, async () => {
    const { arena, word } = arenaOf(share);
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 5);
    await parkAsync(arena, word, 0, 300);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(5);
  });

  test('of many at once, by one event loop, holds up neither each other nor files', needs, async () => {
    const { arena, word } = arenaOf(share);
    const count = 24;
    const woken: number[] = [];
    const parked = Array.from({ length: count }, async (_, index) => {
      await parkAsync(arena, word + index * 4, 0, MISSED_MS);
      woken.push(index);
    });
    await sleep(50);
    const start = performance.now();
    for (let turn = 0; turn < 5; turn++) await fs.promises.stat('.');
    const filesMs = performance.now() - start;
    for (let index = count - 1; index >= 0; index--) {
      Atomics.store(arena.i32, word / 4 + index, 1);
      wake(arena, word + index * 4);
    }
    await Promise.all(parked);
    expect(woken).toHaveLength(count);
    expect(performance.now() - start).toBeLessThan(MISSED_MS / 4);
    expect(filesMs).toBeLessThan(1000);
  });

  test('lets go of a thread that is terminated', needs, async () => {
    const { arena, word } = arenaOf(share);
    for (const op of ['park', 'parkAsync']) {
      const thread = await threadOn(arena);
      void thread.call(op, word, 0, MISSED_MS);
      await sleep(50);
      const start = performance.now();
      await thread.kill();
      expect(performance.now() - start).toBeLessThan(MISSED_MS / 4);
    }
  });
});

test('in a private arena is the same as Atomics.wait', async () => {
  const { arena, word } = arenaOf(false);
  const thread = await threadOn(arena);
  const waited = thread.call('atomicsWait', word, 0, MISSED_MS);
  while (wake(arena, word) === 0) await sleep(5);
  expect(await waited).toBe('ok');
});

// As before Linux 5.16, and as it is where the kernel waits for several words at once.
describe.each([false, true])('a group of sleepers (many at once: %s)', (isMany) => {
  const sleeperOf =
    (arena: Arena, word: number) =>
    (index: number, expected = 0) => ({
      i32: arena.i32,
      bytes: arena.slice(word + index * 4, 4),
      index: word / 4 + index,
      expected,
    });

  test.each([1, 3, 200])('of %i wakes those whose word changed, and no others', requires('koffi'), async (count) => {
    const { arena, word } = arenaOf(true);
    const group = new FutexGroup(loadNative() as Native, isMany);
    const sleeper = sleeperOf(arena, word);
    const woken = new Set<number>();
    const sleeps = Array.from({ length: count }, async (_, index) => {
      await group.sleep(sleeper(index), MISSED_MS);
      woken.add(index);
    });
    await sleep(30);
    expect(woken.size).toBe(0);
    for (let index = 0; index < count; index++) {
      Atomics.store(arena.i32, word / 4 + index, 1);
      wake(arena, word + index * 4);
      await sleeps[index];
      expect(woken.size).toBe(index + 1);
    }
  });

  test('keeps each deadline, and takes who comes later', requires('koffi'), async () => {
    const { arena, word } = arenaOf(true);
    const group = new FutexGroup(loadNative() as Native, isMany);
    const sleeper = sleeperOf(arena, word);
    const ended: number[] = [];
    const start = performance.now();
    const late = group.sleep(sleeper(0), 400).then(() => ended.push(400));
    await sleep(20);
    const early = group.sleep(sleeper(1), 40).then(() => ended.push(40));
    await group.sleep(sleeper(2, 1), MISSED_MS).then(() => ended.push(0));
    await Promise.all([late, early]);
    expect(ended).toEqual([0, 40, 400]);
    expect(performance.now() - start).toBeGreaterThan(399);
  });
});

describe('parking between processes', requires('koffi'), () => {
  test.each([false, true])('misses no wake-up (with an event loop: %s)', async (isAsync) => {
    const { arena, word, other } = arenaOf(true);
    const [one, two] = await Promise.all([processOn(arena), processOn(arena)]);
    const answers = await Promise.all([
      one?.call('pingPong', { mine: word, theirs: other, rounds: ROUNDS, timeoutMs: MISSED_MS }),
      two?.call('pingPong', { mine: other, theirs: word, rounds: ROUNDS, timeoutMs: MISSED_MS, isAsync }),
    ]);
    expect(answers).toEqual([ROUNDS, ROUNDS]);
  });

  test('misses no wake-up when several are waited for at once', async () => {
    const { arena, word } = arenaOf(true);
    const games = 6;
    const sides = await Promise.all([processOn(arena), processOn(arena)]);
    const rounds = ROUNDS / 5;
    const answers = sides.flatMap((side, which) =>
      Array.from({ length: games }, (_, game) => {
        const words = [word + game * 256, word + game * 256 + 128];
        const [mine, theirs] = which === 0 ? words : words.reverse();
        return side.call('pingPong', { mine, theirs, rounds, timeoutMs: MISSED_MS, isAsync: true });
      }),
    );
    expect(await Promise.all(answers)).toEqual(answers.map(() => rounds));
  });

  test('wakes a reader, which may not write', async () => {
    const { arena, word } = arenaOf(true);
    const child = new PeerProcess();
    peers.push(child);
    await child.call('open', arena.handle, { readOnly: true });
    const parked = child.call<number>('park', word, 0, MISSED_MS);
    await sleep(50);
    Atomics.add(arena.i32, word / 4, 1);
    wake(arena, word);
    expect(await parked).toBeLessThan(MISSED_MS / 2);
    expect(await child.call('wake', word)).toBe(0);
  });

  test('holds up no process that ends', async () => {
    const { arena, word } = arenaOf(true);
    const child = await processOn(arena);
    for (let count = 0; count < 6; count++) void child.call('parkAsync', word, 0, MISSED_MS);
    await sleep(50);
    const start = performance.now();
    void child.call('exit', 3);
    await child.ended;
    expect(child.child.exitCode).toBe(3);
    expect(performance.now() - start).toBeLessThan(MISSED_MS / 4);
  });
});
