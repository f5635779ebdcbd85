// Records of one length that are taken and given back by any thread of any process.
//
//   0        128         256       4096        20480     22528              ...                  ...
//  +--------+-----------+---------+-----------+---------+------------------+--------------------+----------------------+
//  | header | reclaimed | zeros   | user rows | summary | hints, a bit for | owners, a u64 for  | records, each 8-     |
//  |        |           |         |           | 256 u64 | each record      | each record        | aligned              |
//  +--------+-----------+---------+-----------+---------+------------------+--------------------+----------------------+
//
// Who has a record is what its owner word says, and nothing else: 0 = it is free. A hint (bit) says that a record may be free, a bit of the summary that
// a word of hints may have one. Hints are written by whoever takes or gives; every one may be wrong. Hints and owners begin on lines of their own.

/** u32 each, written once at creation; the magic is stored last. Users read them once, check them, and keep their own copies. */
export const POOL_MAGIC_OFFSET = 0;
export const POOL_MAGIC = 0x4c505743; // "CWPL"
/** Records. */
export const POOL_CAPACITY_OFFSET = 4;
/** Bytes of a record; the next one begins at the next multiple of 8. */
export const POOL_RECORD_LENGTH_OFFSET = 8;
/** Bytes of all of it. */
export const POOL_LENGTH_OFFSET = 12;
/** UTF-8, filled up with NUL. */
export const POOL_NAME_OFFSET = 64;
export const POOL_NAME_LENGTH = 64;
/** u64: records that were given back for the dead. */
export const POOL_RECLAIMED_OFFSET = 128;
/** u64: hints that were missing, because somebody died before setting them. */
export const POOL_REPAIRED_OFFSET = 136;
/** layout/user-row.ts */
export const POOL_USERS_OFFSET = 4096;
export const POOL_SUMMARY_OFFSET = 20480;
export const POOL_SUMMARY_LENGTH = 2048;
export const POOL_HINTS_OFFSET = 22528;

export const POOL_CAPACITY_MAX = 1048576;
export const POOL_RECORD_LENGTH_MAX = 1048576;
export const POOL_LINE_LENGTH = 128;

// Counts of a user, at these offsets of its row.
export const POOL_COUNT_TAKES_OFFSET = 8;
/** Takes whose first hint was right. */
export const POOL_COUNT_HITS_OFFSET = 16;
/** Takes that found a record only by looking at the owner words: its hint was lost with somebody who died. */
export const POOL_COUNT_FALLBACKS_OFFSET = 24;
/** Takes that found none. */
export const POOL_COUNT_FULL_OFFSET = 32;
export const POOL_COUNT_GIVES_OFFSET = 40;
/** Gives that were refused. */
export const POOL_COUNT_REFUSED_OFFSET = 48;
/** Records that were taken over from another owner. */
export const POOL_COUNT_ADOPTED_OFFSET = 56;

// A user's own state, in its private memory: no other process can write it.
//
//   0       8                                                        64
//  +-------+--------------------------------------------------------+---------------------------+
//  | token | shape of the pool, addresses, where it looks next      | records it gave of late   |
//  +-------+--------------------------------------------------------+---------------------------+

/** u64 */
export const POOL_STATE_TOKEN_OFFSET = 0;
/** u32 each from here on. */
export const POOL_STATE_POOL_OFFSET = 8;
export const POOL_STATE_CAPACITY_OFFSET = 12;
/** Bytes from one record to the next. */
export const POOL_STATE_STRIDE_OFFSET = 16;
/** 2^32 / stride, rounded up: a record's number without a division. */
export const POOL_STATE_INVERSE_OFFSET = 20;
export const POOL_STATE_RECORDS_OFFSET = 24;
export const POOL_STATE_OWNERS_OFFSET = 28;
export const POOL_STATE_ROW_OFFSET = 32;
/** Number of the record where the next search begins. */
export const POOL_STATE_START_OFFSET = 36;
/** Where the next look at the owner words begins. */
export const POOL_STATE_SCAN_OFFSET = 40;
/** Hints that the take at hand has tried. */
export const POOL_STATE_TRIES_OFFSET = 44;
/** Records that were given last and not taken since: how many, and the place of the next one. */
export const POOL_STATE_RECENT_COUNT_OFFSET = 48;
export const POOL_STATE_RECENT_NEXT_OFFSET = 52;
export const POOL_STATE_RECENT_OFFSET = 64;
/** A power of two. */
export const POOL_STATE_RECENT_MAX = 64;
export const POOL_STATE_LENGTH = 320;
