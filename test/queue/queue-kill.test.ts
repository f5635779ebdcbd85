// Producers and consumers that are killed in the middle of whatever they do, and replaced. CAUSEWAY_QUEUE_KILLS=500 makes it as long as the promise in the README.
//
// Each producer is a new one with a number of its own (id), and tells in shared memory, after each publish, how many records it has published. Acceptable:
//   R1  records 0 .. told - 1 of each id are taken at least once: the kill came after the publish.
//   R2  and, if the kill came between publish and telling, the rest of that batch, whole. Nothing of a batch that was not published, nothing torn.
//   R3  what the lanes say was produced is what was taken, each once, but for what a consumer that was killed, or its release, may have had in hand: that may come again
//       (mpsc: what it had drained; mpmc: what it had claimed, and then the queue counts it as redelivered). A broadcast's consumers take everything once.
// Nobody waits for ever: what is killed is replaced, and all go on within seconds.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import type { QueueMode, QueueOptions } from '../../src/queue/plan.ts';
import type { Queue } from '../../src/queue/queue.ts';
import { requires } from '../support/capabilities.ts';
import { type QueuePeer, startPeer, testQueue } from '../support/queue.ts';
import { seed, seededRandom } from '../support/seed.ts';

const KILLS = Number(process.env.CAUSEWAY_QUEUE_KILLS ?? 50);
/** A producer that lives so long ends by itself, and is replaced like one that was killed. */
const PER_ID = 100_000;
const PRODUCERS = 2;
const BATCH_MAX = 24;
const TIMEOUT_MS = 60_000 + KILLS * 1000;

const STOP = 0;
const PROGRESS = 64;

type Kind = 'process' | 'thread';

/** Small lanes: whoever is killed is often waiting, or making others wait. */
function optionsOf(mode: QueueMode): QueueOptions {
  const consumers = mode === 'mpsc' ? 1 : mode === 'mpmc' ? 2 : 3;
  return { mode, producers: PRODUCERS + 1, consumers, laneCapacity: 4096, expireAfterMs: 0 };
}

/** One queue with what keeps it busy. */
class Storm {
  readonly kind: Kind;
  readonly mode: QueueMode;
  readonly queue: Queue;
  readonly scratch: number;
  readonly tally: number;
  readonly peers: QueuePeer[] = [];
  /** Consumers that are never killed. */
  readonly stable: QueuePeer[] = [];
  readonly idsMax: number;
  ids = 0;

  constructor(mode: QueueMode, kind: Kind, kills: number) {
    this.kind = kind;
    this.mode = mode;
    this.idsMax = kills * 4 + 20;
    const tallyOffset = 4096 * Math.ceil((PROGRESS + this.idsMax * 8) / 4096);
    this.queue = testQueue(
      optionsOf(mode),
      kind === 'process',
      tallyOffset + 4096 * Math.ceil((this.idsMax * PER_ID) / 4096),
    );
    this.scratch = this.queue.arena.region(ARENA_REGION_SCRATCH).address;
    this.tally = this.scratch + tallyOffset;
  }

  start(role: 'produce' | 'consume', isStable = false): QueuePeer {
    const stop = this.scratch + STOP;
    if (role === 'produce') {
      const id = this.ids++;
      if (id >= this.idsMax) throw new Error(`no number is left for a producer: id=${id}`);
      const progress = this.scratch + PROGRESS + id * 8;
      const size = { count: PER_ID, batchMax: BATCH_MAX, lengthMax: 120, pauseMs: 1 };
      return startPeer(this.kind, this.queue, { role, id, seed: seed + id, stop, progress, ...size });
    }
    const isBroadcast = this.mode === 'broadcast';
    // Of a broadcast only one counts: all get the same.
    const counted = isBroadcast && !isStable ? {} : { tally: this.tally, perId: PER_ID };
    return startPeer(this.kind, this.queue, {
      role,
      recordsMax: 64,
      seed: seed + this.ids,
      mayRepeat: !isBroadcast,
      // The one that counts ends with the queue.
      ...(isStable ? {} : { stop }),
      ...counted,
    });
  }

  progressOf(id: number): number {
    return Number(Atomics.load(this.queue.arena.u64, (this.scratch + PROGRESS) / 8 + id));
  }

  totalProgress(): number {
    let total = 0;
    for (let id = 0; id < this.ids; id++) total += this.progressOf(id);
    return total;
  }

  /** How often each record of `id` was taken, up to the last that was taken at all. */
  takings(id: number): Uint8Array {
    const all = this.queue.arena.slice(this.tally + id * PER_ID, PER_ID);
    let end = PER_ID;
    while (end > 0 && all[end - 1] === 0) end -= 1;
    return all.subarray(0, end);
  }

