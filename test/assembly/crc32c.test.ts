import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import { testArena } from '../support/arena.ts';

const { arena, wasm } = testArena([{ kind: ARENA_REGION_SCRATCH, length: 8192 }]);
const { address } = arena.region(ARENA_REGION_SCRATCH);

function crc32c(bytes: Uint8Array, at = address): string {
  arena.bytes.set(bytes, at);
  return (wasm.crc32c(at, bytes.length) >>> 0).toString(16).padStart(8, '0');
}

test('gives the published values (RFC 3720 B.4)', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe('e3069283');
  expect(crc32c(new Uint8Array(32))).toBe('8a9136aa');
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe('62a8ab43');
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe('46dd794e');
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => 31 - i))).toBe('113fdb5c');
});

test('equals the plain form for any bytes at any alignment, whole or in two parts', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(15), fc.nat(300), (bytes, shift, cut) => {
      const at = address + shift;
      arena.bytes.set(bytes, at);
      const whole = wasm.crc32c(at, bytes.length);
      expect(whole).toBe(wasm.crc32cPlain(at, bytes.length));
      const first = Math.min(cut, bytes.length);
      expect(wasm.crc32cUpdate(wasm.crc32c(at, first), at + first, bytes.length - first)).toBe(whole);
    }),
  );
});

test('changes with every single bit', () => {
  const bytes = Uint8Array.from({ length: 61 }, (_, i) => i * 37);
  const seen = new Set([crc32c(bytes)]);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const mutated = bytes.slice();
    mutated[bit >> 3] = (mutated[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    seen.add(crc32c(mutated));
  }
  expect(seen.size).toBe(bytes.length * 8 + 1);
});
