// Kernel record -> journal entry and back, without loss (FORMATS.md section 2). The entry is written once, in place, in the journal's mapped segment.

import {
  ENTRY_BIT_AMOUNT,
  ENTRY_BIT_ARGUMENT,
  ENTRY_BIT_COMM,
  ENTRY_BIT_DEVICE,
  ENTRY_BIT_DURATION_NS,
  ENTRY_BIT_ERROR,
  ENTRY_BIT_GID,
  ENTRY_BIT_INODE,
  ENTRY_BIT_MODE,
  ENTRY_BIT_MONOTONIC_NS,
  ENTRY_BIT_PATH,
  ENTRY_BIT_PATH2,
  ENTRY_BIT_RECORD_FLAGS,
  ENTRY_BIT_SIZE,
  ENTRY_BIT_SUBMIT_DELAY_NS,
  ENTRY_BIT_TID,
  ENTRY_BIT_U32_FIRST,
  ENTRY_BIT_UID,
  ENTRY_CPU_OFFSET,
  ENTRY_HEADER_LENGTH,
  ENTRY_KIND_EVENT,
  ENTRY_LOCAL_SEQUENCE_OFFSET,
  ENTRY_ORIGIN_KERNEL,
  ENTRY_PID_OFFSET,
  ENTRY_PRESENCE_OFFSET,
  ENTRY_SUBTYPE_OFFSET,
} from "../layout/entry";
import {
  EVENT_ACCESS_CLOSE,
  EVENT_ACCESS_FALLOCATE,
  EVENT_ACCESS_FSYNC,
  EVENT_ACCESS_OPEN,
  EVENT_ACCESS_READDIR,
  EVENT_FS_CHMOD,
  EVENT_FS_CHOWN,
  EVENT_FS_CREATE,
  EVENT_FS_DELETE,
  EVENT_FS_HARDLINK,
  EVENT_FS_MKDIR,
  EVENT_FS_READ,
  EVENT_FS_RENAME,
  EVENT_FS_RMDIR,
  EVENT_FS_SYMLINK,
  EVENT_FS_TRUNCATE,
  EVENT_FS_WRITE,
  EVENT_SYSTEM_MOUNT,
  EVENT_SYSTEM_SYNC,
  EVENT_SYSTEM_UNMOUNT,
} from "../layout/event-type";
import {
  KERNEL_OP_DIR_CREATE,
  KERNEL_OP_DIR_DELETE,
  KERNEL_OP_DIR_READ,
  KERNEL_OP_FILE_CHMOD,
  KERNEL_OP_FILE_CHOWN,
  KERNEL_OP_FILE_CLOSE,
  KERNEL_OP_FILE_CREATE,
  KERNEL_OP_FILE_DELETE,
  KERNEL_OP_FILE_OPEN,
  KERNEL_OP_FILE_READ,
  KERNEL_OP_FILE_RENAME,
  KERNEL_OP_FILE_TRUNCATE,
  KERNEL_OP_FILE_WRITE,
  KERNEL_OP_HARDLINK_CREATE,
  KERNEL_OP_MOUNT,
  KERNEL_OP_SYMLINK_CREATE,
  KERNEL_OP_UNMOUNT,
  KERNEL_RECORD_AMOUNT_OFFSET,
  KERNEL_RECORD_ARGUMENT_OFFSET,
  KERNEL_RECORD_COMM_OFFSET,
  KERNEL_RECORD_CPU_OFFSET,
  KERNEL_RECORD_DEVICE_OFFSET,
  KERNEL_RECORD_DURATION_NS_OFFSET,
  KERNEL_RECORD_ERROR_OFFSET,
  KERNEL_RECORD_FLAGS_OFFSET,
  KERNEL_RECORD_GID_OFFSET,
  KERNEL_RECORD_HEADER_LENGTH,
  KERNEL_RECORD_INODE_OFFSET,
  KERNEL_RECORD_LANE_SEQUENCE_OFFSET,
  KERNEL_RECORD_LENGTH_OFFSET,
  KERNEL_RECORD_MODE_OFFSET,
  KERNEL_RECORD_OP_OFFSET,
  KERNEL_RECORD_PATH2_LENGTH_OFFSET,
  KERNEL_RECORD_PATH_LENGTH_OFFSET,
  KERNEL_RECORD_PID_OFFSET,
  KERNEL_RECORD_SIZE_OFFSET,
  KERNEL_RECORD_SUBMIT_DELAY_NS_OFFSET,
  KERNEL_RECORD_TID_OFFSET,
  KERNEL_RECORD_TIME_NS_OFFSET,
  KERNEL_RECORD_UID_OFFSET,
  KERNEL_RECORD_VARIANT_OFFSET,
  KERNEL_RECORD_VERSION,
  KERNEL_RECORD_VERSION_OFFSET,
  KERNEL_VARIANT_FALLOCATE,
  KERNEL_VARIANT_SYNC,
  KERNEL_VARIANT_SYNCFS,
  KERNEL_VARIANT_UNKNOWN,
} from "../layout/kernel-record";
import { COMM_LENGTH, PATH_LENGTH_MAX } from "../layout/limits";
import { bytesCopy } from "./bytes";
import { entryHeaderWrite } from "./entry";
import { journalCommit, journalReserve } from "./log";

