// The engine's own parts without its public face, which has no reader of raw entries: trace source, ingest worker, sync worker, ephemeral journal.

import { load } from '../harness/engine.mjs';

const RING_CAPACITY = 16 * 2 ** 20;
const SEGMENT_LENGTH = 16 * 2 ** 20;

/** @param {{ trace: string }} options */
export async function openParts({ trace }) {
  const [{ Arena }, { instantiate }, { engineRegions }, { Journal }, { attachTrace }, { SupervisedWorker }] =
    await Promise.all([
      load('src/arena/arena.js'),
      load('src/arena/wasm.js'),
      load('src/engine/arena-plan.js'),
      load('src/journal/journal.js'),
      load('src/source/trace/index.js'),
      load('src/engine/supervisor.js'),
    ]);
  const arena = Arena.create({
    regions: engineRegions({ ringCapacity: RING_CAPACITY, segmentLength: SEGMENT_LENGTH }),
  });
  const wasm = instantiate(arena);
  wasm.crc32cInit();
  const journal = Journal.open({ arena, wasm, directory: undefined, segmentLength: SEGMENT_LENGTH });
  const options = { paths: [], pids: [], followFork: false, ops: [], ringCapacity: RING_CAPACITY, includeSelf: false };
  const host = attachTrace(arena, options, { trace, speed: 'maximum' });
  const { memory } = arena;
  const begin = async (/** @type {any} */ control) => control.start();
  const onGivenUp = (/** @type {Error} */ error) => {
    throw error;
  };
  const sync = new SupervisedWorker({
    name: 'sync',
    file: 'sync.worker',
    data: () => ({ memory, journal: journal.plan }),
    begin,
    wake: () => wasm.journalSyncRequest(),
    onGivenUp,
  });
  const ingestData = () => ({ memory, source: host.plan, roots: [], idle: 'adaptive', flush: false });
  const ingest = new SupervisedWorker({ name: 'ingest', file: 'ingest.worker', data: ingestData, begin, onGivenUp });
  await sync.start();
  return {
    memory,
    plan: journal.plan,
    start: () => ingest.start(),
    finished: () => ingest.call((/** @type {any} */ control) => control.finished()),
    async close() {
      await ingest.stop();
      host.close();
      await sync.stop();
      journal.close();
    },
  };
}
