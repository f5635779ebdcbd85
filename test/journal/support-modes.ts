// The ways a journal's files are used; every conformance suite runs in all of them.

import { loadNative } from '../../src/arena/native.ts';

export const MODES: { mode: string; mapped: boolean }[] = [
  ...(loadNative() === undefined ? [] : [{ mode: 'mapped files', mapped: true }]),
  { mode: 'files written with fs', mapped: false },
];
