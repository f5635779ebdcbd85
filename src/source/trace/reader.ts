// Replays a trace: its records go into the ring, at once or paced by their own times; its losses are told where they were met. Wasm goes over the frames
// (assembly/trace.ts); here is what happens at those that are no plain record.

import { ARENA_REGION_SCRATCH } from '../../../layout/arena.ts';
import { GAP_CAUSE_RING_FULL, GAP_CAUSE_SOURCE } from '../../../layout/entry.ts';
import { KERNEL_RECORD_TIME_NS_OFFSET } from '../../../layout/kernel-record.ts';
import { RING_CONSUMER_POSITION_OFFSET, RING_LOCAL_PRODUCER_STATE_OFFSET } from '../../../layout/ring.ts';
import {
  TRACE_FRAME_CRC32C_OFFSET,
  TRACE_FRAME_HEADER_LENGTH,
  TRACE_FRAME_KIND_OFFSET,
  TRACE_FRAME_LENGTH_OFFSET,
} from '../../../layout/trace-file.ts';
import * as T from '../../../layout/trace-replay.ts';
import type { Arena } from '../../arena/arena.ts';
import type { SpscProducer } from '../../arena/ring.ts';
import { instantiate, type Wasm } from '../../arena/wasm.ts';
import { stderrLog } from '../log-line.ts';
import { Poller } from '../poller.ts';
import { localProducer } from '../ring-writer.ts';
import type { SourceLoss, SourcePlan, SourceReader } from '../source.ts';
import { TraceChunk } from './chunk.ts';
import { decodeEnd, decodeLoss, frameFault, traceCorrupt } from './frames.ts';
import { TraceProgress } from './progress.ts';

/** Gone over by one poll() at most: as many as ingestion then takes at once, while they are in the core's own cache. */
const RECORDS_PER_POLL = 512;
const SHORTEST_SLEEP_MS = 1;
/** A sleep without a descriptor to wait on, where there is no koffi. */
const sleepWord = new Int32Array(new SharedArrayBuffer(4));

export interface TraceDetails {
  file: string;
  speed: 'recorded' | 'maximum';
  /** CLOCK_REALTIME - CLOCK_MONOTONIC on the machine that recorded: with it the times are those of the recording. */
  clockOffsetNs: bigint;
  /** -1: nobody can wake the reader. */
  wakeFd: number;
  ops: number[];
  /** At most TRACE_PIDS_MAX. */
  pids: number[];
  progress: SharedArrayBuffer;
}

/**
 * A replacement reader goes on behind the last frame that its predecessor handed over.
 * @throws CausewayError PATH_MISSING, PATH_DENIED, SYSTEM_CALL_FAILED, TRACE_CORRUPT.
 */
export function openTraceReader(
  arena: Arena,
  plan: SourcePlan,
  options: { log?: (line: string) => void } = {},
): SourceReader {
  return new TraceReader(arena, plan, options.log ?? stderrLog());
}

class TraceReader implements SourceReader {
  finished = false;
  readonly #arena: Arena;
  readonly #wasm: Wasm;
  readonly #plan: SourcePlan;
  readonly #scratch: number;
  readonly #view: DataView;
  readonly #chunk: TraceChunk;
  readonly #producer: SpscProducer;
  readonly #progress: TraceProgress;
  readonly #poller: Poller | undefined;
  readonly #log: (line: string) => void;
  /** Counted here: the END frame must agree, unless a predecessor has read the beginning. */
  readonly #isWhole: boolean;
  #lossFrames = 0n;
  #losses: SourceLoss[] = [];
  /** process.hrtime when the record of #firstNs was due. */
  #startedNs = 0n;
  #firstNs: bigint | undefined;
  #closed = false;

  constructor(arena: Arena, plan: SourcePlan, log: (line: string) => void) {
    const details = plan.details as unknown as TraceDetails;
    this.#arena = arena;
    this.#wasm = instantiate(arena);
    this.#plan = plan;
    this.#log = log;
    this.#progress = new TraceProgress(details.progress);
    const { offset } = this.#progress;
    this.#isWhole = offset === 0;
    this.#scratch = arena.region(ARENA_REGION_SCRATCH, T.TRACE_SCRATCH_NUMBER).address;
    this.#view = new DataView(arena.memory.buffer, this.#scratch, T.TRACE_SCRATCH_LENGTH);
    this.#chunk = new TraceChunk(arena, this.#scratch, details.file, offset);
    this.#producer = localProducer(arena, this.#wasm, { address: plan.ringAddress, capacity: plan.ringCapacity });
    this.#configure(details);
    this.#poller =
      arena.native === undefined || details.wakeFd < 0 ? undefined : new Poller(arena.native, [], details.wakeFd);
  }

