// SHA-256 (FIPS 180-4) of many short messages: four at once, each in a 32-bit lane of its own. A lane whose message ends takes the next of the table, so
// messages of all lengths go together and no lane waits for another. Nothing outside of a message is read: its last bytes are copied to a tail in
// the caller's scratch (layout/sha256.ts), which is padded there.
//
// Wasm has neither the instructions that processors have for this nor a rotation of lanes (each is two shifts and an or). What is saved is the call for
// each message, which for short ones costs more than the work: longer ones are node:crypto's (bench/digest/sha256.mjs says from where on).

import {
  SHA256_BLOCK_LENGTH,
  SHA256_DIGEST_LENGTH,
  SHA256_LANE_AT_OFFSET,
  SHA256_LANE_BLOCKS_OFFSET,
  SHA256_LANE_LENGTH,
  SHA256_LANE_ROW_OFFSET,
  SHA256_LANE_TAIL_BLOCKS_OFFSET,
  SHA256_LANES,
  SHA256_ROW_ADDRESS_OFFSET,
  SHA256_ROW_LENGTH,
  SHA256_ROW_LENGTH_OFFSET,
  SHA256_SCRATCH_ALONE_OFFSET,
  SHA256_SCRATCH_SCHEDULE_OFFSET,
  SHA256_SCRATCH_STATE_OFFSET,
  SHA256_SCRATCH_TAIL_OFFSET,
  SHA256_TAIL_LENGTH,
} from "../layout/sha256";
import { bytesCopy } from "./bytes";

// Unsigned, for what is compared and divided.
const LANES: u32 = SHA256_LANES;
const BLOCK: u32 = SHA256_BLOCK_LENGTH;
const TAIL: u32 = SHA256_TAIL_LENGTH;

/** FIPS 180-4, section 4.2.2. */
const ROUND_CONSTANTS = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
]);

