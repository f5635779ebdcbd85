// Who holds an end, a slot or a record: a thread, named so that its end can be seen from any process (layout/arena.ts, ARENA_OWNER_).
//
// A thread is alive as long as /proc/TID is there with the start time in the token, and its state is neither Z (its leader ended, its parent has not
// asked yet) nor X. A stopped one (T) is alive: it may go on at any time. In doubt it is alive, because taking something from a living owner breaks
// what it holds, and leaving something to a dead one only keeps it taken: so it is off Linux, where /proc is missing or
// hides other users (hidepid) and signal 0 still finds the thread, and for what was never a token of ours. Start times are those of this time namespace.

import fs from 'node:fs';
import { threadId } from 'node:worker_threads';
import {
  ARENA_OWNER_EPOCH_BITS,
  ARENA_OWNER_START_BITS,
  ARENA_OWNER_START_SHIFT,
  ARENA_OWNER_TID_SHIFT,
} from '../../layout/arena.ts';

/** proc_pid_stat(5): numbers of the fields, counted from 1. */
const FIELD_STATE = 3;
const FIELD_START_TIME = 22;
/** Far longer than any stat line: 52 numbers and a name. */
const STAT_LENGTH_MAX = 4096;

const START_MASK = (1n << BigInt(ARENA_OWNER_START_BITS)) - 1n;
const EPOCH_MASK = (1 << ARENA_OWNER_EPOCH_BITS) - 1;

/** What an owner says of itself, and what became of it. */
export interface OwnerDescription {
  /** Id of the thread; the first thread of a process has the process's id. */
  tid: number;
  /** Its process, while it lives. */
  pid: number | undefined;
  /** Clock ticks from boot to its start. */
  startTicks: bigint;
  epoch: number;
  /** Name of the thread, while it lives. */
  comm: string | undefined;
  alive: boolean;
}

export type Ownership =
  /** It is ours now; `adoptedFrom` is the dead owner that it was taken from, 0n when it was free. */
  | { taken: true; adoptedFrom: bigint }
  /** A living owner has it. */
  | { taken: false; holder: bigint };

interface ThreadStat {
  comm: string;
  state: string;
  startTicks: bigint;
}

interface Words {
  readonly u64: BigUint64Array<SharedArrayBuffer>;
}

/** Times that somebody else may be faster at taking from the dead. */
const TAKE_ATTEMPTS_MAX = 16;

let thread: { tid: number; startTicks: bigint } | undefined;
let epoch = 0;
let statBuffer: Buffer | undefined;

/** A token for something that this thread takes. Never 0n; the epoch tells apart the last 256 that the thread has made. */
export function newOwner(): bigint {
  thread ??= thisThread();
  epoch = (epoch + 1) & EPOCH_MASK;
  return ownerOf(thread.tid, thread.startTicks, epoch);
}

/** The token with these parts. */
export function ownerOf(tid: number, startTicks: bigint, ownerEpoch: number): bigint {
  return (
    (BigInt(tid) << BigInt(ARENA_OWNER_TID_SHIFT)) |
    ((startTicks & START_MASK) << BigInt(ARENA_OWNER_START_SHIFT)) |
    BigInt(ownerEpoch & EPOCH_MASK)
  );
}

/** Whether the thread that made the token still runs. A few system calls: for slow paths. */
export function isOwnerAlive(token: bigint): boolean {
  const { tid, startTicks } = partsOf(token);
  if (process.platform !== 'linux' || tid === 0) return true;
  const stat = readStat(tid);
  if (stat === undefined) return isThereForKill(tid);
  return isSameThread(stat, startTicks);
}

/** For people: who that is. */
export function describeOwner(token: bigint): OwnerDescription {
  const parts = partsOf(token);
  const alive = isOwnerAlive(token);
  const stat = alive ? readStat(parts.tid) : undefined;
  return { ...parts, pid: stat && readTgid(parts.tid), comm: stat?.comm, alive };
}

/** Inode of this process's pid namespace, 0n where there is none: the tids of another one name other threads. */
export function pidNamespace(): bigint {
  try {
    return fs.statSync('/proc/self/ns/pid', { bigint: true }).ino;
  } catch {
    return 0n;
  }
}

