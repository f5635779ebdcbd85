import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SEGMENT_HEADER_LENGTH } from '../../layout/segment.ts';
import { loadNative } from '../../src/arena/native.ts';
import { CausewayError } from '../../src/base/errors.ts';
import { type Call, CRASHES, FaultFileLayer } from '../support/fault-file-layer.ts';
import { runs, seed, seededRandom } from '../support/seed.ts';
import { SnapshotFileLayer } from '../support/snapshot-file-layer.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { below, Life, pick, type Random } from './life.ts';

// Time goes on with each look at it: nothing waits for a back-off, and every run is the same.
let now = 1_700_000_000_000;
beforeAll(() => {
  vi.spyOn(Date, 'now').mockImplementation(() => (now += 2));
});
afterAll(() => {
  vi.restoreAllMocks();
});

const HISTORIES = runs * 10;
const DURABILITIES = ['process', 'process', 'group', 'sync'] as const;

/** Appends, flushes and turns of the sync worker, until it is enough or the power fails. */
function work(life: Life, files: FaultFileLayer, random: Random): void {
  for (let left = below(random, 40); left > 0 && files.hasPower; left--) {
    try {
      if (random() < 0.75) {
        const length = random() < 0.1 ? below(random, 20_000) : below(random, 1500);
        life.append(pick(random, DURABILITIES), length);
      } else {
        life.sync?.doWork();
      }
    } catch (error) {
      if (!(error instanceof CausewayError)) throw error;
      if (files.hasPower) expect(error.code).toBe('JOURNAL_POISONED');
    }
    life.note();
  }
}

/** After a crash: recovery, interrupted now and then by another power failure, ends with all that was promised, and ends the same a second time. */
function comeBack(life: Life, before: FaultFileLayer, random: Random): FaultFileLayer {
  let files = before;
  const unrecovered = files.clone();
  const promised = life.acknowledged;
  const seen = life.read(unrecovered);
  life.checkItems(seen);
  life.checkPromise(seen, promised);
  while (random() < 0.3) {
    files.faults = [{ at: files.calls + 1 + below(random, 30), kind: 'power' }];
    try {
      life.recover(files);
    } catch (error) {
      if (files.hasPower) throw error;
    }
    files = files.powerUp(pick(random, CRASHES));
  }
  files.faults = [];
  const recovered = life.recover(files);
  const items = life.read(files);
  life.checkItems(items);
  life.checkPromise(items, promised);
  expect(recovered.nextSequence).toBe(BigInt(items.length + 1));
  const dump = files.dump();
  const again = life.recover(files);
  expect(again.nextSequence).toBe(recovered.nextSequence);
  expect(again.report.holes).toEqual([]);
  expect(again.report.tornTail).toBeUndefined();
  expect(files.dump()).toEqual(dump);
  life.settle(items);
  return files;
}

describe('a power failure at any moment', () => {
  it(`keeps all that was acknowledged, once, in order, and nothing else that is not whole (${HISTORIES} histories)`, () => {
    const directory = temporaryDirectory();
    const totals = { crashes: 0, kills: 0, closes: 0, lost: 0, holes: 0 };
    for (let history = 0; history < HISTORIES; history++) {
      const random = seededRandom(history);
      const life = new Life(directory, random);
      let files = new FaultFileLayer(random);
      try {
        for (let boots = 1 + below(random, 4); boots > 0; boots--) {
          if (random() < 0.5) files.faults = [{ at: files.calls + 1 + below(random, 120), kind: 'power' }];
          try {
            life.open(files);
            work(life, files, random);
          } catch (error) {
            if (files.hasPower) throw error;
          }
          const ending = random();
          if (ending < 0.15 && files.hasPower) {
            totals.closes += 1;
            try {
              life.close();
            } catch (error) {
              if (files.hasPower) throw error;
            }
            life.abandon();
            files = files.hasPower && random() < 0.5 ? files.afterKill() : files.powerUp(pick(random, CRASHES));
          } else if (ending < 0.3 && files.hasPower) {
            totals.kills += 1;
            // The page cache stays: what was written is there.
            const next = files.afterKill();
            life.abandon();
            files = next;
            const items = life.read(files);
            life.checkItems(items);
            life.checkPromise(items, life.written);
            if (random() < 0.5) {
              life.recover(files);
              life.settle(items);
            }
            continue;
          } else {
            totals.crashes += 1;
            files.cutPower();
            life.abandon();
            files = files.powerUp(pick(random, CRASHES));
          }
          files = comeBack(life, files, random);
        }
      } catch (error) {
        life.abandon();
        throw new Error(`CAUSEWAY_SEED=${seed}, history ${history}: ${(error as Error).stack}`, { cause: error });
      }
      totals.lost += life.lost;
      totals.holes += life.holes;
    }
    console.log(`power failures: ${JSON.stringify(totals)}`);
    expect(totals.lost).toBeGreaterThan(0);
  }, 300_000);
});

