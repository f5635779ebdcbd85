// ring.mpsc, ring.mpmc, ring.broadcast: 64-byte records between several threads, 64 a publication. Against the better one of ringbuf.js and MessageChannel, measured both;
// ring.mpsc.sharedhead: the engine's lanes against one ring whose head all producers share, each of them in wasm.
//
// Goal: 20 times as fast as the rival. Four threads on fewer cores take turns: who can do nothing spins for a while, then sleeps; rivals, which cannot, look again after
// 50 us. `.js` is the same through QueueProducer.offer and QueueConsumer.drain, against the same samples of the rivals.
// Non-goals: contention of more producers than there are cores; latency.

import os from 'node:os';
import { MessageChannel } from 'node:worker_threads';
import { buildAssembly, load, loadLayout } from '../harness/engine.mjs';
import { alternate, summarize } from '../harness/measure.mjs';
import { loadRival, rivalVersion } from '../harness/rivals.mjs';
import { CONTROL_WORDS, openCrew } from './crew.mjs';

const BATCH = 64;
const SPINS = 2000;
const RECORDS = 3_000_000;
/** Of a lane, and of each ring of ringbuf.js. */
const CAPACITY = 262_144;
const SHARED_HEAD_CAPACITY = 1_048_576;
const RING_SLACK = 8;

/** @typedef {{ id: string, mode: string, producers: number, consumers: number }} Shape */

/** @type {Shape[]} */
const SHAPES = [
  { id: 'ring.mpsc', mode: 'mpsc', producers: 3, consumers: 1 },
  { id: 'ring.mpmc', mode: 'mpmc', producers: 2, consumers: 2 },
  { id: 'ring.broadcast', mode: 'broadcast', producers: 1, consumers: 3 },
];

export const ids = [
  ...SHAPES.flatMap(({ id }) => [id, `${id}.js`]),
  'ring.mpsc.sharedhead',
  'ring.mpsc.sharedhead.batch1',
];

/** @param {import('../harness/measure.mjs').Context} context */
export async function run(context) {
  const results = [];
  for (const shape of SHAPES) results.push(...(await runShape(context, shape)));
  return results;
}

/**
 * @param {import('../harness/measure.mjs').Context} context
 * @param {Shape} shape
 */
async function runShape(context, shape) {
  const engine = await openEngine(shape);
  const others = await openRivals(shape, context.note);
  try {
    const task = taskOf(shape, Math.max(20_000, Math.round((RECORDS * context.scale) / shape.producers)));
    const { subject, rivals } = await alternate(context, {
      subject: () => engine.run({ ...task, level: 'wasm' }),
      rivals: {
        js: () => engine.run({ ...task, level: 'js' }),
        ...Object.fromEntries(others.map(({ name, level, crew }) => [name, () => crew.run({ ...task, level })])),
      },
    });
    const samples = others.map(({ name }) => ({ name, samples: rivals[name] ?? [] }));
    const best = samples.toSorted((one, other) => fastest(other.samples) - fastest(one.samples))[0];
    const rest = samples.filter(({ name }) => name !== best?.name);
    const row = {
      unit: 'records/s',
      better: /** @type {const} */ ('higher'),
      rival: best?.name ?? null,
      rivalSamples: best?.samples ?? [],
      note: rest.map(({ name, samples }) => `${name}: ${Math.round(fastest(samples))} records/s`).join(', '),
    };
    const results = [
      summarize({ ...row, id: shape.id, subject }),
      summarize({ ...row, id: `${shape.id}.js`, subject: rivals.js ?? [] }),
    ];
    if (shape.mode === 'mpsc') results.push(...(await compareSharedHead(context, engine, shape)));
    return results;
  } finally {
    await Promise.all([engine.close(), ...others.map(({ crew }) => crew.close())]);
  }
}

/** @param {import('../harness/measure.mjs').Sample[]} samples */
function fastest(samples) {
  return Math.max(0, ...samples.map(({ figures }) => figures[''] ?? 0));
}

/**
 * @param {Shape} shape
 * @param {number} records of each producer
 */
function taskOf(shape, records) {
  return {
    records,
    total: records * shape.producers,
    isShared: shape.mode !== 'broadcast',
    isBroadcast: shape.mode === 'broadcast',
    batch: BATCH,
    spins: SPINS,
  };
}

/**
 * @param {import('../harness/measure.mjs').Context} context
 * @param {import('./crew.mjs').Crew} engine
 * @param {Shape} shape
 */
async function compareSharedHead(context, engine, shape) {
  const results = [];
  for (const batch of [BATCH, 1]) {
    const count = (5 * RECORDS * context.scale) / shape.producers / (batch === 1 ? 4 : 1);
    const task = { ...taskOf(shape, Math.max(20_000, Math.round(count))), batch };
    const rival = 'one ring with a shared head';
    const { subject, rivals } = await alternate(context, {
      subject: () => engine.run({ ...task, level: 'wasm' }),
      rivals: { [rival]: () => engine.run({ ...task, level: 'sharedHead' }) },
    });
    results.push(
      summarize({
        id: batch === 1 ? 'ring.mpsc.sharedhead.batch1' : 'ring.mpsc.sharedhead',
        unit: 'records/s',
        better: 'higher',
        subject,
        rival,
        rivalSamples: rivals[rival] ?? [],
      }),
    );
  }
  return results;
}

