// Queues and pools by name: who can connect to what, and what is refused.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { ARENA_REGION_POOL, ARENA_REGION_QUEUE } from '../../layout/arena.ts';
import { POOL_MAGIC_OFFSET } from '../../layout/pool.ts';
import { QUEUE_LANES_OFFSET, QUEUE_MAGIC, QUEUE_MAGIC_OFFSET, QUEUE_NAME_OFFSET } from '../../layout/queue.ts';
import { STATUS_CLOSED } from '../../layout/status.ts';
import { Arena } from '../../src/arena/arena.ts';
import { Connection, type ConnectionOptions, connect } from '../../src/queue/connection.ts';
import { queueRegion } from '../../src/queue/queue.ts';
import { CONNECTION_PEER, PeerProcess } from '../support/arena-peer.ts';
import { requires } from '../support/capabilities.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const folder = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
const cleanups: (() => unknown)[] = [];
let names = 0;

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const sharedName = (): string => path.join(folder, `causeway-connection-${process.pid}-${names++}`);

function create(options: ConnectionOptions): Connection {
  const connection = Connection.create(options);
  cleanups.push(() => connection.close());
  return connection;
}

function open(...args: Parameters<typeof connect>): Connection {
  const connection = connect(...args);
  cleanups.push(() => connection.close());
  return connection;
}

const refusal = (code: string, text: string | RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(text) });

const TWO = {
  queues: { jobs: { mode: 'mpmc' }, résultats: { mode: 'mpsc', producers: 3 } },
  pools: { frames: { capacity: 10, recordLength: 100 } },
} as const;

