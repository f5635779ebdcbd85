// Which events the kernel is asked for: those without which the tree would not be known, and those that somebody wants.

import {
  KERNEL_OP_DIR_READ,
  KERNEL_OP_FILE_CHMOD,
  KERNEL_OP_FILE_CHOWN,
  KERNEL_OP_FILE_CLOSE,
  KERNEL_OP_FILE_OPEN,
  KERNEL_OP_FILE_READ,
  KERNEL_OP_FILE_WRITE,
} from '../../../layout/kernel-record.ts';
import {
  FAN_ACCESS,
  FAN_ATTRIB,
  FAN_CLOSE_NOWRITE,
  FAN_CLOSE_WRITE,
  FAN_CREATE,
  FAN_DELETE,
  FAN_MODIFY,
  FAN_ONDIR,
  FAN_OPEN,
  FAN_RENAME,
} from './abi.ts';

/** @param ops Numbers of KERNEL_OP_; empty = all. */
export function maskOf(ops: readonly number[]): number {
  const wants = (...some: number[]) => ops.length === 0 || some.some((op) => ops.includes(op));
  let mask = FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_ONDIR;
  if (wants(KERNEL_OP_FILE_CHMOD, KERNEL_OP_FILE_CHOWN)) mask |= FAN_ATTRIB;
  if (wants(KERNEL_OP_FILE_WRITE)) mask |= FAN_MODIFY;
  if (wants(KERNEL_OP_FILE_OPEN)) mask |= FAN_OPEN;
  if (wants(KERNEL_OP_FILE_CLOSE)) mask |= FAN_CLOSE_WRITE | FAN_CLOSE_NOWRITE;
  if (wants(KERNEL_OP_FILE_READ, KERNEL_OP_DIR_READ)) mask |= FAN_ACCESS;
  return mask;
}
