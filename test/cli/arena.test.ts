// `causeway arena`: what it lists, what it shows, and that it only looks.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ARENA_REGION_COUNT_OFFSET,
  ARENA_REGION_ENDPOINTS,
  ARENA_REGION_POOL,
  ARENA_REGION_QUEUE,
  ARENA_REGION_RING,
  ARENA_REGIONS_OFFSET,
} from '../../layout/arena.ts';
import { POOL_CAPACITY_OFFSET } from '../../layout/pool.ts';
import { QUEUE_MODE_OFFSET, QUEUE_NAME_OFFSET } from '../../layout/queue.ts';
import { RING_PRODUCER_POSITION_OFFSET } from '../../layout/ring.ts';
import { Arena } from '../../src/arena/arena.ts';
import { newOwner } from '../../src/arena/owner.ts';
import { createRing, ringRegionLength, SpscProducer } from '../../src/arena/ring.ts';
import { instantiate } from '../../src/arena/wasm.ts';
import { Connection } from '../../src/queue/connection.ts';
import { laneAddress } from '../../src/queue/place.ts';
import { CONNECTION_PEER, PeerProcess } from '../support/arena-peer.ts';
import { requires } from '../support/capabilities.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { Command, jsonLines, MAIN, run } from './run.ts';

const OPTIONS = {
  queues: { jobs: { mode: 'mpmc', laneCapacity: 4096 }, news: { mode: 'broadcast-lossy' } },
  pools: { frames: { capacity: 4, recordLength: 4096 } },
} as const;

const folder = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
const name = path.join(folder, `causeway-cli-${process.pid}`);
let connection: Connection;
const cleanups: (() => unknown)[] = [];

