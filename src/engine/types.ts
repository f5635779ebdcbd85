// The engine's public types: what goes in and what comes out.

import type { EventTypeName } from '../event/type-name.ts';
import type { LatencyStats } from '../worker/latency-stats.ts';

export type { LatencyStats };

/** One event. Times are ns since the epoch, as bigint; numbers that the source did not know are absent. */
export interface Event {
  readonly type: EventTypeName;
  /** Place in the journal: 1n, 2n, 3n ... */
  readonly sequence: bigint;
  readonly lamport: bigint;
  /** CLOCK_REALTIME in ns. */
  readonly timeNs: bigint;
  /** Absent when the file has none or the event is not about a file. Invalid UTF-8 shows as U+FFFD; `pathBytes` then has the truth. */
  readonly path?: string;
  /** New name of a rename or hard link; text of a symbolic link; what was mounted. */
  readonly path2?: string;
  readonly pathBytes?: Uint8Array;
  readonly path2Bytes?: Uint8Array;
  /** Absent when the source cannot know it (inotify). */
  readonly pid?: number;
  readonly tid?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly comm?: string;
  /** errno name of a failed operation: 'ENOENT'. Absent on success. */
  readonly error?: string;
  /** System call or other means: 'openat', 'pwrite64', 'mmap', 'io_uring', 'scan'. */
  readonly call?: string;
  readonly inode?: bigint;
  readonly device?: bigint;
  readonly size?: bigint;
  /** Bytes moved by a read or write. */
  readonly amount?: bigint;
  /** Flags or other argument of the call (layout/kernel-record.ts). */
  readonly argument?: bigint;
  readonly mode?: number;
  readonly durationNs?: bigint;
  readonly cpu?: number;
  /** KERNEL_FLAG_ bits, decoded: 'pathTruncated', 'pathDeleted', 'directory', 'timeEstimated'. */
  readonly notes?: readonly string[];
  /** What emit() was given. */
  readonly payload?: Uint8Array;
  readonly metadata?: Uint8Array;
}

/** Something was lost between the event before and the one after. */
export interface Gap {
  readonly type: 'gap';
  readonly sequence: bigint;
  readonly timeNs: bigint;
  /** 'ringFull', 'queueOverflow', 'malformed', ... */
  readonly cause: string;
  /** Records lost; absent if it cannot be known. */
  readonly count?: bigint;
  readonly from?: bigint;
  readonly to?: bigint;
  readonly cpu?: number;
  readonly path?: undefined;
  readonly pid?: undefined;
}

/** All that was in the journal has been delivered; from here on events come as they happen. */
export interface CaughtUp {
  readonly type: 'caughtUp';
  readonly sequence: bigint;
  readonly path?: undefined;
  readonly pid?: undefined;
}

export type StreamItem = Event | Gap | CaughtUp;

export type Durability = 'memory' | 'process' | 'group' | 'sync';

export interface EventFilter {
  /** Names or patterns: 'fs.write', 'fs.*', '*'. */
  types?: readonly string[];
  /** Path prefix (a directory and all below it) or glob ('**' crosses directories); compared with path and path2. Several: any of them. */
  path?: string | readonly string[];
  pid?: number | readonly number[];
  /** First sequence that is wanted (inclusive), or 'now' (default), or 'start' (the oldest that is kept). */
  since?: bigint | 'now' | 'start';
  signal?: AbortSignal;
}

export interface EngineOptions {
  /** Directories or files to watch; with source 'trace' not needed. */
  paths?: readonly string[];
  /** 'auto' (default) takes the first of ebpf, inotify that works here. { trace: file } replays a recording. */
  source?: 'auto' | 'ebpf' | 'inotify' | 'none' | { trace: string; speed?: 'recorded' | 'maximum' };
  /** Directory of the journal; without one, events are kept in an unnamed temporary file that goes with the process. */
  journal?: string | { directory: string; segmentLength?: number };
  /** Of captured events. Default 'process'. */
  durability?: Durability;
  filter?: {
    /** Event types that are captured at all (in the kernel, where the source can). */
    types?: readonly string[];
    pids?: readonly number[];
    /** With pids: their children too. */
    followFork?: boolean;
    /** Also what this very process does. */
    includeSelf?: boolean;
  };
  /** Also writes what the source produced to this file, for a later { trace: file }. */
  record?: string;
  /** Bytes of the ring between source and wasm, a power of two. Default 8 MiB. */
  ringCapacity?: number;
  /** How the ingest worker waits: 'spin' burns a core for the lowest latency, 'adaptive' (default) spins for a while, then parks. */
  idle?: 'adaptive' | 'spin';
  /** Drop to this user once everything privileged is set up: name or uid. */
  user?: string | number;
  signal?: AbortSignal;
  /** Told, in a sentence, what a person should know: a worker was replaced, the journal is full, ... */
  onNotice?: (notice: string) => void;
}

export interface EmitOptions {
  durability?: Durability;
}

/** What emit() takes; only `type` is required. */
export interface NewEvent {
  type: EventTypeName;
  path?: string;
  path2?: string;
  pid?: number;
  tid?: number;
  uid?: number;
  gid?: number;
  comm?: string;
  inode?: bigint;
  size?: bigint;
  mode?: number;
  payload?: Uint8Array;
  metadata?: Uint8Array;
}

export interface EngineStats {
  source: { kind: string; description: string; produced: bigint; dropped: Record<string, bigint> };
  ingest: {
    delivered: bigint;
    filtered: bigint;
    malformed: bigint;
    duplicate: bigint;
    lost: bigint;
    gaps: bigint;
    bytes: bigint;
  };
  /** From the kernel's hand-over to wasm: all records, and those taken while the worker was spinning. */
  latency: { all: LatencyStats; spinning: LatencyStats };
  journal: {
    directory: string | undefined;
    committedSequence: bigint;
    durableSequence: bigint;
    segments: number;
    bytes: bigint;
    state: 'open' | 'full' | 'poisoned' | 'closed';
    /** errno name behind full or poisoned. */
    error: string | undefined;
  };
  workers: { name: string; restarts: number; lastError: string | undefined }[];
}
