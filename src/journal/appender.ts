// Appends events from any thread of the process, synchronously, and says when they are as durable as asked. What the four levels mean:
//
//   memory    nothing is promised: the event is in the journal's window, readers of this process see it
//   process   it survives the end of this process, kill -9 included: it was written to the mapped file, whose pages belong to the kernel. Not a power failure.
//             Where the file cannot be mapped: after the sync worker's next write(2)
//   group     it survives a power failure: after the next finished fdatasync, which covers all that asked for one since the last began. Nothing is waited
//             for: an idle journal flushes at once, and groups grow by themselves while a flush is running. What a thread appends in one turn of its event
//             loop asks for a flush together, when the turn is over
//   sync      as group; and append() itself returns only then. It blocks its thread
//
// append() returns the sequence. Whether an event whose whenDurable() rejects is kept is not known (FAULTS.md R5): after a failed flush nobody can say.
// A journal without a directory keeps nothing: there, group and sync are as soon as process, and all of it goes with the process.

import { ENTRY_SEQUENCE_OFFSET } from '../../layout/entry.ts';
import * as L from '../../layout/log.ts';
import {
  STATUS_CLOSED,
  STATUS_FULL,
  STATUS_POISONED,
  STATUS_ROTATING,
  STATUS_TIMED_OUT,
  STATUS_TOO_LONG,
} from '../../layout/status.ts';
import type { Arena } from '../arena/arena.ts';
import { clockOffsetNs } from '../arena/native.ts';
import type { Wasm } from '../arena/wasm-exports.ts';
import { CausewayError } from '../base/errors.ts';
import { errorName } from '../event/call-name.ts';
import { type MeasuredEvent, measureNewEvent, writeNewEvent } from '../event/entry.ts';
import { type FastBuffer, fastBuffer } from '../event/fast-buffer.ts';
import type { Durability, NewEvent } from '../event/types.ts';
import { LogControl } from './log-control.ts';
import type { JournalPlan } from './plan.ts';

export interface AppenderOptions {
  arena: Arena;
  wasm: Wasm;
  plan: JournalPlan;
  /** How long append() waits for a segment that is being prepared. */
  rotationTimeoutMs?: number;
  /** Called while waiting, where this very thread has to do the sync worker's work (tests, tools). */
  help?: () => void;
}

const ROTATION_TIMEOUT_MS = 10_000;
/** A wait is looked at again after this long, whatever happens: no lost wake-up can hang anybody. */
const WAIT_MS_MAX = 500;
/** Nobody is told when a segment becomes active: those that wait for one look. */
const ROTATION_POLL_MS = 1;
/** A thread that does not come back to its event loop asks for a flush after that many. */
const GROUP_MAX = 1024;
const CLOCK_REFRESH_NS = 1_000_000_000n;