  poll(): number {
    if (this.#closed || this.finished) return 0;
    let written = 0;
    try {
      let isMore = true;
      for (let left = RECORDS_PER_POLL; isMore && left > 0; ) {
        if (this.#firstNs !== undefined) this.#setDue(this.#firstNs);
        left -= this.#wasm.traceFrames(this.#scratch, this.#producerState, left);
        written += this.#view.getUint32(T.TRACE_SCRATCH_SUBMITTED_OFFSET, true);
        isMore = this.#handleStop();
      }
    } finally {
      // Also before a corrupt frame is complained of: what was whole before it is delivered.
      if (written > 0) this.#producer.publish();
      // Behind publish(): a reader that dies in between repeats these records, with the same lane sequences, and they are dropped as duplicates.
      this.#progress.offset = this.#chunk.offset;
    }
    return written;
  }

  wait(timeoutMs: number): void {
    if (this.#closed) return;
    const sleepMs = Math.min(timeoutMs, this.finished ? timeoutMs : this.#dueInMs());
    // Less than the clock of epoll can do: the caller comes again, and is on time.
    if (sleepMs < SHORTEST_SLEEP_MS) return;
    if (this.#poller !== undefined) this.#poller.wait(Math.floor(sleepMs));
    else Atomics.wait(sleepWord, 0, 0, sleepMs);
  }

  takeLosses(): SourceLoss[] {
    const losses = this.#losses;
    this.#losses = [];
    return losses;
  }

  mark(): bigint {
    return this.#producer.position;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#chunk.close();
    this.#poller?.close();
    this.#producer.release();
  }

  #configure({ speed, ops, pids }: TraceDetails): void {
    const view = this.#view;
    view.setUint32(T.TRACE_SCRATCH_PACE_OFFSET, speed === 'recorded' ? T.TRACE_PACE_FIRST : T.TRACE_PACE_NONE, true);
    view.setUint32(
      T.TRACE_SCRATCH_OPS_OFFSET,
      ops.reduce((bits, op) => (bits | (1 << op)) >>> 0, 0),
      true,
    );
    view.setUint32(T.TRACE_SCRATCH_PID_COUNT_OFFSET, pids.length, true);
    pids.forEach((pid, index) => {
      view.setUint32(T.TRACE_SCRATCH_PIDS_OFFSET + index * 4, pid, true);
    });
  }

  get #producerState(): number {
    return this.#plan.ringAddress + RING_LOCAL_PRODUCER_STATE_OFFSET;
  }

  get #stop(): number {
    return this.#view.getUint32(T.TRACE_SCRATCH_STOP_OFFSET, true);
  }

  get #records(): bigint {
    return this.#view.getBigUint64(T.TRACE_SCRATCH_RECORDS_OFFSET, true);
  }

  /** Handles what wasm stopped at. False: not now, or never again. */
  #handleStop(): boolean {
    switch (this.#stop) {
      case T.TRACE_STOP_CHUNK:
        return this.#chunk.fill() || this.#cutOff();
      case T.TRACE_STOP_TOO_LONG:
        return this.#tooLong();
      case T.TRACE_STOP_NOT_DUE:
        return this.#beginPace();
      case T.TRACE_STOP_GAP:
        return this.#gap();
      case T.TRACE_STOP_LOSS:
        return this.#lossFrame();
      case T.TRACE_STOP_END:
        return this.#endFrame();
      case T.TRACE_STOP_HEADER:
      case T.TRACE_STOP_CHECKSUM:
        throw this.#corrupt();
      default:
        return false;
    }
  }

