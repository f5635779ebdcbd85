// Engines in tests: opened on a temporary directory, closed when the test ends.

import { execFileSync } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import type { EngineOptions, Event, EventFilter, Gap, StreamItem } from '../../src/engine/types.ts';

export async function openEngine(options: EngineOptions): Promise<Engine> {
  const engine = await Engine.open(options);
  onTestFinished(() => engine.close());
  return engine;
}

export const isEvent = (item: StreamItem): item is Event => item.type !== 'gap' && item.type !== 'caughtUp';
export const isGap = (item: StreamItem): item is Gap => item.type === 'gap';

/** Everything that is in the journal from `since` to now. */
export async function readAll(engine: Engine, filter: EventFilter = {}): Promise<StreamItem[]> {
  await engine.sync();
  const items: StreamItem[] = [];
  for await (const item of engine.events({ since: 'start', ...filter })) {
    if (item.type === 'caughtUp') return items;
    items.push(item);
  }
  return items;
}

/** Runs a shell script in a directory and waits for it; its exit code is nobody's concern here. */
export function sh(script: string, cwd: string): void {
  try {
    execFileSync('sh', ['-c', script], { cwd, stdio: 'ignore' });
  } catch {
    // A script may fail on purpose.
  }
}
