// The fanotify source's host: opens the group and marks the roots' file systems, so that a replacement of the reader finds the events that wait.

import fs from 'node:fs';
import type { Arena } from '../../arena/arena.ts';
import { EFD_CLOEXEC, EFD_NONBLOCK, type Native, systemCallError } from '../../arena/native.ts';
import { CausewayError } from '../../base/errors.ts';
import { prepareRing } from '../ring-writer.ts';
import type { SourceHost, SourceOptions } from '../source.ts';
import { lookAt } from '../tree/look.ts';
import { outermost } from '../tree/outermost.ts';
import { SharedCounters } from '../tree/shared-counters.ts';
import { markFilesystem, markReason, openGroup } from './group.ts';
import { Handles } from './handles.ts';
import { maskOf } from './mask.ts';
import type { FanotifyDetails } from './reader.ts';

/**
 * Needs CAP_SYS_ADMIN and Linux 5.17. The ring lies in the arena's first ring region.
 * @throws CausewayError CAPABILITY_MISSING with what the machine lacks, or when descendants of processes are asked for: fanotify does not tell forks.
 */
export function attachFanotify(arena: Arena, options: SourceOptions): SourceHost {
  const { native } = arena;
  if (native === undefined) {
    throw new CausewayError('CAPABILITY_MISSING', 'fanotify is read through koffi, which is not available here');
  }
  if (options.pids.length > 0 && options.followFork) {
    throw new CausewayError(
      'CAPABILITY_MISSING',
      'fanotify does not tell which processes others start: followFork=true',
      {
        hint: 'Use the ebpf source to follow descendants, or give the pids without them.',
      },
    );
  }
  const roots = options.paths.map((path) => Buffer.from(path).toString('latin1'));
  const groupFd = openGroup(native);
  const mask = maskOf(options.ops);
  try {
    const devices = markRoots(native, groupFd, roots, mask);
    const ring = prepareRing(arena, options.ringCapacity);
    const wakeFd = native.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wakeFd < 0) throw systemCallError(native, 'eventfd', '');
    const counters = new SharedCounters();
    const { ops, pids, includeSelf } = options;
    const details: FanotifyDetails = {
      ...{ groupFd, wakeFd, roots, mask, devices, includeSelf },
      ...{ ops: [...ops], pids: [...pids], counters: counters.buffer },
    };
    let isOpen = true;
    return {
      kind: 'fanotify',
      description: `fanotify, ${counted(outermost(roots).length, 'root')} on ${counted(devices.length, 'file system')}, ring ${options.ringCapacity / 1024} KiB`,
      plan: {
        kind: 'fanotify',
        ringAddress: ring.address,
        ringCapacity: ring.capacity,
        doubleMapped: false,
        lanesAddress: 0,
        details: { ...details },
      },
      counters: () => ({
        produced: counters.produced,
        dropped: {
          queueOverflow: counters.overflows,
          watchFailed: counters.failedWatches,
          malformed: counters.malformed,
        },
        filtered: counters.filtered,
      }),
      addPid: () => {
        throw new CausewayError('CAPABILITY_MISSING', 'fanotify: processes are chosen when the source is opened');
      },
      close: () => {
        if (!isOpen) return;
        isOpen = false;
        // With the group go its marks, and the events that wait.
        native.close(groupFd);
        fs.closeSync(wakeFd);
      },
    };
  } catch (error) {
    native.close(groupFd);
    throw error;
  }
}

/** Answers st_dev of the file systems that are marked now. */
function markRoots(native: Native, groupFd: number, roots: readonly string[], mask: number): number[] {
  const devices = new Set<number>();
  for (const root of roots) {
    const stat = lookAt(root);
    if (stat === undefined || devices.has(stat.dev)) continue;
    const errno = markFilesystem(native, groupFd, root, mask);
    if (errno !== 0) throw cannotMark(root, markReason(errno));
    if (!new Handles(native).learn(root, stat)) throw cannotMark(root, 'its file system has no file handles');
    devices.add(stat.dev);
  }
  return [...devices];
}

function cannotMark(root: string, reason: string): CausewayError {
  const path = Buffer.from(root, 'latin1').toString();
  return new CausewayError('CAPABILITY_MISSING', `fanotify cannot follow ${path}: ${reason}`, {
    hint: 'The source inotify works on any file system.',
  });
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
