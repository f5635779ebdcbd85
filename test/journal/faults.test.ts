import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { LOG_STATE_OFFSET } from '../../layout/log.ts';
import { loadNative } from '../../src/arena/native.ts';
import type { CausewayError } from '../../src/base/errors.ts';
import { FileError, NodeFileLayer } from '../../src/journal/file-layer.ts';
import { LogControl } from '../../src/journal/log-control.ts';
import { requires } from '../support/capabilities.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { openBench, readAllOf } from './support.ts';

const EIO = 5;
const ENOSPC = 28;

/** The real file layer, with faults that a test switches on. */
class FaultyFiles extends NodeFileLayer {
  fdatasyncError = 0;
  preallocateError = 0;
  writeError = 0;
  writeMax = Number.POSITIVE_INFINITY;
  fdatasyncs = 0;

  constructor() {
    super(loadNative());
  }

  override fdatasync(fd: number): void {
    this.fdatasyncs += 1;
    if (this.fdatasyncError !== 0) throw new FileError('fdatasync', this.fdatasyncError);
    super.fdatasync(fd);
  }

  override preallocate(fd: number, position: number, length: number): void {
    if (this.preallocateError !== 0) throw new FileError('fallocate', this.preallocateError);
    super.preallocate(fd, position, length);
  }

  override write(fd: number, source: Uint8Array, position: number): number {
    if (this.writeError !== 0) throw new FileError('write', this.writeError);
    return super.write(fd, source.subarray(0, this.writeMax), position);
  }
}

const event = { type: 'fs.write', path: '/a', payload: Buffer.alloc(5000) } as const;

describe('a flush that fails', () => {
  it('poisons the journal: no acknowledgement, no second try, and it says why', async () => {
    const files = new FaultyFiles();
    const directory = temporaryDirectory();
    const bench = openBench(directory, { files });
    expect(bench.appender.append(event, 'sync')).toBe(1n);
    files.fdatasyncError = EIO;
    const sequence = bench.appender.append(event, 'group');
    const acknowledged = bench.appender.whenDurable(sequence, 'group');
    const refused = expect(acknowledged).rejects.toMatchObject({
      code: 'JOURNAL_POISONED',
      message: expect.stringContaining('EIO'),
    });
    const before = files.fdatasyncs;
    // The flush is asked for when this turn of the event loop is over.
    await new Promise((resolve) => setImmediate(resolve));
    bench.sync.doWork();
    await refused;
    files.fdatasyncError = 0;
    for (let turn = 0; turn < 5; turn++) bench.sync.doWork();
    expect(files.fdatasyncs).toBe(before + 1);
    expect(() => bench.appender.append(event)).toThrow(expect.objectContaining({ code: 'JOURNAL_POISONED' }));
    expect(() => bench.appender.append(event, 'sync')).toThrow(expect.objectContaining({ code: 'JOURNAL_POISONED' }));
    expect(bench.journal.stats()).toMatchObject({ state: 'poisoned', error: 'EIO', durableSequence: 1n });
    // What was acknowledged before can still be read, and is there after a restart, which reads what is really on the disk.
    expect(readAllOf(bench.tail('start'))).toHaveLength(2);
    bench.close();
    const again = openBench(directory);
    expect(again.journal.recovery.wasClosed).toBe(false);
    expect(again.journal.claimedSequence).toBeGreaterThanOrEqual(1n);
    again.close();
  });

  it('that came earlier is not forgotten by a later sync', () => {
    const files = new FaultyFiles();
    const bench = openBench(temporaryDirectory(), { files });
    files.fdatasyncError = EIO;
    expect(() => bench.appender.append(event, 'sync')).toThrow(expect.objectContaining({ code: 'JOURNAL_POISONED' }));
    files.fdatasyncError = 0;
    expect(() => bench.appender.append(event, 'sync')).toThrow(expect.objectContaining({ code: 'JOURNAL_POISONED' }));
    bench.close();
  });
});

