// A journal, opened for writing by the thread that owns the arena. It holds the lock, recovers what is there, maps the first segments and gives others the
// plan from which they append (Appender), sync (JournalSync) and read (JournalTail).
//
// A directory has: lock, journal.json (uuid, epoch, closed), and NNNNNNNNNNNN.segment files whose indexes follow each other; after failures also
// `unflushed` (a flush failed: unflushed.ts) and .torn files (what recovery moved aside). Each opening is a new epoch
// and begins a new segment; what was the last one has been cut behind its last entry and never changes again. Without a directory there is one unnamed
// file, in which segment n lies at n * segmentLength; it is gone with the process, however that ends.

import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ARENA_REGION_JOURNAL_WINDOW } from '../../layout/arena.ts';
import * as L from '../../layout/log.ts';
import { SEGMENT_HEADER_LENGTH } from '../../layout/segment.ts';
import type { Arena } from '../arena/arena.ts';
import type { Wasm } from '../arena/wasm-exports.ts';
import { CausewayError, messageOf } from '../base/errors.ts';
import { errorName } from '../event/call-name.ts';
import { errnoOf, FileError, type FileLayer, NodeFileLayer } from './file-layer.ts';
import { type JournalIdentity, readIdentity, writeIdentity } from './identity.ts';
import { acquireLock, type JournalLock } from './lock.ts';
import { LogControl } from './log-control.ts';
import { type JournalPlan, type SealPlan, segmentPath } from './plan.ts';
import { type RecoveredJournal, Recovery, type RecoveryOptions, type RecoveryReport } from './recovery.ts';
import { recoverSeals, type SealedHead } from './seal.ts';
import { checkSegmentLength } from './segment.ts';
import { readSigningKey } from './signing.ts';
import { JournalSync } from './sync.ts';
import { isUnflushed, markUnflushed, unmarkUnflushed } from './unflushed.ts';

export interface JournalOptions {
  /** With LOG_WINDOWS regions of kind ARENA_REGION_JOURNAL_WINDOW, segmentLength bytes each. */
  arena: Arena;
  wasm: Wasm;
  /** Made if it is not there. undefined: ephemeral. */
  directory: string | undefined;
  segmentLength: number;
  /** false: files are written with fs, as where they cannot be mapped. Default: mapped where that is possible. */
  mapped?: boolean;
  /** undefined: nothing is sealed. */
  seal?: { signingKey?: string | undefined; headFile?: string | undefined } | undefined;
  /** For tests: a file layer that fails. */
  files?: FileLayer;
}

export interface JournalStats {
  directory: string | undefined;
  committedSequence: bigint;
  durableSequence: bigint;
  segments: number;
  bytes: bigint;
  state: 'open' | 'full' | 'poisoned' | 'closed';
  /** errno name behind full or poisoned. */
  error: string | undefined;
}

/** How long close() waits for entries and readers that are in the middle of something. */
const CLOSE_WAIT_MS = 1000;
// linux/include/uapi/asm-generic/fcntl.h: O_TMPFILE is __O_TMPFILE | O_DIRECTORY.
const O_TMPFILE = 0o20000000 | fs.constants.O_DIRECTORY;
const NO_RECOVERY: RecoveryReport = {
  wasClosed: true,
  entriesChecked: 0,
  tornTail: undefined,
  holes: [],
  removed: [],
  aside: [],
  sealBytesCut: 0,
};

export class Journal {
  readonly plan: JournalPlan;
  readonly recovery: RecoveryReport;
  /** Why close() could not seal the last entries. */
  sealError: unknown;
  readonly #arena: Arena;
  readonly #wasm: Wasm;
  readonly #files: FileLayer;
  readonly #control: LogControl;
  readonly #lock: JournalLock | undefined;
  #closed = false;
  #sealed: SealedHead | undefined;

