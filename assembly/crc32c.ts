// CRC-32C (Castagnoli, reflected 0x82F63B78, initial and final inversion; RFC 3720 appendix B.4), sixteen bytes a step: sixteen tables of 256 words,
// table k holding the remainder of a byte that has k zero bytes behind it (Kounavis and Berry, "Novel Table Lookup-Based Algorithms for High-
// Performance CRC Generation", 2008). The tables are constant after crc32cInit and lie at a fixed place, so that each lookup is one load.

import { ARENA_CRC32C_TABLE_OFFSET } from "../layout/arena";
import { crcTablesInit, crcWord } from "./crc-table";

const POLYNOMIAL: u32 = 0x82f63b78;

// Each table's address, as the constant part of its loads.
const T0 = ARENA_CRC32C_TABLE_OFFSET + 0 * 1024;
const T1 = ARENA_CRC32C_TABLE_OFFSET + 1 * 1024;
const T2 = ARENA_CRC32C_TABLE_OFFSET + 2 * 1024;
const T3 = ARENA_CRC32C_TABLE_OFFSET + 3 * 1024;
const T4 = ARENA_CRC32C_TABLE_OFFSET + 4 * 1024;
const T5 = ARENA_CRC32C_TABLE_OFFSET + 5 * 1024;
const T6 = ARENA_CRC32C_TABLE_OFFSET + 6 * 1024;
const T7 = ARENA_CRC32C_TABLE_OFFSET + 7 * 1024;
const T8 = ARENA_CRC32C_TABLE_OFFSET + 8 * 1024;
const T9 = ARENA_CRC32C_TABLE_OFFSET + 9 * 1024;
const T10 = ARENA_CRC32C_TABLE_OFFSET + 10 * 1024;
const T11 = ARENA_CRC32C_TABLE_OFFSET + 11 * 1024;
const T12 = ARENA_CRC32C_TABLE_OFFSET + 12 * 1024;
const T13 = ARENA_CRC32C_TABLE_OFFSET + 13 * 1024;
const T14 = ARENA_CRC32C_TABLE_OFFSET + 14 * 1024;
const T15 = ARENA_CRC32C_TABLE_OFFSET + 15 * 1024;

/** Fills the tables. Once per arena, before any other thread has it; doing it again writes the same words. */
export function crc32cInit(): void {
  crcTablesInit(ARENA_CRC32C_TABLE_OFFSET, POLYNOMIAL, 16);
}

/** Checksum of `length` bytes at `address`. */
export function crc32c(address: usize, length: usize): u32 {
  return crc32cUpdate(0, address, length);
}

/** Goes on from the checksum of what came before. */
export function crc32cUpdate(previous: u32, address: usize, length: usize): u32 {
  let crc = ~previous;
  let at = address;
  const end = address + length;
  const endOfSteps = address + (length & ~15);
  while (at < endOfSteps) {
    const a = load<u32>(at) ^ crc;
    const b = load<u32>(at, 4);
    const c = load<u32>(at, 8);
    const d = load<u32>(at, 12);
    crc = crcWord(a, T15, T14, T13, T12) ^ crcWord(b, T11, T10, T9, T8) ^ crcWord(c, T7, T6, T5, T4) ^ crcWord(d, T3, T2, T1, T0);
    at += 16;
  }
  if (at + 8 <= end) {
    crc = crcWord(load<u32>(at) ^ crc, T7, T6, T5, T4) ^ crcWord(load<u32>(at, 4), T3, T2, T1, T0);
    at += 8;
  }
  if (at + 4 <= end) {
    crc = crcWord(load<u32>(at) ^ crc, T3, T2, T1, T0);
    at += 4;
  }
  while (at < end) {
    crc = load<u32>(((crc ^ load<u8>(at)) << 2) & 0x3fc, T0) ^ (crc >>> 8);
    at += 1;
  }
  return ~crc;
}

/** The plain form, a byte at a time without tables: the tests' reference. */
export function crc32cPlain(address: usize, length: usize): u32 {
  let crc: u32 = 0xffffffff;
  for (let at = address; at < address + length; at++) {
    crc ^= load<u8>(at);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  }
  return ~crc;
}
