// A journal entry: the event as it is stored, shared and replicated. 8-byte aligned, little-endian.
//
//    0        4        8          16        24       32         40     42         44     48        52
//   +--------+--------+----------+---------+--------+----------+------+----------+------+---------+-------+
//   | length | crc32c | sequence | lamport | timeNs | presence | kind | reserved | type | subtype | flags |
//   +--------+--------+----------+---------+--------+----------+------+----------+------+---------+-------+
//    56         60        64            68           72          76               80    84
//   +----------+---------+-------------+------------+-----------+----------------+-----+-----+
//   | priority | version | compression | encryption | relevance | replayPriority | cpu | pid |
//   +----------+---------+-------------+------------+-----------+----------------+-----+-----+
//    88             96              104             112                120              128        132             136              140  144
//   +--------------+---------------+---------------+------------------+----------------+----------+---------------+----------------+----+
//   | timeSequence | localSequence | parentEventId | rootCauseEventId | visibilityMask | links    | payloadLength | metadataLength | 0  |
//   +--------------+---------------+---------------+------------------+----------------+----------+---------------+----------------+----+
//
// then, in the order of their presence bits: u64 fields (bits 0..23), u32 fields (bits 24..43), byte fields (bits 44..63, each a u32 length and its
// bytes), then payload, metadata, and links of ENTRY_LINK_LENGTH bytes.
//
// length: 0 = nothing was ever claimed here; < 0 = claimed, being written; > 0 = committed, the entry's exact bytes. The next entry begins at
// the next multiple of 8. crc32c covers [8, length). An absent number is 0, an absent string is empty; absent eventId, globalSequence = sequence.

/** i32: see above. Stored last; pairs with the load in every reader. */
export const ENTRY_LENGTH_OFFSET = 0;
export const ENTRY_CRC32C_OFFSET = 4;
/** u64: 1, 2, 3 ... in the order of claiming. */
export const ENTRY_SEQUENCE_OFFSET = 8;
export const ENTRY_LAMPORT_OFFSET = 16;
/** s64: CLOCK_REALTIME in ns. */
export const ENTRY_TIME_NS_OFFSET = 24;
/** u64: which optional fields follow. */
export const ENTRY_PRESENCE_OFFSET = 32;
/** u16: one of ENTRY_KIND_. */
export const ENTRY_KIND_OFFSET = 40;
export const ENTRY_RESERVED_OFFSET = 42;
/** u32: one of the 72 event types (layout/event-type.ts); 0 unless the kind is EVENT. */
export const ENTRY_TYPE_OFFSET = 44;
/** u32: origin << 24 | variant << 8 | op, see ENTRY_ORIGIN_. */
export const ENTRY_SUBTYPE_OFFSET = 48;
export const ENTRY_FLAGS_OFFSET = 52;
export const ENTRY_PRIORITY_OFFSET = 56;
export const ENTRY_VERSION_OFFSET = 60;
export const ENTRY_COMPRESSION_OFFSET = 64;
export const ENTRY_ENCRYPTION_OFFSET = 68;
export const ENTRY_RELEVANCE_OFFSET = 72;
export const ENTRY_REPLAY_PRIORITY_OFFSET = 76;
export const ENTRY_CPU_OFFSET = 80;
export const ENTRY_PID_OFFSET = 84;
export const ENTRY_TIME_SEQUENCE_OFFSET = 88;
/** u64: the source's own count (the kernel record's laneSequence). */
export const ENTRY_LOCAL_SEQUENCE_OFFSET = 96;
export const ENTRY_PARENT_EVENT_ID_OFFSET = 104;
/** u64: 0 = the event itself. */
export const ENTRY_ROOT_CAUSE_EVENT_ID_OFFSET = 112;
export const ENTRY_VISIBILITY_MASK_OFFSET = 120;
export const ENTRY_LINK_COUNT_OFFSET = 128;
export const ENTRY_PAYLOAD_LENGTH_OFFSET = 132;
export const ENTRY_METADATA_LENGTH_OFFSET = 136;
export const ENTRY_RESERVED2_OFFSET = 140;
export const ENTRY_HEADER_LENGTH = 144;
export const ENTRY_ALIGNMENT = 8;
/** A causality link, as in SEMJ (FORMATS.md section 3). */
export const ENTRY_LINK_LENGTH = 160;
/** Header, every optional field at its longest, payload, metadata and 256 links, rounded up. */
export const ENTRY_LENGTH_MAX = 131072;

export const ENTRY_KIND_EVENT = 1;
/** Something was lost here: gapFrom, gapTo, gapCount, gapCause. Takes a sequence, as an event does. */
export const ENTRY_KIND_GAP = 2;
/**
 * Fills room and is skipped: the end of a segment (sequence 0: takes none), or a hole that recovery closed (the sequence that was claimed there). Always
 * a whole header, crc32c over [8, ENTRY_HEADER_LENGTH): no entry begins in the last ENTRY_HEADER_LENGTH - 1 bytes of a segment, they stay zero.
 */
