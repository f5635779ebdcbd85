// Which system call is which operation, and where its arguments are: one row for each call, its numbers on both architectures beside it. The BPF programs
// get the rows of the running architecture as an array by number (layout/kernel-call.ts).

import {
  CALL_ARGUMENT_NONE,
  CALL_ARGUMENT_OFFSET,
  CALL_AT_FLAGS_OFFSET,
  CALL_COUNT,
  CALL_DIR_OFFSET,
  CALL_DIR2_OFFSET,
  CALL_LENGTH,
  CALL_OP_MASK_OFFSET,
  CALL_OP_OFFSET,
  CALL_OPTION_AMOUNT,
  CALL_OPTION_ARGUMENT_32,
  CALL_OPTION_CREAT,
  CALL_OPTION_OPEN_HOW,
  CALL_OPTION_REMOVEDIR,
  CALL_OPTIONS_OFFSET,
  CALL_PAIR_OFFSET,
  CALL_PATH_OFFSET,
  CALL_PATH2_OFFSET,
  CALL_SHAPE_CLOSE,
  CALL_SHAPE_CLOSE_RANGE,
  CALL_SHAPE_DUP,
  CALL_SHAPE_FD,
  CALL_SHAPE_MOUNT,
  CALL_SHAPE_MSYNC,
  CALL_SHAPE_NAME,
  CALL_SHAPE_NAMES,
  CALL_SHAPE_OFFSET,
  CALL_SHAPE_OPEN,
  CALL_SHAPE_OPEN_BY_HANDLE,
  CALL_SHAPE_SYMLINK,
  CALL_SHAPE_SYNC,
  CALL_SHAPE_TRANSFER,
  CALL_URING_COUNT,
  CALL_VARIANT_OFFSET,
} from '../../../layout/kernel-call.ts';
import * as record from '../../../layout/kernel-record.ts';
import { CausewayError } from '../../base/errors.ts';

/** Where the arguments are: numbers from 0, as in the call's manual page. Absent: the call has no such argument. */
interface Arguments {
  dir?: number;
  path?: number;
  dir2?: number;
  path2?: number;
  argument?: number;
  atFlags?: number;
  /** The argument is two: uid and gid. */
  pair?: boolean;
  options?: number;
  /** Other operations that the call may turn out to be. */
  also?: readonly number[];
}

interface Row extends Arguments {
  name: string;
  /** System call numbers; -1 = the architecture has no such call. */
  x64: number;
  arm64: number;
  op: number;
  variant: number;
  shape: number;
}

const CREATE = { also: [record.KERNEL_OP_FILE_CREATE] };
const TRANSFER = { op: record.KERNEL_OP_FILE_READ, shape: CALL_SHAPE_TRANSFER, also: [record.KERNEL_OP_FILE_WRITE] };
const MODE = CALL_OPTION_ARGUMENT_32;

function fd(name: string, x64: number, arm64: number, op: number, variant: number, more: Arguments = {}): Row {
  return { name, x64, arm64, op, variant, shape: CALL_SHAPE_FD, dir: 0, ...more };
}

function io(name: string, x64: number, arm64: number, op: number, variant: number): Row {
  return fd(name, x64, arm64, op, variant, { options: CALL_OPTION_AMOUNT });
}

function named(name: string, x64: number, arm64: number, op: number, variant: number, more: Arguments): Row {
  return {
    name,
    x64,
    arm64,
    op,
    variant,
    shape: more.path2 === undefined ? CALL_SHAPE_NAME : CALL_SHAPE_NAMES,
    ...more,
  };
}

function open(name: string, x64: number, arm64: number, variant: number, more: Arguments): Row {
  return { name, x64, arm64, op: record.KERNEL_OP_FILE_OPEN, variant, shape: CALL_SHAPE_OPEN, ...CREATE, ...more };
}

