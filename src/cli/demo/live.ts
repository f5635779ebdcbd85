// `causeway demo live`, which is `npm start`: watch, on a directory in which something happens.

import { mkdtempSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Context } from '../context.ts';
import { runWatch, type WatchOptions } from '../watch/watch.ts';
import { Workload } from './workload.ts';

export interface LiveOptions {
  seconds?: number;
  source: WatchOptions['source'];
  all?: boolean;
}

/** @returns the exit code of the watch. */
export async function runLive(options: LiveOptions, context: Context): Promise<number> {
  const directory = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'causeway-demo-')));
  const workload = new Workload();
  try {
    Workload.prepare(directory);
    const watch: WatchOptions = {
      source: options.source,
      speed: 'maximum',
      ...(options.all === true ? { all: true } : {}),
      ...(options.seconds === undefined ? {} : { seconds: options.seconds }),
      onReady: () => workload.start(directory),
    };
    return await runWatch([directory], watch, context);
  } finally {
    await workload.stop();
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}
