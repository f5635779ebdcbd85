// The kernel record: what every source produces and translation takes. Little-endian, packed, version 1.
//
//    0        4       6     8        10     12    16       24           32
//   +--------+-------+-----+--------+------+-----+--------+------------+--------------+
//   | length |version| op  |variant | flags| cpu | timeNs | durationNs | laneSequence |
//   +--------+-------+-----+--------+------+-----+--------+------------+--------------+
//    40      48       56     64       72         80    84    88    92    96      100
//   +-------+--------+------+--------+----------+-----+-----+-----+-----+-------+------+
//   | inode | device | size | amount | argument | pid | tid | uid | gid | error | mode |
//   +-------+--------+------+--------+----------+-----+-----+-----+-----+-------+------+
//    104             108          110           112        128
//   +---------------+------------+-------------+----------+------------------------------+
//   | submitDelayNs | pathLength | path2Length | comm[16] | path bytes, then path2 bytes |
//   +---------------+------------+-------------+----------+------------------------------+
//
// Valid when: version is 1; op < KERNEL_OP_COUNT; variant < KERNEL_VARIANT_COUNT; length = HEADER + pathLength + path2Length;
// both path lengths <= PATH_LENGTH_MAX. Paths are bytes as the kernel has them (not always UTF-8), absolute, without a NUL.

export const KERNEL_RECORD_VERSION = 1;

/** u32: the whole record in bytes, paths included, padding not. */
export const KERNEL_RECORD_LENGTH_OFFSET = 0;
export const KERNEL_RECORD_VERSION_OFFSET = 4;
/** u16: one of KERNEL_OP_. */
export const KERNEL_RECORD_OP_OFFSET = 6;
/** u16: one of KERNEL_VARIANT_: the system call, or whatever else, that did it. */
export const KERNEL_RECORD_VARIANT_OFFSET = 8;
/** u16: KERNEL_FLAG_ bits. */
export const KERNEL_RECORD_FLAGS_OFFSET = 10;
/** u32: the lane, that is, the CPU for the kernel source and 0 for those that have only one. */
export const KERNEL_RECORD_CPU_OFFSET = 12;
/** u64: CLOCK_MONOTONIC in ns when the operation was complete. */
export const KERNEL_RECORD_TIME_NS_OFFSET = 16;
/** u64: ns from entry to completion; 0 = unknown. */
export const KERNEL_RECORD_DURATION_NS_OFFSET = 24;
/** u64: 1, 2, 3 ... for each record that the lane tried to write, dropped ones included: a jump is a gap of known size. 0 = the source does not count. */
export const KERNEL_RECORD_LANE_SEQUENCE_OFFSET = 32;
export const KERNEL_RECORD_INODE_OFFSET = 40;
/** u64: st_dev as stat(2) gives it. */
export const KERNEL_RECORD_DEVICE_OFFSET = 48;
/** u64: the file's size in bytes after the operation; 0 if unknown. */
export const KERNEL_RECORD_SIZE_OFFSET = 56;
/** s64: bytes moved by a read, a write or a directory read; else 0. */
export const KERNEL_RECORD_AMOUNT_OFFSET = 64;
/** u64: the call's own argument: open, rename, unlink, mount flags; requested mode; uid << 32 | gid; length of a truncate or fallocate. */
export const KERNEL_RECORD_ARGUMENT_OFFSET = 72;
/** u32: the process (tgid); 0 with KERNEL_FLAG_PID_UNKNOWN. */
export const KERNEL_RECORD_PID_OFFSET = 80;
/** u32: the thread. */
export const KERNEL_RECORD_TID_OFFSET = 84;
export const KERNEL_RECORD_UID_OFFSET = 88;
export const KERNEL_RECORD_GID_OFFSET = 92;
/** u32: 0, or the errno (positive) that the operation failed with. */
export const KERNEL_RECORD_ERROR_OFFSET = 96;
/** u32: st_mode after the operation; 0 if unknown. */
export const KERNEL_RECORD_MODE_OFFSET = 100;
/** u32: ns from timeNs to the moment the record was handed to the ring (building paths takes time): latency is counted from there. */
export const KERNEL_RECORD_SUBMIT_DELAY_NS_OFFSET = 104;
export const KERNEL_RECORD_PATH_LENGTH_OFFSET = 108;
export const KERNEL_RECORD_PATH2_LENGTH_OFFSET = 110;
/** char[16]: name of the task, filled up with NUL. */
export const KERNEL_RECORD_COMM_OFFSET = 112;
export const KERNEL_RECORD_HEADER_LENGTH = 128;
/** Header and two longest paths. */
export const KERNEL_RECORD_LENGTH_MAX = 8318;

