import type { Arena } from '../../../src/arena/arena.ts';
import { attachInotify, openInotifyReader } from '../../../src/source/inotify/index.ts';
import type { SourceOptions } from '../../../src/source/source.ts';
import { arenaForSource, Harness, sourceOptions } from '../source-harness.ts';

export interface InotifyTestOptions extends Partial<SourceOptions> {
  log?: string[];
  /** Changes the arena that the reader gets: for faults. */
  wrap?: (arena: Arena) => Arena;
}

export function openInotify(paths: string[], options: InotifyTestOptions = {}): Harness {
  const { log = [], wrap = (arena: Arena) => arena, ...rest } = options;
  const source = sourceOptions({ paths, ...rest });
  const arena = arenaForSource(source.ringCapacity);
  const host = attachInotify(arena, source);
  const reader = openInotifyReader(wrap(arena), host.plan, { log: (line) => log.push(line) });
  return new Harness({ arena, host, reader });
}
