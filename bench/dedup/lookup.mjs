// dedup.lookup: contents of 256 bytes, all of them known, in a table of a million: hashed, found, confirmed byte by byte. dedup.insert: the same, all of them new. .each: without batches.
//
// Goal: at least 10 times what a program in JS does that has no such table: a Map on the hexadecimal digest, which is not confirmed. Its digest is the fastest that Node
// has (measured: sha1 with crypto.hash, where the processor has instructions for it); its input is in a Buffer, ours in the arena; both are in the cache, as from a ring.
// Non-goals: contents that are longer than the caches.

import crypto from 'node:crypto';
import { buildAssembly, instantiateLoops, load, loadLayout } from '../harness/engine.mjs';
import { alternate, summarize } from '../harness/measure.mjs';
import { fillRandom } from '../harness/random.mjs';

const KEYS = 1 << 20;
const KEYS_SMOKE = 1 << 13;
const CONTENT_LENGTH = 256;
const CONTENTS = 64;
const CHUNK = 32_768;
const ORDER = 0x9e3779b1;
const CANDIDATES = ['sha1', 'md5', 'sha256'];

export const ids = ['dedup.lookup', 'dedup.lookup.each', 'dedup.insert'];

/** @param {import('../harness/measure.mjs').Context} context */
export async function run(context) {
  const keys = context.smoke ? KEYS_SMOKE : KEYS;
  const table = await openTable(keys, context.seed);
  const digest = fastestDigest(table.content);
  const rival = `JS Map on ${digest.name} hex`;
  /** @type {import('../harness/measure.mjs').Result[]} */
  const results = [];
  /** @param {string} id @param {() => Promise<import('../harness/measure.mjs').Sample>} subject @param {() => Promise<import('../harness/measure.mjs').Sample>} other */
  const measure = async (id, subject, other) => {
    const { subject: samples, rivals } = await alternate(context, { subject, rivals: { [rival]: other } });
    results.push(
      summarize({
        id,
        unit: 'contents/s',
        better: 'higher',
        subject: samples,
        rival,
        rivalSamples: rivals[rival] ?? [],
      }),
    );
  };
  const seen = new Map();
  measureMap(seen, digest.of, table.content, keys);
  table.reset();
  table.insertBatches();
  await measure(
    'dedup.lookup',
    async () => table.insertBatches(),
    async () => measureMap(seen, digest.of, table.content, keys),
  );
  await measure(
    'dedup.lookup.each',
    async () => table.insertEach(),
    async () => measureMap(seen, digest.of, table.content, keys),
  );
  seen.clear();
  await measure(
    'dedup.insert',
    async () => {
      table.reset();
      return table.insertBatches();
    },
    async () => measureMap(new Map(), digest.of, table.content, keys),
  );
  return results;
}

/** @param {number} keys @param {number} seed */
async function openTable(keys, seed) {
  const [{ Arena }, { Dedup, dedupRegion }, layout, loopsPath] = await Promise.all([
    load('src/arena/arena.js'),
    load('src/queue/dedup.js'),
    loadLayout(),
    buildAssembly('dedup-loop'),
  ]);
  const entryLength = CONTENT_LENGTH + Number(layout.DEDUP_ENTRY_HEADER_LENGTH);
  const options = { contents: keys, logLength: 2 ** Math.ceil(Math.log2(keys * entryLength)) };
  const scratchLength = 4096 + CONTENTS * CONTENT_LENGTH;
  const arena = Arena.create({
    regions: [dedupRegion(options), { kind: layout.ARENA_REGION_SCRATCH, length: scratchLength }],
    endpoints: true,
  });
  const region = arena.region(layout.ARENA_REGION_DEDUP);
  const dedup = Dedup.create(arena, region, options);
  const loops = instantiateLoops(arena.memory, loopsPath);
  const scratch = arena.region(layout.ARENA_REGION_SCRATCH).address;
  const { state } = dedup;
  const [rows, contents] = [scratch, scratch + 4096];
  const content = Buffer.alloc(CONTENT_LENGTH);
  fillRandom(content, seed);
  for (let index = 0; index < CONTENTS; index++) arena.bytes.set(content, contents + index * CONTENT_LENGTH);
  const address = region.address;
  const { slots } = dedup.stats();

  /** @param {(first: number, count: number) => number} insert */
  const pass = (insert) => {
    let duplicates = 0;
    const begin = process.hrtime.bigint();
    for (let done = 0; done < keys; done += CHUNK) duplicates += insert(done, Math.min(CHUNK, keys - done));
    const ns = Number(process.hrtime.bigint() - begin);
    return sampleOf(keys, ns, duplicates);
  };
  return {
    content,
    insertBatches: () => pass((first, count) => loops.insertBatches(state, rows, contents, first, count, keys - 1)),
    insertEach: () => pass((first, count) => loops.insertEach(state, contents, first, count, keys - 1)),
    /** Everything is forgotten; the log goes on where it was. */
    reset: () =>
      arena.bytes.fill(0, address + layout.DEDUP_TABLE_OFFSET, address + layout.DEDUP_TABLE_OFFSET + slots * 8),
  };
}

/**
 * @param {Map<string, number>} seen
 * @param {(bytes: Buffer) => string} digestOf
 * @param {Buffer} content
 * @param {number} keys
 */
function measureMap(seen, digestOf, content, keys) {
  let duplicates = 0;
  const begin = process.hrtime.bigint();
  for (let number = 0; number < keys; number++) {
    content.writeUInt32LE((Math.imul(number, ORDER) & (keys - 1)) >>> 0, 0);
    const digest = digestOf(content);
    if (seen.has(digest)) duplicates += 1;
    else seen.set(digest, number);
  }
  return sampleOf(keys, Number(process.hrtime.bigint() - begin), duplicates);
}

/**
 * @param {number} count
 * @param {number} ns
 * @param {number} duplicates
 */
function sampleOf(count, ns, duplicates) {
  return { figures: { '': (count / ns) * 1e9 }, checksum: duplicates.toString(16).padStart(8, '0') };
}

/** The fastest here: processors differ in their instructions, and Node versions in their functions. @param {Buffer} content */
function fastestDigest(content) {
  const oneShot = /** @type {{ hash?: (name: string, bytes: Buffer, encoding: 'hex') => string }} */ (crypto).hash;
  const of = (/** @type {string} */ name) =>
    oneShot === undefined
      ? (/** @type {Buffer} */ bytes) => crypto.createHash(name).update(bytes).digest('hex')
      : (/** @type {Buffer} */ bytes) => oneShot(name, bytes, 'hex');
  const timed = CANDIDATES.map((name) => {
    const digest = of(name);
    let best = Number.POSITIVE_INFINITY;
    for (let turn = 0; turn < 3; turn++) {
      const begin = performance.now();
      for (let count = 0; count < 5000; count++) digest(content);
      best = Math.min(best, performance.now() - begin);
    }
    return { name, of: digest, best };
  });
  return timed.reduce((fastest, other) => (other.best < fastest.best ? other : fastest));
}
