// How entries leave a reader: where they lie, one call each, no copy. The bytes stay as they are until the visitor returns.

import type { EntryDecoder } from '../event/entry-decoder.ts';

/** `at` and `length` are of the decoder's memory. Padding of a segment's end is not shown; a hole (padding with a sequence) is. */
export type Visit = (decoder: EntryDecoder, at: number, length: number) => void;

/** Where to begin: a sequence (inclusive), the oldest that is kept, or what comes next. */
export type Since = bigint | 'start' | 'now';
