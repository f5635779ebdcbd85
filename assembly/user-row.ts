// Counts in a row that only its owner writes (layout/user-row.ts).

/** Adds one. A plain store: nobody else writes there, and whoever sums the rows takes what it sees. */
// @ts-ignore: decorator
@inline
export function countUp(row: usize, offset: usize): void {
  countMore(row, offset, 1);
}

// @ts-ignore: decorator
@inline
export function countMore(row: usize, offset: usize, count: u32): void {
  store<u64>(row + offset, load<u64>(row + offset) + count);
}
