// The mark that an fdatasync failed. The kernel may hold pages as clean then that never got to the disk, and whoever opens the journal next, on the same
// machine without a restart in between, reads them as if they were there; a flush that succeeds says nothing about them. So recovery writes again what it
// read, and flushes that.
//
// The mark need not survive a power failure, only this process: after a restart nothing is in the page cache. So it is not flushed.

import path from 'node:path';
import type { FileLayer } from './file-layer.ts';

const NAME = 'unflushed';

export function markUnflushed(directory: string, files: FileLayer): void {
  try {
    files.close(files.open(path.join(directory, NAME), 'w', 0o600));
  } catch {
    // A file system that takes no name any more will take no journal either.
  }
}

export function isUnflushed(directory: string, files: FileLayer): boolean {
  return files.exists(path.join(directory, NAME));
}

/** Recovery is through: all that it read was flushed. */
export function unmarkUnflushed(directory: string, files: FileLayer): void {
  if (isUnflushed(directory, files)) files.unlink(path.join(directory, NAME));
}