  /**
   * @throws CausewayError JOURNAL_BUSY, JOURNAL_CORRUPT, JOURNAL_INCOMPATIBLE, JOURNAL_FULL, PATH_DENIED, CONFIG_INVALID: with the values, and nothing
   * left open or locked.
   */
  static open(options: JournalOptions): Journal {
    checkSegmentLength(options.segmentLength);
    const { directory } = options;
    const files = options.files ?? new NodeFileLayer(options.arena.native);
    if (directory === undefined) return new Journal(options, files, undefined, undefined);
    makeDirectory(directory, files);
    const lock = acquireLock(directory, options.arena.native);
    try {
      return new Journal(options, files, lock, recover(directory, files, options.seal !== undefined));
    } catch (error) {
      lock.release();
      throw asJournalError(directory, error);
    }
  }

  private constructor(
    options: JournalOptions,
    files: FileLayer,
    lock: JournalLock | undefined,
    recovered: (RecoveredJournal & { sealed: SealedHead | undefined }) | undefined,
  ) {
    this.#arena = options.arena;
    this.#wasm = options.wasm;
    this.#files = files;
    this.#lock = lock;
    this.#control = new LogControl(options.arena);
    this.recovery = recovered?.report ?? NO_RECOVERY;
    this.#sealed = recovered?.sealed;
    const nextIndex = recovered?.nextIndex ?? 0;
    this.plan = {
      directory: options.directory,
      fd: options.directory === undefined ? openUnnamed() : -1,
      segmentLength: options.segmentLength,
      uuid: recovered?.uuid ?? crypto.getRandomValues(new Uint8Array(16)),
      epoch: recovered?.nextEpoch ?? 1n,
      firstIndex: nextIndex,
      seal: planSeals(options),
      mapped: options.mapped !== false && options.arena.native !== undefined,
    };
    try {
      if (this.plan.directory !== undefined) {
        this.#writeIdentity(this.plan.directory, false);
      }
      this.#begin(nextIndex, recovered?.nextSequence ?? 1n);
    } catch (error) {
      if (this.plan.fd >= 0) files.close(this.plan.fd);
      throw error;
    }
  }

