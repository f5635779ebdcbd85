// A journal segment: one preallocated file, named by its index. Little-endian.
//
//   0     4       6            8    24    32    40            48       56        64                 96      100      104     4096
//  +-----+-------+------------+----+-----+-----+-------------+--------+---------+------------------+-------+--------+-------+---------
//  |magic|version|headerLength|uuid|epoch|index|firstSequence| length |createdNs|previousDigest[32]| flags | crc32c | zeros | entries
//  +-----+-------+------------+----+-----+-----+-------------+--------+---------+------------------+-------+--------+-------+---------
//
// Valid when: magic and version match; headerLength is SEGMENT_HEADER_LENGTH; crc32c is right over [0, 100); bytes 104..4096 are zero; length
// is a multiple of the page between SEGMENT_LENGTH_MIN and _MAX and equals the file's size (a closed last segment may be shorter, by truncation).

export const SEGMENT_MAGIC = 0x47535743; // "CWSG"
export const SEGMENT_VERSION = 1;
export const SEGMENT_MAGIC_OFFSET = 0;
export const SEGMENT_VERSION_OFFSET = 4;
export const SEGMENT_HEADER_LENGTH_OFFSET = 6;
/** 16 bytes: the journal this segment belongs to. */
export const SEGMENT_UUID_OFFSET = 8;
/** u64: how often the journal has been opened for writing. */
export const SEGMENT_EPOCH_OFFSET = 24;
/** u64: 0, 1, 2 ... */
export const SEGMENT_INDEX_OFFSET = 32;
/** u64: sequence of the first entry; 0 while the segment is prepared but not in use yet. */
export const SEGMENT_FIRST_SEQUENCE_OFFSET = 40;
/** u64: bytes, header included. */
export const SEGMENT_LENGTH_OFFSET = 48;
/** s64: CLOCK_REALTIME in ns. */
export const SEGMENT_CREATED_NS_OFFSET = 56;
/** 32 bytes: SHA-256 of the last sealed block of the segment before; zero in the first. */
export const SEGMENT_PREVIOUS_DIGEST_OFFSET = 64;
export const SEGMENT_FLAGS_OFFSET = 96;
/** u32: over the bytes before it. */
export const SEGMENT_CRC32C_OFFSET = 100;
export const SEGMENT_RESERVED_OFFSET = 104;
export const SEGMENT_HEADER_LENGTH = 4096;
