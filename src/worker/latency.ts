// Latency of ingestion: recorded in HDR histograms by the worker, published as a few numbers in the arena (src/worker/latency-stats.ts reads them).

import { createRequire } from 'node:module';
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

// The one class, not the package's index: that brings codecs and a wasm module with it, 7 MB in each thread (measured).
const { default: Int32Histogram } = createRequire(import.meta.url)(
  'hdr-histogram-js/dist/Int32Histogram.js',
) as typeof import('hdr-histogram-js/dist/Int32Histogram.js');
type Int32Histogram = InstanceType<typeof Int32Histogram>;

const PUBLISH_INTERVAL_NS = 100_000_000n;

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

  #write(offset: number, histogram: Int32Histogram): void {
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

function newHistogram(): Int32Histogram {
  const histogram = new Int32Histogram(1, 2 ** 32, 2);
  histogram.autoResize = true;
  return histogram;
}
