// Times in ns as text.

const NS_PER_SECOND = 1_000_000_000n;

// One second is asked for many times in a row, and making its text costs more than all the rest.
let isoSecond = Number.NaN;
let isoPrefix = '';

/** ISO 8601 in UTC with nanoseconds: 2026-11-21T09:21:52.123456789Z. */
export function formatIsoTime(timeNs: bigint): string {
  const { second, ns } = splitTime(timeNs);
  if (second !== isoSecond) {
    isoPrefix = new Date(second * 1000).toISOString().slice(0, 19);
    isoSecond = second;
  }
  return `${isoPrefix}.${String(ns).padStart(9, '0')}Z`;
}

/** Whole seconds, rounded down, and the ns behind them. */
export function splitTime(timeNs: bigint): { second: number; ns: number } {
  let second = timeNs / NS_PER_SECOND;
  let ns = timeNs - second * NS_PER_SECOND;
  if (ns < 0n) {
    second -= 1n;
    ns += NS_PER_SECOND;
  }
  return { second: Number(second), ns: Number(ns) };
}