/** asm/unistd_64.h of x86, and asm-generic/unistd.h, which arm64 uses. */
export const CALLS: readonly Row[] = [
  open('open', 2, -1, record.KERNEL_VARIANT_OPEN, { path: 0, argument: 1, options: MODE }),
  open('openat', 257, 56, record.KERNEL_VARIANT_OPENAT, { dir: 0, path: 1, argument: 2, options: MODE }),
  open('openat2', 437, 437, record.KERNEL_VARIANT_OPENAT2, {
    dir: 0,
    path: 1,
    argument: 2,
    options: CALL_OPTION_OPEN_HOW,
  }),
  open('creat', 85, -1, record.KERNEL_VARIANT_CREAT, { path: 0, options: CALL_OPTION_CREAT }),
  {
    ...open('open_by_handle_at', 304, 265, record.KERNEL_VARIANT_OPEN_BY_HANDLE_AT, {
      dir: 0,
      argument: 2,
      options: MODE,
    }),
    shape: CALL_SHAPE_OPEN_BY_HANDLE,
  },
  named('mknod', 133, -1, record.KERNEL_OP_FILE_CREATE, record.KERNEL_VARIANT_MKNOD, {
    path: 0,
    argument: 1,
    options: MODE,
  }),
  named('mknodat', 259, 33, record.KERNEL_OP_FILE_CREATE, record.KERNEL_VARIANT_MKNODAT, {
    dir: 0,
    path: 1,
    argument: 2,
    options: MODE,
  }),
  { ...fd('close', 3, 57, record.KERNEL_OP_FILE_CLOSE, record.KERNEL_VARIANT_CLOSE), shape: CALL_SHAPE_CLOSE },
  {
    ...fd('close_range', 436, 436, record.KERNEL_OP_FILE_CLOSE, record.KERNEL_VARIANT_CLOSE_RANGE),
    shape: CALL_SHAPE_CLOSE_RANGE,
  },
  {
    ...fd('dup2', 33, -1, record.KERNEL_OP_FILE_CLOSE, record.KERNEL_VARIANT_DUP2, { dir: 1, dir2: 0 }),
    shape: CALL_SHAPE_DUP,
  },
  {
    ...fd('dup3', 292, 24, record.KERNEL_OP_FILE_CLOSE, record.KERNEL_VARIANT_DUP3, {
      dir: 1,
      dir2: 0,
      argument: 2,
      options: MODE,
    }),
    shape: CALL_SHAPE_DUP,
  },
  io('read', 0, 63, record.KERNEL_OP_FILE_READ, record.KERNEL_VARIANT_READ),
  io('pread64', 17, 67, record.KERNEL_OP_FILE_READ, record.KERNEL_VARIANT_PREAD64),
  io('readv', 19, 65, record.KERNEL_OP_FILE_READ, record.KERNEL_VARIANT_READV),
  io('preadv', 295, 69, record.KERNEL_OP_FILE_READ, record.KERNEL_VARIANT_PREADV),
  io('preadv2', 327, 286, record.KERNEL_OP_FILE_READ, record.KERNEL_VARIANT_PREADV2),
  io('write', 1, 64, record.KERNEL_OP_FILE_WRITE, record.KERNEL_VARIANT_WRITE),
  io('pwrite64', 18, 68, record.KERNEL_OP_FILE_WRITE, record.KERNEL_VARIANT_PWRITE64),
  io('writev', 20, 66, record.KERNEL_OP_FILE_WRITE, record.KERNEL_VARIANT_WRITEV),
  io('pwritev', 296, 70, record.KERNEL_OP_FILE_WRITE, record.KERNEL_VARIANT_PWRITEV),
  io('pwritev2', 328, 287, record.KERNEL_OP_FILE_WRITE, record.KERNEL_VARIANT_PWRITEV2),
  {
    ...TRANSFER,
    name: 'copy_file_range',
    x64: 326,
    arm64: 285,
    variant: record.KERNEL_VARIANT_COPY_FILE_RANGE,
    dir: 0,
    dir2: 2,
    options: CALL_OPTION_AMOUNT,
  },
  {
    ...TRANSFER,
    name: 'sendfile',
    x64: 40,
    arm64: 71,
    variant: record.KERNEL_VARIANT_SENDFILE,
    dir: 1,
    dir2: 0,
    options: CALL_OPTION_AMOUNT,
  },
  {
    ...TRANSFER,
    name: 'splice',
    x64: 275,
    arm64: 76,
    variant: record.KERNEL_VARIANT_SPLICE,
    dir: 0,
    dir2: 2,
    argument: 5,
    options: CALL_OPTION_AMOUNT | MODE,
  },
  named('truncate', 76, 45, record.KERNEL_OP_FILE_TRUNCATE, record.KERNEL_VARIANT_TRUNCATE, { path: 0, argument: 1 }),
  fd('ftruncate', 77, 46, record.KERNEL_OP_FILE_TRUNCATE, record.KERNEL_VARIANT_FTRUNCATE, { argument: 1 }),
  fd('fallocate', 285, 47, record.KERNEL_OP_FILE_TRUNCATE, record.KERNEL_VARIANT_FALLOCATE, { argument: 3 }),
  named('rename', 82, -1, record.KERNEL_OP_FILE_RENAME, record.KERNEL_VARIANT_RENAME, { path: 0, path2: 1 }),
  named('renameat', 264, 38, record.KERNEL_OP_FILE_RENAME, record.KERNEL_VARIANT_RENAMEAT, {
    dir: 0,
    path: 1,
    dir2: 2,
    path2: 3,
  }),
  named('renameat2', 316, 276, record.KERNEL_OP_FILE_RENAME, record.KERNEL_VARIANT_RENAMEAT2, {
    dir: 0,
    path: 1,
    dir2: 2,
    path2: 3,
    argument: 4,
    options: MODE,
  }),
  named('link', 86, -1, record.KERNEL_OP_HARDLINK_CREATE, record.KERNEL_VARIANT_LINK, { path: 0, path2: 1 }),
  named('linkat', 265, 37, record.KERNEL_OP_HARDLINK_CREATE, record.KERNEL_VARIANT_LINKAT, {
    dir: 0,
    path: 1,
    dir2: 2,
    path2: 3,
    argument: 4,
    atFlags: 4,
    options: MODE,
  }),
  {
    ...named('symlink', 88, -1, record.KERNEL_OP_SYMLINK_CREATE, record.KERNEL_VARIANT_SYMLINK, { path: 1, path2: 0 }),
    shape: CALL_SHAPE_SYMLINK,
  },
  {
    ...named('symlinkat', 266, 36, record.KERNEL_OP_SYMLINK_CREATE, record.KERNEL_VARIANT_SYMLINKAT, {
      dir: 1,
      path: 2,
      path2: 0,
    }),
    shape: CALL_SHAPE_SYMLINK,
  },
  named('unlink', 87, -1, record.KERNEL_OP_FILE_DELETE, record.KERNEL_VARIANT_UNLINK, { path: 0 }),
  named('unlinkat', 263, 35, record.KERNEL_OP_FILE_DELETE, record.KERNEL_VARIANT_UNLINKAT, {
    dir: 0,
    path: 1,
    argument: 2,
    atFlags: 2,
    options: CALL_OPTION_REMOVEDIR | MODE,
    also: [record.KERNEL_OP_DIR_DELETE],
  }),
  named('mkdir', 83, -1, record.KERNEL_OP_DIR_CREATE, record.KERNEL_VARIANT_MKDIR, {
    path: 0,
    argument: 1,
    options: MODE,
  }),
  named('mkdirat', 258, 34, record.KERNEL_OP_DIR_CREATE, record.KERNEL_VARIANT_MKDIRAT, {
    dir: 0,
    path: 1,
    argument: 2,
    options: MODE,
  }),
  named('rmdir', 84, -1, record.KERNEL_OP_DIR_DELETE, record.KERNEL_VARIANT_RMDIR, { path: 0 }),
  named('chmod', 90, -1, record.KERNEL_OP_FILE_CHMOD, record.KERNEL_VARIANT_CHMOD, {
    path: 0,
    argument: 1,
    options: MODE,
  }),
  fd('fchmod', 91, 52, record.KERNEL_OP_FILE_CHMOD, record.KERNEL_VARIANT_FCHMOD, { argument: 1, options: MODE }),
  named('fchmodat', 268, 53, record.KERNEL_OP_FILE_CHMOD, record.KERNEL_VARIANT_FCHMODAT, {
    dir: 0,
    path: 1,
    argument: 2,
    options: MODE,
  }),
  named('fchmodat2', 452, 452, record.KERNEL_OP_FILE_CHMOD, record.KERNEL_VARIANT_FCHMODAT2, {
    dir: 0,
    path: 1,
    argument: 2,
    atFlags: 3,
    options: MODE,
  }),
  named('chown', 92, -1, record.KERNEL_OP_FILE_CHOWN, record.KERNEL_VARIANT_CHOWN, {
    path: 0,
    argument: 1,
    pair: true,
  }),
  fd('fchown', 93, 55, record.KERNEL_OP_FILE_CHOWN, record.KERNEL_VARIANT_FCHOWN, { argument: 1, pair: true }),
  named('lchown', 94, -1, record.KERNEL_OP_FILE_CHOWN, record.KERNEL_VARIANT_LCHOWN, {
    path: 0,
    argument: 1,
    pair: true,
  }),
  named('fchownat', 260, 54, record.KERNEL_OP_FILE_CHOWN, record.KERNEL_VARIANT_FCHOWNAT, {
    dir: 0,
    path: 1,
    argument: 2,
    pair: true,
    atFlags: 4,
  }),
  io('getdents', 78, -1, record.KERNEL_OP_DIR_READ, record.KERNEL_VARIANT_GETDENTS),
  io('getdents64', 217, 61, record.KERNEL_OP_DIR_READ, record.KERNEL_VARIANT_GETDENTS64),
  mount('mount', 165, 40, record.KERNEL_OP_MOUNT, record.KERNEL_VARIANT_MOUNT, { path: 1, path2: 0, argument: 3 }),
  mount('move_mount', 429, 429, record.KERNEL_OP_MOUNT, record.KERNEL_VARIANT_MOVE_MOUNT, {
    dir: 2,
    path: 3,
    dir2: 0,
    path2: 1,
    argument: 4,
    atFlags: 4,
    options: MODE,
  }),
  mount('umount2', 166, 39, record.KERNEL_OP_UNMOUNT, record.KERNEL_VARIANT_UMOUNT2, {
    path: 0,
    argument: 1,
    options: MODE,
  }),
  { ...fd('sync', 162, 81, record.KERNEL_OP_SYNC, record.KERNEL_VARIANT_SYNC), shape: CALL_SHAPE_SYNC },
  fd('syncfs', 306, 267, record.KERNEL_OP_SYNC, record.KERNEL_VARIANT_SYNCFS),
  fd('fsync', 74, 82, record.KERNEL_OP_SYNC, record.KERNEL_VARIANT_FSYNC),
  fd('fdatasync', 75, 83, record.KERNEL_OP_SYNC, record.KERNEL_VARIANT_FDATASYNC),
  fd('sync_file_range', 277, 84, record.KERNEL_OP_SYNC, record.KERNEL_VARIANT_SYNC_FILE_RANGE, {
    argument: 3,
    options: MODE,
  }),
  {
    ...fd('msync', 26, 227, record.KERNEL_OP_SYNC, record.KERNEL_VARIANT_MSYNC, { argument: 2, options: MODE }),
    shape: CALL_SHAPE_MSYNC,
  },
];

