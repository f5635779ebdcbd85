import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll } from 'vitest';
import type { Arena } from '../../../src/arena/arena.ts';
import { attachFanotify, openFanotifyReader } from '../../../src/source/fanotify/index.ts';
import type { SourceOptions } from '../../../src/source/source.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { arenaForSource, Harness, sourceOptions } from '../source-harness.ts';

export interface FanotifyTestOptions extends Partial<SourceOptions> {
  log?: string[];
  /** Changes the arena that the reader gets: for faults. */
  wrap?: (arena: Arena) => Arena;
}

export function openFanotify(paths: string[], options: FanotifyTestOptions = {}): Harness {
  const { log = [], wrap = (arena: Arena) => arena, ...rest } = options;
  const source = sourceOptions({ paths, ...rest });
  const arena = arenaForSource(source.ringCapacity);
  const host = attachFanotify(arena, source);
  const reader = openFanotifyReader(wrap(arena), host.plan, { log: (line) => log.push(line) });
  return new Harness({ arena, host, reader });
}

/**
 * For all tests of a file: temporary directories lie on a file system of their own, or whatever else happens on the machine would be in the queue, too.
 * Answers a function that tells where it is mounted.
 */
export function onOwnFileSystem(): () => string {
  const before = process.env.CAUSEWAY_TEST_DIRECTORY;
  let mounted = '';
  beforeAll(() => {
    const directory = temporaryDirectory('fanotify');
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', 'causeway-test', directory]);
    if (status !== 0) throw new Error(`mount: ${stderr}`);
    mounted = directory;
    process.env.CAUSEWAY_TEST_DIRECTORY = directory;
  });
  afterAll(() => {
    if (before === undefined) delete process.env.CAUSEWAY_TEST_DIRECTORY;
    else process.env.CAUSEWAY_TEST_DIRECTORY = before;
    if (mounted !== '') spawnSync('umount', [mounted]);
  });
  return () => mounted;
}
