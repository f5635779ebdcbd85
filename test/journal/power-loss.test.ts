import { describe, expect, it } from 'vitest';
import { CausewayError } from '../../src/base/errors.ts';
import { CRASHES, FaultFileLayer } from '../support/fault-file-layer.ts';
import { runs, seed, seededRandom } from '../support/seed.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { below, Life, pick, type Random } from './life.ts';

const HISTORIES = runs * 20;
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
