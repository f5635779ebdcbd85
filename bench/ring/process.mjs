// ring.process: two processes that map one arena (Arena.create({ share: true }), Arena.open), against a Unix socket between two Node processes.
//
//   ring.process, .js             64-byte records, 64 a publication (a write of the socket): a hot loop in wasm; offer and drain
//   ring.process.latency.p50 ...  a record there and back, halved: both spinning; the socket's ends in their event loops
//   ring.process.parked           one way to a process that sleeps, by QueueConsumer.waitForRecord: futex(2)
//   ring.process.parked.floor     the same against a bare futex(2) between two processes in C++, which hands nothing over
//
// Goal: 20 times the socket's throughput. Non-goals: processes that share a core; machines without koffi.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildNative, runNative } from '../harness/build.mjs';
import { withDirectory } from '../harness/directory.mjs';
import { buildAssembly, load } from '../harness/engine.mjs';
import { alternate, CannotRun, summarize } from '../harness/measure.mjs';
import { PAUSE_NS } from './timed-hop.mjs';

const RECORDS = 3_000_000;
const ROUND_TRIPS = 20_000;
const HOPS = 5000;
const BATCH = 64;
/** Turns before a process that can do nothing sleeps, by futex(2). */
const SPINS = 2000;
const RIVAL = 'Unix socket';
const FLOOR = 'futex(2) in C++';

export const ids = [
  'ring.process',
  'ring.process.js',
  'ring.process.latency.p50',
  'ring.process.latency.p99',
  'ring.process.parked',
  'ring.process.parked.floor',
];

/** @typedef {{ run: (task: object) => Promise<any>, kill: () => void }} Pair */

/** @param {import('../harness/measure.mjs').Context} context */
export async function run(context) {
  const { loadNative, nativeFailure } = await load('src/arena/native.js');
  if (loadNative() === undefined) throw new CannotRun(`needs koffi: ${nativeFailure()}`);
  const [loops, floor] = await Promise.all([buildAssembly('queue-loop'), buildNative('futex-hop')]);
  return withDirectory(async (directory) => {
    const pair = await openPair({ loops, socket: path.join(directory, 'socket') });
    try {
      return [
        ...(await throughput(context, pair)),
        ...(await latency(context, pair)),
        ...(await parked(context, pair, floor)),
      ];
    } finally {
      pair.kill();
    }
  });
}

/**
 * Two processes: the first one makes the arena and listens at the socket. The second one opens both, and sends.
 * @param {{ loops: string, socket: string }} data
 * @returns {Promise<Pair>}
 */
async function openPair(data) {
  const children = [0, 1].map((side) =>
    fork(fileURLToPath(new URL('process.child.mjs', import.meta.url)), [JSON.stringify({ ...data, side })]),
  );
  const [taker, sender] =
    /** @type {[import('node:child_process').ChildProcess, import('node:child_process').ChildProcess]} */ (
      /** @type {unknown} */ (children)
    );
  const failure = Promise.race(children.map(failureOf));
  failure.catch(() => {});
  const answersOf = () => Promise.race([Promise.all(children.map((child) => once(child, 'message'))), failure]);
  const [{ handle }] = await Promise.race([once(taker, 'message'), failure]);
  const ready = answersOf();
  for (const child of children) child.send({ handle });
  await ready;
  return {
    async run(task) {
      const answers = answersOf();
      taker.send(task);
      sender.send(task);
      const [[taken], [sent]] = /** @type {any} */ (await answers);
      return { ...taken, ...sent };
    },
    kill() {
      for (const child of children) child.kill('SIGKILL');
    },
  };
}

/** @param {import('node:child_process').ChildProcess} child @returns {Promise<never>} */
async function failureOf(child) {
  const [code, signal] = await once(child, 'exit');
  throw new Error(`a process of ring.process ended: code=${code}, signal=${signal}`);
}

/**
 * @param {import('../harness/measure.mjs').Context} context
 * @param {Pair} pair
 */
async function throughput(context, pair) {
  const records = Math.max(20_000, Math.round(RECORDS * context.scale));
  const measure = async (/** @type {string} */ task) => {
    const { ns, checksum } = await pair.run({ task, records, batch: BATCH, spins: SPINS });
    return { figures: { '': (records / ns) * 1e9 }, checksum };
  };
  const { subject, rivals } = await alternate(context, {
    subject: () => measure('wasm'),
    rivals: { js: () => measure('js'), [RIVAL]: () => measure('socket') },
  });
  const row = {
    unit: 'records/s',
    better: /** @type {const} */ ('higher'),
    rival: RIVAL,
    rivalSamples: rivals[RIVAL] ?? [],
  };
  return [
    summarize({ ...row, id: 'ring.process', subject }),
    summarize({ ...row, id: 'ring.process.js', subject: rivals.js ?? [] }),
  ];
}

/**
 * @param {import('../harness/measure.mjs').Context} context
 * @param {Pair} pair
 */
async function latency(context, pair) {
  const records = Math.max(500, Math.round(ROUND_TRIPS * context.scale));
  const measure = async (/** @type {string} */ task) => {
    const { p50, p99, checksum } = await pair.run({ task, records });
    return { figures: { p50, p99 }, checksum };
  };
  const { subject, rivals } = await alternate(context, {
    subject: () => measure('ping'),
    rivals: { [RIVAL]: () => measure('socketPing') },
  });
  return ['p50', 'p99'].map((figure) =>
    summarize({
      id: `ring.process.latency.${figure}`,
      unit: 'ns',
      better: 'lower',
      figure,
      subject,
      rival: RIVAL,
      rivalSamples: rivals[RIVAL] ?? [],
    }),
  );
}

/**
 * @param {import('../harness/measure.mjs').Context} context
 * @param {Pair} pair
 * @param {string} floor
 */
async function parked(context, pair, floor) {
  const records = Math.max(200, Math.round(HOPS * context.scale));
  const measure = async (/** @type {string} */ task) => {
    const { p50, checksum } = await pair.run({ task, records, pauseNs: PAUSE_NS });
    return { figures: { '': p50 }, checksum };
  };
  const { subject, rivals } = await alternate(context, {
    subject: () => measure('parked'),
    rivals: {
      [RIVAL]: () => measure('socketParked'),
      [FLOOR]: async () => ({
        figures: { '': (await runNative(floor, [records, PAUSE_NS, 'processes'])).p50 },
        checksum: '0',
      }),
    },
    // The floor hands nothing over.
    checksums: 'own',
  });
  return [RIVAL, FLOOR].map((rival) =>
    summarize({
      id: rival === RIVAL ? 'ring.process.parked' : 'ring.process.parked.floor',
      unit: 'ns',
      better: 'lower',
      subject,
      rival,
      rivalSamples: rivals[rival] ?? [],
    }),
  );
}
