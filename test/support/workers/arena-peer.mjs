// A second process or thread on an arena, which does what it is asked to. As a process it gets { id, op, args } by message and answers { id, value } or
// { id, error }; as a thread likewise. Values cross as strings where they are bigint.

import { parentPort } from 'node:worker_threads';
import { Arena } from '../../../dist/src/arena/arena.js';
import { isOwnerAlive, newOwner, takeOwnership } from '../../../dist/src/arena/owner.js';
import { park, parkAsync, wake } from '../../../dist/src/arena/parking.js';
import { instantiate } from '../../../dist/src/arena/wasm.js';

/** @type {Arena} */
let arena;

const OPERATIONS = {
  create: (options) => {
    arena = Arena.create(options);
    return { handle: arena.handle, regions: arena.regions() };
  },
  open: (handle, options) => {
    arena = Arena.open(handle, options);
    return { handle: arena.handle, regions: arena.regions(), isReadOnly: arena.isReadOnly };
  },
  attach: (memory) => {
    arena = Arena.attach(memory);
    return { isShared: arena.isShared, isReadOnly: arena.isReadOnly };
  },
  close: () => arena.close(),
  load: (address) => Atomics.load(arena.i32, address / 4),
  store: (address, value) => Atomics.store(arena.i32, address / 4, value),
  fill: (address, length, value) => void arena.bytes.fill(value, address, address + length),
  newOwner: (title) => {
    if (title !== undefined) process.title = title;
    return String(newOwner());
  },
  isOwnerAlive: (token) => isOwnerAlive(BigInt(token)),
  takeEndpoint: () => arena.takeEndpoint(newOwner()),
  /** Takes each of `count` words if it can: how many, and how many of those from the dead. */
  takeAll: (address, count) => {
    const owner = newOwner();
    const answers = Array.from({ length: count }, (_, word) => takeOwnership(arena, address + word * 8, owner));
    const adopted = answers.filter((answer) => answer.taken && answer.adoptedFrom !== 0n).length;
    return { owner: String(owner), taken: answers.filter(({ taken }) => taken).length, adopted };
  },
  park: (address, expected, timeoutMs) => {
    const start = performance.now();
    park(arena, address, expected, timeoutMs);
    return performance.now() - start;
  },
  parkAsync: async (address, expected, timeoutMs) => {
    const start = performance.now();
    await parkAsync(arena, address, expected, timeoutMs);
    return performance.now() - start;
  },
  atomicsWait: (address, expected, timeoutMs) => Atomics.wait(arena.i32, address / 4, expected, timeoutMs),
  /** A plain store by wasm. */
  wasmStore: (address) => instantiate(arena).ringProducerInit(address, address, 4096),
  wake: (address, count) => wake(arena, address, count),
  /** Adds one to its own word, wakes the other side, and waits until the other side's word is as far. */
  pingPong: async ({ mine, theirs, rounds, timeoutMs, isAsync }) => {
    for (let round = 1; round <= rounds; round++) {
      Atomics.store(arena.i32, mine / 4, round);
      wake(arena, mine);
      const end = performance.now() + timeoutMs;
      while (Atomics.load(arena.i32, theirs / 4) < round) {
        if (performance.now() > end) throw new Error(`round ${round}: nobody woke us in ${timeoutMs} ms`);
        if (isAsync) await parkAsync(arena, theirs, round - 1, timeoutMs);
        else park(arena, theirs, round - 1, timeoutMs);
      }
    }
    return rounds;
  },
  exit: (code) => process.exit(code),
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
