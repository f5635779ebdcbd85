// What every source that looks for itself must survive: other processes change the tree by the thousand while it is being followed.

import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { TreeView } from '../../src/event/tree-view.ts';
import { seed } from '../support/seed.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { eventOf, type Harness } from './source-harness.ts';

const CHURN = path.join(import.meta.dirname, 'churn.mjs');

/** Follows until the children have ended. */
async function follow(harness: Harness, children: ChildProcess[], lagMs: number, eachTurn: () => void): Promise<void> {
  let running = children.length;
  for (const child of children) child.on('close', () => (running -= 1));
  const deadline = performance.now() + 40_000;
  while (running > 0) {
    if (harness.turn() === 0) harness.reader.wait(1);
    eachTurn();
    await (lagMs > 0 ? sleep(lagMs) : nextTurn());
    if (performance.now() > deadline) throw new Error('the children do not end');
  }
}

export function sourceRaces(open: (root: string, ops: number[]) => Harness): void {
  const changes = [4, 5, 6, 7, 10, 11, 13, 14];
  for (const { name, processes, ops = [], lagMs = 0 } of [
    { name: 'by one process', processes: 1 },
    { name: 'by three processes', processes: 3 },
    { name: 'by two processes, changes only', processes: 2, ops: changes },
    { name: 'by two processes, and the reader lags behind', processes: 2, ops: changes, lagMs: 20 },
  ]) {
    for (let round = 0; round < 3; round++) {
      it(`ends with the tree that is there: changed ${name}, round ${round}`, async () => {
        const base = temporaryDirectory('races');
        const [root, outside] = [path.join(base, 'root'), path.join(base, 'outside')];
        fs.mkdirSync(root);
        fs.mkdirSync(outside);
        const view = new TreeView(root);
        const harness = open(root, ops);
        try {
          const children = Array.from({ length: processes }, (_, index) =>
            spawn(process.execPath, [CHURN, root, outside, String(seed + round * 10 + index), '6000'], {
              stdio: 'inherit',
            }),
          );
          let applied = 0;
          const apply = () => {
            for (const record of harness.records.splice(0)) {
              view.apply(eventOf(record));
              applied += 1;
            }
          };
          await follow(harness, children, lagMs, apply);
          harness.barrier();
          apply();
          expect(view.compare()).toEqual([]);
          expect(harness.losses).toEqual([]);
          expect(view.walkedCount).toBe(0);
          expect(applied).toBeGreaterThan(1000);
          // Still in step: nothing was forgotten to be watched.
          for (const entry of fs.readdirSync(root, { recursive: true, withFileTypes: true })) {
            if (entry.isDirectory()) fs.writeFileSync(path.join(entry.parentPath, entry.name, 'last'), 'x');
          }
          harness.barrier();
          apply();
          expect(view.compare()).toEqual([]);
        } finally {
          harness.close();
        }
      });
    }
  }
}
