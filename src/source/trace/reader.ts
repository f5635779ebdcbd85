// Replays a trace: its records go into the ring, at once or paced by their own times; its losses are told where they were met.

import { GAP_CAUSE_RING_FULL, GAP_CAUSE_SOURCE } from '../../../layout/entry.ts';
import {
  KERNEL_RECORD_HEADER_LENGTH,
  KERNEL_RECORD_LANE_SEQUENCE_OFFSET,
  KERNEL_RECORD_OP_OFFSET,
  KERNEL_RECORD_PID_OFFSET,
  KERNEL_RECORD_TIME_NS_OFFSET,
} from '../../../layout/kernel-record.ts';
import { TRACE_FRAME_END, TRACE_FRAME_LOSS, TRACE_FRAME_RECORD } from '../../../layout/trace-file.ts';
import type { Arena } from '../../arena/arena.ts';
import { crc32c } from '../../base/crc32c.ts';
import { stderrLog } from '../log-line.ts';
import { Poller } from '../poller.ts';
import { RingWriter } from '../ring-writer.ts';
import type { SourceLoss, SourcePlan, SourceReader } from '../source.ts';
import { FrameStream } from './frame-stream.ts';
import { decodeEnd, decodeLoss, kindCrc32c, traceCorrupt } from './frames.ts';
import { LaneFilter } from './lane-filter.ts';
import { TraceProgress } from './progress.ts';

