// The inotify source's host: makes ring and wake-up descriptor ready. The inotify descriptor itself is the reader's: a replacement opens its own.

import fs from 'node:fs';
import type { Arena } from '../../arena/arena.ts';
import { EFD_CLOEXEC, EFD_NONBLOCK, systemCallError } from '../../arena/native.ts';
import { CausewayError } from '../../base/errors.ts';
import { prepareRing } from '../ring-writer.ts';
import type { SourceHost, SourceOptions } from '../source.ts';
import { outermost } from '../tree/outermost.ts';
import { SharedCounters } from '../tree/shared-counters.ts';
import type { InotifyDetails } from './reader.ts';

/**
 * Needs no privileges. The ring lies in the arena's first ring region.
 * @throws CausewayError CAPABILITY_MISSING without koffi, or when only some processes are asked for: inotify does not know who did it.
 */
export function attachInotify(arena: Arena, options: SourceOptions): SourceHost {
  const { native } = arena;
  if (native === undefined) {
    throw new CausewayError('CAPABILITY_MISSING', 'inotify is read through koffi, which is not available here');
  }
  if (options.pids.length > 0) {
    throw new CausewayError(
      'CAPABILITY_MISSING',
      `inotify cannot tell processes apart: pids=${options.pids.join(',')}`,
      {
        hint: 'Use the ebpf source, as root, to filter by process.',
      },
    );
  }
  const ring = prepareRing(arena, options.ringCapacity);
  const counters = new SharedCounters();
  let wakeFd = native.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wakeFd < 0) throw systemCallError(native, 'eventfd', '');
  const roots = options.paths.map((path) => Buffer.from(path).toString('latin1'));
  const details: InotifyDetails = { wakeFd, roots, ops: [...options.ops], counters: counters.buffer };
  return {
    kind: 'inotify',
    description: `inotify, ${counted(outermost(roots).length)}, ring ${options.ringCapacity / 1024} KiB (the writer's pid is unknown)`,
    plan: {
      kind: 'inotify',
      ringAddress: ring.address,
      ringCapacity: ring.capacity,
      doubleMapped: false,
      lanesAddress: 0,
      details: { ...details },
    },
    counters: () => ({
      produced: counters.produced,
      dropped: { queueOverflow: counters.overflows, watchFailed: counters.failedWatches },
    }),
    // There is no filter by process to add to: everything below the roots is told.
    addPid: () => {},
    close: () => {
      if (wakeFd >= 0) fs.closeSync(wakeFd);
      wakeFd = -1;
    },
  };
}

function counted(roots: number): string {
  return roots === 1 ? '1 root' : `${roots} roots`;
}
