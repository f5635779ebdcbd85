// Turns what a tracker has found into kernel records. inotify tells neither process nor time, fanotify the process, but not always its name and user:
// what is not known is flagged, never invented.

import fs, { type Stats } from 'node:fs';
import {
  KERNEL_FLAG_DIRECTORY,
  KERNEL_FLAG_PATH_TRUNCATED,
  KERNEL_FLAG_PATH2_TRUNCATED,
  KERNEL_FLAG_PID_UNKNOWN,
  KERNEL_FLAG_TIME_ESTIMATED,
  KERNEL_OP_COUNT,
} from '../../../layout/kernel-record.ts';
import { PATH_LENGTH_MAX } from '../../../layout/limits.ts';
import { kernelRecord } from '../../event/kernel-record.ts';
import type { RingWriter } from '../ring-writer.ts';
import type { SharedCounters } from './shared-counters.ts';

export interface Report {
  op: number;
  variant: number;
  /** Byte strings. */
  path: string;
  path2?: string;
  isDirectory?: boolean;
  /** More KERNEL_FLAG_ bits. */
  flags?: number;
  argument?: bigint;
  /** What is known without asking; `stat` overrides it. */
  inode?: number;
  device?: number;
  mode?: number;
  stat?: Stats | undefined;
}

/** Who did it. */
export interface Actor {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  readonly comm: Uint8Array;
  /** KERNEL_FLAG_ bits that say what of this is not known. */
  readonly flags: number;
}

const NO_BYTES = new Uint8Array(0);

const NOBODY: Actor = { pid: 0, uid: 0, gid: 0, comm: NO_BYTES, flags: KERNEL_FLAG_PID_UNKNOWN };

export class Emitter {
  readonly #writer: RingWriter;
  readonly #counters: SharedCounters;
  readonly #wanted: boolean[];
  /** CLOCK_MONOTONIC of the last read. */
  timeNs = 0n;
  /** Who did what is reported now; undefined = not known. */
  actor: Actor | undefined;
  /** What is reported now is followed, but not told: somebody whom the user did not ask for did it. */
  isMuted = false;

  /** @param ops Numbers of KERNEL_OP_; empty = all. */
  constructor(writer: RingWriter, counters: SharedCounters, ops: readonly number[]) {
    this.#writer = writer;
    this.#counters = counters;
    this.#wanted = Array.from({ length: KERNEL_OP_COUNT }, (_, op) => ops.length === 0 || ops.includes(op));
  }

  wants(op: number): boolean {
    return this.#wanted[op] === true;
  }

  emit(report: Report): void {
    const { op, variant, stat } = report;
    if (!this.wants(op)) return;
    if (this.isMuted) {
      this.#counters.countFiltered(1);
      return;
    }
    const actor = this.actor ?? NOBODY;
    let flags = actor.flags | KERNEL_FLAG_TIME_ESTIMATED | (report.flags ?? 0);
    if (report.isDirectory) flags |= KERNEL_FLAG_DIRECTORY;
    if (report.path.length > PATH_LENGTH_MAX) flags |= KERNEL_FLAG_PATH_TRUNCATED;
    if ((report.path2?.length ?? 0) > PATH_LENGTH_MAX) flags |= KERNEL_FLAG_PATH2_TRUNCATED;
    const inode = stat?.ino ?? report.inode ?? 0;
    this.#writer.write(
      kernelRecord({
        op,
        variant,
        flags,
        timeNs: this.timeNs,
        // Counted before the record can be seen: a successor goes on behind every number that anybody may have seen.
        laneSequence: this.#counters.nextLaneSequence(),
        inode: Number.isSafeInteger(inode) ? BigInt(inode) : exactInode(report.path2 ?? report.path),
        device: BigInt(stat?.dev ?? report.device ?? 0),
        size: BigInt(stat?.size ?? 0),
        argument: report.argument ?? 0n,
        pid: actor.pid,
        uid: actor.uid,
        gid: actor.gid,
        comm: actor.comm,
        mode: stat?.mode ?? report.mode ?? 0,
        path: innermost(report.path),
        path2: report.path2 === undefined ? NO_BYTES : innermost(report.path2),
      }),
    );
  }
}

/** The end of a path that is too long, from a slash on. */
function innermost(path: string): Uint8Array {
  if (path.length <= PATH_LENGTH_MAX) return Buffer.from(path, 'latin1');
  const slash = path.indexOf('/', path.length - PATH_LENGTH_MAX);
  return Buffer.from(slash < 0 ? path.slice(-PATH_LENGTH_MAX) : path.slice(slash), 'latin1');
}

/** Some file systems use all 64 bits, which a double has no room for. */
function exactInode(path: string): bigint {
  try {
    return fs.lstatSync(Buffer.from(path, 'latin1'), { bigint: true }).ino;
  } catch {
    return 0n;
  }
}
