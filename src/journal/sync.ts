// The sync worker's work, steppable: doWork() and wait() are all its thread calls. It
//   1. follows the committed position,
//   2. prepares the segment after the active one, in the window of the oldest,
//   3. writes what is committed to the file, where the file cannot be mapped,
//   4. flushes when somebody wants durability: one fdatasync for all that asked since the one before,
//   5. gives memory back that was written and is behind, and touches the pages ahead of a log that moves fast, so that appenders don't fault on them.
//   6. seals what was written (sealer.ts).
// All its state is in the arena's control block: when its thread dies, a new JournalSync over the same plan goes on.
//
// A window is recycled like this, and no reader sees another segment's bytes:
//   1. JournalSync stores the pair (old segment, EMPTY), then looks at the slots of all readers: one that is inside postpones it.
//   2. A reader stores its slot, then looks at the pair: EMPTY or another segment sends it to the file.
//   One of the two sees the other's store, because both use sequentially consistent atomics.

import { ARENA_LOG_OFFSET } from '../../layout/arena.ts';
import { PAGE_LENGTH } from '../../layout/limits.ts';
import * as L from '../../layout/log.ts';
import { SEGMENT_HEADER_LENGTH } from '../../layout/segment.ts';
import type { Arena } from '../arena/arena.ts';
import type { Wasm } from '../arena/wasm-exports.ts';
import { errnoOf, type FileLayer, NodeFileLayer, writeAll } from './file-layer.ts';
import { LogControl } from './log-control.ts';
import { type JournalPlan, segmentBase, segmentPath } from './plan.ts';
import type { SealedHead } from './seal.ts';
import { Sealer, type SealLimit } from './sealer.ts';
import { encodeSegmentHeader } from './segment.ts';
import { markUnflushed } from './unflushed.ts';

export interface JournalSyncOptions {
  arena: Arena;
  wasm: Wasm;
  plan: JournalPlan;
  /** For tests: a file layer that fails. */
  files?: FileLayer;
  /** Milliseconds; for tests of the back-off. */
  now?: () => number;
}

const EEXIST = 'EEXIST';
const EIO = 5;
const SCAN_ENTRIES_MAX = 1 << 16;
/** Bytes written and committed before memory is given back, and bytes left alone behind the position: readers are there. */
const RELEASE_STRIDE = 2 << 20;
const RELEASE_DISTANCE = 1 << 20;
/** Pages that are made writable ahead of the position, once the log has moved by a stride: a slow one dirties no page before its time. */
const POPULATE_AHEAD = 6 << 20;
const POPULATE_LENGTH_MAX = 2 << 20;
// linux/include/uapi/asm-generic/mman-common.h, since Linux 5.14.
const MADV_POPULATE_WRITE = 23;
const WRITE_LENGTH_MAX = 1 << 20;
const BACK_OFF_MS_MIN = 20;
const BACK_OFF_MS_MAX = 1000;
/** How long wait() sleeps when something is to be tried again that nobody announces. */
const RETRY_MS = 1;
const NO_DIGEST = new Uint8Array(32);

export class JournalSync {
  readonly #arena: Arena;
  readonly #wasm: Wasm;
  readonly #plan: JournalPlan;
  readonly #files: FileLayer;
  readonly #now: () => number;
  readonly #control: LogControl;
  /** Descriptors of segments by index; only with a directory. */
  readonly #descriptors = new Map<number, number>();
  #releasedSegment = 0;
  #releasedPosition = 0;
  #populatedSegment = -1;
  #populatedPosition = 0;
  #canPopulate = true;
  readonly #sealer: Sealer | undefined;
  #seenNotify = -1;
  #retryAtMs = 0;
  #backOffMs = BACK_OFF_MS_MIN;
  /** Something is waiting that no notification announces: a reader inside a window, an entry in the middle of being written. */
  #restless = false;

  constructor(options: JournalSyncOptions) {
    this.#arena = options.arena;
    this.#wasm = options.wasm;
    this.#plan = options.plan;
    this.#files = options.files ?? new NodeFileLayer(options.arena.native);
    this.#now = options.now ?? Date.now;
    this.#control = new LogControl(options.arena);
    const { seal, directory } = options.plan;
    if (seal !== undefined && directory !== undefined) this.#sealer = new Sealer(options.plan, this.#files, this.#now);
  }

