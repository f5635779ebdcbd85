// The inotify source's reader: own descriptor, own tree, one thread.
//
// What inotify cannot tell, and this source therefore does not:
//   - Who did it: pid, uid and command are unknown (flagged). When exactly: the time is that of the read (flagged).
//   - Failed operations; stores through shared mappings; anything on other machines that share the file system.
//   - How often: the kernel merges an event with the one before it in the queue if they are equal (100 writes in a row may be one).
//   - How much was read or written, and truncation (reported as a write).
//   - What a directory that is being created held before the watch was there is found by a scan (variant SCAN); what was created and deleted before the
//     scan came is not.
//   - Sync, and mounts that appear.

import { GAP_CAUSE_QUEUE_OVERFLOW, GAP_CAUSE_WATCH_FAILED, GAP_CAUSE_WORKER_RESTART } from '../../../layout/entry.ts';
import type { Arena } from '../../arena/arena.ts';
import type { Native } from '../../arena/native.ts';
import { CausewayError } from '../../base/errors.ts';
import { stderrLog } from '../log-line.ts';
import { Poller } from '../poller.ts';
import { RingWriter } from '../ring-writer.ts';
import type { SourceLoss, SourcePlan, SourceReader } from '../source.ts';
import { Emitter } from '../tree/emitter.ts';
import { SharedCounters } from '../tree/shared-counters.ts';
import { IN_MOVED_FROM, IN_Q_OVERFLOW } from './abi.ts';
import { EventQueue, type InotifyEvent } from './event-queue.ts';
import { maskOf } from './mask.ts';
import { watchRoots } from './roots.ts';
import { Settler } from './settler.ts';
import { Tracker } from './tracker.ts';
import { WatchedTree } from './watched-tree.ts';
import { Watches } from './watches.ts';

/**
 * How long the first half of a rename waits for the second one. The kernel queues them one directly after the other, so it is there unless the
 * renaming thread was interrupted in between, or the name was moved out of what is watched.
 */
const RENAME_WAIT_MS = 5;
/** Under constant load the queue is never empty: the comparison after an overflow waits for that moment no longer than this. */
const RECONCILE_WAIT_MS = 1000;
/** Under constant load the queue is never empty: mark() waits for that moment no longer than this. */
const MARK_ROUNDS_MAX = 16;
/** Events handled by one poll(), so that what they became is seen soon. */
const EVENTS_PER_POLL = 1024;

export interface InotifyDetails {
  wakeFd: number;
  /** Byte strings (KnownNode): paths need not be UTF-8. */
  roots: string[];
  ops: number[];
  counters: SharedArrayBuffer;
}

export interface ReaderOptions {
  /** Gets one line for each thing that cannot be watched. Default: the first ten go to stderr. */
  log?: (line: string) => void;
}

/**
 * Watches and lists the roots, then answers: what happens from now on is told.
 * @throws CausewayError CAPABILITY_MISSING without koffi, SYSTEM_CALL_FAILED where no inotify descriptor can be had.
 */
export function openInotifyReader(arena: Arena, plan: SourcePlan, options: ReaderOptions = {}): SourceReader {
  const { native } = arena;
  if (native === undefined) {
    throw new CausewayError('CAPABILITY_MISSING', 'inotify is read through koffi, which is not available here');
  }
  return new InotifyReader(arena, native, plan, options);
}

class InotifyReader implements SourceReader {
  readonly finished = false;
  readonly #queue: EventQueue;
  readonly #writer: RingWriter;
  readonly #emitter: Emitter;
  readonly #watched: WatchedTree;
  readonly #settler: Settler;
  readonly #tracker: Tracker;
  readonly #poller: Poller;
  readonly #counters: SharedCounters;
  readonly #log: (line: string) => void;
  readonly #lostCauses = new Set<number>();
  #closed = false;
  /** When an overflow was met that no comparison has made good yet; 0 = none. Time in ms. */
  #overflowAt = 0;
  /** Since when the IN_MOVED_FROM at the head of the queue waits for its other half, and which one it is. */
  #renameSince = 0;
  #renameCookie = 0;