// Operations (FORMATS.md section 2).
export const KERNEL_OP_FILE_OPEN = 0;
export const KERNEL_OP_FILE_CLOSE = 1;
export const KERNEL_OP_FILE_READ = 2;
export const KERNEL_OP_FILE_WRITE = 3;
export const KERNEL_OP_FILE_CREATE = 4;
export const KERNEL_OP_FILE_DELETE = 5;
/** path = old name, path2 = new name. */
export const KERNEL_OP_FILE_RENAME = 6;
export const KERNEL_OP_FILE_CHMOD = 7;
export const KERNEL_OP_FILE_CHOWN = 8;
export const KERNEL_OP_FILE_TRUNCATE = 9;
export const KERNEL_OP_DIR_CREATE = 10;
export const KERNEL_OP_DIR_DELETE = 11;
export const KERNEL_OP_DIR_READ = 12;
/** path = the new link, path2 = its text (not resolved, may be relative). */
export const KERNEL_OP_SYMLINK_CREATE = 13;
/** path = the file that was there, path2 = its new name. */
export const KERNEL_OP_HARDLINK_CREATE = 14;
/** path = mount point, path2 = what was mounted. */
export const KERNEL_OP_MOUNT = 15;
export const KERNEL_OP_UNMOUNT = 16;
export const KERNEL_OP_SYNC = 17;
export const KERNEL_OP_COUNT = 18;

