// Two processes with one memory: a parent asks, its child answers, and whoever has nothing to do sleeps until the other one wakes it.
//
//   node two-processes.mjs [questions]
//
// Nothing goes through a pipe or a socket. See it from outside, while it runs: causeway arena

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Connection, connect } from '@causeway/engine';
import { STATUS_CLOSED } from '@causeway/engine/layout';

const [argument = '1000', handle] = process.argv.slice(2);
if (handle === undefined) process.exitCode = await ask(Number(argument));
else answer(handle);

async function ask(questions) {
  const connection = Connection.create({
    queues: { questions: { mode: 'spsc' }, answers: { mode: 'spsc' } },
    // Other processes of this user may connect, by the handle; for any name of your own: share: '/dev/shm/name'.
    share: true,
  });
  const child = fork(new URL(import.meta.url), [argument, connection.handle]);
  const ended = once(child, 'exit');
  const producer = connection.queue('questions').producer();
  const consumer = connection.queue('answers').consumer();
  const { view } = connection.arena;
  const tookUs = [];
  let wrong = 0;
  const isAlive = () => child.exitCode === null && child.signalCode === null;
  for (let number = 0; number < questions && isAlive(); number++) {
    const question = Buffer.alloc(8);
    question.writeDoubleLE(number);
    const before = performance.now();
    producer.send(question);
    const check = (address) => {
      if (view.getFloat64(address, true) !== number * number) wrong += 1;
    };
    // The event loop goes on meanwhile. A child that died would never answer.
    while (consumer.drain(check) === 0 && isAlive()) await consumer.waitForRecordAsync(1000);
    tookUs.push((performance.now() - before) * 1000);
  }
  producer.close();
  // The child sees the end, and ends.
  connection.queue('questions').close();
  const [exitCode] = await ended;
  consumer.close();
  connection.close();
  const median = tookUs.sort((a, b) => a - b)[Math.floor(tookUs.length / 2)] ?? 0;
  console.log(`${tookUs.length} answers, ${wrong} of them wrong; there and back in ${median.toFixed(0)} us`);
  return wrong === 0 ? (exitCode ?? 1) : 1;
}

function answer(handle) {
  const connection = connect(handle);
  const consumer = connection.queue('questions').consumer();
  const producer = connection.queue('answers').producer();
  const { view } = connection.arena;
  const square = (address) => {
    const number = view.getFloat64(address, true);
    const reply = Buffer.alloc(8);
    reply.writeDoubleLE(number * number);
    producer.send(reply);
  };
  // This process has nothing else to do: it may block.
  while (consumer.drain(square) !== STATUS_CLOSED) consumer.waitForRecord(1000);
  consumer.close();
  producer.close();
  connection.close();
  // The parent's messages would keep it running.
  process.disconnect?.();
}