/** Presence bits of the u64 fields. */
const U64_BITS: u64 = (1 << ENTRY_BIT_U32_FIRST) - 1;

/** The event type of a kernel operation: total over the 18 operations and every variant. */
export function translateType(op: u32, variant: u32): u32 {
  switch (op) {
    case KERNEL_OP_FILE_OPEN:
      return EVENT_ACCESS_OPEN;
    case KERNEL_OP_FILE_CLOSE:
      return EVENT_ACCESS_CLOSE;
    case KERNEL_OP_FILE_READ:
      return EVENT_FS_READ;
    case KERNEL_OP_FILE_WRITE:
      return EVENT_FS_WRITE;
    case KERNEL_OP_FILE_CREATE:
      return EVENT_FS_CREATE;
    case KERNEL_OP_FILE_DELETE:
      return EVENT_FS_DELETE;
    case KERNEL_OP_FILE_RENAME:
      return EVENT_FS_RENAME;
    case KERNEL_OP_FILE_CHMOD:
      return EVENT_FS_CHMOD;
    case KERNEL_OP_FILE_CHOWN:
      return EVENT_FS_CHOWN;
    case KERNEL_OP_FILE_TRUNCATE:
      // fallocate reserves, punches or extends; a reader must be able to tell it from a truncation.
      return variant == KERNEL_VARIANT_FALLOCATE ? EVENT_ACCESS_FALLOCATE : EVENT_FS_TRUNCATE;
    case KERNEL_OP_DIR_CREATE:
      return EVENT_FS_MKDIR;
    case KERNEL_OP_DIR_DELETE:
      return EVENT_FS_RMDIR;
    case KERNEL_OP_DIR_READ:
      return EVENT_ACCESS_READDIR;
    case KERNEL_OP_SYMLINK_CREATE:
      return EVENT_FS_SYMLINK;
    case KERNEL_OP_HARDLINK_CREATE:
      return EVENT_FS_HARDLINK;
    case KERNEL_OP_MOUNT:
      return EVENT_SYSTEM_MOUNT;
    case KERNEL_OP_UNMOUNT:
      return EVENT_SYSTEM_UNMOUNT;
    default:
      // sync and syncfs flush a whole system or file system; the others one file.
      return isWholeSync(variant) ? EVENT_SYSTEM_SYNC : EVENT_ACCESS_FSYNC;
  }
}

// @ts-ignore: decorator
@inline
function isWholeSync(variant: u32): bool {
  return variant == KERNEL_VARIANT_SYNC || variant == KERNEL_VARIANT_SYNCFS || variant == KERNEL_VARIANT_UNKNOWN;
}

/**
 * Appends the record (checked by recordCheck, and not changing any more) as an event. clockOffsetNs turns its CLOCK_MONOTONIC into the time of day.
 * Answers the entry's address, or what journalReserve answers when there is no room.
 */
