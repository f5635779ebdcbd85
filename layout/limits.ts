// Limits that every layer shares. Everything that can grow has one, and whoever reaches it gets an error with both numbers in it.

/** The machine's page: regions, rings and segments are multiples of it, because mmap works in pages. */
export const PAGE_LENGTH = 4096;
/** Longest path in bytes without its NUL (linux/limits.h: PATH_MAX counts the NUL). */
export const PATH_LENGTH_MAX = 4095;
/** Longest payload and metadata of an event in bytes (FORMATS.md section 1). */
export const PAYLOAD_LENGTH_MAX = 65536;
export const METADATA_LENGTH_MAX = 2048;
/** Most causality links of an event. */
export const CAUSALITY_LINKS_MAX = 256;
/** Length of a task's name in the kernel with its NUL (linux/sched.h: TASK_COMM_LEN). */
export const COMM_LENGTH = 16;
/** Lanes (CPUs of the kernel source) whose record sequences are tracked for gaps. */
export const LANES_MAX = 1024;
/** Watched roots that the kernel program compares a file's ancestors with. */
export const ROOTS_MAX = 16;
/** Pids that a filter may name. */
export const FILTER_PIDS_MAX = 64;
/** Directories between a file and its root that the kernel program follows; a deeper path is cut and flagged. */
export const PATH_DEPTH_MAX = 128;
/** A journal's segment in bytes: at least this, at most that. */
export const SEGMENT_LENGTH_MIN = 65536;
export const SEGMENT_LENGTH_MAX = 1073741824;
/** A ring's capacity in bytes (a power of two). */
export const RING_CAPACITY_MIN = 4096;
export const RING_CAPACITY_MAX = 536870912;
/** Malformed kernel records that are kept aside for inspection; later ones are only counted. */
export const QUARANTINE_RECORDS_MAX = 64;
