import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import * as layout from '../../../layout/kernel-record.ts';
import type { Arena } from '../../../src/arena/arena.ts';
import type { TreeView } from '../../../src/event/tree-view.ts';
import { attachFanotify, openFanotifyReader } from '../../../src/source/fanotify/index.ts';
import type { SourceOptions } from '../../../src/source/source.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { arenaForSource, eventOf, Harness, type Seen, sourceOptions } from '../source-harness.ts';

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

export const STRUCTURE = [4, 5, 6, 10, 11, 13, 14];
export const CHANGES = [
  ...STRUCTURE,
  layout.KERNEL_OP_FILE_WRITE,
  layout.KERNEL_OP_FILE_CHMOD,
  layout.KERNEL_OP_FILE_CHOWN,
];

export const told = (records: Seen[]) => records.map(({ type, name }) => `${type} ${path.basename(name)}`);

export function watching<Result>(harness: Harness, use: (harness: Harness) => Result): Result {
  try {
    return use(harness);
  } finally {
    harness.close();
  }
}

/** Applies what was told, and compares with what is there. */
export function expectIdentical(harness: Harness, view: TreeView): Seen[] {
  harness.barrier();
  const records = harness.records.splice(0);
  for (const record of records) view.apply(eventOf(record));
  expect(view.compare()).toEqual([]);
  return records;
}
