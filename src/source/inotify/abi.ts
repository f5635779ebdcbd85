// inotify as the kernel has it (include/uapi/linux/inotify.h, man 7 inotify): the same on every architecture.
//
//    0    4      8        12    16
//   +----+------+--------+-----+------------------------------+
//   | wd | mask | cookie | len | name, len bytes, NUL-filled  |   in the machine's own byte order; wasm and every Node for Linux are little-endian
//   +----+------+--------+-----+------------------------------+

export const INOTIFY_EVENT_WD_OFFSET = 0;
export const INOTIFY_EVENT_MASK_OFFSET = 4;
export const INOTIFY_EVENT_COOKIE_OFFSET = 8;
export const INOTIFY_EVENT_NAME_LENGTH_OFFSET = 12;
export const INOTIFY_EVENT_HEADER_LENGTH = 16;
/** NAME_MAX + 1, which is a multiple of the 16 bytes that the kernel rounds to. */
export const INOTIFY_NAME_LENGTH_MAX = 256;

export const IN_ACCESS = 0x00000001;
export const IN_MODIFY = 0x00000002;
export const IN_ATTRIB = 0x00000004;
export const IN_CLOSE_WRITE = 0x00000008;
export const IN_CLOSE_NOWRITE = 0x00000010;
export const IN_OPEN = 0x00000020;
export const IN_MOVED_FROM = 0x00000040;
export const IN_MOVED_TO = 0x00000080;
export const IN_CREATE = 0x00000100;
export const IN_DELETE = 0x00000200;
export const IN_DELETE_SELF = 0x00000400;
export const IN_MOVE_SELF = 0x00000800;
export const IN_UNMOUNT = 0x00002000;
export const IN_Q_OVERFLOW = 0x00004000;
export const IN_IGNORED = 0x00008000;
export const IN_ONLYDIR = 0x01000000;
export const IN_DONT_FOLLOW = 0x02000000;
export const IN_ISDIR = 0x40000000;

/** inotify_init1 */
export const IN_NONBLOCK = 0o4000;
export const IN_CLOEXEC = 0o2000000;

/** linux/sockio.h, asm-generic/ioctls.h: bytes that can be read now. */
export const FIONREAD = 0x541b;