  /** One turn: how much there was to do, 0 when wait() may be called. */
  doWork(): number {
    this.#restless = false;
    this.#seenNotify = this.#control.load(L.LOG_SYNC_NOTIFY_OFFSET);
    if (this.#control.state === L.LOG_STATE_POISONED) return 0;
    const scanned = this.#scan();
    const prepared = this.#prepareNext();
    const written = this.#plan.mapped ? this.#followWritten() : this.#writeCommitted();
    const flushed = this.#flush();
    this.#giveBack();
    // Whoever waits for a flush or a segment comes first.
    const sealed = flushed + prepared > 0 ? 0 : (this.#sealer?.step(this.#writtenLimit) ?? 0);
    return scanned + prepared + written + flushed + sealed + this.#populate();
  }

  /** Sleeps until somebody asks for work or timeoutMs have passed. */
  wait(timeoutMs: number): void {
    const control = this.#control;
    // Pairs with the load in journalSyncRequest: it counts, then looks whether we are parked.
    control.store(L.LOG_SYNC_PARKED_OFFSET, 1);
    const retryMs = this.#retryAtMs === 0 ? timeoutMs : Math.max(this.#retryAtMs - this.#now(), RETRY_MS);
    control.wait(L.LOG_SYNC_NOTIFY_OFFSET, this.#seenNotify, Math.min(this.#restless ? RETRY_MS : retryMs, timeoutMs));
    control.store(L.LOG_SYNC_PARKED_OFFSET, 0);
  }

  /** Closes what this thread opened. The journal stays as it is. */
  close(): void {
    for (const fd of this.#descriptors.values()) this.#files.close(fd);
    this.#descriptors.clear();
    this.#sealer?.close();
  }

  /** When all is written: seals it to its end. Answers the last seal. @throws what kept it from that. */
  finishSeals(): SealedHead | undefined {
    return this.#sealer?.finish(this.#writtenLimit);
  }

  get #writtenLimit(): SealLimit {
    const control = this.#control;
    return this.#plan.mapped
      ? { segment: this.#committedSegment, position: this.#committedPosition }
      : { segment: control.load(L.LOG_WRITTEN_SEGMENT_OFFSET), position: control.load(L.LOG_WRITTEN_POSITION_OFFSET) };
  }

  /** Everything up to here is committed, with nothing missing before it. */
  get committedSequence(): bigint {
    return this.#control.loadLong(L.LOG_SYNC_CURSOR_OFFSET + L.LOG_CURSOR_SEQUENCE_OFFSET);
  }

  get #committedSegment(): number {
    return this.#control.load(L.LOG_SYNC_CURSOR_OFFSET + L.LOG_CURSOR_SEGMENT_OFFSET);
  }

  get #committedPosition(): number {
    return this.#control.load(L.LOG_SYNC_CURSOR_OFFSET + L.LOG_CURSOR_POSITION_OFFSET);
  }

  #scan(): number {
    return this.#wasm.journalScan(ARENA_LOG_OFFSET + L.LOG_SYNC_CURSOR_OFFSET, SCAN_ENTRIES_MAX);
  }

  /** Where the file is mapped, what is committed is written. */
  #followWritten(): number {
    this.#control.storeLong(L.LOG_WRITTEN_SEQUENCE_OFFSET, this.committedSequence);
    return 0;
  }

  #prepareNext(): number {
    const control = this.#control;
    const index = control.activeSegment + 1;
    const window = control.windowOf(index);
    const { segment, state } = control.pair(window);
    if (segment === index && state !== L.LOG_WINDOW_STATE_EMPTY) return 0;
    if (control.state === L.LOG_STATE_CLOSED || this.#now() < this.#retryAtMs) return 0;
    if (state === L.LOG_WINDOW_STATE_OPEN) {
      // The window's old segment must be behind: each of its entries committed and, where that is our work, written.
      const behind = this.#plan.mapped ? this.#committedSegment : control.load(L.LOG_WRITTEN_SEGMENT_OFFSET);
      if (behind <= segment) {
        this.#restless = true;
        return 0;
      }
      // Pairs with the load in JournalTail, see the top.
      control.storePair(window, segment, L.LOG_WINDOW_STATE_EMPTY);
    }
    if (control.hasReaderInside(segment)) {
      this.#restless = true;
      return 0;
    }
    return this.prepare(index) ? 1 : 0;
  }

