// Around the whole run, in vitest's own process: one directory for all that tests write.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { removeDirectory } from './temporary-directory.ts';

export default function setup(): () => void {
  const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'causeway-test-')));
  // Tests that become another user must be able to get in.
  fs.chmodSync(directory, 0o755);
  process.env.CAUSEWAY_TEST_DIRECTORY = directory;
  return () => removeDirectory(directory);
}
