// A journal as the engine opens it, with its sync worker, for the benches that append without an engine.

import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { load, loadLayout } from '../harness/engine.mjs';

export const SEGMENT_LENGTH = 64 * 2 ** 20;

/** An arena for one journal at a time. */
export async function makeArena() {
  const [{ Arena }, { instantiate }, L] = await Promise.all([
    load('src/arena/arena.js'),
    load('src/arena/wasm.js'),
    loadLayout(),
  ]);
  const windows = Array.from({ length: Number(L.LOG_WINDOWS) }, (_, number) => ({
    kind: L.ARENA_REGION_JOURNAL_WINDOW,
    number,
    length: SEGMENT_LENGTH,
  }));
  const arena = Arena.create({ regions: [{ kind: L.ARENA_REGION_SCRATCH, length: 65_536 }, ...windows] });
  const wasm = instantiate(arena);
  wasm.crc32cInit();
  return { arena, wasm, scratch: arena.region(L.ARENA_REGION_SCRATCH).address };
}

/**
 * @param {Awaited<ReturnType<typeof makeArena>>} place
 * @param {string} directory
 */
export async function openJournal({ arena, wasm }, directory) {
  const { Journal } = await load('src/journal/journal.js');
  const journal = Journal.open({ arena, wasm, directory, segmentLength: SEGMENT_LENGTH });
  const worker = new Worker(new URL('sync.worker.mjs', import.meta.url), {
    workerData: { memory: arena.memory, plan: journal.plan },
  });
  await once(worker, 'message');
  return {
    plan: journal.plan,
    async close() {
      worker.postMessage('stop');
      wasm.journalSyncRequest();
      await once(worker, 'exit');
      journal.close();
    },
  };
}

/**
 * Reads a closed journal back from its files: events, and the low half of the sum of their payloads' words.
 * @param {string} directory
 * @param {Record<string, number>} L
 */
export function sumPayloads(directory, L) {
  const files = fs.readdirSync(directory).filter((file) => file.endsWith('.segment'));
  let count = 0;
  let sum = 0;
  for (const file of files.sort()) {
    const bytes = fs.readFileSync(path.join(directory, file));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = Number(L.SEGMENT_HEADER_LENGTH); at + Number(L.ENTRY_HEADER_LENGTH) <= bytes.length; ) {
      const length = view.getInt32(at, true);
      if (length <= 0) break;
      const payload = view.getUint32(at + Number(L.ENTRY_PAYLOAD_LENGTH_OFFSET), true);
      if (view.getUint16(at + Number(L.ENTRY_KIND_OFFSET), true) === L.ENTRY_KIND_EVENT) {
        count += 1;
        for (let word = at + length - payload; word < at + length; word += 8)
          sum = (sum + view.getUint32(word, true)) >>> 0;
      }
      at += (length + 7) & ~7;
    }
  }
  return { count, checksum: sum.toString(16).padStart(8, '0') };
}

const GOLDEN = 0x9e3779b97f4a7c15n;

/** The payload that bench/assembly/append-loop.ts writes. @param {number} number */
export function payloadOf(number) {
  const mixed = BigInt(number) * GOLDEN;
  const words = BigUint64Array.from([0n, 0n, 1n, 2n, 3n, 4n, 5n], (more, index) =>
    BigInt.asUintN(64, index === 0 ? BigInt(number) : mixed + more),
  );
  return new Uint8Array(words.buffer);
}
