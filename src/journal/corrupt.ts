// The one error for damage in a journal, with the place in it.

import { CausewayError } from '../base/errors.ts';
import { segmentName } from './segment.ts';

export function corruptAt(index: number, offset: number, sequence: bigint | undefined, why: string): CausewayError {
  const where = sequence === undefined ? `offset=${offset}` : `offset=${offset}, sequence=${sequence}`;
  return new CausewayError('JOURNAL_CORRUPT', `journal: segment ${segmentName(index)}, ${where}: ${why}`, {
    hint: 'Keep a copy of the directory before anything else is tried.',
  });
}
