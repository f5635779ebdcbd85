// kernel.latency: from the moment that the kernel hands a record to the ring to the moment that a spinning wasm consumer has it and has read the clock.
//
// Goal: p50 <= 250 ns, p99 <= 1 us. Rivals, in C++ on the same ring, of the same programs, under the same storm, never asleep either: libbpf's ring_buffer__poll
// with a timeout of 0 (the kernel must wake it, because that is how epoll finds out), and (.consume) its ring_buffer__consume without epoll, the best there is.
// Non-goals: consumers that sleep; the time that the programs themselves need (the record says when it was handed over).

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { text } from 'node:stream/consumers';
import { Worker } from 'node:worker_threads';
import { buildNative } from '../harness/build.mjs';
import { withDirectory } from '../harness/directory.mjs';
import { load, loadLayout } from '../harness/engine.mjs';
import { alternate, CannotRun, summarize } from '../harness/measure.mjs';
import { requireRoot, runStorm, WATCHER_CPU } from './storm.mjs';

const RING_CAPACITY = 4 * 2 ** 20;
const CYCLES = 60_000;
/** Between two open/close pairs: the consumer is done with one record before the next one comes. */
const PAUSE_NS = 5000;
const SECONDS_MAX = 60;
const POLL = 'ring_buffer__poll of libbpf (C++)';
const CONSUME = 'ring_buffer__consume of libbpf (C++)';
const ROWS = [
  { prefix: 'kernel.latency', rival: POLL },
  { prefix: 'kernel.latency.consume', rival: CONSUME },
];
const FIGURES = ['p50', 'p99'];

export const ids = ROWS.flatMap(({ prefix }) => FIGURES.map((figure) => `${prefix}.${figure}`));

/** @param {import('../harness/measure.mjs').Context} context */
export async function run(context) {
  requireRoot();
  const cycles = Math.max(2000, Math.round(CYCLES * context.scale));
  const program = await buildRival(context);
  const { subject, rivals } = await withDirectory(async (root) => {
    const source = await openSource(root);
    let turn = 0;
    const storm = async () => {
      turn += 1;
      const directory = `${root}/${turn}`;
      fs.mkdirSync(directory);
      return runStorm(directory, { cycles, pauseNs: PAUSE_NS });
    };
    try {
      return await alternate(context, {
        subject: () => measureWasm(source, storm),
        rivals:
          program === undefined
            ? {}
            : {
                [POLL]: () => measureLibbpf(source, { program, call: 'poll' }, storm),
                [CONSUME]: () => measureLibbpf(source, { program, call: 'consume' }, storm),
              },
      });
    } finally {
      await source.close();
    }
  });
  return ROWS.flatMap(({ prefix, rival }) =>
    FIGURES.map((figure) =>
      summarize({
        id: `${prefix}.${figure}`,
        unit: 'ns',
        better: 'lower',
        figure,
        subject,
        rival,
        rivalSamples: rivals[rival] ?? [],
      }),
    ),
  );
}

/** @param {import('../harness/measure.mjs').Context} context */
async function buildRival({ note }) {
  try {
    return await buildNative('kernel-latency', ['bpf']);
  } catch (error) {
    note(
      `no rival, libbpf-dev is needed to build it: ${error instanceof Error ? error.message.split('\n').at(-2) : error}`,
    );
    return undefined;
  }
}

/**
 * The eBPF source over a directory, and a worker thread that consumes its ring.
 * @param {string} root
 */
async function openSource(root) {
  const [{ Arena }, { attachEbpf }, L] = await Promise.all([
    load('src/arena/arena.js'),
    load('src/source/ebpf/index.js'),
    loadLayout(),
  ]);
  const at = (/** @type {string} */ name) => Number(L[name]);
  const arena = Arena.create({
    regions: [
      { kind: L.ARENA_REGION_KERNEL_WINDOW, length: at('RING_DATA_OFFSET') + 2 * RING_CAPACITY },
      { kind: L.ARENA_REGION_KERNEL_CONTROL, length: 4 * at('PAGE_LENGTH') },
      { kind: L.ARENA_REGION_SCRATCH, length: 4096 },
    ],
  });
  const options = {
    paths: [root],
    pids: [],
    followFork: false,
    ops: [],
    ringCapacity: RING_CAPACITY,
    includeSelf: false,
  };
  let host;
  try {
    host = attachEbpf(arena, options);
  } catch (error) {
    throw new CannotRun(error instanceof Error ? error.message : String(error));
  }
  const worker = new Worker(new URL('consumer.worker.mjs', import.meta.url), {
    workerData: { memory: arena.memory, plan: host.plan },
  });
  await once(worker, 'message');
  const stopWord = (arena.region(L.ARENA_REGION_SCRATCH).address + 1024) / 4;
  const parkedWord = (host.plan.details.controlAddress + at('KERNEL_SETTINGS_PARKED_OFFSET')) / 4;
  return {
    mapId: mapIdOf(host.plan.details.ringFd),
    /** Consumes until stop() and the ring's end. */
    async consume() {
      Atomics.store(arena.i32, stopWord, 0);
      const answer = once(worker, 'message');
      worker.postMessage('consume');
      return { stop: () => Atomics.store(arena.i32, stopWord, 1), answer: answer.then(([message]) => message) };
    },
    /** Whether each record wakes a sleeper. @param {boolean} wakes */
    setWakes: (wakes) => Atomics.store(arena.i32, parkedWord, wakes ? 1 : 0),
    counters: () => host.counters(),
    async close() {
      await worker.terminate();
      host.close();
    },
  };
}

/** @param {number} fd */
function mapIdOf(fd) {
  const id = /^map_id:\s*(\d+)$/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
  if (id === undefined) throw new Error(`fd ${fd} is no BPF map`);
  return id;
}

/**
 * @param {Awaited<ReturnType<typeof openSource>>} source
 * @param {() => Promise<import('./storm.mjs').StormCounts>} storm
 */
async function measureWasm(source, storm) {
  source.setWakes(false);
  const { stop, answer } = await source.consume();
  const made = await storm();
  stop();
  return toSample(await answer, made);
}

/**
 * @param {Awaited<ReturnType<typeof openSource>>} source
 * @param {{ program: string, call: 'poll' | 'consume' }} rival
 * @param {() => Promise<import('./storm.mjs').StormCounts>} storm
 */
async function measureLibbpf(source, { program, call }, storm) {
  source.setWakes(call === 'poll');
  const child = spawn(program, [source.mapId, WATCHER_CPU, SECONDS_MAX, call].map(String), {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const output = text(child.stdout);
  await once(child.stderr, 'data');
  const made = await storm();
  child.stdin.end();
  return toSample(JSON.parse(await output), made);
}

/**
 * @param {{ count: number, p50: number, p99: number, max: number, checksum: string }} taken
 * @param {import('./storm.mjs').StormCounts} made
 */
function toSample({ count, p50, p99, max, checksum }, made) {
  return {
    figures: { p50, p99 },
    checksum,
    counts: { produced: made.operations, seen: count, lost: made.operations - count, maxNs: max },
  };
}
