// Which event a kernel operation becomes (assembly/translate.ts: translateType), as a table.

const TYPES_LENGTH = 1 << 16;

/** The event type by (op << 8) | variant. @param {Record<string, number>} L */
export function makeTypes(L) {
  const byOp = [
    'ACCESS_OPEN',
    'ACCESS_CLOSE',
    'FS_READ',
    'FS_WRITE',
    'FS_CREATE',
    'FS_DELETE',
    'FS_RENAME',
    'FS_CHMOD',
    'FS_CHOWN',
    'FS_TRUNCATE',
    'FS_MKDIR',
    'FS_RMDIR',
    'ACCESS_READDIR',
    'FS_SYMLINK',
    'FS_HARDLINK',
    'SYSTEM_MOUNT',
    'SYSTEM_UNMOUNT',
    'ACCESS_FSYNC',
  ];
  const types = new Int32Array(TYPES_LENGTH);
  for (const [op, name] of byOp.entries()) types.fill(Number(L[`EVENT_${name}`]), op << 8, (op + 1) << 8);
  types[(Number(L.KERNEL_OP_FILE_TRUNCATE) << 8) | Number(L.KERNEL_VARIANT_FALLOCATE)] = Number(
    L.EVENT_ACCESS_FALLOCATE,
  );
  for (const name of ['SYNC', 'SYNCFS', 'UNKNOWN'])
    types[(Number(L.KERNEL_OP_SYNC) << 8) | Number(L[`KERNEL_VARIANT_${name}`])] = Number(L.EVENT_SYSTEM_SYNC);
  return types;
}
