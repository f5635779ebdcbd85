// CRC-32C in plain JavaScript, for the few bytes that are checked outside of wasm (headers of segments, entries that recovery writes). Entries are checked
// by assembly/crc32c.ts, which is several times as fast.

const POLYNOMIAL = 0x82f63b78;

const table = new Uint32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  table[byte] = crc >>> 0;
}

/** Of the bytes from `from` to `to` (exclusive). */
export function crc32c(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0xffffffff;
  for (let at = from; at < to; at++) crc = (table[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}
