// Real threads and processes say when they called what, and when it returned, all by one clock (CLOCK_MONOTONIC). Thousands of short histories are judged: was there an order in which
// each publish, take and "empty" happened at one moment between call and return?
//
// Each lane is judged by itself, as first in, first out; broadcasts once for each consumer. Between lanes nothing is promised, and so a drain that answers 0 is weaker than an empty
// queue: it says that each lane was empty at some moment during the call, not that all were at the same moment. A drain is judged as one action on each lane that it took from, or,
// when it answers 0, as one "empty" on each lane.

import { describe, expect, test } from 'vitest';
import { ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import type { QueueMode } from '../../src/queue/plan.ts';
import { requires } from '../support/capabilities.ts';
import { type LaneAction, laneModel, linearize, type Operation } from '../support/linearizability.ts';
import { type QueuePeer, startPeer, testQueue } from '../support/queue.ts';
import { runs, seed } from '../support/seed.ts';

/** Histories of each case. */
const ROUNDS = runs * 5;

type Kind = 'thread' | 'process';
/** [kind, lane, called, returned, missed, values...] */
type Row = ['publish' | 'take' | 'empty', number, number, number, number, ...number[]];
type History = Operation<LaneAction>[];

const CASES: [QueueMode, Kind[], Kind[]][] = [
  ['spsc', ['process'], ['thread']],
  ['mpsc', ['thread', 'process'], ['thread']],
  ['mpmc', ['thread'], ['thread', 'process']],
  ['mpmc', ['thread', 'process'], ['process', 'thread']],
  ['broadcast', ['thread'], ['thread', 'process']],
  ['broadcast-lossy', ['process'], ['thread', 'thread']],
];

/** What each of the peers did, round by round. */
async function record(mode: QueueMode, producers: readonly Kind[], consumers: readonly Kind[]): Promise<Row[][][]> {
  const queue = testQueue(
    { mode, producers: producers.length, consumers: consumers.length, laneCapacity: 16_384 },
    true,
  );
  const meetings = queue.arena.region(ARENA_REGION_SCRATCH).address;
  const parties = producers.length + consumers.length;
  const common = { role: 'history', rounds: ROUNDS, meetings, parties };
  const peers: QueuePeer[] = [];
  // Consumers first: those of a broadcast begin with what comes after them.
  for (const [isProducer, kinds, operations] of [
    [false, consumers, 9],
    [true, producers, 6],
  ] as const) {
    for (const kind of kinds) {
      const id = peers.length;
      const peer = startPeer(kind, queue, { ...common, isProducer, id, seed: seed + id, operations });
      await peer.next();
      peers.push(peer);
    }
  }
  return Promise.all(peers.map(async (peer) => (await peer.next(50_000)).histories as Row[][]));
}

/** Parts of a round that are judged by themselves: each lane; of a broadcast each lane as each consumer saw it. */
function partsOf(mode: QueueMode, rows: readonly Row[][], lanes: number): History[] {
  const parts: History[] = [];
  const published = rows.flat().filter(([kind]) => kind === 'publish');
  const taken = rows.map((of) => of.filter(([kind]) => kind !== 'publish'));
  const readers = mode.startsWith('broadcast') ? taken.filter((of) => of.length > 0) : [taken.flat()];
  for (let lane = 0; lane < lanes; lane++) {
    for (const reader of readers) {
      parts.push([...published, ...reader].filter(([, of]) => of === lane).map(operationOf));
    }
  }
  return parts;
}

function operationOf([kind, , called, returned, missed, ...values]: Row): Operation<LaneAction> {
  if (kind === 'empty') return { action: { kind }, called, returned };
  if (kind === 'take') return { action: { kind, missed, values }, called, returned };
  return { action: { kind, values }, called, returned };
}

function overlaps(history: History): number {
  return history.filter((one) =>
    history.some((other) => other !== one && one.called < other.returned && other.called < one.returned),
  ).length;
}

/** The same history with an error in it that a broken queue would make; undefined where it has no place for one. */
const MUTATIONS: Record<string, (history: History) => History | undefined> = {
  'a record is lost': (history) => changeTake(history, (values) => (values.length > 1 ? values.slice(1) : undefined)),
  'a record comes twice': (history) => changeTake(history, ([first = 0, ...rest]) => [first, first, ...rest]),
  'two records change places': (history) =>
    changeTake(history, ([first, second, ...rest]) =>
      second === undefined ? undefined : [second, first ?? 0, ...rest],
    ),
  'a record comes before it was written': (history) => {
    const first = Math.min(...history.map(({ called }) => called));
    let isDone = false;
    return history.map((operation) => {
      if (isDone || operation.action.kind !== 'take') return operation;
      isDone = true;
      return { ...operation, called: first - 2, returned: first - 1 };
    });
  },
};

function changeTake(
  history: History,
  change: (values: readonly number[]) => number[] | undefined,
): History | undefined {
  for (const [index, { action, ...times }] of history.entries()) {
    if (action.kind !== 'take' || action.values.length === 0) continue;
    const values = change(action.values);
    if (values !== undefined) return history.with(index, { ...times, action: { ...action, values } });
  }
  return undefined;
}

/** Judges one recording, and broken copies of every tenth history: how many operations had another one beside them. */
function judge(mode: QueueMode, peers: readonly Row[][][], lanes: number, rejected: Set<string>): number {
  let concurrent = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const rows = peers.map((rounds) => rounds[round] as Row[]);
    for (const history of partsOf(mode, rows, lanes)) {
      if (linearize(laneModel, history) === undefined) {
        throw new Error(
          `round ${round} has no explanation:\n${history.map((operation) => JSON.stringify(operation)).join('\n')}`,
        );
      }
      concurrent += overlaps(history);
      // The judge sees errors in real histories too.
      for (const [name, mutate] of Object.entries(round % 10 === 0 ? MUTATIONS : {})) {
        const broken = mutate(history);
        if (broken === undefined) continue;
        expect(linearize(laneModel, broken), `${name}, round ${round}`).toBeUndefined();
        rejected.add(name);
      }
    }
  }
  return concurrent;
}

describe('histories of threads and processes are linearizable, lane by lane', requires('koffi'), () => {
  test.each(CASES)('%s: %j to %j', { timeout: 60_000 }, async (mode, producers, consumers) => {
    const rejected = new Set<string>();
    // Operations that all come one after the other prove nothing. With free cores a few of each history overlap, on a busy machine far less: then it is done again.
    let concurrent = 0;
    for (let attempt = 0; attempt < 4 && concurrent < ROUNDS / 20; attempt++) {
      concurrent += judge(mode, await record(mode, producers, consumers), producers.length, rejected);
    }
    expect(concurrent).toBeGreaterThan(0);
    expect([...rejected].sort()).toEqual(Object.keys(MUTATIONS).sort());
  });
});