export function translateRecord(record: usize, clockOffsetNs: i64): i32 {
  const inode = load<u64>(record, KERNEL_RECORD_INODE_OFFSET);
  const device = load<u64>(record, KERNEL_RECORD_DEVICE_OFFSET);
  const size = load<u64>(record, KERNEL_RECORD_SIZE_OFFSET);
  const amount = load<u64>(record, KERNEL_RECORD_AMOUNT_OFFSET);
  const argument = load<u64>(record, KERNEL_RECORD_ARGUMENT_OFFSET);
  const durationNs = load<u64>(record, KERNEL_RECORD_DURATION_NS_OFFSET);
  const monotonicNs = load<u64>(record, KERNEL_RECORD_TIME_NS_OFFSET);
  const tid = load<u32>(record, KERNEL_RECORD_TID_OFFSET);
  const uid = load<u32>(record, KERNEL_RECORD_UID_OFFSET);
  const gid = load<u32>(record, KERNEL_RECORD_GID_OFFSET);
  const error = load<u32>(record, KERNEL_RECORD_ERROR_OFFSET);
  const mode = load<u32>(record, KERNEL_RECORD_MODE_OFFSET);
  const recordFlags = load<u16>(record, KERNEL_RECORD_FLAGS_OFFSET) as u32;
  const submitDelayNs = load<u32>(record, KERNEL_RECORD_SUBMIT_DELAY_NS_OFFSET);
  const pathLength = load<u16>(record, KERNEL_RECORD_PATH_LENGTH_OFFSET) as u32;
  const path2Length = load<u16>(record, KERNEL_RECORD_PATH2_LENGTH_OFFSET) as u32;
  const commLength = commLengthOf(record);

  const presence: u64 =
    bit(inode != 0, ENTRY_BIT_INODE) |
    bit(device != 0, ENTRY_BIT_DEVICE) |
    bit(size != 0, ENTRY_BIT_SIZE) |
    bit(amount != 0, ENTRY_BIT_AMOUNT) |
    bit(argument != 0, ENTRY_BIT_ARGUMENT) |
    bit(durationNs != 0, ENTRY_BIT_DURATION_NS) |
    bit(monotonicNs != 0, ENTRY_BIT_MONOTONIC_NS) |
    bit(tid != 0, ENTRY_BIT_TID) |
    bit(uid != 0, ENTRY_BIT_UID) |
    bit(gid != 0, ENTRY_BIT_GID) |
    bit(error != 0, ENTRY_BIT_ERROR) |
    bit(mode != 0, ENTRY_BIT_MODE) |
    bit(recordFlags != 0, ENTRY_BIT_RECORD_FLAGS) |
    bit(submitDelayNs != 0, ENTRY_BIT_SUBMIT_DELAY_NS) |
    bit(commLength != 0, ENTRY_BIT_COMM) |
    bit(pathLength != 0, ENTRY_BIT_PATH) |
    bit(path2Length != 0, ENTRY_BIT_PATH2);
  const length =
    ENTRY_HEADER_LENGTH +
    8 * (popcnt<u64>(presence & U64_BITS) as u32) +
    4 * (popcnt<u64>(presence & ~U64_BITS) as u32) + // u32 fields, and the lengths of the byte fields
    commLength +
    pathLength +
    path2Length;

  const entry = journalReserve(length);
  if (entry < 0) return entry;
  const op = load<u16>(record, KERNEL_RECORD_OP_OFFSET) as u32;
  const variant = load<u16>(record, KERNEL_RECORD_VARIANT_OFFSET) as u32;
  entryHeaderWrite(entry, ENTRY_KIND_EVENT, translateType(op, variant), (monotonicNs as i64) + clockOffsetNs, presence);
  store<u32>(entry, (ENTRY_ORIGIN_KERNEL << 24) | (variant << 8) | op, ENTRY_SUBTYPE_OFFSET);
  store<u32>(entry, load<u32>(record, KERNEL_RECORD_CPU_OFFSET), ENTRY_CPU_OFFSET);
  store<u32>(entry, load<u32>(record, KERNEL_RECORD_PID_OFFSET), ENTRY_PID_OFFSET);
  store<u64>(entry, load<u64>(record, KERNEL_RECORD_LANE_SEQUENCE_OFFSET), ENTRY_LOCAL_SEQUENCE_OFFSET);

  // Fields in the order of their presence bits; recordFromEntry mirrors this line by line.
  let at: usize = entry + ENTRY_HEADER_LENGTH;
  at = putU64(at, inode);
  at = putU64(at, device);
  at = putU64(at, size);
  at = putU64(at, amount);
  at = putU64(at, argument);
  at = putU64(at, durationNs);
  at = putU64(at, monotonicNs);
  at = putU32(at, tid);
  at = putU32(at, uid);
  at = putU32(at, gid);
  at = putU32(at, error);
  at = putU32(at, mode);
  at = putU32(at, recordFlags);
  at = putU32(at, submitDelayNs);
  at = putBytes(at, record + KERNEL_RECORD_COMM_OFFSET, commLength);
  at = putBytes(at, record + KERNEL_RECORD_HEADER_LENGTH, pathLength);
  putBytes(at, record + KERNEL_RECORD_HEADER_LENGTH + pathLength, path2Length);
  journalCommit(entry);
  return entry;
}