  /** Fills the control block, makes the first segment and opens it. */
  #begin(index: number, firstSequence: bigint): void {
    const control = this.#control;
    control.store(L.LOG_SEGMENT_LENGTH_OFFSET, this.plan.segmentLength);
    control.storeLong(L.LOG_EPOCH_OFFSET, this.plan.epoch);
    control.store(L.LOG_SYNC_UNMAPPED_OFFSET, this.plan.mapped ? 0 : 1);
    control.store(L.LOG_FIRST_SEGMENT_OFFSET, index);
    control.store(L.LOG_SYNC_DIRTY_SEGMENT_OFFSET, index);
    control.store(L.LOG_WRITTEN_SEGMENT_OFFSET, index);
    control.store(L.LOG_WRITTEN_POSITION_OFFSET, 0);
    for (let number = 0; number < L.LOG_WINDOWS; number++) {
      const region = this.#arena.region(ARENA_REGION_JOURNAL_WINDOW, number);
      if (region.length < this.plan.segmentLength) {
        throw new RangeError(
          `journal window ${number}: length=${region.length}, segmentLength=${this.plan.segmentLength}`,
        );
      }
      const window = L.LOG_WINDOW_OFFSET + number * L.LOG_WINDOW_LENGTH;
      control.store(window + L.LOG_WINDOW_ADDRESS_OFFSET, region.address);
      control.storeLong(window + L.LOG_WINDOW_CLAIM_OFFSET, BigInt(L.LOG_CLAIM_CLOSED));
      control.storePair(window, 0xffffffff, L.LOG_WINDOW_STATE_EMPTY);
    }
    const cursor = L.LOG_SYNC_CURSOR_OFFSET;
    control.store(cursor + L.LOG_CURSOR_SEGMENT_OFFSET, index);
    control.store(cursor + L.LOG_CURSOR_POSITION_OFFSET, SEGMENT_HEADER_LENGTH);
    // What was recovered has been flushed.
    for (const word of [
      cursor + L.LOG_CURSOR_SEQUENCE_OFFSET,
      L.LOG_WRITTEN_SEQUENCE_OFFSET,
      L.LOG_DURABLE_SEQUENCE_OFFSET,
    ]) {
      control.storeLong(word, firstSequence - 1n);
    }
    control.storeLong(L.LOG_SYNC_WANTED_SEQUENCE_OFFSET, 0n);
    control.store(L.LOG_STATE_OFFSET, L.LOG_STATE_OPEN);
    control.store(L.LOG_ACTIVE_SEGMENT_OFFSET, index);
    const sync = this.sync();
    try {
      if (!sync.prepare(index)) throw this.#noRoom();
      this.#wasm.journalActivate(index, firstSequence);
      sync.doWork();
    } finally {
      sync.close();
    }
  }

  #noRoom(): unknown {
    const errno = this.#control.load(L.LOG_ERRNO_OFFSET);
    return asJournalError(
      this.plan.directory ?? os.tmpdir(),
      new FileError(`no segment of ${this.plan.segmentLength} bytes`, errno),
    );
  }

  /** For this thread: what the sync worker does. */
  sync(): JournalSync {
    return new JournalSync({ arena: this.#arena, wasm: this.#wasm, plan: this.plan, files: this.#files });
  }

  stats(): JournalStats {
    const control = this.#control;
    const errno = control.load(L.LOG_ERRNO_OFFSET);
    const active = control.activeSegment;
    const kept = this.plan.directory === undefined ? control.load(L.LOG_FIRST_SEGMENT_OFFSET) : this.#oldest();
    const claim = control.loadLong(control.windowOf(active) + L.LOG_WINDOW_CLAIM_OFFSET) & 0xffffffffn;
    const used = Math.min(Number(claim), this.plan.segmentLength);
    return {
      directory: this.plan.directory,
      committedSequence: this.committedSequence,
      durableSequence: control.loadLong(L.LOG_DURABLE_SEQUENCE_OFFSET),
      segments: active - kept + 1,
      bytes: BigInt(active - kept) * BigInt(this.plan.segmentLength) + BigInt(used),
      state: stateName(control.state),
      error: errno === 0 ? undefined : errorName(errno),
    };
  }

  #oldestIndex: number | undefined;

  /** Segments of a directory are kept: which one is the oldest does not change. */
  #oldest(): number {
    if (this.#oldestIndex === undefined) {
      let index = this.plan.firstIndex;
      while (index > 0 && this.#files.exists(segmentPath(this.plan.directory as string, index - 1))) index -= 1;
      this.#oldestIndex = index;
    }
    return this.#oldestIndex;
  }

  /** Everything up to here is committed, as the sync worker last saw it (a few milliseconds ago at most while it runs). */
  get committedSequence(): bigint {
    return this.#control.loadLong(L.LOG_SYNC_CURSOR_OFFSET + L.LOG_CURSOR_SEQUENCE_OFFSET);
  }

  /** The next append gets a sequence behind this one. */
  get claimedSequence(): bigint {
    const control = this.#control;
    while (true) {
      const active = control.activeSegment;
      const window = control.windowOf(active);
      const end = control.loadLong(window + L.LOG_WINDOW_END_SEQUENCE_OFFSET);
      const claim = control.loadLong(window + L.LOG_WINDOW_CLAIM_OFFSET);
      const first = control.loadLong(window + L.LOG_WINDOW_FIRST_SEQUENCE_OFFSET);
      if (control.activeSegment !== active) continue;
      if (end !== 0n) return end - 1n;
      if (Number(claim & 0xffffffffn) <= this.plan.segmentLength) return first + (claim >> 32n) - 1n;
    }
  }

  /**
   * Flushes, cuts the last segment behind its last entry, unmaps, unlocks. The sync worker must have stopped. Idempotent.
   * Entries that other threads are still writing are waited for; a journal that cannot be closed well is left for recovery.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const control = this.#control;
    const isGood = control.state !== L.LOG_STATE_POISONED;
    if (isGood) control.store(L.LOG_STATE_OFFSET, L.LOG_STATE_CLOSED);
    // Once more: when the flush failed, this may have failed too.
    else if (this.plan.directory !== undefined) markUnflushed(this.plan.directory, this.#files);
    const sync = this.sync();
    try {
      const isWhole = isGood && this.#finish(sync);
      if (isWhole) this.#finishSeals(sync);
      const isUnmapped = this.#leaveWindows();
      if (isWhole && isUnmapped && this.plan.directory !== undefined) this.#cut(this.plan.directory);
    } catch (error) {
      throw asJournalError(this.plan.directory, error);
    } finally {
      sync.close();
      if (this.plan.fd >= 0) this.#files.close(this.plan.fd);
      this.#lock?.release();
      control.notify(L.LOG_DURABLE_NOTIFY_OFFSET);
      control.notify(L.LOG_COMMIT_NOTIFY_OFFSET);
    }
  }

  /** Commits, writes and flushes all that was claimed. False if that was not to be had in time. */
  #finish(sync: JournalSync): boolean {
    const control = this.#control;
    const end = this.claimedSequence;
    control.raiseLong(L.LOG_SYNC_WANTED_SEQUENCE_OFFSET, end);
    const deadline = Date.now() + CLOSE_WAIT_MS;
    while (control.loadLong(L.LOG_DURABLE_SEQUENCE_OFFSET) < end) {
      if (sync.doWork() === 0) sync.wait(1);
      if (Date.now() > deadline || control.state === L.LOG_STATE_POISONED) return false;
    }
    return true;
  }

  /** The journal is whole without its last seals: they are made at the next opening, and until then verify counts what they do not cover. */
  #finishSeals(sync: JournalSync): void {
    try {
      this.#sealed = sync.finishSeals() ?? this.#sealed;
    } catch (error) {
      this.sealError = error;
    }
  }

  /** Anonymous pages over all windows: whoever still looks finds zeros, and a file that gets shorter raises no SIGBUS. */
  #leaveWindows(): boolean {
    const control = this.#control;
    const deadline = Date.now() + CLOSE_WAIT_MS;
    let isEmpty = true;
    for (let number = 0; number < L.LOG_WINDOWS; number++) {
      const window = L.LOG_WINDOW_OFFSET + number * L.LOG_WINDOW_LENGTH;
      const { segment } = control.pair(window);
      control.storePair(window, segment, L.LOG_WINDOW_STATE_EMPTY);
      while (control.hasReaderInside(segment) && Date.now() < deadline) {
        control.wait(L.LOG_SYNC_NOTIFY_OFFSET, control.load(L.LOG_SYNC_NOTIFY_OFFSET), 1);
      }
      if (control.hasReaderInside(segment)) isEmpty = false;
      else if (this.plan.mapped)
        this.#arena.unmap(control.load(window + L.LOG_WINDOW_ADDRESS_OFFSET), this.plan.segmentLength);
    }
    return isEmpty;
  }

  /** The last segment ends behind its last entry; what was only prepared goes. */
  #cut(directory: string): void {
    const control = this.#control;
    const last = control.activeSegment;
    const segment = control.load(L.LOG_SYNC_CURSOR_OFFSET + L.LOG_CURSOR_SEGMENT_OFFSET);
    const position = control.load(L.LOG_SYNC_CURSOR_OFFSET + L.LOG_CURSOR_POSITION_OFFSET);
    for (const index of [last + 1, last]) {
      const file = segmentPath(directory, index);
      if (index > segment || (index === segment && position === SEGMENT_HEADER_LENGTH)) {
        if (this.#files.exists(file)) this.#files.unlink(file);
      } else if (index === segment) {
        const fd = this.#files.open(file, 'r+');
        try {
          this.#files.truncate(fd, position);
          this.#files.fdatasync(fd);
        } finally {
          this.#files.close(fd);
        }
      }
    }
    this.#writeIdentity(directory, true);
  }

  #writeIdentity(directory: string, closed: boolean): void {
    const { uuid, epoch } = this.plan;
    writeIdentity(directory, this.#files, { uuid, epoch, closed, sealed: this.#sealed });
  }
}