/** FIPS 180-4, section 5.3.3. */
const INITIAL_STATE = memory.data<u32>([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);

/** The digest of each message of the table, to `out` + 32 * its number. Neither `out` nor the scratch may overlap anything else that is given. */
export function sha256Batch(rows: usize, count: u32, out: usize, scratch: usize): void {
  let next: u32 = 0;
  let active: u32 = 0;
  for (let lane: u32 = 0; lane < LANES; lane++) {
    if (next < count) {
      laneBegin(scratch, lane, rows, next++);
      active++;
    } else {
      laneIdle(scratch, lane);
    }
  }
  // One alone is faster by itself (measured).
  while (active > 1) {
    const blocks = stepAll(scratch);
    for (let lane: u32 = 0; lane < LANES; lane++) {
      if (!laneAdvance(scratch, lane, blocks)) continue;
      laneEnd(scratch, lane, out);
      if (next < count) {
        laneBegin(scratch, lane, rows, next++);
      } else {
        laneIdle(scratch, lane);
        active--;
      }
    }
  }
  if (active === 1) finishAlone(scratch, out);
}

/** The digest of one message, in the plain form. */
export function sha256(address: usize, length: u32, out: usize, scratch: usize): void {
  const state = scratch + SHA256_SCRATCH_ALONE_OFFSET;
  const schedule = scratch + SHA256_SCRATCH_SCHEDULE_OFFSET;
  const tail = scratch + SHA256_SCRATCH_TAIL_OFFSET;
  for (let word: usize = 0; word < 8; word++) store<u32>(state + (word << 2), load<u32>(INITIAL_STATE + (word << 2)));
  compress(state, schedule, address, length / BLOCK);
  compress(state, schedule, tail, tailMake(tail, address, length));
  for (let word: usize = 0; word < 8; word++) store<u32>(out + (word << 2), bswap(load<u32>(state + (word << 2))));
}

/** As many blocks as all lanes have. Returns how many. */
function stepAll(scratch: usize): u32 {
  let blocks: u32 = u32.MAX_VALUE;
  let at: usize = 0;
  for (let lane: u32 = 0; lane < LANES; lane++) {
    const left = load<u32>(laneOf(scratch, lane), SHA256_LANE_BLOCKS_OFFSET);
    if (left === 0) continue;
    blocks = min(blocks, left);
    at = laneAt(scratch, lane, 0);
  }
  // An idle lane goes along with another one, over bytes that may be read.
  compressFour(
    scratch,
    laneAt(scratch, 0, at),
    laneAt(scratch, 1, at),
    laneAt(scratch, 2, at),
    laneAt(scratch, 3, at),
    blocks,
  );
  return blocks;
}

/** What of the last message in the lanes is left. */
function finishAlone(scratch: usize, out: usize): void {
  let lane: u32 = 0;
  while (load<u32>(laneOf(scratch, lane), SHA256_LANE_BLOCKS_OFFSET) === 0) lane++;
  const alone = scratch + SHA256_SCRATCH_ALONE_OFFSET;
  const column = scratch + SHA256_SCRATCH_STATE_OFFSET + (lane << 2);
  for (let word: usize = 0; word < 8; word++) store<u32>(alone + (word << 2), load<u32>(column + (word << 4)));
  let isEnd = false;
  while (!isEnd) {
    const blocks = load<u32>(laneOf(scratch, lane), SHA256_LANE_BLOCKS_OFFSET);
    compress(alone, scratch + SHA256_SCRATCH_SCHEDULE_OFFSET, laneAt(scratch, lane, 0), blocks);
    isEnd = laneAdvance(scratch, lane, blocks);
  }
  for (let word: usize = 0; word < 8; word++) store<u32>(column + (word << 4), load<u32>(alone + (word << 2)));
  laneEnd(scratch, lane, out);
}

// @ts-ignore: decorator
@inline
function laneOf(scratch: usize, lane: u32): usize {
  return scratch + lane * SHA256_LANE_LENGTH;
}

// @ts-ignore: decorator
@inline
function laneTail(scratch: usize, lane: u32): usize {
  return scratch + SHA256_SCRATCH_TAIL_OFFSET + lane * TAIL;
}

/** Address of the lane's next block; of an idle one, `otherwise`. */
function laneAt(scratch: usize, lane: u32, otherwise: usize): usize {
  const entry = laneOf(scratch, lane);
  return load<u32>(entry, SHA256_LANE_BLOCKS_OFFSET) !== 0 ? <usize>load<u32>(entry, SHA256_LANE_AT_OFFSET) : otherwise;
}

function laneIdle(scratch: usize, lane: u32): void {
  store<u32>(laneOf(scratch, lane), 0, SHA256_LANE_BLOCKS_OFFSET);
}

function laneBegin(scratch: usize, lane: u32, rows: usize, number: u32): void {
  const row = rows + number * SHA256_ROW_LENGTH;
  const address: usize = load<u32>(row, SHA256_ROW_ADDRESS_OFFSET);
  const length = load<u32>(row, SHA256_ROW_LENGTH_OFFSET);
  const entry = laneOf(scratch, lane);
  const tail = laneTail(scratch, lane);
  const tailBlocks = tailMake(tail, address, length);
  const whole = length / BLOCK;
  store<u32>(entry, whole !== 0 ? address : tail, SHA256_LANE_AT_OFFSET);
  store<u32>(entry, whole !== 0 ? whole : tailBlocks, SHA256_LANE_BLOCKS_OFFSET);
  store<u32>(entry, whole !== 0 ? tailBlocks : 0, SHA256_LANE_TAIL_BLOCKS_OFFSET);
  store<u32>(entry, number, SHA256_LANE_ROW_OFFSET);
  const column = scratch + SHA256_SCRATCH_STATE_OFFSET + (lane << 2);
  for (let word: usize = 0; word < 8; word++) store<u32>(column + (word << 4), load<u32>(INITIAL_STATE + (word << 2)));
}

/** Goes on by so many blocks, from the message to its tail. Whether that was its end. */
function laneAdvance(scratch: usize, lane: u32, blocks: u32): bool {
  const entry = laneOf(scratch, lane);
  const left = load<u32>(entry, SHA256_LANE_BLOCKS_OFFSET);
  if (left === 0) return false;
  if (left > blocks) {
    store<u32>(entry, left - blocks, SHA256_LANE_BLOCKS_OFFSET);
    store<u32>(entry, load<u32>(entry, SHA256_LANE_AT_OFFSET) + blocks * BLOCK, SHA256_LANE_AT_OFFSET);
    return false;
  }
  const tailBlocks = load<u32>(entry, SHA256_LANE_TAIL_BLOCKS_OFFSET);
  store<u32>(entry, laneTail(scratch, lane), SHA256_LANE_AT_OFFSET);
  store<u32>(entry, tailBlocks, SHA256_LANE_BLOCKS_OFFSET);
  store<u32>(entry, 0, SHA256_LANE_TAIL_BLOCKS_OFFSET);
  return tailBlocks === 0;
}

/** The lane's digest, big-endian. */
function laneEnd(scratch: usize, lane: u32, out: usize): void {
  const column = scratch + SHA256_SCRATCH_STATE_OFFSET + (lane << 2);
  const digest = out + load<u32>(laneOf(scratch, lane), SHA256_LANE_ROW_OFFSET) * SHA256_DIGEST_LENGTH;
  for (let word: usize = 0; word < 8; word++) store<u32>(digest + (word << 2), bswap(load<u32>(column + (word << 4))));
}

/** FIPS 180-4, section 5.1.1: the bytes behind the last whole block, a one, zeros, the length in bits as a big-endian u64. Returns its blocks. */
function tailMake(tail: usize, address: usize, length: u32): u32 {
  const rest = length % BLOCK;
  for (let at: usize = 0; at < TAIL; at += 16) v128.store(tail + at, i32x4.splat(0));
  bytesCopy(tail, address + (length - rest), rest);
  store<u8>(tail + rest, 0x80);
  const blocks: u32 = rest < BLOCK - 8 ? 1 : 2;
  store<u64>(tail + blocks * BLOCK - 8, bswap((<u64>length) << 3));
  return blocks;
}

/** FIPS 180-4, section 6.2.2, for blocks of one message that follow each other: as it is written there. */
function compress(state: usize, schedule: usize, address: usize, blocks: u32): void {
  for (let block: u32 = 0; block < blocks; block++) {
    const from = address + block * BLOCK;
    for (let at: usize = 0; at < 64; at += 4) store<u32>(schedule + at, bswap(load<u32>(from + at)));
    for (let at = schedule; at < schedule + 192; at += 4) {
      const w1 = load<u32>(at, 4);
      const w14 = load<u32>(at, 56);
      const s0 = rotr(w1, 7) ^ rotr(w1, 18) ^ (w1 >>> 3);
      const s1 = rotr(w14, 17) ^ rotr(w14, 19) ^ (w14 >>> 10);
      store<u32>(at, load<u32>(at) + s0 + load<u32>(at, 36) + s1, 64);
    }
    let a = load<u32>(state);
    let b = load<u32>(state, 4);
    let c = load<u32>(state, 8);
    let d = load<u32>(state, 12);
    let e = load<u32>(state, 16);
    let f = load<u32>(state, 20);
    let g = load<u32>(state, 24);
    let h = load<u32>(state, 28);
    for (let at: usize = 0; at < 256; at += 4) {
      const sum1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
      const t1 = h + sum1 + (g ^ (e & (f ^ g))) + load<u32>(ROUND_CONSTANTS + at) + load<u32>(schedule + at);
      const sum0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);
      const t2 = sum0 + ((a & b) | (c & (a | b)));
      h = g;
      g = f;
      f = e;
      e = d + t1;
      d = c;
      c = b;
      b = a;
      a = t1 + t2;
    }
    store<u32>(state, load<u32>(state) + a);
    store<u32>(state, load<u32>(state, 4) + b, 4);
    store<u32>(state, load<u32>(state, 8) + c, 8);
    store<u32>(state, load<u32>(state, 12) + d, 12);
    store<u32>(state, load<u32>(state, 16) + e, 16);
    store<u32>(state, load<u32>(state, 20) + f, 20);
    store<u32>(state, load<u32>(state, 24) + g, 24);
    store<u32>(state, load<u32>(state, 28) + h, 28);
  }
}

