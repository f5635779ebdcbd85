// A race that the model of test/model found, made to happen by doing the steps of the slower side by hand.

import { expect, test } from 'vitest';
import { ARENA_REGION_DEDUP } from '../../layout/arena.ts';
import {
  DEDUP_ENTRY_HASH_OFFSET,
  DEDUP_ENTRY_HEADER_LENGTH,
  DEDUP_HEAD_OFFSET,
  DEDUP_SEED_OFFSET,
  DEDUP_SLOTS_OFFSET,
  DEDUP_SLOTS_PER_LINE,
  DEDUP_TABLE_OFFSET,
  DEDUP_TAG_SHIFT,
} from '../../layout/dedup.ts';
import { Arena } from '../../src/arena/arena.ts';
import { newOwner } from '../../src/arena/owner.ts';
import { instantiate } from '../../src/arena/wasm.ts';
import { Dedup, dedupRegion } from '../../src/queue/dedup.ts';

const LOG_LENGTH = 4096;
const CONTENT_LENGTH = 32;
const ENTRY_LENGTH = DEDUP_ENTRY_HEADER_LENGTH + CONTENT_LENGTH;

function contentOf(number: number): Buffer {
  const content = Buffer.alloc(CONTENT_LENGTH);
  content.writeUInt32LE(number);
  return content;
}

test('a content is no duplicate of the entry that its own sleeping writer has scribbled over', () => {
  const options = { contents: 64, logLength: LOG_LENGTH, contentLengthMax: CONTENT_LENGTH };
  const arena = Arena.create({ regions: [dedupRegion(options)], endpoints: true });
  const region = arena.region(ARENA_REGION_DEDUP);
  const dedup = Dedup.create(arena, region, options);
  const { address } = region;
  const log = address + DEDUP_TABLE_OFFSET + arena.view.getUint32(address + DEDUP_SLOTS_OFFSET, true) * 8;
  const indexOfHead = () => Number(arena.view.getBigUint64(address + DEDUP_HEAD_OFFSET, true) % BigInt(LOG_LENGTH));

  const [slept, newer] = twoWithOneSlot(arena, address);
  // The log's first place is taken together with what is left empty at its end: not by us.
  dedup.insert(contentOf(999_999));
  // The content of the sleeper: what it is about to write, and where.
  const index = indexOfHead();
  expect(dedup.insert(slept)).toBe(true);
  const entry = arena.bytes.subarray(log + index, log + index + ENTRY_LENGTH);
  const written = Buffer.from(entry);
  expect(written.subarray(DEDUP_ENTRY_HEADER_LENGTH)).toEqual(slept);
  // Meanwhile others fill the log once, and one inserts another content in the very place.
  for (let filler = 1; filler < 100 && indexOfHead() !== index; filler++) dedup.insert(contentOf(1_000_000 + filler));
  expect(indexOfHead()).toBe(index);
  expect(dedup.insert(newer)).toBe(true);
  expect(Buffer.from(entry.subarray(DEDUP_ENTRY_HEADER_LENGTH))).toEqual(newer);
  // The sleeper, having stored its position before, goes on with the rest of D3, and looks again (D1).
  entry.set(written.subarray(DEDUP_ENTRY_HASH_OFFSET), DEDUP_ENTRY_HASH_OFFSET);
  expect(dedup.insert(slept)).toBe(true);
});

/** Two contents with the same tag in the same line of slots. */
function twoWithOneSlot(arena: Arena, dedup: number): [Buffer, Buffer] {
  const wasm = instantiate(arena);
  const seed = arena.view.getBigUint64(dedup + DEDUP_SEED_OFFSET, true);
  const slots = arena.view.getUint32(dedup + DEDUP_SLOTS_OFFSET, true);
  const at = arena.takeEndpoint(newOwner()).address;
  const seen = new Map<string, Buffer>();
  for (let number = 0; ; number++) {
    const content = contentOf(number);
    arena.bytes.set(content, at);
    const hash = BigInt.asUintN(64, wasm.xxh64(at, CONTENT_LENGTH, seed));
    const line = (Number(hash & BigInt(slots - 1)) / DEDUP_SLOTS_PER_LINE) | 0;
    const key = `${hash >> BigInt(DEDUP_TAG_SHIFT)} ${line}`;
    const other = seen.get(key);
    if (other !== undefined) return [other, content];
    seen.set(key, content);
  }
}
