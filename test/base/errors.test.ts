import fs from 'node:fs';
import { expect, test } from 'vitest';
import { CausewayError, ERROR_CODES } from '../../src/base/errors.ts';

test('every code is described in docs/ERRORS.md with its exit code, and none is that does not exist', () => {
  const page = fs.readFileSync(new URL('../../docs/ERRORS.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| (\d) \| .+ \| .+ \|$/gm)].map(([, code, exit]) => [
    code,
    Number(exit),
  ]);
  expect(Object.fromEntries(rows)).toEqual(ERROR_CODES);
  expect(rows.length).toBe(Object.keys(ERROR_CODES).length);
});

test('an error carries code, hint, cause and exit code', () => {
  const cause = new Error('why');
  const error = new CausewayError('JOURNAL_BUSY', 'held by pid 7', { hint: 'end it', cause });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: 'CausewayError',
    code: 'JOURNAL_BUSY',
    hint: 'end it',
    cause,
    exitCode: 1,
    message: 'held by pid 7',
  });
});