  stop(): void {
    Atomics.store(this.queue.arena.i32, (this.scratch + STOP) / 4, 1);
  }
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const end = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`for 20 s it has not come to be that ${what}`);
    await sleep(2);
  }
}

/** Each round somebody is killed after a while, and replaced. Whoever fails by itself ends the test. */
async function rage(storm: Storm, kills: number): Promise<{ consumersKilled: number }> {
  const random = seededRandom(kills);
  const killable = storm.mode === 'broadcast' ? 2 : storm.mode === 'mpmc' ? 2 : 1;
  if (storm.mode === 'broadcast') {
    storm.stable.push(storm.start('consume', true));
    await storm.stable[0]?.next();
  }
  const roles = [...Array<'produce'>(PRODUCERS).fill('produce'), ...Array<'consume'>(killable).fill('consume')];
  for (const role of roles) storm.peers.push(storm.start(role));
  await Promise.all(storm.peers.map((peer) => peer.next()));
  let consumersKilled = 0;
  for (let round = 0; round < kills; round++) {
    const before = storm.totalProgress();
    await until('producers go on', () => storm.totalProgress() > before);
    await sleep(random() * 12);
    await replaceThoseThatEnded(storm, roles);
    const index = Math.floor(random() * roles.length);
    const role = roles[index] as 'produce' | 'consume';
    await storm.peers[index]?.kill();
    if (role === 'consume') consumersKilled += 1;
    const replacement = storm.start(role);
    storm.peers[index] = replacement;
    await replacement.next();
    for (const peer of storm.stable) expect(peer.said.slice(1)).toEqual([]);
  }
  return { consumersKilled };
}

/** Whoever wrote all that it may, or failed. */
async function replaceThoseThatEnded(storm: Storm, roles: readonly ('produce' | 'consume')[]): Promise<void> {
  for (const [index, peer] of storm.peers.entries()) {
    if (peer.said.length < 2) continue;
    expect(await peer.next()).toMatchObject({ done: true });
    const replacement = storm.start(roles[index] as 'produce' | 'consume');
    storm.peers[index] = replacement;
    await replacement.next();
  }
}

/** Those that live end by themselves; what is left is taken by one that reads to the end. */
async function calmDown(storm: Storm): Promise<void> {
  storm.stop();
  for (const peer of storm.peers) expect(await peer.next()).toMatchObject({ done: true });
  storm.queue.unblock();
  storm.queue.close();
  if (storm.mode !== 'broadcast') storm.stable.push(storm.start('consume', true));
  for (const peer of storm.stable) {
    let last = await peer.next();
    if (last.ready) last = await peer.next();
    expect(last).toMatchObject({ done: true, missed: '0' });
  }
}

function check(storm: Storm, consumersKilled: number): void {
  let published = 0;
  let extra = 0;
  for (let id = 0; id < storm.ids; id++) {
    const takings = storm.takings(id);
    const told = storm.progressOf(id);
    expect(takings.indexOf(0), `R1, R2: a hole in id=${id}`).toBe(-1);
    expect(takings.length, `R1: id=${id}`).toBeGreaterThanOrEqual(told);
    expect(takings.length, `R2: id=${id}`).toBeLessThanOrEqual(told + BATCH_MAX + 1);
    published += takings.length;
    extra += takings.reduce((sum, times) => sum + times - 1, 0);
  }
  const stats = storm.queue.stats();
  expect(
    stats.lanes.reduce((sum, { produced }) => sum + Number(produced), 0),
    'R3',
  ).toBe(published);
  expect(stats.lanes.every(({ dropped }) => dropped === 0n)).toBe(true);
  if (storm.mode === 'broadcast') expect(extra).toBe(0);
  if (storm.mode === 'mpmc') expect(extra).toBeLessThanOrEqual(Number(stats.redelivered));
  if (storm.mode === 'mpsc') expect(extra).toBeLessThanOrEqual(consumersKilled * 64);
  expect(storm.queue.stats().lanes.map(({ owner }) => owner)).toEqual(Array(PRODUCERS + 1).fill(0n));
}

async function storm(mode: QueueMode, kind: Kind, kills: number): Promise<void> {
  const raging = new Storm(mode, kind, kills);
  const { consumersKilled } = await rage(raging, kills);
  await calmDown(raging);
  check(raging, consumersKilled);
}

describe('killed producers and consumers', requires('koffi'), () => {
  const modes = ['mpsc', 'mpmc', 'broadcast'] as const;

  test.each(modes)(
    `lose, tear and stop nothing: processes, ${KILLS} times SIGKILL: %s`,
    { timeout: TIMEOUT_MS },
    (mode) => storm(mode, 'process', KILLS),
  );

  test.each(modes)(
    'lose, tear and stop nothing: threads of a private arena, terminated: %s',
    { timeout: TIMEOUT_MS },
    (mode) => storm(mode, 'thread', Math.ceil(KILLS / 5)),
  );
});
