// The rival of translate.kernel: the same ingestion in plain JavaScript, written as well as JavaScript allows. u64 fields go as two u32 (BigInt would
// allocate), short paths byte by byte (a subarray would allocate), the crc32c sixteen bytes a step over tables, as ours does.

import { crc32c, makeTables } from './plain-crc32c.mjs';
import { makeTypes } from './plain-types.mjs';

/** @param {Record<string, number>} L */
export function makePlain(L) {
  const tables = makeTables();

  /**
   * Takes records (each behind an 8-byte header with its length, 8-aligned, as in the ring) and writes entries behind the segment's header.
   * @param {{ records: ArrayBuffer, end: number, segment: ArrayBuffer, clockOffsetNs: bigint }} options
   * @returns {{ count: number, malformed: number }}
   */
  function ingest({ records, end, segment, clockOffsetNs }) {
    const from = new DataView(records);
    const fromBytes = new Uint8Array(records);
    const to = new DataView(segment);
    const toBytes = new Uint8Array(segment);
    const lanes = new Float64Array(LANES_MAX);
    const offsetLow = Number(BigInt.asUintN(32, clockOffsetNs));
    const offsetHigh = Number(BigInt.asUintN(32, clockOffsetNs >> 32n));
    let entry = SEGMENT_HEADER_LENGTH;
    let sequence = 1;
    let malformed = 0;
    for (let at = 0; at < end; ) {
      const length = from.getUint32(at, true);
      const record = at + 8;
      at += (length + 15) & ~7;
      if (!isValid(from, fromBytes, record, length)) {
        malformed += 1;
        continue;
      }
      const lane = from.getUint32(record + RECORD_CPU, true);
      const laneSequence =
        from.getUint32(record + RECORD_LANE_SEQUENCE, true) +
        from.getUint32(record + RECORD_LANE_SEQUENCE + 4, true) * 2 ** 32;
      if (laneSequence !== 0) {
        if (laneSequence !== lanes[lane] + 1) throw new Error('the bench has no gaps');
        lanes[lane] = laneSequence;
      }
      entry += translate(from, fromBytes, record, to, toBytes, entry, sequence, offsetLow, offsetHigh);
      sequence += 1;
    }
    return { count: sequence - 1, malformed };
  }

  const {
    KERNEL_RECORD_HEADER_LENGTH: RECORD_HEADER_LENGTH,
    KERNEL_RECORD_LENGTH_MAX: RECORD_LENGTH_MAX,
    KERNEL_RECORD_LENGTH_OFFSET: RECORD_LENGTH,
    KERNEL_RECORD_VERSION_OFFSET: RECORD_VERSION,
    KERNEL_RECORD_VERSION: VERSION,
    KERNEL_RECORD_OP_OFFSET: RECORD_OP,
    KERNEL_RECORD_VARIANT_OFFSET: RECORD_VARIANT,
    KERNEL_RECORD_FLAGS_OFFSET: RECORD_FLAGS,
    KERNEL_RECORD_CPU_OFFSET: RECORD_CPU,
    KERNEL_RECORD_TIME_NS_OFFSET: RECORD_TIME,
    KERNEL_RECORD_DURATION_NS_OFFSET: RECORD_DURATION,
    KERNEL_RECORD_LANE_SEQUENCE_OFFSET: RECORD_LANE_SEQUENCE,
    KERNEL_RECORD_INODE_OFFSET: RECORD_INODE,
    KERNEL_RECORD_DEVICE_OFFSET: RECORD_DEVICE,
    KERNEL_RECORD_SIZE_OFFSET: RECORD_SIZE,
    KERNEL_RECORD_AMOUNT_OFFSET: RECORD_AMOUNT,
    KERNEL_RECORD_ARGUMENT_OFFSET: RECORD_ARGUMENT,
    KERNEL_RECORD_PID_OFFSET: RECORD_PID,
    KERNEL_RECORD_TID_OFFSET: RECORD_TID,
    KERNEL_RECORD_UID_OFFSET: RECORD_UID,
    KERNEL_RECORD_GID_OFFSET: RECORD_GID,
    KERNEL_RECORD_ERROR_OFFSET: RECORD_ERROR,
    KERNEL_RECORD_MODE_OFFSET: RECORD_MODE,
    KERNEL_RECORD_SUBMIT_DELAY_NS_OFFSET: RECORD_SUBMIT_DELAY,
    KERNEL_RECORD_PATH_LENGTH_OFFSET: RECORD_PATH_LENGTH,
    KERNEL_RECORD_PATH2_LENGTH_OFFSET: RECORD_PATH2_LENGTH,
    KERNEL_RECORD_COMM_OFFSET: RECORD_COMM,
    KERNEL_OP_COUNT: OP_COUNT,
    KERNEL_VARIANT_COUNT: VARIANT_COUNT,
    LANES_MAX,
    PATH_LENGTH_MAX,
    SEGMENT_HEADER_LENGTH,
    ENTRY_HEADER_LENGTH,
    ENTRY_LENGTH_OFFSET: ENTRY_LENGTH,
    ENTRY_CRC32C_OFFSET: ENTRY_CRC32C,
    ENTRY_SEQUENCE_OFFSET: ENTRY_SEQUENCE,
    ENTRY_LAMPORT_OFFSET: ENTRY_LAMPORT,
    ENTRY_TIME_NS_OFFSET: ENTRY_TIME,
    ENTRY_PRESENCE_OFFSET: ENTRY_PRESENCE,
    ENTRY_KIND_OFFSET: ENTRY_KIND,
    ENTRY_KIND_EVENT,
    ENTRY_TYPE_OFFSET: ENTRY_TYPE,
    ENTRY_SUBTYPE_OFFSET: ENTRY_SUBTYPE,
    ENTRY_ORIGIN_KERNEL,
    ENTRY_PRIORITY_OFFSET: ENTRY_PRIORITY,
    ENTRY_VERSION_OFFSET: ENTRY_VERSION,
    ENTRY_RELEVANCE_OFFSET: ENTRY_RELEVANCE,
    ENTRY_REPLAY_PRIORITY_OFFSET: ENTRY_REPLAY_PRIORITY,
    ENTRY_CPU_OFFSET: ENTRY_CPU,
    ENTRY_PID_OFFSET: ENTRY_PID,
    ENTRY_TIME_SEQUENCE_OFFSET: ENTRY_TIME_SEQUENCE,
    ENTRY_LOCAL_SEQUENCE_OFFSET: ENTRY_LOCAL_SEQUENCE,
    ENTRY_VISIBILITY_MASK_OFFSET: ENTRY_VISIBILITY_MASK,
    ENTRY_BIT_U32_FIRST,
    ENTRY_BIT_BYTES_FIRST,
    EVENT_PRIORITY_NORMAL,
    EVENT_VERSION,
    EVENT_RELEVANCE_DEFAULT,
  } = /** @type {Record<string, any>} */ (L);
  // Fields in the order of their presence bits: offset in the record, bit in its half of the presence word.
  const u64Fields = Int32Array.of(
    RECORD_INODE,
    RECORD_DEVICE,
    RECORD_SIZE,
    RECORD_AMOUNT,
    RECORD_ARGUMENT,
    RECORD_DURATION,
    RECORD_TIME,
  );
  const u64Bits = Int32Array.from(
    ['INODE', 'DEVICE', 'SIZE', 'AMOUNT', 'ARGUMENT', 'DURATION_NS', 'MONOTONIC_NS'].map((name) =>
      Number(L[`ENTRY_BIT_${name}`]),
    ),
  );
  const bitOf = (/** @type {string} */ name) => Number(L[`ENTRY_BIT_${name}`]);
  const [tidBit, uidBit, gidBit, errorBit, modeBit, flagsBit, delayBit, commBit, pathBit, path2Bit] = [
    'TID',
    'UID',
    'GID',
    'ERROR',
    'MODE',
    'RECORD_FLAGS',
    'SUBMIT_DELAY_NS',
    'COMM',
    'PATH',
    'PATH2',
  ].map(bitOf);
  if (ENTRY_BIT_U32_FIRST >= 32 || ENTRY_BIT_BYTES_FIRST <= 32 || Number(tidBit) < 32)
    throw new Error('the presence word is not as it was');
  const types = makeTypes(L);

  /**
   * @param {DataView} from
   * @param {Uint8Array} fromBytes
   * @param {number} record
   * @param {number} length
   */
  function isValid(from, fromBytes, record, length) {
    if (length < RECORD_HEADER_LENGTH || length > RECORD_LENGTH_MAX) return false;
    if (from.getUint16(record + RECORD_VERSION, true) !== VERSION) return false;
    if (from.getUint16(record + RECORD_OP, true) >= OP_COUNT) return false;
    if (from.getUint16(record + RECORD_VARIANT, true) >= VARIANT_COUNT) return false;
    if (from.getUint32(record + RECORD_CPU, true) >= LANES_MAX) return false;
    const pathLength = from.getUint16(record + RECORD_PATH_LENGTH, true);
    const path2Length = from.getUint16(record + RECORD_PATH2_LENGTH, true);
    if (pathLength > PATH_LENGTH_MAX || path2Length > PATH_LENGTH_MAX) return false;
    if (from.getUint32(record + RECORD_LENGTH, true) !== length) return false;
    if (RECORD_HEADER_LENGTH + pathLength + path2Length !== length) return false;
    for (let at = record + RECORD_HEADER_LENGTH; at < record + length; at++) if (fromBytes[at] === 0) return false;
    return true;
  }

  /**
   * @param {DataView} from
   * @param {Uint8Array} fromBytes
   * @param {number} record
   * @param {DataView} to
   * @param {Uint8Array} toBytes
   * @param {number} entry
   * @param {number} sequence
   * @param {number} offsetLow
   * @param {number} offsetHigh
   * @returns {number} bytes that the entry takes
   */
  function translate(from, fromBytes, record, to, toBytes, entry, sequence, offsetLow, offsetHigh) {
    let low = 0;
    let at = entry + ENTRY_HEADER_LENGTH;
    for (let field = 0; field < u64Fields.length; field++) {
      const low32 = from.getUint32(record + u64Fields[field], true);
      const high32 = from.getUint32(record + u64Fields[field] + 4, true);
      if ((low32 | high32) === 0) continue;
      low |= 1 << u64Bits[field];
      to.setUint32(at, low32, true);
      to.setUint32(at + 4, high32, true);
      at += 8;
    }
    let high = 0;
    const tid = from.getUint32(record + RECORD_TID, true);
    if (tid !== 0) {
      high |= 1 << (Number(tidBit) - 32);
      to.setUint32(at, tid, true);
      at += 4;
    }
    const uid = from.getUint32(record + RECORD_UID, true);
    if (uid !== 0) {
      high |= 1 << (Number(uidBit) - 32);
      to.setUint32(at, uid, true);
      at += 4;
    }
    const gid = from.getUint32(record + RECORD_GID, true);
    if (gid !== 0) {
      high |= 1 << (Number(gidBit) - 32);
      to.setUint32(at, gid, true);
      at += 4;
    }
    const error = from.getUint32(record + RECORD_ERROR, true);
    if (error !== 0) {
      high |= 1 << (Number(errorBit) - 32);
      to.setUint32(at, error, true);
      at += 4;
    }
    const mode = from.getUint32(record + RECORD_MODE, true);
    if (mode !== 0) {
      high |= 1 << (Number(modeBit) - 32);
      to.setUint32(at, mode, true);
      at += 4;
    }
    const flags = from.getUint16(record + RECORD_FLAGS, true);
    if (flags !== 0) {
      high |= 1 << (Number(flagsBit) - 32);
      to.setUint32(at, flags, true);
      at += 4;
    }
    const delay = from.getUint32(record + RECORD_SUBMIT_DELAY, true);
    if (delay !== 0) {
      high |= 1 << (Number(delayBit) - 32);
      to.setUint32(at, delay, true);
      at += 4;
    }
    let commLength = 16;
    while (commLength > 0 && fromBytes[record + RECORD_COMM + commLength - 1] === 0) commLength--;
    if (commLength !== 0) {
      high |= 1 << (Number(commBit) - 32);
      at = putBytes(to, toBytes, at, fromBytes, record + RECORD_COMM, commLength);
    }
    const pathLength = from.getUint16(record + RECORD_PATH_LENGTH, true);
    if (pathLength !== 0) {
      high |= 1 << (Number(pathBit) - 32);
      at = putBytes(to, toBytes, at, fromBytes, record + RECORD_HEADER_LENGTH, pathLength);
    }
    const path2Length = from.getUint16(record + RECORD_PATH2_LENGTH, true);
    if (path2Length !== 0) {
      high |= 1 << (Number(path2Bit) - 32);
      at = putBytes(to, toBytes, at, fromBytes, record + RECORD_HEADER_LENGTH + pathLength, path2Length);
    }

    const op = from.getUint16(record + RECORD_OP, true);
    const variant = from.getUint16(record + RECORD_VARIANT, true);
    const sequenceHigh = Math.floor(sequence / 2 ** 32);
    to.setUint32(entry + ENTRY_SEQUENCE, sequence, true);
    to.setUint32(entry + ENTRY_SEQUENCE + 4, sequenceHigh, true);
    to.setUint32(entry + ENTRY_LAMPORT, sequence, true);
    to.setUint32(entry + ENTRY_LAMPORT + 4, sequenceHigh, true);
    const timeLow = from.getUint32(record + RECORD_TIME, true) + offsetLow;
    to.setUint32(entry + ENTRY_TIME, timeLow, true);
    to.setUint32(
      entry + ENTRY_TIME + 4,
      from.getUint32(record + RECORD_TIME + 4, true) + offsetHigh + (timeLow > 0xffffffff ? 1 : 0),
      true,
    );
    to.setUint32(entry + ENTRY_PRESENCE, low, true);
    to.setUint32(entry + ENTRY_PRESENCE + 4, high, true);
    to.setUint32(entry + ENTRY_KIND, ENTRY_KIND_EVENT, true);
    to.setUint32(entry + ENTRY_TYPE, types[(op << 8) | variant], true);
    to.setUint32(entry + ENTRY_SUBTYPE, (ENTRY_ORIGIN_KERNEL << 24) | (variant << 8) | op, true);
    to.setUint32(entry + ENTRY_PRIORITY, EVENT_PRIORITY_NORMAL, true);
    to.setUint32(entry + ENTRY_VERSION, EVENT_VERSION, true);
    to.setUint32(entry + ENTRY_RELEVANCE, EVENT_RELEVANCE_DEFAULT, true);
    to.setUint32(entry + ENTRY_REPLAY_PRIORITY, EVENT_PRIORITY_NORMAL, true);
    to.setUint32(entry + ENTRY_CPU, from.getUint32(record + RECORD_CPU, true), true);
    to.setUint32(entry + ENTRY_PID, from.getUint32(record + RECORD_PID, true), true);
    to.setUint32(entry + ENTRY_TIME_SEQUENCE, sequence, true);
    to.setUint32(entry + ENTRY_TIME_SEQUENCE + 4, sequenceHigh, true);
    to.setUint32(entry + ENTRY_LOCAL_SEQUENCE, from.getUint32(record + RECORD_LANE_SEQUENCE, true), true);
    to.setUint32(entry + ENTRY_LOCAL_SEQUENCE + 4, from.getUint32(record + RECORD_LANE_SEQUENCE + 4, true), true);
    to.setInt32(entry + ENTRY_VISIBILITY_MASK, -1, true);
    to.setInt32(entry + ENTRY_VISIBILITY_MASK + 4, -1, true);
    const length = at - entry;
    to.setInt32(entry + ENTRY_CRC32C, crc32c(tables, to, toBytes, entry + 8, length - 8), true);
    to.setInt32(entry + ENTRY_LENGTH, length, true);
    return (length + 7) & ~7;
  }

  return { ingest };
}

/**
 * @param {DataView} to
 * @param {Uint8Array} toBytes
 * @param {number} at
 * @param {Uint8Array} fromBytes
 * @param {number} from
 * @param {number} length
 */
function putBytes(to, toBytes, at, fromBytes, from, length) {
  to.setUint32(at, length, true);
  for (let index = 0; index < length; index++) toBytes[at + 4 + index] = fromBytes[from + index];
  return at + 4 + length;
}
