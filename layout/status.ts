// What wasm exports answer: counts and addresses are positive, expected outcomes are these.

/** Nothing there, or nothing to do. */
export const STATUS_EMPTY = 0;
/** Full now: try again once the other side has advanced. */
export const STATUS_FULL = -1;
/** Will never fit. */
export const STATUS_TOO_LONG = -2;
/** The memory breaks the format's rules: detach. */
export const STATUS_CORRUPT = -3;
/** The other side has closed. */
export const STATUS_CLOSED = -4;
/** The next journal segment is not ready yet: try again. */
export const STATUS_ROTATING = -5;
/** The journal is read-only after a failed flush. */
export const STATUS_POISONED = -6;
/** The caller must settle the path of the record at hand (symbolic links) and call again. */
export const STATUS_RESOLVE = -7;
/** The wait ran into its limit. */
export const STATUS_TIMED_OUT = -8;
/** A record that nobody has cannot be given back: it was given twice. */
export const STATUS_NOT_TAKEN = -9;
/** The record belongs to another owner. */
export const STATUS_NOT_OWNER = -10;
/** No record begins at this address. */
export const STATUS_NO_RECORD = -11;
