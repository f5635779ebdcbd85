// A producer or consumer of a queue in a thread or process of its own, which does one task and says how it went. A thread gets the arena's memory, a process its handle.
// The arena's scratch region is shared with the test: word 0 = stop; the rest as the task says.

import { parentPort, workerData } from 'node:worker_threads';
import { ARENA_REGION_QUEUE } from '../../../dist/layout/arena.js';
import { STATUS_CLOSED, STATUS_FULL } from '../../../dist/layout/status.js';
import { Arena } from '../../../dist/src/arena/arena.js';
import { Queue } from '../../../dist/src/queue/queue.js';

/** @type {Arena} */
let arena;
/** @type {Queue} */
let queue;

const say = (message) => (parentPort ? parentPort.postMessage(message) : process.send(message));

/** Numbers in [0, 1) from a seed: a linear congruence is random enough for lengths and pauses. */
function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const pauseWord = new Int32Array(new SharedArrayBuffer(4));
const pause = (ms) => Atomics.wait(pauseWord, 0, 0, ms);

const fillOf = (id, number) => (id * 31 + number) & 0xff;
const isStopped = (task) => task.stop !== undefined && Atomics.load(arena.i32, task.stop / 4) !== 0;

/** Records: who, number, bytes that follow from both. `progress` is the address of a u64: how many this producer knows to be published. */
function produce(task) {
  const { id, count, batchMax, lengthMax, seed, progress, pauseMs = 0 } = task;
  const random = randomFrom(seed);
  const producer = queue.producer();
  say({ ready: true, lane: producer.lane });
  let waits = 0;
  let left = 0;
  for (let number = 0; number < count && !isStopped(task); number++) {
    const length = 8 + Math.floor(random() * (lengthMax - 7));
    let address = producer.reserve(length);
    while (address === STATUS_FULL && !isStopped(task)) {
      waits += 1;
      producer.waitForRoom(length, 500);
      address = producer.reserve(length);
    }
    if (address === STATUS_FULL) break;
    arena.view.setUint32(address, id, true);
    arena.view.setUint32(address + 4, number, true);
    arena.bytes.fill(fillOf(id, number), address + 8, address + length);
    producer.submit(length);
    if (left-- > 0) continue;
    producer.publish();
    left = Math.floor(random() * batchMax);
    if (progress !== undefined) Atomics.store(arena.u64, progress / 8, BigInt(number + 1));
    if (pauseMs > 0 && random() < 0.5) pause(random() * pauseMs);
  }
  const { dropped } = producer;
  producer.close();
  say({ done: true, waits, dropped: String(dropped), lane: producer.lane });
}

/**
 * Takes all until the queue is closed. Each record is whole; the records of each producer come in order, without a gap in broadcasts; `tally` counts every taking of record
 * (id, number) in the byte tally + id * perId + number.
 */
function consume(task) {
  const { recordsMax, tally, perId, seed, slowMs = 0, mayRepeat = false } = task;
  const isWhole = queue.plan.mode.startsWith('broadcast');
  const random = randomFrom(seed);
  const next = new Map();
  let taken = 0;
  let missed = 0n;
  const lapsed = new Set();
  const consumer = queue.consumer();
  say({ ready: true });
  const take = (address, length, lane) => {
    const id = arena.view.getUint32(address, true);
    const number = arena.view.getUint32(address + 4, true);
    const fill = fillOf(id, number);
    for (let at = address + 8; at < address + length; at++) {
      if (arena.bytes[at] !== fill)
        throw new Error(`torn: id=${id}, number=${number}, byte ${at - address} of ${length}`);
    }
    const due = next.get(id);
    const isOld = due !== undefined && number < due;
    if (isOld && !mayRepeat) throw new Error(`doubled or out of order: id=${id}, number=${number}, due=${due}`);
    const isGap = due !== undefined && number > due && !lapsed.has(lane);
    if (isWhole && isGap) throw new Error(`lost: id=${id}, number=${number}, due=${due}`);
    if (isWhole) lapsed.delete(lane);
    next.set(id, isOld ? due : number + 1);
    if (tally !== undefined) Atomics.add(arena.bytes, tally + id * perId + number, 1);
    taken += 1;
  };
  const lapse = (lane, count) => {
    missed += count;
    lapsed.add(lane);
  };
  while (!isStopped(task)) {
    const answer = consumer.drain(take, 1 + Math.floor(random() * recordsMax), lapse);
    if (answer === STATUS_CLOSED) break;
    if (answer === 0) consumer.waitForRecord(500);
    if (slowMs > 0) pause(random() * slowMs);
  }
  const { delivered, lapped: told } = consumer;
  consumer.close();
  say({ done: true, taken, missed: String(missed), delivered: String(delivered), told: String(told), next: [...next] });
}

