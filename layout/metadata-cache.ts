// What is known of files, or of anything that 16 bytes name, until it expires: sets of METADATA_WAYS slots; a key can be in one set only.
//
//   0        128     4096        20480
//  +--------+-------+-----------+---------------------------------------- - -
//  | header | zeros | user rows | sets: tags (8 u64), then 8 slots each
//  +--------+-------+-----------+---------------------------------------- - -
//
// A slot, padded to a multiple of 64 bytes:
//
//    0          8        16         32        40     44      48
//   +----------+--------+----------+---------+------+-------+---------------------+
//   | sequence | owner  | key      | expires | used | zero  | value, valueLength  |
//   +----------+--------+----------+---------+------+-------+---------------------+
//
// sequence: even = the slot holds its key and value; odd = it is empty, or being written. owner: who writes it, 0 = nobody. A slot that holds a key has
// that key's tag in the set's tags.

/** u32 each, written once at creation; the magic is stored last. Users read them once, check them, and keep their own copies. */
export const METADATA_MAGIC_OFFSET = 0;
export const METADATA_MAGIC = 0x434d5743; // "CWMC"
/** A power of two. */
export const METADATA_SETS_OFFSET = 4;
/** Bytes, a multiple of 8. */
export const METADATA_VALUE_LENGTH_OFFSET = 8;
/** Bytes of all of it. */
export const METADATA_LENGTH_OFFSET = 12;
/** u64: random, so that nobody can prepare keys that all have one set. */
export const METADATA_SEED_OFFSET = 16;
/** layout/user-row.ts */
export const METADATA_USERS_OFFSET = 4096;
export const METADATA_TABLE_OFFSET = 20480;

export const METADATA_WAYS = 8;
export const METADATA_TAGS_LENGTH = 64;
export const METADATA_SETS_MAX = 4194304;
export const METADATA_KEY_LENGTH = 16;
export const METADATA_VALUE_LENGTH_MAX = 4096;

/** u64 */
export const METADATA_SLOT_SEQUENCE_OFFSET = 0;
export const METADATA_SLOT_OWNER_OFFSET = 8;
/** Two u64. */
export const METADATA_SLOT_KEY_OFFSET = 16;
/** u64, milliseconds; 0 = never. */
export const METADATA_SLOT_EXPIRES_OFFSET = 32;
/** u32: 1 = it was read since a writer last looked for one that was not. */
export const METADATA_SLOT_USED_OFFSET = 40;
export const METADATA_SLOT_VALUE_OFFSET = 48;
export const METADATA_SLOT_ALIGNMENT = 64;

// What metadataGet answers beside STATUS_EMPTY, and metadataPut beside STATUS_FULL.
export const METADATA_HIT = 1;
export const METADATA_STORED = 1;
/** Somebody else wrote or invalidated the same key at the same time: neither value is kept, for nobody knows which is newer. */
export const METADATA_DROPPED = 2;

// Counts of a user, at these offsets of its row.
export const METADATA_COUNT_HITS_OFFSET = 8;
export const METADATA_COUNT_MISSES_OFFSET = 16;
/** Misses because what was there was too old. */
export const METADATA_COUNT_EXPIRED_OFFSET = 24;
/** Values that were not too old and made room for others. */
export const METADATA_COUNT_EVICTED_OFFSET = 32;
export const METADATA_COUNT_STORED_OFFSET = 40;
export const METADATA_COUNT_DROPPED_OFFSET = 48;
export const METADATA_COUNT_INVALIDATED_OFFSET = 56;

// A user's own state, in its private memory: no other process can write it.

/** u64 each. */
export const METADATA_STATE_TOKEN_OFFSET = 0;
export const METADATA_STATE_SEED_OFFSET = 8;
/** u32 each from here on. */
export const METADATA_STATE_TABLE_OFFSET = 16;
export const METADATA_STATE_SETS_OFFSET = 20;
export const METADATA_STATE_VALUE_LENGTH_OFFSET = 24;
export const METADATA_STATE_SLOT_LENGTH_OFFSET = 28;
export const METADATA_STATE_ROW_OFFSET = 32;
/** The way where the next search for a victim begins. */
export const METADATA_STATE_HAND_OFFSET = 36;
export const METADATA_STATE_LENGTH = 64;
