import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import {
  SHA256_BLOCK_LENGTH,
  SHA256_DIGEST_LENGTH,
  SHA256_LANES,
  SHA256_ROW_ADDRESS_OFFSET,
  SHA256_ROW_LENGTH,
  SHA256_ROW_LENGTH_OFFSET,
  SHA256_SCRATCH_LENGTH,
} from '../../layout/sha256.ts';
import { testArena } from '../support/arena.ts';

const ROWS_MAX = 512;
const MESSAGES_LENGTH = 1 << 21;

const { arena, wasm } = testArena([{ kind: ARENA_REGION_SCRATCH, length: MESSAGES_LENGTH + 65_536 }]);
const scratch = arena.region(ARENA_REGION_SCRATCH).address;
const rows = scratch + 4096;
const out = rows + ROWS_MAX * SHA256_ROW_LENGTH;
const messages = scratch + 65_536;
const words = new DataView(arena.memory.buffer);

type Digest = (bytes: Uint8Array) => string;

/** The plain form. */
function plain(bytes: Uint8Array, at = messages): string {
  arena.bytes.set(bytes, at);
  soilScratch();
  wasm.sha256(at, bytes.length, out, scratch);
  return digestAt(0);
}

/** In the lane of that number, with messages of other lengths in the others. */
function inLane(lane: number, bytes: Uint8Array): string {
  const group: Uint8Array[] = Array.from({ length: SHA256_LANES }, (_, other) =>
    new Uint8Array((other + 1) * 50).fill(other),
  );
  group[lane] = bytes;
  return batch(group)[lane] as string;
}

/** Every message directly behind the one before, at whatever address that is. */
function batch(list: readonly Uint8Array[]): string[] {
  let at = messages;
  list.forEach((bytes, index) => {
    arena.bytes.set(bytes, at);
    setRow(index, at, bytes.length);
    at += bytes.length;
  });
  soilScratch();
  wasm.sha256Batch(rows, list.length, out, scratch);
  return list.map((_, index) => digestAt(index));
}

function setRow(index: number, address: number, length: number): void {
  const row = rows + index * SHA256_ROW_LENGTH;
  words.setUint32(row + SHA256_ROW_ADDRESS_OFFSET, address, true);
  words.setUint32(row + SHA256_ROW_LENGTH_OFFSET, length, true);
}

/** Nothing that was there before may matter. */
function soilScratch(): void {
  arena.bytes.fill(0xa5, scratch, scratch + SHA256_SCRATCH_LENGTH);
}

function digestAt(index: number): string {
  const at = out + index * SHA256_DIGEST_LENGTH;
  return Buffer.from(arena.slice(at, SHA256_DIGEST_LENGTH)).toString('hex');
}

function sha256OfNode(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function pattern(length: number, step = 37): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index * step + (index >> 8));
}

const FORMS: [string, Digest][] = [
  ['the plain form', plain],
  ['the first lane', (bytes) => inLane(0, bytes)],
  ['the second lane', (bytes) => inLane(1, bytes)],
  ['the third lane', (bytes) => inLane(2, bytes)],
  ['the fourth lane', (bytes) => inLane(3, bytes)],
];

// FIPS 180-2, appendix B, and the examples that NIST gives with FIPS 180-4.
const VECTORS: [string, string][] = [
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  ],
  [
    'abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu',
    'cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1',
  ],
  ['a'.repeat(1_000_000), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
];

describe.each(FORMS)('SHA-256, %s', (_, digest) => {
  it.each(VECTORS.map(([text, expected]) => [text.slice(0, 20), text.length, text, expected] as const))(
    "gives the published value of '%s' (%i bytes)",
    (_start, _length, text, expected) => expect(digest(Buffer.from(text))).toBe(expected),
  );

  it('gives what node:crypto gives, for every length around the ends of blocks', () => {
    for (let length = 0; length <= 300; length++) {
      expect([length, digest(pattern(length))]).toEqual([length, sha256OfNode(pattern(length))]);
    }
    const bytes = pattern(65_536);
    expect(digest(bytes)).toBe(sha256OfNode(bytes));
  });

  it('changes with every single bit', () => {
    const bytes = pattern(120);
    const seen = new Set([digest(bytes)]);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const mutated = bytes.slice();
      mutated[bit >> 3] = (mutated[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      seen.add(digest(mutated));
    }
    expect(seen.size).toBe(bytes.length * 8 + 1);
  });
});

describe('a batch', () => {
  const message = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.nat(5000).map((length) => pattern(length, length | 1)),
    fc.constantFrom(0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 65_536).map((length) => pattern(length)),
  );

  it('of any lengths gives what node:crypto gives for each', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 24 }), (list) => {
        expect(batch(list)).toEqual(list.map(sha256OfNode));
      }),
    );
  });

  it('gives what the plain form gives, wherever the messages lie and in whatever order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(4096), fc.nat(700)), { minLength: 1, maxLength: 40 }), (places) => {
        arena.bytes.set(pattern(8192), messages);
        places.forEach(([at, length], index) => {
          setRow(index, messages + at, length);
        });
        wasm.sha256Batch(rows, places.length, out, scratch);
        const digests = places.map((_, index) => digestAt(index));
        const expected = places.map(([at, length]) => {
          wasm.sha256(messages + at, length, out, scratch);
          return digestAt(0);
        });
        expect(digests).toEqual(expected);
      }),
    );
  });

  it('of a long message and many short ones ends with the long one alone', () => {
    const list = [pattern(100_000), ...Array.from({ length: 40 }, (_, index) => pattern(index * 3))];
    expect(batch(list)).toEqual(list.map(sha256OfNode));
    expect(batch(list.reverse())).toEqual(list.map(sha256OfNode));
  });

  it('writes its digests and its scratch, and nothing else', () => {
    const list = Array.from({ length: 7 }, (_, index) => pattern(index * SHA256_BLOCK_LENGTH + index));
    batch(list);
    const end = arena.region(ARENA_REGION_SCRATCH).length + scratch;
    const before = arena.bytes.slice(scratch, end);
    soilScratch();
    wasm.sha256Batch(rows, list.length, out, scratch);
    const digestsEnd = out + list.length * SHA256_DIGEST_LENGTH;
    for (let at = scratch + SHA256_SCRATCH_LENGTH; at < end; at++) {
      if (at >= out && at < digestsEnd) continue;
      if (arena.bytes[at] !== before[at - scratch]) throw new Error(`written at ${at - scratch}`);
    }
    arena.bytes.fill(0x5a, out, out + 64);
    wasm.sha256Batch(rows, 0, out, scratch);
    expect(digestAt(0)).toBe('5a'.repeat(32));
  });

  it('reads up to the last byte of memory, and not beyond', () => {
    const end = arena.bytes.length;
    for (const length of [1, 55, 64, 100]) {
      const bytes = pattern(length);
      for (let row = 0; row < 3; row++) setRow(row, end - length, length);
      arena.bytes.set(bytes, end - length);
      wasm.sha256Batch(rows, 3, out, scratch);
      expect([digestAt(0), digestAt(1), digestAt(2)]).toEqual(Array(3).fill(sha256OfNode(bytes)));
    }
  });

  it('is what it was', () => {
    const digests = batch(Array.from({ length: 300 }, (_, length) => pattern(length)));
    expect(sha256OfNode(Buffer.from(digests.join('')))).toBe(
      'edba85cd76ff3a899941f7eb5cc39dda9936256585aac0ee47e1850890338d61',
    );
  });
});
