// What goes into the journal and what comes out of it, as users see it. Code-free: the vocabulary of every layer above.

import type { EventTypeName } from './type-name.ts';

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
