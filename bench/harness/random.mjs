// Seeded pseudo-random numbers (mulberry32): the same input on every machine and in every run.

/**
 * @param {number} seed
 * @returns {() => number} u32 each
 */
export function makeRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/**
 * @param {Uint8Array} bytes
 * @param {number} seed
 */
export function fillRandom(bytes, seed) {
  const random = makeRandom(seed);
  for (let index = 0; index < bytes.length; index++) bytes[index] = random();
}
