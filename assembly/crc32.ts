// CRC-32 as the Linux kernel's crc32(0, data, length): reflected 0xEDB88320, initial value 0, no final inversion. With all ones before and an inversion
// behind it is zlib's. Eight bytes a step through eight tables, as assembly/crc32c.ts says; the tables are constant after crc32Init.

import { ARENA_CRC32_TABLE_OFFSET } from "../layout/arena";
import { crcTablesInit, crcWord } from "./crc-table";

const POLYNOMIAL: u32 = 0xedb88320;

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
  crcTablesInit(ARENA_CRC32_TABLE_OFFSET, POLYNOMIAL, 8);
}

/** The register after `length` more bytes. */
export function crc32Update(previous: u32, address: usize, length: usize): u32 {
  let crc = previous;
  let at = address;
  const end = address + length;
  const endOfSteps = address + (length & ~7);
  while (at < endOfSteps) {
    crc = crcWord(load<u32>(at) ^ crc, T7, T6, T5, T4) ^ crcWord(load<u32>(at, 4), T3, T2, T1, T0);
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
  return crcWord(previous, T3, T2, T1, T0);
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