/** Takes the owner word at `address` if it is free or its owner is dead. Who adopts something looks at what the dead one left there. */
export function takeOwnership(arena: Words, address: number, owner: bigint): Ownership {
  const index = address / 8;
  let holder = Atomics.compareExchange(arena.u64, index, 0n, owner);
  for (let attempt = 0; holder !== 0n; attempt++) {
    // A peer that writes dead owners in a loop would keep us here.
    if (attempt === TAKE_ATTEMPTS_MAX || isOwnerAlive(holder)) return { taken: false, holder };
    // 1. We and another thread find the same dead owner. 2. One of the two exchanges succeeds. 3. The other sees the new owner, who lives, or 0.
    const dead = holder;
    holder = Atomics.compareExchange(arena.u64, index, dead, owner);
    if (holder === dead) return { taken: true, adoptedFrom: dead };
    if (holder === 0n) holder = Atomics.compareExchange(arena.u64, index, 0n, owner);
  }
  return { taken: true, adoptedFrom: 0n };
}

/** Gives back what `owner` has; false when it has it no longer. */
export function giveOwnership(arena: Words, address: number, owner: bigint): boolean {
  return Atomics.compareExchange(arena.u64, address / 8, owner, 0n) === owner;
}

function partsOf(token: bigint): { tid: number; startTicks: bigint; epoch: number } {
  return {
    tid: Number(token >> BigInt(ARENA_OWNER_TID_SHIFT)),
    startTicks: (token >> BigInt(ARENA_OWNER_START_SHIFT)) & START_MASK,
    epoch: Number(token & BigInt(EPOCH_MASK)),
  };
}

function thisThread(): { tid: number; startTicks: bigint } {
  try {
    // Synchronous calls of fs run on the thread that makes them: "1200/task/1207".
    const tid = Number(fs.readlinkSync('/proc/thread-self').split('/').at(-1));
    const stat = readStat(tid);
    if (stat !== undefined) return { tid, startTicks: stat.startTicks };
  } catch {
    // No /proc.
  }
  return { tid: process.pid, startTicks: BigInt(threadId) };
}

function isSameThread(stat: ThreadStat, startTicks: bigint): boolean {
  return (stat.startTicks & START_MASK) === startTicks && stat.state !== 'Z' && stat.state !== 'X';
}

/** undefined: there is no such thread, or it cannot be seen. */
function readStat(tid: number): ThreadStat | undefined {
  statBuffer ??= Buffer.allocUnsafe(STAT_LENGTH_MAX);
  let fd: number;
  try {
    fd = fs.openSync(`/proc/${tid}/stat`, 'r');
  } catch {
    return undefined;
  }
  try {
    return parseStat(statBuffer.toString('latin1', 0, fs.readSync(fd, statBuffer, 0, STAT_LENGTH_MAX, 0)));
  } catch {
    // ESRCH: it ended after the open.
    return undefined;
  } finally {
    fs.closeSync(fd);
  }
}

/** The name is in parentheses and may itself hold blanks and parentheses: the fields behind it are counted from the last one. */
export function parseStat(line: string): ThreadStat | undefined {
  const nameEnd = line.lastIndexOf(')');
  const fields = line.slice(nameEnd + 2).split(' ');
  const state = fields[0];
  const startTicks = fields[FIELD_START_TIME - FIELD_STATE];
  if (nameEnd < 0 || !state || !/^\d+$/.test(startTicks ?? '')) return undefined;
  return { comm: line.slice(line.indexOf('(') + 1, nameEnd), state, startTicks: BigInt(startTicks ?? 0) };
}

/** A thread that /proc does not show may be hidden, not dead: signal 0 tells. */
function isThereForKill(tid: number): boolean {
  try {
    process.kill(tid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function readTgid(tid: number): number | undefined {
  try {
    const found = /^Tgid:\s*(\d+)$/m.exec(fs.readFileSync(`/proc/${tid}/status`, 'utf8'))?.[1];
    return found === undefined ? undefined : Number(found);
  } catch {
    return undefined;
  }
}
