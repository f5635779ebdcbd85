// CRC-32C in plain JavaScript, with the tables and steps of assembly/crc32c.ts.

/**
 * @param {Int32Array} tables
 * @param {DataView} view
 * @param {Uint8Array} bytes
 * @param {number} from
 * @param {number} length
 */
export function crc32c(tables, view, bytes, from, length) {
  let crc = -1;
  let at = from;
  const end = from + length;
  const endOfSteps = from + (length & ~15);
  for (; at < endOfSteps; at += 16) {
    const a = view.getInt32(at, true) ^ crc;
    const b = view.getInt32(at + 4, true);
    const c = view.getInt32(at + 8, true);
    const d = view.getInt32(at + 12, true);
    crc =
      tables[3840 + (a & 255)] ^
      tables[3584 + ((a >>> 8) & 255)] ^
      tables[3328 + ((a >>> 16) & 255)] ^
      tables[3072 + (a >>> 24)] ^
      tables[2816 + (b & 255)] ^
      tables[2560 + ((b >>> 8) & 255)] ^
      tables[2304 + ((b >>> 16) & 255)] ^
      tables[2048 + (b >>> 24)] ^
      tables[1792 + (c & 255)] ^
      tables[1536 + ((c >>> 8) & 255)] ^
      tables[1280 + ((c >>> 16) & 255)] ^
      tables[1024 + (c >>> 24)] ^
      tables[768 + (d & 255)] ^
      tables[512 + ((d >>> 8) & 255)] ^
      tables[256 + ((d >>> 16) & 255)] ^
      tables[d >>> 24];
  }
  for (; at < end; at++) crc = tables[(crc ^ bytes[at]) & 255] ^ (crc >>> 8);
  return ~crc;
}

/** Sixteen tables of 256 words; table k holds the remainder of a byte with k zero bytes behind it. */
export function makeTables() {
  const tables = new Int32Array(16 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    tables[byte] = crc;
  }
  for (let index = 256; index < tables.length; index++) {
    const crc = tables[index - 256];
    tables[index] = (crc >>> 8) ^ tables[crc & 255];
  }
  return tables;
}
