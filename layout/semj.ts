// The VexFS kernel journal ("SEMJ", FORMATS.md section 3): little-endian, packed. A file header, then events back to back, then perhaps an index.
//
//    0       4       8       12             20              28             36             44      48         52
//   +-------+-------+-------+--------------+---------------+--------------+--------------+-------+----------+--------+--------+- -
//   | magic | major | minor | total events | next event id | journal size | index offset | flags | checksum | event  | event  |
//   +-------+-------+-------+--------------+---------------+--------------+--------------+-------+----------+--------+--------+- -
//
//    0         132        5412
//   +---------+----------+---------+----------+-----------------------+
//   | header  | context  | payload | metadata | causality links, 160  |   one event
//   +---------+----------+---------+----------+-----------------------+
//
// An event is right if: context_size is 5280, payload_size at most 65,536, metadata_size at most 2,048, at most 256 links, event_size is the sum of all parts
// (as numbers, not modulo 2^32), the checksum fits, event_type is one of the 72, and each of its strings has its NUL. Strings need not be UTF-8 (paths are
// bytes), and what lies behind a NUL is kept. All other fields may have any value.
//
// Checksum: CRC-32 (reflected 0xEDB88320) with initial value 0 and no final inversion, over the whole event (the file header: its 52 bytes), the
// field itself as zero.

export const SEMJ_MAGIC = 0x53454d4a; // "SEMJ" read as a number; the file begins with the bytes "JMES"
export const SEMJ_MAJOR = 1;
export const SEMJ_MINOR = 0;

export const SEMJ_FILE_MAGIC_OFFSET = 0;
export const SEMJ_FILE_MAJOR_OFFSET = 4;
export const SEMJ_FILE_MINOR_OFFSET = 8;
export const SEMJ_FILE_TOTAL_EVENTS_OFFSET = 12;
export const SEMJ_FILE_NEXT_EVENT_ID_OFFSET = 20;
export const SEMJ_FILE_JOURNAL_SIZE_OFFSET = 28;
/** u64: where the events end and an index begins; 0 = there is none. */
export const SEMJ_FILE_INDEX_OFFSET_OFFSET = 36;
export const SEMJ_FILE_FLAGS_OFFSET = 44;
export const SEMJ_FILE_CHECKSUM_OFFSET = 48;
export const SEMJ_FILE_HEADER_LENGTH = 52;

// The event's header.
export const SEMJ_EVENT_ID_OFFSET = 0;
export const SEMJ_EVENT_TYPE_OFFSET = 8;
export const SEMJ_EVENT_SUBTYPE_OFFSET = 12;
/** s64, ns. */
export const SEMJ_KTIME_OFFSET = 16;
export const SEMJ_TIME_SEQUENCE_OFFSET = 24;
export const SEMJ_CPU_OFFSET = 32;
export const SEMJ_PID_OFFSET = 36;
export const SEMJ_GLOBAL_SEQUENCE_OFFSET = 40;
export const SEMJ_LOCAL_SEQUENCE_OFFSET = 48;
export const SEMJ_FLAGS_OFFSET = 56;
export const SEMJ_PRIORITY_OFFSET = 60;
export const SEMJ_EVENT_SIZE_OFFSET = 64;
export const SEMJ_CONTEXT_SIZE_OFFSET = 68;
export const SEMJ_PAYLOAD_SIZE_OFFSET = 72;
export const SEMJ_METADATA_SIZE_OFFSET = 76;
export const SEMJ_VERSION_OFFSET = 80;
export const SEMJ_CHECKSUM_OFFSET = 84;
export const SEMJ_COMPRESSION_OFFSET = 88;
export const SEMJ_ENCRYPTION_OFFSET = 92;
export const SEMJ_LINK_COUNT_OFFSET = 96;
export const SEMJ_PARENT_EVENT_ID_OFFSET = 100;
export const SEMJ_ROOT_CAUSE_EVENT_ID_OFFSET = 108;
export const SEMJ_VISIBILITY_MASK_OFFSET = 116;
export const SEMJ_RELEVANCE_OFFSET = 124;
export const SEMJ_REPLAY_PRIORITY_OFFSET = 128;
export const SEMJ_EVENT_HEADER_LENGTH = 132;

