// The 64-byte record of the queues' benches: 16 u32, its number, then words that follow from it. bench/ring/record.mjs is the same in JavaScript.

// @ts-ignore: decorator
@inline
export const RECORD_LENGTH: u32 = 64;
// @ts-ignore: decorator
@inline
const GOLDEN: u32 = 0x9e3779b1;

// @ts-ignore: decorator
@inline
export function fill(at: usize, number: u32): void {
  const mixed = i32x4.add(i32x4.splat(number * GOLDEN), i32x4(0, 1, 2, 3));
  v128.store(at, mixed);
  v128.store(at, i32x4.add(mixed, i32x4.splat(4)), 16);
  v128.store(at, i32x4.add(mixed, i32x4.splat(8)), 32);
  v128.store(at, i32x4.add(mixed, i32x4.splat(12)), 48);
  store<u32>(at, number);
}

// @ts-ignore: decorator
@inline
export function sumOf(at: usize): u32 {
  const sums = i32x4.add(i32x4.add(v128.load(at), v128.load(at, 16)), i32x4.add(v128.load(at, 32), v128.load(at, 48)));
  return i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1) + i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3);
}
