// CRC-32 as the Linux kernel's crc32(0, data, length): reflected 0xEDB88320, initial value 0, no final inversion. With all ones before and an inversion
// behind it is zlib's. Eight bytes a step through eight tables, as assembly/crc32c.ts says; the tables are constant after crc32Init.

import { ARENA_CRC32_TABLE_OFFSET } from "../layout/arena";

const POLYNOMIAL: u32 = 0xedb88320;
const TABLE_LENGTH = 1024;

// Each table's address, as the constant part of its loads.
const T0 = ARENA_CRC32_TABLE_OFFSET + 0 * 1024;
const T1 = ARENA_CRC32_TABLE_OFFSET + 1 * 1024;
const T2 = ARENA_CRC32_TABLE_OFFSET + 2 * 1024;
const T3 = ARENA_CRC32_TABLE_OFFSET + 3 * 1024;
const T4 = ARENA_CRC32_TABLE_OFFSET + 4 * 1024;
const T5 = ARENA_CRC32_TABLE_OFFSET + 5 * 1024;
const T6 = ARENA_CRC32_TABLE_OFFSET + 6 * 1024;
const T7 = ARENA_CRC32_TABLE_OFFSET + 7 * 1024;

/** Fills the tables. Doing it again writes the same words. */
export function crc32Init(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    store<u32>(ARENA_CRC32_TABLE_OFFSET + (byte << 2), crc);
  }
  for (let table: u32 = 1; table < 8; table++) {
    for (let byte: u32 = 0; byte < 256; byte++) {
      const at: usize = ARENA_CRC32_TABLE_OFFSET + table * TABLE_LENGTH + (byte << 2);
      const crc = load<u32>(at - TABLE_LENGTH);
      store<u32>(at, (crc >>> 8) ^ load<u32>((crc & 0xff) << 2, T0));
    }
  }
}

/** The register after `length` more bytes. */
export function crc32Update(previous: u32, address: usize, length: usize): u32 {
  let crc = previous;
  let at = address;
  const end = address + length;
  const endOfSteps = address + (length & ~7);
  while (at < endOfSteps) {
    crc = word(load<u32>(at) ^ crc, T7, T6, T5, T4) ^ word(load<u32>(at, 4), T3, T2, T1, T0);
    at += 8;
  }
  while (at < end) {
    crc = load<u32>(((crc ^ load<u8>(at)) << 2) & 0x3fc, T0) ^ (crc >>> 8);
    at += 1;
  }
  return crc;
}

/** The register after four bytes of 0. */
export function crc32Zeros(previous: u32): u32 {
  return word(previous, T3, T2, T1, T0);
}

/** The plain form, a bit at a time without tables: the tests' reference. */
export function crc32Plain(previous: u32, address: usize, length: usize): u32 {
  let crc = previous;
  for (let at = address; at < address + length; at++) {
    crc ^= load<u8>(at);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  }
  return crc;
}

/** Four bytes, each looked up in its own table. */
// @ts-ignore: decorator
@inline
function word(value: u32, low: u32, second: u32, third: u32, high: u32): u32 {
  return (
    load<u32>(((value << 2) & 0x3fc) + low) ^
    load<u32>(((value >>> 6) & 0x3fc) + second) ^
    load<u32>(((value >>> 14) & 0x3fc) + third) ^
    load<u32>(((value >>> 22) & 0x3fc) + high)
  );
}
