import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { requires } from '../../support/capabilities.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { AT_FDCWD, type Call, compileCalls, describeRecord, perform, watch } from './harness.ts';

const O_RDONLY = 'i0';
const O_RDWR_CREAT = 'i66';

/** What the calls came to, without those of the dynamic loader. */
function trace(directory: string, calls: readonly Call[]): string[] {
  const { drain } = watch({ paths: [directory] });
  const { pid } = perform(program, directory, calls);
  const records = drain().filter((record) => record.pid === pid);
  return records.map((record) => describeRecord(record, directory)).filter((line) => !/ \/(etc|lib|usr)\//.test(line));
}

let program = '';

describe('the calls, one by one', requires('bpf', 'cc'), () => {
  beforeAll(() => {
    program = compileCalls();
  });

  it('create, write, read, close', () => {
    const directory = temporaryDirectory();
    expect(
      trace(directory, [
        ['openat', AT_FDCWD, 'sa', O_RDWR_CREAT, 'i0644'],
        ['write', 'v0', 'shello', 'i5'],
        ['pwrite64', 'v0', 'sworld', 'i5', 'i5'],
        ['pread64', 'v0', 'b20', 'i20', 'i0'],
        ['close', 'v0'],
        ['openat', AT_FDCWD, 'sa', O_RDONLY],
        ['read', 'v5', 'b4', 'i4'],
        ['close', 'v5'],
        ['openat', AT_FDCWD, 'sb', O_RDONLY],
      ]),
    ).toEqual([
      'file_create openat a',
      'file_write write a amount=5',
      'file_write pwrite64 a amount=5',
      'file_read pread64 a amount=10',
      'file_close close a',
      'file_open openat a',
      'file_read read a amount=4',
      'file_close close a',
      'file_open openat b error=2',
    ]);
    expect(fs.readFileSync(path.join(directory, 'a'), 'utf8')).toBe('helloworld');
  });
});
