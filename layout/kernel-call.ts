// The call table: what user space tells the BPF programs about each system call number of this architecture. One row of an array map per number, so that
// the programs know no numbers (src/source/ebpf/call-table.ts fills it).
//
//    0    1         2       3      4        8     9      10     11      12         13       14        15
//   +----+---------+-------+------+--------+-----+------+------+-------+----------+---------+---------+----------+
//   | op | variant | shape | pair | opMask | dir | path | dir2 | path2 | argument | atFlags | options | reserved |
//   +----+---------+-------+------+--------+-----+------+------+-------+----------+---------+---------+----------+
//
// dir .. atFlags are indexes of the call's arguments (0..5), or CALL_ARGUMENT_NONE.

export const CALL_OP_OFFSET = 0;
export const CALL_VARIANT_OFFSET = 1;
/** u8: one of CALL_SHAPE_. */
export const CALL_SHAPE_OFFSET = 2;
/** u8: 1 = the record's argument is `argument` << 32 | the argument after it (uid and gid). */
export const CALL_PAIR_OFFSET = 3;
/** u32: bit per KERNEL_OP_ that the call can become: none of them wanted = nothing to do. */
export const CALL_OP_MASK_OFFSET = 4;
/** u8: file descriptor, or the directory that a name is relative to (CALL_ARGUMENT_NONE: the working directory). */
export const CALL_DIR_OFFSET = 8;
export const CALL_PATH_OFFSET = 9;
export const CALL_DIR2_OFFSET = 10;
export const CALL_PATH2_OFFSET = 11;
export const CALL_ARGUMENT_OFFSET = 12;
/** u8: the argument with AT_ flags. */
export const CALL_AT_FLAGS_OFFSET = 13;
/** u8: CALL_OPTION_ bits. */
export const CALL_OPTIONS_OFFSET = 14;
export const CALL_LENGTH = 16;
/** Rows: system call numbers from 0. Both x86-64 and arm64 are below 480 today. */
export const CALL_COUNT = 512;
/** Rows of the second table, by io_uring opcode. */
export const CALL_URING_COUNT = 64;
export const CALL_ARGUMENT_NONE = 255;

/** Not one of ours. */
export const CALL_SHAPE_NONE = 0;
/** About the file of one descriptor. */
export const CALL_SHAPE_FD = 1;
/** Ends a descriptor: what it was must be read before the call. */
export const CALL_SHAPE_CLOSE = 2;
/** dup2, dup3: ends the descriptor `dir` if it is open, and only when the call succeeds; `dir2` is what it becomes. */
export const CALL_SHAPE_DUP = 3;
export const CALL_SHAPE_CLOSE_RANGE = 4;
export const CALL_SHAPE_OPEN = 5;
/** One name. */
export const CALL_SHAPE_NAME = 6;
/** Two names. */
export const CALL_SHAPE_NAMES = 7;
/** A name, and a text that is not a path. */
export const CALL_SHAPE_SYMLINK = 8;
/** Two descriptors: `dir` is read, `dir2` is written. */
export const CALL_SHAPE_TRANSFER = 9;
/** The file that is mapped at an address. */
export const CALL_SHAPE_MSYNC = 10;
/** About everything. */
export const CALL_SHAPE_SYNC = 11;
/** A mount point, and a text (or, with dir2, a name) that says what is mounted there. */
export const CALL_SHAPE_MOUNT = 12;
export const CALL_SHAPE_OPEN_BY_HANDLE = 13;

/** The result is a count of bytes: the record's amount. */
export const CALL_OPTION_AMOUNT = 1;
/** The flags are in a struct open_how in the caller's memory. */
export const CALL_OPTION_OPEN_HOW = 2;
/** creat: the flags are O_CREAT | O_WRONLY | O_TRUNC, whatever the arguments are. */
export const CALL_OPTION_CREAT = 4;
/** The argument is 32 bits wide: the upper half of its register is anything. */
export const CALL_OPTION_ARGUMENT_32 = 8;
/** unlinkat: AT_REMOVEDIR makes it a directory's removal. */
export const CALL_OPTION_REMOVEDIR = 16;
/** linkat, move_mount: the empty first name means the descriptor itself, if the flags say so with this bit (AT_EMPTY_PATH, MOVE_MOUNT_F_EMPTY_PATH). */
export const CALL_OPTION_EMPTY_PATH = 32;
