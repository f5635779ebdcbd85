// A recorded trace: kernel records as a source produced them, and its losses. Little-endian.
//
//   0       4         6              8          16             24     28      32
//  +-------+---------+--------------+----------+--------------+------+-------+--------------------------------------
//  | magic | version | headerLength | createdNs| clockOffsetNs| flags| crc32c| frames
//  +-------+---------+--------------+----------+--------------+------+-------+--------------------------------------
//
// frame:  0        4       8        12
//        +--------+-------+--------+----------------------+
//        | length | kind  | crc32c | data, length bytes   |   not padded; crc32c over kind and data
//        +--------+-------+--------+----------------------+
//
// A file ends with a frame of kind END; without one it was cut off and says so when it is replayed.

export const TRACE_MAGIC = 0x52545743; // "CWTR"
export const TRACE_VERSION = 1;
export const TRACE_MAGIC_OFFSET = 0;
export const TRACE_VERSION_OFFSET = 4;
export const TRACE_HEADER_LENGTH_OFFSET = 6;
/** s64: CLOCK_REALTIME in ns when recording began. */
export const TRACE_CREATED_NS_OFFSET = 8;
/** s64: CLOCK_REALTIME - CLOCK_MONOTONIC in ns on the machine that recorded. */
export const TRACE_CLOCK_OFFSET_NS_OFFSET = 16;
export const TRACE_FLAGS_OFFSET = 24;
/** u32: over the bytes before it. */
export const TRACE_CRC32C_OFFSET = 28;
export const TRACE_HEADER_LENGTH = 32;

export const TRACE_FRAME_LENGTH_OFFSET = 0;
export const TRACE_FRAME_KIND_OFFSET = 4;
export const TRACE_FRAME_CRC32C_OFFSET = 8;
export const TRACE_FRAME_HEADER_LENGTH = 12;
/** data: one kernel record. */
export const TRACE_FRAME_RECORD = 1;
/** data: cause u32, reserved u32, from u64, to u64, count u64. */
export const TRACE_FRAME_LOSS = 2;
/** data: records u64, losses u64. */
export const TRACE_FRAME_END = 3;
export const TRACE_LOSS_LENGTH = 32;
export const TRACE_END_LENGTH = 16;
/** Longest data of a frame: a longer one is corrupt. */
export const TRACE_FRAME_LENGTH_MAX = 65536;