// Variants: which call did it. The numbers are ours, the same on every architecture.
/** The source does not know (inotify). */
export const KERNEL_VARIANT_UNKNOWN = 0;
export const KERNEL_VARIANT_OPEN = 1;
export const KERNEL_VARIANT_OPENAT = 2;
export const KERNEL_VARIANT_OPENAT2 = 3;
export const KERNEL_VARIANT_CREAT = 4;
export const KERNEL_VARIANT_MKNOD = 5;
export const KERNEL_VARIANT_MKNODAT = 6;
export const KERNEL_VARIANT_OPEN_BY_HANDLE_AT = 7;
export const KERNEL_VARIANT_CLOSE = 8;
export const KERNEL_VARIANT_CLOSE_RANGE = 9;
export const KERNEL_VARIANT_DUP2 = 10;
export const KERNEL_VARIANT_DUP3 = 11;
export const KERNEL_VARIANT_READ = 12;
export const KERNEL_VARIANT_PREAD64 = 13;
export const KERNEL_VARIANT_READV = 14;
export const KERNEL_VARIANT_PREADV = 15;
export const KERNEL_VARIANT_PREADV2 = 16;
export const KERNEL_VARIANT_WRITE = 17;
export const KERNEL_VARIANT_PWRITE64 = 18;
export const KERNEL_VARIANT_WRITEV = 19;
export const KERNEL_VARIANT_PWRITEV = 20;
export const KERNEL_VARIANT_PWRITEV2 = 21;
export const KERNEL_VARIANT_COPY_FILE_RANGE = 22;
export const KERNEL_VARIANT_SENDFILE = 23;
export const KERNEL_VARIANT_SPLICE = 24;
export const KERNEL_VARIANT_TRUNCATE = 25;
export const KERNEL_VARIANT_FTRUNCATE = 26;
export const KERNEL_VARIANT_FALLOCATE = 27;
export const KERNEL_VARIANT_RENAME = 28;
export const KERNEL_VARIANT_RENAMEAT = 29;
export const KERNEL_VARIANT_RENAMEAT2 = 30;
export const KERNEL_VARIANT_LINK = 31;
export const KERNEL_VARIANT_LINKAT = 32;
export const KERNEL_VARIANT_SYMLINK = 33;
export const KERNEL_VARIANT_SYMLINKAT = 34;
export const KERNEL_VARIANT_UNLINK = 35;
export const KERNEL_VARIANT_UNLINKAT = 36;
export const KERNEL_VARIANT_MKDIR = 37;
export const KERNEL_VARIANT_MKDIRAT = 38;
export const KERNEL_VARIANT_RMDIR = 39;
export const KERNEL_VARIANT_CHMOD = 40;
export const KERNEL_VARIANT_FCHMOD = 41;
export const KERNEL_VARIANT_FCHMODAT = 42;
export const KERNEL_VARIANT_FCHMODAT2 = 43;
export const KERNEL_VARIANT_CHOWN = 44;
export const KERNEL_VARIANT_FCHOWN = 45;
export const KERNEL_VARIANT_LCHOWN = 46;
export const KERNEL_VARIANT_FCHOWNAT = 47;
export const KERNEL_VARIANT_GETDENTS = 48;
export const KERNEL_VARIANT_GETDENTS64 = 49;
export const KERNEL_VARIANT_MOUNT = 50;
export const KERNEL_VARIANT_MOVE_MOUNT = 51;
export const KERNEL_VARIANT_UMOUNT2 = 52;
export const KERNEL_VARIANT_SYNC = 53;
export const KERNEL_VARIANT_SYNCFS = 54;
export const KERNEL_VARIANT_FSYNC = 55;
export const KERNEL_VARIANT_FDATASYNC = 56;
export const KERNEL_VARIANT_SYNC_FILE_RANGE = 57;
export const KERNEL_VARIANT_MSYNC = 58;
/** A store through a shared mapping, seen page by page when the page turns dirty. */
export const KERNEL_VARIANT_MMAP = 59;
export const KERNEL_VARIANT_IO_URING = 60;
/** Found by a scan: it was there before the watch was, or appeared between mkdir and watch. */
export const KERNEL_VARIANT_SCAN = 61;
/** Closed because its process ended. */
export const KERNEL_VARIANT_EXIT = 62;
export const KERNEL_VARIANT_COUNT = 63;

/** The path did not fit PATH_LENGTH_MAX or PATH_DEPTH_MAX: it begins with its innermost part that did. */
export const KERNEL_FLAG_PATH_TRUNCATED = 1;
export const KERNEL_FLAG_PATH2_TRUNCATED = 2;
/** The file has no name any more: the path is its last one. */
export const KERNEL_FLAG_PATH_DELETED = 4;
/** Built from the caller's own words: symbolic links in it are not resolved. */
export const KERNEL_FLAG_PATH_BY_NAME = 8;
export const KERNEL_FLAG_PATH2_BY_NAME = 16;
export const KERNEL_FLAG_PID_UNKNOWN = 32;
/** The kernel could not tell whether the path is inside a watched subtree: user space decides, after it has resolved it. */
export const KERNEL_FLAG_UNDECIDED = 64;
/** timeNs is when the source read the event, not when it happened. */
export const KERNEL_FLAG_TIME_ESTIMATED = 128;
export const KERNEL_FLAG_DIRECTORY = 256;
/** Both flags above that concern paths were settled by user space: paths are final. */
export const KERNEL_FLAG_RESOLVED = 512;
/** The pid is known, but not uid, gid and comm: the process had ended before it could be asked for them. */
export const KERNEL_FLAG_ACTOR_UNKNOWN = 1024;
