// Producers that write anything anywhere in what they share, for seconds: the engine tells it, takes nothing wrong for a record's place, goes on with the
// others, and its journal is as it should be.

import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ARENA_REGION_RING } from '../../../layout/arena.ts';
import { KERNEL_OP_FILE_WRITE } from '../../../layout/kernel-record.ts';
import { Arena } from '../../../src/arena/arena.ts';
import { newOwner } from '../../../src/arena/owner.ts';
import { SpscProducer } from '../../../src/arena/ring.ts';
import { instantiate } from '../../../src/arena/wasm.ts';
import { readJournal } from '../../../src/engine/read-journal.ts';
import {
  encodeKernelRecord,
  type KernelRecord,
  kernelRecord,
  kernelRecordLength,
} from '../../../src/event/kernel-record.ts';
import { isEvent, isGap, openEngine, readAll } from '../../engine/support.ts';
import { requires } from '../../support/capabilities.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { compile, handleOf, isWhole, peersOf, run, start, until } from './support.ts';

const SECONDS = 2;
const CAPACITY = 65536;

describe('a hostile producer', { ...requires('koffi', 'cc'), timeout: 60_000 }, () => {
  test.each(['records', 'positions', 'wakes', 'all'])(
    '%s: the engine lives, and the honest one beside it is whole',
    async (kind) => {
      const journal = path.join(temporaryDirectory('hostile'), 'j');
      const engine = await openEngine({ source: { peer: true, producers: 2 }, ringCapacity: CAPACITY, journal });
      const hostile = start(compile('hostile'), handleOf(engine, 0), SECONDS, kind);
      const honest = start(compile('storm'), handleOf(engine, 1), 30_000, 50, 'wait');
      const started = performance.now();
      // The barrier must come through while it goes on.
      for (let round = 0; round < 5; round++) await engine.sync();
      expect(performance.now() - started).toBeLessThan(20_000);
      await Promise.all([hostile.ended, honest.ended]);
      const items = await readAll(engine);
      const own = items.filter(isEvent).filter(({ cpu }) => cpu === 1);
      expect(own.map(({ size }) => size)).toEqual(Array.from({ length: 30_000 }, (_, index) => BigInt(index + 1)));
      expect(own.every(isWhole)).toBe(true);
      expect(engine.stats().workers).toMatchObject([{ restarts: 0 }, { restarts: 0 }]);
      const isDetached = peersOf(engine)[0]?.state === 'detached';
      const told = items.filter(isGap).filter(({ cause }) => cause === 'peerCorrupt');
      expect(told).toMatchObject(isDetached ? [{ cpu: 0 }] : []);
      expect(isDetached).toBe(kind === 'positions' || kind === 'all');
      if (kind === 'records') expect(engine.stats().ingest.malformed).toBeGreaterThan(0n);
      expect(await engine.emit({ type: 'agent.query' })).toBeGreaterThan(30_000n);
      await engine.close();
      let count = 0;
      for await (const batch of readJournal(journal)) count += batch.filter(({ type }) => type !== 'caughtUp').length;
      expect(count).toBe(items.length + 1);
    },
  );

  test('that is detached learns that nobody listens, and its ring has no room any more', async () => {
    const engine = await openEngine({ source: { peer: true }, ringCapacity: CAPACITY });
    run(compile('hostile'), handleOf(engine), 1, 'positions');
    await until(() => peersOf(engine)[0]?.state === 'detached');
    await engine.sync();
    const producer = run(compile('storm'), handleOf(engine), 10_000, 1, 'wait');
    expect(producer.status).not.toBe(0);
    await engine.sync();
    expect((await readAll(engine)).filter(isGap).filter(({ cause }) => cause === 'peerCorrupt')).toHaveLength(1);
  });

  test('whose records are of another lane, count too far, are too long or no records: they are kept aside', async () => {
    const engine = await openEngine({ source: { peer: true, producers: 2 }, ringCapacity: CAPACITY });
    const arena = Arena.open(handleOf(engine));
    const { address } = arena.region(ARENA_REGION_RING, 0);
    const ring = { address, capacity: CAPACITY };
    const state = arena.takeEndpoint(newOwner()).address;
    const producer = new SpscProducer({ arena, wasm: instantiate(arena), ring, state, owner: newOwner() });
    const fields = { op: KERNEL_OP_FILE_WRITE, path: Buffer.from('/a') };
    producer.offer(bytesOf(kernelRecord({ ...fields, laneSequence: 1n })));
    producer.offer(bytesOf(kernelRecord({ ...fields, laneSequence: 1n, cpu: 1 })));
    producer.offer(bytesOf(kernelRecord({ ...fields, laneSequence: 1n << 60n })));
    producer.offer(new Uint8Array(20_000).fill(1));
    producer.offer(new Uint8Array(3));
    producer.offer(bytesOf(kernelRecord({ ...fields, laneSequence: 2n })));
    producer.publish();
    const items = await readAll(engine);
    expect(items.map((item) => [item.type, item.path])).toEqual([
      ['fs.write', '/a'],
      ['fs.write', '/a'],
    ]);
    expect(engine.stats().ingest).toMatchObject({ delivered: 2n, malformed: 4n, lost: 0n });
    expect(engine.quarantine().map(({ reason }) => reason)).toEqual(['lane', 'lane', 'version', 'tooShort']);
    arena.close();
  });
});

function bytesOf(record: KernelRecord): Uint8Array {
  const bytes = new Uint8Array(kernelRecordLength(record));
  encodeKernelRecord(record, bytes, 0);
  return bytes;
}