describe('a recovery that closes holes', () => {
  it('ends well wherever the power fails in it, and whatever got to the disk', () => {
    const directory = temporaryDirectory();
    let interrupted = 0;
    let torn = 0;
    for (let history = 0; torn < runs / 10; history++) {
      const random = seededRandom(history + 3_000_000);
      const life = new Life(directory, random);
      let files = new FaultFileLayer(random);
      life.open(files);
      life.append('sync', 100);
      for (let n = 0; n < 6; n++) life.append('process', below(random, 4000));
      life.sync?.doWork();
      life.note();
      files.cutPower();
      life.abandon();
      const isKilled = random() < 0.5;
      files = files.powerUp(isKilled ? 'everything' : 'most');
      if (isKilled) {
        const image = files.files();
        claimAgain(image.get(`${directory}/000000000000.segment`) as Uint8Array, random);
        files = FaultFileLayer.of(image, random);
      }
      const whole = files.clone();
      const before = whole.calls;
      if (life.recover(whole).report.holes.length === 0) continue;
      torn += 1;
      const calls = whole.calls - before;
      for (let at = 1; at <= calls; at++) {
        for (const crash of CRASHES) {
          const what = `CAUSEWAY_SEED=${seed}, history ${history}, call ${at} of ${calls}, ${crash}`;
          let next = files.clone();
          next.faults = [{ at: next.calls + at, kind: 'power' }];
          expect(() => life.recover(next), what).toThrow('EIO');
          next = next.powerUp(crash, random);
          try {
            life.recover(next);
            const items = life.read(next);
            life.checkItems(items);
            life.checkPromise(items, life.acknowledged);
          } catch (error) {
            throw new Error(`${what}: ${(error as Error).stack}`, { cause: error });
          }
          interrupted += 1;
        }
      }
    }
    console.log(`interrupted recoveries: ${interrupted}`);
  }, 300_000);
});

/** Makes claims that were never committed, as killed threads leave them, of some entries behind the first: half written. */
function claimAgain(segment: Uint8Array, random: Random): void {
  const view = new DataView(segment.buffer, segment.byteOffset, segment.byteLength);
  let at = SEGMENT_HEADER_LENGTH;
  for (let number = 0; at + 4 <= segment.length && view.getInt32(at, true) > 0; number++) {
    const length = view.getInt32(at, true);
    if (number > 0 && random() < 0.5) view.setInt32(at, -length, true);
    at += (length + 7) & ~7;
  }
}

