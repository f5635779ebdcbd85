// The subscriber of pipeline.throughput.events: counts, and checks that nothing is missing between two events.

/** @type {bigint | undefined} */
let last;

/**
 * @param {readonly any[]} items
 * @param {{ shared: SharedArrayBuffer }} context
 */
export default function take(items, { shared }) {
  const words = new Float64Array(shared);
  const now = performance.timeOrigin + performance.now();
  if (words[2] === 0) words[2] = now;
  for (const item of items) {
    if (item.type === 'caughtUp') continue;
    if (item.type === 'gap') words[4] = Number(words[4]) + 1;
    if (last !== undefined && item.sequence !== last + 1n) throw new Error(`sequence ${item.sequence} behind ${last}`);
    last = item.sequence;
    words[0] = Number(words[0]) + 1;
    words[1] = (Number(words[1]) + (item.pid ?? 0) + (item.path?.length ?? 0)) % 2 ** 32;
  }
  words[3] = performance.timeOrigin + performance.now();
}
