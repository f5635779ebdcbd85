// Seeded kernel records, as an ordinary machine makes them: paths of 20 to 90 bytes, most fields there, one in eight failed, two names where there are two.

import { makeRandom } from '../harness/random.mjs';

const NAMES = [
  'src',
  'lib',
  'node_modules',
  'package.json',
  'index.ts',
  '.git',
  'objects',
  'cache',
  'main.c',
  'tmp',
  'build',
  'README.md',
];
const COMMANDS = ['node', 'git', 'bash', 'tsserver', 'cc1plus', 'systemd-journal'];
const OPS_WITH_TWO_PATHS = new Set([6, 13, 14, 15]);
const encoder = new TextEncoder();

/**
 * @param {{ count: number, seed: number, opCount: number, variantCount: number, lanes: number }} options
 * @returns {any[]} KernelRecord of src/event/kernel-record.ts
 */
export function makeRecords({ count, seed, opCount, variantCount, lanes }) {
  const random = makeRandom(seed);
  const laneSequences = new Array(lanes).fill(0n);
  let timeNs = 1_000_000_000_000n;
  return Array.from({ length: count }, () => {
    const op = random() % opCount;
    const cpu = random() % lanes;
    laneSequences[cpu] += 1n;
    timeNs += BigInt(random() % 3000);
    return {
      op,
      variant: random() % variantCount,
      flags: random() % 16 === 0 ? 4 : 0,
      cpu,
      timeNs,
      durationNs: BigInt(random() % 100_000),
      laneSequence: laneSequences[cpu],
      inode: BigInt(random()) + 1n,
      device: 2049n,
      size: BigInt(random() % 1_000_000),
      amount: op === 2 || op === 3 ? BigInt(random() % 65_536) : 0n,
      argument: BigInt(random() % 0o7777),
      pid: 1 + (random() % 100_000),
      tid: 1 + (random() % 100_000),
      uid: random() % 2 === 0 ? 0 : 1000,
      gid: random() % 2 === 0 ? 0 : 1000,
      error: random() % 8 === 0 ? 1 + (random() % 40) : 0,
      mode: 0o100644,
      submitDelayNs: random() % 2000,
      comm: encoder.encode(COMMANDS[random() % COMMANDS.length]),
      path: makePath(random),
      path2: OPS_WITH_TWO_PATHS.has(op) ? makePath(random) : new Uint8Array(0),
    };
  });
}

/** @param {() => number} random */
function makePath(random) {
  let path = '/home/user';
  for (let depth = 2 + (random() % 6); depth > 0; depth--) path += `/${NAMES[random() % NAMES.length]}`;
  return encoder.encode(path);
}

/**
 * Any record that passes the check: every field over its whole range, names of any bytes but NUL.
 * @param {{ count: number, seed: number, opCount: number, variantCount: number, lanes: number }} options
 * @returns {any[]}
 */
export function makeAnyRecords({ count, seed, opCount, variantCount, lanes }) {
  const random = makeRandom(seed);
  const u32 = () => (random() % 5 === 0 ? 0 : random());
  const u64 = () => (random() % 5 === 0 ? 0n : (BigInt(random()) << 32n) | BigInt(random()));
  const bytes = (/** @type {number} */ lengthMax) =>
    Uint8Array.from({ length: random() % (lengthMax + 1) }, () => 1 + (random() % 255));
  return Array.from({ length: count }, (_, index) => ({
    op: index % opCount,
    variant: random() % variantCount,
    flags: random() & 0xffff,
    cpu: random() % lanes,
    timeNs: u64(),
    durationNs: u64(),
    laneSequence: u64(),
    inode: u64(),
    device: u64(),
    size: u64(),
    amount: BigInt.asIntN(64, u64()),
    argument: u64(),
    pid: u32(),
    tid: u32(),
    uid: u32(),
    gid: u32(),
    error: u32(),
    mode: u32(),
    submitDelayNs: u32(),
    comm: bytes(16),
    path: bytes(300),
    path2: bytes(300),
  }));
}
