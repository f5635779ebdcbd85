// Who uses a structure that many threads and processes share (pool, deduplication table, metadata cache): a row for each, taken by its owner word. Only
// the owner writes the counts of its row, with plain stores, so that counting costs nothing and no two users share a line.
//
//    0          8                                128
//   +----------+----------------------------------+
//   | owner    | counts, u64 each, never reset    |  x USER_ROWS_MAX
//   +----------+----------------------------------+

/** u64, layout/arena.ts ARENA_OWNER_; 0 = free. A row that is taken again goes on counting where the last one stopped. */
export const USER_ROW_OWNER_OFFSET = 0;
export const USER_ROW_COUNTS_OFFSET = 8;
export const USER_ROW_COUNTS_MAX = 15;
export const USER_ROW_LENGTH = 128;
/** Handles that can be open at a time, in all threads and processes together. */
export const USER_ROWS_MAX = 128;
