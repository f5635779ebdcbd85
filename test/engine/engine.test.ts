import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import type { EngineOptions, StreamItem } from '../../src/engine/types.ts';
import { requires } from '../support/capabilities.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { isEvent, isGap, openEngine, readAll, sh } from './support.ts';

describe('Engine.open', () => {
  test.each<[EngineOptions, RegExp, string]>([
    [{ paths: ['/nonexistent/path'] }, /no such file or directory: \/nonexistent\/path/, 'PATH_MISSING'],
    [{ source: 'inotify' }, /at least one path/, 'CONFIG_INVALID'],
    [{ source: 'none', ringCapacity: 5000 }, /ringCapacity.*5000 is not a power of two/, 'CONFIG_INVALID'],
    [{ source: 'none', filter: { types: ['fs.nothing'] } }, /'fs.nothing' matches none/, 'CONFIG_INVALID'],
    [{ source: 'none', colour: 'red' } as EngineOptions, /colour/, 'CONFIG_INVALID'],
    [{ source: { trace: '/nonexistent.trace' } }, /nonexistent.trace/, 'PATH_MISSING'],
  ])('refuses %o with the value in the message', async (options, message, code) => {
    await expect(Engine.open(options)).rejects.toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  test('refuses a journal that another engine holds, and takes it when that one is closed', async () => {
    const journal = path.join(temporaryDirectory(), 'j');
    const first = await openEngine({ source: 'none', journal });
    await expect(Engine.open({ source: 'none', journal })).rejects.toThrow(
      expect.objectContaining({ code: 'JOURNAL_BUSY', message: expect.stringContaining(String(process.pid)) }),
    );
    await first.close();
    await openEngine({ source: 'none', journal });
  });

  test('is refused by an aborted signal, and closed by one that aborts later', async () => {
    await expect(Engine.open({ source: 'none', signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    const controller = new AbortController();
    const engine = await openEngine({ source: 'none', signal: controller.signal });
    const ended = engine.events().next();
    controller.abort();
    expect((await ended).value?.type ?? 'end').toMatch(/caughtUp|end/);
    await engine.close();
    await expect(engine.emit({ type: 'fs.write' })).rejects.toThrow(expect.objectContaining({ code: 'ENGINE_CLOSED' }));
  });
});

describe('emit and events', () => {
  test('gives back what was emitted, in order, with growing sequences, at every durability', async () => {
    const engine = await openEngine({ source: 'none', journal: path.join(temporaryDirectory(), 'j') });
    const sequences: bigint[] = [];
    for (const durability of ['memory', 'process', 'group', 'sync'] as const) {
      const payload = Buffer.from(durability);
      sequences.push(await engine.emit({ type: 'agent.decision', path: `/x/${durability}`, payload }, { durability }));
    }
    expect(sequences).toEqual([1n, 2n, 3n, 4n]);
    const items = (await readAll(engine)).filter(isEvent);
    expect(
      items.map((item) => [item.sequence, item.type, item.path, Buffer.from(item.payload ?? []).toString()]),
    ).toEqual([
      [1n, 'agent.decision', '/x/memory', 'memory'],
      [2n, 'agent.decision', '/x/process', 'process'],
      [3n, 'agent.decision', '/x/group', 'group'],
      [4n, 'agent.decision', '/x/sync', 'sync'],
    ]);
    expect(engine.stats().journal.durableSequence).toBe(4n);
  });

  test('refuses events that cannot be, and goes on', async () => {
    const engine = await openEngine({ source: 'none' });
    await expect(engine.emit({ type: 'fs.nothing' as 'fs.write' })).rejects.toThrow(/fs.nothing/);
    await expect(engine.emit({ type: 'fs.write', path: 'x'.repeat(4096) })).rejects.toThrow(/4096.*4095/);
    await expect(engine.emit({ type: 'fs.write', payload: new Uint8Array(65537) })).rejects.toThrow(/65537.*65536/);
    expect(await engine.emit({ type: 'fs.write', path: 'x'.repeat(4095), payload: new Uint8Array(65536) })).toBe(1n);
  });

  test('starts where it is told, says once that it has caught up, and ends with the engine behind the last event', async () => {
    const engine = await openEngine({ source: 'none' });
    for (let i = 0; i < 5; i++) await engine.emit({ type: 'agent.query' });
    const read = async (since: bigint | 'start' | 'now') => {
      const found: string[] = [];
      for await (const item of engine.events({ since }))
        found.push(item.type === 'caughtUp' ? `caughtUp ${item.sequence}` : `${item.sequence}`);
      return found;
    };
    const readers = [read('start'), read(4n), read('now'), read(7n)];
    for (let i = 0; i < 3; i++) await engine.emit({ type: 'agent.query' });
    await engine.close();
    expect(await Promise.all(readers)).toEqual([
      ['1', '2', '3', '4', '5', 'caughtUp 5', '6', '7', '8'],
      ['4', '5', 'caughtUp 5', '6', '7', '8'],
      ['caughtUp 5', '6', '7', '8'],
      ['caughtUp 5', '7', '8'],
    ]);
  });

  test('filters by type, path and pid, and shows gaps whatever the filter', async () => {
    const engine = await openEngine({ source: 'none' });
    await engine.emit({ type: 'fs.write', path: '/a/b/c', pid: 1 });
    await engine.emit({ type: 'fs.read', path: '/a/b/c', pid: 2 });
    await engine.emit({ type: 'fs.rename', path: '/z', path2: '/a/b', pid: 2 });
    await engine.emit({ type: 'access.open', path: '/a/bc', pid: 3 });
    const sequences = async (filter: object) => (await readAll(engine, filter)).map((item) => Number(item.sequence));
    expect(await sequences({ types: ['fs.*'] })).toEqual([1, 2, 3]);
    expect(await sequences({ types: ['access.open', 'fs.read'] })).toEqual([2, 4]);
    expect(await sequences({ path: '/a/b' })).toEqual([1, 2, 3]);
    expect(await sequences({ path: '/a/**' })).toEqual([1, 2, 3, 4]);
    expect(await sequences({ pid: [2, 3] })).toEqual([2, 3, 4]);
    expect(await sequences({ pid: 2, types: ['fs.rename'] })).toEqual([3]);
  });

  test('gives a slow reader everything, however far the journal has gone on', async () => {
    const directory = path.join(temporaryDirectory(), 'j');
    const engine = await openEngine({ source: 'none', journal: { directory, segmentLength: 65536 } });
    const stream = engine.batches();
    const payload = new Uint8Array(500);
    const count = 3000;
    for (let i = 0; i < count; i++) await engine.emit({ type: 'agent.query', payload });
    let next = 1n;
    for await (const batch of stream) {
      for (const item of batch) {
        if (item.type === 'caughtUp') continue;
        expect(item.sequence).toBe(next);
        next += 1n;
      }
      if (next > BigInt(count)) break;
    }
    expect(engine.stats().journal.segments).toBeGreaterThan(20);
  });

  test('keeps what was acknowledged for the next engine on the same journal', async () => {
    const journal = path.join(temporaryDirectory(), 'j');
    const first = await openEngine({ source: 'none', journal });
    await first.emit({ type: 'fs.write', path: '/first' });
    await first.close();
    const second = await openEngine({ source: 'none', journal });
    expect(await second.emit({ type: 'fs.write', path: '/second' })).toBe(2n);
    expect((await readAll(second)).map((item) => item.path)).toEqual(['/first', '/second']);
  });
});

describe('subscribe', () => {
  const handler = new URL('../support/workers/subscriber-handler.mjs', import.meta.url);

  test('runs the handler in a worker on every event, and again after the worker died', async () => {
    const directory = temporaryDirectory();
    const out = path.join(directory, 'seen');
    const notices: string[] = [];
    const engine = await openEngine({ source: 'none', onNotice: (notice) => notices.push(notice) });
    const subscription = await engine.subscribe(handler, { types: ['agent.*'] }, { out });
    for (let i = 0; i < 50; i++) await engine.emit({ type: i % 2 === 0 ? 'agent.query' : 'fs.write' });
    while (subscription.position <= 50n) await new Promise((resolve) => setTimeout(resolve, 5));
    await engine
      .threads()
      .find((thread) => thread.name === 'subscriber')
      ?.terminate();
    for (let i = 0; i < 50; i++) await engine.emit({ type: i % 2 === 0 ? 'agent.query' : 'fs.write' });
    while (subscription.position <= 100n) await new Promise((resolve) => setTimeout(resolve, 5));
    await engine.close();
    const seen = fs.readFileSync(out, 'utf8').trim().split('\n').map(Number);
    // At least once, in order, nothing else: what the dead worker had finished does not come again.
    expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => i * 2 + 1));
    expect(notices.join()).toMatch(/subscriber worker was replaced/);
  });

  test('refuses a module without a handler', async () => {
    const engine = await openEngine({ source: 'none' });
    const module = new URL('../support/workers/no-handler.mjs', import.meta.url);
    await expect(engine.subscribe(module)).rejects.toThrow(/no default export/);
  });
});

describe('with inotify', requires('koffi'), () => {
  test('sync is a barrier: what happened before it is in the journal when it resolves', async () => {
    const directory = temporaryDirectory();
    const engine = await openEngine({ paths: [directory], source: 'inotify' });
    for (let round = 0; round < 50; round++) {
      fs.writeFileSync(path.join(directory, `f${round}`), 'x');
      await engine.sync();
      const created = (await readAll(engine, { types: ['fs.create'] })).filter(isEvent);
      expect(created.at(-1)?.path).toBe(path.join(directory, `f${round}`));
      expect(created.length).toBe(round + 1);
    }
  });
});

describe('with eBPF', requires('bpf'), () => {
  const open = (directory: string, options: EngineOptions = {}) =>
    openEngine({ paths: [directory], source: 'ebpf', ...options });
  const story = (items: StreamItem[]) =>
    items
      .filter(isEvent)
      .map((item) => [item.type, path.basename(item.path ?? ''), path.basename(item.path2 ?? ''), item.error ?? '']);

  test('tells a script’s changes once, in order, with the pid, both paths, and the error of what failed', async () => {
    const directory = temporaryDirectory();
    const engine = await open(directory, { filter: { types: ['fs.*'] } });
    sh(
      'echo hi > a; mv a b; mkdir d; ln -s b l; ln b h; chmod 600 b; truncate -s 9 b; rm nope; rm b; rmdir d',
      directory,
    );
    const items = await readAll(engine, { path: directory });
    expect(story(items)).toEqual([
      ['fs.create', 'a', '', ''],
      ['fs.write', 'a', '', ''],
      ['fs.rename', 'a', 'b', ''],
      ['fs.mkdir', 'd', '', ''],
      ['fs.symlink', 'l', 'b', ''],
      ['fs.hardlink', 'b', 'h', ''],
      ['fs.chmod', 'b', '', ''],
      ['fs.truncate', 'b', '', ''],
      ['fs.delete', 'nope', '', 'ENOENT'],
      ['fs.delete', 'b', '', ''],
      ['fs.rmdir', 'd', '', ''],
    ]);
    const pids = new Set(items.filter(isEvent).map((item) => item.pid));
    expect(pids.has(process.pid)).toBe(false);
    expect(pids.size).toBeGreaterThan(5);
  });

  test('loses and doubles nothing when ingest and sync workers are ended in the middle of a storm', async () => {
    const directory = temporaryDirectory();
    const notices: string[] = [];
    const engine = await open(directory, {
      filter: { includeSelf: true, types: ['fs.create'] },
      onNotice: (n) => notices.push(n),
    });
    const count = 6000;
    for (let i = 0; i < count; i++) {
      fs.closeSync(fs.openSync(path.join(directory, `f${i}`), 'w'));
      if (i % 1500 === 750) {
        const name = i % 3000 === 750 ? 'ingest' : 'sync';
        await engine
          .threads()
          .find((thread) => thread.name === name)
          ?.terminate();
      }
    }
    const items = await readAll(engine, { types: ['fs.create'], path: directory });
    expect(items.filter(isGap)).toEqual([]);
    expect(items.map((item) => path.basename(item.path ?? ''))).toEqual(
      Array.from({ length: count }, (_, i) => `f${i}`),
    );
    // A replacement that is ended before it is up is replaced as well, and told once, when the next one is.
    const restarts = new Map(engine.stats().workers.map((worker) => [worker.name, worker.restarts]));
    expect([restarts.get('ingest'), restarts.get('sync')]).toEqual([2, 2]);
    expect(notices.some((notice) => notice.includes('ingest worker was replaced'))).toBe(true);
  });

  test('counts exactly what a tiny ring loses while nobody drains it (R3)', async () => {
    const directory = temporaryDirectory();
    const engine = await open(directory, {
      filter: { includeSelf: true, types: ['fs.create', 'access.open'] },
      ringCapacity: 65536,
    });
    const file = path.join(directory, 'f');
    fs.writeFileSync(file, '');
    const count = 5000;
    // The worker is dead while this thread runs: it is replaced only when this thread comes back to its event loop.
    const ended = engine
      .threads()
      .find((thread) => thread.name === 'ingest')
      ?.terminate();
    await ended;
    for (let i = 0; i < count; i++) fs.closeSync(fs.openSync(file, 'r'));
    const items = await readAll(engine, { path: directory });
    const lost = items.filter(isGap).reduce((sum, gap) => sum + (gap.count ?? 0n), 0n);
    const { source, ingest } = engine.stats();
    expect(lost).toBeGreaterThan(0n);
    expect(ingest.lost).toBe(lost);
    expect(source.dropped.ringFull).toBe(lost);
    expect(source.produced).toBe(ingest.delivered + ingest.filtered + ingest.lost);
  });

  test('records what it saw to a trace, and a replay of it gives the same events', async () => {
    const directory = temporaryDirectory();
    const record = path.join(temporaryDirectory(), 'trace');
    const engine = await open(directory, { record });
    sh('mkdir -p a/b; echo 1 > a/b/f; mv a c; rm -r c; rm nope', directory);
    const original = (await readAll(engine)).filter(isEvent);
    await engine.close();
    const replay = await openEngine({ source: { trace: record, speed: 'maximum' } });
    await replay.finished();
    const replayed = (await readAll(replay)).filter(isEvent);
    expect(replayed).toEqual(original);
    expect(replayed.length).toBeGreaterThan(10);
  });
});