  /** Makes segment `index` READY in its window, which nobody uses. False if there is no room now: it is tried again. */
  prepare(index: number): boolean {
    const control = this.#control;
    const window = control.windowOf(index);
    const address = control.load(window + L.LOG_WINDOW_ADDRESS_OFFSET);
    const { segmentLength, uuid, epoch } = this.#plan;
    const header = encodeSegmentHeader({
      uuid,
      epoch,
      index,
      firstSequence: 0n,
      length: segmentLength,
      createdNs: BigInt(Date.now()) * 1_000_000n,
      previousDigest: NO_DIGEST,
      flags: 0,
    });
    try {
      const fd = this.#create(index);
      const base = segmentBase(this.#plan, index);
      this.#files.preallocate(fd, base, segmentLength);
      writeAll(this.#files, fd, header, base);
      if (this.#plan.directory !== undefined) {
        // Whatever a power failure leaves of the entries, which segment it is can be told.
        this.#files.fdatasync(fd);
        this.#files.syncDirectory(this.#plan.directory);
      }
      if (this.#plan.mapped) {
        this.#arena.mapFile({ address, length: segmentLength, fd, fileOffset: BigInt(base), writable: true });
      } else {
        this.#arena.slice(address, segmentLength).fill(0);
        this.#arena.slice(address, header.length).set(header);
      }
    } catch (error) {
      this.#abandon(index);
      this.#refuse(error);
      return false;
    }
    if (control.exchange(L.LOG_STATE_OFFSET, L.LOG_STATE_FULL, L.LOG_STATE_OPEN)) control.store(L.LOG_ERRNO_OFFSET, 0);
    this.#retryAtMs = 0;
    this.#backOffMs = BACK_OFF_MS_MIN;
    control.storeLong(window + L.LOG_WINDOW_END_SEQUENCE_OFFSET, 0n);
    control.storeLong(window + L.LOG_WINDOW_FIRST_SEQUENCE_OFFSET, 0n);
    control.storeLong(window + L.LOG_WINDOW_CLAIM_OFFSET, BigInt(L.LOG_CLAIM_CLOSED));
    // Pairs with the load in journalActivate.
    control.storePair(window, index, L.LOG_WINDOW_STATE_READY);
    if (index === control.activeSegment + 1) this.#wasm.journalRotate();
    return true;
  }

  #create(index: number): number {
    const { directory } = this.#plan;
    if (directory === undefined) return this.#plan.fd;
    const file = segmentPath(directory, index);
    let fd: number;
    try {
      fd = this.#files.open(file, 'wx+', 0o600);
    } catch (error) {
      if ((error as { code?: unknown }).code !== EEXIST) throw error;
      // Left by a sync worker that died before the segment was READY: nobody wrote to it.
      this.#files.unlink(file);
      fd = this.#files.open(file, 'wx+', 0o600);
    }
    this.#descriptors.set(index, fd);
    return fd;
  }

  /** Leaves no part of a segment behind. */
  #abandon(index: number): void {
    const fd = this.#descriptors.get(index);
    if (fd === undefined || this.#plan.directory === undefined) return;
    this.#descriptors.delete(index);
    this.#files.close(fd);
    try {
      this.#files.unlink(segmentPath(this.#plan.directory, index));
    } catch {
      // The next try replaces it.
    }
  }

  /** No room, no descriptor, no permission: said to those that append, and tried again. An I/O error is the end. */
  #refuse(error: unknown): void {
    const errno = errnoOf(error);
    if (errno === 0 && !(error instanceof Error)) throw error;
    if (errno === EIO) {
      this.#poison(errno);
      return;
    }
    this.#control.store(L.LOG_ERRNO_OFFSET, errno);
    this.#control.exchange(L.LOG_STATE_OFFSET, L.LOG_STATE_OPEN, L.LOG_STATE_FULL);
    this.#retryAtMs = this.#now() + this.#backOffMs;
    this.#backOffMs = Math.min(this.#backOffMs * 2, BACK_OFF_MS_MAX);
    this.#control.notify(L.LOG_DURABLE_NOTIFY_OFFSET);
  }

