// A producer that is killed at any place: all that it published is there, whole; the next one takes its ring, and numbers on.

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { Engine } from '../../../src/engine/engine.ts';
import type { StreamItem } from '../../../src/engine/types.ts';
import { PeerProducer } from '../../../src/source/peer/producer.ts';
import { isEvent, isGap, openEngine, readAll } from '../../engine/support.ts';
import { requires } from '../../support/capabilities.ts';
import { seededRandom } from '../../support/seed.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { compile, handleOf, isWhole, peersOf, start, until } from './support.ts';

const ROUNDS = 50;

/** Highest number before and after the last publication, as storm.c left it. */
function progressOf(file: string): { begun: bigint; published: bigint } {
  const bytes = fs.readFileSync(file);
  return { begun: bytes.readBigUInt64LE(0), published: bytes.readBigUInt64LE(8) };
}

test(`${ROUNDS} producers in a row, each killed: nothing that was published is lost, nothing is torn, all that is missing is told`, {
  ...requires('koffi', 'cc'),
  timeout: 120_000,
}, async () => {
  const random = seededRandom();
  const engine = await openEngine({ source: { peer: true }, ringCapacity: 16384 });
  const handle = handleOf(engine);
  const progress = path.join(temporaryDirectory('progress'), 'p');
  const storm = compile('storm');
  const sequence = new SequenceCheck();
  // As they come: there are too many for all of them to be kept.
  const checked = sequence.follow(engine);
  let published = 0n;
  for (let round = 0; round < ROUNDS; round++) {
    const mode = round % 2 === 0 ? 'wait' : 'drop';
    const producer = start(storm, handle, 0, 1 + Math.floor(random() * 40), mode, progress);
    const before = engine.stats().ingest.delivered;
    await until(() => engine.stats().ingest.delivered > before);
    await new Promise((resolve) => setTimeout(resolve, random() * 5));
    producer.kill('SIGKILL');
    await producer.ended;
    // A drop publishes by itself, so that more may have been published than the file says.
    ({ published } = progressOf(progress));
  }
  await engine.sync();
  expect(peersOf(engine)).toMatchObject([{ state: 'ended' }]);
  // The next one finds what the last one numbered and did not publish, and leaves in good order.
  PeerProducer.open(handle).close();
  await engine.sync();
  const { ingest, source } = engine.stats();
  await engine.close();
  await checked;
  const { last } = sequence;
  expect(last).toBeGreaterThanOrEqual(published);
  expect(ingest).toMatchObject({ malformed: 0n, duplicate: 0n });
  expect(ingest.delivered + ingest.lost).toBe(last);
  expect(source.produced).toBe(last);
});

test('the end of a producer that nobody follows is told as well', { ...requires('koffi', 'cc') }, async () => {
  const engine = await openEngine({ source: { peer: true }, ringCapacity: 4096 });
  const progress = path.join(temporaryDirectory('progress'), 'p');
  const producer = start(compile('storm'), handleOf(engine), 0, 7, 'drop', progress);
  await until(() => engine.stats().ingest.delivered > 100n && engine.stats().ingest.lost > 100n);
  producer.kill('SIGKILL');
  await producer.ended;
  const sequence = new SequenceCheck();
  const { published } = progressOf(progress);
  await until(() => engine.stats().ingest.delivered + engine.stats().ingest.lost >= published);
  for (const item of await readAll(engine)) sequence.check(item);
  expect(sequence.last).toBeGreaterThanOrEqual(published);
});

/** Every number once, in order, as an event that is whole or inside of a gap. */
class SequenceCheck {
  last = 0n;

  async follow(engine: Engine): Promise<void> {
    for await (const batch of engine.batches({ since: 'start' })) for (const item of batch) this.check(item);
  }

  check(item: StreamItem): void {
    if (isGap(item)) {
      if (item.cause !== 'ringFull' || item.from !== this.last + 1n)
        throw new Error(`behind ${this.last}: ${item.from}`);
      this.last = item.to ?? 0n;
    } else if (isEvent(item)) {
      if (item.size !== this.last + 1n || !isWhole(item))
        throw new Error(`behind ${this.last}: ${item.size} ${item.path}`);
      this.last += 1n;
    }
  }
}