  constructor(arena: Arena, native: Native, plan: SourcePlan, options: ReaderOptions) {
    const details = plan.details as unknown as InotifyDetails;
    this.#log = options.log ?? stderrLog();
    this.#counters = new SharedCounters(details.counters);
    this.#queue = new EventQueue(native);
    this.#poller = new Poller(native, [this.#queue.fd], details.wakeFd);
    this.#writer = new RingWriter(arena, { address: plan.ringAddress, capacity: plan.ringCapacity });
    this.#emitter = new Emitter(this.#writer, this.#counters, details.ops);
    const mask = maskOf((op) => this.#emitter.wants(op));
    this.#watched = new WatchedTree({
      watches: new Watches(native, this.#queue.fd),
      mask,
      emitter: this.#emitter,
      watchFailed: (errno, path) => this.#watchFailed(errno, path),
    });
    this.#settler = new Settler(this.#watched);
    this.#tracker = new Tracker(this.#watched, this.#settler, this.#emitter, (path) =>
      this.#watchFailed('ENOENT', path),
    );
    if (this.#counters.countReader() > 0) this.#lostCauses.add(GAP_CAUSE_WORKER_RESTART);
    watchRoots(this.#watched, this.#settler, details.roots, mask, (errno, path) => this.#watchFailed(errno, path));
    this.#counters.setWatches(this.#watched.watches.count);
  }

  poll(): number {
    if (this.#closed || !this.#writer.flush()) return this.#writer.publish();
    let count = 0;
    let isBusy = true;
    while (isBusy && count === 0 && this.#writer.waitingCount === 0) {
      isBusy = this.#handleSome();
      count = this.#writer.publish();
    }
    this.#counters.setWatches(this.#watched.watches.count);
    return count;
  }

  wait(timeoutMs: number): void {
    if (this.#closed || this.#writer.waitingCount > 0 || this.#overflowAt > 0) return;
    if (!this.#queue.hasBuffered) this.#poller.wait(timeoutMs);
    else if (this.#renameSince > 0) this.#poller.wait(Math.min(timeoutMs, RENAME_WAIT_MS));
  }

  takeLosses(): SourceLoss[] {
    const losses = [...this.#lostCauses].map((cause) => ({ cause, from: 0n, to: 0n, count: 0n }));
    this.#lostCauses.clear();
    return losses;
  }

  mark(): bigint {
    if (this.#closed) return this.#writer.positionAfterAll;
    this.#handleUntil(this.#queue.tailPosition());
    // Listing what the events told of queues events of our own.
    for (let round = 0; round < MARK_ROUNDS_MAX && (this.#queue.hasBuffered || this.#fill()); round++) {
      this.#handleUntil(this.#queue.tailPosition());
    }
    if (!this.#queue.hasBuffered && !this.#fill()) this.#whenEmpty();
    else if (this.#overflowAt > 0) this.#reconcile();
    return this.#writer.positionAfterAll;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#poller.close();
    this.#queue.close();
    this.#writer.release();
  }

  #handleUntil(position: number): void {
    while (this.#queue.position < position) {
      const event = this.#queue.peek();
      if (event === undefined) {
        if (!this.#fill()) return;
      } else if (!this.#handleOne(event)) {
        // Whoever called rename(2) has not come back from it yet, or the name has left what is watched.
        this.#poller.wait(1);
      }
    }
  }

  /** Handles a batch of events. False: there were none, or the rest must wait. */
  #handleSome(): boolean {
    for (let count = 0; count < EVENTS_PER_POLL && this.#writer.waitingCount === 0; count++) {
      const event = this.#queue.peek();
      if (event === undefined) {
        if (this.#fill()) continue;
        this.#whenEmpty();
        return count > 0;
      }
      if (!this.#handleOne(event)) return false;
    }
    if (this.#overflowAt > 0 && performance.now() - this.#overflowAt > RECONCILE_WAIT_MS) this.#reconcile();
    return true;
  }

  /** False: it is half a rename, whose other half may still come. */
  #handleOne(event: InotifyEvent): boolean {
    if (event.mask & IN_Q_OVERFLOW) {
      this.#overflow();
    } else if (event.mask & IN_MOVED_FROM) {
      let to = this.#queue.takeMovedTo(event.cookie);
      while (to === 'absent' && this.#fill()) to = this.#queue.takeMovedTo(event.cookie);
      if (to === 'absent' && !this.#isOverdue(event)) return false;
      this.#renameSince = 0;
      this.#tracker.renamed(event, to === 'absent' ? undefined : to, this.#queue);
    } else {
      this.#tracker.handle(event);
    }
    this.#queue.advance();
    return true;
  }

  #isOverdue(event: InotifyEvent): boolean {
    const now = performance.now();
    if (this.#renameSince === 0 || this.#renameCookie !== event.cookie) {
      this.#renameSince = now;
      this.#renameCookie = event.cookie;
    }
    return now - this.#renameSince >= RENAME_WAIT_MS;
  }

  #fill(): boolean {
    const isMore = this.#queue.fill();
    if (isMore) this.#emitter.timeNs = process.hrtime.bigint();
    return isMore;
  }

  #whenEmpty(): void {
    if (this.#overflowAt > 0) this.#reconcile();
    if (this.#emitter.timeNs === 0n || this.#settler.isPending) this.#emitter.timeNs = process.hrtime.bigint();
    this.#settler.settle();
  }

  #overflow(): void {
    this.#lostCauses.add(GAP_CAUSE_QUEUE_OVERFLOW);
    this.#counters.countOverflow();
    if (this.#overflowAt === 0) this.#overflowAt = performance.now();
    this.#log(
      'inotify: the kernel queue overflowed (fs.inotify.max_queued_events): the tree is compared with what is known',
    );
  }

  #reconcile(): void {
    this.#overflowAt = 0;
    this.#emitter.timeNs = process.hrtime.bigint();
    this.#settler.reconcile(this.#watched.tree.tops);
  }

  #watchFailed(errno: string, path: string): void {
    this.#lostCauses.add(GAP_CAUSE_WATCH_FAILED);
    this.#counters.countFailedWatch();
    const hint = errno === 'ENOSPC' ? ' (fs.inotify.max_user_watches)' : '';
    this.#log(`inotify: cannot watch ${Buffer.from(path, 'latin1').toString()}: ${errno}${hint}`);
  }
}