  #poison(errno: number): void {
    if (this.#plan.directory !== undefined) markUnflushed(this.#plan.directory, this.#files);
    this.#control.store(L.LOG_ERRNO_OFFSET, errno);
    this.#control.store(L.LOG_STATE_OFFSET, L.LOG_STATE_POISONED);
    // Those that wait for durability look at the state.
    this.#control.notify(L.LOG_DURABLE_NOTIFY_OFFSET);
  }

  /** Writes all between the written and the committed position, header included, and says so. */
  #writeCommitted(): number {
    const control = this.#control;
    if (this.#now() < this.#retryAtMs) return 0;
    const end = {
      segment: this.#committedSegment,
      position: this.#committedPosition,
      sequence: this.committedSequence,
    };
    let segment = control.load(L.LOG_WRITTEN_SEGMENT_OFFSET);
    let position = control.load(L.LOG_WRITTEN_POSITION_OFFSET);
    let count = 0;
    try {
      while (segment < end.segment || (segment === end.segment && position < end.position && control.isOpen(segment))) {
        const to = segment < end.segment ? this.#plan.segmentLength : end.position;
        const length = Math.min(to - position, WRITE_LENGTH_MAX);
        const source = this.#arena.slice(control.windowAddress(segment) + position, length);
        writeAll(this.#files, this.#descriptor(segment), source, segmentBase(this.#plan, segment) + position);
        position += length;
        count += 1;
        if (position === this.#plan.segmentLength) {
          segment += 1;
          position = 0;
        }
        control.store(L.LOG_WRITTEN_POSITION_OFFSET, position);
        control.store(L.LOG_WRITTEN_SEGMENT_OFFSET, segment);
      }
    } catch (error) {
      this.#refuse(error);
      return 0;
    }
    if (control.loadLong(L.LOG_WRITTEN_SEQUENCE_OFFSET) !== end.sequence) {
      control.storeLong(L.LOG_WRITTEN_SEQUENCE_OFFSET, end.sequence);
      control.notify(L.LOG_DURABLE_NOTIFY_OFFSET);
    }
    if (control.exchange(L.LOG_STATE_OFFSET, L.LOG_STATE_FULL, L.LOG_STATE_OPEN)) control.store(L.LOG_ERRNO_OFFSET, 0);
    return count;
  }

  #flush(): number {
    const control = this.#control;
    const durable = control.loadLong(L.LOG_DURABLE_SEQUENCE_OFFSET);
    const wanted = control.loadLong(L.LOG_SYNC_WANTED_SEQUENCE_OFFSET);
    if (wanted <= durable || control.state === L.LOG_STATE_POISONED) return 0;
    const written = control.loadLong(L.LOG_WRITTEN_SEQUENCE_OFFSET);
    // Committed by now, but an entry before it is still being written: nobody announces that.
    if (written < wanted) this.#restless = true;
    if (written <= durable) return 0;
    const last = Math.min(this.#committedSegment, control.activeSegment);
    const errno = this.#flushSegments(control.load(L.LOG_SYNC_DIRTY_SEGMENT_OFFSET), last);
    if (errno !== 0) {
      this.#poison(errno);
      return 0;
    }
    control.store(L.LOG_SYNC_DIRTY_SEGMENT_OFFSET, last);
    // Pairs with the load in Appender.whenDurable.
    control.storeLong(L.LOG_DURABLE_SEQUENCE_OFFSET, written);
    control.notify(L.LOG_DURABLE_NOTIFY_OFFSET);
    return 1;
  }

  /** Flushes segments first..last: 0 or errno. Whatever fails, fails for good: after a failed fdatasync the kernel may have dropped the pages. */
  #flushSegments(first: number, last: number): number {
    // An unnamed file is gone after a crash, flushed or not.
    if (this.#plan.directory === undefined) return 0;
    try {
      for (let segment = first; segment <= last; segment++) this.#files.fdatasync(this.#descriptor(segment));
      return 0;
    } catch (error) {
      return errnoOf(error) || EIO;
    }
  }

  #descriptor(segment: number): number {
    const { directory } = this.#plan;
    if (directory === undefined) return this.#plan.fd;
    const open = this.#descriptors.get(segment);
    if (open !== undefined) return open;
    const fd = this.#files.open(segmentPath(directory, segment), 'r+');
    this.#descriptors.set(segment, fd);
    return fd;
  }

