import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { KERNEL_VARIANT_IO_URING } from '../../../layout/kernel-record.ts';
import { requires } from '../../support/capabilities.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { compileHelper, describeRecord, statOf, watch } from './harness.ts';

const hasUring = fs.existsSync('/proc/sys/kernel/io_uring_disabled')
  ? fs.readFileSync('/proc/sys/kernel/io_uring_disabled', 'utf8').trim() === '0'
  : true;

describe('io_uring', requires('bpf', 'cc'), () => {
  it.skipIf(!hasUring)('is seen as the operations that its requests are', (context) => {
    const directory = temporaryDirectory();
    const program = compileHelper('uring');
    const { drain } = watch({ paths: [directory] });
    const { pid, status, stdout } = spawnSync(program, [], { cwd: directory, encoding: 'utf8' });
    if (status === 2) context.skip('no io_uring here');
    expect(status).toBe(0);
    const results = stdout.trim().split('\n').map(Number);
    const records = drain().filter((record) => record.pid === pid && record.variant === KERNEL_VARIANT_IO_URING);
    expect(records.map((record) => describeRecord(record, directory))).toEqual([
      'file_create io_uring a',
      'file_write io_uring a amount=5',
      'sync io_uring a',
      'file_read io_uring a amount=3',
      'file_truncate io_uring a',
      'dir_create io_uring d',
      'file_rename io_uring a -> d/b',
      'hardlink_create io_uring d/b -> l',
      'symlink_create io_uring s -> to/where',
      'file_delete io_uring d/b',
      'dir_delete io_uring d',
      'file_open io_uring missing error=2',
      `file_delete io_uring ${'q'.repeat(255)} error=2`,
      // The name that it was opened by is gone, the file is not.
      'file_close io_uring d/b',
    ]);
    expect(records.map((record) => record.error)).toEqual(
      results.filter((result) => result !== -9).map((result) => Math.max(0, -result)),
    );
    expect(records[1]).toMatchObject(statOf(path.join(directory, 'l')));
    expect(Buffer.from(records[1]?.comm ?? []).toString()).toContain('uring');
  });
});
