// The sync worker: prepares segments, flushes in groups (src/journal/sync.ts has the work, this is its thread).

import { setImmediate as nextTurn } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { Arena } from '../arena/arena.ts';
import { instantiate } from '../arena/wasm.ts';
import { JournalSync } from '../journal/sync.ts';
import type { SyncControl, SyncData } from './control.ts';
import { exposeControl } from './endpoint.ts';

/** It is woken by whoever wants something; this is how long it sleeps if a wake-up should ever be missed by a dying thread. */
const WAIT_MS = 500;

const { memory, journal } = workerData as SyncData;
const arena = Arena.attach(memory);
const sync = new JournalSync({ arena, wasm: instantiate(arena), plan: journal });
let isStopping = false;
let stopped: Promise<void> = Promise.resolve();

async function run(): Promise<void> {
  // The answer to start() leaves before the thread blocks for the first time.
  await nextTurn();
  while (!isStopping) {
    if (sync.doWork() === 0) sync.wait(WAIT_MS);
    await nextTurn();
  }
  // What was asked for before the end is still done.
  while (sync.doWork() > 0);
  sync.close();
}

const control: SyncControl = {
  start: () => {
    stopped = run();
    // An unhandled rejection ends the worker, and the supervisor replaces it.
  },
  stop: () => {
    isStopping = true;
    return stopped;
  },
};
if (parentPort !== null) exposeControl(control, parentPort);
