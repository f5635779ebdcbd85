// A pipeline of worker threads: names of files go through one queue to two workers, which hash the files, and the digests come back through another one.
//
//   node worker-pipeline.mjs [directory]     as: find directory -type f -exec sha256sum {} +
//
// Records lie in memory that all threads share; nothing is posted. A worker that dies loses nothing: what it had taken is handed out again.
// An engine can have such queues too: Engine.open({ queues: { ... } }), then connect(engine.connect()).

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { Connection, connect } from '@causeway/engine';
import { STATUS_CLOSED } from '@causeway/engine/layout';

if (isMainThread) await main(process.argv[2] ?? '.');
else work(workerData);

async function main(directory) {
  const connection = Connection.create({
    queues: {
      // Several consumers: each record goes to one of them.
      files: { mode: 'mpmc', producers: 1, consumers: 2 },
      // Several producers, one consumer.
      digests: { mode: 'mpsc', producers: 2 },
    },
  });
  const workers = [1, 2].map(() => new Worker(new URL(import.meta.url), { workerData: connection.plan }));
  const ended = Promise.all(workers.map((worker) => once(worker, 'exit')));
  const printing = print(connection);

  await find(directory, connection.queue('files'));
  // The workers take what is left, then see the end.
  connection.queue('files').close();
  await ended;
  connection.queue('digests').close();
  await printing;
  connection.close();
}

async function find(directory, queue) {
  const producer = queue.producer();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const name = Buffer.from(path.join(entry.parentPath ?? entry.path, entry.name));
    // No room: the workers are behind. They go on while we wait.
    while (!producer.offer(name)) await producer.waitForRoomAsync(name.length, 1000);
    producer.publish();
  }
  producer.close();
}

function work(plan) {
  const connection = connect(plan);
  const consumer = connection.queue('files').consumer();
  const producer = connection.queue('digests').producer();
  const { buffer } = connection.arena.memory;
  const hash = (address, length) => {
    const name = Buffer.from(buffer, address, length).toString();
    producer.send(Buffer.from(`${digestOf(name)}  ${name}`));
  };
  // A worker may block: it has nothing else to do.
  while (consumer.drain(hash, 16) !== STATUS_CLOSED) consumer.waitForRecord(1000);
  consumer.close();
  producer.close();
}

function digestOf(name) {
  try {
    return createHash('sha256').update(readFileSync(name)).digest('hex');
  } catch (error) {
    return `${error.code}`.padEnd(64);
  }
}

async function print(connection) {
  const consumer = connection.queue('digests').consumer();
  const { buffer } = connection.arena.memory;
  const line = (address, length) => console.log(Buffer.from(buffer, address, length).toString());
  while (consumer.drain(line) !== STATUS_CLOSED) await consumer.waitForRecordAsync(1000);
  consumer.close();
}
