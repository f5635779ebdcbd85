// Ingestion: drain -> validate -> gaps and duplicates -> translate -> append, for every record that a source put into its ring.
//
// Nothing vanishes: a record ends as an event (delivered), outside the watched tree (filtered), in the quarantine (malformed), or known already
// (duplicate); and a jump in a lane's sequence becomes a gap entry before the record that shows it (lost).
//
// If this worker dies in the middle, its replacement goes on from the ring's released position, where up to a batch of records is found again:
// the lane table, which the engine first brings up to date with what the journal holds, tells which of them are duplicates.

import { ARENA_INGEST_OFFSET } from "../layout/arena";
import { GAP_CAUSE_RING_FULL } from "../layout/entry";
import {
  INGEST_BYTES_OFFSET,
  INGEST_CLOCK_OFFSET_NS_OFFSET,
  INGEST_DELIVERED_OFFSET,
  INGEST_DUPLICATE_OFFSET,
  INGEST_FILTERED_OFFSET,
  INGEST_GAPS_OFFSET,
  INGEST_LANES_OFFSET,
  INGEST_LATENCY_NS_MAX_OFFSET,
  INGEST_LOST_OFFSET,
  INGEST_MALFORMED_OFFSET,
  INGEST_SCRATCH_OPS_OFFSET,
  INGEST_SCRATCH_PIDS_OFFSET,
  INGEST_SCRATCH_PID_COUNT_OFFSET,
  INGEST_SCRATCH_QUARANTINE_OFFSET,
  INGEST_SCRATCH_RECORD_ADDRESS_OFFSET,
  INGEST_SCRATCH_RECORD_LENGTH_OFFSET,
  INGEST_SCRATCH_SAMPLES_MAX,
  INGEST_SCRATCH_SAMPLES_OFFSET,
  INGEST_SCRATCH_SAMPLE_COUNT_OFFSET,
  INGEST_SCRATCH_STATUS_OFFSET,
  MALFORMED_LANE,
  MALFORMED_LENGTH,
  MALFORMED_OP,
  MALFORMED_PATH,
  MALFORMED_PATH_LENGTH,
  MALFORMED_TOO_SHORT,
  MALFORMED_VARIANT,
  MALFORMED_VERSION,
  QUARANTINE_BYTES_MAX,
  QUARANTINE_BYTES_OFFSET,
  QUARANTINE_KEPT_OFFSET,
  QUARANTINE_LENGTH_OFFSET,
  QUARANTINE_REASON_OFFSET,
  QUARANTINE_SLOT_LENGTH,
} from "../layout/ingest";
import {
  KERNEL_FLAG_PATH2_BY_NAME,
  KERNEL_FLAG_PATH_BY_NAME,
  KERNEL_FLAG_RESOLVED,
  KERNEL_FLAG_UNDECIDED,
  KERNEL_OP_COUNT,
  KERNEL_RECORD_CPU_OFFSET,
  KERNEL_RECORD_FLAGS_OFFSET,
  KERNEL_RECORD_HEADER_LENGTH,
  KERNEL_RECORD_LANE_SEQUENCE_OFFSET,
  KERNEL_RECORD_LENGTH_MAX,
  KERNEL_RECORD_LENGTH_OFFSET,
  KERNEL_RECORD_OP_OFFSET,
  KERNEL_RECORD_PATH2_LENGTH_OFFSET,
  KERNEL_RECORD_PATH_LENGTH_OFFSET,
  KERNEL_RECORD_PID_OFFSET,
  KERNEL_RECORD_SUBMIT_DELAY_NS_OFFSET,
  KERNEL_RECORD_TIME_NS_OFFSET,
  KERNEL_RECORD_VARIANT_OFFSET,
  KERNEL_RECORD_VERSION,
  KERNEL_RECORD_VERSION_OFFSET,
  KERNEL_VARIANT_COUNT,
} from "../layout/kernel-record";
import { LANES_MAX, PATH_LENGTH_MAX, QUARANTINE_RECORDS_MAX } from "../layout/limits";
import { RING_STATE_RECORD_LENGTH_OFFSET } from "../layout/ring";
import { STATUS_RESOLVE } from "../layout/status";
import { gapAppend } from "./entry";
import { journalPublish } from "./log";
import { ringAdvance, ringPeek, ringRelease } from "./ring";
import { translateRecord } from "./translate";

/** The record was taken, whatever became of it. */
const TAKEN: i32 = 1;
const NEEDS_SETTLING = KERNEL_FLAG_PATH_BY_NAME | KERNEL_FLAG_PATH2_BY_NAME | KERNEL_FLAG_UNDECIDED;

