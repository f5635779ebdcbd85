// Around the whole run, in vitest's own process: one directory for all that tests write.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { removeDirectory } from './temporary-directory.ts';

const PREFIX = 'causeway-test-';

export default function setup(): () => void {
  removeLeftOvers();
  const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), `${PREFIX}${process.pid}-`)));
  // Tests that become another user must be able to get in.
  fs.chmodSync(directory, 0o755);
  process.env.CAUSEWAY_TEST_DIRECTORY = directory;
  return () => removeDirectory(directory);
}

/** Of runs that were killed: their process is gone. */
function removeLeftOvers(): void {
  for (const name of fs.readdirSync(os.tmpdir()).filter((entry) => entry.startsWith(PREFIX))) {
    const pid = name.slice(PREFIX.length).split('-')[0];
    const directory = path.join(os.tmpdir(), name);
    const isOurs = fs.statSync(directory, { throwIfNoEntry: false })?.uid === process.getuid?.();
    if (isOurs && !fs.existsSync(`/proc/${pid}`)) removeDirectory(directory);
  }
}
