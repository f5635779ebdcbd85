// Who a pid is. fanotify tells the process that did something by its number; name and user are asked of /proc when the event is read, so they are what
// the process has become by then (exec gives it another name), and not to be had once it has ended.
//
// A pid is used again for another process. What is remembered is believed while the start time in /proc/PID/stat is the one that was remembered, asked
// once for each batch of events:
//   1. The process is there with that start time: it is the same one.
//   2. It is gone: the events are of the one that is remembered.
//   3. It is there with another start time: events of both may be in the batch. Nothing is said of them but the pid.
// A process that ends, and whose pid is taken by another one, between its first event and the reading of it, is not told from that other one.

import fs from 'node:fs';
import { KERNEL_FLAG_ACTOR_UNKNOWN, KERNEL_FLAG_PID_UNKNOWN } from '../../../layout/kernel-record.ts';
import type { Actor } from '../tree/emitter.ts';

const PROCESSES_MAX = 4096;
/** proc(5): the start time is field 22 of stat; the name, which may hold anything, ends with the last parenthesis. */
const FIELDS_FROM_STATE_TO_START = 19;
const NO_BYTES = new Uint8Array(0);
const UNKNOWN: Actor = { pid: 0, uid: 0, gid: 0, comm: NO_BYTES, flags: KERNEL_FLAG_PID_UNKNOWN };

interface Known {
  startTime: string;
  actor: Actor;
  /** Batch in which it was asked for last. */
  batch: number;
}

export class Processes {
  /** In the order of their first use. */
  readonly #known = new Map<number, Known>();
  #batch = 0;

  /** Events of a new read(2) follow: what is remembered must be checked again. */
  beginBatch(): void {
    this.#batch += 1;
  }

  actorOf(pid: number): Actor {
    if (pid === 0) return UNKNOWN;
    const known = this.#known.get(pid);
    if (known === undefined) return this.#remember(pid, this.#ask(pid));
    if (known.batch === this.#batch) return known.actor;
    const now = readStat(pid);
    known.batch = this.#batch;
    if (now === undefined) return known.actor;
    if (now.startTime === known.startTime) {
      // Another name: it has executed another program.
      if (!now.comm.equals(known.actor.comm)) known.actor = { ...known.actor, ...userOf(pid), comm: now.comm };
      return known.actor;
    }
    const doubtful: Known = { startTime: now.startTime, actor: nameless(pid), batch: this.#batch };
    this.#known.set(pid, doubtful);
    return doubtful.actor;
  }

  #ask(pid: number): Known {
    const before = readStat(pid);
    const user = before === undefined ? undefined : userOf(pid);
    if (before === undefined || user === undefined) return { startTime: '', actor: nameless(pid), batch: this.#batch };
    return { startTime: before.startTime, actor: { pid, ...user, comm: before.comm, flags: 0 }, batch: this.#batch };
  }

  #remember(pid: number, known: Known): Actor {
    if (this.#known.size >= PROCESSES_MAX) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    this.#known.set(pid, known);
    return known.actor;
  }
}

function nameless(pid: number): Actor {
  return { pid, uid: 0, gid: 0, comm: NO_BYTES, flags: KERNEL_FLAG_ACTOR_UNKNOWN };
}

function readStat(pid: number): { startTime: string; comm: Buffer } | undefined {
  const bytes = read(`/proc/${pid}/stat`);
  if (bytes === undefined) return undefined;
  const open = bytes.indexOf('(');
  const close = bytes.lastIndexOf(')');
  if (open < 0 || close < open) return undefined;
  const startTime = bytes.toString('latin1', close + 2).split(' ')[FIELDS_FROM_STATE_TO_START];
  // A copy: the file's buffer is larger.
  return startTime === undefined ? undefined : { startTime, comm: Buffer.from(bytes.subarray(open + 1, close)) };
}

/** The real user and group, as the eBPF source has them. */
function userOf(pid: number): { uid: number; gid: number } | undefined {
  const text = read(`/proc/${pid}/status`)?.toString('latin1');
  const [uid, gid] = [/^Uid:\s+(\d+)/m, /^Gid:\s+(\d+)/m].map((line) => line.exec(text ?? '')?.[1]);
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

/** undefined: it has ended. */
function read(file: string): Buffer | undefined {
  try {
    return fs.readFileSync(file);
  } catch {
    return undefined;
  }
}
