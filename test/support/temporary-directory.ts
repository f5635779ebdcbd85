// Directories for tests: made on demand, removed when the test ends, passed or failed. All of them lie in one directory of the run, which
// test/support/global-setup.ts removes at the very end: what a killed test file leaves behind goes then.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';

/** A new, empty directory; its path has no symbolic links in it. Made in beforeAll or at the top of a file, it lives until the run ends. */
export function temporaryDirectory(name = 'd'): string {
  const parent = process.env.CAUSEWAY_TEST_DIRECTORY ?? os.tmpdir();
  const directory = fs.realpathSync(fs.mkdtempSync(path.join(parent, `${name}-`)));
  removeAfterTest(directory);
  return directory;
}

function removeAfterTest(directory: string): void {
  try {
    onTestFinished(() => removeDirectory(directory));
  } catch {
    // Outside of a test (vitest throws): the directory goes with the run.
  }
}

/** rm -rf, also of directories that a test made unreadable. */
export function removeDirectory(directory: string): void {
  try {
    fs.rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    for (const entry of fs.readdirSync(directory, { withFileTypes: true, recursive: true })) {
      if (entry.isDirectory()) fs.chmodSync(path.join(entry.parentPath, entry.name), 0o700);
    }
    fs.rmSync(directory, { recursive: true, force: true });
  }
}
