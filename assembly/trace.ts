// Replay of a trace (layout/trace-file.ts): goes over the frames of a chunk of the file and puts their records into the ring.

import {
  KERNEL_RECORD_CPU_OFFSET,
  KERNEL_RECORD_HEADER_LENGTH,
  KERNEL_RECORD_LANE_SEQUENCE_OFFSET,
  KERNEL_RECORD_OP_OFFSET,
  KERNEL_RECORD_PID_OFFSET,
  KERNEL_RECORD_TIME_NS_OFFSET,
} from "../layout/kernel-record";
import { LANES_MAX } from "../layout/limits";
import { STATUS_TOO_LONG } from "../layout/status";
import {
  TRACE_END_LENGTH,
  TRACE_FRAME_CRC32C_OFFSET,
  TRACE_FRAME_END,
  TRACE_FRAME_HEADER_LENGTH,
  TRACE_FRAME_KIND_OFFSET,
  TRACE_FRAME_LENGTH_MAX,
  TRACE_FRAME_LENGTH_OFFSET,
  TRACE_FRAME_LOSS,
  TRACE_FRAME_RECORD,
  TRACE_LOSS_LENGTH,
} from "../layout/trace-file";
import {
  TRACE_PACE_DUE,
  TRACE_PACE_NONE,
  TRACE_SCRATCH_CHECKSUM_OFFSET,
  TRACE_SCRATCH_CHUNK_OFFSET,
  TRACE_SCRATCH_DUE_NS_OFFSET,
  TRACE_SCRATCH_END_OFFSET,
  TRACE_SCRATCH_GAP_FROM_OFFSET,
  TRACE_SCRATCH_GAP_TO_OFFSET,
  TRACE_SCRATCH_LANES_OFFSET,
  TRACE_SCRATCH_OPS_OFFSET,
  TRACE_SCRATCH_PACE_OFFSET,
  TRACE_SCRATCH_PIDS_OFFSET,
  TRACE_SCRATCH_PID_COUNT_OFFSET,
  TRACE_SCRATCH_RECORDS_OFFSET,
  TRACE_SCRATCH_START_OFFSET,
  TRACE_SCRATCH_STOP_OFFSET,
  TRACE_SCRATCH_SUBMITTED_OFFSET,
  TRACE_STOP_CHECKSUM,
  TRACE_STOP_CHUNK,
  TRACE_STOP_COUNT,
  TRACE_STOP_END,
  TRACE_STOP_FULL,
  TRACE_STOP_GAP,
  TRACE_STOP_HEADER,
  TRACE_STOP_LOSS,
  TRACE_STOP_NOT_DUE,
  TRACE_STOP_TOO_LONG,
} from "../layout/trace-replay";
import { crc32cUpdate } from "./crc32c";
import { ringReserve, ringSubmit } from "./ring";

/**
 * Goes over up to framesMax records of the chunk in `scratch` (layout/trace-replay.ts), and submits those that are wanted to the ring of the producer
 * state `producer`. Answers how many it went over; the scratch says how many were submitted, why it ended and at which frame. Publishing is the
 * caller's, once per batch.
 */
export function traceFrames(scratch: usize, producer: usize, framesMax: i32): i32 {
  const chunk = scratch + TRACE_SCRATCH_CHUNK_OFFSET;
  const end = load<u32>(scratch, TRACE_SCRATCH_END_OFFSET);
  const pace = load<u32>(scratch, TRACE_SCRATCH_PACE_OFFSET);
  const isFiltered = (load<u32>(scratch, TRACE_SCRATCH_OPS_OFFSET) | load<u32>(scratch, TRACE_SCRATCH_PID_COUNT_OFFSET)) != 0;
  let start = load<u32>(scratch, TRACE_SCRATCH_START_OFFSET);
  let stop = TRACE_STOP_COUNT;
  let count = 0;
  let submitted: u32 = 0;
  while (count < framesMax) {
    const frame = chunk + start;
    stop = frameCheck(scratch, frame, end - start);
    if (stop != TRACE_STOP_COUNT) break;
    const length = load<u32>(frame, TRACE_FRAME_LENGTH_OFFSET);
    const record = frame + TRACE_FRAME_HEADER_LENGTH;
    let isWanted = true;
    // What is no record (the recorder keeps malformed ones, too) has neither time nor lane.
    if (length >= <u32>KERNEL_RECORD_HEADER_LENGTH) {
      if (pace != TRACE_PACE_NONE && !isDue(scratch, record, pace)) {
        stop = TRACE_STOP_NOT_DUE;
        break;
      }
      if (isFiltered) {
        if (laneGap(scratch, record)) {
          stop = TRACE_STOP_GAP;
          break;
        }
        isWanted = isWantedBy(scratch, record);
      }
    }
    if (isWanted) {
      const address = ringReserve(producer, length);
      if (address <= 0) {
        stop = address == STATUS_TOO_LONG ? TRACE_STOP_TOO_LONG : TRACE_STOP_FULL;
        break;
      }
      memory.copy(address, record, length);
      // With others left out, a jump in the lane means nothing: real gaps were told above.
      if (isFiltered && length >= <u32>KERNEL_RECORD_HEADER_LENGTH) store<u64>(address, 0, KERNEL_RECORD_LANE_SEQUENCE_OFFSET);
      ringSubmit(producer, length);
      submitted += 1;
    }
    count += 1;
    start += TRACE_FRAME_HEADER_LENGTH + length;
  }
  store<u32>(scratch, start, TRACE_SCRATCH_START_OFFSET);
  store<u64>(scratch, load<u64>(scratch, TRACE_SCRATCH_RECORDS_OFFSET) + count, TRACE_SCRATCH_RECORDS_OFFSET);
  store<u32>(scratch, submitted, TRACE_SCRATCH_SUBMITTED_OFFSET);
  store<u32>(scratch, stop, TRACE_SCRATCH_STOP_OFFSET);
  return count;
}

