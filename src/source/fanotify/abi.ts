// fanotify as the kernel has it (include/uapi/linux/fanotify.h, man 7 fanotify), for groups that report file handles and names. The same on every
// 64-bit architecture.
//
//   event    0           4      5          6                8      16   20
//           +-----------+------+----------+----------------+------+----+-----+-----------------------------+
//           | event_len | vers | reserved | metadata_len   | mask | fd | pid | information records ...     |   event_len bytes in all
//           +-----------+------+----------+----------------+------+----+-----+-----------------------------+
//   record   0      1     2     4      12             16            20
//           +------+-----+-----+------+--------------+-------------+-------------------+------------------------+
//           | type | pad | len | fsid | handle_bytes | handle_type | handle            | name, NUL, filled to 4 |   len bytes in all
//           +------+-----+-----+------+--------------+-------------+-------------------+------------------------+
//
// An event is valid when: vers is FANOTIFY_METADATA_VERSION; METADATA_LENGTH <= metadata_len <= event_len <= bytes that were read. A record is valid when
// it lies inside its event, its handle inside the record and is no longer than HANDLE_LENGTH_MAX, and its name ends with a NUL inside the record.

export const FANOTIFY_EVENT_LENGTH_OFFSET = 0;
export const FANOTIFY_EVENT_VERSION_OFFSET = 4;
export const FANOTIFY_EVENT_METADATA_LENGTH_OFFSET = 6;
export const FANOTIFY_EVENT_MASK_OFFSET = 8;
export const FANOTIFY_EVENT_PID_OFFSET = 20;
export const FANOTIFY_METADATA_LENGTH = 24;
export const FANOTIFY_METADATA_VERSION = 3;

export const FANOTIFY_INFO_TYPE_OFFSET = 0;
export const FANOTIFY_INFO_LENGTH_OFFSET = 2;
export const FANOTIFY_INFO_FSID_OFFSET = 4;
export const FANOTIFY_INFO_HANDLE_LENGTH_OFFSET = 12;
export const FANOTIFY_INFO_HANDLE_OFFSET = 20;
/** Up to the end of `len`: a record that we do not know may have no more. */
export const FANOTIFY_INFO_HEADER_LENGTH = 4;

/** The object itself. */
export const FAN_EVENT_INFO_TYPE_FID = 1;
/** A directory, and the name of an entry in it. */
export const FAN_EVENT_INFO_TYPE_DFID_NAME = 2;
export const FAN_EVENT_INFO_TYPE_OLD_DFID_NAME = 10;
export const FAN_EVENT_INFO_TYPE_NEW_DFID_NAME = 12;

export const FAN_ACCESS = 0x00000001;
export const FAN_MODIFY = 0x00000002;
export const FAN_ATTRIB = 0x00000004;
export const FAN_CLOSE_WRITE = 0x00000008;
export const FAN_CLOSE_NOWRITE = 0x00000010;
export const FAN_OPEN = 0x00000020;
export const FAN_CREATE = 0x00000100;
export const FAN_DELETE = 0x00000200;
export const FAN_Q_OVERFLOW = 0x00004000;
/** Linux 5.17. Both names in one event. */
export const FAN_RENAME = 0x10000000;
/** The object is a directory; asked for, or directories are left out. */
export const FAN_ONDIR = 0x40000000;

// fanotify_init
export const FAN_CLASS_NOTIF = 0;
export const FAN_CLOEXEC = 0x00000001;
export const FAN_NONBLOCK = 0x00000002;
export const FAN_REPORT_FID = 0x00000200;
export const FAN_REPORT_DIR_FID = 0x00000400;
export const FAN_REPORT_NAME = 0x00000800;
/** Linux 5.17: what a directory entry stands for, too. */
export const FAN_REPORT_TARGET_FID = 0x00001000;

// fanotify_mark
export const FAN_MARK_ADD = 0x00000001;
export const FAN_MARK_FILESYSTEM = 0x00000100;

/** fcntl.h */
export const AT_FDCWD = -100;
/** Linux 6.5: a handle that is only compared, where the file system cannot open files by handle. */
export const AT_HANDLE_FID = 0x200;
/** linux/exportfs.h */
export const HANDLE_LENGTH_MAX = 128;
export const FILE_HANDLE_HEADER_LENGTH = 8;
export const FSID_LENGTH = 8;
/** struct statfs of 64-bit Linux. */
export const STATFS_LENGTH = 120;
export const STATFS_FSID_OFFSET = 56;
/** asm-generic/ioctls.h; fanotify counts METADATA_LENGTH for each event that is queued, however long it is. */
export const FIONREAD = 0x541b;