/** Words of the queue are written over in a loop: random ones, and such as are nearly right; every now and then what was there comes back (a flip between check and use). */
function scribble({ seed, hot, stop }) {
  const random = randomFrom(seed);
  const { u64 } = arena;
  const { address, plan } = queue;
  const capacity = BigInt(plan.laneCapacity);
  say({ ready: true });
  let writes = 0;
  while (Atomics.load(arena.i32, stop / 4) === 0) {
    const anywhere = address + Math.floor((random() * plan.length) / 8) * 8;
    const at = random() < 0.8 ? hot[Math.floor(random() * hot.length)] : anywhere;
    const old = Atomics.load(u64, at / 8);
    const word = BigInt(Math.floor(random() * 2 ** 32));
    const values = [
      word,
      word << 32n,
      old + 8n,
      old - 8n,
      old + 1n,
      old + capacity,
      old ^ (1n << (word % 64n)),
      2n ** 64n - 8n,
      0n,
      word & ~7n,
    ];
    Atomics.store(u64, at / 8, BigInt.asUintN(64, values[Math.floor(random() * values.length)]));
    if (random() < 0.5) Atomics.store(u64, at / 8, old);
    writes += 1;
    // Or the other side would never get anywhere.
    if (random() < 0.001) pause(random() * 3);
  }
  say({ done: true, writes });
}

/** All `parties` of a history are here: nobody goes on before. The word counts arrivals. Who sleeps comes too late to do anything at the same time as others. */
function meet(word, parties, round) {
  Atomics.add(arena.i32, word / 4, 1);
  for (let turn = 1; Atomics.load(arena.i32, word / 4) < parties * round; turn++) {
    if (turn % 20_000 === 0) pause(0.01);
  }
}

/** A few of microseconds, so that operations overlap in ever other ways. */
function spin(random) {
  for (let left = Math.floor(random() ** 3 * 3000); left > 0; left--) Atomics.load(pauseWord, 0);
}

const now = () => Number(process.hrtime.bigint());

/**
 * Short histories: in each round producers publish small batches and consumers drain; then, all records being out, consumers drain until nothing is there any more, so that the next
 * history begins empty. Says of each round: [kind, lane, called, returned, missed, values...].
 */
function history(task) {
  const { isProducer, id, rounds, meetings, parties, seed, operations } = task;
  const random = randomFrom(seed);
  const endpoint = isProducer ? queue.producer() : queue.consumer();
  const state = { isProducer, id, random, endpoint, number: 0 };
  const histories = [];
  say({ ready: true, lane: endpoint.lane });
  for (let round = 1; round <= rounds; round++) {
    const log = [];
    meet(meetings, parties, round);
    for (let left = operations; left > 0; left--) {
      spin(random);
      if (isProducer) log.push(publishSome(state));
      else log.push(...drainSome(state, 1 + Math.floor(random() * 4)));
    }
    meet(meetings + 8, parties, round);
    if (!isProducer) log.push(...drainAll(state));
    meet(meetings + 16, parties, round);
    histories.push(log);
  }
  endpoint.close();
  say({ done: true, histories });
}

function publishSome(state) {
  const values = [];
  for (let left = Math.floor(state.random() * 3); left >= 0; left--) {
    const value = state.id * 1_000_000 + (state.number++ % 1_000_000);
    const record = new Uint8Array(4 + Math.floor(state.random() ** 4 * 400));
    new DataView(record.buffer).setUint32(0, value, true);
    if (!state.endpoint.offer(record)) throw new Error('a queue that was empty is full');
    values.push(value);
  }
  const called = now();
  state.endpoint.publish();
  return ['publish', state.endpoint.lane, called, now(), 0, ...values];
}

function drainSome({ endpoint }, recordsMax) {
  const lanes = new Map();
  const of = (lane) => lanes.get(lane) ?? lanes.set(lane, { missed: 0, values: [] }).get(lane);
  const called = now();
  const count = endpoint.drain(
    (address, _length, lane) => of(lane).values.push(arena.view.getUint32(address, true)),
    recordsMax,
    (lane, missed) => {
      of(lane).missed += Number(missed);
    },
  );
  const returned = now();
  const taken = [...lanes].map(([lane, { missed, values }]) => ['take', lane, called, returned, missed, ...values]);
  if (count > 0 || taken.length > 0) return taken;
  return Array.from({ length: queue.plan.lanes }, (_, lane) => ['empty', lane, called, returned, 0]);
}

function drainAll(state) {
  const log = [];
  for (;;) {
    const operations = drainSome(state, 100);
    log.push(...operations);
    if (operations[0]?.[0] === 'empty') return log;
  }
}

/** All at once take an end of the queue, round by round: 'taken' or the code of the refusal, and how many records came with it. Then whoever has it gives it back. */
function race({ end, rounds, meetings, parties }) {
  const answers = [];
  say({ ready: true });
  for (let round = 1; round <= rounds; round++) {
    let endpoint;
    let answer;
    meet(meetings, parties, round);
    try {
      endpoint = end === 'producer' ? queue.producer() : queue.consumer();
      answer = { outcome: 'taken', records: end === 'producer' ? 0 : endpoint.read(64).length };
    } catch (error) {
      answer = { outcome: error.code, records: 0 };
    }
    answers.push(answer);
    meet(meetings + 8, parties, round);
    endpoint?.close();
    meet(meetings + 16, parties, round);
  }
  say({ done: true, answers });
}

const ROLES = { produce, consume, scribble, history, race };

function begin(task) {
  try {
    arena = task.handle === undefined ? Arena.attach(task.memory) : Arena.open(task.handle);
    queue = Queue.open(arena, arena.region(ARENA_REGION_QUEUE));
    ROLES[task.role](task);
  } catch (error) {
    say({ error: String(error.stack ?? error), code: error.code });
  }
}

if (parentPort) begin(workerData);
// Nobody listens any more then: it ends when it is done and all it said has been sent.
else process.once('message', begin);
