// The clock of structures whose entries grow old. CLOCK_MONOTONIC, which all processes of a machine share and nobody sets: performance.now() is the same clock,
// counted from the process's start.

const offsetMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** Milliseconds since the machine's start; the same in every process. */
export function monotonicMs(): number {
  return offsetMs + performance.now();
}
