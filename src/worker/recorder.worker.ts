// The recorder worker: turns the journal's kernel events back into the records they came from (nothing is lost in either direction) and writes them to
// a trace file. So any source can be recorded, and recording costs ingestion nothing.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { ARENA_INGEST_OFFSET, ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import * as entry from '../../layout/entry.ts';
import { INGEST_CLOCK_OFFSET_NS_OFFSET } from '../../layout/ingest.ts';
import { KERNEL_RECORD_LANE_SEQUENCE_OFFSET } from '../../layout/kernel-record.ts';
import { Arena } from '../arena/arena.ts';
import { instantiate } from '../arena/wasm.ts';
import { decodeEntry } from '../event/entry.ts';
import type { EntryDecoder } from '../event/entry-decoder.ts';
import { JournalTail } from '../journal/tail.ts';
import { TraceRecorder } from '../source/trace/index.ts';
import { type RecorderControl, type RecorderData, SCRATCH_RECORDER } from './control.ts';
import { exposeControl } from './endpoint.ts';

const BATCH_ENTRIES_MAX = 1024;
const WAIT_MS = 250;

const data = workerData as RecorderData;
const arena = Arena.attach(data.memory);
const wasm = instantiate(arena);
const scratch = arena.region(ARENA_REGION_SCRATCH, SCRATCH_RECORDER).address;
const recordAt = scratch + entry.ENTRY_LENGTH_MAX;
const tail = new JournalTail({ arena, plan: data.journal, since: data.since });
// The one that the events' times were made with, so that a replay makes the same.
const clockOffsetNs = arena.view.getBigInt64(ARENA_INGEST_OFFSET + INGEST_CLOCK_OFFSET_NS_OFFSET, true);
const recorder = new TraceRecorder({ file: data.file, clockOffsetNs });
function visit(decoder: EntryDecoder, at: number, length: number): void {
  const kind = decoder.kind(at);
  if (kind === entry.ENTRY_KIND_GAP) recordGap(decoder.copy(at, length));
  if (kind !== entry.ENTRY_KIND_EVENT) return;
  // In the arena, because wasm reads there, and the entry may come from a file.
  arena.bytes.set(decoder.copy(at, length), scratch);
  const recordLength = wasm.recordFromEntry(scratch, recordAt);
  if (recordLength === 0) return;
  // The lanes also counted what was outside of the watched trees: their jumps would look like gaps. The gaps themselves are recorded as losses.
  arena.view.setBigUint64(recordAt + KERNEL_RECORD_LANE_SEQUENCE_OFFSET, 0n, true);
  recorder.record(arena.slice(recordAt, recordLength));
}

function recordGap(bytes: Uint8Array): void {
  const { u64, u32 } = decodeEntry(bytes);
  recorder.loss({
    cause: u32.get(entry.ENTRY_BIT_GAP_CAUSE) ?? 0,
    from: u64.get(entry.ENTRY_BIT_GAP_FROM) ?? 0n,
    to: u64.get(entry.ENTRY_BIT_GAP_TO) ?? 0n,
    count: u64.get(entry.ENTRY_BIT_GAP_COUNT) ?? 0n,
  });
}

let isStopping = false;
let stopped: Promise<void> = Promise.resolve();

async function run(): Promise<void> {
  for (;;) {
    const isLast = isStopping;
    const count = tail.readBatch(BATCH_ENTRIES_MAX, visit);
    if (count > 0) {
      await nextTurn();
      continue;
    }
    recorder.flush();
    if (isLast) break;
    await tail.wait(undefined, WAIT_MS);
  }
  recorder.close();
  tail.close();
}

const control: RecorderControl = {
  start: () => {
    stopped = run();
  },
  stop: () => {
    isStopping = true;
    return stopped;
  },
};
if (parentPort !== null) exposeControl(control, parentPort);
