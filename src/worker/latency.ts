// Latency of ingestion: recorded in HDR histograms by the worker, published as a few numbers in the arena, read by whoever wants to show them.

import { build, type Histogram } from 'hdr-histogram-js';
import { ARENA_INGEST_OFFSET } from '../../layout/arena.ts';
import {
  INGEST_LATENCY_ALL_OFFSET,
  INGEST_LATENCY_COUNT_OFFSET,
  INGEST_LATENCY_MAX_OFFSET,
  INGEST_LATENCY_P50_OFFSET,
  INGEST_LATENCY_P99_OFFSET,
  INGEST_LATENCY_P999_OFFSET,
  INGEST_LATENCY_SPINNING_OFFSET,
} from '../../layout/ingest.ts';
import type { Arena } from '../arena/arena.ts';

const PUBLISH_INTERVAL_NS = 100_000_000n;

/** Latencies in ns, with two significant digits. */
export interface LatencyStats {
  count: number;
  p50Ns: number;
  p99Ns: number;
  p999Ns: number;
  maxNs: number;
}

export class LatencyRecorder {
  readonly #arena: Arena;
  readonly #all = newHistogram();
  readonly #spinning = newHistogram();
  #publishedNs = 0n;
  #publishedCount = 0;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** @param isSpinning The worker was awake when the record came. */
  record(latencyNs: number, isSpinning: boolean): void {
    this.#all.recordValue(latencyNs);
    if (isSpinning) this.#spinning.recordValue(latencyNs);
  }

  /** Now and then; at once after a first record or when `force` is set. */
  publish(nowNs: bigint, force = false): void {
    const count = this.#all.totalCount;
    if (count === this.#publishedCount || (!force && nowNs - this.#publishedNs < PUBLISH_INTERVAL_NS)) return;
    this.#publishedNs = nowNs;
    this.#publishedCount = count;
    this.#write(INGEST_LATENCY_ALL_OFFSET, this.#all);
    this.#write(INGEST_LATENCY_SPINNING_OFFSET, this.#spinning);
  }

  #write(offset: number, histogram: Histogram): void {
    const put = (field: number, value: number) =>
      Atomics.store(this.#arena.u64, (ARENA_INGEST_OFFSET + offset + field) / 8, BigInt(value));
    const at = (percentile: number) => (histogram.totalCount === 0 ? 0 : histogram.getValueAtPercentile(percentile));
    put(INGEST_LATENCY_P50_OFFSET, at(50));
    put(INGEST_LATENCY_P99_OFFSET, at(99));
    put(INGEST_LATENCY_P999_OFFSET, at(99.9));
    put(INGEST_LATENCY_MAX_OFFSET, histogram.totalCount === 0 ? 0 : histogram.maxValue);
    put(INGEST_LATENCY_COUNT_OFFSET, histogram.totalCount);
  }
}

/** What the ingest worker published last. */
export function readLatency(arena: Arena): { all: LatencyStats; spinning: LatencyStats } {
  const read = (offset: number): LatencyStats => {
    const take = (field: number) => Number(Atomics.load(arena.u64, (ARENA_INGEST_OFFSET + offset + field) / 8));
    return {
      count: take(INGEST_LATENCY_COUNT_OFFSET),
      p50Ns: take(INGEST_LATENCY_P50_OFFSET),
      p99Ns: take(INGEST_LATENCY_P99_OFFSET),
      p999Ns: take(INGEST_LATENCY_P999_OFFSET),
      maxNs: take(INGEST_LATENCY_MAX_OFFSET),
    };
  };
  return { all: read(INGEST_LATENCY_ALL_OFFSET), spinning: read(INGEST_LATENCY_SPINNING_OFFSET) };
}

function newHistogram(): Histogram {
  return build({
    bitBucketSize: 32,
    autoResize: true,
    lowestDiscernibleValue: 1,
    highestTrackableValue: 2 ** 32,
    numberOfSignificantValueDigits: 2,
  });
}