/** The same for four messages at once. */
function compressFour(scratch: usize, from0: usize, from1: usize, from2: usize, from3: usize, blocks: u32): void {
  const state = scratch + SHA256_SCRATCH_STATE_OFFSET;
  const schedule = scratch + SHA256_SCRATCH_SCHEDULE_OFFSET;
  let a = v128.load(state);
  let b = v128.load(state, 16);
  let c = v128.load(state, 32);
  let d = v128.load(state, 48);
  let e = v128.load(state, 64);
  let f = v128.load(state, 80);
  let g = v128.load(state, 96);
  let h = v128.load(state, 112);
  const length: usize = blocks * BLOCK;
  for (let at: usize = 0; at < length; at += BLOCK) {
    for (let part: usize = 0; part < 64; part += 16) {
      const from = at + part;
      scheduleWords(
        schedule + (part << 2),
        v128.load(from0 + from),
        v128.load(from1 + from),
        v128.load(from2 + from),
        v128.load(from3 + from),
      );
    }
    scheduleExtend(schedule);
    // A round a turn: eight, after which each name would be back at its place, take 1.27 times as long, for want of registers (measured).
    let word = schedule;
    for (let constant = ROUND_CONSTANTS; constant < ROUND_CONSTANTS + 256; constant += 4) {
      const t1 = first(e, f, g, h, i32x4.add(v128.load(word), v128.load32_splat(constant)));
      const t2 = second(a, b, c);
      h = g;
      g = f;
      f = e;
      e = i32x4.add(d, t1);
      d = c;
      c = b;
      b = a;
      a = i32x4.add(t1, t2);
      word += 16;
    }
    a = addStored(state, a);
    b = addStored(state + 16, b);
    c = addStored(state + 32, c);
    d = addStored(state + 48, d);
    e = addStored(state + 64, e);
    f = addStored(state + 80, f);
    g = addStored(state + 96, g);
    h = addStored(state + 112, h);
  }
}

