// Directories for tests: made on demand, removed when the test ends, passed or failed. All of them lie in one directory of the run, which
// test/support/global-setup.ts removes at the very end: what a killed test file leaves behind goes then.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';

/** A new, empty directory; its path has no symbolic links in it. Made in beforeAll or at the top of a file, it lives until the run ends. */
export function temporaryDirectory(name = 'd'): string {
  const parent = process.env.CAUSEWAY_TEST_DIRECTORY ?? os.tmpdir();
  // Somebody may tidy up /tmp while we run.
  fs.mkdirSync(parent, { recursive: true });
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

/** Also with directories that a test made unreadable, and with trees that are deeper than a path may be long (Node's rm stops there, rm(1) does not). */
export function removeDirectory(directory: string): void {
  try {
    fs.rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    spawnSync('chmod', ['-R', 'u+rwx', directory]);
    spawnSync('rm', ['-rf', directory]);
  }
}