/**
 * The kernel record that an entry of origin ENTRY_ORIGIN_KERNEL came from, written at `record` (KERNEL_RECORD_LENGTH_MAX bytes): its length, or 0 when
 * the entry is of another origin.
 */
export function recordFromEntry(entry: usize, record: usize): u32 {
  const subtype = load<u32>(entry, ENTRY_SUBTYPE_OFFSET);
  if (subtype >>> 24 != ENTRY_ORIGIN_KERNEL) return 0;
  memory.fill(record, 0, KERNEL_RECORD_HEADER_LENGTH);
  store<u16>(record, KERNEL_RECORD_VERSION as u16, KERNEL_RECORD_VERSION_OFFSET);
  store<u16>(record, (subtype & 0xff) as u16, KERNEL_RECORD_OP_OFFSET);
  store<u16>(record, ((subtype >>> 8) & 0xffff) as u16, KERNEL_RECORD_VARIANT_OFFSET);
  store<u32>(record, load<u32>(entry, ENTRY_CPU_OFFSET), KERNEL_RECORD_CPU_OFFSET);
  store<u32>(record, load<u32>(entry, ENTRY_PID_OFFSET), KERNEL_RECORD_PID_OFFSET);
  store<u64>(record, load<u64>(entry, ENTRY_LOCAL_SEQUENCE_OFFSET), KERNEL_RECORD_LANE_SEQUENCE_OFFSET);

  const presence = load<u64>(entry, ENTRY_PRESENCE_OFFSET);
  let at: usize = entry + ENTRY_HEADER_LENGTH;
  at = takeU64(at, presence, ENTRY_BIT_INODE, record + KERNEL_RECORD_INODE_OFFSET);
  at = takeU64(at, presence, ENTRY_BIT_DEVICE, record + KERNEL_RECORD_DEVICE_OFFSET);
  at = takeU64(at, presence, ENTRY_BIT_SIZE, record + KERNEL_RECORD_SIZE_OFFSET);
  at = takeU64(at, presence, ENTRY_BIT_AMOUNT, record + KERNEL_RECORD_AMOUNT_OFFSET);
  at = takeU64(at, presence, ENTRY_BIT_ARGUMENT, record + KERNEL_RECORD_ARGUMENT_OFFSET);
  at = takeU64(at, presence, ENTRY_BIT_DURATION_NS, record + KERNEL_RECORD_DURATION_NS_OFFSET);
  at = takeU64(at, presence, ENTRY_BIT_MONOTONIC_NS, record + KERNEL_RECORD_TIME_NS_OFFSET);
  at = takeU32(at, presence, ENTRY_BIT_TID, record + KERNEL_RECORD_TID_OFFSET);
  at = takeU32(at, presence, ENTRY_BIT_UID, record + KERNEL_RECORD_UID_OFFSET);
  at = takeU32(at, presence, ENTRY_BIT_GID, record + KERNEL_RECORD_GID_OFFSET);
  at = takeU32(at, presence, ENTRY_BIT_ERROR, record + KERNEL_RECORD_ERROR_OFFSET);
  at = takeU32(at, presence, ENTRY_BIT_MODE, record + KERNEL_RECORD_MODE_OFFSET);
  if (has(presence, ENTRY_BIT_RECORD_FLAGS)) {
    store<u16>(record, load<u32>(at) as u16, KERNEL_RECORD_FLAGS_OFFSET);
    at += 4;
  }
  at = takeU32(at, presence, ENTRY_BIT_SUBMIT_DELAY_NS, record + KERNEL_RECORD_SUBMIT_DELAY_NS_OFFSET);
  const comm = takeBytes(at, presence, ENTRY_BIT_COMM, record + KERNEL_RECORD_COMM_OFFSET, COMM_LENGTH);
  at = skipBytes(at, presence, ENTRY_BIT_COMM, comm);
  const pathAt = record + KERNEL_RECORD_HEADER_LENGTH;
  const pathLength = takeBytes(at, presence, ENTRY_BIT_PATH, pathAt, PATH_LENGTH_MAX);
  at = skipBytes(at, presence, ENTRY_BIT_PATH, pathLength);
  const path2Length = takeBytes(at, presence, ENTRY_BIT_PATH2, pathAt + pathLength, PATH_LENGTH_MAX);
  store<u16>(record, pathLength as u16, KERNEL_RECORD_PATH_LENGTH_OFFSET);
  store<u16>(record, path2Length as u16, KERNEL_RECORD_PATH2_LENGTH_OFFSET);
  const length = KERNEL_RECORD_HEADER_LENGTH + pathLength + path2Length;
  store<u32>(record, length, KERNEL_RECORD_LENGTH_OFFSET);
  return length;
}