/**
 * Takes up to recordsMax records from the ring whose consumer state is at the start of `scratch` (layout/ingest.ts), and publishes them together.
 * nowNs: CLOCK_MONOTONIC, read after the ring was seen to have something. Answers how many; why it ended is in the scratch. With STATUS_RESOLVE the
 * record at hand stays in the ring: settle its paths, call ingestSettled or ingestOutside, then drain again.
 */
export function ingestDrain(scratch: usize, nowNs: u64, recordsMax: i32): i32 {
  let count = 0;
  let samples: u32 = 0;
  let bytes: u64 = 0;
  let latencyMax = load<u64>(ARENA_INGEST_OFFSET, INGEST_LATENCY_NS_MAX_OFFSET);
  let status = TAKEN;
  while (count < recordsMax) {
    const record = ringPeek(scratch);
    if (record <= 0) {
      status = record;
      break;
    }
    const length = load<u32>(scratch, RING_STATE_RECORD_LENGTH_OFFSET);
    status = ingestRecord(scratch, record, length, false);
    if (status <= 0) break;
    const latency = latencyOf(record, length, nowNs);
    if (latency > latencyMax) latencyMax = latency;
    if (samples < <u32>INGEST_SCRATCH_SAMPLES_MAX) {
      store<u32>(scratch + (samples << 2), min<u64>(latency, u32.MAX_VALUE) as u32, INGEST_SCRATCH_SAMPLES_OFFSET);
      samples += 1;
    }
    bytes += length;
    ringAdvance(scratch);
    count += 1;
  }
  store<u64>(ARENA_INGEST_OFFSET, latencyMax, INGEST_LATENCY_NS_MAX_OFFSET);
  store<u32>(scratch, samples, INGEST_SCRATCH_SAMPLE_COUNT_OFFSET);
  store<i32>(scratch, status, INGEST_SCRATCH_STATUS_OFFSET);
  add(INGEST_BYTES_OFFSET, bytes);
  if (count) journalPublish();
  // After the entries are committed: whoever replaces this worker finds every record either in the journal or still in the ring.
  ringRelease(scratch);
  return count;
}

/** The record at hand after STATUS_RESOLVE, with its paths settled (KERNEL_FLAG_RESOLVED), from private memory. Answers 1, or why not (try again). */
export function ingestSettled(scratch: usize, record: usize, length: u32): i32 {
  const status = ingestRecord(scratch, record, length, true);
  if (status > 0) ingestTaken(scratch, length);
  return status;
}

/** The record at hand after STATUS_RESOLVE is outside the watched trees. */
export function ingestOutside(scratch: usize): void {
  const record = load<u32>(scratch, INGEST_SCRATCH_RECORD_ADDRESS_OFFSET) as usize;
  laneStore(record);
  add(INGEST_FILTERED_OFFSET, 1);
  ingestTaken(scratch, load<u32>(scratch, INGEST_SCRATCH_RECORD_LENGTH_OFFSET));
}

function ingestTaken(scratch: usize, length: u32): void {
  add(INGEST_BYTES_OFFSET, length);
  journalPublish();
  ringAdvance(scratch);
  ringRelease(scratch);
}

/**
 * Finds records that the kernel dropped and that no later record of their lane has shown yet: kernelLanes is the programs' own table
 * (layout/kernel-control.ts), copied to `snapshot` (LANES_MAX u64) before the ring was drained to its end. Answers the gaps written, or why it could not.
 */
export function ingestReconcile(snapshot: usize, nowNs: i64): i32 {
  let gaps = 0;
  for (let lane: u32 = 0; lane < <u32>LANES_MAX; lane++) {
    const handedOver = load<u64>(snapshot + (lane << 3));
    const at = ARENA_INGEST_OFFSET + (lane << 3);
    const seen = load<u64>(at, INGEST_LANES_OFFSET);
    if (handedOver <= seen) continue;
    const status = laneGap(lane, seen + 1, handedOver, nowNs);
    if (status < 0) return status;
    store<u64>(at, handedOver, INGEST_LANES_OFFSET);
    gaps += 1;
  }
  if (gaps) journalPublish();
  return gaps;
}

/** A loss that the source itself reports. Answers the entry's address, or why there is no room. */
export function ingestLoss(cause: u32, cpu: u32, from: u64, to: u64, count: u64, nowNs: i64): i32 {
  const entry = gapAppend(cause, cpu, from, to, count, nowNs + clockOffset());
  if (entry < 0) return entry;
  add(INGEST_GAPS_OFFSET, 1);
  add(INGEST_LOST_OFFSET, count);
  journalPublish();
  return entry;
}