describe('a full disk', () => {
  it('is said to those that append, and appending goes on by itself when there is room', () => {
    const files = new FaultyFiles();
    const directory = temporaryDirectory();
    const bench = openBench(directory, { files });
    files.preallocateError = ENOSPC;
    let last = 0n;
    let refused: CausewayError | undefined;
    for (let n = 0; n < 100 && refused === undefined; n++) {
      try {
        last = bench.appender.append(event);
      } catch (error) {
        refused = error as CausewayError;
      }
    }
    // The active segment and the one that was ready are filled to their ends first.
    expect(refused).toMatchObject({ code: 'JOURNAL_FULL', message: expect.stringContaining('ENOSPC') });
    expect(last).toBeGreaterThan(20n);
    expect(fs.readdirSync(directory).filter((name) => name.endsWith('.segment'))).toHaveLength(2);
    expect(readAllOf(bench.tail('start'))).toHaveLength(Number(last));
    files.preallocateError = 0;
    const deadline = Date.now() + 3000;
    let next = 0n;
    while (next === 0n && Date.now() < deadline) {
      bench.sync.doWork();
      try {
        next = bench.appender.append(event, 'sync');
      } catch (error) {
        expect((error as CausewayError).code).toBe('JOURNAL_FULL');
      }
    }
    expect(next).toBe(last + 1n);
    expect(readAllOf(bench.tail('start')).map((item) => item.sequence)).toHaveLength(Number(next));
    bench.close();
  });

  it('at open is one clear error, and leaves no lock and no segment behind', () => {
    const files = new FaultyFiles();
    files.preallocateError = ENOSPC;
    const directory = temporaryDirectory();
    expect(() => openBench(directory, { files })).toThrow(
      expect.objectContaining({ code: 'JOURNAL_FULL', message: expect.stringContaining('ENOSPC') }),
    );
    expect(fs.readdirSync(directory).sort()).toEqual(['journal.json', 'lock']);
    openBench(directory).close();
  });

  it(
    'for real, on a small tmpfs: nothing acknowledged is lost, and it goes on after space came back',
    requires('mount'),
    () => {
      const directory = temporaryDirectory();
      expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'causeway-test', directory]).status).toBe(0);
      try {
        const filler = path.join(directory, 'filler');
        fs.writeFileSync(filler, Buffer.alloc(60_000));
        const journal = path.join(directory, 'journal');
        const bench = openBench(journal);
        let last = 0n;
        expect(() => {
          while (true) last = bench.appender.append(event);
        }).toThrow(expect.objectContaining({ code: 'JOURNAL_FULL' }));
        fs.rmSync(filler);
        const deadline = Date.now() + 3000;
        let next = 0n;
        while (next === 0n && Date.now() < deadline) {
          bench.sync.doWork();
          try {
            next = bench.appender.append(event);
          } catch {
            // Not yet: the back-off.
          }
        }
        expect(next).toBe(last + 1n);
        bench.close();
        const again = openBench(journal);
        expect(readAllOf(again.tail('start'))).toHaveLength(Number(next));
        again.close();
      } finally {
        expect(spawnSync('umount', ['-l', directory]).status).toBe(0);
      }
    },
  );
});

describe('without mapped files', () => {
  it('short writes are gone on with, and ENOSPC is not acknowledged until there is room', async () => {
    const files = new FaultyFiles();
    files.writeMax = 777;
    const directory = temporaryDirectory();
    const bench = openUnmapped(directory, files);
    for (let n = 1; n <= 30; n++)
      bench.appender.append({ type: 'fs.write', path: `/a/${n}`, payload: Buffer.alloc(3000) });
    await withWork(bench, bench.appender.whenDurable(30n, 'process'));
    files.writeError = ENOSPC;
    const sequence = bench.appender.append({ type: 'fs.write', path: '/b' });
    let isDone = false;
    const written = bench.appender.whenDurable(sequence, 'process').then(() => {
      isDone = true;
    });
    for (let turn = 0; turn < 5; turn++) {
      bench.sync.doWork();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(isDone).toBe(false);
    expect(bench.journal.stats()).toMatchObject({ state: 'full', error: 'ENOSPC' });
    files.writeError = 0;
    await withWork(bench, written);
    expect(new LogControl(bench.arena).load(LOG_STATE_OFFSET)).toBe(0);
    bench.close();
    const again = openBench(directory);
    expect(readAllOf(again.tail('start')).map((item) => item.sequence)).toHaveLength(31);
    again.close();
  });

  it('an I/O error of a write poisons', () => {
    const files = new FaultyFiles();
    const bench = openUnmapped(temporaryDirectory(), files);
    files.writeError = EIO;
    bench.appender.append(event);
    bench.sync.doWork();
    expect(() => bench.appender.append(event)).toThrow(expect.objectContaining({ code: 'JOURNAL_POISONED' }));
    bench.close();
  });
});

function openUnmapped(directory: string, files: FaultyFiles): ReturnType<typeof openBench> {
  return openBench(directory, { files, mapped: false });
}

async function withWork(bench: ReturnType<typeof openBench>, done: Promise<void>): Promise<void> {
  const timer = setInterval(() => bench.sync.doWork(), 2);
  await done.finally(() => clearInterval(timer));
}
