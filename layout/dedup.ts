// Contents seen lately: a log of them, and a table that finds them by their hash.
//
//   0        128    256     4096        20480                     on a line of its own
//  +--------+------+-------+-----------+--------------------------+--------------------------------+
//  | header | head | zeros | user rows | slots, a u64 each        | log, logLength bytes           |
//  +--------+------+-------+-----------+--------------------------+--------------------------------+
//
// Positions in the log are u64, count bytes and never repeat; index = position & (logLength - 1). What lies before head - logLength is overwritten. An entry
// does not run over the end of the log. A slot is 0, or tells of one entry:
//
//   63       52 51                                  0
//  +-----------+-------------------------------------+
//  | tag       | position / 16                       |
//  +-----------+-------------------------------------+
//
// A content's slots are DEDUP_PROBES in a row, from the line of slots that its hash names. The log's entries:
//
//    0          8        16       24         28      32
//   +----------+--------+--------+----------+-------+------------------------------+
//   | position | hash   | time   | length   | zero  | content ... padded to 16     |
//   +----------+--------+--------+----------+-------+------------------------------+

/** u32 each, written once at creation; the magic is stored last. Users read them once, check them, and keep their own copies. */
export const DEDUP_MAGIC_OFFSET = 0;
export const DEDUP_MAGIC = 0x44445743; // "CWDD"
/** Slots, a power of two. */
export const DEDUP_SLOTS_OFFSET = 4;
/** Bytes of the log, a power of two. */
export const DEDUP_LOG_LENGTH_OFFSET = 8;
export const DEDUP_CONTENT_LENGTH_MAX_OFFSET = 12;
/** How long a content is remembered; 0 = for as long as the log holds it. */
export const DEDUP_WINDOW_MS_OFFSET = 16;
/** Bytes of all of it. */
export const DEDUP_LENGTH_OFFSET = 20;
/** u64: random, so that nobody can prepare contents that all have the same slots. */
export const DEDUP_SEED_OFFSET = 24;
/** u64: where the next entry goes. Only ever added to. */
export const DEDUP_HEAD_OFFSET = 128;
/** layout/user-row.ts */
export const DEDUP_USERS_OFFSET = 4096;
export const DEDUP_TABLE_OFFSET = 20480;
export const DEDUP_LINE_LENGTH = 128;

export const DEDUP_SLOTS_MIN = 64;
export const DEDUP_SLOTS_MAX = 67108864;
export const DEDUP_LOG_LENGTH_MIN = 4096;
export const DEDUP_LOG_LENGTH_MAX = 2147483648;
/** Slots that one content may be in. */
export const DEDUP_PROBES = 16;
/** Slots of one line: a content's first one is the first of a line. */
export const DEDUP_SLOTS_PER_LINE = 8;
export const DEDUP_TAG_SHIFT = 52;
/** Entries begin at multiples of 16, and slots hold the position in this unit. */
export const DEDUP_POSITION_SHIFT = 4;
/** The first entry's: a slot that tells of an entry is never 0. */
export const DEDUP_POSITION_FIRST = 16;

export const DEDUP_ENTRY_POSITION_OFFSET = 0;
/** u64: hash ^ position, so that an entry which two have written is nobody's. */
export const DEDUP_ENTRY_HASH_OFFSET = 8;
/** u64, milliseconds. */
export const DEDUP_ENTRY_TIME_OFFSET = 16;
export const DEDUP_ENTRY_LENGTH_OFFSET = 24;
export const DEDUP_ENTRY_HEADER_LENGTH = 32;

// What dedupInsert answers.
export const DEDUP_FRESH = 1;
export const DEDUP_DUPLICATE = 2;

// Counts of a user, at these offsets of its row.
export const DEDUP_COUNT_FRESH_OFFSET = 8;
export const DEDUP_COUNT_DUPLICATES_OFFSET = 16;
/** Tags that were equal though the contents were not. */
export const DEDUP_COUNT_COLLISIONS_OFFSET = 24;
/** Contents that were forgotten inside of both windows, because all their slots were needed. */
export const DEDUP_COUNT_EVICTED_OFFSET = 32;
/** Contents that were forgotten because they were too old, or overwritten in the log. */
export const DEDUP_COUNT_EXPIRED_OFFSET = 40;
/** Contents that were too long. */
export const DEDUP_COUNT_TOO_LONG_OFFSET = 48;
/** Inserts that another one was faster than: they looked again. */
export const DEDUP_COUNT_RETRIES_OFFSET = 56;

// A user's own state, in its private memory: no other process can write it.

/** u64 */
export const DEDUP_STATE_SEED_OFFSET = 0;
/** u64: the slot that is the oldest of the content's, as the last look found it. */
export const DEDUP_STATE_VICTIM_OFFSET = 8;
/** u32 each from here on. */
export const DEDUP_STATE_VICTIM_ADDRESS_OFFSET = 16;
export const DEDUP_STATE_DEDUP_OFFSET = 20;
export const DEDUP_STATE_SLOTS_OFFSET = 24;
export const DEDUP_STATE_LOG_OFFSET = 28;
export const DEDUP_STATE_LOG_LENGTH_OFFSET = 32;
export const DEDUP_STATE_CONTENT_LENGTH_MAX_OFFSET = 36;
export const DEDUP_STATE_WINDOW_MS_OFFSET = 40;
export const DEDUP_STATE_ROW_OFFSET = 44;
export const DEDUP_STATE_LENGTH = 64;

// A row of a batch: address u32, length u32, answer i32, first slot's address u32, hash u64, candidate u64 (the first
// slot with the content's tag, 0 = none).
export const DEDUP_ROW_ADDRESS_OFFSET = 0;
export const DEDUP_ROW_LENGTH_OFFSET = 4;
export const DEDUP_ROW_ANSWER_OFFSET = 8;
export const DEDUP_ROW_SLOT_OFFSET = 12;
export const DEDUP_ROW_HASH_OFFSET = 16;
export const DEDUP_ROW_CANDIDATE_OFFSET = 24;
export const DEDUP_ROW_LENGTH = 32;
export const DEDUP_ROWS_MAX = 64;
