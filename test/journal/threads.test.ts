import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { Appender } from '../../src/journal/appender.ts';
import { Journal } from '../../src/journal/journal.ts';
import { JournalTail } from '../../src/journal/tail.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { makeArena, readAllOf, SEGMENT_LENGTH } from './support.ts';
import { MODES } from './support-modes.ts';

const SYNC_WORKER = new URL('./sync.worker.mjs', import.meta.url);

function open(directory: string | undefined, mapped: boolean) {
  const { arena, wasm } = makeArena();
  const journal = Journal.open({ arena, wasm, directory, segmentLength: SEGMENT_LENGTH, mapped });
  const appender = new Appender({ arena, wasm, plan: journal.plan });
  const startSync = (): Worker => new Worker(SYNC_WORKER, { workerData: { memory: arena.memory, plan: journal.plan } });
  return { arena, wasm, journal, appender, startSync };
}

describe.each(MODES)('with a sync worker in a thread of its own ($mode)', ({ mapped }) => {
  it('acknowledges groups, and sync appends block until they are durable', async () => {
    const { journal, appender, startSync } = open(temporaryDirectory(), mapped);
    const worker = startSync();
    const sequences = await Promise.all(
      Array.from({ length: 64 }, () => appender.appendDurable({ type: 'fs.write', path: '/a' }, 'group')),
    );
    expect(new Set(sequences).size).toBe(64);
    expect(journal.stats().durableSequence).toBe(64n);
    expect(appender.append({ type: 'fs.write' }, 'sync')).toBe(65n);
    expect(journal.stats().durableSequence).toBe(65n);
    await worker.terminate();
    journal.close();
  });

  it('goes on when the sync worker dies at any moment and a new one takes over', async () => {
    const directory = temporaryDirectory();
    const { arena, journal, appender, startSync } = open(directory, mapped);
    let worker = startSync();
    const tail = new JournalTail({ arena, plan: journal.plan, since: 'start' });
    const payload = Buffer.alloc(3000, 1);
    let deaths = 0;
    const dieAndReturn = async (): Promise<void> => {
      while (deaths < 6) {
        await once(worker, 'message');
        await new Promise((resolve) => setTimeout(resolve, deaths * 17));
        await worker.terminate();
        deaths += 1;
        worker = startSync();
      }
    };
    let count = 0;
    const append = async (): Promise<void> => {
      while (deaths < 6) {
        await appender.appendDurable({ type: 'fs.write', payload }, count % 10 === 0 ? 'group' : 'process');
        count += 1;
        if (count % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await Promise.all([dieAndReturn(), append()]);
    expect(await appender.appendDurable({ type: 'fs.write', payload }, 'group')).toBe(BigInt(count + 1));
    expect(readAllOf(tail).map((item) => item.sequence)).toEqual(
      Array.from({ length: count + 1 }, (_, n) => BigInt(n + 1)),
    );
    tail.close();
    await worker.terminate();
    journal.close();
  }, 60_000);

  it('wakes a reader that waits, and lets go of one whose signal aborts', async () => {
    const { arena, journal, appender, startSync } = open(undefined, mapped);
    const worker = startSync();
    await once(worker, 'message');
    const tail = new JournalTail({ arena, plan: journal.plan, since: 'now' });
    setTimeout(() => appender.append({ type: 'fs.write', path: '/late' }), 30);
    const started = performance.now();
    while (!tail.hasMore()) await tail.wait(undefined, 5000);
    expect(performance.now() - started).toBeLessThan(2000);
    expect(readAllOf(tail)).toMatchObject([{ path: '/late' }]);
    const signal = AbortSignal.timeout(30);
    await tail.wait(signal, 60_000);
    expect(signal.aborted).toBe(true);
    tail.close();
    expect(() => tail.readBatch(1, () => {})).toThrow(expect.objectContaining({ code: 'JOURNAL_CLOSED' }));
    await worker.terminate();
    journal.close();
  });
});
