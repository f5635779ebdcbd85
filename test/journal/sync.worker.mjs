// A thread that does nothing but the sync worker's work, until the journal is closed or it is terminated. Runs from dist/.
import { parentPort, workerData } from 'node:worker_threads';

const root = new URL('../../dist/src/', import.meta.url);
const { Arena } = await import(new URL('arena/arena.js', root));
const { instantiate } = await import(new URL('arena/wasm.js', root));
const { JournalSync } = await import(new URL('journal/sync.js', root));
const { LogControl } = await import(new URL('journal/log-control.js', root));

const arena = Arena.attach(workerData.memory);
const control = new LogControl(arena);
const sync = new JournalSync({ arena, wasm: instantiate(arena), plan: workerData.plan });
// Not before: a thread that is terminated while it loads a native library takes the process with it (an addon cannot throw there any more).
parentPort.postMessage('ready');
const LOG_STATE_CLOSED = 2;
while (control.state !== LOG_STATE_CLOSED) {
  if (sync.doWork() === 0) sync.wait(500);
}
sync.close();
