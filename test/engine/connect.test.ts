// The queues and pools of an engine: threads and processes get their ends by connect().

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connect } from '../../src/queue/connection.ts';
import type { QueueConsumer } from '../../src/queue/consumer.ts';
import { CONNECTION_PEER, PeerProcess, PeerThread } from '../support/arena-peer.ts';
import { requires } from '../support/capabilities.ts';
import { openEngine } from './support.ts';

const RECORDS = 20_000;
const folder = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
let names = 0;
const sharedName = (): string => path.join(folder, `causeway-connect-${process.pid}-${names++}`);

interface Consumed {
  count: number;
  next: Record<number, number>;
  disorder?: string;
}

function startThread(): PeerThread {
  const peer = new PeerThread(CONNECTION_PEER);
  onTestFinished(() => peer.kill());
  return peer;
}

function startProcess(): PeerProcess {
  const peer = new PeerProcess([], CONNECTION_PEER);
  onTestFinished(() => peer.kill());
  return peer;
}

/** `count` records, each producer's in its order: how many of each. */
async function take(consumer: QueueConsumer, count: number): Promise<Record<number, number>> {
  const next: Record<number, number> = {};
  let taken = 0;
  while (taken < count && (await consumer.waitForRecordAsync(20_000))) {
    for (const record of consumer.read(Math.min(count - taken, 1024))) {
      const words = Buffer.from(record);
      const id = words.readUInt32LE(0);
      expect(words.readUInt32LE(4)).toBe(next[id] ?? 0);
      next[id] = (next[id] ?? 0) + 1;
      taken += 1;
    }
  }
  return next;
}

const refusal = (code: string, text: string | RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(text) });

describe('engine.connect()', () => {
  it('gives worker threads ends of the queues, also where nothing is shared with other processes', async () => {
    const engine = await openEngine({ source: 'none', queues: { results: { mode: 'mpsc' } } });
    expect(engine.connect().handle).toBeUndefined();
    const consumer = connect(engine.connect()).queue('results').consumer();
    const threads = [startThread(), startThread()];
    await Promise.all(threads.map((one) => one.call('connect', engine.connect())));
    await Promise.all(threads.map((one) => one.call('producer', 'results')));
    const done = Promise.all(threads.map((one, id) => one.call('produce', id, 0, RECORDS)));
    expect(await take(consumer, 2 * RECORDS)).toEqual({ 0: RECORDS, 1: RECORDS });
    await done;
    consumer.close();
  });

  it.each([[true], ['path']])(
    'joins threads and a second process, both ways: share=%s',
    requires('koffi'),
    async (share) => {
      const engine = await openEngine({
        source: 'none',
        queues: { jobs: { mode: 'mpmc' }, results: { mode: 'mpsc' } },
        share: share === 'path' ? sharedName() : true,
      });
      const { handle } = engine.connect();
      const [thread, child] = [startThread(), startProcess()];
      await thread.call('connect', engine.connect());
      const seen = await child.call('connect', handle);
      expect(seen).toEqual({ queues: ['jobs', 'results'], pools: [], isReadOnly: false });
      const peers = [thread, child];
      for (const peer of peers) await peer.call('consumer', 'jobs');
      for (const peer of peers) await peer.call('producer', 'results');
      const consuming = peers.map((peer) => peer.call<Consumed>('consume'));
      const connection = connect(engine.connect());
      const producer = connection.queue('jobs').producer();
      for (let number = 0; number < RECORDS; number++) {
        const job = Buffer.alloc(8);
        job.writeUInt32LE(number, 4);
        while (!producer.offer(job)) await producer.waitForRoomAsync(8, 20_000);
        if (number % 100 === 0) producer.publish();
      }
      producer.close();
      connection.queue('jobs').close();
      const [byThread, byChild] = await Promise.all(consuming);
      expect([byThread?.disorder, byChild?.disorder]).toEqual([undefined, undefined]);
      expect((byThread?.count ?? 0) + (byChild?.count ?? 0)).toBe(RECORDS);
      const results = connection.queue('results').consumer();
      const done = Promise.all(peers.map((peer, id) => peer.call('produce', id, 0, RECORDS)));
      expect(await take(results, 2 * RECORDS)).toEqual({ 0: RECORDS, 1: RECORDS });
      await done;
    },
  );

  it(
    'ends the queues when the engine is closed: who consumes gets the rest, then the end; the name is gone',
    requires('koffi'),
    async () => {
      const name = sharedName();
      const engine = await openEngine({ source: 'none', queues: { news: { mode: 'broadcast' } }, share: name });
      const plan = engine.connect();
      const [thread, child] = [startThread(), startProcess()];
      await thread.call('connect', plan);
      await child.call('connect', name);
      for (const peer of [thread, child]) await peer.call('consumer', 'news');
      const connection = connect(plan);
      const producer = connection.queue('news').producer();
      for (let number = 0; number < 100; number++) producer.offer(Buffer.from([0, 0, 0, 0, number, 0, 0, 0]));
      producer.close();
      await engine.close();
      // Begun after the end: what is in the queue is still there, for threads of this process as well.
      const all = await Promise.all([thread, child].map((peer) => peer.call<Consumed>('consume')));
      expect(all).toEqual([0, 1].map(() => ({ count: 100, next: { 0: 100 } })));
      expect(fs.existsSync(name)).toBe(false);
      expect(() => connect(name)).toThrow(refusal('PATH_MISSING', name));
      expect(() => engine.connect()).toThrow(refusal('ENGINE_CLOSED', 'closed'));
    },
  );

  it('wakes who sleeps on a queue when the engine is closed', requires('koffi'), async () => {
    const engine = await openEngine({ source: 'none', queues: { jobs: { mode: 'mpmc' } }, share: true });
    const [thread, child] = [startThread(), startProcess()];
    await thread.call('connect', engine.connect());
    await child.call('connect', engine.connect().handle);
    for (const peer of [thread, child]) await peer.call('consumer', 'jobs');
    const ends = Promise.all([thread, child].map((peer) => peer.call<Consumed>('consume')));
    const connection = connect(engine.connect());
    await expect
      .poll(() =>
        connection
          .queue('jobs')
          .stats()
          .consumers.every(({ isAsleep }) => isAsleep),
      )
      .toBe(true);
    const before = performance.now();
    await engine.close();
    expect((await ends).map(({ count }) => count)).toEqual([0, 0]);
    expect(performance.now() - before).toBeLessThan(5000);
  });

  it('gets the lane of a killed process back, with what it published and nothing half', requires('koffi'), async () => {
    const engine = await openEngine({
      source: 'none',
      queues: { results: { mode: 'mpsc', producers: 1 } },
      share: true,
    });
    const results = connect(engine.connect()).queue('results');
    const consumer = results.consumer();
    const first = startProcess();
    await first.call('connect', engine.connect().handle);
    await first.call('producer', 'results');
    expect(() => results.producer()).toThrow(refusal('RING_TAKEN', 'producersMax=1'));
    await first.call('produce', 7, 0, 10);
    await first.call('offerUnpublished', 7, 10);
    await first.kill();
    const second = startProcess();
    await second.call('connect', engine.connect().handle);
    await second.call('producer', 'results');
    await second.call('produce', 8, 0, 5);
    expect(await take(consumer, 15)).toEqual({ 7: 10, 8: 5 });
    expect(results.stats()).toMatchObject({ abandonedProducers: 1n });
    expect(consumer.read()).toEqual([]);
  });

  it('hands out again what a killed consumer had claimed', requires('koffi'), async () => {
    const engine = await openEngine({ source: 'none', queues: { jobs: { mode: 'mpmc' } }, share: true });
    const jobs = connect(engine.connect()).queue('jobs');
    const child = startProcess();
    await child.call('connect', engine.connect().handle);
    await child.call('consumer', 'jobs');
    const producer = jobs.producer();
    for (let number = 0; number < 20; number++) producer.offer(Buffer.from([1, 0, 0, 0, number, 0, 0, 0]));
    producer.publish();
    child.call('dieWithRecords').catch(() => {});
    await child.ended;
    const consumer = jobs.consumer();
    expect(await take(consumer, 20)).toEqual({ 1: 20 });
    expect(jobs.stats().redelivered).toBeGreaterThan(0n);
    expect(consumer.read()).toEqual([]);
  });

  it('gives pools to threads and processes; what the killed had comes back', requires('koffi'), async () => {
    const pools = { frames: { capacity: 4, recordLength: 64 } };
    const engine = await openEngine({ source: 'none', pools, share: true });
    const connection = connect(engine.connect());
    using pool = connection.pool('frames');
    const child = startProcess();
    await child.call('connect', engine.connect().handle);
    expect(connection.pools()).toEqual(['frames']);
    for (let taken = 0; taken < 3; taken++) expect(await child.call('take', 'frames')).toBeGreaterThan(0);
    expect(pool.stats().inUse).toBe(3);
    await child.kill();
    expect(pool.reclaimDead()).toBe(3);
    expect(pool.stats()).toMatchObject({ inUse: 0, reclaimed: 3 });
  });
});

