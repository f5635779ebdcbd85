// A subscriber worker: reads the journal by itself and gives each batch to the user's handler, in this thread. If it dies, its replacement begins
// behind the last batch that the handler has finished, so a batch may come twice (at least once), never not at all.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { Arena } from '../arena/arena.ts';
import { CausewayError } from '../base/errors.ts';
import type { StreamItem } from '../event/types.ts';
import { LogControl } from '../journal/log-control.ts';
import { releaseReader } from '../journal/tail.ts';
import type { SubscriberControl, SubscriberData } from './control.ts';
import { exposeControl } from './endpoint.ts';
import { JournalStream } from './journal-stream.ts';

type Handler = (items: readonly StreamItem[], context: unknown) => unknown;
type Closer = (context: unknown) => unknown;

const WAIT_MS = 250;

const data = workerData as SubscriberData;
const arena = Arena.attach(data.memory);
const finished = new BigUint64Array(data.progress);
const slot = new Int32Array(data.progress, 8);

// The slot of a predecessor that died would hold its segments for ever.
const abandoned = Atomics.load(slot, 0);
if (abandoned > 0) releaseReader(new LogControl(arena), abandoned - 1);
const resumed = Atomics.load(finished, 0);
const stream = new JournalStream({
  arena,
  plan: data.journal,
  filter: data.filter,
  since: resumed > 0n ? resumed : (data.filter.since ?? data.position + 1n),
  position: data.position,
});
Atomics.store(slot, 0, stream.tail.slot + 1);

let isStopping = false;
let stopped: Promise<void> = Promise.resolve();

async function run(handler: Handler, close: Closer | undefined): Promise<void> {
  for (;;) {
    const isLast = isStopping;
    const { items, hasMore } = stream.read();
    if (items.length > 0) await handler(items, data.context);
    // After the handler: a batch counts when it has been handled.
    Atomics.store(finished, 0, stream.tail.position);
    if (!hasMore && isLast) break;
    // Not waitSync: the handler's own promises and timers go on while there is nothing to do.
    if (!hasMore) await stream.tail.wait(undefined, WAIT_MS);
    else await nextTurn();
  }
  await close?.(data.context);
  stream.close();
  Atomics.store(slot, 0, 0);
}

const control: SubscriberControl = {
  start: async () => {
    const module: { default?: unknown; close?: unknown } = await import(data.module);
    if (typeof module.default !== 'function') {
      throw new CausewayError('CONFIG_INVALID', `${data.module} has no default export that is a function`);
    }
    const close = typeof module.close === 'function' ? (module.close as Closer) : undefined;
    stopped = run(module.default as Handler, close);
  },
  stop: () => {
    isStopping = true;
    return stopped;
  },
};
if (parentPort !== null) exposeControl(control, parentPort);
