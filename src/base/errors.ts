// Every error that leaves the engine is one of ours, has a `code` that programs can switch on, and an exit code for the command line.

/** Exit codes of the command line (DESIGN.md section 11). */
export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_CONFIG = 3;
export const EXIT_CAPABILITY = 4;
export const EXIT_INTEGRITY = 5;
export const EXIT_LOSS = 6;
export const EXIT_BUDGET = 7;

/** code -> exit code. docs/ERRORS.md says of each what to do. */
export const ERROR_CODES = {
  /** An option or argument has a value that cannot be used. */
  CONFIG_INVALID: EXIT_CONFIG,
  PATH_MISSING: EXIT_CONFIG,
  PATH_DENIED: EXIT_CAPABILITY,
  /** The machine lacks a privilege, a program, a library or a kernel feature. */
  CAPABILITY_MISSING: EXIT_CAPABILITY,
  ARENA_INCOMPATIBLE: EXIT_CONFIG,
  ARENA_CORRUPT: EXIT_INTEGRITY,
  ARENA_FULL: EXIT_CONFIG,
  /** A living process shares an arena at that path. */
  ARENA_BUSY: EXIT_FAILED,
  RING_TAKEN: EXIT_FAILED,
  RING_CORRUPT: EXIT_INTEGRITY,
  RECORD_TOO_LONG: EXIT_FAILED,
  POOL_CORRUPT: EXIT_INTEGRITY,
  /** No record of the pool begins at that address. */
  POOL_NO_RECORD: EXIT_FAILED,
  /** The record is free: it was given back before. */
  POOL_NOT_TAKEN: EXIT_FAILED,
  POOL_NOT_OWNER: EXIT_FAILED,
  /** A deduplication table or metadata cache that is none, or was scribbled over. */
  TABLE_CORRUPT: EXIT_INTEGRITY,
  /** A handle of a pool, table or cache was used after it was closed. */
  HANDLE_CLOSED: EXIT_FAILED,
  SOURCE_FAILED: EXIT_FAILED,
  TRACE_CORRUPT: EXIT_INTEGRITY,
  JOURNAL_BUSY: EXIT_FAILED,
  JOURNAL_MISSING: EXIT_CONFIG,
  JOURNAL_CORRUPT: EXIT_INTEGRITY,
  JOURNAL_INCOMPATIBLE: EXIT_CONFIG,
  /** No room on the disk. Goes on by itself when there is room again. */
  JOURNAL_FULL: EXIT_FAILED,
  /** A flush failed: nothing more is acknowledged until the journal is opened again. */
  JOURNAL_POISONED: EXIT_FAILED,
  JOURNAL_CLOSED: EXIT_FAILED,
  /** A SEMJ file breaks its format, or its writer never finished it. */
  SEMJ_CORRUPT: EXIT_INTEGRITY,
  /** A SEMJ file of another version. */
  SEMJ_INCOMPATIBLE: EXIT_CONFIG,
  /** A line of a file to import is no event. */
  IMPORT_INVALID: EXIT_INTEGRITY,
  /** The journal has another event under the same id. */
  IMPORT_CONFLICT: EXIT_INTEGRITY,
  /** An event does not fit the format that it is exported to. */
  EXPORT_IMPOSSIBLE: EXIT_FAILED,
  /** The effect is unknown: it may or may not have happened (FAULTS.md R5). */
  OUTCOME_UNKNOWN: EXIT_FAILED,
  EVENT_INVALID: EXIT_FAILED,
  WORKER_FAILED: EXIT_FAILED,
  ENGINE_CLOSED: EXIT_FAILED,
  SYSTEM_CALL_FAILED: EXIT_FAILED,
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export class CausewayError extends Error {
  override readonly name = 'CausewayError';
  readonly code: ErrorCode;
  /** What the user can do about it, a sentence; empty if the message says it already. */
  readonly hint: string;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint ?? '';
  }

  get exitCode(): number {
    return ERROR_CODES[this.code];
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