/** T1 of the standard; `word` is that of the schedule and the constant, added. */
// @ts-ignore: decorator
@inline
function first(e: v128, f: v128, g: v128, h: v128, word: v128): v128 {
  const sum = v128.xor(v128.xor(rotate(e, 6), rotate(e, 11)), rotate(e, 25));
  const choice = v128.xor(g, v128.and(e, v128.xor(f, g)));
  return i32x4.add(i32x4.add(i32x4.add(h, word), choice), sum);
}

/** T2 of the standard. */
// @ts-ignore: decorator
@inline
function second(a: v128, b: v128, c: v128): v128 {
  const sum = v128.xor(v128.xor(rotate(a, 2), rotate(a, 13)), rotate(a, 22));
  const majority = v128.or(v128.and(a, b), v128.and(c, v128.or(a, b)));
  return i32x4.add(sum, majority);
}

/** Rows to columns: word i of the four messages side by side, as numbers. */
// @ts-ignore: decorator
@inline
function scheduleWords(to: usize, m0: v128, m1: v128, m2: v128, m3: v128): void {
  const low01 = v128.shuffle<u32>(m0, m1, 0, 4, 1, 5);
  const high01 = v128.shuffle<u32>(m0, m1, 2, 6, 3, 7);
  const low23 = v128.shuffle<u32>(m2, m3, 0, 4, 1, 5);
  const high23 = v128.shuffle<u32>(m2, m3, 2, 6, 3, 7);
  v128.store(to, bigEndian(v128.shuffle<u64>(low01, low23, 0, 2)));
  v128.store(to, bigEndian(v128.shuffle<u64>(low01, low23, 1, 3)), 16);
  v128.store(to, bigEndian(v128.shuffle<u64>(high01, high23, 0, 2)), 32);
  v128.store(to, bigEndian(v128.shuffle<u64>(high01, high23, 1, 3)), 48);
}

/** Two words a turn, each from the one two before it, which stays in a register: by way of memory the whole takes 1.08 times as long (measured). */
// @ts-ignore: decorator
@inline
function scheduleExtend(schedule: usize): void {
  let w0 = v128.load(schedule);
  let w14 = v128.load(schedule, 224);
  let w15 = v128.load(schedule, 240);
  for (let at = schedule; at < schedule + 768; at += 32) {
    const w1 = v128.load(at, 16);
    const w2 = v128.load(at, 32);
    w14 = scheduleNext(w0, w1, v128.load(at, 144), w14);
    w15 = scheduleNext(w1, w2, v128.load(at, 160), w15);
    v128.store(at, w14, 256);
    v128.store(at, w15, 272);
    w0 = w2;
  }
}

/** The word 16 after `w0`. */
// @ts-ignore: decorator
@inline
function scheduleNext(w0: v128, w1: v128, w9: v128, w14: v128): v128 {
  const s0 = v128.xor(v128.xor(rotate(w1, 7), rotate(w1, 18)), i32x4.shr_u(w1, 3));
  const s1 = v128.xor(v128.xor(rotate(w14, 17), rotate(w14, 19)), i32x4.shr_u(w14, 10));
  return i32x4.add(i32x4.add(i32x4.add(w0, s0), w9), s1);
}

// @ts-ignore: decorator
@inline
function addStored(at: usize, value: v128): v128 {
  const sum = i32x4.add(v128.load(at), value);
  v128.store(at, sum);
  return sum;
}

// @ts-ignore: decorator
@inline
function rotate(value: v128, bits: i32): v128 {
  return v128.or(i32x4.shr_u(value, bits), i32x4.shl(value, 32 - bits));
}

/** With constant places, a swizzle is one instruction; the same as a shuffle is five (V8 on x64). */
// @ts-ignore: decorator
@inline
function bigEndian(words: v128): v128 {
  return v128.swizzle(words, i8x16(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
}
