import fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  ARENA_ABI_VERSION_OFFSET,
  ARENA_LENGTH_OFFSET,
  ARENA_MAGIC_OFFSET,
  ARENA_REGION_SCRATCH,
} from '../../layout/arena.ts';
import { Arena } from '../../src/arena/arena.ts';
import { loadNative } from '../../src/arena/native.ts';

const create = (length = 8192) => Arena.create({ regions: [{ kind: ARENA_REGION_SCRATCH, length }] });

describe('Arena', () => {
  test('gives each region its own pages, in the order asked for', () => {
    const arena = Arena.create({
      regions: [
        { kind: 1, length: 1 },
        { kind: 1, number: 1, length: 4097 },
        { kind: 5, length: 4096 },
      ],
    });
    const [first, second, third] = arena.regions();
    expect(first).toMatchObject({ kind: 1, number: 0, address: 65536, length: 4096 });
    expect(second).toMatchObject({ kind: 1, number: 1, address: 69632, length: 8192 });
    expect(third).toMatchObject({ kind: 5, number: 0, address: 77824, length: 4096 });
    expect(arena.region(1, 1)).toEqual(second);
    expect(() => arena.region(9)).toThrow(/no region kind=9/);
  });

  test('is of fixed size: maximum is what is used', () => {
    const { memory, bytes } = create();
    expect(bytes.length % 65536).toBe(0);
    expect((memory.buffer as unknown) instanceof SharedArrayBuffer).toBe(true);
  });

  test('is refused by attach when magic, version or length differ, with both values', () => {
    expect(Arena.attach(create().memory).region(ARENA_REGION_SCRATCH).length).toBe(8192);
    for (const [offset, code] of [
      [ARENA_MAGIC_OFFSET, 'ARENA_CORRUPT'],
      [ARENA_ABI_VERSION_OFFSET, 'ARENA_INCOMPATIBLE'],
      [ARENA_LENGTH_OFFSET, 'ARENA_CORRUPT'],
    ] as const) {
      const arena = create();
      arena.view.setUint32(offset, 77, true);
      expect(() => Arena.attach(arena.memory)).toThrow(
        expect.objectContaining({ code, message: expect.stringContaining('77') }),
      );
    }
  });

  test('refuses more than 4 GiB and lengths that are none', () => {
    expect(() => create(2 ** 32)).toThrow(expect.objectContaining({ code: 'ARENA_FULL' }));
    for (const length of [0, -1, 1.5, Number.NaN]) expect(() => create(length)).toThrow(RangeError);
  });

  describe.skipIf(loadNative() === undefined)('where files can be mapped', () => {
    test('shares pages with a file both ways, and lets go of it', () => {
      const arena = create();
      const { address } = arena.region(ARENA_REGION_SCRATCH);
      const file = `/dev/shm/causeway-test-${process.pid}`;
      const fd = fs.openSync(file, 'wx+');
      try {
        fs.ftruncateSync(fd, 8192);
        arena.mapFile({ address, length: 8192, fd, writable: true });
        arena.bytes[address] = 42;
        expect(fs.readFileSync(file)[0]).toBe(42);
        fs.writeSync(fd, Buffer.of(99), 0, 1, 5000);
        expect(arena.bytes[address + 5000]).toBe(99);
        arena.release(address, 8192);
        expect(arena.bytes[address]).toBe(42);
        arena.unmap(address, 8192);
        expect(arena.bytes[address]).toBe(0);
        arena.bytes[address] = 7;
        expect(fs.readFileSync(file)[0]).toBe(42);
      } finally {
        fs.closeSync(fd);
        fs.unlinkSync(file);
      }
    });

    test('refuses to map what is not pages of its own', () => {
      const arena = create();
      const { address } = arena.region(ARENA_REGION_SCRATCH);
      for (const [at, length] of [
        [address + 1, 4096],
        [address, 100],
        [arena.bytes.length, 4096],
        [address, 2 ** 30],
      ] as const) {
        expect(() => arena.mapFile({ address: at, length, fd: 0, writable: false })).toThrow(RangeError);
      }
    });

    test('names the system call, errno and values when the kernel refuses', () => {
      const arena = create();
      const { address } = arena.region(ARENA_REGION_SCRATCH);
      expect(() => arena.mapFile({ address, length: 4096, fd: 9999, writable: true })).toThrow(/mmap: EBADF .*fd=9999/);
    });
  });
});
