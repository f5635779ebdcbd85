// Inserts contents of 256 bytes into a deduplication table: random bytes, stamped with their key at the begin, as they would come out of a ring.

import { dedupInsert, dedupInsertBatch } from "../../assembly/dedup";
import {
  DEDUP_DUPLICATE,
  DEDUP_ROW_ADDRESS_OFFSET,
  DEDUP_ROW_ANSWER_OFFSET,
  DEDUP_ROW_LENGTH,
  DEDUP_ROW_LENGTH_OFFSET,
  DEDUP_ROWS_MAX,
} from "../../layout/dedup";
import { xxh64 } from "../../assembly/xxh64";

// @ts-ignore: decorator
@inline
const CONTENT_LENGTH: u32 = 256;
// @ts-ignore: decorator
@inline
const ORDER: u32 = 0x9e3779b1;

/** Numbers of a power of two go over in another order: each once. */
// @ts-ignore: decorator
@inline
function keyOf(number: u32, keysMask: u32): u32 {
  return (number * ORDER) & keysMask;
}

/** `count` contents from `first` on, in batches; answers how many were duplicates. `contents`: DEDUP_ROWS_MAX contents, one behind the other. */
export function insertBatches(state: usize, rows: usize, contents: usize, first: u32, count: u32, keysMask: u32): u32 {
  let duplicates: u32 = 0;
  for (let done: u32 = 0; done < count; done += DEDUP_ROWS_MAX) {
    const batch = min<u32>(DEDUP_ROWS_MAX, count - done);
    for (let index: u32 = 0; index < batch; index++) {
      const content = contents + index * CONTENT_LENGTH;
      store<u32>(content, keyOf(first + done + index, keysMask));
      store<u32>(rows + index * DEDUP_ROW_LENGTH, content as u32, DEDUP_ROW_ADDRESS_OFFSET);
      store<u32>(rows + index * DEDUP_ROW_LENGTH, CONTENT_LENGTH, DEDUP_ROW_LENGTH_OFFSET);
    }
    dedupInsertBatch(state, rows, batch, 1);
    for (let index: u32 = 0; index < batch; index++) {
      duplicates += u32(load<i32>(rows + index * DEDUP_ROW_LENGTH, DEDUP_ROW_ANSWER_OFFSET) == DEDUP_DUPLICATE);
    }
  }
  return duplicates;
}

/** The same one by one. */
export function insertEach(state: usize, contents: usize, first: u32, count: u32, keysMask: u32): u32 {
  let duplicates: u32 = 0;
  for (let done: u32 = 0; done < count; done++) {
    const content = contents + (done & (DEDUP_ROWS_MAX - 1)) * CONTENT_LENGTH;
    store<u32>(content, keyOf(first + done, keysMask));
    duplicates += u32(dedupInsert(state, content, CONTENT_LENGTH, 1) == DEDUP_DUPLICATE);
  }
  return duplicates;
}

/** The hash alone. */
export function hashEach(contents: usize, first: u32, count: u32, keysMask: u32): u64 {
  let sum: u64 = 0;
  for (let done: u32 = 0; done < count; done++) {
    const content = contents + (done & (DEDUP_ROWS_MAX - 1)) * CONTENT_LENGTH;
    store<u32>(content, keyOf(first + done, keysMask));
    sum += xxh64(content, CONTENT_LENGTH, 1);
  }
  return sum;
}
