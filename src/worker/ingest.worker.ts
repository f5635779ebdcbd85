// The ingest worker: one thread that drains the source's ring into the journal.

import fs from 'node:fs';
import os from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { Arena } from '../arena/arena.ts';
import { clockOffsetNs } from '../arena/native.ts';
import { instantiate } from '../arena/wasm.ts';
import { openSourceReader } from '../source/open-reader.ts';
import { PathResolver } from '../source/path-resolver.ts';
import type { IngestData } from './control.ts';
import { exposeControl } from './endpoint.ts';
import { IngestAgent } from './ingest-agent.ts';
import { IngestLoop } from './ingest-loop.ts';
import { LatencyRecorder } from './latency.ts';

/** Nice value of this thread, where it may have one below 0. */
const PRIORITY = -15;

/**
 * This thread before those that it watches: a storm on all cores would otherwise keep it from draining what the storm fills (measured: with four busy
 * processes on two cores, a ring of 8 MiB overflowed without, and not with it). Only root may; others go on as they are.
 */
function raisePriority(): void {
  try {
    const thread = Number(fs.readlinkSync('/proc/thread-self').split('/').at(-1));
    os.setPriority(thread, PRIORITY);
  } catch {
    // Not allowed, or not Linux: only slower under load, and losses are counted either way.
  }
}

raisePriority();
const data = workerData as IngestData;
const arena = Arena.attach(data.memory);
const wasm = instantiate(arena);
const reader = await openSourceReader(arena, data.source);
const latency = new LatencyRecorder(arena);
const recordedOffset = data.source.details.clockOffsetNs;
const agent = new IngestAgent({
  arena,
  wasm,
  plan: data.source,
  reader,
  settler: new PathResolver(data.roots),
  latency,
  clockOffsetNs: typeof recordedOffset === 'bigint' ? recordedOffset : clockOffsetNs(),
});
const loop = new IngestLoop({
  arena,
  wasm,
  data,
  reader,
  agent,
  latency,
  onFailure: (error) => {
    // Thrown outside of any promise: it ends the thread, and the supervisor learns why.
    setImmediate(() => {
      throw error;
    });
  },
});
if (parentPort !== null) exposeControl(loop, parentPort);
