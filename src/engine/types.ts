// The engine's public types: what goes in and what comes out.

import type { Durability } from '../event/types.ts';
import type { ConnectionOptions } from '../queue/connection.ts';
import type { PeerDescription } from '../source/source.ts';
import type { LatencyStats } from '../worker/latency-stats.ts';

export type { CaughtUp, Durability, Event, EventFilter, Gap, NewEvent, StreamItem } from '../event/types.ts';
export type { LatencyStats, PeerDescription };

export interface EngineOptions extends ConnectionOptions {
  /** Directories or files to watch; with source 'trace' not needed. */
  paths?: readonly string[];
  /** 'auto' (default) takes the first of ebpf, fanotify, inotify that works here. { trace: file } replays a recording. */
  source?:
    | 'auto'
    | 'ebpf'
    | 'fanotify'
    | 'inotify'
    | 'none'
    | { peer: true | string; producers?: number }
    | { trace: string; speed?: 'recorded' | 'maximum' };
  /** Directory of the journal; without one, events are kept in an unnamed temporary file that goes with the process. */
  journal?:
    | string
    | {
        directory: string;
        segmentLength?: number;
        /** Default true: a chain of SHA-256 digests beside the segments shows later that nothing was altered (verifyJournal). */
        seal?: boolean;
        /** File of an Ed25519 key (generateKey) that signs each seal. */
        signingKey?: string;
        /** File that the last seal's digest is written to, for keeping it elsewhere: with it, a journal that was cut short is told. */
        headFile?: string;
      };
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

export interface EngineStats {
  source: {
    kind: string;
    description: string;
    produced: bigint;
    dropped: Record<string, bigint>;
    filtered?: bigint;
    peers?: PeerDescription[];
  };
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