export const ENTRY_KIND_PADDING = 3;
export const ENTRY_KIND_CHECKPOINT = 4;
/** A claim that was given up by a worker that died; what it was for comes again under another sequence. Not shown; crc32c as of any entry. */
export const ENTRY_KIND_VOID = 5;
/** In the high byte of the subtype: which vocabulary `op` and `variant` are from (FORMATS.md section 2). */
export const ENTRY_ORIGIN_EMIT = 0;
export const ENTRY_ORIGIN_KERNEL = 1;
export const ENTRY_ORIGIN_USERSPACE = 2;
export const ENTRY_ORIGIN_FUSE = 3;
/** Read from a SEMJ file (layout/semj.ts). The subtype's other bits are 0: the event's own is ENTRY_BIT_SEMJ_SUBTYPE. A rootCauseEventId of 0 is 0. */
export const ENTRY_ORIGIN_SEMJ = 4;

// Presence bits. u64 fields:
export const ENTRY_BIT_EVENT_ID = 0;
export const ENTRY_BIT_GLOBAL_SEQUENCE = 1;
export const ENTRY_BIT_TRANSACTION_ID = 2;
export const ENTRY_BIT_SESSION_ID = 3;
export const ENTRY_BIT_CAUSALITY_CHAIN_ID = 4;
export const ENTRY_BIT_INODE = 5;
export const ENTRY_BIT_GRAPH_NODE_ID = 6;
export const ENTRY_BIT_GRAPH_EDGE_ID = 7;
export const ENTRY_BIT_VECTOR_ID = 8;
export const ENTRY_BIT_MEMORY_USAGE = 9;
export const ENTRY_BIT_DEVICE = 10;
export const ENTRY_BIT_SIZE = 11;
export const ENTRY_BIT_AMOUNT = 12;
export const ENTRY_BIT_ARGUMENT = 13;
export const ENTRY_BIT_DURATION_NS = 14;
/** CLOCK_MONOTONIC of the kernel record: with it the translation loses nothing when the wall clock is set. */
export const ENTRY_BIT_MONOTONIC_NS = 15;
/** First and last lane sequence that are missing, both inclusive, 0 if unknown; and how many (0 = unknown). */
export const ENTRY_BIT_GAP_FROM = 16;
export const ENTRY_BIT_GAP_TO = 17;
export const ENTRY_BIT_GAP_COUNT = 18;
// u32 fields:
export const ENTRY_BIT_FILE_TYPE = 24;
export const ENTRY_BIT_GRAPH_OPERATION_TYPE = 25;
export const ENTRY_BIT_VECTOR_DIMENSIONS = 26;
export const ENTRY_BIT_VECTOR_ELEMENT_TYPE = 27;
export const ENTRY_BIT_AGENT_CONFIDENCE = 28;
export const ENTRY_BIT_SYSTEM_LOAD = 29;
export const ENTRY_BIT_IO_PRESSURE = 30;
export const ENTRY_BIT_SEMANTIC_CONFIDENCE = 31;
export const ENTRY_BIT_TID = 32;
export const ENTRY_BIT_UID = 33;
export const ENTRY_BIT_GID = 34;
export const ENTRY_BIT_ERROR = 35;
export const ENTRY_BIT_MODE = 36;
/** KERNEL_FLAG_ bits. */
export const ENTRY_BIT_RECORD_FLAGS = 37;
export const ENTRY_BIT_SUBMIT_DELAY_NS = 38;
export const ENTRY_BIT_GAP_CAUSE = 39;
/** event_subtype of an event that was read from a SEMJ file. */
export const ENTRY_BIT_SEMJ_SUBTYPE = 43;
// byte fields:
export const ENTRY_BIT_COMM = 44;
export const ENTRY_BIT_PATH = 45;
export const ENTRY_BIT_PATH2 = 46;
export const ENTRY_BIT_AGENT_ID = 47;
export const ENTRY_BIT_AGENT_INTENT = 48;
export const ENTRY_BIT_SEMANTIC_TAGS = 49;
export const ENTRY_BIT_SEMANTIC_INTENT = 50;
export const ENTRY_BIT_VECTOR_CLOCK = 51;
/** What a SEMJ file had behind the NULs of its strings (layout/semj.ts). */
export const ENTRY_BIT_SEMJ_REST = 63;

export const ENTRY_BIT_U32_FIRST = 24;
export const ENTRY_BIT_BYTES_FIRST = 44;
export const ENTRY_BIT_COUNT = 64;

// Why something is missing (gapCause).
/** The ring between kernel and wasm was full. */
export const GAP_CAUSE_RING_FULL = 1;
/** The kernel's table of running calls was full: an operation's end was seen without its beginning. */
export const GAP_CAUSE_TABLE_FULL = 2;
/** inotify's queue overflowed (IN_Q_OVERFLOW). */
export const GAP_CAUSE_QUEUE_OVERFLOW = 3;
/** A directory could not be watched (limit or permission). */
export const GAP_CAUSE_WATCH_FAILED = 4;
/** Records that broke the format's rules; kept aside. */
export const GAP_CAUSE_MALFORMED = 5;
/** A worker was replaced, and what it had not handed over is unknown. */
export const GAP_CAUSE_WORKER_RESTART = 6;
/** A hole that a killed process left in the journal. */
export const GAP_CAUSE_HOLE = 7;
/** The recorded trace has a gap of its own here. */
export const GAP_CAUSE_SOURCE = 8;
/** A reader fell behind what is kept. */
export const GAP_CAUSE_RETENTION = 9;
/** A peer's ring broke its rules and is not read any more: what it still held, and whatever comes, is unknown. */
export const GAP_CAUSE_PEER_CORRUPT = 10;
export const GAP_CAUSE_COUNT = 11;
