// The ingest worker's life: work, wait, answer control calls - and the barrier behind engine.sync().

import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  LOG_SYNC_WANTED_SEQUENCE_OFFSET,
  LOG_WINDOW_CLAIM_OFFSET,
  LOG_WINDOW_END_SEQUENCE_OFFSET,
  LOG_WINDOW_FIRST_SEQUENCE_OFFSET,
} from '../../layout/log.ts';
import type { Arena } from '../arena/arena.ts';
import { clockOffsetNs } from '../arena/native.ts';
import type { Wasm } from '../arena/wasm.ts';
import { AdaptiveIdle, type IdleStrategy, SpinIdle } from '../base/idle.ts';
import { LogControl } from '../journal/log-control.ts';
import type { SourceReader } from '../source/source.ts';
import type { IngestControl, IngestData } from './control.ts';
import type { IngestAgent } from './ingest-agent.ts';
import type { LatencyRecorder } from './latency.ts';

/** How long control calls may have to wait while there is work. */
const BREATH_MS = 5;
/** Turns without work before the thread sleeps: about a fifth of a millisecond of spinning (a turn spins inside wasm). */
const SPINS = 300;
/** A sleeping worker looks around this often although nobody woke it: for the last gaps, and the wall clock. */
const PARK_MS = 250;
/** The same with records in the ring that the journal has no room for yet. */
const STALLED_MS = 1;
/** The wall clock may be set: the offset is measured again this often. */
const CLOCK_CHECK_MS = 1000;
/** Below this the offset is kept, so that times within a burst stay comparable to the nanosecond. */
const CLOCK_STEP_NS = 1_000_000n;

interface Barrier {
  /** undefined until the source has put everything that had happened into its ring. */
  mark: bigint | undefined;
  /** What the source had when the barrier came, where the source says so. */
  targets: readonly bigint[] | undefined;
  resolve: () => void;
}

export class IngestLoop implements IngestControl {
  readonly #log: LogControl;
  readonly #wasm: Wasm;
  readonly #data: IngestData;
  readonly #reader: SourceReader;
  readonly #agent: IngestAgent;
  readonly #latency: LatencyRecorder;
  readonly #idle: IdleStrategy;
  #barriers: Barrier[] = [];
  #clockOffset = clockOffsetNs();
  #clockCheckedMs = 0;
  #breathedMs = 0;
  #isStopping = false;
  #mustBreathe = false;
  #hasAppended = false;
  readonly #stopped = deferred();
  readonly #finished = deferred();
  readonly #onFailure: (error: unknown) => void;

