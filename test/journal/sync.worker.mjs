// A thread that does nothing but the sync worker's work, until the journal is closed or it is terminated. Runs from dist/.
import { workerData } from 'node:worker_threads';

const root = new URL('../../dist/src/', import.meta.url);
const { Arena } = await import(new URL('arena/arena.js', root));
const { instantiate } = await import(new URL('arena/wasm.js', root));
const { JournalSync } = await import(new URL('journal/sync.js', root));
const { LogControl } = await import(new URL('journal/log-control.js', root));

const arena = Arena.attach(workerData.memory);
const control = new LogControl(arena);
const sync = new JournalSync({ arena, wasm: instantiate(arena), plan: workerData.plan });
const LOG_STATE_CLOSED = 2;
while (control.state !== LOG_STATE_CLOSED) {
  if (sync.doWork() === 0) sync.wait(500);
}
sync.close();
