// Every bench and the ids it gives.

/**
 * @typedef {object} Suite
 * @property {readonly string[]} ids
 * @property {(context: import('./measure.mjs').Context) => Promise<import('./measure.mjs').Result[]>} run
 */

const FILES = [
  '../ring/spsc-throughput.mjs',
  '../ring/spsc-latency.mjs',
  '../ring/spsc-parked.mjs',
  '../ring/fan.mjs',
  '../ring/process.mjs',
  '../pool/cycle.mjs',
  '../dedup/lookup.mjs',
  '../digest/crc32c.mjs',
  '../digest/sha256.mjs',
  '../translate/kernel.mjs',
  '../translate/lossless.mjs',
  '../journal/append-process.mjs',
  '../journal/append-group.mjs',
  '../journal/verify.mjs',
  '../engine/pipeline.mjs',
  '../kernel/latency.mjs',
  '../kernel/capture.mjs',
  '../engine/memory.mjs',
];

/**
 * @returns {Promise<{ file: string, ids: readonly string[] }[]>}
 */
export async function listSuites() {
  const suites = FILES.map(async (file) => {
    const { ids } = /** @type {Suite} */ (await import(file));
    return { file, ids };
  });
  return Promise.all(suites);
}

/**
 * The suites that give an id which was asked for: an id itself, or the beginning of some.
 * @param {readonly { file: string, ids: readonly string[] }[]} suites
 * @param {readonly string[]} wanted empty = all
 * @throws {TypeError} when one matches nothing
 */
export function selectSuites(suites, wanted) {
  for (const id of wanted) {
    if (!suites.some((suite) => suite.ids.some((has) => matches(has, id)))) {
      throw new TypeError(`unknown id '${id}'; --list shows them all`);
    }
  }
  return wanted.length === 0 ? [...suites] : suites.filter((suite) => suite.ids.some((has) => isWanted(has, wanted)));
}

/**
 * @param {string} id
 * @param {readonly string[]} wanted
 */
export function isWanted(id, wanted) {
  return wanted.length === 0 || wanted.some((one) => matches(id, one));
}

/**
 * @param {string} id
 * @param {string} wanted
 */
function matches(id, wanted) {
  return id === wanted || id.startsWith(`${wanted}.`);
}