/** One record: TAKEN, STATUS_RESOLVE, or what journalReserve answers when there is no room. */
function ingestRecord(scratch: usize, record: usize, length: u32, settled: bool): i32 {
  const reason = recordCheck(record, length);
  if (reason) {
    quarantine(scratch, record, length, reason);
    return TAKEN;
  }
  const lane = load<u32>(record, KERNEL_RECORD_CPU_OFFSET);
  const sequence = load<u64>(record, KERNEL_RECORD_LANE_SEQUENCE_OFFSET);
  if (sequence) {
    const last = load<u64>(ARENA_INGEST_OFFSET + (lane << 3), INGEST_LANES_OFFSET);
    if (sequence <= last) {
      add(INGEST_DUPLICATE_OFFSET, 1);
      return TAKEN;
    }
    if (sequence != last + 1) {
      const status = laneGap(lane, last + 1, sequence - 1, load<i64>(record, KERNEL_RECORD_TIME_NS_OFFSET));
      if (status < 0) return status;
      // Told once, even if the record itself must wait for room.
      store<u64>(ARENA_INGEST_OFFSET + (lane << 3), sequence - 1, INGEST_LANES_OFFSET);
    }
  }
  if (!isWanted(scratch, record)) {
    laneStore(record);
    add(INGEST_FILTERED_OFFSET, 1);
    return TAKEN;
  }
  const flags = load<u16>(record, KERNEL_RECORD_FLAGS_OFFSET) as u32;
  if (!settled && flags & NEEDS_SETTLING && !(flags & KERNEL_FLAG_RESOLVED)) {
    store<u32>(scratch, record as u32, INGEST_SCRATCH_RECORD_ADDRESS_OFFSET);
    store<u32>(scratch, length, INGEST_SCRATCH_RECORD_LENGTH_OFFSET);
    return STATUS_RESOLVE;
  }
  const entry = translateRecord(record, clockOffset());
  if (entry < 0) return entry;
  laneStore(record);
  add(INGEST_DELIVERED_OFFSET, 1);
  return TAKEN;
}

/** By operation and process, where the source does not filter by itself. */
// @ts-ignore: decorator
@inline
function isWanted(scratch: usize, record: usize): bool {
  const ops = load<u32>(scratch, INGEST_SCRATCH_OPS_OFFSET);
  const pidCount = load<u32>(scratch, INGEST_SCRATCH_PID_COUNT_OFFSET);
  if (!(ops | pidCount)) return true;
  if (ops && !((ops >>> (load<u16>(record, KERNEL_RECORD_OP_OFFSET) as u32)) & 1)) return false;
  return !pidCount || isWantedPid(scratch, load<u32>(record, KERNEL_RECORD_PID_OFFSET), pidCount);
}

function isWantedPid(scratch: usize, pid: u32, count: u32): bool {
  for (let index: u32 = 0; index < count; index++) {
    if (load<u32>(scratch + (index << 2), INGEST_SCRATCH_PIDS_OFFSET) == pid) return true;
  }
  return false;
}

/** 0, or what is wrong with the record (MALFORMED_). The rules are at the head of layout/kernel-record.ts. */
export function recordCheck(record: usize, length: u32): u32 {
  if (length < <u32>KERNEL_RECORD_HEADER_LENGTH) return MALFORMED_TOO_SHORT;
  if (length > <u32>KERNEL_RECORD_LENGTH_MAX) return MALFORMED_LENGTH;
  if (load<u16>(record, KERNEL_RECORD_VERSION_OFFSET) != KERNEL_RECORD_VERSION) return MALFORMED_VERSION;
  if ((load<u16>(record, KERNEL_RECORD_OP_OFFSET) as u32) >= <u32>KERNEL_OP_COUNT) return MALFORMED_OP;
  if ((load<u16>(record, KERNEL_RECORD_VARIANT_OFFSET) as u32) >= <u32>KERNEL_VARIANT_COUNT) return MALFORMED_VARIANT;
  if (load<u32>(record, KERNEL_RECORD_CPU_OFFSET) >= <u32>LANES_MAX) return MALFORMED_LANE;
  const pathLength = load<u16>(record, KERNEL_RECORD_PATH_LENGTH_OFFSET) as u32;
  const path2Length = load<u16>(record, KERNEL_RECORD_PATH2_LENGTH_OFFSET) as u32;
  if (pathLength > <u32>PATH_LENGTH_MAX || path2Length > <u32>PATH_LENGTH_MAX) return MALFORMED_PATH_LENGTH;
  const claimed = load<u32>(record, KERNEL_RECORD_LENGTH_OFFSET);
  if (claimed != length || claimed != KERNEL_RECORD_HEADER_LENGTH + pathLength + path2Length) return MALFORMED_LENGTH;
  if (hasNul(record + KERNEL_RECORD_HEADER_LENGTH, pathLength + path2Length)) return MALFORMED_PATH;
  return 0;
}