/** Everything that a small journal does in its life: opened, filled over several segments, closed, opened again, closed. */
function wholeLife(life: Life, files: FaultFileLayer): CausewayError[] {
  const errors: CausewayError[] = [];
  const attempt = (step: () => void): void => {
    try {
      step();
    } catch (error) {
      if (!(error instanceof CausewayError)) throw error;
      errors.push(error);
    }
    if (life.journal !== undefined) life.note();
  };
  for (let opening = 0; opening < 2; opening++) {
    attempt(() => life.open(files));
    if (life.journal === undefined) continue;
    for (let n = 0; n < 8; n++) attempt(() => life.append(DURABILITIES[n % 4] as 'sync', 18_000));
    const isPoisoned = life.journal.stats().state === 'poisoned';
    const promised = life.acknowledged;
    attempt(() => life.append('sync', 10));
    if (isPoisoned) expect(life.acknowledged).toBe(promised);
    attempt(() => life.close());
    life.abandon();
  }
  return errors;
}

const EINTR = 4;
const EIO = 5;
const EACCES = 13;
const EMFILE = 24;
const ENOSPC = 28;
const EROFS = 30;
const EDQUOT = 122;
const FAILURES: Record<Exclude<Call, 'close'>, (number | 'short')[]> = {
  open: [EIO, EACCES, EMFILE, ENOSPC, EROFS],
  read: [EIO, EINTR],
  write: ['short', EIO, ENOSPC, EDQUOT, EINTR],
  fdatasync: [EIO, ENOSPC, EDQUOT],
  syncDirectory: [EIO, EMFILE],
  preallocate: [EIO, ENOSPC, EDQUOT, EINTR],
  truncate: [EIO, ENOSPC],
  size: [EIO],
  rename: [EIO, ENOSPC, EROFS],
  unlink: [EIO, EROFS],
  list: [EIO, EMFILE],
};

describe('each call of a journal that fails', () => {
  it('is an error with a code, loses nothing that was acknowledged, and acknowledges nothing that is lost', () => {
    const directory = temporaryDirectory();
    const trace: Call[] = [];
    const whole = new Life(directory, seededRandom(0));
    const good = new FaultFileLayer(seededRandom(0));
    good.onCall = (call) => trace.push(call);
    expect(wholeLife(whole, good)).toEqual([]);
    const injected = new Map<string, number>();
    const codes = new Set<string>();
    for (const [index, call] of trace.entries()) {
      if (call === 'close') continue;
      for (const kind of FAILURES[call]) {
        // Once, and from here on for a while: a full disk, or one that broke.
        for (const to of kind === 'short' ? [index + 1] : [index + 1, index + 30]) {
          const random = seededRandom(index);
          const life = new Life(directory, random);
          const files = new FaultFileLayer(random);
          files.faults = [{ at: index + 1, to, kind, call }];
          const what = `call ${index + 1} to ${to}, ${call} ${kind}`;
          try {
            for (const { code } of wholeLife(life, files)) codes.add(code);
            life.abandon();
            files.faults = [];
            // First with the page cache, which may lie after a failed flush, then without.
            let next = files.afterKill();
            life.open(next);
            life.append('sync', 100);
            life.note();
            next.cutPower();
            life.abandon();
            next = next.powerUp('nothing');
            comeBack(life, next, () => 0.99);
          } catch (error) {
            life.abandon();
            throw new Error(`CAUSEWAY_SEED=${seed}, ${what}: ${(error as Error).stack}`, { cause: error });
          }
          for (const [key, count] of files.injected) injected.set(key, (injected.get(key) ?? 0) + count);
        }
      }
    }
    console.log(`failing calls: ${JSON.stringify(Object.fromEntries(injected))}, codes: ${[...codes].join(' ')}`);
  }, 300_000);
});

