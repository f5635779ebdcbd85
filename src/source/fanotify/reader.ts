// The fanotify source's reader: the host's group, own tree, one thread.
//
// What fanotify cannot tell, and this source therefore does not:
//   - When exactly, by which thread, and on which CPU: the time is that of the read (flagged).
//   - Name and user of a process that has ended before its event was read (flagged); its pid is told. Who made what a scan found.
//   - Failed operations; stores through shared mappings; anything on other machines that share the file system.
//   - How often, and in which order within one name: the kernel merges events of one process about one file and name that wait in its queue
//     (followed-tree.ts). Results and arguments: how much was read or written, flags, truncation (reported as a write).
//   - What an unknown directory held when it was moved in is found by a scan (variant SCAN).
//   - Sync. A mount below the roots is told when the table of mounts says so, with what it covers or uncovers found by a scan.
// The group sees the whole file system: what happens outside of the roots is read, counted as filtered, and takes its share of the kernel's queue.

import type { Stats } from 'node:fs';
import {
  GAP_CAUSE_MALFORMED,
  GAP_CAUSE_QUEUE_OVERFLOW,
  GAP_CAUSE_WATCH_FAILED,
  GAP_CAUSE_WORKER_RESTART,
} from '../../../layout/entry.ts';
import { KERNEL_OP_MOUNT, KERNEL_OP_UNMOUNT, KERNEL_VARIANT_UNKNOWN } from '../../../layout/kernel-record.ts';
import type { Arena } from '../../arena/arena.ts';
import { errnoName, type Native } from '../../arena/native.ts';
import { CausewayError } from '../../base/errors.ts';
import { stderrLog } from '../log-line.ts';
import { Poller } from '../poller.ts';
import { RingWriter } from '../ring-writer.ts';
import type { SourceLoss, SourcePlan, SourceReader } from '../source.ts';
import { Emitter } from '../tree/emitter.ts';
import { lookAt } from '../tree/look.ts';
import { SharedCounters } from '../tree/shared-counters.ts';
import { FAN_Q_OVERFLOW } from './abi.ts';
import { EventQueue } from './event-queue.ts';
import type { FanotifyEvent } from './events.ts';
import { FollowedTree } from './followed-tree.ts';
import { markFilesystem } from './group.ts';
import { Handles } from './handles.ts';
import { MountTable } from './mounts.ts';
import { Processes } from './processes.ts';
import { followRoots } from './roots.ts';
import { Settler } from './settler.ts';
import { Tracker } from './tracker.ts';

/** Under constant load the queue is never empty: what waits for that moment waits no longer than this. */
const SETTLE_WAIT_MS = 1000;
/** Nor for more than so many names. */
const UNCHECKED_MAX = 65_536;
/** What could not be settled is tried again after this time, without an event. */
const RETRY_MS = 10;
/** Under constant load the queue is never empty: mark() waits for that moment no longer than this. */
const MARK_ROUNDS_MAX = 16;
/** Events handled by one poll(), so that what they became is seen soon. */
const EVENTS_PER_POLL = 1024;

export interface FanotifyDetails {
  groupFd: number;
  wakeFd: number;
  /** Byte strings (KnownNode): paths need not be UTF-8. */
  roots: string[];
  ops: number[];
  pids: number[];
  includeSelf: boolean;
  /** FAN_ bits that file systems are marked with. */
  mask: number;
  /** st_dev of those that are marked already. */
  devices: number[];
  counters: SharedArrayBuffer;
}

export interface ReaderOptions {
  /** Gets one line for each thing that cannot be followed. Default: the first ten go to stderr. */
  log?: (line: string) => void;
}

/**
 * Lists the roots, then answers: what happens from now on is told.
 * @throws CausewayError CAPABILITY_MISSING without koffi.
 */
export function openFanotifyReader(arena: Arena, plan: SourcePlan, options: ReaderOptions = {}): SourceReader {
  const { native } = arena;
  if (native === undefined) {
    throw new CausewayError('CAPABILITY_MISSING', 'fanotify is read through koffi, which is not available here');
  }
  return new FanotifyReader(arena, native, plan, options);
}

