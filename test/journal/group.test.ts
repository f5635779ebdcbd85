import { describe, expect, it } from 'vitest';
import { loadNative } from '../../src/arena/native.ts';
import { Appender } from '../../src/journal/appender.ts';
import { NodeFileLayer } from '../../src/journal/file-layer.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { openBench } from './support.ts';

class CountingFiles extends NodeFileLayer {
  fdatasyncs = 0;

  constructor() {
    super(loadNative());
  }

  override fdatasync(fd: number): void {
    this.fdatasyncs += 1;
    super.fdatasync(fd);
  }
}

const event = { type: 'fs.write', path: '/a' } as const;

/** A journal whose sync worker is always awake and infinitely fast: every request is a flush at once, so requests that are not grouped show as flushes. */
function openEager() {
  const files = new CountingFiles();
  const bench = openBench(temporaryDirectory(), { files, segmentLength: 2 ** 20 });
  const { sync, journal, arena } = bench;
  const wasm = Object.assign(Object.create(bench.wasm), {
    journalSyncRequest: () => {
      bench.wasm.journalSyncRequest();
      sync.doWork();
    },
  });
  const appender = new Appender({ arena, wasm, plan: journal.plan });
  return { files, bench, appender };
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe('group commit', () => {
  it('flushes once for all that one turn of the event loop appends', async () => {
    const { files, bench, appender } = openEager();
    const before = files.fdatasyncs;
    const writers = 64;
    await Promise.all(Array.from({ length: writers }, () => appender.appendDurable(event, 'group')));
    expect(files.fdatasyncs).toBe(before + 1);
    expect(bench.journal.stats().durableSequence).toBe(BigInt(writers));
    bench.close();
  });

  it('flushes once a round when writers begin again as soon as they are told', async () => {
    const { files, bench, appender } = openEager();
    const before = files.fdatasyncs;
    const rounds = 10;
    const write = async (deeper: number): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        // Writers are not all at the same depth of continuations.
        for (let turn = 0; turn < deeper; turn++) await undefined;
        await appender.appendDurable(event, 'group');
      }
    };
    await Promise.all(Array.from({ length: 32 }, (_, writer) => write(writer)));
    expect(files.fdatasyncs).toBe(before + rounds);
    bench.close();
  });

  it('does not keep a single writer waiting for others', async () => {
    const { files, bench, appender } = openEager();
    const before = files.fdatasyncs;
    const sequence = appender.append(event, 'group');
    await nextTurn();
    expect(files.fdatasyncs).toBe(before + 1);
    expect(bench.journal.stats().durableSequence).toBe(sequence);
    await appender.whenDurable(sequence, 'group');
    expect(files.fdatasyncs).toBe(before + 1);
    bench.close();
  });

  it('flushes for sync at once, with all that is before it', async () => {
    const { files, bench, appender } = openEager();
    const before = files.fdatasyncs;
    appender.append(event, 'group');
    expect(files.fdatasyncs).toBe(before);
    expect(appender.append(event, 'sync')).toBe(2n);
    expect(files.fdatasyncs).toBe(before + 1);
    expect(bench.journal.stats().durableSequence).toBe(2n);
    await nextTurn();
    expect(files.fdatasyncs).toBe(before + 1);
    bench.close();
  });

  it('flushes in between for a thread that never comes back to its event loop', () => {
    const { files, bench, appender } = openEager();
    const before = files.fdatasyncs;
    const many = 3000;
    for (let count = 0; count < many; count++) appender.append(event, 'group');
    expect(files.fdatasyncs).toBeGreaterThan(before);
    expect(bench.journal.stats().durableSequence).toBeGreaterThanOrEqual(2048n);
    bench.close();
  });
});
