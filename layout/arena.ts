// The arena: one shared WebAssembly.Memory per process, of fixed size. Its first 64 KiB are the same in every process; the rest are regions,
// 4 KiB-aligned, listed in the region table.
//
//   0          4096           8192            12288            32768              40960         57344    65536
//  +----------+--------------+---------------+----------------+------------------+-------------+--------+---------- - -
//  | header   | region table | journal log   | ingest control | wasm static data | crc tables  | zeros  | regions
//  +----------+--------------+---------------+----------------+------------------+-------------+--------+---------- - -
//
// The wasm static data (asc --memoryBase) is constant: every instance writes the same bytes there.

export const ARENA_MAGIC = 0x52415743; // "CWAR"
/** Raised with every change of a layout: an arena of another version is refused. */
export const ARENA_ABI_VERSION = 1;
/** u32 each. The magic is stored last. */
export const ARENA_MAGIC_OFFSET = 0;
export const ARENA_ABI_VERSION_OFFSET = 4;
/** u64: bytes of the whole arena; equals the memory's size. */
export const ARENA_LENGTH_OFFSET = 8;
/** u32: FNV-1a over the names and values of every constant in layout/: two builds with different layouts refuse each other. */
export const ARENA_LAYOUT_HASH_OFFSET = 16;
/** u32: rows in use in the region table. */
export const ARENA_REGION_COUNT_OFFSET = 20;

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
