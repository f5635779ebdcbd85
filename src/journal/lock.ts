// One writer at a time. The file `lock` in the journal's directory holds who it is: {"pid", "startTime", "command"}.
//
// With libc: flock(2) on that file; the kernel frees it when the process ends, however it ends. Without: the file's existence is the lock, and one
// whose process is gone (pid and start time from /proc, because pids are reused) is stale and taken over. Both look at both, so the two kinds
// exclude each other too. A holder that leaves empties the file.

import fs from 'node:fs';
import path from 'node:path';
import { LOCK_EXCLUSIVE, LOCK_NON_BLOCKING, type Native } from '../arena/native.ts';
import { CausewayError } from '../base/errors.ts';

export interface LockHolder {
  pid: number;
  /** Clock ticks between boot and the process's start: with the pid, unique as long as the machine runs. */
  startTime: string;
  command: string;
}

export interface JournalLock {
  /** Idempotent. */
  release(): void;
}

const LOCK_NAME = 'lock';
const COMMAND_LENGTH_MAX = 200;
const LOCK_LENGTH_MAX = 4096;
/** Turns of taking a stale lock over while others do the same. */
const TAKE_ATTEMPTS_MAX = 16;

/** @throws CausewayError JOURNAL_BUSY with the holder's pid and command. */
export function acquireLock(directory: string, native: Native | undefined): JournalLock {
  const file = path.join(directory, LOCK_NAME);
  return native === undefined ? acquireByExistence(file, directory) : acquireByFlock(file, directory, native);
}

/** Who holds the journal now; undefined if nobody does. */
export function lockHolder(directory: string): LockHolder | undefined {
  const holder = readHolder(path.join(directory, LOCK_NAME));
  return holder !== undefined && isAlive(holder) ? holder : undefined;
}

function acquireByFlock(file: string, directory: string, native: Native): JournalLock {
  const fd = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
  const locked = native.flock(fd, LOCK_EXCLUSIVE | LOCK_NON_BLOCKING) === 0;
  const holder = readHolder(file);
  if (!locked || (holder !== undefined && isAlive(holder))) {
    fs.closeSync(fd);
    throw busy(directory, holder);
  }
  fs.ftruncateSync(fd, 0);
  fs.writeSync(fd, JSON.stringify(ownHolder()), 0);
  let held = true;
  return {
    release: () => {
      if (!held) return;
      held = false;
      fs.ftruncateSync(fd, 0);
      fs.closeSync(fd);
    },
  };
}

function acquireByExistence(file: string, directory: string): JournalLock {
  // Linked into place with its content: nobody ever sees a lock that does not say whose it is.
  const own = `${file}.${process.pid}`;
  fs.writeFileSync(own, JSON.stringify(ownHolder()), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < TAKE_ATTEMPTS_MAX; attempt++) {
      if (linked(own, file)) return existenceLock(file);
      const holder = readHolder(file);
      if (holder !== undefined && isAlive(holder)) throw busy(directory, holder);
      takeAway(file, holder);
    }
    throw busy(directory, readHolder(file));
  } finally {
    fs.rmSync(own, { force: true });
  }
}

function linked(own: string, file: string): boolean {
  try {
    fs.linkSync(own, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a stale lock, and only that one: another process may have put its own in its place since we looked. */
function takeAway(file: string, stale: LockHolder | undefined): void {
  const aside = `${file}.${process.pid}.stale`;
  try {
    fs.renameSync(file, aside);
    const taken = readHolder(aside);
    if (taken !== undefined && isAlive(taken) && taken.pid !== stale?.pid) linked(aside, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  } finally {
    fs.rmSync(aside, { force: true });
  }
}

function existenceLock(file: string): JournalLock {
  let held = true;
  return {
    release: () => {
      if (held) fs.rmSync(file, { force: true });
      held = false;
    },
  };
}

function ownHolder(): LockHolder {
  return {
    pid: process.pid,
    startTime: startTimeOf(process.pid) ?? '',
    command: [process.argv0, ...process.argv.slice(1)].join(' ').slice(0, COMMAND_LENGTH_MAX),
  };
}

function isAlive(holder: LockHolder): boolean {
  return startTimeOf(holder.pid) === holder.startTime;
}

/** Field 22 of /proc/PID/stat; undefined when there is no such process. */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the command in parentheses and may hold anything, parentheses and spaces included.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function readHolder(file: string): LockHolder | undefined {
  try {
    const text = fs.readFileSync(file, 'utf8').slice(0, LOCK_LENGTH_MAX);
    const { pid, startTime, command } = JSON.parse(text) as Partial<LockHolder>;
    if (!Number.isSafeInteger(pid) || typeof startTime !== 'string') return undefined;
    return { pid: pid as number, startTime, command: String(command ?? '') };
  } catch {
    // Missing, empty, or cut off while it was written.
    return undefined;
  }
}

function busy(directory: string, holder: LockHolder | undefined): CausewayError {
  const who = holder === undefined ? 'another process' : `pid ${holder.pid} (${printable(holder.command)})`;
  return new CausewayError('JOURNAL_BUSY', `journal ${directory} is written by ${who}`, {
    hint: 'Stop that process, or use another directory. Reading (causeway log) needs no lock.',
  });
}

/** The file is not ours alone: nothing in it reaches a terminal unfiltered. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, COMMAND_LENGTH_MAX);
}
