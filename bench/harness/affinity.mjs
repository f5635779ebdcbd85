// Pins the calling thread to one core: two threads that share one by chance would measure the scheduler.

import os from 'node:os';

/** @type {((cpu: number) => boolean) | undefined} */
let pin;

/**
 * @param {number} cpu
 * @returns {Promise<boolean>} whether it is pinned; without koffi, or with too few cores, it is not, and the figures are noisier.
 */
export async function pinThread(cpu) {
  if (os.availableParallelism() < 2) return false;
  pin ??= await loadPin();
  return pin(cpu % os.availableParallelism());
}

async function loadPin() {
  try {
    const { default: koffi } = await import('koffi');
    const setAffinity = koffi
      .load('libc.so.6')
      .func('sched_setaffinity', 'int', ['int', 'size_t', koffi.pointer('uint8_t')]);
    return (/** @type {number} */ cpu) => {
      const mask = new Uint8Array(128);
      mask[cpu >> 3] = 1 << (cpu & 7);
      return setAffinity(0, mask.length, mask) === 0;
    };
  } catch {
    return () => false;
  }
}
