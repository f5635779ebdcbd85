// Places on the disk that are gone afterwards.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/**
 * @template T
 * @param {(directory: string) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function withDirectory(use) {
  const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'causeway-bench-')));
  try {
    return await use(directory);
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}