describe('a flipped bit on a disk or on its way', () => {
  it('is detected, or costs only what is reported: nothing wrong is ever shown', () => {
    const directory = temporaryDirectory();
    const outcomes = { refused: 0, reported: 0, harmless: 0 };
    for (let history = 0; history < runs / 4; history++) {
      const random = seededRandom(history + 1_000_000);
      const life = new Life(directory, random);
      let files = new FaultFileLayer(random);
      life.open(files);
      work(life, files, random);
      life.sync?.doWork();
      if (random() < 0.5) life.close();
      files = files.powerUp('everything');
      life.abandon();
      for (let flip = 0; flip < 20; flip++) {
        const flipped = files.clone();
        flipOne(flipped, random);
        const what = `CAUSEWAY_SEED=${seed}, history ${history}, flip ${flip}`;
        try {
          const { report } = life.recover(flipped);
          const items = life.read(flipped);
          life.checkItems(items);
          const isWhole = BigInt(items.length) >= life.acknowledged && items.every(({ type }) => type !== 'gap');
          const isReported = report.tornTail !== undefined || report.holes.length > 0 || report.aside.length > 0;
          outcomes[isReported ? 'reported' : 'harmless'] += 1;
          expect(isWhole || isReported, what).toBe(true);
        } catch (error) {
          if (!(error instanceof CausewayError)) throw new Error(`${what}: ${(error as Error).stack}`);
          expect(['JOURNAL_CORRUPT', 'JOURNAL_INCOMPATIBLE'], what).toContain(error.code);
          outcomes.refused += 1;
        }
      }
    }
    console.log(`flipped bits: ${JSON.stringify(outcomes)}`);
    expect(outcomes.refused).toBeGreaterThan(0);
  }, 300_000);
});

/** One bit of one file, at rest or in one read; more often where something is. */
function flipOne(files: FaultFileLayer, random: Random): void {
  const names = [...files.files().keys()];
  const flip = (bytes: Uint8Array): void => {
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
    const at = below(random, random() < 0.9 ? end : bytes.length);
    if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << below(random, 8));
  };
  if (random() < 0.5) {
    flip(files.contentOf(pick(random, names)) as Uint8Array);
    return;
  }
  let reads = below(random, 20);
  files.onRead = (target) => {
    if (reads-- === 0) flip(target);
  };
}

describe.skipIf(loadNative() === undefined)('a power failure under mapped files', () => {
  it('keeps all that was acknowledged, whatever pages the kernel wrote by then', () => {
    const directory = temporaryDirectory();
    const totals = { crashes: 0, lost: 0, holes: 0 };
    for (let history = 0; history < runs; history++) {
      const random = seededRandom(history + 2_000_000);
      for (const name of fs.readdirSync(directory)) fs.rmSync(`${directory}/${name}`);
      const life = new Life(directory, random, true);
      try {
        for (let boots = 1 + below(random, 3); boots > 0; boots--) {
          const files = new SnapshotFileLayer(directory);
          const chance = pick(random, [0, 0.1, 0.5, 0.9, 1]);
          let promised = life.acknowledged;
          let disk: FaultFileLayer | undefined;
          const cut = (): void => {
            if (life.journal !== undefined) life.note();
            promised = life.acknowledged;
            disk = files.afterPowerFailure(random, chance);
          };
          if (random() < 0.5) {
            const at = 1 + below(random, 60);
            files.onCall = () => {
              if (files.calls === at) cut();
            };
          }
          life.open(files);
          for (let left = below(random, 30); left > 0; left--) {
            const length = random() < 0.2 ? below(random, 20_000) : below(random, 1500);
            life.append(pick(random, DURABILITIES), length);
            if (random() < 0.3) life.sync?.doWork();
            life.note();
          }
          if (disk === undefined) cut();
          files.onCall = undefined;
          life.close();
          totals.crashes += 1;
          life.acknowledged = promised;
          const after = comeBack(life, disk as unknown as FaultFileLayer, random);
          for (const name of fs.readdirSync(directory)) fs.rmSync(`${directory}/${name}`);
          for (const [file, bytes] of after.files()) fs.writeFileSync(file, bytes);
        }
      } catch (error) {
        life.abandon();
        throw new Error(`CAUSEWAY_SEED=${seed}, history ${history}: ${(error as Error).stack}`, { cause: error });
      }
      totals.lost += life.lost;
      totals.holes += life.holes;
    }
    console.log(`power failures under mapped files: ${JSON.stringify(totals)}`);
    expect(totals.lost).toBeGreaterThan(0);
  }, 300_000);
});