/** Eight bytes a step, the last of them ending where the run ends. */
function hasNul(address: usize, length: u32): bool {
  if (length < 8) {
    for (let at: u32 = 0; at < length; at++) if (!load<u8>(address + at)) return true;
    return false;
  }
  const last = address + length - 8;
  for (let at = address; at < last; at += 8) if (hasNulByte(load<u64>(at))) return true;
  return hasNulByte(load<u64>(last));
}

/** (x - 0x01..) & ~x & 0x80.. is not 0 exactly when a byte of x is 0 (Mycroft, 1987). */
// @ts-ignore: decorator
@inline
function hasNulByte(word: u64): bool {
  return ((word - 0x0101010101010101) & ~word & 0x8080808080808080) != 0;
}

function laneGap(lane: u32, from: u64, to: u64, timeNs: i64): i32 {
  const count = to - from + 1;
  const entry = gapAppend(GAP_CAUSE_RING_FULL, lane, from, to, count, timeNs + clockOffset());
  if (entry < 0) return entry;
  add(INGEST_GAPS_OFFSET, 1);
  add(INGEST_LOST_OFFSET, count);
  return entry;
}

// @ts-ignore: decorator
@inline
function laneStore(record: usize): void {
  const sequence = load<u64>(record, KERNEL_RECORD_LANE_SEQUENCE_OFFSET);
  if (!sequence) return;
  store<u64>(ARENA_INGEST_OFFSET + (load<u32>(record, KERNEL_RECORD_CPU_OFFSET) << 3), sequence, INGEST_LANES_OFFSET);
}

function quarantine(scratch: usize, record: usize, length: u32, reason: u32): void {
  const number = load<u64>(ARENA_INGEST_OFFSET, INGEST_MALFORMED_OFFSET);
  add(INGEST_MALFORMED_OFFSET, 1);
  // The lane goes on behind it where its header can be believed at all: a malformed record is malformed, not lost.
  if (length >= <u32>KERNEL_RECORD_HEADER_LENGTH && load<u32>(record, KERNEL_RECORD_CPU_OFFSET) < <u32>LANES_MAX) {
    const at = ARENA_INGEST_OFFSET + (load<u32>(record, KERNEL_RECORD_CPU_OFFSET) << 3);
    if (load<u64>(record, KERNEL_RECORD_LANE_SEQUENCE_OFFSET) == load<u64>(at, INGEST_LANES_OFFSET) + 1) laneStore(record);
  }
  if (number >= <u64>QUARANTINE_RECORDS_MAX) return;
  const slot = scratch + INGEST_SCRATCH_QUARANTINE_OFFSET + (number as usize) * QUARANTINE_SLOT_LENGTH;
  const kept = min<u32>(length, QUARANTINE_BYTES_MAX);
  store<u32>(slot, reason, QUARANTINE_REASON_OFFSET);
  store<u32>(slot, length, QUARANTINE_LENGTH_OFFSET);
  store<u32>(slot, kept, QUARANTINE_KEPT_OFFSET);
  memory.copy(slot + QUARANTINE_BYTES_OFFSET, record, kept);
}

/** From the record's hand-over to nowNs; 0 where the clocks disagree (another CPU's may be a few ns ahead), or the record is malformed. */
// @ts-ignore: decorator
@inline
function latencyOf(record: usize, length: u32, nowNs: u64): u64 {
  if (length < <u32>KERNEL_RECORD_HEADER_LENGTH) return 0;
  const handedOver = load<u64>(record, KERNEL_RECORD_TIME_NS_OFFSET) + load<u32>(record, KERNEL_RECORD_SUBMIT_DELAY_NS_OFFSET);
  return nowNs > handedOver ? nowNs - handedOver : 0;
}

// @ts-ignore: decorator
@inline
function clockOffset(): i64 {
  return load<i64>(ARENA_INGEST_OFFSET, INGEST_CLOCK_OFFSET_NS_OFFSET);
}

/** Counters have one writer, this worker, and readers that may see them a moment late: a plain store, an xchg would cost more than the rest. */
// @ts-ignore: decorator
@inline
function add(counter: usize, count: u64): void {
  const at: usize = counter + ARENA_INGEST_OFFSET;
  store<u64>(at, load<u64>(at) + count);
}