/** Bytes of the task's name up to its last one that is not NUL. */
// @ts-ignore: decorator
@inline
function commLengthOf(record: usize): u32 {
  const low = load<u64>(record, KERNEL_RECORD_COMM_OFFSET);
  const high = load<u64>(record, KERNEL_RECORD_COMM_OFFSET + 8);
  if (high) return 16 - ((clz<u64>(high) as u32) >>> 3);
  return 8 - ((clz<u64>(low) as u32) >>> 3);
}

// @ts-ignore: decorator
@inline
function bit(present: bool, index: u64): u64 {
  return (present as u64) << index;
}

// @ts-ignore: decorator
@inline
function has(presence: u64, index: u64): bool {
  return ((presence >>> index) & 1) != 0;
}

// @ts-ignore: decorator
@inline
function putU64(at: usize, value: u64): usize {
  if (!value) return at;
  store<u64>(at, value);
  return at + 8;
}

// @ts-ignore: decorator
@inline
function putU32(at: usize, value: u32): usize {
  if (!value) return at;
  store<u32>(at, value);
  return at + 4;
}

// @ts-ignore: decorator
@inline
function putBytes(at: usize, from: usize, length: u32): usize {
  if (!length) return at;
  store<u32>(at, length);
  bytesCopy(at + 4, from, length);
  return at + 4 + length;
}

// @ts-ignore: decorator
@inline
function takeU64(at: usize, presence: u64, index: u64, to: usize): usize {
  if (!has(presence, index)) return at;
  store<u64>(to, load<u64>(at));
  return at + 8;
}

// @ts-ignore: decorator
@inline
function takeU32(at: usize, presence: u64, index: u64, to: usize): usize {
  if (!has(presence, index)) return at;
  store<u32>(to, load<u32>(at));
  return at + 4;
}

/** Copies a byte field, cut at lengthMax: how many bytes. */
// @ts-ignore: decorator
@inline
function takeBytes(at: usize, presence: u64, index: u64, to: usize, lengthMax: u32): u32 {
  if (!has(presence, index)) return 0;
  const length = min<u32>(load<u32>(at), lengthMax);
  memory.copy(to, at + 4, length);
  return length;
}

// @ts-ignore: decorator
@inline
function skipBytes(at: usize, presence: u64, index: u64, length: u32): usize {
  return has(presence, index) ? at + 4 + length : at;
}