beforeEach(() => {
  connection = Connection.create({ ...OPTIONS, share: name });
  cleanups.push(() => connection.close());
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe('causeway arena', requires('koffi'), () => {
  it('lists memfds and files, with their creators and queues', async () => {
    const child = new PeerProcess([], CONNECTION_PEER);
    cleanups.push(() => child.kill());
    const handle = await child.call<string>('create', { queues: { other: { mode: 'spsc' } }, share: true });
    const { exitCode, stdout } = await run(['arena']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      new RegExp(
        `^${name} .*\\(${process.pid}\\) .*jobs \\(mpmc\\), news \\(broadcast-lossy\\), frames \\(pool\\)`,
        'm',
      ),
    );
    expect(stdout).toMatch(new RegExp(`^${handle} .*\\(${child.pid}\\) +1 process +other \\(spsc\\)`, 'm'));
    const lines = jsonLines((await run(['arena', '--json'])).stdout);
    const listed = lines.find(({ data }) => data.handle === name);
    expect(listed).toMatchObject({ type: 'arena', data: { creator: { pid: process.pid, alive: true }, error: null } });
    expect(listed?.data.pids).toContain(process.pid);
  });

  it('shows queues, owners, fill and rates of a living arena, and changes nothing in it', async () => {
    const queue = connection.queue('jobs');
    const producer = queue.producer();
    const consumer = queue.consumer();
    const pool = connection.pool('frames');
    cleanups.push(() => [producer, consumer, pool].map((one) => one.close()));
    pool.take();
    for (let count = 0; count < 30; count++) producer.offer(Buffer.alloc(100));
    producer.publish();
    producer.drop(7);
    consumer.read(10);
    const before = queue.stats();
    const { exitCode, stdout } = await run(['arena', name, '--json', '--once', '--interval', '0.2']);
    expect(exitCode).toBe(0);
    expect(queue.stats()).toEqual(before);
    const [line, ...more] = jsonLines(stdout);
    expect(more).toEqual([]);
    expect(line).toMatchObject({ type: 'arena', data: { handle: name, damaged: [], rings: [] } });
    const [jobs, news] = line?.data.queues ?? [];
    expect(jobs).toMatchObject({
      name: 'jobs',
      mode: 'mpmc',
      producersMax: 8,
      laneCapacity: 4096,
      closed: false,
      counts: { produced: 30, delivered: 10, dropped: 7, lapped: 0 },
      rates: { produced: 0, delivered: 0, dropped: 0, lapped: 0 },
      waitingBytes: 20 * 112,
    });
    expect(jobs.lanes[0].owner).toMatchObject({ pid: process.pid, alive: true });
    expect(jobs.consumers).toMatchObject([{ slot: 0, owner: { pid: process.pid }, delivered: 10, asleep: false }]);
    expect(news).toMatchObject({ name: 'news', waitingBytes: null });
    expect(line?.data.pools).toMatchObject([
      { name: 'frames', capacity: 4, inUse: 1, owners: [{ records: 1, owner: { pid: process.pid } }] },
    ]);
  });

  it('tells the rates of what goes on', async () => {
    const producer = connection.queue('jobs').producer();
    const consumer = connection.queue('jobs').consumer();
    cleanups.push(() => [producer, consumer].map((one) => one.close()));
    const timer = setInterval(() => {
      for (let count = 0; count < 10; count++) if (!producer.offer(Buffer.alloc(16))) producer.drop(1);
      producer.publish();
      consumer.read();
    }, 10);
    cleanups.push(() => clearInterval(timer));
    const { stdout } = await run(['arena', name, '--json', '--seconds', '1.2', '--interval', '0.3']);
    const rates = jsonLines(stdout).map(({ data }) => data.queues[0].rates?.produced);
    expect(rates.length).toBeGreaterThanOrEqual(3);
    expect(Math.max(...rates.slice(1))).toBeGreaterThan(100);
  });

  it('prints one picture into a pipe, in words, by path, descriptor or pid', async () => {
    const { stdout, exitCode } = await run(['arena', name]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${name}\\n.* shared by .*\\(${process.pid}\\): 2 queues, 1 pool\\n`));
    expect(stdout).toMatch(/^jobs +mpmc +░{10} +0 %/m);
    expect(stdout).toMatch(/^news +broadcast-lossy +-/m);
    expect(stdout.match(/^QUEUE/gm)).toHaveLength(1);
    const child = new PeerProcess([], CONNECTION_PEER);
    cleanups.push(() => child.kill());
    const handle = await child.call<string>('create', { queues: { other: { mode: 'spsc' } }, share: true });
    for (const target of [handle, String(child.pid)]) {
      expect((await run(['arena', target, '--once'])).stdout).toMatch(/^other +spsc/m);
    }
  });

  it('shows rings as well', async () => {
    const regions = [{ kind: ARENA_REGION_RING, number: 5, length: ringRegionLength(8192) }];
    const arena = Arena.create({ regions, share: true });
    cleanups.push(() => arena.close());
    const wasm = instantiate(arena);
    const ring = { address: arena.region(ARENA_REGION_RING, 5).address, capacity: 8192 };
    createRing(wasm, ring);
    const owner = newOwner();
    const producer = new SpscProducer({ arena, wasm, ring, state: arena.takeEndpoint(owner).address, owner });
    producer.offer(Buffer.alloc(2048 - 8));
    producer.publish();
    producer.drop(3);
    const target = arena.handle ?? '';
    const [line] = jsonLines((await run(['arena', target, '--json', '--once', '--interval', '0.1'])).stdout);
    expect(line?.data.rings).toMatchObject([
      {
        number: 5,
        capacity: 8192,
        waitingBytes: 2048,
        produced: 2048,
        consumed: 0,
        rates: { produced: 0, consumed: 0 },
        dropped: 3,
        producer: { pid: process.pid },
        consumer: null,
      },
    ]);
    expect((await run(['arena', target])).stdout).toMatch(/^ring 5 +██▌░{7} +2.0 kB of 8.2 kB/m);
  });

  it('names the dead', async () => {
    const child = new PeerProcess([], CONNECTION_PEER);
    await child.call('connect', name);
    await child.call('producer', 'jobs');
    await child.call('produce', 1, 0, 5);
    await child.kill();
    const { stdout } = await run(['arena', name]);
    expect(stdout).toMatch(new RegExp(`lane 0 +dead \\(${child.pid}\\) .*5 produced`));
  });

  it('shows the arena of a creator that was killed, as long as somebody has it', async () => {
    const child = new PeerProcess([], CONNECTION_PEER);
    const handle = await child.call<string>('create', { queues: { left: { mode: 'spsc' } }, share: true });
    const command = new Command(['arena', handle, '--json', '--interval', '0.2']);
    cleanups.push(() => command.child.kill('SIGKILL'));
    await command.until('"alive":true');
    await child.kill();
    await command.until('"alive":false');
    command.child.kill('SIGINT');
    expect(await command.finished).toMatchObject({ exitCode: 0, stderr: '' });
  });

  it('draws over its last picture on a terminal, and ends with Ctrl-C', requires('script'), async () => {
    const log = path.join(temporaryDirectory('terminal'), 'log');
    const shell = `stty rows 24 cols 70; exec '${process.execPath}' '${MAIN}' arena '${name}' --interval 0.1`;
    const child = spawn('script', ['-qec', shell, log], { stdio: ['pipe', 'ignore', 'ignore'] });
    cleanups.push(() => child.kill('SIGKILL'));
    await expect.poll(() => fs.readFileSync(log, 'utf8'), { timeout: 20_000 }).toMatch(/jobs.*jobs/s);
    child.stdin.write('\x03');
    const [exitCode] = await once(child, 'exit');
    expect(exitCode).toBe(0);
    const text = fs.readFileSync(log, 'utf8');
    expect(text).toContain('causeway arena');
    expect(text).toContain('\x1b[?25h');
  });

  it('is refused what is no arena, with its code', async () => {
    const file = path.join(temporaryDirectory('text'), 'text');
    fs.writeFileSync(file, 'no arena');
    for (const [target, code, exitCode] of [
      ['/dev/shm/nothing-there', 'PATH_MISSING', 3],
      [String(process.ppid), 'PATH_MISSING', 3],
      [file, 'ARENA_CORRUPT', 5],
    ] as const) {
      const result = await run(['arena', target, '--json']);
      expect(result.exitCode).toBe(exitCode);
      expect(jsonLines(result.stdout)).toMatchObject([{ type: 'error', data: { code } }]);
      if (code === 'PATH_MISSING') expect(result.stderr).toContain('causeway arena lists');
    }
  });

  it('is refused another user’s arena', requires('otherUser'), async () => {
    const refused = await run(['arena', name], { unprivileged: true });
    expect([refused.exitCode, refused.stderr]).toEqual([4, expect.stringContaining('EACCES')]);
    const { stdout, exitCode } = await run(['arena'], { unprivileged: true });
    expect([exitCode, stdout]).toEqual([0, expect.not.stringContaining(name)]);
  });
});

describe('a hostile arena', requires('koffi'), () => {
  it('is told damaged part by part, and never crashes who looks', async () => {
    const { view, u64 } = connection.arena;
    const queues = connection.arena.regions().filter(({ kind }) => kind === ARENA_REGION_QUEUE);
    const jobs = connection.queue('jobs');
    u64[(laneAddress(jobs, 3) + RING_PRODUCER_POSITION_OFFSET) / 8] = 0xffff_ffff_ffff_fff8n;
    view.setUint32((queues[1]?.address ?? 0) + QUEUE_MODE_OFFSET, 99, true);
    view.setUint32(connection.arena.region(ARENA_REGION_POOL).address + POOL_CAPACITY_OFFSET, 0xffffffff, true);
    const { exitCode, stdout } = await run(['arena', name, '--json', '--once', '--interval', '0.1']);
    expect(exitCode).toBe(0);
    expect(jsonLines(stdout)[0]?.data.damaged).toMatchObject([
      { kind: 'queue', number: 0, code: 'RING_CORRUPT', message: expect.stringContaining('lane=3') },
      { kind: 'queue', number: 1, code: 'RING_CORRUPT', message: expect.stringContaining('mode=99') },
      { kind: 'pool', number: 0, code: 'POOL_CORRUPT' },
    ]);
    expect((await run(['arena', name])).stdout).toMatch(/^queue 0: RING_CORRUPT .*position/m);
  });

  it('cannot write to the terminal by the name of a queue', async () => {
    const at = connection.arena.region(ARENA_REGION_QUEUE).address + QUEUE_NAME_OFFSET;
    connection.arena.bytes.set(Buffer.from('\x1b]0;owned\x07\n'), at);
    const { stdout } = await run(['arena', name]);
    expect(stdout).not.toContain('\x1b');
    expect(stdout).toContain('\\x1b]0;owned\\x07\\n');
  });

  it('is looked at while somebody scribbles over all of it', async () => {
    const { bytes } = connection.arena;
    const end = connection.arena.region(ARENA_REGION_ENDPOINTS).address;
    let state = 1;
    const scribble = setInterval(() => {
      for (let at = ARENA_REGIONS_OFFSET; at < end; at += 97) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        bytes[at] = state >>> 24;
      }
    }, 5);
    cleanups.push(() => clearInterval(scribble));
    const { exitCode, stderr } = await run(['arena', name, '--json', '--seconds', '2', '--interval', '0.05']);
    expect([exitCode, stderr]).toEqual([0, '']);
  });

  it('with a header that lies is refused', async () => {
    const fd = fs.openSync(name, 'r+');
    fs.writeSync(fd, Buffer.from([0xff, 0xff, 0xff, 0xff]), 0, 4, ARENA_REGION_COUNT_OFFSET);
    fs.closeSync(fd);
    const { exitCode, stderr } = await run(['arena', name]);
    expect(exitCode).toBe(5);
    expect(stderr).toContain('regions=4294967295');
    const { stdout } = await run(['arena']);
    expect(stdout).toMatch(new RegExp(`^${name} .*regions=4294967295`, 'm'));
  });
});
