// Control block of ingestion (ARENA_INGEST_OFFSET): counters that any thread may read, and what a replaced worker needs to go on
// exactly where its predecessor stopped.

/** u64 counters, written by the ingest worker only. produced = delivered + filtered + malformed + duplicate + lost, at any rest. */
export const INGEST_DELIVERED_OFFSET = 0;
/** Outside the watched subtree, once its path was settled. */
export const INGEST_FILTERED_OFFSET = 8;
export const INGEST_MALFORMED_OFFSET = 16;
/** Seen again after a worker was replaced, and skipped. */
export const INGEST_DUPLICATE_OFFSET = 24;
/** Sum of the gaps whose count is known. */
export const INGEST_LOST_OFFSET = 32;
/** Gap entries written. */
export const INGEST_GAPS_OFFSET = 40;
/** Bytes of kernel records taken. */
export const INGEST_BYTES_OFFSET = 48;
/** u64: highest latency in ns since the last reset by the reader; kernel hand-over to wasm. */
export const INGEST_LATENCY_NS_MAX_OFFSET = 56;
/** u64: CLOCK_REALTIME - CLOCK_MONOTONIC in ns. */
export const INGEST_CLOCK_OFFSET_NS_OFFSET = 64;
/** u64: length of the record that is being appended right now, 0 between records: after a crash it says whether the lane table is behind by one. */
export const INGEST_IN_FLIGHT_OFFSET = 72;
/** u64 each, LANES_MAX of them: last lane sequence that was appended. */
export const INGEST_LANES_OFFSET = 128;
