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
/** u64 each, LANES_MAX of them: last lane sequence that was appended. */
export const INGEST_LANES_OFFSET = 128;

// Latencies, written by the ingest worker a few times a second while there is traffic: two rows of five u64, ns.
/** All records. */
export const INGEST_LATENCY_ALL_OFFSET = 8320;
/** Those that a spinning worker met. */
export const INGEST_LATENCY_SPINNING_OFFSET = 8360;
export const INGEST_LATENCY_COUNT_OFFSET = 0;
export const INGEST_LATENCY_P50_OFFSET = 8;
export const INGEST_LATENCY_P99_OFFSET = 16;
export const INGEST_LATENCY_P999_OFFSET = 24;
export const INGEST_LATENCY_MAX_OFFSET = 32;

// Scratch of the ingest worker (a region of kind ARENA_REGION_SCRATCH, number 0): private while it works; the quarantine may be read by anybody.
//
//   0            64           72             128              8192          40960            53248
//  +------------+------------+--------------+----------------+-------------+----------------+
//  | ring state | sample     | why it ended | latency        | quarantine  | settled record |
//  |            | count      |              | samples        |             |                |
//  +------------+------------+--------------+----------------+-------------+----------------+

export const INGEST_SCRATCH_RING_STATE_OFFSET = 0;
/** u32: latency samples of the last drain. */
export const INGEST_SCRATCH_SAMPLE_COUNT_OFFSET = 64;
/** i32: why the last drain ended: STATUS_EMPTY, _CLOSED, _CORRUPT, _ROTATING, _POISONED or _RESOLVE; 1 = it took as many records as it was asked to. */
export const INGEST_SCRATCH_STATUS_OFFSET = 72;
/** u32: with STATUS_RESOLVE, address and length of the record whose paths must be settled. */
export const INGEST_SCRATCH_RECORD_ADDRESS_OFFSET = 76;
export const INGEST_SCRATCH_RECORD_LENGTH_OFFSET = 80;
/** u32: bit per KERNEL_OP_ that is wanted, 0 = all; and how many processes are wanted, 0 = all. For sources that do not filter by themselves (peers). */
export const INGEST_SCRATCH_OPS_OFFSET = 84;
export const INGEST_SCRATCH_PID_COUNT_OFFSET = 88;
/** FILTER_PIDS_MAX u32. */
export const INGEST_SCRATCH_PIDS_OFFSET = 4352;
/** u32 each, ns. */
export const INGEST_SCRATCH_SAMPLES_OFFSET = 128;
export const INGEST_SCRATCH_SAMPLES_MAX = 1024;
/** QUARANTINE_RECORDS_MAX slots: reason u32, length u32 (as it claimed), kept u32, then up to QUARANTINE_BYTES_MAX bytes of it. */
export const INGEST_SCRATCH_QUARANTINE_OFFSET = 8192;
export const QUARANTINE_SLOT_LENGTH = 512;
export const QUARANTINE_REASON_OFFSET = 0;
export const QUARANTINE_LENGTH_OFFSET = 4;
export const QUARANTINE_KEPT_OFFSET = 8;
export const QUARANTINE_BYTES_OFFSET = 16;
export const QUARANTINE_BYTES_MAX = 496;
/** Room for one record whose paths user space has rewritten. */
export const INGEST_SCRATCH_SETTLED_OFFSET = 40960;
export const INGEST_SCRATCH_SETTLED_LENGTH = 12288;
export const INGEST_SCRATCH_LENGTH = 53248;

// What is wrong with a quarantined record.
export const MALFORMED_TOO_SHORT = 1;
export const MALFORMED_VERSION = 2;
export const MALFORMED_OP = 3;
export const MALFORMED_VARIANT = 4;
export const MALFORMED_LENGTH = 5;
export const MALFORMED_PATH_LENGTH = 6;
export const MALFORMED_LANE = 7;
/** A NUL inside a path, or a path that is not absolute. */
export const MALFORMED_PATH = 8;
