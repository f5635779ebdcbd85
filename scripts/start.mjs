// npm start: sets up, then shows the engine at work on a demonstration directory; `npm start -- PATH...` watches what is named (and takes the options
// of `causeway watch`).

import path from 'node:path';
import process from 'node:process';
import { setup } from './setup.mjs';
import { become, ROOT } from './shell.mjs';

const args = process.argv.slice(2);
if (await setup({ purpose: 'run' })) {
  const command = args.length > 0 ? ['watch', ...args] : ['demo', 'live'];
  // The flag of the command's first line, which does not count when node is named.
  become(process.execPath, ['--max-semi-space-size=2', path.join(ROOT, 'dist/src/cli/main.js'), ...command]);
} else {
  process.exitCode = 1;
}