/**
 * Consumers on the last core, producers on the others: with two cores there always is one of each that runs.
 * @param {Shape} shape
 * @returns {import('./crew.mjs').Member[]}
 */
function membersOf({ producers, consumers }) {
  const cores = os.availableParallelism();
  const some = (/** @type {'producer' | 'consumer'} */ role, /** @type {number} */ count) =>
    Array.from({ length: count }, (_, number) => ({
      role,
      number,
      core: role === 'producer' ? number % Math.max(1, cores - 1) : cores - 1 - (number % Math.max(1, cores - 1)),
    }));
  return [...some('producer', producers), ...some('consumer', consumers)];
}

/** @param {Shape} shape @returns {Promise<import('./crew.mjs').Crew>} */
export async function openEngine(shape) {
  const [{ Arena }, { Queue, queueRegion }, layout, loops, sharedHeadLoops] = await Promise.all([
    load('src/arena/arena.js'),
    load('src/queue/queue.js'),
    loadLayout(),
    buildAssembly('queue-loop'),
    buildAssembly('shared-head'),
  ]);
  const options = { mode: shape.mode, producers: shape.producers, consumers: shape.consumers, laneCapacity: CAPACITY };
  const arena = Arena.create({
    regions: [
      { kind: layout.ARENA_REGION_SCRATCH, number: 0, length: CONTROL_WORDS * 4 },
      { kind: layout.ARENA_REGION_SCRATCH, number: 1, length: SHARED_HEAD_CAPACITY + 4096 },
      queueRegion(options, 0),
      queueRegion(options, 1),
    ],
    endpoints: true,
  });
  for (const number of [0, 1]) Queue.create(arena, arena.region(layout.ARENA_REGION_QUEUE, number), options);
  const at = arena.region(layout.ARENA_REGION_SCRATCH, 0).address / 4;
  const sharedHead = shape.mode === 'mpsc' ? { loops: sharedHeadLoops, capacity: SHARED_HEAD_CAPACITY } : undefined;
  return openCrew({
    file: 'queue.worker.mjs',
    members: membersOf(shape),
    control: arena.i32.subarray(at, at + CONTROL_WORDS),
    data: () => ({ memory: arena.memory, loops, sharedHead }),
  });
}

/**
 * @param {Shape} shape
 * @param {(text: string) => void} note
 * @returns {Promise<{ name: string, level: string, crew: import('./crew.mjs').Crew }[]>}
 */
async function openRivals(shape, note) {
  const members = membersOf(shape);
  const ringbuf = /** @type {any} */ (await loadRival('ringbuf.js', note));
  const pairs = pairsOf(shape, () => new MessageChannel());
  const ringPairs =
    ringbuf === undefined
      ? []
      : pairsOf(shape, () => ringbuf.RingBuffer.getStorageForCapacity(CAPACITY / 4 + RING_SLACK, Int32Array));
  const open = async (
    /** @type {string} */ name,
    /** @type {string} */ level,
    /** @type {(member: import('./crew.mjs').Member) => object} */ data,
  ) => {
    const control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4));
    const transfer = (/** @type {import('./crew.mjs').Member} */ member) =>
      level === 'ports' ? /** @type {any} */ (data(member)).ports : [];
    const crew = await openCrew({
      file: 'rivals.worker.mjs',
      members,
      control,
      data: (member) => ({ controlBuffer: control.buffer, ...data(member) }),
      transfer,
    });
    return { name, level, crew };
  };
  const crews = [];
  if (ringbuf !== undefined) {
    const name = `ringbuf.js ${rivalVersion('ringbuf.js')}`;
    crews.push(await open(name, 'ringbuf', (member) => ({ rings: ofMember(ringPairs, member) })));
  }
  crews.push(
    await open('MessageChannel', 'ports', (member) => ({
      ports: ofMember(pairs, member).map((channel) => (member.role === 'producer' ? channel.port1 : channel.port2)),
    })),
  );
  return crews;
}

/**
 * @template T
 * @param {Shape} shape
 * @param {() => T} make
 */
function pairsOf({ producers, consumers }, make) {
  return Array.from({ length: producers }, () => Array.from({ length: consumers }, make));
}

/**
 * @template T
 * @param {T[][]} pairs
 * @param {import('./crew.mjs').Member} member
 * @returns {T[]}
 */
function ofMember(pairs, { role, number }) {
  return role === 'producer' ? (pairs[number] ?? []) : pairs.flatMap((row) => row.slice(number, number + 1));
}
