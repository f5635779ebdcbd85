// Reads the journal inside the process that writes it: in the windows where the entries lie, and in the files when it is behind the windows. It announces
// itself (layout/log.ts, reader slots), so that no window is recycled under it and no segment of an ephemeral journal is given up before it was here.

import { ENTRY_HEADER_LENGTH, ENTRY_KIND_PADDING } from '../../layout/entry.ts';
import { PAGE_LENGTH } from '../../layout/limits.ts';
import * as L from '../../layout/log.ts';
import { SEGMENT_HEADER_LENGTH } from '../../layout/segment.ts';
import type { Arena } from '../arena/arena.ts';
import { CausewayError } from '../base/errors.ts';
import { EntryDecoder } from '../event/entry-decoder.ts';
import { corruptAt } from './corrupt.ts';
import { type FileLayer, NodeFileLayer } from './file-layer.ts';
import { LogControl, readerSlot } from './log-control.ts';
import { type JournalPlan, segmentBase, segmentPath } from './plan.ts';
import { ReadBuffer } from './read-buffer.ts';
import { decodeSegmentHeader } from './segment.ts';
import type { Since, Visit } from './visit.ts';

export interface JournalTailOptions {
  arena: Arena;
  plan: JournalPlan;
  since: Since;
  files?: FileLayer;
}

const WAIT_MS_MAX = 1000;
/** Bytes of a window after which a reader gives the memory behind it back: the pages of the file stay, only this process's view of them goes. */
const RELEASE_STRIDE = 1 << 20;

export class JournalTail {
  readonly #arena: Arena;
  readonly #plan: JournalPlan;
  readonly #files: FileLayer;
  readonly #control: LogControl;
  readonly #decoder: EntryDecoder;
  readonly #slot: number;
  readonly #lastOffset: number;
  #segment = 0;
  #offset = 0;
  #releasedOffset = 0;
  /** Sequence of the entry at #offset. */
  #next = 0n;
  /** Entries to go over without showing them. */
  #skip = 0n;
  #buffer: ReadBuffer | undefined;
  #fd = -1;
  #fdSegment = -1;
  #fileLength = 0;
  #closed = false;

  /** Entries before the oldest that is kept, which were asked for and are gone. */
  readonly missed: bigint = 0n;

