// npm test: sets up, then runs the tests; `npm test -- test/journal` runs some of them (any argument of vitest).

import process from 'node:process';
import { setup } from './setup.mjs';
import { become, moduleFile } from './shell.mjs';

if (await setup({ purpose: 'develop' })) {
  become(process.execPath, [moduleFile('vitest/vitest.mjs'), 'run', ...process.argv.slice(2)]);
} else {
  process.exitCode = 1;
}
