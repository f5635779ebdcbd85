// The control plane: what the engine's thread asks of its workers, through comlink, and what it gives them to start with. Events never go this way.

import type { SourcePlan } from '../source/source.ts';

/** Latencies in ns, from an HDR histogram with two significant digits; max is exact. */
export interface LatencyStats {
  count: number;
  p50Ns: number;
  p99Ns: number;
  p999Ns: number;
  maxNs: number;
}

export interface IngestData {
  memory: WebAssembly.Memory;
  source: SourcePlan;
  /** Real paths of the watched roots; empty = everything. */
  roots: readonly string[];
  idle: 'adaptive' | 'spin';
  /** Captured events are flushed as they come: 'group' and 'sync'. */
  flush: boolean;
}

export interface IngestControl {
  /** Begins to drain. */
  start(): void;
  /** Resolves when everything that had happened when it was called is in the journal. */
  sync(): Promise<void>;
  /** Resolves when the source has ended (a trace) and all of it is in the journal. Never for the others. */
  finished(): Promise<void>;
  latency(): { all: LatencyStats; spinning: LatencyStats };
  /** Takes what is there, writes the last gaps, closes the source's reader. Nothing is drained afterwards. */
  stop(): Promise<void>;
}

export interface SyncControl {
  start(): void;
  /** Flushes what is committed, closes the segments. */
  stop(): Promise<void>;
}

export interface SubscriberControl {
  start(): void;
  /** Sequence up to which the handler has been given everything. */
  position(): bigint;
  stop(): Promise<void>;
}