  /** Faults pages in ahead of the position (a fault of a mapped file costs microseconds): 1 if there is more to do. */
  #populate(): number {
    const { native } = this.#arena;
    const segment = this.#committedSegment;
    if (native === undefined || !this.#plan.mapped || !this.#canPopulate || !this.#control.isOpen(segment)) return 0;
    const position = this.#committedPosition;
    if (segment !== this.#populatedSegment) {
      // At the begin of a segment the log moves fast if the one before was populated to its end.
      const isFast = this.#populatedSegment === segment - 1 && this.#populatedPosition >= this.#plan.segmentLength;
      this.#populatedSegment = segment;
      this.#populatedPosition = isFast ? 0 : POPULATE_LENGTH_MAX;
    }
    if (
      position + POPULATE_AHEAD <= this.#populatedPosition ||
      (position < this.#populatedPosition && position < POPULATE_LENGTH_MAX)
    ) {
      return 0;
    }
    const from = Math.max(this.#populatedPosition, position & ~(PAGE_LENGTH - 1));
    const to =
      Math.min(from + POPULATE_LENGTH_MAX, position + POPULATE_AHEAD, this.#plan.segmentLength) & ~(PAGE_LENGTH - 1);
    if (to <= from) return 0;
    const pages = this.#arena.slice(this.#control.windowAddress(segment) + from, to - from);
    if (native.madvise(pages, pages.length, MADV_POPULATE_WRITE) !== 0) this.#canPopulate = false;
    this.#populatedPosition = to;
    return 1;
  }

  /** Memory behind the committed position, descriptors of flushed segments, and segments of the ephemeral file that nobody needs. */
  #giveBack(): void {
    const control = this.#control;
    const segment = this.#committedSegment;
    const position = this.#committedPosition;
    const isNew = segment !== this.#releasedSegment;
    if (!isNew && position < this.#releasedPosition + RELEASE_STRIDE) return;
    if (this.#plan.mapped) {
      if (isNew) {
        for (let behind = Math.max(this.#releasedSegment, segment - L.LOG_WINDOWS + 1); behind < segment; behind++) {
          if (control.isOpen(behind)) this.#arena.release(control.windowAddress(behind), this.#plan.segmentLength);
        }
      }
      const length = Math.max(position - RELEASE_DISTANCE, 0) & ~(SEGMENT_HEADER_LENGTH - 1);
      if (length > 0 && control.isOpen(segment)) this.#arena.release(control.windowAddress(segment), length);
    }
    this.#releasedSegment = segment;
    this.#releasedPosition = position;
    if (!isNew) return;
    for (const [index, fd] of this.#descriptors) {
      // Flushed as a whole, or never to be flushed because the window is gone and nobody asked: opened again by name if somebody does.
      if (index >= segment - 1) continue;
      this.#files.close(fd);
      this.#descriptors.delete(index);
    }
    if (this.#plan.directory === undefined) this.#forget(Math.max(segment - L.LOG_WINDOWS + 1, 0));
  }

  /** Gives segments of the ephemeral file back that are in no window and needed by no reader. */
  #forget(inWindows: number): void {
    const control = this.#control;
    const kept = control.load(L.LOG_FIRST_SEGMENT_OFFSET);
    const first = control.lowestNeeded(inWindows);
    if (first <= kept) return;
    // Pairs with the load in JournalTail: it says what it needs, then looks here; we say what is kept, then look at the needs once more.
    control.store(L.LOG_FIRST_SEGMENT_OFFSET, first);
    if (control.lowestNeeded(first) < first) {
      control.store(L.LOG_FIRST_SEGMENT_OFFSET, kept);
      return;
    }
    const { segmentLength, fd } = this.#plan;
    this.#files.punch(fd, kept * segmentLength, (first - kept) * segmentLength);
  }
}
