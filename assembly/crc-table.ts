// What both checksums have in common: tables of 256 words for one reflected polynomial, table k holding the remainder of a byte that has k zero bytes behind it.

// @ts-ignore: decorator
@inline
const TABLE_LENGTH: u32 = 1024;

/** Fills `tables` tables at `first`. Doing it again writes the same words. */
export function crcTablesInit(first: usize, polynomial: u32, tables: u32): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    store<u32>(first + (byte << 2), crc);
  }
  for (let table: u32 = 1; table < tables; table++) {
    for (let byte: u32 = 0; byte < 256; byte++) {
      const at = first + table * TABLE_LENGTH + (byte << 2);
      const crc = load<u32>(at - TABLE_LENGTH);
      store<u32>(at, (crc >>> 8) ^ load<u32>(first + ((crc & 0xff) << 2)));
    }
  }
}

/** Four bytes, each looked up in its own table. The shift to a byte and the scaling to a word's address are one operation. */
// @ts-ignore: decorator
@inline
export function crcWord(value: u32, low: u32, second: u32, third: u32, high: u32): u32 {
  return (
    load<u32>(((value << 2) & 0x3fc) + low) ^
    load<u32>(((value >>> 6) & 0x3fc) + second) ^
    load<u32>(((value >>> 14) & 0x3fc) + third) ^
    load<u32>(((value >>> 22) & 0x3fc) + high)
  );
}
