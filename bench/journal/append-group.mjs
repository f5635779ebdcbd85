// journal.append.group: 64 writers, each waiting until its event of 200 bytes survives a power failure (a finished fdatasync) before it writes the next one;
// acknowledged events a second, through the engine's public emit().
//
// Goal: at least 5 times better-sqlite3 (WAL, synchronous = FULL) and twice lmdb, each through its own interface: an INSERT a writer, which is a transaction and a
// flush; lmdb's put(), which puts into one transaction what came together. With .batched, better-sqlite3 gets the grouping that it does not have, by hand: one
// transaction for all that the 64 writers have ready. Every side is read back and counted.
// Non-goals: a single writer; disks without a write cache.

import path from 'node:path';
import { withDirectory } from '../harness/directory.mjs';
import { load, loadLayout } from '../harness/engine.mjs';
import { alternate, summarize } from '../harness/measure.mjs';
import { loadBetterSqlite, loadRival, rivalVersion } from '../harness/rivals.mjs';
import { payloadOf, sumPayloads } from './open.mjs';

const WRITERS = 64;
const EVENTS = 20_000;
const HEADER_LENGTH = 144;

export const ids = ['journal.append.group', 'journal.append.group.batched', 'journal.append.group.lmdb'];

/** @typedef {{ append: (number: number) => Promise<unknown>, close: () => Promise<{ count: number, checksum: string }> }} Store */

/** @param {import('../harness/measure.mjs').Context} context */
export async function run(context) {
  const count = Math.max(WRITERS * 10, Math.round((EVENTS * context.scale) / WRITERS) * WRITERS);
  const Database = await loadBetterSqlite(context.note, { compile: !context.smoke });
  const lmdb = /** @type {any} */ (await loadRival('lmdb', context.note));
  const sqliteName = `better-sqlite3 ${rivalVersion('better-sqlite3')} (WAL, FULL)`;
  const batchedName = `${sqliteName}, batched by hand`;
  const lmdbName = `lmdb ${rivalVersion('lmdb')}`;
  return withDirectory(async (root) => {
    let turn = 0;
    const place = () => path.join(root, `store-${turn++}`);
    /** @type {Record<string, () => Promise<import('../harness/measure.mjs').Sample>>} */
    const rivals = {};
    if (Database !== undefined) {
      rivals[sqliteName] = async () => measure(openSqlite(Database, place(), { batched: false }), count);
      rivals[batchedName] = async () => measure(openSqlite(Database, place(), { batched: true }), count);
    }
    if (lmdb !== undefined) rivals[lmdbName] = async () => measure(openLmdb(lmdb, place()), count);
    const measured = await alternate(context, {
      subject: async () => measure(await openEngine(place()), count),
      rivals,
    });
    const rows = {
      'journal.append.group': sqliteName,
      'journal.append.group.batched': batchedName,
      'journal.append.group.lmdb': lmdbName,
    };
    return Object.entries(rows).map(([id, rival]) =>
      summarize({
        id,
        unit: 'events/s',
        better: 'higher',
        subject: measured.subject,
        rival,
        rivalSamples: measured.rivals[rival] ?? [],
      }),
    );
  });
}

/**
 * @param {Store} store
 * @param {number} count
 */
async function measure(store, count) {
  let next = 0;
  const writer = async () => {
    while (next < count) await store.append(next++);
  };
  const begin = process.hrtime.bigint();
  await Promise.all(Array.from({ length: WRITERS }, writer));
  const ns = Number(process.hrtime.bigint() - begin);
  const kept = await store.close();
  if (kept.count !== count) throw new Error(`appended=${count}, kept=${kept.count}`);
  return { figures: { '': (count / ns) * 1e9 }, checksum: kept.checksum };
}

/** @param {string} directory @returns {Promise<Store>} */
async function openEngine(directory) {
  const [{ Engine }, L] = await Promise.all([load('src/index.js'), loadLayout()]);
  const engine = await Engine.open({ source: 'none', journal: directory });
  return {
    append: (number) => engine.emit({ type: 'fs.write', payload: payloadOf(number) }, { durability: 'group' }),
    async close() {
      await engine.close();
      return sumPayloads(directory, L);
    },
  };
}

/** The event as the rivals keep it: 200 bytes, the same payload behind a header. @param {number} number */
function eventOf(number) {
  const event = Buffer.alloc(HEADER_LENGTH + 56);
  event.set(payloadOf(number), HEADER_LENGTH);
  return event;
}

/**
 * @param {any} Database
 * @param {string} file
 * @param {{ batched: boolean }} options One transaction for all that the writers have handed over since the last one; else one for each event.
 * @returns {Store}
 */
function openSqlite(Database, file, { batched }) {
  const database = new Database(file);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec('CREATE TABLE events (sequence INTEGER PRIMARY KEY, event BLOB NOT NULL)');
  const insert = database.prepare('INSERT INTO events (event) VALUES (?)');
  const insertAll = database.transaction((/** @type {Buffer[]} */ events) => {
    for (const event of events) insert.run(event);
  });
  return {
    append: batched ? batcher(insertAll) : async (number) => insert.run(eventOf(number)),
    async close() {
      const kept = sumEvents(database.prepare('SELECT event FROM events').pluck().iterate());
      database.close();
      return kept;
    },
  };
}

/**
 * What was handed over in one turn of the event loop goes to the database together.
 * @param {(events: Buffer[]) => void} insertAll
 */
function batcher(insertAll) {
  /** @type {{ event: Buffer, resolve: () => void }[]} */
  let waiting = [];
  const flush = () => {
    const group = waiting;
    waiting = [];
    insertAll(group.map(({ event }) => event));
    for (const { resolve } of group) resolve();
  };
  return (/** @type {number} */ number) =>
    new Promise((resolve) => {
      if (waiting.length === 0) setImmediate(flush);
      waiting.push({ event: eventOf(number), resolve: () => resolve(undefined) });
    });
}

/**
 * @param {any} lmdb
 * @param {string} directory
 * @returns {Store}
 */
function openLmdb(lmdb, directory) {
  const database = lmdb.open({ path: directory, encoding: 'binary', keyEncoding: 'uint32', compression: false });
  return {
    // put() resolves when others see the event, flushed when it is on the disk.
    append: async (number) => {
      await database.put(number, eventOf(number));
      await database.flushed;
    },
    async close() {
      const kept = sumEvents(database.getRange({}).map((/** @type {{ value: Buffer }} */ { value }) => value));
      await database.close();
      return kept;
    },
  };
}

/** @param {Iterable<Buffer>} events */
function sumEvents(events) {
  let count = 0;
  let sum = 0;
  for (const event of events) {
    count += 1;
    for (let word = HEADER_LENGTH; word < event.length; word += 8) sum = (sum + event.readUInt32LE(word)) >>> 0;
  }
  return { count, checksum: sum.toString(16).padStart(8, '0') };
}
