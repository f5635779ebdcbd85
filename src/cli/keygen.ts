// `causeway keygen`: the key that signs seals.

import path from 'node:path';
import { EXIT_OK } from '../base/errors.ts';
import { generateKey } from '../journal/signing.ts';
import type { Context } from './context.ts';
import { jsonLine } from './json.ts';

/** @returns the exit code. */
export async function runKeygen(name: string, context: Context): Promise<number> {
  const file = path.resolve(name);
  const id = generateKey(file);
  if (context.json) context.out.push(jsonLine('summary', { key: file, publicKey: `${file}.pub`, id }));
  else context.out.push(`${file}\n${file}.pub\n`);
  context.say(
    `key ${id}: ${context.paintError('bold', 'keep the first file secret')}, give the second to who verifies`,
  );
  return EXIT_OK;
}
