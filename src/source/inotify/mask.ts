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
  IN_ACCESS,
  IN_ATTRIB,
  IN_CLOSE_NOWRITE,
  IN_CLOSE_WRITE,
  IN_CREATE,
  IN_DELETE,
  IN_MODIFY,
  IN_MOVED_FROM,
  IN_MOVED_TO,
  IN_OPEN,
} from './abi.ts';

export const STRUCTURE_MASK = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;

export function maskOf(wants: (op: number) => boolean): number {
  let mask = STRUCTURE_MASK;
  if (wants(KERNEL_OP_FILE_CHMOD) || wants(KERNEL_OP_FILE_CHOWN)) mask |= IN_ATTRIB;
  if (wants(KERNEL_OP_FILE_WRITE)) mask |= IN_MODIFY;
  if (wants(KERNEL_OP_FILE_OPEN)) mask |= IN_OPEN;
  if (wants(KERNEL_OP_FILE_CLOSE)) mask |= IN_CLOSE_WRITE | IN_CLOSE_NOWRITE;
  // With the closing, which ends our own reading of a directory.
  if (wants(KERNEL_OP_FILE_READ) || wants(KERNEL_OP_DIR_READ)) mask |= IN_ACCESS | IN_CLOSE_NOWRITE;
  return mask;
}
