// A second process or thread on the queues of a connection, which does what it is asked to (arena-peer.ts). A record is 8 bytes: its producer's id and its number.

import { parentPort } from 'node:worker_threads';
import { STATUS_CLOSED } from '../../../dist/layout/status.js';
import { Connection, connect } from '../../../dist/src/index.js';

/** @type {Connection} */
let connection;
let producer;
let consumer;

const record = (id, number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(id, 0);
  bytes.writeUInt32LE(number, 4);
  return bytes;
};

const OPERATIONS = {
  create: (options) => {
    connection = Connection.create(options);
    return connection.handle;
  },
  connect: (target, options) => {
    connection = connect(target, options);
    return { queues: connection.queues(), pools: connection.pools(), isReadOnly: connection.arena.isReadOnly };
  },
  close: () => connection.close(),
  closeQueue: (name) => connection.queue(name).close(),
  producer: (name) => {
    producer = connection.queue(name).producer();
    return producer.lane;
  },
  consumer: (name) => {
    consumer = connection.queue(name).consumer();
  },
  leave: () => {
    producer?.close();
    consumer?.close();
  },
  /** Records `from` (inclusive) to `to`, published in batches. */
  produce: async (id, from, to, batch = 64) => {
    for (let number = from; number < to; number++) {
      while (!producer.offer(record(id, number))) {
        if (!(await producer.waitForRoomAsync(8, 20_000))) throw new Error(`no room for ${number} in 20 s`);
      }
      if (number % batch === 0) producer.publish();
    }
    producer.publish();
  },
  offerUnpublished: (id, number) => producer.offer(record(id, number)),
  /** Takes until the end of the queue: how many of each producer, and the first that was out of its order. */
  consume: async (timeoutMs = 30_000) => {
    const next = {};
    let disorder;
    let count = 0;
    const end = performance.now() + timeoutMs;
    const words = connection.arena.view;
    for (;;) {
      const taken = consumer.drain((address) => {
        const id = words.getUint32(address, true);
        const number = words.getUint32(address + 4, true);
        if (number < (next[id] ?? 0)) disorder ??= `producer ${id}: ${number} after ${next[id] - 1}`;
        next[id] = number + 1;
        count += 1;
      });
      if (taken === STATUS_CLOSED) return { count, next, disorder };
      if (performance.now() > end) throw new Error(`no end in ${timeoutMs} ms: count=${count}`);
      if (taken === 0) await consumer.waitForRecordAsync(1000);
    }
  },
  /** Claims what there is and stops inside of the hand-over. */
  dieWithRecords: () => {
    consumer.drain(() => process.kill(process.pid, 'SIGKILL'));
  },
  take: (name) => {
    const pool = connection.pool(name);
    return pool.take();
  },
};

const answer = async ({ id, op, args }, send) => {
  try {
    send({ id, value: await OPERATIONS[op](...args) });
  } catch (error) {
    send({ id, error: { code: error.code, message: error.message } });
  }
};

if (parentPort) parentPort.on('message', (message) => answer(message, (reply) => parentPort.postMessage(reply)));
else process.on('message', (message) => answer(message, (reply) => process.send(reply)));
