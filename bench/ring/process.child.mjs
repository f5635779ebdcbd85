// One of the two processes of process.mjs: side 0 makes the arena, listens at the socket and takes, side 1 opens both and sends.

import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { pinThread } from '../harness/affinity.mjs';
import { load, loadLayout } from '../harness/engine.mjs';
import { percentile } from '../harness/measure.mjs';
import { CONTROL_WORDS, meet, timed, WORD_TAKEN } from './crew.mjs';
import { JsEndpoint, QUEUE_OF_BACK, QUEUE_OF_JS, QUEUE_OF_WASM, WasmEndpoint } from './queue-endpoint.mjs';
import { checksumOf, fillRecord, RECORD_LENGTH, RECORD_WORDS, sumOfRecord } from './record.mjs';
import { sendTimed, sharedWords, TakenHops } from './timed-hop.mjs';

const CALIBRATIONS = 10_001;
const CONTROL_LENGTH = 4096;
const HOP_OFFSET = 2048;
const LANE_CAPACITY = 262_144;
const WAIT_MS = 1000;

const { side, loops, socket: socketPath } = JSON.parse(process.argv[2] ?? '{}');
const isTaker = side === 0;
const [{ Arena }, { Queue, queueRegion }, layout] = await Promise.all([
  load('src/arena/arena.js'),
  load('src/queue/queue.js'),
  loadLayout(),
]);

await pinThread(1 - side);
const server = isTaker ? net.createServer().listen(socketPath) : undefined;
const arena = isTaker ? makeArena() : Arena.open(await handleOfArena());
if (isTaker) await handleOfArena(arena.handle);

const controlAt = arena.region(layout.ARENA_REGION_SCRATCH, 0).address;
const control = arena.i32.subarray(controlAt / 4, controlAt / 4 + CONTROL_WORDS);
const takenAt = controlAt + WORD_TAKEN * 4;
const hop = sharedWords(arena.memory.buffer, controlAt + HOP_OFFSET);
const sleepersAt =
  (arena.region(layout.ARENA_REGION_QUEUE, QUEUE_OF_JS).address + Number(layout.QUEUE_SLEEPERS_OFFSET)) / 4;
const there = isTaker ? 'consumer' : 'producer';
const back = isTaker ? 'producer' : 'consumer';
const wasm = new WasmEndpoint(arena, loops, { role: there, number: 0, core: 0 }, QUEUE_OF_WASM);
const wasmBack = new WasmEndpoint(arena, loops, { role: back, number: 0, core: 0 }, QUEUE_OF_BACK);
const js = new JsEndpoint(arena, { role: there, number: 0, core: 0 });
const socket = await openSocket();

function makeArena() {
  const options = { mode: 'spsc', laneCapacity: LANE_CAPACITY };
  const numbers = [QUEUE_OF_WASM, QUEUE_OF_JS, QUEUE_OF_BACK];
  const scratch = { kind: layout.ARENA_REGION_SCRATCH, number: 0, length: CONTROL_LENGTH };
  const made = Arena.create({
    regions: [scratch, ...numbers.map((number) => queueRegion(options, number))],
    share: true,
  });
  for (const number of numbers) Queue.create(made, made.region(layout.ARENA_REGION_QUEUE, number), options);
  return made;
}

/** Both are told once the arena is there. @param {string} [own] */
async function handleOfArena(own) {
  if (own !== undefined) process.send?.({ handle: own });
  const [{ handle }] = await once(process, 'message');
  return handle;
}

async function openSocket() {
  if (server !== undefined) {
    const [accepted] = /** @type {[net.Socket]} */ (await once(server, 'connection'));
    return accepted;
  }
  while (!fs.existsSync(socketPath)) await new Promise((resolve) => setTimeout(resolve, 5));
  const connected = net.connect(socketPath);
  await once(connected, 'connect');
  return connected;
}

/** @type {Record<string, (task: any) => any>} */
const tasks = {
  wasm: (task) => transfer(wasm, task),
  js: (task) => transfer(js, task),
  socket: (task) => (isTaker ? takeFromSocket(task) : sendToSocket(task)),
  ping({ records }) {
    if (!isTaker) return roundTrips(records);
    wasm.loops.pong(wasmBack.state, wasm.state, 0, records);
    return {};
  },
  socketPing: ({ records }) => (isTaker ? echo(records) : socketRoundTrips(records)),
  parked: (task) => (isTaker ? takeParked(task) : sendParked(task)),
  socketParked: (task) => (isTaker ? takeSocketParked(task) : sendSocketParked(task)),
};

/** @param {WasmEndpoint | JsEndpoint} endpoint @param {any} task */
function transfer(endpoint, { records, batch, spins }) {
  meet(control, 2);
  const work = { first: 0, count: records, batch, spins };
  if (isTaker) {
    const { sum, ns } = timed(() => ({ sum: endpoint.consume({ ...work, takenAt }), taken: records }));
    return { ns, checksum: checksumOf(sum) };
  }
  endpoint.produce(work);
  return {};
}