/** What the system refused, as one of our errors; others are handed on. */
function asJournalError(directory: string | undefined, error: unknown): unknown {
  const errno = errnoOf(error);
  if (error instanceof CausewayError || errno === 0) return error;
  const message = `journal ${directory ?? os.tmpdir()}: ${messageOf(error)}`;
  switch (errorName(errno)) {
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return new CausewayError('JOURNAL_FULL', message, {
        hint: 'Make room, or choose a smaller segmentLength.',
        cause: error,
      });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new CausewayError('PATH_DENIED', message, { cause: error });
    default:
      return new CausewayError('SYSTEM_CALL_FAILED', message, { cause: error });
  }
}

function stateName(state: number): JournalStats['state'] {
  if (state === L.LOG_STATE_POISONED) return 'poisoned';
  if (state === L.LOG_STATE_CLOSED) return 'closed';
  return state === L.LOG_STATE_FULL ? 'full' : 'open';
}

/** Read now: later this process may not be allowed to. */
function planSeals({ directory, seal }: JournalOptions): SealPlan | undefined {
  if (directory === undefined || seal === undefined) return undefined;
  const signingKey = seal.signingKey === undefined ? undefined : readSigningKey(seal.signingKey);
  return { signingKey, headFile: seal.headFile };
}

function makeDirectory(directory: string, files: FileLayer): void {
  try {
    const made = fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (made === undefined) return;
    // Each directory that was made is a name in the one above it.
    const top = path.dirname(path.resolve(made));
    for (let at = path.resolve(directory); at !== top; at = path.dirname(at)) files.syncDirectory(path.dirname(at));
  } catch (error) {
    throw new CausewayError('PATH_DENIED', `journal ${directory} cannot be made: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function recover(
  directory: string,
  files: FileLayer,
  seals: boolean,
): RecoveredJournal & { sealed: SealedHead | undefined } {
  const identity: JournalIdentity | undefined = readIdentity(directory, files);
  const wasClosed = identity?.closed ?? false;
  const recovered = recoverFlushed({ directory, files, uuid: identity?.uuid, wasClosed });
  const epoch =
    identity === undefined || identity.epoch < recovered.nextEpoch ? recovered.nextEpoch : identity.epoch + 1n;
  const sealed = identity?.sealed;
  if (seals) recovered.report.sealBytesCut = recoverSeals({ directory, files, wasClosed, sealed });
  return { ...recovered, nextEpoch: epoch, sealed };
}

/** A flush that fails is remembered: the next recovery does not believe the page cache. */
function recoverFlushed(options: RecoveryOptions): RecoveredJournal {
  const { directory, files } = options;
  try {
    const isMarked = isUnflushed(directory, files);
    const recovered = new Recovery({ ...options, isUnflushed: isMarked }).run();
    if (isMarked) unmarkUnflushed(directory, files);
    return recovered;
  } catch (error) {
    if (errnoOf(error) !== 0) markUnflushed(directory, files);
    throw error;
  }
}

/** A file without a name: nothing is left of it, even after kill -9. */
function openUnnamed(): number {
  const folder = os.tmpdir();
  try {
    return fs.openSync(folder, O_TMPFILE | fs.constants.O_RDWR, 0o600);
  } catch {
    // Not every file system has O_TMPFILE: a name that is gone at once.
    const directory = fs.mkdtempSync(path.join(folder, 'causeway-'));
    const file = path.join(directory, 'journal');
    const fd = fs.openSync(file, 'wx+', 0o600);
    fs.unlinkSync(file);
    fs.rmdirSync(directory);
    return fd;
  }
}