class FanotifyReader implements SourceReader {
  readonly finished = false;
  readonly #native: Native;
  readonly #details: FanotifyDetails;
  readonly #queue: EventQueue;
  readonly #writer: RingWriter;
  readonly #emitter: Emitter;
  readonly #handles: Handles;
  readonly #followed: FollowedTree;
  readonly #settler: Settler;
  readonly #tracker: Tracker;
  readonly #processes = new Processes();
  readonly #pids: ReadonlySet<number>;
  readonly #poller: Poller;
  readonly #mounts: MountTable;
  /** st_dev of file systems. */
  readonly #marked: Set<number>;
  readonly #counters: SharedCounters;
  readonly #log: (line: string) => void;
  readonly #lostCauses = new Map<number, bigint>();
  #closed = false;
  /** An overflow was met that no comparison has made good yet. */
  #isIncomplete = false;
  /** When the queue was empty last, or what waited for that was done all the same. */
  #settledAt = performance.now();
  /** Events that nobody asked for, not counted yet. */
  #filtered = 0;

  constructor(arena: Arena, native: Native, plan: SourcePlan, options: ReaderOptions) {
    const details = plan.details as unknown as FanotifyDetails;
    this.#native = native;
    this.#details = details;
    this.#log = options.log ?? stderrLog();
    this.#pids = new Set(details.pids);
    this.#counters = new SharedCounters(details.counters);
    this.#queue = new EventQueue(native, details.groupFd);
    this.#marked = new Set(details.devices);
    this.#mounts = new MountTable(details.roots);
    this.#poller = new Poller(native, [details.groupFd], details.wakeFd, this.#mounts.fd);
    this.#writer = new RingWriter(arena, { address: plan.ringAddress, capacity: plan.ringCapacity });
    this.#emitter = new Emitter(this.#writer, this.#counters, details.ops);
    this.#emitter.timeNs = process.hrtime.bigint();
    this.#handles = new Handles(native);
    this.#followed = new FollowedTree({
      handles: this.#handles,
      emitter: this.#emitter,
      mark: (path, stat) => this.#mark(path, stat),
      failed: (errno, path) => this.#failed(errno, path),
    });
    this.#settler = new Settler(this.#followed);
    this.#tracker = new Tracker(this.#followed, this.#settler);
    if (this.#counters.countReader() > 0) this.#lose(GAP_CAUSE_WORKER_RESTART, 0n);
    this.#listRoots();
  }

  poll(): number {
    if (this.#closed || !this.#writer.flush()) return this.#writer.publish();
    let count = 0;
    let isBusy = true;
    while (isBusy && count === 0 && this.#writer.waitingCount === 0) {
      isBusy = this.#handleSome();
      count = this.#writer.publish();
    }
    this.#count();
    return count;
  }

  wait(timeoutMs: number): void {
    if (this.#closed || this.#writer.waitingCount > 0 || this.#queue.hasBuffered) return;
    const isPending = this.#isIncomplete || this.#settler.isPending;
    this.#waitFor(isPending ? Math.min(timeoutMs, RETRY_MS) : timeoutMs);
  }

  takeLosses(): SourceLoss[] {
    const losses = [...this.#lostCauses].map(([cause, count]) => ({ cause, from: 0n, to: 0n, count }));
    this.#lostCauses.clear();
    return losses;
  }

  /** Every operation queues its event before it returns, or adds to one that waits: what is queued now holds all that happened before. */
  mark(): bigint {
    if (this.#closed) return this.#writer.positionAfterAll;
    this.#waitFor(0);
    this.#handleUntil(this.#queue.tailPosition());
    for (let round = 0; round < MARK_ROUNDS_MAX; round++) {
      if (this.#queue.hasBuffered || this.#fill()) this.#handleUntil(this.#queue.tailPosition());
      if (this.#queue.hasBuffered || this.#fill()) continue;
      this.#settle();
      if (!this.#settler.isPending) break;
    }
    if (this.#isIncomplete) this.#settle();
    this.#count();
    return this.#writer.positionAfterAll;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#poller.close();
    this.#mounts.close();
    this.#writer.release();
  }

  #handleUntil(position: number): void {
    while (this.#queue.position < position) {
      const event = this.#queue.take();
      if (event !== undefined) this.#handleOne(event);
      else if (!this.#fill()) return;
    }
  }

  /** Handles a batch of events. False: there were none. */
  #handleSome(): boolean {
    for (let count = 0; count < EVENTS_PER_POLL && this.#writer.waitingCount === 0; count++) {
      const event = this.#queue.take();
      if (event !== undefined) {
        this.#handleOne(event);
      } else if (!this.#fill()) {
        this.#settle();
        return count > 0;
      }
    }
    if (this.#followed.uncheckedCount > UNCHECKED_MAX || performance.now() - this.#settledAt > SETTLE_WAIT_MS) {
      this.#settle();
    }
    return true;
  }

  #handleOne(event: FanotifyEvent): void {
    if (event.mask & FAN_Q_OVERFLOW) {
      this.#overflow();
      return;
    }
    if (!this.#tracker.concerns(event)) {
      this.#filtered += 1;
      return;
    }
    this.#emitter.isMuted = !this.#isWanted(event.pid);
    this.#emitter.actor = this.#emitter.isMuted ? undefined : this.#processes.actorOf(event.pid);
    this.#tracker.handle(event, this.#queue);
    this.#emitter.actor = undefined;
    // Nobody knows who did what a scan finds: with a filter by process it is nobody's who was asked for.
    this.#emitter.isMuted = this.#pids.size > 0;
  }

  #isWanted(pid: number): boolean {
    if (pid === process.pid && !this.#details.includeSelf) return false;
    return this.#pids.size === 0 || this.#pids.has(pid);
  }

  #fill(): boolean {
    const isMore = this.#queue.fill((count) => this.#malformed(count));
    if (isMore) {
      this.#emitter.timeNs = process.hrtime.bigint();
      this.#processes.beginBatch();
      this.#meetProcesses();
    }
    return isMore;
  }

  #waitFor(timeoutMs: number): void {
    if (!this.#poller.wait(timeoutMs)) return;
    const { mounted, unmounted } = this.#mounts.changes();
    if (mounted.length + unmounted.length === 0) return;
    this.#emitter.timeNs = process.hrtime.bigint();
    const report = { variant: KERNEL_VARIANT_UNKNOWN, isDirectory: true };
    for (const { path } of unmounted) this.#emitter.emit({ op: KERNEL_OP_UNMOUNT, ...report, path });
    for (const { path, source } of mounted) {
      this.#emitter.emit({ op: KERNEL_OP_MOUNT, ...report, path, path2: source });
      // The number of one that is gone is given again.
      const device = lookAt(path)?.dev ?? 0;
      this.#handles.forget(device);
      this.#marked.delete(device);
    }
    // What lies there now is another directory: told as if the old content was deleted and the new one made.
    this.#followed.isDoubtful = true;
  }

  /** At once, before anything else is done with the events: processes end. */
  #meetProcesses(): void {
    let last = 0;
    for (const event of this.#queue.fresh) {
      if (event.pid === last || !this.#isWanted(event.pid) || !this.#tracker.isInside(event)) continue;
      last = event.pid;
      this.#processes.actorOf(last);
    }
  }

  #settle(): void {
    this.#settledAt = performance.now();
    if (!this.#isIncomplete && !this.#settler.isPending) {
      this.#followed.beginSettling();
      return;
    }
    this.#emitter.timeNs = process.hrtime.bigint();
    if (this.#isIncomplete) {
      this.#isIncomplete = false;
      this.#settler.reconcile();
    }
    this.#settler.settle();
  }

  #listRoots(): void {
    this.#emitter.isMuted = this.#pids.size > 0;
    followRoots(this.#followed, this.#settler, this.#details.roots, (errno, path) => this.#failed(errno, path));
    this.#count();
  }

  /** A file system is met for the first time. */
  #mark(path: string, stat: Stats): void {
    const { groupFd, mask } = this.#details;
    const errno = this.#marked.has(stat.dev) ? 0 : markFilesystem(this.#native, groupFd, path, mask);
    if (errno === 0) this.#marked.add(stat.dev);
    const isKnown = this.#handles.learn(path, stat);
    if (errno !== 0) this.#failed(errnoName(errno), path);
    else if (!isKnown) this.#failed('ENOTSUP', path);
  }

  #count(): void {
    if (this.#filtered > 0) this.#counters.countFiltered(this.#filtered);
    this.#filtered = 0;
    this.#counters.setWatches(this.#followed.directoryCount);
  }

  #lose(cause: number, count: bigint): void {
    this.#lostCauses.set(cause, (this.#lostCauses.get(cause) ?? 0n) + count);
  }

  #failed(errno: string, path: string): void {
    this.#lose(GAP_CAUSE_WATCH_FAILED, 0n);
    this.#counters.countFailedWatch();
    this.#log(`fanotify: cannot follow ${Buffer.from(path, 'latin1').toString()}: ${errno}`);
  }

  #overflow(): void {
    this.#lose(GAP_CAUSE_QUEUE_OVERFLOW, 0n);
    this.#counters.countOverflow();
    this.#isIncomplete = true;
    const hint = 'fs.fanotify.max_queued_events';
    this.#log(`fanotify: the kernel queue overflowed (${hint}): the tree is compared with what is known`);
  }

  #malformed(count: number): void {
    this.#lose(GAP_CAUSE_MALFORMED, BigInt(count));
    this.#counters.countMalformed(count);
    this.#isIncomplete = true;
  }
}
