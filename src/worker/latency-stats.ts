// The latencies that the ingest worker publishes in the arena, for whoever wants to show them.

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

/** Latencies in ns, with two significant digits. */
export interface LatencyStats {
  count: number;
  p50Ns: number;
  p99Ns: number;
  p999Ns: number;
  maxNs: number;
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
