// Standard output: short writes, slow readers, readers that go away, full disks.

import { describe, expect, it } from 'vitest';
import { LineWriter } from '../../src/cli/output.ts';

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

describe('LineWriter', () => {
  it('writes what was pushed, in order, in few writes', async () => {
    const writes: string[] = [];
    const out = new LineWriter({
      write: async (_fd, bytes) => writes.push(Buffer.from(bytes).toString()) && bytes.length,
    });
    for (let index = 0; index < 1000; index++) out.push(`${index}\n`);
    await out.drained();
    expect(writes).toHaveLength(1);
    expect(writes.join('')).toBe(Array.from({ length: 1000 }, (_, index) => `${index}\n`).join(''));
  });

  it('goes on after short writes and EAGAIN', async () => {
    let text = '';
    let calls = 0;
    const out = new LineWriter({
      write: async (_fd, bytes, offset) => {
        if (++calls % 3 === 0) throw failure('EAGAIN');
        const part = bytes.subarray(offset, offset + 7);
        text += Buffer.from(part).toString();
        return part.length;
      },
    });
    out.push('a line that is longer than seven bytes, with Grüße\n');
    out.push('and another one\n');
    await out.drained();
    expect(text).toBe('a line that is longer than seven bytes, with Grüße\nand another one\n');
  });

  it('says that the reader is slow, and waits for it', async () => {
    let release = (): void => {};
    const out = new LineWriter({
      write: (_fd, bytes) => new Promise((resolve) => (release = () => resolve(bytes.length))),
    });
    out.push('first\n');
    await Promise.resolve();
    out.push('x'.repeat(2 << 20));
    expect(out.congested).toBe(true);
    const drained = out.drained();
    for (let turn = 0; turn < 4; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      release();
    }
    await drained;
    expect(out.congested).toBe(false);
  });

  it('is quiet when the reader has gone', async () => {
    const out = new LineWriter({ write: () => Promise.reject(failure('EPIPE')) });
    let closed = 0;
    out.onClosed = () => closed++;
    out.push('line\n');
    await out.drained();
    out.push('more\n');
    await out.drained();
    expect([closed, out.closed]).toEqual([1, true]);
  });

  it('fails where the disk is full', async () => {
    const out = new LineWriter({ write: () => Promise.reject(failure('ENOSPC')) });
    out.push('line\n');
    await expect(out.drained()).rejects.toMatchObject({
      code: 'SYSTEM_CALL_FAILED',
      message: expect.stringContaining('ENOSPC'),
    });
  });
});
