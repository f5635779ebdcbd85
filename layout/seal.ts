// Seals: what shows that nobody altered the journal since. They lie beside the segments, NNNNNNNNNNNN.seals beside NNNNNNNNNNNN.segment, in records back to
// back, one for each block of entries. A block lies in one segment, begins where the one before ended, and has at most SEAL_ENTRIES_MAX entries and
// SEAL_BYTES_MAX bytes; the blocks of all segments make one chain, across epochs. Little-endian.
//
//    0       4        8        12      16     32      40      48        52      56     60   64              72
//   +-------+--------+--------+-------+------+-------+-------+---------+-------+------+----+---------------+--------------+
//   | magic | length | crc32c | flags | uuid | epoch | block | segment | count | from | to | firstSequence | lastSequence |
//   +-------+--------+--------+-------+------+-------+-------+---------+-------+------+----+---------------+--------------+
//    80       88       96             128     160          224
//   +--------+--------+--------------+-------+------------+---------------------+
//   | timeNs | key id | previousHead | head  | signature  | leaves, 8 each      |
//   +--------+--------+--------------+-------+------------+---------------------+
//
// leaf = SHA-256 of an entry's bytes as they are stored, up to the next entry. Which entry it is and where it lies is said by the order of the leaves.
// head = SHA-256("causeway/seal/v1" | bytes 12 to 128 of the record | SHA-256 of the segment's header in its first block, else zeros | leaves, 32 each).
// signature = Ed25519 over "causeway/sign/v1" | head; zeros unless flags has SEAL_FLAG_SIGNED. Of each leaf the record keeps the first 8 bytes: they say
// which entry differs, the head says that one does. crc32c covers [12, length).

export const SEAL_MAGIC = 0x4c535743; // "CWSL"
export const SEAL_MAGIC_OFFSET = 0;
/** u32: bytes of the record, leaves included. */
export const SEAL_LENGTH_OFFSET = 4;
export const SEAL_CRC32C_OFFSET = 8;
/** u32: SEAL_FLAG_ bits. */
export const SEAL_FLAGS_OFFSET = 12;
/** 16 bytes: the journal. */
export const SEAL_UUID_OFFSET = 16;
/** u64: of the opening that sealed. */
export const SEAL_EPOCH_OFFSET = 32;
/** u64: 0, 1, 2 ... over all segments. */
export const SEAL_BLOCK_OFFSET = 40;
export const SEAL_SEGMENT_OFFSET = 48;
/** u32: entries of the block, padding included. */
export const SEAL_COUNT_OFFSET = 52;
/** u32: offsets in the segment, the second exclusive. */
export const SEAL_FROM_OFFSET = 56;
export const SEAL_TO_OFFSET = 60;
/** u64: sequence that the block's first entry has, and its last; a block that holds nothing but padding without sequence has none: last = first - 1. */
export const SEAL_FIRST_SEQUENCE_OFFSET = 64;
export const SEAL_LAST_SEQUENCE_OFFSET = 72;
/** s64: CLOCK_REALTIME in ns. */
export const SEAL_TIME_NS_OFFSET = 80;
/** 8 bytes: first of the SHA-256 of the public key; zeros without a signature. */
export const SEAL_KEY_ID_OFFSET = 88;
export const SEAL_KEY_ID_LENGTH = 8;
/** 32 bytes: head of the block before; zeros in the first. */
export const SEAL_PREVIOUS_HEAD_OFFSET = 96;
export const SEAL_HEAD_OFFSET = 128;
export const SEAL_HEAD_LENGTH = 32;
export const SEAL_SIGNATURE_OFFSET = 160;
export const SEAL_SIGNATURE_LENGTH = 64;
export const SEAL_HEADER_LENGTH = 224;
export const SEAL_LEAF_LENGTH = 8;

export const SEAL_FLAG_SIGNED = 1;
export const SEAL_ENTRIES_MAX = 1024;
/** More than the longest entry. */
export const SEAL_BYTES_MAX = 262144;
