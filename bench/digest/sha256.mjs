// digest.sha256.small: SHA-256 of records of 256 bytes, 256 of them a batch, each digest to its place in a run of bytes; the same for 64 and 1024.
//
// Goal: at least 1.7 times the speed of node:crypto's `hash`, called for each record: that is what a batch replaces. Its digest comes as a Buffer, whose
// making costs as much as the hashing; `.text` is the way around that, `hash` to a latin1 text that is written to the bytes. Each side reads its input
// where its users have it: ours in the arena, where records lie anyway, the rivals' in buffers of Node's that are cut before the clock starts.
// Non-goals: long messages. There the processor's own instructions win, which node:crypto has and wasm does not: above about 1 KB, 450 bytes with `.text`
// (measured on a Zen 4).

import crypto from 'node:crypto';
import { load, loadLayout } from '../harness/engine.mjs';
import { alternate, summarize } from '../harness/measure.mjs';
import { fillRandom } from '../harness/random.mjs';
import { loadRival, rivalVersion } from '../harness/rivals.mjs';

const CASES = [
  { id: 'digest.sha256.small', length: 256, records: 300_000 },
  { id: 'digest.sha256.small.64', length: 64, records: 500_000 },
  { id: 'digest.sha256.small.1024', length: 1024, records: 100_000 },
];
const BATCH = 256;
const BATCHES = 4;
const INPUT_LENGTH_MAX = 1024 * BATCH * BATCHES;
const HASH = 'node:crypto hash';
const TEXT = 'node:crypto hash to text';

export const ids = CASES.flatMap(({ id }) => [id, `${id}.text`, `${id}.wasm`]);

/** @param {import('../harness/measure.mjs').Context} context */
export async function run(context) {
  const { subjectOf, input } = await makeSubject(context.seed);
  const hashWasm = /** @type {any} */ (await loadRival('hash-wasm', context.note));
  const hasher = await hashWasm?.createSHA256();
  const wasmName = `hash-wasm ${rivalVersion('hash-wasm')}`;

  const results = [];
  for (const { id, length, records } of CASES) {
    const batches = Math.max(BATCHES, Math.round((records * context.scale) / BATCH));
    const rivals = {
      [HASH]: rival(input, length, batches, (record, digests, at) =>
        digests.set(crypto.hash('sha256', record, 'buffer'), at),
      ),
      [TEXT]: rival(input, length, batches, (record, digests, at) =>
        // Node's types leave this encoding of its own out.
        digests.write(crypto.hash('sha256', record, /** @type {'binary'} */ ('latin1')), at, 'latin1'),
      ),
      ...(hasher === undefined
        ? {}
        : {
            [wasmName]: rival(input, length, batches, (record, digests, at) =>
              digests.set(hasher.init().update(record).digest('binary'), at),
            ),
          }),
    };
    const measured = await alternate(context, { subject: subjectOf(length, batches), rivals });
    for (const [suffix, name] of /** @type {const} */ ([
      ['', HASH],
      ['.text', TEXT],
      ['.wasm', wasmName],
    ])) {
      results.push(
        summarize({
          id: `${id}${suffix}`,
          unit: 'records/s',
          better: 'higher',
          subject: measured.subject,
          rival: name,
          rivalSamples: measured.rivals[name] ?? [],
        }),
      );
    }
  }
  return results;
}

/**
 * An arena with the input in it, and a copy of that for the rivals.
 * @param {number} seed
 */
async function makeSubject(seed) {
  const [{ Arena }, { instantiate }, layout] = await Promise.all([
    load('src/arena/arena.js'),
    load('src/arena/wasm.js'),
    loadLayout(),
  ]);
  const rowsLength = BATCH * layout.SHA256_ROW_LENGTH;
  const outLength = BATCH * layout.SHA256_DIGEST_LENGTH;
  const length = INPUT_LENGTH_MAX + outLength + rowsLength + layout.SHA256_SCRATCH_LENGTH;
  const arena = Arena.create({ regions: [{ kind: layout.ARENA_REGION_SCRATCH, length }] });
  const wasm = instantiate(arena);
  const { address } = arena.region(layout.ARENA_REGION_SCRATCH);
  const out = address + INPUT_LENGTH_MAX;
  const rows = out + outLength;
  const scratch = rows + rowsLength;
  fillRandom(arena.slice(address, INPUT_LENGTH_MAX), seed);
  const digests = Buffer.from(arena.memory.buffer, out, outLength);
  const words = new Uint32Array(arena.memory.buffer);

  /**
   * @param {number} recordLength
   * @param {number} batches
   */
  const subjectOf = (recordLength, batches) => async () =>
    measure(batches, digests, (batch) => {
      const from = address + (batch % BATCHES) * BATCH * recordLength;
      for (let index = 0; index < BATCH; index++) {
        const row = rows + index * layout.SHA256_ROW_LENGTH;
        words[(row + layout.SHA256_ROW_ADDRESS_OFFSET) >> 2] = from + index * recordLength;
        words[(row + layout.SHA256_ROW_LENGTH_OFFSET) >> 2] = recordLength;
      }
      wasm.sha256Batch(rows, BATCH, out, scratch);
    });
  return { subjectOf, input: Buffer.from(arena.slice(address, INPUT_LENGTH_MAX)) };
}

/**
 * @param {Buffer} input
 * @param {number} length
 * @param {number} batches
 * @param {(record: Buffer, digests: Buffer, at: number) => void} digest
 */
function rival(input, length, batches, digest) {
  const records = Array.from({ length: BATCH * BATCHES }, (_, index) =>
    input.subarray(index * length, (index + 1) * length),
  );
  const digests = Buffer.alloc(BATCH * 32);
  return async () =>
    measure(batches, digests, (batch) => {
      const first = (batch % BATCHES) * BATCH;
      for (let index = 0; index < BATCH; index++)
        digest(/** @type {Buffer} */ (records[first + index]), digests, index * 32);
    });
}

/**
 * @param {number} batches
 * @param {Buffer} digests
 * @param {(batch: number) => void} work
 */
function measure(batches, digests, work) {
  let sum = 0;
  const begin = process.hrtime.bigint();
  for (let batch = 0; batch < batches; batch++) {
    work(batch);
    sum = (sum + digests.readUInt32BE((batch % BATCH) * 32)) >>> 0;
  }
  const ns = Number(process.hrtime.bigint() - begin);
  for (let at = 0; at < digests.length; at += 4) sum = (sum + digests.readUInt32BE(at)) >>> 0;
  return { figures: { '': ((batches * BATCH) / ns) * 1e9 }, checksum: sum.toString(16).padStart(8, '0') };
}
