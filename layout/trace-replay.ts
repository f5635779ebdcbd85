// Scratch of a trace's reader: a region of kind ARENA_REGION_SCRATCH. src/source/trace/reader.ts reads the file into it, assembly/trace.ts goes over its
// frames; nobody else has it, and it begins as zeros with every reader.
//
//   0       4     8      12         16        24      32        40      48     52    56         60          64     4160    12352 16384
//  +-------+-----+------+----------+---------+-------+---------+-------+------+-----+----------+-----------+------+-------+-----+---------------+
//  | start | end | stop | checksum | records | dueNs | gapFrom | gapTo | pace | ops | pidCount | submitted | pids | lanes |  0  | chunk of file |
//  +-------+-----+------+----------+---------+-------+---------+-------+------+-----+----------+-----------+------+-------+-----+---------------+

/** The region's number; those of the workers are in src/worker/control.ts. */
export const TRACE_SCRATCH_NUMBER = 3;

/** u32: place in the chunk of the frame at hand. */
export const TRACE_SCRATCH_START_OFFSET = 0;
/** u32: end (exclusive) of what was read into the chunk. */
export const TRACE_SCRATCH_END_OFFSET = 4;
/** u32: why traceFrames ended, one of TRACE_STOP_. */
export const TRACE_SCRATCH_STOP_OFFSET = 8;
/** u32: with TRACE_STOP_CHECKSUM, what the checksum is in truth. */
export const TRACE_SCRATCH_CHECKSUM_OFFSET = 12;
/** u64: record frames that were gone over. */
export const TRACE_SCRATCH_RECORDS_OFFSET = 16;
/** u64, with TRACE_PACE_DUE: records with a later time wait. */
export const TRACE_SCRATCH_DUE_NS_OFFSET = 24;
/** u64: with TRACE_STOP_GAP, first and last lane sequence that the recording does not have, both inclusive. */
export const TRACE_SCRATCH_GAP_FROM_OFFSET = 32;
export const TRACE_SCRATCH_GAP_TO_OFFSET = 40;
/** u32: one of TRACE_PACE_. */
export const TRACE_SCRATCH_PACE_OFFSET = 48;
/** u32: bit set of the operations that are wanted; 0 = all. */
export const TRACE_SCRATCH_OPS_OFFSET = 52;
/** u32: how many processes are wanted; 0 = all. */
export const TRACE_SCRATCH_PID_COUNT_OFFSET = 56;
/** u32: records that the last traceFrames put into the ring. */
export const TRACE_SCRATCH_SUBMITTED_OFFSET = 60;
export const TRACE_SCRATCH_PIDS_OFFSET = 64;
export const TRACE_PIDS_MAX = 1024;
/** u64 each, LANES_MAX of them: last sequence that the recording has of the lane, 0 = none yet. Used while something is left out. */
export const TRACE_SCRATCH_LANES_OFFSET = 4160;
/** End (exclusive) of what a new reader must find zero. */
export const TRACE_SCRATCH_CONTROL_LENGTH = 12352;
export const TRACE_SCRATCH_CHUNK_OFFSET = 16384;
/** Holds the longest frame; small enough to stay in a core's own cache between the reading and the going over. */
export const TRACE_CHUNK_LENGTH = 262144;
export const TRACE_SCRATCH_LENGTH = 278528;

/** As fast as it can be written. */
export const TRACE_PACE_NONE = 0;
/** Stops at the first record that has a time. */
export const TRACE_PACE_FIRST = 1;
/** Stops at a record that is later than dueNs. */
export const TRACE_PACE_DUE = 2;

// Why it ended; the frame at hand is the one it ended at.
/** It went over as many records as it was asked to. */
export const TRACE_STOP_COUNT = 0;
/** The chunk ends before or within the frame. */
export const TRACE_STOP_CHUNK = 1;
/** The ring has no room now. */
export const TRACE_STOP_FULL = 2;
/** The record fits no ring of this capacity. */
export const TRACE_STOP_TOO_LONG = 3;
/** The record is not due yet. */
export const TRACE_STOP_NOT_DUE = 4;
/** Before this record, the recording misses some of its lane. Told once. */
export const TRACE_STOP_GAP = 5;
/** A loss, with the right checksum. */
export const TRACE_STOP_LOSS = 6;
/** The end, with the right checksum. */
export const TRACE_STOP_END = 7;
/** The frame's header breaks the rules: no such kind, or not of that length. */
export const TRACE_STOP_HEADER = 8;
export const TRACE_STOP_CHECKSUM = 9;