// The context; offsets count from the event's begin, so each is 132 more than in FORMATS.md.
export const SEMJ_TRANSACTION_ID_OFFSET = 132;
export const SEMJ_SESSION_ID_OFFSET = 140;
export const SEMJ_CAUSALITY_CHAIN_ID_OFFSET = 148;
export const SEMJ_PATH_OFFSET = 156;
export const SEMJ_INODE_OFFSET = 4252;
export const SEMJ_FILE_TYPE_OFFSET = 4260;
export const SEMJ_GRAPH_NODE_ID_OFFSET = 4264;
export const SEMJ_GRAPH_EDGE_ID_OFFSET = 4272;
export const SEMJ_GRAPH_OPERATION_TYPE_OFFSET = 4280;
export const SEMJ_VECTOR_ID_OFFSET = 4284;
export const SEMJ_VECTOR_DIMENSIONS_OFFSET = 4292;
export const SEMJ_VECTOR_ELEMENT_TYPE_OFFSET = 4296;
export const SEMJ_AGENT_ID_OFFSET = 4300;
export const SEMJ_AGENT_INTENT_OFFSET = 4364;
export const SEMJ_AGENT_CONFIDENCE_OFFSET = 4620;
export const SEMJ_SYSTEM_LOAD_OFFSET = 4624;
export const SEMJ_MEMORY_USAGE_OFFSET = 4628;
export const SEMJ_IO_PRESSURE_OFFSET = 4636;
export const SEMJ_SEMANTIC_TAGS_OFFSET = 4640;
export const SEMJ_SEMANTIC_INTENT_OFFSET = 5152;
export const SEMJ_SEMANTIC_CONFIDENCE_OFFSET = 5408;
export const SEMJ_CONTEXT_LENGTH = 5280;
/** Header and context: where the payload begins. */
export const SEMJ_PAYLOAD_OFFSET = 5412;

// Lengths of the strings with their NUL.
export const SEMJ_PATH_LENGTH = 4096;
export const SEMJ_AGENT_ID_LENGTH = 64;
export const SEMJ_AGENT_INTENT_LENGTH = 256;
export const SEMJ_SEMANTIC_TAGS_LENGTH = 512;
export const SEMJ_SEMANTIC_INTENT_LENGTH = 256;

// A causality link, as ENTRY_LINK_LENGTH bytes of an entry.
export const SEMJ_LINK_CAUSE_OFFSET = 0;
export const SEMJ_LINK_EFFECT_OFFSET = 8;
export const SEMJ_LINK_TYPE_OFFSET = 16;
export const SEMJ_LINK_STRENGTH_OFFSET = 20;
export const SEMJ_LINK_DELAY_OFFSET = 24;
export const SEMJ_LINK_DESCRIPTION_OFFSET = 32;
export const SEMJ_LINK_DESCRIPTION_LENGTH = 128;
export const SEMJ_LINK_LENGTH = 160;

/** Header, context, and everything behind them at its longest. */
export const SEMJ_EVENT_LENGTH_MAX = 113956;

// What semjCheck answers when an event is not right; everything above 0 is the length of a right one.
/** The event goes on behind the bytes that there are. */
export const SEMJ_TRUNCATED = -1;
export const SEMJ_WRONG_CONTEXT_SIZE = -2;
export const SEMJ_WRONG_PAYLOAD_SIZE = -3;
export const SEMJ_WRONG_METADATA_SIZE = -4;
export const SEMJ_WRONG_LINK_COUNT = -5;
/** event_size is not the sum of the parts. */
export const SEMJ_WRONG_EVENT_SIZE = -6;
export const SEMJ_WRONG_CHECKSUM = -7;
/** As -7, and the stored one is zlib's: initial value and final inversion are all ones. */
export const SEMJ_ZLIB_CHECKSUM = -8;
export const SEMJ_WRONG_TYPE = -9;
export const SEMJ_UNTERMINATED_PATH = -10;
export const SEMJ_UNTERMINATED_AGENT_ID = -11;
export const SEMJ_UNTERMINATED_AGENT_INTENT = -12;
export const SEMJ_UNTERMINATED_SEMANTIC_TAGS = -13;
export const SEMJ_UNTERMINATED_SEMANTIC_INTENT = -14;
export const SEMJ_UNTERMINATED_DESCRIPTION = -15;

