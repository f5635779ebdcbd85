// The trace source's host: checks that the file is a trace, and makes ring and wake-up descriptor ready.

import fs from 'node:fs';
import path from 'node:path';
import type { Arena } from '../../arena/arena.ts';
import { EFD_CLOEXEC, EFD_NONBLOCK } from '../../arena/native.ts';
import { prepareRing } from '../ring-writer.ts';
import type { SourceHost, SourceOptions } from '../source.ts';
import { FrameStream } from './frame-stream.ts';
import { TraceProgress } from './progress.ts';
import type { TraceDetails } from './reader.ts';

/**
 * options.paths is not looked at: the trace has what was recorded.
 * @throws CausewayError PATH_MISSING, PATH_DENIED, SYSTEM_CALL_FAILED, TRACE_CORRUPT.
 */
export function attachTrace(
  arena: Arena,
  options: SourceOptions,
  choice: { trace: string; speed: 'recorded' | 'maximum' },
): SourceHost {
  const file = path.resolve(choice.trace);
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

function readTraceHeader(file: string): { clockOffsetNs: bigint } {
  const frames = new FrameStream(file);
  frames.close();
  return frames.header;
}