  #tooLong(): true {
    const { file, offset } = this.#chunk;
    this.#losses.push({ cause: GAP_CAUSE_RING_FULL, from: 0n, to: 0n, count: 1n });
    this.#log(`trace ${file}: record at ${offset} does not fit the ring: length=${this.#frame.length}`);
    this.#view.setBigUint64(T.TRACE_SCRATCH_RECORDS_OFFSET, this.#records + 1n, true);
    this.#passFrame();
    return true;
  }

  #gap(): true {
    const from = this.#view.getBigUint64(T.TRACE_SCRATCH_GAP_FROM_OFFSET, true);
    const to = this.#view.getBigUint64(T.TRACE_SCRATCH_GAP_TO_OFFSET, true);
    this.#losses.push({ cause: GAP_CAUSE_SOURCE, from, to, count: to - from + 1n });
    return true;
  }

  /** Told when all records before it were drained, and before any behind it is written. */
  #lossFrame(): false {
    if (!this.#isDrained) return false;
    this.#losses.push(decodeLoss(this.#arena.bytes, this.#frame.dataAddress));
    this.#lossFrames += 1n;
    this.#passFrame();
    return false;
  }

  #endFrame(): false {
    const { file, offset } = this.#chunk;
    const { records, losses } = decodeEnd(this.#arena.bytes, this.#frame.dataAddress);
    if (this.#isWhole && (records !== this.#records || losses !== this.#lossFrames)) {
      const found = `records=${this.#records}, losses=${this.#lossFrames}`;
      throw traceCorrupt(file, offset, `the end says records=${records}, losses=${losses}, but there are ${found}`);
    }
    this.#passFrame();
    if (this.#chunk.available > 0 || this.#chunk.fill()) {
      throw traceCorrupt(file, this.#chunk.offset, 'something follows the end');
    }
    this.finished = true;
    return false;
  }

  /** Without an END frame the recording was cut off: what is missing, nobody knows. */
  #cutOff(): false {
    const { file, offset, available } = this.#chunk;
    this.#losses.push({ cause: GAP_CAUSE_SOURCE, from: 0n, to: 0n, count: 0n });
    const where = available > 0 ? 'within a frame' : 'without an end';
    this.#log(`trace ${file}: cut off ${where} at offset ${offset}, after ${this.#records} records`);
    this.finished = true;
    return false;
  }

  #corrupt(): Error {
    const { file, offset } = this.#chunk;
    const { kind, length, crc32c } = this.#frame;
    const fault = frameFault(kind, length);
    const found = this.#view.getUint32(T.TRACE_SCRATCH_CHECKSUM_OFFSET, true);
    return traceCorrupt(file, offset, fault ?? `kind=${kind}, crc32c=${found}, the frame says ${crc32c}`);
  }

  /** The frame at hand; its header is there whole. */
  get #frame(): { kind: number; length: number; crc32c: number; dataAddress: number } {
    const at = T.TRACE_SCRATCH_CHUNK_OFFSET + this.#chunk.start;
    return {
      kind: this.#view.getUint32(at + TRACE_FRAME_KIND_OFFSET, true),
      length: this.#view.getUint32(at + TRACE_FRAME_LENGTH_OFFSET, true),
      crc32c: this.#view.getUint32(at + TRACE_FRAME_CRC32C_OFFSET, true),
      dataAddress: this.#scratch + at + TRACE_FRAME_HEADER_LENGTH,
    };
  }

  #passFrame(): void {
    this.#chunk.pass(TRACE_FRAME_HEADER_LENGTH + this.#frame.length);
  }

  /** The consumer has given the room of everything back that was ever written. */
  get #isDrained(): boolean {
    const consumer = Atomics.load(this.#arena.u64, (this.#plan.ringAddress + RING_CONSUMER_POSITION_OFFSET) / 8);
    return consumer === this.#producer.position;
  }

  /** The first record that has a time is due now, and the others as long after it as they were recorded. False: it is not the first. */
  #beginPace(): boolean {
    if (this.#firstNs !== undefined) return false;
    this.#firstNs = this.#timeAtHand;
    this.#startedNs = process.hrtime.bigint();
    this.#view.setUint32(T.TRACE_SCRATCH_PACE_OFFSET, T.TRACE_PACE_DUE, true);
    return true;
  }

  #setDue(firstNs: bigint): void {
    const dueNs = firstNs + (process.hrtime.bigint() - this.#startedNs);
    this.#view.setBigUint64(T.TRACE_SCRATCH_DUE_NS_OFFSET, dueNs, true);
  }

  get #timeAtHand(): bigint {
    return this.#arena.view.getBigUint64(this.#frame.dataAddress + KERNEL_RECORD_TIME_NS_OFFSET, true);
  }

  /** Until the record at hand is due; 0 = now, or something else than a record is at hand. */
  #dueInMs(): number {
    if (this.#firstNs === undefined || this.#stop !== T.TRACE_STOP_NOT_DUE) return 0;
    const dueNs = this.#timeAtHand - this.#firstNs - (process.hrtime.bigint() - this.#startedNs);
    return Math.max(0, Number(dueNs) / 1e6);
  }
}