interface Pending {
  sequence: bigint;
  offset: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class Appender {
  readonly #arena: Arena;
  readonly #wasm: Wasm;
  readonly #plan: JournalPlan;
  readonly #control: LogControl;
  readonly #bytes: FastBuffer;
  readonly #rotationTimeoutMs: number;
  readonly #help: (() => void) | undefined;
  #clockOffsetNs = 0n;
  #clockReadNs = 0n;
  #pending: Pending[] = [];
  #isWatching = false;
  #wantedSequence = 0n;
  #wantedCount = 0;

  constructor(options: AppenderOptions) {
    this.#arena = options.arena;
    this.#wasm = options.wasm;
    this.#plan = options.plan;
    this.#control = new LogControl(options.arena);
    this.#bytes = fastBuffer(options.arena.memory.buffer);
    this.#rotationTimeoutMs = options.rotationTimeoutMs ?? ROTATION_TIMEOUT_MS;
    this.#help = options.help;
  }

  /**
   * The event's sequence. 'group' starts a flush, at the end of this turn, that whenDurable() waits for; 'sync' waits here.
   * @throws CausewayError EVENT_INVALID, RECORD_TOO_LONG, JOURNAL_FULL, JOURNAL_POISONED, JOURNAL_CLOSED: then nothing was appended; with 'sync' also
   * after the append, as whenDurable() rejects.
   */
  append(event: NewEvent, durability: Durability = 'process'): bigint {
    const measured = measureNewEvent(event);
    let answer = this.#wasm.journalReserve(measured.length);
    if (answer === STATUS_ROTATING) answer = this.#reserveLater(measured.length);
    const sequence = this.#write(measured, answer);
    if (durability === 'group') this.#wantDurableSoon(sequence);
    if (durability === 'sync') {
      this.wantDurable(sequence);
      this.#waitSync(sequence);
    }
    return sequence;
  }

  /**
   * Appends without ever blocking the thread: resolves with the sequence once the event is as durable as asked.
   * @throws CausewayError as append() and whenDurable() do.
   */
  async appendDurable(event: NewEvent, durability: Durability = 'process'): Promise<bigint> {
    const measured = measureNewEvent(event);
    let answer = this.#wasm.journalReserve(measured.length);
    const deadline = Date.now() + this.#rotationTimeoutMs;
    while (answer === STATUS_ROTATING && Date.now() < deadline) {
      this.#help?.();
      const { activeSegment } = this.#control;
      await this.#control.waitAsync(L.LOG_ACTIVE_SEGMENT_OFFSET, activeSegment, ROTATION_POLL_MS);
      answer = this.#wasm.journalReserve(measured.length);
    }
    const sequence = this.#write(measured, answer);
    await this.whenDurable(sequence, durability);
    return sequence;
  }

  /** Fills in what journalReserve gave, or throws what it refused with. */
  #write(measured: MeasuredEvent, answer: number): bigint {
    if (answer < 0 && answer >= STATUS_TIMED_OUT) throw this.#errorOf(answer, measured.length);
    const at = answer >>> 0;
    const { view } = this.#arena;
    writeNewEvent(measured, this.#nowNs(), this.#bytes, view, at);
    const sequence = view.getBigUint64(at + ENTRY_SEQUENCE_OFFSET, true);
    this.#wasm.journalCommit(at);
    this.#wasm.journalPublish();
    return sequence;
  }

  /**
   * One request for all that this thread appends in one turn of its event loop: a flush that the first of 64 writers started would go off with that one,
   * and the other 63 would pay for a second. setImmediate, not queueMicrotask: it also comes behind the callbacks of other sockets that are ready now, and
   * behind continuations that are deeper than the first. In an idle thread it comes at once.
   */
  #wantDurableSoon(sequence: bigint): void {
    this.#wantedSequence = sequence;
    this.#wantedCount += 1;
    if (this.#wantedCount === GROUP_MAX) this.#request();
    else if (this.#wantedCount === 1) setImmediate(this.#request);
  }

  readonly #request = (): void => {
    if (this.#wantedCount === 0) return;
    this.#wantedCount = 0;
    this.wantDurable(this.#wantedSequence);
  };

  /** Starts a flush up to this sequence, and returns. */
  wantDurable(sequence: bigint): void {
    this.#control.raiseLong(L.LOG_SYNC_WANTED_SEQUENCE_OFFSET, sequence);
    this.#wasm.journalSyncRequest();
  }

  /**
   * Resolves once everything up to this sequence is as durable as asked.
   * @throws CausewayError JOURNAL_POISONED when a flush failed, JOURNAL_CLOSED when the journal was closed before.
   */
  async whenDurable(sequence: bigint, durability: Durability): Promise<void> {
    const offset = this.#positionOffset(durability);
    if (offset === undefined || this.#control.loadLong(offset) >= sequence) return;
    if (offset === L.LOG_DURABLE_SEQUENCE_OFFSET) this.#wantDurableSoon(sequence);
    await new Promise<void>((resolve, reject) => {
      this.#pending.push({ sequence, offset, resolve, reject });
      if (!this.#isWatching) void this.#watch();
    });
  }

  /** The position that must have reached the sequence; undefined: nothing to wait for. */
  #positionOffset(durability: Durability): number | undefined {
    if (durability === 'memory') return undefined;
    if (durability !== 'process') return L.LOG_DURABLE_SEQUENCE_OFFSET;
    return this.#plan.mapped ? undefined : L.LOG_WRITTEN_SEQUENCE_OFFSET;
  }

  /** One wait for all that are pending in this thread. */
  async #watch(): Promise<void> {
    this.#isWatching = true;
    while (this.#pending.length > 0) {
      const control = this.#control;
      // Pairs with the notification in JournalSync: it stores the positions, then counts; we read the count, then look at the positions.
      const seen = control.load(L.LOG_DURABLE_NOTIFY_OFFSET);
      const failure = this.#failure();
      const waiting: Pending[] = [];
      for (const pending of this.#pending) {
        if (control.loadLong(pending.offset) >= pending.sequence) pending.resolve();
        else if (failure !== undefined) pending.reject(failure);
        else waiting.push(pending);
      }
      this.#pending = waiting;
      if (waiting.length > 0) await control.waitAsync(L.LOG_DURABLE_NOTIFY_OFFSET, seen, WAIT_MS_MAX);
    }
    this.#isWatching = false;
  }

  #waitSync(sequence: bigint): void {
    const control = this.#control;
    while (true) {
      const seen = control.load(L.LOG_DURABLE_NOTIFY_OFFSET);
      const failure = this.#failure();
      if (control.loadLong(L.LOG_DURABLE_SEQUENCE_OFFSET) >= sequence) return;
      if (failure !== undefined) throw failure;
      this.#help?.();
      control.wait(L.LOG_DURABLE_NOTIFY_OFFSET, seen, this.#help === undefined ? WAIT_MS_MAX : 0);
    }
  }

  /** Why nothing will become durable any more. */
  #failure(): CausewayError | undefined {
    const { state } = this.#control;
    if (state === L.LOG_STATE_POISONED) return this.#errorOf(STATUS_POISONED, 0);
    return state === L.LOG_STATE_CLOSED ? this.#errorOf(STATUS_CLOSED, 0) : undefined;
  }

  /** Waits for the sync worker to prepare the next segment. */
  #reserveLater(length: number): number {
    const deadline = Date.now() + this.#rotationTimeoutMs;
    while (Date.now() < deadline) {
      this.#help?.();
      const answer = this.#wasm.journalReserve(length);
      if (answer !== STATUS_ROTATING) return answer;
      if (this.#help === undefined) {
        const active = this.#control.activeSegment;
        this.#control.wait(L.LOG_ACTIVE_SEGMENT_OFFSET, active, ROTATION_POLL_MS);
      }
    }
    return STATUS_ROTATING;
  }

  #errorOf(status: number, length: number): CausewayError {
    const journal = `journal ${this.#plan.directory ?? '(ephemeral)'}`;
    const errno = this.#control.load(L.LOG_ERRNO_OFFSET);
    const why = errno === 0 ? '' : `: ${errorName(errno)}`;
    switch (status) {
      case STATUS_TOO_LONG:
        return new CausewayError(
          'RECORD_TOO_LONG',
          `event: length=${length}, segmentLength=${this.#plan.segmentLength}`,
        );
      case STATUS_POISONED:
        return new CausewayError('JOURNAL_POISONED', `${journal} takes nothing any more: a flush failed${why}`, {
          hint: 'Check the disk, then open the journal again: recovery reads what is really there.',
        });
      case STATUS_CLOSED:
        return new CausewayError('JOURNAL_CLOSED', `${journal} is closed`);
      case STATUS_FULL:
        return new CausewayError('JOURNAL_FULL', `${journal} has no room for the next segment${why}`, {
          hint: 'It goes on by itself when there is room again.',
        });
      default:
        return new CausewayError(
          'JOURNAL_FULL',
          `${journal}: no segment was ready for ${this.#rotationTimeoutMs} ms${why}`,
          { hint: 'The disk is too slow, a reader holds a window, or the sync worker is not running.' },
        );
    }
  }

  /** CLOCK_REALTIME in ns, from the steady clock and their distance, which is looked at once a second. */
  #nowNs(): bigint {
    const now = process.hrtime.bigint();
    if (this.#clockReadNs === 0n || now - this.#clockReadNs > CLOCK_REFRESH_NS) {
      this.#clockOffsetNs = clockOffsetNs();
      this.#clockReadNs = now;
    }
    return now + this.#clockOffsetNs;
  }
}