/** Written by one poll() at most, so that what was written is seen soon. */
const RECORDS_PER_POLL = 4096;
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
  readonly #details: TraceDetails;
  readonly #frames: FrameStream;
  readonly #writer: RingWriter;
  readonly #progress: TraceProgress;
  readonly #filter: LaneFilter;
  readonly #poller: Poller | undefined;
  readonly #log: (line: string) => void;
  /** Counted here: the END frame must agree, unless a predecessor has read the beginning. */
  readonly #isWhole: boolean;
  #records = 0n;
  #lossFrames = 0n;
  #losses: SourceLoss[] = [];
  /** File offset of the frame that was checked and changed by the filter. */
  #checkedOffset = -1;
  /** process.hrtime when the record of #firstNs was due. */
  #startedNs = 0n;
  #firstNs: bigint | undefined;
  #closed = false;

  constructor(arena: Arena, plan: SourcePlan, log: (line: string) => void) {
    this.#details = plan.details as unknown as TraceDetails;
    this.#log = log;
    this.#progress = new TraceProgress(this.#details.progress);
    const offset = this.#progress.offset;
    this.#isWhole = offset === 0;
    this.#frames = new FrameStream(this.#details.file, offset);
    this.#writer = new RingWriter(arena, { address: plan.ringAddress, capacity: plan.ringCapacity });
    this.#filter = new LaneFilter(this.#details.ops, this.#details.pids);
    const { wakeFd } = this.#details;
    this.#poller = arena.native === undefined || wakeFd < 0 ? undefined : new Poller(arena.native, [], wakeFd);
  }

  poll(): number {
    if (this.#closed || this.finished) return 0;
    let written = 0;
    try {
      let isMore = true;
      for (let count = 0; isMore && count < RECORDS_PER_POLL; count++) isMore = this.#step();
    } finally {
      // Also before a corrupt frame is complained of: what was whole before it is delivered.
      written = this.#writer.publish();
      // Behind publish(): a reader that dies in between repeats these records, with the same lane sequences, and they are dropped as duplicates.
      this.#progress.offset = this.#frames.offset;
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
    return this.#writer.positionAfterAll;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#frames.close();
    this.#poller?.close();
    this.#writer.release();
  }

  /** Handles one frame. False: not now, or never again. */
  #step(): boolean {
    const found = this.#frames.next();
    if (found !== 'frame') return this.#cutOff(found);
    if (this.#frames.kind === TRACE_FRAME_LOSS) return this.#lossFrame();
    if (this.#frames.kind === TRACE_FRAME_END) return this.#endFrame();
    return this.#recordFrame();
  }

  #recordFrame(): boolean {
    const { bytes, dataStart, length } = this.#frames;
    // What is no record (the recorder keeps malformed ones, too) has neither time nor lane.
    const isRecord = length >= KERNEL_RECORD_HEADER_LENGTH;
    if (isRecord && this.#details.speed === 'recorded' && !this.#isDue(this.#timeAt(dataStart))) return false;
    if (length > this.#writer.lengthMax) {
      this.#losses.push({ cause: GAP_CAUSE_RING_FULL, from: 0n, to: 0n, count: 1n });
      this.#log(`trace ${this.#frames.file}: record at ${this.#frames.offset} does not fit the ring: length=${length}`);
      return this.#next();
    }
    let expected = this.#frames.crc32c;
    if (isRecord && !this.#filter.isEverything) {
      // Once a frame: it is at hand again when the ring was full, and its lane sequence has been taken out by then.
      if (this.#checkedOffset !== this.#frames.offset) this.#checkData();
      this.#checkedOffset = this.#frames.offset;
      if (!this.#filtered(dataStart)) return this.#next();
      expected = this.#checksum();
    }
    const previous = kindCrc32c(TRACE_FRAME_RECORD);
    const outcome = this.#writer.offerChecked(bytes.subarray(dataStart, dataStart + length), { previous, expected });
    if (outcome === 'corrupt') this.#checkData();
    return outcome === 'written' && this.#next();
  }

  #next(): true {
    this.#records += 1n;
    this.#frames.advance();
    return true;
  }

  /** Whether the record is wanted. Then its lane sequence is taken out: with others left out, a jump in it means nothing; real gaps become losses. */
  #filtered(dataStart: number): boolean {
    const { bytes } = this.#frames;
    const gap = this.#filter.follow(bytes, dataStart);
    if (gap !== undefined) this.#losses.push(gap);
    const op = bytes.readUInt16LE(dataStart + KERNEL_RECORD_OP_OFFSET);
    if (!this.#filter.wants(op, bytes.readUInt32LE(dataStart + KERNEL_RECORD_PID_OFFSET))) return false;
    bytes.writeBigUInt64LE(0n, dataStart + KERNEL_RECORD_LANE_SEQUENCE_OFFSET);
    return true;
  }

  /** Told when all records before it were drained, and before any behind it is written. */
  #lossFrame(): boolean {
    if (!this.#writer.isDrained) return false;
    this.#checkData();
    this.#losses.push(decodeLoss(this.#frames.bytes, this.#frames.dataStart));
    this.#lossFrames += 1n;
    this.#frames.advance();
    return false;
  }

  #endFrame(): boolean {
    this.#checkData();
    const { file, offset } = this.#frames;
    const { records, losses } = decodeEnd(this.#frames.bytes, this.#frames.dataStart);
    if (this.#isWhole && (records !== this.#records || losses !== this.#lossFrames)) {
      const found = `records=${this.#records}, losses=${this.#lossFrames}`;
      throw traceCorrupt(file, offset, `the end says records=${records}, losses=${losses}, but there are ${found}`);
    }
    this.#frames.advance();
    if (this.#frames.next() !== 'end') throw traceCorrupt(file, this.#frames.offset, 'something follows the end');
    this.finished = true;
    return false;
  }

  /** Without an END frame the recording was cut off: what is missing, nobody knows. */
  #cutOff(found: 'end' | 'cut'): false {
    const { file, offset } = this.#frames;
    this.#losses.push({ cause: GAP_CAUSE_SOURCE, from: 0n, to: 0n, count: 0n });
    const where = found === 'cut' ? 'within a frame' : 'without an end';
    this.#log(`trace ${file}: cut off ${where} at offset ${offset}, after ${this.#records} records`);
    this.finished = true;
    return false;
  }

  #checkData(): void {
    const { kind, file, offset } = this.#frames;
    const found = this.#checksum();
    if (found !== this.#frames.crc32c) {
      throw traceCorrupt(file, offset, `kind=${kind}, crc32c=${found}, the frame says ${this.#frames.crc32c}`);
    }
  }

  #checksum(): number {
    const { bytes, dataStart, length, kind } = this.#frames;
    return crc32c(bytes, dataStart, dataStart + length, kindCrc32c(kind));
  }

  #timeAt(dataStart: number): bigint {
    return this.#frames.bytes.readBigUInt64LE(dataStart + KERNEL_RECORD_TIME_NS_OFFSET);
  }

  #isDue(timeNs: bigint): boolean {
    const now = process.hrtime.bigint();
    if (this.#firstNs === undefined) {
      this.#firstNs = timeNs;
      this.#startedNs = now;
    }
    return timeNs - this.#firstNs <= now - this.#startedNs;
  }

  /** Until the record at hand is due; 0 = now, or something else than a record is at hand. */
  #dueInMs(): number {
    if (this.#firstNs === undefined || this.#details.speed === 'maximum' || this.#frames.next() !== 'frame') return 0;
    const { dataStart, length, kind } = this.#frames;
    if (kind === TRACE_FRAME_LOSS || kind === TRACE_FRAME_END || length < KERNEL_RECORD_HEADER_LENGTH) return 0;
    const dueNs = this.#timeAt(dataStart) - this.#firstNs - (process.hrtime.bigint() - this.#startedNs);
    return Math.max(0, Number(dueNs) / 1e6);
  }
}
