// `causeway bench`: hands over to the benchmarks of a checkout. They are not in the package, because their rivals are not.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { CausewayError, EXIT_FAILED } from '../base/errors.ts';
import type { Context } from './context.ts';
import { packageRoot } from './package-info.ts';

/** @returns the exit code of the benchmarks. */
export async function runBench(ids: readonly string[], context: Context): Promise<number> {
  const root = packageRoot();
  const program = path.join(root, 'bench/run.mjs');
  if (!existsSync(program)) {
    throw new CausewayError(
      'CAPABILITY_MISSING',
      `the benchmarks are not part of the npm package: ${program} is not there`,
      {
        hint: 'Clone the repository, and run npm run bench there.',
      },
    );
  }
  const args = [program, ...ids, ...(context.json ? ['--json'] : [])];
  const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
  return await new Promise((resolve, reject) => {
    child.once('error', (error) =>
      reject(new CausewayError('CAPABILITY_MISSING', `node could not be started: ${error.message}`)),
    );
    child.once('exit', (exitCode) => resolve(exitCode ?? EXIT_FAILED));
  });
}
