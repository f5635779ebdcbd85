// The ingest agent: one turn of drain -> settle paths -> translate -> append (assembly/ingest.ts), without threads or waiting, so that a test can step it.

import { ARENA_INGEST_OFFSET, ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import {
  INGEST_CLOCK_OFFSET_NS_OFFSET,
  INGEST_SCRATCH_OPS_OFFSET,
  INGEST_SCRATCH_PID_COUNT_OFFSET,
  INGEST_SCRATCH_PIDS_OFFSET,
  INGEST_SCRATCH_RECORD_ADDRESS_OFFSET,
  INGEST_SCRATCH_RECORD_LENGTH_OFFSET,
  INGEST_SCRATCH_SAMPLE_COUNT_OFFSET,
  INGEST_SCRATCH_SAMPLES_OFFSET,
  INGEST_SCRATCH_SETTLED_LENGTH,
  INGEST_SCRATCH_SETTLED_OFFSET,
  INGEST_SCRATCH_STATUS_OFFSET,
} from '../../layout/ingest.ts';
import { KERNEL_LANES_LENGTH } from '../../layout/kernel-control.ts';
import { RING_STATE_POSITION_OFFSET } from '../../layout/ring.ts';
import {
  STATUS_CORRUPT,
  STATUS_POISONED,
  STATUS_RESOLVE,
  STATUS_ROTATING,
  STATUS_TOO_LONG,
} from '../../layout/status.ts';
import type { Arena } from '../arena/arena.ts';
import type { Wasm } from '../arena/wasm.ts';
import { CausewayError } from '../base/errors.ts';
import type { SourceLoss, SourcePlan, SourceReader } from '../source/source.ts';
import { SCRATCH_INGEST, SCRATCH_LANES } from './control.ts';
import type { LatencyRecorder } from './latency.ts';

/** Records per batch: few enough that a batch is published within a tenth of a millisecond. */
const BATCH_RECORDS_MAX = 512;
/** Turns of ringSpin within one doWork: some microseconds. */
const SPIN_TURNS = 256;

/** Makes the paths of a record final: src/source/path-resolver.ts. */
export interface RecordSettler {
  /** Rewrites the record in `bytes` (its first `length` bytes; room for longer paths behind them): its new length, or 0 when it is outside the watched trees. */
  settle(bytes: Uint8Array, length: number): number;
}

export interface IngestAgentOptions {
  arena: Arena;
  wasm: Wasm;
  plan: SourcePlan;
  reader: SourceReader;
  settler: RecordSettler;
  /** Latency of the records of a batch, ns. */
  latency: LatencyRecorder;
  /** CLOCK_REALTIME - CLOCK_MONOTONIC. */
  clockOffsetNs: bigint;
}

export class IngestAgent {
  readonly #arena: Arena;
  readonly #wasm: Wasm;
  readonly #plan: SourcePlan;
  readonly #reader: SourceReader;
  readonly #options: IngestAgentOptions;
  readonly #scratch: number;
  readonly #lanes: number;
  /** True from the second turn without a wait: records that come now are met by a spinning consumer. */
  #isSpinning = false;
  #pendingLosses: SourceLoss[] = [];

  /** Goes on from the ring's released position. */
  constructor(options: IngestAgentOptions) {
    const { arena, wasm, plan, reader, clockOffsetNs } = options;
    this.#options = options;
    this.#arena = arena;
    this.#wasm = wasm;
    this.#plan = plan;
    this.#reader = reader;
    this.#scratch = arena.region(ARENA_REGION_SCRATCH, SCRATCH_INGEST).address;
    this.#lanes = arena.region(ARENA_REGION_SCRATCH, SCRATCH_LANES).address;
    this.setClockOffset(clockOffsetNs);
    this.#setWanted(plan);
    wasm.ringConsumerInit(this.#scratch, plan.ringAddress, plan.ringCapacity, plan.doubleMapped ? 1 : 0);
  }

  #setWanted({ wanted = { ops: [], pids: [] } }: SourcePlan): void {
    const { view } = this.#arena;
    const ops = wanted.ops.reduce((bits, op) => (bits | (1 << op)) >>> 0, 0);
    view.setUint32(this.#scratch + INGEST_SCRATCH_OPS_OFFSET, ops, true);
    view.setUint32(this.#scratch + INGEST_SCRATCH_PID_COUNT_OFFSET, wanted.pids.length, true);
    wanted.pids.forEach((pid, index) => {
      view.setUint32(this.#scratch + INGEST_SCRATCH_PIDS_OFFSET + index * 4, pid, true);
    });
  }

  setClockOffset(clockOffsetNs: bigint): void {
    this.#arena.view.setBigInt64(ARENA_INGEST_OFFSET + INGEST_CLOCK_OFFSET_NS_OFFSET, clockOffsetNs, true);
  }

  /** Position up to which everything was taken from the ring. */
  get position(): bigint {
    return this.#arena.view.getBigUint64(this.#scratch + RING_STATE_POSITION_OFFSET, true);
  }

  /** Whether the ring holds something that was not taken. */
  get hasRecords(): boolean {
    return this.#wasm.ringPeek(this.#scratch) > 0;
  }

  get hasPendingLosses(): boolean {
    return this.#pendingLosses.length > 0;
  }

  /**
   * Takes what is there, a batch at most: how many records (0 = nothing to do, wait).
   * @throws CausewayError RING_CORRUPT with the position; JOURNAL_POISONED when the journal takes nothing any more.
   */
  doWork(): number {
    const produced = this.#reader.poll();
    const answer = this.#wasm.ringSpin(this.#scratch, SPIN_TURNS);
    if (answer === STATUS_CORRUPT) throw this.#corrupt();
    if (answer <= 0) {
      this.#isSpinning = true;
      // Also now: a loss without a record stands where the source met it, before whatever comes next.
      this.writeLosses();
      return produced;
    }
    const count = this.#drain();
    // Losses after the records that were read with them: the gap stands where the source met it.
    this.writeLosses();
    return count;
  }

  /** The worker is about to sleep: records that wake it are not met by a spinning consumer. */
  parked(): void {
    this.#isSpinning = false;
    // Discarded records were skipped without a drain (the kernel wakes us with one): their room is given back, or the ring would count as readable
    // and the sleep would end at once.
    this.#wasm.ringRelease(this.#scratch);
  }

  #drain(): number {
    // The clock is read after the records were seen: none of them can be from later.
    const now = process.hrtime.bigint();
    const count = this.#wasm.ingestDrain(this.#scratch, now, BATCH_RECORDS_MAX);
    const status = this.#arena.view.getInt32(this.#scratch + INGEST_SCRATCH_STATUS_OFFSET, true);
    this.#recordLatency();
    if (status === STATUS_CORRUPT) throw this.#corrupt();
    if (status === STATUS_POISONED) throw new CausewayError('JOURNAL_POISONED', 'the journal takes no more events');
    if (status === STATUS_TOO_LONG)
      throw new CausewayError('RECORD_TOO_LONG', 'an event does not fit a journal segment');
    if (status === STATUS_RESOLVE) return count + this.#settle();
    // STATUS_ROTATING: the sync worker is preparing the next segment; the record stays in the ring.
    return status === STATUS_ROTATING ? Math.max(count, 0) : count;
  }

  /** The record at hand has paths that were built from the caller's words. */
  #settle(): number {
    const { view, bytes } = this.#arena;
    const address = view.getUint32(this.#scratch + INGEST_SCRATCH_RECORD_ADDRESS_OFFSET, true);
    const length = view.getUint32(this.#scratch + INGEST_SCRATCH_RECORD_LENGTH_OFFSET, true);
    const settledAddress = this.#scratch + INGEST_SCRATCH_SETTLED_OFFSET;
    bytes.copyWithin(settledAddress, address, address + length);
    const room = this.#arena.slice(settledAddress, INGEST_SCRATCH_SETTLED_LENGTH);
    const settledLength = this.#options.settler.settle(room, length);
    if (settledLength === 0) {
      this.#wasm.ingestOutside(this.#scratch);
      return 1;
    }
    return this.#wasm.ingestSettled(this.#scratch, settledAddress, settledLength) > 0 ? 1 : 0;
  }

  /** Hands losses that the source reported to the journal; those for which there is no room stay for the next call. */
  writeLosses(): void {
    this.#pendingLosses.push(...this.#reader.takeLosses());
    while (this.#pendingLosses.length > 0) {
      const loss = this.#pendingLosses[0] as SourceLoss;
      const now = process.hrtime.bigint();
      if (this.#wasm.ingestLoss(loss.cause, loss.lane ?? 0, loss.from, loss.to, loss.count, now) < 0) return;
      this.#pendingLosses.shift();
    }
  }

  /** With an empty ring: finds records that the kernel dropped and that no later one has shown. Answers gaps written. */
  reconcile(): number {
    const { lanesAddress } = this.#plan;
    if (lanesAddress === 0) return 0;
    // The copy comes first: what it counts was handed over or dropped before the ring is found empty below.
    this.#arena.bytes.copyWithin(this.#lanes, lanesAddress, lanesAddress + KERNEL_LANES_LENGTH);
    if (this.#wasm.ringPeek(this.#scratch) !== 0) return 0;
    return Math.max(this.#wasm.ingestReconcile(this.#lanes, process.hrtime.bigint()), 0);
  }

  #recordLatency(): void {
    const { latency } = this.#options;
    const { view } = this.#arena;
    const count = view.getUint32(this.#scratch + INGEST_SCRATCH_SAMPLE_COUNT_OFFSET, true);
    for (let sample = 0; sample < count; sample++) {
      const ns = view.getUint32(this.#scratch + INGEST_SCRATCH_SAMPLES_OFFSET + sample * 4, true);
      latency.record(ns, this.#isSpinning);
    }
  }

  #corrupt(): CausewayError {
    return new CausewayError('RING_CORRUPT', `source ring: corrupt at position ${this.position}`);
  }
}