  constructor(options: {
    arena: Arena;
    wasm: Wasm;
    data: IngestData;
    reader: SourceReader;
    agent: IngestAgent;
    latency: LatencyRecorder;
    /** The loop has died. */
    onFailure: (error: unknown) => void;
  }) {
    this.#log = new LogControl(options.arena);
    this.#wasm = options.wasm;
    this.#data = options.data;
    this.#reader = options.reader;
    this.#agent = options.agent;
    this.#latency = options.latency;
    this.#onFailure = options.onFailure;
    this.#idle =
      options.data.idle === 'spin'
        ? new SpinIdle()
        : new AdaptiveIdle({ spins: SPINS, yields: 0, yield: () => {}, park: () => this.#park() });
  }

  start(): void {
    this.#run().then(this.#stopped.resolve, this.#onFailure);
  }

  sync(): Promise<void> {
    const barrier = deferred();
    this.#barriers.push({ mark: undefined, targets: this.#reader.targets?.(), resolve: barrier.resolve });
    return barrier.promise;
  }

  finished(): Promise<void> {
    return this.#finished.promise;
  }

  async stop(): Promise<void> {
    await this.sync();
    this.#isStopping = true;
    await this.#stopped.promise;
    this.#reader.close();
  }

  async #run(): Promise<void> {
    // The answer to start() leaves before the thread blocks for the first time.
    await nextTurn();
    while (!this.#isStopping) {
      const count = this.#agent.doWork();
      if (count > 0) this.#hasAppended = true;
      if (count > 0 && this.#data.flush) this.#requestFlush();
      // A barrier that was passed is work: whoever waited for it goes on before this thread sleeps.
      const passed = count === 0 ? this.#whenEmpty() : this.#whenBusy();
      if (passed) this.#mustBreathe = true;
      this.#idle.idle(passed ? 1 : count);
      // Only when it is due: a promise for each turn would be garbage for each event.
      const now = performance.now();
      if (this.#mustBreathe || now - this.#breathedMs >= BREATH_MS) await this.#breathe(now);
    }
  }

  /** Nothing in the ring just now: the moment for whatever is only certain then. True when somebody's wait is over. */
  #whenEmpty(): boolean {
    // Not while the next segment of the journal is waited for: then there is nothing to do, and still something in the ring.
    if (this.#reader.finished && this.#agent.position >= this.#reader.mark()) {
      this.#agent.writeLosses();
      if (!this.#agent.hasPendingLosses) this.#finished.resolve();
    }
    return this.#barriers.length > 0 && this.#passBarriers();
  }

  /** A source that never pauses keeps nobody waiting if it can say what came before. */
  #whenBusy(): boolean {
    return this.#barriers.length > 0 && this.#reader.targets !== undefined && this.#passBarriers();
  }

  #passBarriers(): boolean {
    // doWork() has just polled and found nothing more: all that had happened before the barriers came is in the ring, or through it already.
    for (const barrier of this.#barriers) barrier.mark ??= this.#markOf(barrier);
    this.#agent.writeLosses();
    if (this.#agent.hasPendingLosses) return false;
    const isReached = (barrier: Barrier) => barrier.mark !== undefined && this.#agent.position >= barrier.mark;
    if (!this.#barriers.some(isReached)) return false;
    this.#agent.reconcile();
    this.#latency.publish(process.hrtime.bigint(), true);
    for (const barrier of this.#barriers.filter(isReached)) barrier.resolve();
    this.#barriers = this.#barriers.filter((barrier) => !isReached(barrier));
    return true;
  }

  #markOf({ targets }: Barrier): bigint | undefined {
    return targets === undefined ? this.#reader.mark() : this.#reader.reached?.(targets);
  }

  #park(): void {
    this.#agent.parked();
    this.#mustBreathe = true;
    // A barrier is waiting for a record that the kernel is just writing: no sleep, it comes at once.
    if (this.#barriers.length > 0 || this.#isStopping) return;
    this.#agent.writeLosses();
    this.#agent.reconcile();
    // The sync worker follows the committed position while there is traffic; now it gets to the end.
    if (this.#hasAppended) this.#wasm.journalSyncRequest();
    this.#hasAppended = false;
    // Nobody wakes us when the journal's next segment is ready.
    this.#reader.wait(this.#agent.hasRecords ? STALLED_MS : PARK_MS);
  }

  /** Lets control calls in: after a sleep, and every few milliseconds under load. */
  async #breathe(now: number): Promise<void> {
    this.#mustBreathe = false;
    if (now - this.#clockCheckedMs >= CLOCK_CHECK_MS) this.#checkClock(now);
    this.#latency.publish(process.hrtime.bigint());
    await nextTurn();
    this.#breathedMs = performance.now();
  }

  #checkClock(now: number): void {
    this.#clockCheckedMs = now;
    const recorded = this.#data.source.details.clockOffsetNs;
    const measured = typeof recorded === 'bigint' ? recorded : clockOffsetNs();
    const step = measured - this.#clockOffset;
    if (step < CLOCK_STEP_NS && step > -CLOCK_STEP_NS) return;
    this.#clockOffset = measured;
    this.#agent.setClockOffset(measured);
  }

  /** Everything that was appended so far shall be durable: the sync worker flushes it in a group with whatever else waits. */
  #requestFlush(): void {
    const control = this.#log;
    const window = control.windowOf(control.activeSegment);
    const claim = control.loadLong(window + LOG_WINDOW_CLAIM_OFFSET);
    const end = control.loadLong(window + LOG_WINDOW_END_SEQUENCE_OFFSET);
    const next = end !== 0n ? end : control.loadLong(window + LOG_WINDOW_FIRST_SEQUENCE_OFFSET) + (claim >> 32n);
    control.raiseLong(LOG_SYNC_WANTED_SEQUENCE_OFFSET, next - 1n);
    this.#wasm.journalSyncRequest();
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
