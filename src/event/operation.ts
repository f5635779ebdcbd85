// Which event types a kernel operation can become (assembly/translate.ts decides by the variant): from wanted types back to operations.

import * as record from '../../layout/kernel-record.ts';
import type { EventTypeName } from './type-name.ts';

/** KERNEL_OP_ number -> the event types it can be translated to. */
export const OPERATION_TYPES: readonly (readonly EventTypeName[])[] = operationTypes();

function operationTypes(): EventTypeName[][] {
  const types: EventTypeName[][] = [];
  types[record.KERNEL_OP_FILE_OPEN] = ['access.open'];
  types[record.KERNEL_OP_FILE_CLOSE] = ['access.close'];
  types[record.KERNEL_OP_FILE_READ] = ['fs.read'];
  types[record.KERNEL_OP_FILE_WRITE] = ['fs.write'];
  types[record.KERNEL_OP_FILE_CREATE] = ['fs.create'];
  types[record.KERNEL_OP_FILE_DELETE] = ['fs.delete'];
  types[record.KERNEL_OP_FILE_RENAME] = ['fs.rename'];
  types[record.KERNEL_OP_FILE_CHMOD] = ['fs.chmod'];
  types[record.KERNEL_OP_FILE_CHOWN] = ['fs.chown'];
  types[record.KERNEL_OP_FILE_TRUNCATE] = ['fs.truncate', 'access.fallocate'];
  types[record.KERNEL_OP_DIR_CREATE] = ['fs.mkdir'];
  types[record.KERNEL_OP_DIR_DELETE] = ['fs.rmdir'];
  types[record.KERNEL_OP_DIR_READ] = ['access.readdir'];
  types[record.KERNEL_OP_SYMLINK_CREATE] = ['fs.symlink'];
  types[record.KERNEL_OP_HARDLINK_CREATE] = ['fs.hardlink'];
  types[record.KERNEL_OP_MOUNT] = ['system.mount'];
  types[record.KERNEL_OP_UNMOUNT] = ['system.unmount'];
  types[record.KERNEL_OP_SYNC] = ['system.sync', 'access.fsync'];
  return types;
}

/** The operations that can become an event of a type that `wanted` accepts. */
export function operationsOf(wanted: (type: EventTypeName) => boolean): number[] {
  return OPERATION_TYPES.flatMap((types, op) => (types.some(wanted) ? [op] : []));
}
