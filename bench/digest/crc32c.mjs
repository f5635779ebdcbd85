// digest.crc32c: CRC-32C of 256 bytes and of 64 KiB, one call each, over input that does not fit one cache line twice in a row.
//
// Goal: at least 1.5 times (256 bytes) and once (64 KiB) the speed of hash-wasm's. Each side reads its input where its users have it: ours in the arena,
// where records lie anyway, the rival's in a buffer of Node's.
// Non-goals: hardware instructions, which wasm does not have.

import { load, loadLayout } from '../harness/engine.mjs';
import { alternate, summarize } from '../harness/measure.mjs';
import { fillRandom } from '../harness/random.mjs';
import { loadRival, rivalVersion } from '../harness/rivals.mjs';

const CASES = [
  { id: 'digest.crc32c.256', length: 256, inputs: 1024, bytes: 400_000_000 },
  { id: 'digest.crc32c.65536', length: 65_536, inputs: 16, bytes: 600_000_000 },
];
const POLYNOMIAL = 0x82f63b78;

export const ids = CASES.map(({ id }) => id);

/** @param {import('../harness/measure.mjs').Context} context */
export async function run(context) {
  const [{ Arena }, { instantiate }, layout] = await Promise.all([
    load('src/arena/arena.js'),
    load('src/arena/wasm.js'),
    loadLayout(),
  ]);
  const arena = Arena.create({ regions: [{ kind: layout.ARENA_REGION_SCRATCH, length: 65_536 * 16 }] });
  const wasm = instantiate(arena);
  wasm.crc32cInit();
  const { address, length: room } = arena.region(layout.ARENA_REGION_SCRATCH);
  fillRandom(arena.slice(address, room), context.seed);
  const copy = Buffer.from(arena.slice(address, room));
  const hashWasm = /** @type {any} */ (await loadRival('hash-wasm', context.note));
  const hasher = await hashWasm?.createCRC32(POLYNOMIAL);
  const rival = `hash-wasm ${rivalVersion('hash-wasm')}`;

  const results = [];
  for (const { id, length, inputs, bytes } of CASES) {
    const count = Math.max(inputs, Math.round((bytes * context.scale) / length));
    const subject = async () => measure(count, inputs, length, (offset) => wasm.crc32c(address + offset, length) >>> 0);
    const slices = Array.from({ length: inputs }, (_, index) => copy.subarray(index * length, (index + 1) * length));
    const other = async () =>
      measure(count, inputs, length, (offset) =>
        wordOf(
          hasher
            .init()
            .update(slices[offset / length])
            .digest('binary'),
        ),
      );
    const measured = await alternate(context, { subject, rivals: hasher === undefined ? {} : { [rival]: other } });
    results.push(
      summarize({
        id,
        unit: 'bytes/s',
        better: 'higher',
        subject: measured.subject,
        rival,
        rivalSamples: measured.rivals[rival] ?? [],
      }),
    );
  }
  return results;
}

/**
 * @param {number} count
 * @param {number} inputs
 * @param {number} length
 * @param {(offset: number) => number} digest
 */
function measure(count, inputs, length, digest) {
  let sum = 0;
  const begin = process.hrtime.bigint();
  for (let index = 0; index < count; index++) sum = (sum + digest((index % inputs) * length)) >>> 0;
  const ns = Number(process.hrtime.bigint() - begin);
  return { figures: { '': ((count * length) / ns) * 1e9 }, checksum: sum.toString(16).padStart(8, '0') };
}

/** Big-endian. The fastest way to its number (measured): a hexadecimal text takes 25 % longer. @param {Uint8Array} bytes */
function wordOf(bytes) {
  return ((Number(bytes[0]) << 24) | (Number(bytes[1]) << 16) | (Number(bytes[2]) << 8) | Number(bytes[3])) >>> 0;
}
