// XXH64 (Yann Collet, xxHash fast digest algorithm, github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md): wasm has its 64-bit multiplication, but not the 128-bit
// products that newer hashes are made of.

const PRIME_1: u64 = 0x9e3779b185ebca87;
const PRIME_2: u64 = 0xc2b2ae3d27d4eb4f;
const PRIME_3: u64 = 0x165667b19e3779f9;
const PRIME_4: u64 = 0x85ebca77c2b2ae63;
const PRIME_5: u64 = 0x27d4eb2f165667c5;

/** Hash of `length` bytes at `address`. */
export function xxh64(address: usize, length: u32, seed: u64): u64 {
  let at = address;
  const end = address + length;
  let hash = length >= 32 ? stripes(at, length, seed) : seed + PRIME_5;
  at += length & ~31;
  hash += length;
  for (; at + 8 <= end; at += 8) hash = rotl<u64>(hash ^ round(0, load<u64>(at)), 27) * PRIME_1 + PRIME_4;
  if (at + 4 <= end) {
    hash = rotl<u64>(hash ^ ((load<u32>(at) as u64) * PRIME_1), 23) * PRIME_2 + PRIME_3;
    at += 4;
  }
  for (; at < end; at++) hash = rotl<u64>(hash ^ ((load<u8>(at) as u64) * PRIME_5), 11) * PRIME_1;
  hash = (hash ^ (hash >> 33)) * PRIME_2;
  hash = (hash ^ (hash >> 29)) * PRIME_3;
  return hash ^ (hash >> 32);
}

/** The whole stripes of 32 bytes, of which there is one at least: four lanes that do not wait for each other. */
// @ts-ignore: decorator
@inline
function stripes(address: usize, length: u32, seed: u64): u64 {
  let a = seed + PRIME_1 + PRIME_2;
  let b = seed + PRIME_2;
  let c = seed;
  let d = seed - PRIME_1;
  const end = address + (length & ~31);
  for (let at = address; at < end; at += 32) {
    a = round(a, load<u64>(at));
    b = round(b, load<u64>(at, 8));
    c = round(c, load<u64>(at, 16));
    d = round(d, load<u64>(at, 24));
  }
  let hash = rotl<u64>(a, 1) + rotl<u64>(b, 7) + rotl<u64>(c, 12) + rotl<u64>(d, 18);
  hash = (hash ^ round(0, a)) * PRIME_1 + PRIME_4;
  hash = (hash ^ round(0, b)) * PRIME_1 + PRIME_4;
  hash = (hash ^ round(0, c)) * PRIME_1 + PRIME_4;
  return (hash ^ round(0, d)) * PRIME_1 + PRIME_4;
}

// @ts-ignore: decorator
@inline
function round(lane: u64, input: u64): u64 {
  return rotl<u64>(lane + input * PRIME_2, 31) * PRIME_1;
}
