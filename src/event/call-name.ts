// Names for what an entry holds as numbers: the call that did it (KERNEL_VARIANT_), its notes (KERNEL_FLAG_), errno, and the causes of gaps.

import os from 'node:os';
import * as entry from '../../layout/entry.ts';
import * as record from '../../layout/kernel-record.ts';

const CALL_PREFIX = 'KERNEL_VARIANT_';

const callNames: readonly string[] = namesOfVariants();

/** 'openat' for KERNEL_VARIANT_OPENAT; undefined where the source does not know, or for a number that is no variant. */
export function callName(variant: number): string | undefined {
  return variant === record.KERNEL_VARIANT_UNKNOWN ? undefined : callNames[variant];
}

function namesOfVariants(): string[] {
  const names: string[] = [];
  for (const [name, value] of Object.entries(record)) {
    if (!name.startsWith(CALL_PREFIX) || name === 'KERNEL_VARIANT_COUNT') continue;
    names[value as number] = name.slice(CALL_PREFIX.length).toLowerCase();
  }
  return names;
}

// What a user can make something of; the other flags are how user space and kernel share the work.
const NOTES: readonly (readonly [flag: number, note: string])[] = [
  [record.KERNEL_FLAG_PATH_TRUNCATED, 'pathTruncated'],
  [record.KERNEL_FLAG_PATH2_TRUNCATED, 'path2Truncated'],
  [record.KERNEL_FLAG_PATH_DELETED, 'pathDeleted'],
  [record.KERNEL_FLAG_PATH_BY_NAME, 'pathByName'],
  [record.KERNEL_FLAG_PATH2_BY_NAME, 'path2ByName'],
  [record.KERNEL_FLAG_TIME_ESTIMATED, 'timeEstimated'],
  [record.KERNEL_FLAG_DIRECTORY, 'directory'],
  [record.KERNEL_FLAG_ACTOR_UNKNOWN, 'userUnknown'],
];

const notesByFlags = new Map<number, readonly string[] | undefined>();

/** The notes of a record's flags, one frozen array for each combination; undefined if there are none. */
export function notesOf(flags: number): readonly string[] | undefined {
  const known = flags & 0xffff;
  if (notesByFlags.has(known)) return notesByFlags.get(known);
  const notes = NOTES.filter(([flag]) => (known & flag) !== 0).map(([, note]) => note);
  const answer = notes.length === 0 ? undefined : Object.freeze(notes);
  notesByFlags.set(known, answer);
  return answer;
}

const errorNames = new Map<number, string>();
for (const [name, value] of Object.entries(os.constants.errno)) {
  // Two names for one number (EAGAIN, EWOULDBLOCK): the first one is the usual one.
  if (!errorNames.has(value)) errorNames.set(value, name);
}

/** 'ENOENT' for 2. */
export function errorName(errno: number): string {
  return errorNames.get(errno) ?? `errno ${errno}`;
}

const GAP_CAUSE_NAMES: Record<number, string> = {
  [entry.GAP_CAUSE_RING_FULL]: 'ringFull',
  [entry.GAP_CAUSE_TABLE_FULL]: 'tableFull',
  [entry.GAP_CAUSE_QUEUE_OVERFLOW]: 'queueOverflow',
  [entry.GAP_CAUSE_WATCH_FAILED]: 'watchFailed',
  [entry.GAP_CAUSE_MALFORMED]: 'malformed',
  [entry.GAP_CAUSE_WORKER_RESTART]: 'workerRestart',
  [entry.GAP_CAUSE_HOLE]: 'hole',
  [entry.GAP_CAUSE_SOURCE]: 'source',
  [entry.GAP_CAUSE_RETENTION]: 'retention',
  [entry.GAP_CAUSE_PEER_CORRUPT]: 'peerCorrupt',
};

/** 'ringFull' for GAP_CAUSE_RING_FULL. */
export function gapCauseName(cause: number): string {
  return GAP_CAUSE_NAMES[cause] ?? `cause ${cause}`;
}