describe('what an engine refuses', () => {
  it.each([
    [{ queues: { ['x'.repeat(65)]: { mode: 'spsc' } } }, 'queue "x{65}": bytes of the name=65, min=1, max=64'],
    [{ queues: { '': { mode: 'spsc' } } }, 'bytes of the name=0'],
    [{ queues: { jobs: { mode: 'fifo' } } }, 'queues.jobs.mode'],
    [{ queues: { jobs: { mode: 'spsc', lanes: 3 } } }, 'queues.jobs: .*lanes'],
    [{ queues: { jobs: { mode: 'spsc', producers: 2 } } }, 'queue "jobs": producers=2, min=1, max=1'],
    [{ queues: { jobs: { mode: 'mpmc', producers: 33 } } }, 'queues.jobs.producers'],
    [{ queues: { jobs: { mode: 'mpmc', laneCapacity: 5000 } } }, 'queue "jobs": laneCapacity: .*5000'],
    [{ pools: { frames: { capacity: 0, recordLength: 8 } } }, 'pools.frames.capacity'],
    [{ share: true }, 'share: there are neither queues nor pools'],
  ])('%j', async (options, message) => {
    const opening = openEngine({ source: 'none', ...(options as object) });
    await expect(opening).rejects.toThrow(refusal('CONFIG_INVALID', new RegExp(message)));
  });

  it('connect() without queues and pools', async () => {
    const engine = await openEngine({ source: 'none' });
    expect(() => engine.connect()).toThrow(refusal('CONFIG_INVALID', 'neither queues nor pools'));
  });

  it('to open where a living process shares something, and leaves that alone', requires('koffi'), async () => {
    const name = sharedName();
    const queues = { jobs: { mode: 'mpmc' } } as const;
    await openEngine({ source: 'none', queues, share: name });
    await expect(openEngine({ source: 'none', queues, share: name })).rejects.toThrow(refusal('ARENA_BUSY', name));
    expect(connect(name).queues()).toEqual(['jobs']);
  });
});
