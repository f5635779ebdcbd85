// The recorder worker: turns the journal's kernel events back into the records they came from (nothing is lost in either direction) and writes them to
// a trace file. So any source can be recorded, and recording costs ingestion nothing.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import * as entry from '../../layout/entry.ts';
import { Arena } from '../arena/arena.ts';
import { clockOffsetNs } from '../arena/native.ts';
import { instantiate } from '../arena/wasm.ts';
import { decodeEntry } from '../event/entry.ts';
import type { EntryDecoder } from '../event/entry-decoder.ts';
import { JournalTail } from '../journal/tail.ts';
import type { SourceLoss } from '../source/source.ts';
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
const recorder = new TraceRecorder({ file: data.file, clockOffsetNs: data.clockOffsetNs ?? clockOffsetNs() });
/** Gaps of a lane that no later record of it has shown yet: a replay finds the others by itself, from the jump in the lane's sequence. */
const trailing = new Map<number, SourceLoss>();

function visit(decoder: EntryDecoder, at: number, length: number): void {
  const kind = decoder.kind(at);
  if (kind === entry.ENTRY_KIND_GAP) recordGap(decoder.copy(at, length));
  if (kind !== entry.ENTRY_KIND_EVENT) return;
  // In the arena, because wasm reads there, and the entry may come from a file.
  arena.bytes.set(decoder.copy(at, length), scratch);
  const recordLength = wasm.recordFromEntry(scratch, recordAt);
  if (recordLength === 0) return;
  trailing.delete(arena.view.getUint32(scratch + entry.ENTRY_CPU_OFFSET, true));
  recorder.record(arena.slice(recordAt, recordLength));
}

function recordGap(bytes: Uint8Array): void {
  const { u64, u32, cpu } = decodeEntry(bytes);
  const loss: SourceLoss = {
    cause: u32.get(entry.ENTRY_BIT_GAP_CAUSE) ?? 0,
    from: u64.get(entry.ENTRY_BIT_GAP_FROM) ?? 0n,
    to: u64.get(entry.ENTRY_BIT_GAP_TO) ?? 0n,
    count: u64.get(entry.ENTRY_BIT_GAP_COUNT) ?? 0n,
  };
  if (loss.from === 0n) recorder.loss(loss);
  else trailing.set(cpu, loss);
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
  for (const loss of trailing.values()) recorder.loss(loss);
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
