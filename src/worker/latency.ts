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
/** Up to this many, every value has a bucket of its own; above, 128 to each power of two: two significant digits, as the histograms have them. */
const EXACT_COUNT = 256;
const BUCKETS_PER_POWER = EXACT_COUNT / 2;
const BUCKET_COUNT = (32 - Math.log2(BUCKETS_PER_POWER)) * BUCKETS_PER_POWER + BUCKETS_PER_POWER;

export class LatencyRecorder {
  readonly #arena: Arena;
  readonly #all = newHistogram();
  readonly #spinning = newHistogram();
  // Counted here first and given to the histograms when they are published: their own recording of a value costs 50 ns (measured).
  readonly #newParked = new Uint32Array(BUCKET_COUNT);
  readonly #newSpinning = new Uint32Array(BUCKET_COUNT);
  #count = 0;
  #publishedNs = 0n;
  #publishedCount = 0;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /**
   * @param latencyNs Below 2 ** 32.
   * @param isSpinning The worker was awake when the record came.
   */
  record(latencyNs: number, isSpinning: boolean): void {
    const counts = isSpinning ? this.#newSpinning : this.#newParked;
    const bucket = bucketOf(latencyNs);
    counts[bucket] = (counts[bucket] as number) + 1;
    this.#count += 1;
  }

  /** Now and then; at once after a first record or when `force` is set. */
  publish(nowNs: bigint, force = false): void {
    const count = this.#count;
    if (count === this.#publishedCount || (!force && nowNs - this.#publishedNs < PUBLISH_INTERVAL_NS)) return;
    this.#publishedNs = nowNs;
    this.#publishedCount = count;
    moveCounts(this.#newParked, [this.#all]);
    moveCounts(this.#newSpinning, [this.#all, this.#spinning]);
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

function bucketOf(ns: number): number {
  const shift = ns < EXACT_COUNT ? 0 : 24 - Math.clz32(ns);
  return shift * BUCKETS_PER_POWER + (ns >>> shift);
}

/** The highest value of the bucket: what a histogram answers for any of them. */
function highestOf(bucket: number): number {
  if (bucket < EXACT_COUNT) return bucket;
  const shift = Math.floor(bucket / BUCKETS_PER_POWER) - 1;
  return (bucket - shift * BUCKETS_PER_POWER + 1) * 2 ** shift - 1;
}

function moveCounts(counts: Uint32Array, histograms: readonly Int32Histogram[]): void {
  for (let bucket = 0; bucket < counts.length; bucket++) {
    const count = counts[bucket] as number;
    if (count === 0) continue;
    for (const histogram of histograms) histogram.recordValueWithCount(highestOf(bucket), count);
    counts[bucket] = 0;
  }
}

function newHistogram(): Int32Histogram {
  const histogram = new Int32Histogram(1, 2 ** 32, 2);
  histogram.autoResize = true;
  return histogram;
}
