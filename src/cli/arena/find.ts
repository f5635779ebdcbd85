// The arenas that live processes share, as far as this user may see them: memfds by what /proc shows of descriptors, files by looking into /dev/shm.

import fs from 'node:fs';
import path from 'node:path';
import { ARENA_CREATOR_OFFSET, ARENA_MAGIC, ARENA_MAGIC_OFFSET } from '../../../layout/arena.ts';
import { describeOwner } from '../../arena/owner.ts';
import { CausewayError } from '../../base/errors.ts';

const SHARED_MEMORY = '/dev/shm';
/** How a memfd of ours is called in /proc (src/arena/shared-file.ts). */
const MEMFD_NAME = '/memfd:causeway-arena';
/** The header up to the creator. */
const HEAD_LENGTH = ARENA_CREATOR_OFFSET + 8;

export const LIST_HINT = 'causeway arena lists those that there are.';

export interface FoundArena {
  /** What Arena.open takes. */
  handle: string;
  /** Processes that have it open, as far as they can be seen. */
  pids: number[];
}

interface Descriptor {
  pid: number;
  file: string;
  isMemfd: boolean;
  /** Device and inode. */
  key: string;
}

/** One for each file, however many processes have it open. */
export function findArenas(): FoundArena[] {
  const descriptors = processes().flatMap(descriptorsOf);
  const named = namedArenas();
  const openOf = (key: string): Descriptor[] => descriptors.filter((one) => one.key === key);
  const memfds = new Set(descriptors.filter(({ isMemfd }) => isMemfd).map(({ key }) => key));
  return [
    ...[...memfds].map((key) => ({ handle: handleOf(openOf(key)), pids: pidsOf(openOf(key)) })),
    ...[...named].map(([key, handle]) => ({ handle, pids: pidsOf(openOf(key)) })),
  ];
}

/**
 * What the user means: a path, or a process that shares one arena.
 * @throws CausewayError PATH_MISSING, CONFIG_INVALID when the process has several.
 */
export function resolveArena(target: string): string {
  if (!/^\d+$/.test(target)) return target;
  const handles = findArenas().filter(({ pids }) => pids.includes(Number(target)));
  const [only] = handles;
  if (only === undefined) {
    throw new CausewayError('PATH_MISSING', `process ${target} shares no arena that this user can see`, {
      hint: LIST_HINT,
    });
  }
  if (handles.length === 1) return only.handle;
  throw new CausewayError(
    'CONFIG_INVALID',
    `process ${target} has several arenas: ${handles.map(({ handle }) => handle).join(', ')}`,
    { hint: 'Name one of them.' },
  );
}

function processes(): number[] {
  return namesIn('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Of this process: memfds of ours, and files in /dev/shm, whatever they are. */
function descriptorsOf(pid: number): Descriptor[] {
  return namesIn(`/proc/${pid}/fd`).flatMap((name) => {
    const file = `/proc/${pid}/fd/${name}`;
    try {
      const target = fs.readlinkSync(file);
      const isMemfd = target.startsWith(MEMFD_NAME);
      if (!isMemfd && !target.startsWith(`${SHARED_MEMORY}/`)) return [];
      return [{ pid, file, isMemfd, key: keyOf(fs.statSync(file, { bigint: true })) }];
    } catch {
      // It ended, or closed it, meanwhile.
      return [];
    }
  });
}

function namedArenas(): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of namesIn(SHARED_MEMORY)) {
    const file = path.join(SHARED_MEMORY, name);
    const { head, key } = readHead(file) ?? {};
    if (key !== undefined && head?.readUInt32LE(ARENA_MAGIC_OFFSET) === ARENA_MAGIC) found.set(key, file);
  }
  return found;
}

/** Rather the creator's descriptor than that of somebody who may go first. */
function handleOf(open: readonly Descriptor[]): string {
  const [first] = open;
  if (first === undefined) return '';
  const creator = readHead(first.file)?.head.readBigUInt64LE(ARENA_CREATOR_OFFSET) ?? 0n;
  const { pid } = describeOwner(creator);
  return (open.find((one) => one.pid === pid) ?? first).file;
}

function readHead(file: string): { head: Buffer; key: string } | undefined {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  const isLink = file.startsWith('/proc/');
  let fd: number;
  try {
    fd = fs.openSync(file, O_RDONLY | O_NONBLOCK | (isLink ? 0 : O_NOFOLLOW));
  } catch {
    return undefined;
  }
  try {
    const head = Buffer.alloc(HEAD_LENGTH);
    const length = fs.readSync(fd, head, 0, HEAD_LENGTH, 0);
    return length === HEAD_LENGTH ? { head, key: keyOf(fs.fstatSync(fd, { bigint: true })) } : undefined;
  } catch {
    return undefined;
  } finally {
    fs.closeSync(fd);
  }
}

function pidsOf(open: readonly Descriptor[]): number[] {
  return [...new Set(open.map(({ pid }) => pid))].sort((a, b) => a - b);
}

function keyOf({ dev, ino }: fs.BigIntStats): string {
  return `${dev}:${ino}`;
}

function namesIn(directory: string): string[] {
  try {
    return fs.readdirSync(directory);
  } catch {
    return [];
  }
}
