// The trace source's host: checks that the file is a trace, and makes ring and wake-up descriptor ready.

import fs from 'node:fs';
import path from 'node:path';
import { TRACE_PIDS_MAX } from '../../../layout/trace-replay.ts';
import type { Arena } from '../../arena/arena.ts';
import { EFD_CLOEXEC, EFD_NONBLOCK } from '../../arena/native.ts';
import { CausewayError } from '../../base/errors.ts';
import { prepareRing } from '../ring-writer.ts';
import type { SourceHost, SourceOptions } from '../source.ts';
import { readTraceHeader } from './chunk.ts';
import { TraceProgress } from './progress.ts';
import type { TraceDetails } from './reader.ts';

/**
 * options.paths is not looked at: the trace has what was recorded.
 * @throws CausewayError PATH_MISSING, PATH_DENIED, SYSTEM_CALL_FAILED, TRACE_CORRUPT; CONFIG_INVALID for more than TRACE_PIDS_MAX processes.
 */
export function attachTrace(
  arena: Arena,
  options: SourceOptions,
  choice: { trace: string; speed: 'recorded' | 'maximum' },
): SourceHost {
  const file = path.resolve(choice.trace);
  if (options.pids.length > TRACE_PIDS_MAX) {
    throw new CausewayError('CONFIG_INVALID', `too many pids: pids=${options.pids.length}, pidsMax=${TRACE_PIDS_MAX}`);
  }
  const { clockOffsetNs } = readTraceHeader(file);
  const ring = prepareRing(arena, options.ringCapacity);
  const progress = new TraceProgress();
  let wakeFd = arena.native?.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) ?? -1;
  const details: TraceDetails = {
    file,
    speed: choice.speed,
    clockOffsetNs,
    wakeFd,
    ops: [...options.ops],
    pids: [...options.pids],
    progress: progress.buffer,
  };
  return {
    kind: 'trace',
    description: `trace ${file}, ${choice.speed} speed`,
    plan: {
      kind: 'trace',
      ringAddress: ring.address,
      ringCapacity: ring.capacity,
      doubleMapped: false,
      lanesAddress: 0,
      details: { ...details },
    },
    // What was recorded was counted then; the file's own gaps come with it.
    counters: () => ({ produced: 0n, dropped: {} }),
    addPid: () => {},
    close: () => {
      if (wakeFd >= 0) fs.closeSync(wakeFd);
      wakeFd = -1;
    },
  };
}
