// What the user typed after `npm run bench --`.

import { parseArgs } from 'node:util';

/**
 * @typedef {object} Options
 * @property {string[]} ids Ids or prefixes of ids; empty = all.
 * @property {boolean} json
 * @property {boolean} smoke Every id, very short: shows that it works, not how fast it is.
 * @property {number} seconds About how long each id measures, all runs of subject and rival together.
 * @property {boolean} budget Exit 7 when a goal is missed.
 * @property {number} seed
 * @property {boolean} list
 * @property {boolean} help
 */

export const USAGE = `usage: npm run bench -- [id...] [options]

  id            an id, or the beginning of several: ring.spsc, digest
  --json        machine-readable results on stdout
  --smoke       every id, very short: shows that it works, not how fast it is
  --seconds N   about how long each id measures (default 6)
  --budget      exit 7 when a goal is missed
  --seed N      of the pseudo-random input (default 1)
  --list        the ids and their goals
`;

const SECONDS_DEFAULT = 6;
const SECONDS_SMOKE = 0.2;
const SECONDS_MAX = 600;

/**
 * @param {string[]} argv
 * @returns {Options}
 * @throws {TypeError} with one line for the user.
 */
export function parseOptions(argv) {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      smoke: { type: 'boolean', default: false },
      seconds: { type: 'string' },
      budget: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const fallback = values.smoke ? SECONDS_SMOKE : SECONDS_DEFAULT;
  const seconds = values.seconds === undefined ? fallback : Number(values.seconds);
  if (!(seconds > 0 && seconds <= SECONDS_MAX)) {
    throw new TypeError(`--seconds ${values.seconds}: a number above 0, at most ${SECONDS_MAX}`);
  }
  const seed = Number(values.seed);
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) throw new TypeError(`--seed ${values.seed}: a u32`);
  const { json, smoke, budget, list, help } = values;
  return { ids: positionals, json, smoke, seconds, budget, seed, list, help };
}
