// Writes records 0 .. count-1 into a ring, in batches, from a real thread: each record is its number and a run of bytes that follows from it.

import { workerData } from 'node:worker_threads';
import { Arena } from '../../../dist/src/arena/arena.js';
import { SpscProducer } from '../../../dist/src/arena/ring.js';
import { instantiate } from '../../../dist/src/arena/wasm.js';

const { memory, ring, state, count, batch, seed } = workerData;
const arena = Arena.attach(memory);
const wasm = instantiate(arena);
const producer = new SpscProducer({ arena, wasm, ring, state, owner: 1n });
let random = seed;
for (let number = 0; number < count; number++) {
  random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
  const length = 8 + (random % 120);
  let address = producer.reserve(length);
  while (address < 0) {
    producer.publish();
    producer.waitForRoom(length, 1000);
    address = producer.reserve(length);
  }
  arena.view.setUint32(address, number, true);
  arena.view.setUint32(address + 4, length, true);
  arena.bytes.fill(number & 0xff, address + 8, address + length);
  producer.submit(length);
  if (number % batch === batch - 1) producer.publish();
}
producer.close();