/** TRACE_STOP_COUNT: a whole, right frame with a record; or what else is at hand, or wrong. */
// @ts-ignore: decorator
@inline
function frameCheck(scratch: usize, frame: usize, available: u32): u32 {
  if (available < <u32>TRACE_FRAME_HEADER_LENGTH) return TRACE_STOP_CHUNK;
  const length = load<u32>(frame, TRACE_FRAME_LENGTH_OFFSET);
  const kind = load<u32>(frame, TRACE_FRAME_KIND_OFFSET);
  if (!isHeader(kind, length)) return TRACE_STOP_HEADER;
  if (available < <u32>TRACE_FRAME_HEADER_LENGTH + length) return TRACE_STOP_CHUNK;
  const kindCrc32c = crc32cUpdate(0, frame + TRACE_FRAME_KIND_OFFSET, 4);
  const found = crc32cUpdate(kindCrc32c, frame + TRACE_FRAME_HEADER_LENGTH, length);
  if (found != load<u32>(frame, TRACE_FRAME_CRC32C_OFFSET)) {
    store<u32>(scratch, found, TRACE_SCRATCH_CHECKSUM_OFFSET);
    return TRACE_STOP_CHECKSUM;
  }
  if (kind == TRACE_FRAME_RECORD) return TRACE_STOP_COUNT;
  return kind == TRACE_FRAME_LOSS ? TRACE_STOP_LOSS : TRACE_STOP_END;
}

// @ts-ignore: decorator
@inline
function isHeader(kind: u32, length: u32): bool {
  if (kind == TRACE_FRAME_RECORD) return length <= <u32>TRACE_FRAME_LENGTH_MAX;
  if (kind == TRACE_FRAME_LOSS) return length == TRACE_LOSS_LENGTH;
  return kind == TRACE_FRAME_END && length == TRACE_END_LENGTH;
}

// @ts-ignore: decorator
@inline
function isDue(scratch: usize, record: usize, pace: u32): bool {
  return pace == TRACE_PACE_DUE && load<u64>(record, KERNEL_RECORD_TIME_NS_OFFSET) <= load<u64>(scratch, TRACE_SCRATCH_DUE_NS_OFFSET);
}

/** Whether the recording itself misses records of the lane before this one. Not for the first of a lane; once. */
function laneGap(scratch: usize, record: usize): bool {
  const lane = load<u32>(record, KERNEL_RECORD_CPU_OFFSET);
  const sequence = load<u64>(record, KERNEL_RECORD_LANE_SEQUENCE_OFFSET);
  if (!sequence || lane >= <u32>LANES_MAX) return false;
  const at = scratch + (lane << 3);
  const last = load<u64>(at, TRACE_SCRATCH_LANES_OFFSET);
  if (sequence <= last) return false;
  store<u64>(at, sequence, TRACE_SCRATCH_LANES_OFFSET);
  if (!last || sequence == last + 1) return false;
  store<u64>(scratch, last + 1, TRACE_SCRATCH_GAP_FROM_OFFSET);
  store<u64>(scratch, sequence - 1, TRACE_SCRATCH_GAP_TO_OFFSET);
  return true;
}

function isWantedBy(scratch: usize, record: usize): bool {
  const ops = load<u32>(scratch, TRACE_SCRATCH_OPS_OFFSET);
  const op = load<u16>(record, KERNEL_RECORD_OP_OFFSET) as u32;
  if (ops && (op >= 32 || !((ops >>> op) & 1))) return false;
  const count = load<u32>(scratch, TRACE_SCRATCH_PID_COUNT_OFFSET);
  if (!count) return true;
  const pid = load<u32>(record, KERNEL_RECORD_PID_OFFSET);
  for (let index: u32 = 0; index < count; index++) {
    if (load<u32>(scratch + (index << 2), TRACE_SCRATCH_PIDS_OFFSET) == pid) return true;
  }
  return false;
}
