// The record of bench/assembly/record.ts in plain JavaScript: 16 words of 32 bits.

export const RECORD_LENGTH = 64;
export const RECORD_WORDS = 16;
const GOLDEN = 0x9e3779b1 | 0;

/**
 * @param {Int32Array} words
 * @param {number} at index of its first word
 * @param {number} number
 */
export function fillRecord(words, at, number) {
  const mixed = Math.imul(number, GOLDEN);
  words[at] = number;
  for (let index = 1; index < RECORD_WORDS; index++) words[at + index] = mixed + index;
}

/**
 * @param {Int32Array} words
 * @param {number} at
 */
export function sumOfRecord(words, at) {
  let sum = 0;
  for (let index = at; index < at + RECORD_WORDS; index++) sum = (sum + (words[index] ?? 0)) | 0;
  return sum;
}

/** @param {number} sum */
export function checksumOf(sum) {
  return (sum >>> 0).toString(16).padStart(8, '0');
}
