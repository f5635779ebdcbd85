// One member of a crew of the rivals. ringbuf.js: a ring of it for each pair of producer and consumer, for it knows one of each only; 64 records in one push,
// which is how it is fastest. MessageChannel: a channel for each pair, 64 records in one message, with at most WINDOW messages on their way.

import { parentPort, workerData } from 'node:worker_threads';
import { pinThread } from '../harness/affinity.mjs';
import { loadRival } from '../harness/rivals.mjs';
import { meet, takenWord, timed, WORD_NEVER } from './crew.mjs';
import { fillRecord, RECORD_WORDS, sumOfRecord } from './record.mjs';

const IDLE_MS = 0.05;
const WINDOW = 64;
const POP_RECORDS = 1024;
const { member, controlBuffer, rings: buffers, ports } = workerData;
const control = new Int32Array(controlBuffer);
const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);

/** @param {Int32Array} words @param {number} first @param {number} records */
function fillBatch(words, first, records) {
  for (let index = 0; index < records; index++) fillRecord(words, index * RECORD_WORDS, first + index);
}

/** @param {Int32Array} words @param {number} records */
function sumOfBatch(words, records) {
  let sum = 0;
  for (let index = 0; index < records; index++) sum = (sum + sumOfRecord(words, index * RECORD_WORDS)) | 0;
  return sum;
}

class RingbufEndpoint {
  /** @param {any[]} rings those of this member */
  constructor(rings) {
    this.rings = rings;
    this.words = new Int32Array(POP_RECORDS * RECORD_WORDS);
  }

  /** @param {{ first: number, records: number, batch: number, spins: number, isBroadcast: boolean }} task */
  produce({ first, records, batch, spins, isBroadcast }) {
    let next = 0;
    for (let done = 0; done < records; done += batch) {
      const some = Math.min(batch, records - done);
      fillBatch(this.words, first + done, some);
      if (isBroadcast) for (const ring of this.rings) this.push(ring, some * RECORD_WORDS, spins);
      else next = this.pushToOne(next, some * RECORD_WORDS, spins);
    }
  }

  /** @param {any} ring @param {number} length @param {number} spins */
  push(ring, length, spins) {
    for (let idle = 1; ring.availableWrite() < length; idle++) this.rest(idle, spins);
    ring.push(this.words, length);
  }

  /** Whichever has room, in turn. @param {number} next @param {number} length @param {number} spins */
  pushToOne(next, length, spins) {
    for (let idle = 1; this.rings[next].availableWrite() < length; idle++) {
      next = (next + 1) % this.rings.length;
      this.rest(idle, spins);
    }
    this.rings[next].push(this.words, length);
    return (next + 1) % this.rings.length;
  }

  /** @param {{ total: number, spins: number, takenIndex: number }} task */
  consume({ total, spins, takenIndex }) {
    let sum = 0;
    for (let idle = 0; Atomics.load(control, takenIndex) !== total; ) {
      let records = 0;
      for (const ring of this.rings) {
        const taken = ring.pop(this.words) / RECORD_WORDS;
        sum = (sum + sumOfBatch(this.words, taken)) | 0;
        records += taken;
      }
      if (records > 0) Atomics.add(control, takenIndex, records);
      if (records > 0) idle = 0;
      else this.rest(++idle, spins);
    }
    return sum;
  }

  /** @param {number} idle @param {number} spins */
  rest(idle, spins) {
    if (idle % spins === 0) Atomics.wait(control, WORD_NEVER, 0, IDLE_MS);
  }
}

/** @param {any} task */
async function runRingbuf(task) {
  const { RingBuffer } = /** @type {any} */ (await loadRival('ringbuf.js', () => {}));
  const rings = buffers.map((/** @type {SharedArrayBuffer} */ buffer) => new RingBuffer(buffer, Int32Array));
  const endpoint = new RingbufEndpoint(rings);
  const takenIndex = takenWord(task.isShared ? 0 : member.number);
  meet(control, task.count);
  if (member.role === 'consumer') {
    return timed(() => ({ sum: endpoint.consume({ ...task, takenIndex }), taken: takenBy(task) }));
  }
  endpoint.produce({ ...task, first: member.number * task.records });
  return {};
}

/** @param {any} task */
function takenBy({ isShared, total }) {
  return isShared && member.number > 0 ? 0 : total;
}

/** @param {any} task */
async function runPorts(task) {
  meet(control, task.count);
  if (member.role === 'consumer') return takeMessages(task);
  await postMessages({ ...task, first: member.number * task.records });
  return {};
}

/** @param {any} task */
async function postMessages({ first, records, batch, isBroadcast }) {
  const free = ports.map(() => WINDOW);
  /** @type {() => void} */
  let wake = () => {};
  const acknowledge = ports.map((/** @type {any} */ _, /** @type {number} */ index) => () => {
    free[index] += WINDOW / 2;
    wake();
  });
  for (const [index, one] of ports.entries()) one.on('message', acknowledge[index]);
  let next = 0;
  for (let done = 0; done < records; done += batch) {
    const words = new Int32Array(Math.min(batch, records - done) * RECORD_WORDS);
    fillBatch(words, first + done, words.length / RECORD_WORDS);
    const targets = isBroadcast ? [...ports.keys()] : [next];
    while (targets.some((/** @type {number} */ index) => free[index] === 0)) {
      await new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
        wake = resolve;
      });
    }
    for (const index of targets) {
      ports[index].postMessage(words);
      free[index] -= 1;
    }
    next = (next + 1) % ports.length;
  }
  for (const [index, one] of ports.entries()) one.off('message', acknowledge[index]);
}

/** @param {any} task */
function takeMessages({ total, isShared }) {
  const begin = process.hrtime.bigint();
  const takenIndex = takenWord(isShared ? 0 : member.number);
  let sum = 0;
  return new Promise((resolve) => {
    const seen = ports.map(() => 0);
    const take = ports.map((/** @type {any} */ one, /** @type {number} */ index) => (/** @type {any} */ words) => {
      const records = words.length / RECORD_WORDS;
      sum = (sum + sumOfBatch(words, records)) | 0;
      seen[index] += 1;
      if (seen[index] % (WINDOW / 2) === 0) one.postMessage(0);
      Atomics.add(control, takenIndex, records);
    });
    for (const [index, one] of ports.entries()) one.on('message', take[index]);
    const look = setInterval(() => {
      if (Atomics.load(control, takenIndex) !== total) return;
      clearInterval(look);
      for (const [index, one] of ports.entries()) one.off('message', take[index]);
      resolve({ sum, taken: takenBy({ isShared, total }), ns: Number(process.hrtime.bigint() - begin) });
    }, 1);
  });
}

await pinThread(member.core);
port.postMessage('ready');
port.on('message', async (task) =>
  port.postMessage(await (task.level === 'ringbuf' ? runRingbuf(task) : runPorts(task))),
);