describe('a connection', () => {
  test('finds queues and pools by name, in any thread of the process', () => {
    const made = create(TWO);
    expect(made.handle).toBeUndefined();
    const other = open(made.plan);
    for (const connection of [made, other]) {
      expect(connection.queues()).toEqual(['jobs', 'résultats']);
      expect(connection.pools()).toEqual(['frames']);
      expect(connection.queue('résultats').plan).toMatchObject({ mode: 'mpsc', lanes: 3, name: 'résultats' });
    }
    expect(other.queue('jobs')).toBe(other.queue('jobs'));
    using producer = made.queue('jobs').producer();
    using consumer = other.queue('jobs').consumer();
    producer.send(Buffer.from('hello'));
    expect(consumer.read().map((record) => Buffer.from(record).toString())).toEqual(['hello']);
    using pool = other.pool('frames');
    expect(pool.take()).toBeGreaterThan(0);
  });

  test('is opened by another mapping of the same process', requires('koffi'), () => {
    const made = create({ ...TWO, share: true });
    const other = open(made.handle ?? '');
    using producer = made.queue('jobs').producer();
    using consumer = other.queue('jobs').consumer();
    producer.send(Buffer.from('hello'));
    expect(consumer.read()).toHaveLength(1);
    expect(other.arena.memory).not.toBe(made.arena.memory);
  });

  test('goes by its handle where a memory does not arrive', requires('koffi'), async () => {
    const made = create({ ...TWO, share: true });
    const child = new PeerProcess([], CONNECTION_PEER);
    cleanups.push(() => child.kill());
    // As fork() sends it.
    const plan = JSON.parse(JSON.stringify(made.plan));
    expect(await child.call('connect', plan)).toMatchObject({ queues: ['jobs', 'résultats'], pools: ['frames'] });
  });

  test('keeps the endpoints that are open when it is closed', requires('koffi'), () => {
    const made = create({ ...TWO, share: true });
    const other = connect(made.handle ?? '');
    const producer = other.queue('jobs').producer();
    other.close();
    other.close();
    producer.send(Buffer.from('late'));
    producer.close();
    using consumer = made.queue('jobs').consumer();
    expect(consumer.read()).toHaveLength(1);
    expect(made.queue('jobs').isClosed).toBe(false);
  });

  test.each(['close', 'end'])('gives records to a loop until the %s', async (how) => {
    const made = create(TWO);
    const consumer = open(made.plan).queue('jobs').consumer();
    const taken: string[] = [];
    const loop = (async () => {
      for await (const record of consumer) taken.push(Buffer.from(record).toString());
    })();
    using producer = made.queue('jobs').producer();
    for (const text of ['one', 'two']) {
      producer.send(Buffer.from(text));
      await expect.poll(() => taken).toContain(text);
    }
    // It sleeps now.
    await expect.poll(() => made.queue('jobs').stats().consumers[0]?.isAsleep).toBe(true);
    if (how === 'close') consumer.close();
    else made.queue('jobs').close();
    await loop;
    consumer.close();
    expect(taken).toEqual(['one', 'two']);
  });

  test.each(['mpmc', 'mpsc'] as const)('leaves to the next one what a loop did not come to: %s', async (mode) => {
    const queue = create({ queues: { jobs: { mode } } }).queue('jobs');
    using producer = queue.producer();
    for (let number = 0; number < 5; number++) producer.offer(Buffer.from([number]));
    producer.publish();
    const first = queue.consumer();
    for await (const record of first) if (record[0] === 1) break;
    // The same consumer goes on behind it.
    for await (const record of first) {
      expect(record[0]).toBe(2);
      break;
    }
    // Others get the batch again: nothing of it was done with when it was left.
    first.close();
    using second = queue.consumer();
    const again: (number | undefined)[] = [];
    queue.close();
    for await (const record of second) again.push(record[0]);
    expect(again).toEqual([0, 1, 2, 3, 4]);
  });

  test('ends the queues when its creator closes it', () => {
    const made = Connection.create(TWO);
    using consumer = connect(made.plan).queue('jobs').consumer();
    using producer = made.queue('jobs').producer();
    producer.send(Buffer.from('last'));
    made.close();
    made.close();
    expect(consumer.drain(() => {})).toBe(1);
    expect(consumer.drain(() => {})).toBe(STATUS_CLOSED);
  });

  test('waits for a creator that is about to make its queues', requires('koffi'), async () => {
    const name = sharedName();
    const options = { mode: 'mpsc', name: 'late' } as const;
    const arena = Arena.create({ regions: [queueRegion(options)], share: name });
    cleanups.push(() => arena.close());
    // Nobody makes it: after its patience the queue counts as one that cannot be read.
    const before = performance.now();
    const connection = open(name);
    expect(performance.now() - before).toBeGreaterThan(500);
    expect(connection.queues()).toEqual([]);
    expect(() => connection.queue('late')).toThrow(
      refusal('CONFIG_INVALID', 'no queue "late": there is none; 1 cannot be read'),
    );
  });
});

describe('read-only', requires('koffi'), () => {
  test('reads lossy broadcasts, and is refused what would write', () => {
    const made = create({
      queues: { news: { mode: 'broadcast-lossy' }, jobs: { mode: 'mpmc' } },
      pools: TWO.pools,
      share: true,
    });
    const reader = open(made.handle ?? '', { readOnly: true });
    using consumer = reader.queue('news').consumer();
    using producer = made.queue('news').producer();
    producer.send(Buffer.from('seen'));
    expect(consumer.read()).toHaveLength(1);
    const invalid = refusal('CONFIG_INVALID', 'read-only');
    expect(() => reader.queue('news').producer()).toThrow(invalid);
    expect(() => reader.queue('jobs').consumer()).toThrow(invalid);
    expect(() => reader.queue('jobs').close()).toThrow(invalid);
    expect(() => reader.queue('jobs').unblock()).toThrow(invalid);
    expect(() => reader.pool('frames')).toThrow(invalid);
    expect(reader.queue('jobs').stats().lanes).toHaveLength(8);
    reader.close();
    expect(made.queue('jobs').isClosed).toBe(false);
  });

  test('is not for threads, which share one mapping', () => {
    const made = create({ ...TWO, share: true });
    expect(() => connect(made.plan, { readOnly: true })).toThrow(refusal('CONFIG_INVALID', 'readOnly is for a path'));
  });
});

