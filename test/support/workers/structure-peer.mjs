// Uses a pool, deduplication table or metadata cache from another thread (workerData) or process (its first message). Says 'ready', does its task, answers what came of it.
// Tasks without an end go on until somebody ends this thread or process.

import { parentPort, workerData } from 'node:worker_threads';
import { Arena } from '../../../dist/src/arena/arena.js';
import { newOwner } from '../../../dist/src/arena/owner.js';
import { Dedup } from '../../../dist/src/queue/dedup.js';
import { MetadataCache } from '../../../dist/src/queue/metadata-cache.js';
import { Pool } from '../../../dist/src/queue/pool.js';

/** @param {number} seed */
const randomFrom = (seed) => () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};

/** Every word of a value follows from its key and version. */
const valueWord = (key, version, word) => (BigInt(key) << 40n) | (BigInt(version) << 8n) | BigInt(word);

const TASKS = {
  /** Takes and gives at random, holding up to `held` records: each record's first word says whether somebody has it. */
  poolCycle(arena, region, { cycles, held, seed, id }) {
    const pool = Pool.open(arena, region);
    const random = randomFrom(seed);
    const records = [];
    const wrong = [];
    const give = () => {
      const record = records.splice(Math.floor(random() * records.length), 1)[0];
      if (Atomics.exchange(arena.i32, record / 4, 0) !== id) wrong.push(`record ${record} changed hands`);
      pool.give(record);
    };
    let full = 0;
    for (let cycle = 0; cycle < cycles; cycle++) {
      if (records.length > 0 && (records.length === held || random() < 0.5)) {
        give();
        continue;
      }
      const record = pool.take();
      if (record === undefined) {
        full += 1;
        continue;
      }
      const before = Atomics.exchange(arena.i32, record / 4, id);
      if (before !== 0) wrong.push(`record ${record} was taken by ${before} and ${id}`);
      records.push(record);
    }
    while (records.length > 0) give();
    return { wrong, full, closed: pool.close() };
  },

  poolStorm(arena, region, { held, seed }) {
    const pool = Pool.open(arena, region);
    const random = randomFrom(seed);
    const records = [];
    for (;;) {
      if (records.length > 0 && (records.length === held || random() < 0.5)) pool.give(records.pop());
      else {
        const record = pool.take();
        if (record !== undefined) records.push(record);
      }
    }
  },

  poolHold(arena, region, { count }) {
    const pool = Pool.open(arena, region);
    return Array.from({ length: count }, () => pool.take());
  },

  /** Reclaims for the dead, again and again. */
  poolReclaim(arena, region, { rounds }) {
    const pool = Pool.open(arena, region);
    let count = 0;
    for (let round = 0; round < rounds; round++) count += pool.reclaimDead();
    pool.close();
    return count;
  },

  /** Inserts contents 0 .. contents-1, each in some order of this peer's own: which were fresh. */
  dedupInsert(arena, region, { contents, length, seed, batch }) {
    const dedup = Dedup.open(arena, region);
    const random = randomFrom(seed);
    // Near one another in all peers, so that equal contents meet.
    const order = Array.from({ length: contents }, (_, number) => ({ number, at: number + random() * 50 }));
    order.sort((a, b) => a.at - b.at);
    const fresh = [];
    const bytes = new Uint8Array(length);
    const words = new Uint32Array(bytes.buffer);
    if (batch) {
      const { address } = arena.takeEndpoint(newOwner());
      for (let begin = 0; begin < contents; begin += 64) {
        const part = order.slice(begin, begin + 64);
        const places = part.map(({ number }, index) => {
          words.fill(number);
          arena.bytes.set(bytes, address + index * length);
          return { address: address + index * length, length };
        });
        dedup.insertBatch(places, 1).forEach((isFresh, index) => {
          if (isFresh) fresh.push(part[index].number);
        });
      }
      arena.giveEndpoint(address);
    } else {
      for (const { number } of order) {
        words.fill(number);
        if (dedup.insert(bytes, 1)) fresh.push(number);
      }
    }
    dedup.close();
    return fresh;
  },

  dedupStorm(arena, region, { contents, length, seed }) {
    const dedup = Dedup.open(arena, region);
    const random = randomFrom(seed);
    const bytes = new Uint8Array(length);
    const words = new Uint32Array(bytes.buffer);
    for (;;) {
      words.fill(Math.floor(random() * contents));
      dedup.insert(bytes);
    }
  },

  /** Puts, gets and invalidates a few keys: every value that is got must be whole. */
  cacheStorm(arena, region, { keys, cycles, seed }) {
    const cache = MetadataCache.open(arena, region);
    const random = randomFrom(seed);
    const value = new Uint8Array(cache.valueLength);
    const words = new BigUint64Array(value.buffer);
    const wrong = [];
    let hits = 0;
    for (let cycle = 0; cycle < cycles; cycle++) {
      const number = Math.floor(random() * keys);
      const key = { device: 7n, inode: BigInt(number) };
      const choice = random();
      if (choice < 0.3) {
        const version = Math.floor(random() * 2 ** 20);
        words.forEach((_, word) => {
          words[word] = valueWord(number, version, word);
        });
        cache.put(key, value, choice < 0.05 ? 1 : 0);
      } else if (choice < 0.32) cache.invalidate(key);
      else {
        const got = cache.get(key);
        if (got === undefined) continue;
        hits += 1;
        const copy = new BigUint64Array(got.slice().buffer);
        const isWhole = copy.every((word, index) => word === (copy[0] | BigInt(index)));
        if (!isWhole || copy[0] >> 40n !== BigInt(number)) wrong.push(`key ${number}: ${[...copy].join(' ')}`);
      }
    }
    cache.close();
    return { wrong: wrong.slice(0, 5), hits };
  },

  /** Writes random bytes over the region, from `from` on, for `milliseconds`. */
  scribble(arena, region, { from, milliseconds, seed }) {
    const random = randomFrom(seed);
    const end = performance.now() + milliseconds;
    let count = 0;
    while (performance.now() < end) {
      for (let turn = 0; turn < 1000; turn++) {
        const address = region.address + from + Math.floor(random() * (region.length - from));
        arena.bytes[address] = random() < 0.3 ? 0 : random() * 256;
        count += 1;
      }
    }
    return count;
  },
};

const perform = ({ memory, handle, region, task, options }, send) => {
  const arena = memory === undefined ? Arena.open(handle) : Arena.attach(memory);
  send({ ready: true });
  send({ value: TASKS[task](arena, region, options) });
};

if (parentPort) perform(workerData, (message) => parentPort.postMessage(message));
else {
  // A task without an end never lets this process's loop send: messages go out at once.
  process.on('message', (message) => perform(message, (reply) => process.send(reply)));
}