  /** @throws CausewayError ARENA_FULL when there are LOG_READERS_MAX readers already. */
  constructor(options: JournalTailOptions) {
    this.#arena = options.arena;
    this.#plan = options.plan;
    this.#files = options.files ?? new NodeFileLayer(options.arena.native);
    this.#control = new LogControl(options.arena);
    this.#decoder = new EntryDecoder(options.arena.memory.buffer);
    this.#lastOffset = options.plan.segmentLength - ENTRY_HEADER_LENGTH;
    this.#slot = this.#takeSlot();
    try {
      this.missed = this.#locate(options.since);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Sequence of the entry that is read next. */
  get position(): bigint {
    return this.#next + this.#skip;
  }

  /** The reader's slot, for whoever has to free it when this thread dies (releaseReader). */
  get slot(): number {
    return this.#slot;
  }

  /**
   * Shows at most `max` committed entries to the visitor, in order: how many. 0 = caught up. Do everything that needs the bytes in the visitor.
   * @throws CausewayError JOURNAL_CORRUPT when a segment file was damaged behind our back, JOURNAL_CLOSED after close().
   */
  readBatch(max: number, visit: Visit): number {
    if (this.#closed) throw new CausewayError('JOURNAL_CLOSED', 'this reader is closed');
    let count = 0;
    while (count < max) {
      const before = this.#segment;
      if (this.#enter()) {
        try {
          count += this.#readWindow(max - count, visit);
        } finally {
          this.#leave();
        }
      } else if (this.#isBehind()) {
        count += this.#readFile(max - count, visit);
      } else {
        break;
      }
      if (this.#segment === before) break;
    }
    return count;
  }

  /** Resolves when there may be something to read, or after timeoutMs, or when the signal aborts. */
  async wait(signal?: AbortSignal, timeoutMs = WAIT_MS_MAX): Promise<void> {
    if (signal?.aborted === true) return;
    const control = this.#control;
    // Pairs with the load in journalPublish: it counts the batch, then looks for waiters; we count ourselves, then look for entries.
    control.add(L.LOG_COMMIT_WAITERS_OFFSET, 1);
    let aborted: (() => void) | undefined;
    try {
      const seen = control.load(L.LOG_COMMIT_NOTIFY_OFFSET);
      if (this.hasMore()) return;
      const waited = control.waitAsync(L.LOG_COMMIT_NOTIFY_OFFSET, seen, timeoutMs);
      if (signal === undefined) return await waited;
      await Promise.race([
        waited,
        new Promise<void>((resolve) => {
          aborted = resolve;
          signal.addEventListener('abort', resolve as () => void, { once: true });
        }),
      ]);
    } finally {
      if (aborted !== undefined) signal?.removeEventListener('abort', aborted);
      control.add(L.LOG_COMMIT_WAITERS_OFFSET, -1);
    }
  }

  /** Blocks this thread until there may be something to read, or timeoutMs have passed. */
  waitSync(timeoutMs: number): void {
    const control = this.#control;
    control.add(L.LOG_COMMIT_WAITERS_OFFSET, 1);
    const seen = control.load(L.LOG_COMMIT_NOTIFY_OFFSET);
    if (!this.hasMore()) control.wait(L.LOG_COMMIT_NOTIFY_OFFSET, seen, timeoutMs);
    control.add(L.LOG_COMMIT_WAITERS_OFFSET, -1);
  }

  /** True if readBatch has something to do. */
  hasMore(): boolean {
    if (!this.#enter()) return this.#isBehind();
    const address = this.#control.windowAddress(this.#segment);
    const isAtEnd = this.#offset > this.#lastOffset;
    const more = isAtEnd ? this.#control.activeSegment > this.#segment : this.#lengthAt(address + this.#offset) > 0;
    this.#leave();
    return more;
  }

  /** Gives its slot and its file back. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#closeFile();
    releaseReader(this.#control, this.#slot);
  }

  #takeSlot(): number {
    for (let slot = 0; slot < L.LOG_READERS_MAX; slot++) {
      // Needed first: from the moment that the slot is taken, nothing that is kept now is given up. Freed slots need nothing.
      const at = readerSlot(slot);
      if (!this.#control.exchange(at + L.LOG_READER_OWNER_OFFSET, 0, 1)) continue;
      this.#control.store(at + L.LOG_READER_INSIDE_OFFSET, 0);
      return slot;
    }
    throw new CausewayError('ARENA_FULL', `journal: readers=${L.LOG_READERS_MAX}, readersMax=${L.LOG_READERS_MAX}`);
  }

  #need(segment: number): void {
    this.#control.store(readerSlot(this.#slot) + L.LOG_READER_NEEDED_OFFSET, segment);
  }

  /** Begins to read in the window of the segment; false if the segment is in no window. */
  #enter(): boolean {
    const inside = readerSlot(this.#slot) + L.LOG_READER_INSIDE_OFFSET;
    // Pairs with the store of EMPTY in JournalSync: see the top of sync.ts.
    this.#control.store(inside, this.#segment + 1);
    if (this.#control.isOpen(this.#segment)) return true;
    this.#control.store(inside, 0);
    return false;
  }

  #leave(): void {
    this.#control.store(readerSlot(this.#slot) + L.LOG_READER_INSIDE_OFFSET, 0);
  }

  #isBehind(): boolean {
    return this.#segment < this.#control.activeSegment && !this.#control.isOpen(this.#segment);
  }

  #lengthAt(address: number): number {
    // Pairs with the stores in journalCommit and closeWindow.
    return Atomics.load(this.#arena.i32, address >> 2);
  }

  #readWindow(max: number, visit: Visit): number {
    const address = this.#control.windowAddress(this.#segment);
    const decoder = this.#decoder;
    let offset = this.#offset;
    let passed = 0;
    let count = 0;
    let skip = Number(this.#skip);
    try {
      while (count < max && offset <= this.#lastOffset) {
        const at = address + offset;
        const length = this.#lengthAt(at);
        if (length <= 0) break;
        offset += (length + 7) & ~7;
        if (decoder.kind(at) === ENTRY_KIND_PADDING && decoder.sequence(at) === 0n) continue;
        passed += 1;
        if (skip > 0) skip -= 1;
        else {
          count += 1;
          visit(decoder, at, length);
        }
      }
    } finally {
      // Also when the visitor throws: the entry that it threw at is behind us.
      this.#offset = offset;
      this.#next += BigInt(passed);
      this.#skip = BigInt(skip);
    }
    if (offset > this.#lastOffset) {
      // All of it: nobody comes back here for the rest before the window is recycled.
      this.#giveBack(address, this.#plan.segmentLength, 0);
      this.#goTo(this.#segment + 1, SEGMENT_HEADER_LENGTH);
    } else {
      this.#giveBack(address, offset, RELEASE_STRIDE);
    }
    return count;
  }

  /** What this reader has faulted in behind itself; others that are still there fault it in again. */
  #giveBack(address: number, offset: number, stride: number): void {
    if (!this.#plan.mapped || offset - this.#releasedOffset < stride) return;
    const to = offset & ~(PAGE_LENGTH - 1);
    if (to > this.#releasedOffset) this.#arena.release(address + this.#releasedOffset, to - this.#releasedOffset);
    this.#releasedOffset = to;
  }

  #readFile(max: number, visit: Visit): number {
    this.#openFile();
    this.#buffer ??= ReadBuffer.take();
    const buffer = this.#buffer;
    let count = 0;
    let skip = Number(this.#skip);
    while (count < max) {
      let at = this.#offset - buffer.offset;
      if (at < 0 || at >= buffer.verified) {
        if (this.#fileLength - this.#offset < ENTRY_HEADER_LENGTH) {
          this.#goTo(this.#segment + 1, SEGMENT_HEADER_LENGTH);
          break;
        }
        buffer.fill(this.#files, this.#fd, segmentBase(this.#plan, this.#segment), this.#offset, this.#fileLength);
        at = 0;
        // A segment that left its window is whole.
        if (buffer.verified === 0) throw corruptAt(this.#segment, this.#offset, this.#next, 'not a whole, right entry');
      }
      const address = buffer.address + at;
      const length = buffer.view.getInt32(address, true);
      const isEnd = buffer.decoder.kind(address) === ENTRY_KIND_PADDING && buffer.decoder.sequence(address) === 0n;
      this.#offset += (length + 7) & ~7;
      if (isEnd) continue;
      this.#next += 1n;
      if (skip > 0) {
        skip -= 1;
        this.#skip = BigInt(skip);
      } else {
        count += 1;
        visit(buffer.decoder, address, length);
      }
    }
    return count;
  }

  #goTo(segment: number, offset: number): void {
    this.#releasedOffset = offset & ~(PAGE_LENGTH - 1);
    this.#segment = segment;
    this.#offset = offset;
    this.#need(segment);
    this.#closeFile();
  }

  #openFile(): void {
    if (this.#fdSegment === this.#segment) return;
    this.#closeFile();
    const { directory, fd, segmentLength } = this.#plan;
    this.#fd = directory === undefined ? fd : this.#files.open(segmentPath(directory, this.#segment), 'r');
    this.#fileLength = directory === undefined ? segmentLength : this.#files.size(this.#fd);
    this.#fdSegment = this.#segment;
  }

  #closeFile(): void {
    if (this.#fdSegment >= 0 && this.#plan.directory !== undefined) this.#files.close(this.#fd);
    this.#fdSegment = -1;
    // Lent only while it is behind the windows.
    this.#buffer?.give();
    this.#buffer = undefined;
  }

  /** Goes to where reading begins; answers how many of the wanted entries are gone. */
  #locate(since: Since): bigint {
    const oldest = this.#holdOldest();
    if (since !== 'start' && this.#locateEnd() && (since === 'now' || since >= this.#next)) {
      if (since !== 'now') this.#skip = since - this.#next;
      return 0n;
    }
    let low = oldest;
    if (typeof since === 'bigint') {
      // The last segment that begins at or before the wanted sequence.
      let high = Math.min(this.#segment, this.#control.activeSegment);
      while (low < high) {
        const middle = Math.ceil((low + high) / 2);
        if (this.#firstSequenceOf(middle) <= since) low = middle;
        else high = middle - 1;
      }
    }
    this.#goTo(low, SEGMENT_HEADER_LENGTH);
    this.#next = this.#firstSequenceOf(low);
    const wanted = typeof since === 'bigint' ? since : this.#next;
    if (wanted > this.#next) this.#skip = wanted - this.#next;
    return wanted < this.#next ? this.#next - wanted : 0n;
  }

  /** The oldest segment that is kept, and stays kept as long as this reader is there. */
  #holdOldest(): number {
    if (this.#plan.directory !== undefined) {
      let index = this.#plan.firstIndex;
      while (index > 0 && this.#files.exists(segmentPath(this.#plan.directory, index - 1))) index -= 1;
      this.#need(index);
      return index;
    }
    while (true) {
      const first = this.#control.load(L.LOG_FIRST_SEGMENT_OFFSET);
      this.#need(first);
      // Pairs with the store in JournalSync: it says what is kept, then looks at what is needed.
      if (this.#control.load(L.LOG_FIRST_SEGMENT_OFFSET) === first) return first;
    }
  }

  /** Goes behind the last entry that was claimed. Always true. */
  #locateEnd(): true {
    const control = this.#control;
    while (true) {
      const active = control.activeSegment;
      const window = control.windowOf(active);
      const end = control.loadLong(window + L.LOG_WINDOW_END_SEQUENCE_OFFSET);
      const claim = control.loadLong(window + L.LOG_WINDOW_CLAIM_OFFSET);
      const first = control.loadLong(window + L.LOG_WINDOW_FIRST_SEQUENCE_OFFSET);
      if (control.activeSegment !== active || !control.isOpen(active)) {
        if (control.state === L.LOG_STATE_CLOSED) throw new CausewayError('JOURNAL_CLOSED', 'the journal is closed');
        continue;
      }
      const offset = Number(claim & 0xffffffffn);
      if (offset <= this.#plan.segmentLength) {
        this.#goTo(active, offset);
        this.#next = first + (claim >> 32n);
        return true;
      }
      if (end !== 0n) {
        this.#goTo(active + 1, SEGMENT_HEADER_LENGTH);
        this.#next = end;
        return true;
      }
    }
  }

  #firstSequenceOf(segment: number): bigint {
    const first = this.#control.windowFirstSequence(segment);
    if (this.#control.isOpen(segment) && first !== 0n) return first;
    this.#buffer ??= ReadBuffer.take();
    const buffer = this.#buffer;
    const { directory } = this.#plan;
    const fd = directory === undefined ? this.#plan.fd : this.#files.open(segmentPath(directory, segment), 'r');
    try {
      const header = decodeSegmentHeader(buffer.readHeader(this.#files, fd, segmentBase(this.#plan, segment)));
      if (typeof header === 'string') throw corruptAt(segment, 0, undefined, header);
      return header.firstSequence;
    } finally {
      if (directory !== undefined) this.#files.close(fd);
    }
  }
}

/** Frees the slot of a reader whose thread is gone: it holds no window and no segment any more. */
export function releaseReader(control: LogControl, slot: number): void {
  const at = readerSlot(slot);
  control.store(at + L.LOG_READER_INSIDE_OFFSET, 0);
  control.store(at + L.LOG_READER_NEEDED_OFFSET, 0xffffffff);
  control.store(at + L.LOG_READER_OWNER_OFFSET, 0);
}
