// SHA-256 of many messages at once (assembly/sha256.ts): the table that the caller fills, and the scratch that it lends. Both are private to one thread.
//
// A row of the table, and the message's digest at `out` + 32 * its number:
//
//   0         4         8
//  +---------+---------+
//  | address | length  |
//  +---------+---------+
//
// The scratch. A lane of the four goes through one message: first its whole blocks where they lie, then its tail, the last bytes with the padding.
//
//   0                64             192             224               1248                 1760
//  +----------------+--------------+---------------+-----------------+--------------------+
//  | 4 lanes of 16  | state, 8 x 4 | state of one  | schedule 64 x 4 | 4 tails of 2 blocks|
//  +----------------+--------------+---------------+-----------------+--------------------+
//     | at | blocks | tail blocks | row |

export const SHA256_DIGEST_LENGTH = 32;
/** FIPS 180-4, section 1: bytes of a block. */
export const SHA256_BLOCK_LENGTH = 64;

/** u32 each. */
export const SHA256_ROW_ADDRESS_OFFSET = 0;
export const SHA256_ROW_LENGTH_OFFSET = 4;
export const SHA256_ROW_LENGTH = 8;

/** u32: the next block. */
export const SHA256_LANE_AT_OFFSET = 0;
/** u32: blocks that follow each other from there; 0 = the lane is idle. */
export const SHA256_LANE_BLOCKS_OFFSET = 4;
/** u32: blocks of the tail that follow those. */
export const SHA256_LANE_TAIL_BLOCKS_OFFSET = 8;
/** u32: number of the row. */
export const SHA256_LANE_ROW_OFFSET = 12;
export const SHA256_LANE_LENGTH = 16;
export const SHA256_LANES = 4;

/** Word i of lane n at 16 * i + 4 * n. */
export const SHA256_SCRATCH_STATE_OFFSET = 64;
/** Eight words: the state of a message that is alone. */
export const SHA256_SCRATCH_ALONE_OFFSET = 192;
export const SHA256_SCRATCH_SCHEDULE_OFFSET = 224;
export const SHA256_SCRATCH_TAIL_OFFSET = 1248;
export const SHA256_TAIL_LENGTH = 128;
/** Aligned to 16. */
export const SHA256_SCRATCH_LENGTH = 1760;
