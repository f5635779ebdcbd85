import path from 'node:path';
import { expect, test } from 'vitest';
import { generateTrace } from '../../src/source/trace/index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { openEngine } from './support.ts';

test('finished() waits for the last record, also while the journal opens its next segment', async () => {
  const file = path.join(temporaryDirectory('trace'), 'a.trace');
  const records = 8_000;
  generateTrace({ file, records, seed: 5 });
  for (let round = 0; round < 2; round++) {
    const journal = { directory: path.join(temporaryDirectory('j'), 'j'), segmentLength: 65536 };
    const engine = await openEngine({ source: { trace: file, speed: 'maximum' }, journal });
    await engine.finished();
    expect(engine.stats().ingest.delivered).toBe(BigInt(records));
    await engine.close();
  }
});
