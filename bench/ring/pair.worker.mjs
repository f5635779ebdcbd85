// One of the two threads of pair.mjs.

import { parentPort, workerData } from 'node:worker_threads';
import { pinThread } from '../harness/affinity.mjs';
import { instantiateLoops, load, loadLayout } from '../harness/engine.mjs';
import { percentile } from '../harness/measure.mjs';
import { RING_CAPACITY } from './pair.mjs';
import { sendTimed, sharedWords, TakenHops } from './timed-hop.mjs';

const CHUNK = 32_768;
const CALIBRATIONS = 10_001;
/** FUTEX_WAIT and FUTEX_WAKE for threads of one process. */
const FUTEX_WAIT_PRIVATE = 128;
const FUTEX_WAKE_PRIVATE = 129;
const FUTEX_TIMEOUT_NS = 10_000_000n;

const { memory, loops: loopsPath, side } = workerData;
const [{ Arena }, { loadNative }, { timespecOf }, layout] = await Promise.all([
  load('src/arena/arena.js'),
  load('src/arena/native.js'),
  load('src/arena/futex-group.js'),
  loadLayout(),
]);
const arena = Arena.attach(memory);
const loops = instantiateLoops(memory, loopsPath);
const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);

/** @param {number} number */
const ringAt = (number) => arena.region(layout.ARENA_REGION_RING, number).address;
const states = arena.region(layout.ARENA_REGION_SCRATCH, side).address;
const meetingWord = arena.region(layout.ARENA_REGION_SCRATCH, 2).address / 4;
const shared = sharedWords(arena.memory.buffer, arena.region(layout.ARENA_REGION_SCRATCH, 2).address + 128);
const parkedWord = (ringAt(0) + Number(layout.RING_CONSUMER_PARKED_OFFSET)) / 4;
const parkedBytes = arena.slice(parkedWord * 4, 4);
const producer = states;
const consumer = states + 1024;

// Side 0 writes ring 0 and reads ring 1, side 1 the other way round.
loops.ringInit(ringAt(side), RING_CAPACITY);
await pinThread(side);
port.postMessage('ready');

/** @type {Record<string, (task: any) => object>} */
const tasks = {
  produce({ count, batch }) {
    for (let done = 0; done < count; done += CHUNK)
      loops.produceChunk(producer, BigInt(done), Math.min(CHUNK, count - done), batch);
    return {};
  },
  consume({ count, batch }) {
    let sum = 0n;
    const begin = process.hrtime.bigint();
    for (let done = 0; done < count; done += CHUNK)
      sum += loops.consumeChunk(consumer, Math.min(CHUNK, count - done), batch);
    const ns = Number(process.hrtime.bigint() - begin);
    return { ns, checksum: BigInt.asUintN(64, sum).toString(16).padStart(16, '0') };
  },
  ping({ count }) {
    return roundTrips(loops.ping, count);
  },
  pong({ count }) {
    for (let done = 0; done < count; done += CHUNK) loops.pong(producer, consumer, Math.min(CHUNK, count - done));
    return {};
  },
  sendParked({ count, pauseNs }) {
    sendTimed({
      count,
      pauseNs,
      shared,
      send: (number) => loops.sendOne(producer, number),
      isIdle: () => Number(Atomics.load(arena.i32, parkedWord)) === 1,
    });
    return {};
  },
  takeParked({ count }) {
    const taken = new TakenHops(shared, count);
    while (!taken.isComplete) taken.add(loops.takeParked(consumer));
    return taken.result();
  },
  // The same with futex(2) through koffi, past the lists of sleepers that V8 keeps for memory.atomic.wait32.
  sendFutex({ count, pauseNs }) {
    const native = loadNative();
    sendTimed({
      count,
      pauseNs,
      shared,
      send(number) {
        loops.sendOne(producer, number);
        native.futex(parkedBytes, FUTEX_WAKE_PRIVATE, 1, null);
      },
      isIdle: () => Number(Atomics.load(arena.i32, parkedWord)) === 1,
    });
    return {};
  },
  takeFutex({ count }) {
    const native = loadNative();
    // The sender does not change the word: a wake-up that comes before the sleep is missed.
    const timeout = timespecOf(FUTEX_TIMEOUT_NS);
    const taken = new TakenHops(shared, count);
    while (!taken.isComplete) {
      Atomics.store(arena.i32, parkedWord, 1);
      if (loops.ringPeek(consumer) === layout.STATUS_EMPTY) native.futex(parkedBytes, FUTEX_WAIT_PRIVATE, 1, timeout);
      Atomics.store(arena.i32, parkedWord, 0);
      taken.add(loops.takeParked(consumer));
    }
    return taken.result();
  },
};

/**
 * Half of each round trip in ns, with the cost of reading the clock and of calling wasm taken off.
 * @param {(producer: number, consumer: number, number: number) => number} pingOnce
 * @param {number} count
 */
function roundTrips(pingOnce, count) {
  const clockNs = percentile(readings(loops.nothing, CALIBRATIONS).ns.sort(), 0.5);
  const { ns, sum } = readings(pingOnce, count);
  const hops = ns.map((total) => Math.max(0, total - clockNs) / 2).sort();
  return {
    p50: percentile(hops, 0.5),
    p99: percentile(hops, 0.99),
    clockNs,
    checksum: sum.toString(16).padStart(8, '0'),
  };
}

/**
 * @param {(producer: number, consumer: number, number: number) => number} call
 * @param {number} count
 */
function readings(call, count) {
  const ns = new Float64Array(count);
  let sum = 0;
  for (let number = 0; number < count; number++) {
    const before = performance.now();
    const answer = call(producer, consumer, number);
    ns[number] = (performance.now() - before) * 1e6;
    sum = (sum + answer) >>> 0;
  }
  return { ns, sum };
}

/** Both threads have their task: wait for the other one, spinning. @param {number} turn */
function meet(turn) {
  Atomics.add(arena.i32, meetingWord, 1);
  while (Atomics.load(arena.i32, meetingWord) < 2 * turn) {}
}

port.on('message', (task) => {
  loops.ringProducerInit(producer, ringAt(side), RING_CAPACITY);
  loops.ringConsumerInit(consumer, ringAt(1 - side), RING_CAPACITY, 0);
  meet(task.turn);
  const perform = tasks[task.name];
  if (perform === undefined) throw new Error(`no task '${task.name}'`);
  port.postMessage(perform(task));
});
