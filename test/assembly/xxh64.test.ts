import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import { testArena } from '../support/arena.ts';
import '../support/seed.ts';
import { xxh64Plain } from '../support/xxh64.ts';

const { arena, wasm } = testArena([{ kind: ARENA_REGION_SCRATCH, length: 8192 }]);
const { address } = arena.region(ARENA_REGION_SCRATCH);

function hashOf(bytes: Uint8Array, seed: bigint, offset = 0): bigint {
  arena.bytes.set(bytes, address + offset);
  return BigInt.asUintN(64, wasm.xxh64(address + offset, bytes.length, seed));
}

// xxHash's own documentation and the examples of its bindings.
test.each([
  { text: '', seed: 0n, hash: 0xef46db3751d8e999n },
  { text: 'a', seed: 0n, hash: 0xd24ec4f1a98c6e5bn },
  { text: 'abc', seed: 0n, hash: 0x44bc2cf5ad770999n },
  { text: 'xxhash', seed: 0n, hash: 0x32dd38952c4bc720n },
  { text: 'xxhash', seed: 20141025n, hash: 0xb559b98d844e0635n },
  { text: 'Nobody inspects the spammish repetition', seed: 0n, hash: 0xfbcea83c8a378bf1n },
])('answers the published hash of "$text" with seed $seed', ({ text, seed, hash }) => {
  expect(xxh64Plain(Buffer.from(text), seed)).toBe(hash);
  expect(hashOf(Buffer.from(text), seed)).toBe(hash);
});

test('answers what the plain form does, for every length and alignment', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 700, size: 'max' }),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.nat(15),
      (bytes, seed, offset) => {
        expect(hashOf(bytes, seed, offset)).toBe(xxh64Plain(bytes, seed));
      },
    ),
  );
});

test('changes with every bit', () => {
  const bytes = new Uint8Array(100).fill(0x5a);
  const before = hashOf(bytes, 1n);
  for (let bit = 0; bit < 800; bit++) {
    bytes[bit >> 3] = 0x5a ^ (1 << (bit & 7));
    expect(hashOf(bytes, 1n)).not.toBe(before);
    bytes[bit >> 3] = 0x5a;
  }
});