function mount(name: string, x64: number, arm64: number, op: number, variant: number, more: Arguments): Row {
  return { name, x64, arm64, op, variant, shape: CALL_SHAPE_MOUNT, ...more };
}

/**
 * The array for this architecture: CALL_COUNT rows of CALL_LENGTH bytes.
 * @throws CausewayError CAPABILITY_MISSING on an architecture whose numbers are not known.
 */
export function callTable(architecture: string = process.arch): Uint8Array {
  if (architecture !== 'x64' && architecture !== 'arm64') {
    throw new CausewayError(
      'CAPABILITY_MISSING',
      `system call numbers of ${architecture} are not known: x64 and arm64 are`,
    );
  }
  const table = Buffer.alloc(CALL_COUNT * CALL_LENGTH);
  for (const row of CALLS) {
    const number = row[architecture];
    if (number >= 0) writeRow(table.subarray(number * CALL_LENGTH, (number + 1) * CALL_LENGTH), row);
  }
  return table;
}

/** include/uapi/linux/io_uring.h: opcodes that are about files. */
const URING_CALLS: readonly {
  opcode: number;
  op: number;
  shape: number;
  options?: number;
  also?: readonly number[];
}[] = [
  ...[1, 4, 22, 60].map((opcode) => uringIo(opcode, record.KERNEL_OP_FILE_READ)),
  ...[2, 5, 23, 61].map((opcode) => uringIo(opcode, record.KERNEL_OP_FILE_WRITE)),
  ...[3, 8].map((opcode) => ({ opcode, op: record.KERNEL_OP_SYNC, shape: CALL_SHAPE_FD })),
  ...[17, 55].map((opcode) => ({ opcode, op: record.KERNEL_OP_FILE_TRUNCATE, shape: CALL_SHAPE_FD })),
  ...[18, 28].map((opcode) => ({ opcode, op: record.KERNEL_OP_FILE_OPEN, shape: CALL_SHAPE_OPEN, ...CREATE })),
  { opcode: 19, op: record.KERNEL_OP_FILE_CLOSE, shape: CALL_SHAPE_CLOSE },
  { opcode: 35, op: record.KERNEL_OP_FILE_RENAME, shape: CALL_SHAPE_NAMES },
  {
    opcode: 36,
    op: record.KERNEL_OP_FILE_DELETE,
    shape: CALL_SHAPE_NAME,
    options: CALL_OPTION_REMOVEDIR,
    also: [record.KERNEL_OP_DIR_DELETE],
  },
  { opcode: 37, op: record.KERNEL_OP_DIR_CREATE, shape: CALL_SHAPE_NAME },
  { opcode: 38, op: record.KERNEL_OP_SYMLINK_CREATE, shape: CALL_SHAPE_SYMLINK },
  { opcode: 39, op: record.KERNEL_OP_HARDLINK_CREATE, shape: CALL_SHAPE_NAMES },
];