// What semjFromEntry answers when an entry does not become an event.
/** Its fields do not fit its length. */
export const SEMJ_ENTRY_CORRUPT = -16;
/** Payload, metadata or links are longer than an event's may be, with what SEMJ has no field for. */
export const SEMJ_ENTRY_TOO_LONG = -17;

// The extension: what an entry of ours has and SEMJ has no field for. It is the end of the metadata, or of the payload where the metadata has no room
// for it; every event that did not come from a SEMJ file has one, so no event of a SEMJ file ever gets one by being read and written.
//
//    0          8         16     20        24     28
//   +----------+---------+------+---------+------+----------------------------------+--------+-------+
//   | presence | carried | type | subtype | kind | the carried fields, as in entries| length | magic |
//   +----------+---------+------+---------+------+----------------------------------+--------+-------+
//
// presence: the entry's, without eventId and globalSequence, which SEMJ always has. carried: which of its fields lie here: those without a place in
// SEMJ, and texts that are too long for theirs or hold a NUL (their place has the beginning). length: the whole extension. A reader takes it for one only if
// it is exactly what the writer would have written; otherwise it is payload or metadata like any other.
export const SEMJ_EXTENSION_PRESENCE_OFFSET = 0;
export const SEMJ_EXTENSION_CARRIED_OFFSET = 8;
export const SEMJ_EXTENSION_TYPE_OFFSET = 16;
export const SEMJ_EXTENSION_SUBTYPE_OFFSET = 20;
export const SEMJ_EXTENSION_KIND_OFFSET = 24;
export const SEMJ_EXTENSION_HEADER_LENGTH = 28;
export const SEMJ_EXTENSION_TRAILER_LENGTH = 8;
export const SEMJ_EXTENSION_MAGIC = 0x31585743; // "CWX1"

// What semjMeasure finds out about a right event, for semjToEntry.
/** u64: presence of the entry. */
export const SEMJ_PLAN_PRESENCE_OFFSET = 0;
/** u64: the fields of it that lie in the extension. */
export const SEMJ_PLAN_CARRIED_OFFSET = 8;
/** u32: address of the extension, 0 = none. */
export const SEMJ_PLAN_EXTENSION_OFFSET = 16;
export const SEMJ_PLAN_TYPE_OFFSET = 20;
export const SEMJ_PLAN_SUBTYPE_OFFSET = 24;
export const SEMJ_PLAN_KIND_OFFSET = 28;
export const SEMJ_PLAN_PAYLOAD_LENGTH_OFFSET = 32;
export const SEMJ_PLAN_METADATA_LENGTH_OFFSET = 36;
/** u32: length of the field ENTRY_BIT_SEMJ_REST. */
export const SEMJ_PLAN_REST_LENGTH_OFFSET = 40;
export const SEMJ_PLAN_LENGTH = 48;

// ENTRY_BIT_SEMJ_REST: one run for each string that has bytes behind its NUL, in the order of their places.
/** u16: the NUL's offset in the event; u16: bytes from there on up to the last that is not 0; the bytes. */
export const SEMJ_REST_OFFSET_OFFSET = 0;
export const SEMJ_REST_LENGTH_OFFSET = 2;
export const SEMJ_REST_HEADER_LENGTH = 4;

// For readers that know only the 60 types of VexFS (compat: 'vexfs', FORMATS.md section 1): what an Access event is written as, with its own code as
// subtype. VexFS has open, close, lookup, getattr and readdir as reads; what changes attributes or extents without a name of its own goes with its nearest kin.
export const SEMJ_VEXFS_OPEN = 0x0103; // fs.read
export const SEMJ_VEXFS_CLOSE = 0x0103;
export const SEMJ_VEXFS_LOOKUP = 0x0103;
export const SEMJ_VEXFS_GETATTR = 0x0103;
export const SEMJ_VEXFS_SETATTR = 0x0106; // fs.chmod
export const SEMJ_VEXFS_READDIR = 0x0103;
export const SEMJ_VEXFS_READLINK = 0x0103;
export const SEMJ_VEXFS_FLUSH = 0x0503; // system.sync
export const SEMJ_VEXFS_FSYNC = 0x0503;
export const SEMJ_VEXFS_SETXATTR = 0x0106;
export const SEMJ_VEXFS_GETXATTR = 0x0103;
export const SEMJ_VEXFS_FALLOCATE = 0x0108; // fs.truncate
