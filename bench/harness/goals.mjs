// The numbers to reach (README.md of this folder): what --budget holds the results against.

/**
 * @typedef {object} Goal
 * @property {number} [ratioMin]
 * @property {number} [valueMin]
 * @property {number} [valueMax]
 * @property {number} [lostMax]
 */

/** @type {Record<string, Goal>} */
export const GOALS = {
  'ring.spsc.throughput': { ratioMin: 0.85 },
  'ring.spsc.latency.p50': { ratioMin: 0.8, valueMax: 150 },
  'ring.spsc.latency.p99': { ratioMin: 0.8, valueMax: 500 },
  'ring.spsc.parked': { ratioMin: 5 },
  'ring.mpsc': { ratioMin: 20 },
  'ring.mpmc': { ratioMin: 20 },
  'ring.broadcast': { ratioMin: 20 },
  'ring.process': { ratioMin: 20 },
  'translate.kernel': { ratioMin: 5, valueMax: 100 },
  'translate.lossless': { valueMin: 1 },
  'dedup.lookup': { ratioMin: 10 },
  'digest.crc32c.256': { ratioMin: 1.5 },
  'digest.crc32c.65536': { ratioMin: 1 },
  'digest.sha256.small': { ratioMin: 1.7 },
  'kernel.latency.p50': { valueMax: 250 },
  'kernel.latency.p99': { valueMax: 1000 },
  'kernel.capture': { valueMin: 300_000, lostMax: 0 },
  'pipeline.throughput': { valueMin: 5_000_000, lostMax: 0 },
  'journal.append.process': { ratioMin: 5, valueMin: 3_000_000 },
  'journal.append.group': { ratioMin: 5 },
  'journal.append.group.lmdb': { ratioMin: 2 },
  'engine.memory': { valueMax: 100 * 2 ** 20 },
};

/**
 * What of its goal a result misses, in words; empty = met, or no goal.
 * @param {import('./measure.mjs').Result} result
 * @returns {string[]}
 */
export function missesOf(result) {
  const { ratioMin, valueMin, valueMax, lostMax } = GOALS[result.id] ?? {};
  const missed = [];
  // A rival that is not to be had says nothing about us.
  if (ratioMin !== undefined && result.ratio !== null && result.ratio < ratioMin)
    missed.push(`ratio=${result.ratio}, goal >= ${ratioMin}`);
  if (valueMin !== undefined && result.value < valueMin) missed.push(`value=${result.value}, goal >= ${valueMin}`);
  if (valueMax !== undefined && result.value > valueMax) missed.push(`value=${result.value}, goal <= ${valueMax}`);
  if (lostMax !== undefined && (result.lost ?? 0) > lostMax) missed.push(`lost=${result.lost}, goal <= ${lostMax}`);
  return missed;
}

/** @param {string} id */
export function goalText(id) {
  const { ratioMin, valueMin, valueMax, lostMax } = GOALS[id] ?? {};
  const parts = [];
  if (ratioMin !== undefined) parts.push(`ratio >= ${ratioMin}`);
  if (valueMin !== undefined) parts.push(`>= ${formatNumber(valueMin)}`);
  if (valueMax !== undefined) parts.push(`<= ${formatNumber(valueMax)}`);
  if (lostMax !== undefined) parts.push(`lost <= ${lostMax}`);
  return parts.join(', ');
}

/** 1234567 -> '1.23 M'. @param {number} value */
export function formatNumber(value) {
  if (!Number.isFinite(value)) return '-';
  for (const [unit, name] of /** @type {const} */ ([
    [1e9, ' G'],
    [1e6, ' M'],
    [1e4, ' k'],
  ])) {
    if (Math.abs(value) >= unit) return `${Number((value / (name === ' k' ? 1e3 : unit)).toPrecision(3))}${name}`;
  }
  return String(Number(value.toPrecision(4)));
}