/** @param {any} task */
async function sendToSocket({ records, batch }) {
  for (let done = 0; done < records; done += batch) {
    const words = new Int32Array(Math.min(batch, records - done) * RECORD_WORDS);
    for (let index = 0; index * RECORD_WORDS < words.length; index++)
      fillRecord(words, index * RECORD_WORDS, done + index);
    if (!socket.write(new Uint8Array(words.buffer))) await once(socket, 'drain');
  }
  return {};
}

/** @param {any} task */
function takeFromSocket({ records }) {
  const begin = process.hrtime.bigint();
  let sum = 0;
  return eachRecord(records, (words) => {
    sum = (sum + sumOfRecord(words, 0)) | 0;
  }).then(() => ({ ns: Number(process.hrtime.bigint() - begin), checksum: checksumOf(sum) }));
}

/**
 * The stream cut into records, `records` of them.
 * @param {number} records
 * @param {(words: Int32Array) => void} take
 */
function eachRecord(records, take) {
  const bytes = new Uint8Array(RECORD_LENGTH);
  const words = new Int32Array(bytes.buffer);
  let filled = 0;
  let taken = 0;
  return new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
    socket.on('data', function listen(/** @type {Buffer} */ chunk) {
      for (let at = 0; at < chunk.length; ) {
        const some = Math.min(RECORD_LENGTH - filled, chunk.length - at);
        bytes.set(chunk.subarray(at, at + some), filled);
        at += some;
        filled += some;
        if (filled < RECORD_LENGTH) break;
        filled = 0;
        taken += 1;
        take(words);
      }
      if (taken < records) return;
      socket.off('data', listen);
      resolve();
    });
  });
}

/** @param {number} records */
function roundTrips(records) {
  const ping = (/** @type {number} */ number) => wasm.loops.ping(wasm.state, wasmBack.state, number);
  const clock = readings(CALIBRATIONS, (number) => wasm.loops.nothing(0, 0, number)).ns.sort();
  const { ns, sum } = readings(records, ping);
  return halved(ns, percentile(clock, 0.5), sum);
}

/**
 * @param {number} count
 * @param {(number: number) => number} call
 */
function readings(count, call) {
  const ns = new Float64Array(count);
  let sum = 0;
  for (let number = 0; number < count; number++) {
    const before = performance.now();
    const answer = call(number);
    ns[number] = (performance.now() - before) * 1e6;
    sum = (sum + answer) | 0;
  }
  return { ns, sum };
}

/** @param {Float64Array} ns @param {number} clockNs @param {number} sum */
function halved(ns, clockNs, sum) {
  const hops = ns.map((total) => Math.max(0, total - clockNs) / 2).sort();
  return { p50: percentile(hops, 0.5), p99: percentile(hops, 0.99), checksum: checksumOf(sum) };
}

/** Answers each record by the same one. @param {number} records */
async function echo(records) {
  await eachRecord(records, (words) => socket.write(new Uint8Array(words.slice().buffer)));
  return {};
}

/** @param {number} records */
async function socketRoundTrips(records) {
  const ns = new Float64Array(records);
  let sum = 0;
  let number = 0;
  let sent = 0;
  const send = () => {
    const words = new Int32Array(RECORD_WORDS);
    fillRecord(words, 0, number);
    sent = performance.now();
    socket.write(new Uint8Array(words.buffer));
  };
  const all = eachRecord(records, (words) => {
    ns[number] = (performance.now() - sent) * 1e6;
    sum = (sum + sumOfRecord(words, 0)) | 0;
    number += 1;
    if (number < records) send();
  });
  send();
  await all;
  return halved(ns, 0, sum);
}

/** @param {any} task */
function sendParked({ records, pauseNs }) {
  const words = new Int32Array(RECORD_WORDS);
  const bytes = new Uint8Array(words.buffer);
  sendTimed({
    count: records,
    pauseNs,
    shared: hop,
    send(number) {
      fillRecord(words, 0, number);
      js.producer.offer(bytes);
      js.producer.publish();
    },
    isIdle: () => Number(Atomics.load(arena.i32, sleepersAt)) !== 0,
  });
  return {};
}

/** @param {any} task */
function takeParked({ records }) {
  const taken = new TakenHops(hop, records);
  const take = (/** @type {number} */ address) => taken.add(sumOfRecord(arena.i32, address / 4));
  while (!taken.isComplete) {
    if (js.consumer.waitForRecord(WAIT_MS)) js.consumer.drain(take);
  }
  return taken.result();
}

/** @param {any} task */
function sendSocketParked({ records, pauseNs }) {
  sendTimed({
    count: records,
    pauseNs,
    shared: hop,
    send(number) {
      const words = new Int32Array(RECORD_WORDS);
      fillRecord(words, 0, number);
      socket.write(new Uint8Array(words.buffer));
    },
    isIdle: () => true,
  });
  return {};
}

/** @param {any} task */
async function takeSocketParked({ records }) {
  const taken = new TakenHops(hop, records);
  await eachRecord(records, (words) => taken.add(sumOfRecord(words, 0)));
  return taken.result();
}

process.on('message', async (/** @type {any} */ task) => {
  const perform = tasks[task.task];
  if (perform === undefined) throw new Error(`no task '${task.task}'`);
  const answer = await perform(task);
  if (isTaker) control.fill(0);
  process.send?.(answer);
});
process.send?.({});
