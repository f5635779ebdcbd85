// An append log in plain memory, opened as the journal would, with a ring of kernel records before it: ingestion without a kernel and without a disk.

import { load, loadLayout } from '../harness/engine.mjs';

/** Added to CLOCK_MONOTONIC: any fixed number, so that the same records give the same entries. */
export const CLOCK_OFFSET_NS = 1_700_000_000_000_000_000n;

/** @param {{ segmentLength: number, ringCapacity: number }} options */
export async function openLog({ segmentLength, ringCapacity }) {
  const [{ Arena }, { instantiate }, L] = await Promise.all([
    load('src/arena/arena.js'),
    load('src/arena/wasm.js'),
    loadLayout(),
  ]);
  const arena = Arena.create({
    regions: [
      { kind: L.ARENA_REGION_JOURNAL_WINDOW, length: segmentLength },
      { kind: L.ARENA_REGION_RING, length: Number(L.RING_DATA_OFFSET) + ringCapacity },
      { kind: L.ARENA_REGION_SCRATCH, number: 0, length: L.INGEST_SCRATCH_LENGTH },
      { kind: L.ARENA_REGION_SCRATCH, number: 1, length: 16_384 },
    ],
  });
  const wasm = instantiate(arena);
  wasm.crc32cInit();
  const at = (/** @type {string} */ name) => Number(L[name]);
  const window = arena.region(L.ARENA_REGION_JOURNAL_WINDOW).address;
  const ring = arena.region(L.ARENA_REGION_RING).address;
  const scratch = arena.region(L.ARENA_REGION_SCRATCH, 0).address;
  const producer = arena.region(L.ARENA_REGION_SCRATCH, 1).address;
  const log = at('ARENA_LOG_OFFSET');
  const ingest = at('ARENA_INGEST_OFFSET');
  const control = log + at('LOG_WINDOW_OFFSET');
  wasm.ringInit(ring, ringCapacity);
  wasm.ringProducerInit(producer, ring, ringCapacity);
  wasm.ringConsumerInit(scratch, ring, ringCapacity, 0);
  return {
    arena,
    wasm,
    L,
    /** Scratch of ingestDrain, with the ring's consumer state. */
    scratch,
    producer,
    window,
    /** Room for one record or entry. */
    room: producer + 1024,
    /** Empty again: first sequence 1, no lane seen. */
    reset() {
      arena.bytes.fill(0, window, window + segmentLength);
      arena.bytes.fill(0, ingest, ingest + at('INGEST_LANES_OFFSET') + 8 * at('LANES_MAX'));
      arena.bytes.fill(0, log, log + 4096);
      arena.view.setBigInt64(ingest + at('INGEST_CLOCK_OFFSET_NS_OFFSET'), CLOCK_OFFSET_NS, true);
      arena.view.setUint32(log + at('LOG_SEGMENT_LENGTH_OFFSET'), segmentLength, true);
      arena.view.setUint32(control + at('LOG_WINDOW_ADDRESS_OFFSET'), window, true);
      arena.view.setBigUint64(
        control + at('LOG_WINDOW_SEGMENT_OFFSET'),
        BigInt(at('LOG_WINDOW_STATE_READY')) << 32n,
        true,
      );
      wasm.journalActivate(0, 1n);
    },
    /** Puts encoded records into the ring. @param {readonly Uint8Array[]} records */
    fill(records) {
      for (const record of records) {
        const place = wasm.ringReserve(producer, record.length);
        if (place <= 0) throw new Error(`the ring does not take the records: status=${place}`);
        arena.bytes.set(record, place);
        wasm.ringSubmit(producer, record.length);
      }
      wasm.ringPublish(producer);
    },
    /** Drains the ring to its end: how many records. */
    drain() {
      let taken = 0;
      for (;;) {
        const count = wasm.ingestDrain(scratch, 0n, 1024);
        if (count === 0) return taken;
        taken += count;
      }
    },
  };
}

/**
 * How many entries lie in a segment, and the sum of their checksums.
 * @param {DataView} view
 * @param {number} segment where it begins
 * @param {Record<string, number>} L
 */
export function sumEntries(view, segment, L) {
  let entry = segment + Number(L.SEGMENT_HEADER_LENGTH);
  let count = 0;
  let sum = 0;
  for (;;) {
    const length = view.getInt32(entry + Number(L.ENTRY_LENGTH_OFFSET), true);
    if (length <= 0) return { count, sum };
    sum = (sum + view.getUint32(entry + Number(L.ENTRY_CRC32C_OFFSET), true)) >>> 0;
    count += 1;
    entry += (length + 7) & ~7;
  }
}
