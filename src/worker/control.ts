// The control plane: what the engine's thread asks of its workers, through comlink, and what it gives them to start with. Events never go this way.

import type { EventFilter } from '../event/types.ts';
import type { JournalPlan } from '../journal/plan.ts';
import type { SourcePlan } from '../source/source.ts';

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
  /** Takes what is there, writes the last gaps, closes the source's reader. Nothing is drained afterwards. */
  stop(): Promise<void>;
}

export interface SyncData {
  memory: WebAssembly.Memory;
  journal: JournalPlan;
}

export interface SyncControl {
  start(): void;
  /** Flushes what is committed, closes the segments. */
  stop(): Promise<void>;
}

export interface SubscriberData {
  memory: WebAssembly.Memory;
  journal: JournalPlan;
  /** URL of the module whose default export is the handler; its export `close`, if there is one, is called at the end. */
  module: string;
  filter: EventFilter;
  /** Last sequence that was claimed when the subscription was made. */
  position: bigint;
  /** 16 bytes that outlive the worker: u64 sequence behind the last finished batch, i32 1 + the reader's slot. */
  progress: SharedArrayBuffer;
  context: unknown;
}

export interface SubscriberControl {
  /** Loads the handler and begins. */
  start(): Promise<void>;
  /** Handles what is in the journal now, then ends. */
  stop(): Promise<void>;
}

export interface RecorderData {
  memory: WebAssembly.Memory;
  journal: JournalPlan;
  /** First sequence that is recorded. */
  since: bigint;
  file: string;
}

export interface RecorderControl {
  start(): void;
  /** Records what is in the journal now, ends the file. */
  stop(): Promise<void>;
}

// Scratch regions of the arena, by number: the ingest worker's own, its copy of the kernel's lane table, the recorder's. The trace
// reader's is TRACE_SCRATCH_NUMBER (layout/trace-replay.ts).
export const SCRATCH_INGEST = 0;
export const SCRATCH_LANES = 1;
export const SCRATCH_RECORDER = 2;
