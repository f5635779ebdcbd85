// The arena: one shared WebAssembly.Memory per process, of fixed size. Its first 64 KiB are the same in every process; the rest are regions,
// 4 KiB-aligned, listed in the region table.
//
//   0          4096           8192            12288            32768              40960         57344    65536
//  +----------+--------------+---------------+----------------+------------------+-------------+--------+---------- - -
//  | header   | region table | journal log   | ingest control | wasm static data | crc32c      | crc32  | regions
//  +----------+--------------+---------------+----------------+------------------+-------------+--------+---------- - -
//
// The wasm static data (asc --memoryBase) is constant: every instance writes the same bytes there.
//
// A shared arena is a file (a sealed memfd, or a file in /dev/shm) that several processes map, at the same addresses. Only the bytes from
// ARENA_REGIONS_OFFSET to ARENA_SHARED_END are mapped: whoever opens it copies the first 64 KiB once, checks the copy, and works with it, so that no
// peer can change header, region table, wasm statics or checksum tables under us. What lies behind ARENA_SHARED_END is private to each process.

export const ARENA_MAGIC = 0x52415743; // "CWAR"
/** Raised with every change of a layout: an arena of another version is refused. */
export const ARENA_ABI_VERSION = 2;
/** u32 each. The magic is stored last. */
export const ARENA_MAGIC_OFFSET = 0;
export const ARENA_ABI_VERSION_OFFSET = 4;
/** u64: bytes of the whole arena; equals the memory's size. */
export const ARENA_LENGTH_OFFSET = 8;
/** u32: FNV-1a over the names and values of every constant in layout/: two builds with different layouts refuse each other. */
export const ARENA_LAYOUT_HASH_OFFSET = 16;
/** u32: rows in use in the region table. */
export const ARENA_REGION_COUNT_OFFSET = 20;
/** u64: end (exclusive) of what the file holds; 0 = the arena is not shared. Private regions follow. */
export const ARENA_SHARED_END_OFFSET = 24;
/** u64: inode of the creator's pid namespace. Owners are named by pid, so an arena is refused in another namespace. */
export const ARENA_PID_NAMESPACE_OFFSET = 32;
/** u64: the creator, as ARENA_OWNER_ says. */
export const ARENA_CREATOR_OFFSET = 40;
/** u32, in private copies only: 1 = this process has mapped the shared part for reading, and must not store there. */
export const ARENA_READ_ONLY_OFFSET = 48;

// Who owns an end, a slot or a record: one u64, so that one compare-and-swap takes it. 0 = free. Threads have process ids of their own (tids), so that the
// end of a thread is seen as well as that of a process; pids are used again, hence the start time (/proc/TID/stat, field 22); the epoch counts what one thread took.
//
//   63           42 41                        8 7      0
//  +---------------+---------------------------+--------+
//  | tid           | start time, clock ticks   | epoch  |
//  +---------------+---------------------------+--------+
export const ARENA_OWNER_TID_SHIFT = 42;
export const ARENA_OWNER_START_SHIFT = 8;
export const ARENA_OWNER_START_BITS = 34;
export const ARENA_OWNER_EPOCH_BITS = 8;

/** Rows of ARENA_REGION_LENGTH bytes: kind u32, number u32 (0, 1, 2 of its kind), address u32, length u32. */
export const ARENA_REGION_TABLE_OFFSET = 4096;
export const ARENA_REGION_KIND_OFFSET = 0;
export const ARENA_REGION_NUMBER_OFFSET = 4;
export const ARENA_REGION_ADDRESS_OFFSET = 8;
export const ARENA_REGION_LENGTH_OFFSET = 12;
export const ARENA_REGION_LENGTH = 16;
export const ARENA_REGIONS_MAX = 256;

export const ARENA_LOG_OFFSET = 8192;
export const ARENA_INGEST_OFFSET = 12288;
/** 16 KiB: tables of the slicing-by-16 crc32c, written once at creation. */
export const ARENA_CRC32C_TABLE_OFFSET = 40960;
export const ARENA_CRC32C_TABLE_LENGTH = 16384;
/** 8 KiB: tables of the slicing-by-8 crc32, written by whoever reads or writes SEMJ files (assembly/crc32.ts). */
export const ARENA_CRC32_TABLE_OFFSET = 57344;
export const ARENA_CRC32_TABLE_LENGTH = 8192;
export const ARENA_STATIC_OFFSET = 32768;
export const ARENA_REGIONS_OFFSET = 65536;

// Kinds of region.
/** A ring of our own: RING_DATA_OFFSET bytes of positions, then its capacity. */
export const ARENA_REGION_RING = 1;
/** The kernel's BPF ring buffer: positions, then the data mapped twice. */
export const ARENA_REGION_KERNEL_WINDOW = 2;
/** Maps that the BPF programs share with us: counters and settings. */
export const ARENA_REGION_KERNEL_CONTROL = 3;
/** One of the LOG_WINDOWS journal windows. */
export const ARENA_REGION_JOURNAL_WINDOW = 4;
/** Private to one worker. */
export const ARENA_REGION_SCRATCH = 5;
/** Several rings, one for each producer, read as one (layout/queue.ts). */
export const ARENA_REGION_QUEUE = 6;
/** Records of one length that are taken and given back (layout/pool.ts). */
export const ARENA_REGION_POOL = 7;
/** Contents seen lately (layout/dedup.ts). */
export const ARENA_REGION_DEDUP = 8;
/** What is known of files, until it expires (layout/metadata-cache.ts). */
export const ARENA_REGION_METADATA = 9;
/** Private to the process, never in the file: the states of this process's endpoints. A page of owners (u64 each), then ARENA_ENDPOINTS_MAX slots. */
export const ARENA_REGION_ENDPOINTS = 10;
export const ARENA_ENDPOINTS_MAX = 128;
export const ARENA_ENDPOINT_OWNERS_LENGTH = 4096;
export const ARENA_ENDPOINT_LENGTH = 262144;
