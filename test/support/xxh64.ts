// XXH64 as its specification says it, without a thought for speed: the reference of assembly/xxh64.ts.

const MASK = 2n ** 64n - 1n;
const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;

const times = (a: bigint, b: bigint): bigint => (a * b) & MASK;
const plus = (a: bigint, b: bigint): bigint => (a + b) & MASK;
const rotate = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (64n - bits))) & MASK;
const round = (lane: bigint, input: bigint): bigint => times(rotate(plus(lane, times(input, P2)), 31n), P1);
const merge = (hash: bigint, lane: bigint): bigint => plus(times(hash ^ round(0n, lane), P1), P4);

export function xxh64Plain(bytes: Uint8Array, seed: bigint): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  let hash = plus(seed, P5);
  if (bytes.length >= 32) {
    let lanes = [plus(seed, plus(P1, P2)), plus(seed, P2), seed, plus(seed, MASK + 1n - P1)];
    for (; at + 32 <= bytes.length; at += 32) {
      lanes = lanes.map((lane, index) => round(lane, view.getBigUint64(at + 8 * index, true)));
    }
    const shifts = [1n, 7n, 12n, 18n];
    hash = lanes.reduce((sum, lane, index) => plus(sum, rotate(lane, shifts[index] ?? 0n)), 0n);
    for (const lane of lanes) hash = merge(hash, lane);
  }
  hash = plus(hash, BigInt(bytes.length));
  for (; at + 8 <= bytes.length; at += 8) {
    hash = plus(times(rotate(hash ^ round(0n, view.getBigUint64(at, true)), 27n), P1), P4);
  }
  if (at + 4 <= bytes.length) {
    hash = plus(times(rotate(hash ^ times(BigInt(view.getUint32(at, true)), P1), 23n), P2), P3);
    at += 4;
  }
  for (; at < bytes.length; at++) hash = times(rotate(hash ^ times(BigInt(bytes[at] ?? 0), P5), 11n), P1);
  hash = times(hash ^ (hash >> 33n), P2);
  hash = times(hash ^ (hash >> 29n), P3);
  return hash ^ (hash >> 32n);
}