describe('is refused', () => {
  test('a name that is not there, with those that are', () => {
    const made = create(TWO);
    expect(() => made.queue('job')).toThrow(refusal('CONFIG_INVALID', 'no queue "job": there are "jobs", "résultats"'));
    expect(() => made.pool('jobs')).toThrow(refusal('CONFIG_INVALID', 'no pool "jobs": there are "frames"'));
    expect(() => create({ queues: { a: { mode: 'spsc' } } }).pool('x')).toThrow(
      refusal('CONFIG_INVALID', 'there is none'),
    );
  });

  test('nothing to connect to', requires('koffi'), () => {
    expect(() => connect(sharedName())).toThrow(refusal('PATH_MISSING', 'ENOENT'));
    expect(() => connect('/proc/4194304/fd/3')).toThrow(refusal('PATH_MISSING', 'ENOENT'));
    expect(() => connect('')).toThrow(refusal('CONFIG_INVALID', 'neither a memory nor a handle'));
    expect(() => connect({} as never)).toThrow(refusal('CONFIG_INVALID', 'neither a memory nor a handle'));
    const file = path.join(temporaryDirectory('text'), 'text');
    fs.writeFileSync(file, 'no arena');
    expect(() => connect(file)).toThrow(refusal('ARENA_CORRUPT', 'magic='));
  });

  test('a handle whose process was killed', requires('koffi'), async () => {
    const child = new PeerProcess([], CONNECTION_PEER);
    const handle = await child.call<string>('create', { ...TWO, share: true });
    expect(open(handle).queues()).toHaveLength(2);
    await child.kill();
    expect(() => connect(handle)).toThrow(refusal('PATH_MISSING', handle));
  });

  test('nothing at all', () => {
    expect(() => Connection.create({})).toThrow(refusal('CONFIG_INVALID', 'neither a queue nor a pool'));
  });
});

describe('a hostile peer', requires('koffi'), () => {
  test('spoils its own queue, and not those beside it', () => {
    const made = create({ ...TWO, share: true });
    const at = made.arena.region(ARENA_REGION_QUEUE, 0).address;
    made.arena.view.setUint32(at + QUEUE_LANES_OFFSET, 0xffffffff, true);
    const other = open(made.handle ?? '');
    expect(other.queues()).toEqual(['résultats']);
    expect(() => other.queue('jobs')).toThrow(refusal('CONFIG_INVALID', '1 cannot be read'));
    using consumer = other.queue('résultats').consumer();
    expect(consumer.read()).toEqual([]);
    // Whoever opened it before goes by its own copy.
    using producer = made.queue('jobs').producer();
    expect(producer.offer(Buffer.from('x'))).toBe(true);
  });

  test('gets no name past 64 bytes, and no invalid UTF-8 into a crash', () => {
    const made = create({ ...TWO, share: true });
    const at = made.arena.region(ARENA_REGION_QUEUE, 0).address + QUEUE_NAME_OFFSET;
    made.arena.bytes.fill(0xff, at, at + 64);
    const other = open(made.handle ?? '');
    expect(other.queues().length).toBeGreaterThanOrEqual(1);
    for (const region of made.arena.regions().filter(({ kind }) => kind === ARENA_REGION_POOL)) {
      made.arena.view.setUint32(region.address + POOL_MAGIC_OFFSET, QUEUE_MAGIC, true);
    }
    expect(other.pools()).toEqual([]);
    made.arena.view.setUint32(made.arena.region(ARENA_REGION_QUEUE, 1).address + QUEUE_MAGIC_OFFSET, 1, true);
    expect(() => other.queue('résultats')).toThrow(refusal('CONFIG_INVALID', 'cannot be read'));
  });
});