function uringIo(opcode: number, op: number) {
  return { opcode, op, shape: CALL_SHAPE_FD, options: CALL_OPTION_AMOUNT };
}

/** The same for io_uring: CALL_URING_COUNT rows, by opcode. */
export function uringCallTable(): Uint8Array {
  const table = Buffer.alloc(CALL_URING_COUNT * CALL_LENGTH);
  for (const row of URING_CALLS) {
    const bytes = table.subarray(row.opcode * CALL_LENGTH, (row.opcode + 1) * CALL_LENGTH);
    writeRow(bytes, { name: 'io_uring', x64: -1, arm64: -1, variant: record.KERNEL_VARIANT_IO_URING, ...row });
  }
  return table;
}

function writeRow(bytes: Buffer, row: Row): void {
  bytes[CALL_OP_OFFSET] = row.op;
  bytes[CALL_VARIANT_OFFSET] = row.variant;
  bytes[CALL_SHAPE_OFFSET] = row.shape;
  bytes[CALL_PAIR_OFFSET] = row.pair === true ? 1 : 0;
  bytes.writeUInt32LE(
    [row.op, ...(row.also ?? [])].reduce((mask, op) => mask | (1 << op), 0),
    CALL_OP_MASK_OFFSET,
  );
  bytes[CALL_DIR_OFFSET] = row.dir ?? CALL_ARGUMENT_NONE;
  bytes[CALL_PATH_OFFSET] = row.path ?? CALL_ARGUMENT_NONE;
  bytes[CALL_DIR2_OFFSET] = row.dir2 ?? CALL_ARGUMENT_NONE;
  bytes[CALL_PATH2_OFFSET] = row.path2 ?? CALL_ARGUMENT_NONE;
  bytes[CALL_ARGUMENT_OFFSET] = row.argument ?? CALL_ARGUMENT_NONE;
  bytes[CALL_AT_FLAGS_OFFSET] = row.atFlags ?? CALL_ARGUMENT_NONE;
  bytes[CALL_OPTIONS_OFFSET] = row.options ?? 0;
}
