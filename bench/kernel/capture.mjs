// kernel.capture: a storm of opens and closes on one core, with some changes among them, watched by the whole engine: source, translation, journal.
//
// Goal: at least 300,000 operations a second for ten seconds, none lost: the journal has exactly as many of the storm's events as the storm made system calls
// (`counts`). Rivals: what fs.watch, chokidar and @parcel/watcher saw of the same storm's changes; opens and closes none of them can see. Their value
// is changes told a second, and `counts` has how many changes there were.
// Non-goals: more than one storming core on a machine of two.

import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withDirectory } from '../harness/directory.mjs';
import { load } from '../harness/engine.mjs';
import { CannotRun, summarize } from '../harness/measure.mjs';
import { loadRival, rivalVersion } from '../harness/rivals.mjs';
import { requireRoot, runStorm } from './storm.mjs';

const SECONDS = 10;
const CHANGE_EVERY = 64;
const SETTLE_MS = 1500;
const QUIET_MS = 250;
const QUIET_MS_MAX = 20_000;

export const ids = ['kernel.capture', 'kernel.capture.chokidar', 'kernel.capture.parcel'];

/** @param {import('../harness/measure.mjs').Context} context */
export async function run(context) {
  requireRoot();
  const seconds = context.smoke ? 0.3 : Math.max(1, SECONDS * context.scale);
  return withDirectory(async (root) => {
    const subject = [await captureWithEngine(makeDirectory(root, 'engine'), seconds)];
    const rows = [
      { id: 'kernel.capture', rival: 'fs.watch', watch: watchWithNode },
      { id: 'kernel.capture.chokidar', rival: `chokidar ${rivalVersion('chokidar')}`, watch: watchWithChokidar },
      {
        id: 'kernel.capture.parcel',
        rival: `@parcel/watcher ${rivalVersion('@parcel/watcher')}`,
        watch: watchWithParcel,
      },
    ];
    const results = [];
    for (const { id, rival, watch } of rows) {
      const sample = await captureChanges(makeDirectory(root, id), seconds, (directory, seen) =>
        watch(directory, seen, context.note),
      );
      const result = summarize({
        id,
        unit: 'events/s',
        better: 'higher',
        subject,
        rival,
        rivalSamples: sample === undefined ? [] : [sample],
      });
      results.push({ ...result, counts: { ...result.counts, ...prefixed(sample?.counts ?? {}) } });
    }
    return results;
  });
}

/**
 * @param {string} root
 * @param {string} name
 */
function makeDirectory(root, name) {
  const directory = path.join(root, name);
  fs.mkdirSync(directory);
  return directory;
}

/** @param {Record<string, number>} counts */
function prefixed(counts) {
  return Object.fromEntries(
    Object.entries(counts).map(([name, value]) => [`rival${name[0]?.toUpperCase()}${name.slice(1)}`, value]),
  );
}

/**
 * @param {string} directory
 * @param {number} seconds
 * @returns {Promise<import('../harness/measure.mjs').Sample>}
 */
async function captureWithEngine(directory, seconds) {
  const { Engine } = await load('src/index.js');
  const engine = await Engine.open({ paths: [directory], source: 'ebpf' }).catch((/** @type {Error} */ error) => {
    throw new CannotRun(error.message);
  });
  try {
    const counting = countByPid(engine);
    const made = await runStorm(directory, { seconds, changeEvery: CHANGE_EVERY });
    await engine.sync();
    const { source, ingest } = engine.stats();
    const closing = engine.close();
    const { events, gaps } = await counting;
    await closing;
    const seen = events.get(made.pid) ?? 0;
    const lost = made.operations - seen;
    const dropped = Object.values(source.dropped).reduce((sum, count) => sum + Number(count), 0);
    return {
      figures: { '': (seen / made.ns) * 1e9 },
      checksum: seen.toString(16),
      counts: {
        produced: made.operations,
        seen,
        lost,
        lostAsTold: Number(ingest.lost),
        gaps,
        droppedByKernel: dropped,
      },
    };
  } finally {
    await engine.close();
  }
}

/** Reads the whole journal as a user would, to the engine's end. @param {any} engine */
async function countByPid(engine) {
  const events = new Map();
  let gaps = 0;
  for await (const batch of engine.batches({ since: 'start' })) {
    for (const item of batch) {
      if (item.type === 'gap') gaps += 1;
      else if (item.pid !== undefined) events.set(item.pid, (events.get(item.pid) ?? 0) + 1);
    }
  }
  return { events, gaps };
}

/** @typedef {(directory: string, seen: () => void, note: (text: string) => void) => Promise<(() => Promise<void>) | undefined>} Watch */

/**
 * @param {string} directory
 * @param {number} seconds
 * @param {(directory: string, seen: () => void) => ReturnType<Watch>} watch
 * @returns {Promise<import('../harness/measure.mjs').Sample | undefined>}
 */
async function captureChanges(directory, seconds, watch) {
  let seen = 0;
  let lastNs = 0n;
  const close = await watch(directory, () => {
    seen += 1;
    lastNs = process.hrtime.bigint();
  });
  if (close === undefined) return undefined;
  await sleep(SETTLE_MS);
  const begin = process.hrtime.bigint();
  const made = await runStorm(directory, { seconds, changeEvery: CHANGE_EVERY });
  await quiet(() => seen);
  await close();
  const ns = Math.max(made.ns, Number(lastNs - begin));
  const lost = Math.max(0, made.changes - seen);
  return {
    figures: { '': Math.max((seen / ns) * 1e9, Number.MIN_VALUE) },
    checksum: seen.toString(16),
    counts: { changes: made.changes, seen, lost },
  };
}

/** Until nothing has been told for a while. @param {() => number} count */
async function quiet(count) {
  for (let waited = 0, last = -1; waited < QUIET_MS_MAX && last !== count(); waited += QUIET_MS) {
    last = count();
    await sleep(QUIET_MS);
  }
}

/** @type {Watch} */
async function watchWithNode(directory, seen) {
  const watcher = fs.watch(directory, { recursive: true }, seen);
  watcher.on('error', () => {});
  return async () => watcher.close();
}

/** @type {Watch} */
async function watchWithChokidar(directory, seen, note) {
  const chokidar = /** @type {any} */ (await loadRival('chokidar', note));
  if (chokidar === undefined) return undefined;
  const watcher = chokidar
    .watch(directory, { ignoreInitial: true })
    .on('all', seen)
    .on('error', () => {});
  await new Promise((resolve) => watcher.once('ready', resolve));
  return () => watcher.close();
}

/** @type {Watch} */
async function watchWithParcel(directory, seen, note) {
  const parcel = /** @type {any} */ (await loadRival('@parcel/watcher', note));
  if (parcel === undefined) return undefined;
  const subscription = await parcel.default.subscribe(
    directory,
    (/** @type {unknown} */ error, /** @type {unknown[]} */ events) => {
      if (error === null) for (let told = 0; told < events.length; told++) seen();
    },
  );
  return () => subscription.unsubscribe();
}
