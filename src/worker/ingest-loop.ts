// The ingest worker's life: work, wait, answer control calls - and the barrier behind engine.sync().

import { setImmediate as nextTurn } from 'node:timers/promises';
import { build, type Histogram } from 'hdr-histogram-js';
import { ARENA_LOG_OFFSET } from '../../layout/arena.ts';
import { LOG_COMMIT_NOTIFY_OFFSET, LOG_SYNC_WANTED_SEQUENCE_OFFSET } from '../../layout/log.ts';
import type { Arena } from '../arena/arena.ts';
import { clockOffsetNs } from '../arena/native.ts';
import type { Wasm } from '../arena/wasm.ts';
import { AdaptiveIdle, type IdleStrategy, SpinIdle } from '../base/idle.ts';
import type { SourceReader } from '../source/source.ts';
import type { IngestControl, IngestData, LatencyStats } from './control.ts';
import type { IngestAgent } from './ingest-agent.ts';

/** How long control calls may have to wait while there is work. */
const BREATH_NS = 5_000_000n;
/** Turns without work before the thread sleeps: about a fifth of a millisecond of spinning (a turn spins inside wasm). */
const SPINS = 300;
/** A sleeping worker looks around this often although nobody woke it: for the last gaps, and the wall clock. */
const PARK_MS = 250;
/** The wall clock may be set: the offset is measured again this often. */
const CLOCK_CHECK_NS = 1_000_000_000n;
/** Below this the offset is kept, so that times within a burst stay comparable to the nanosecond. */
const CLOCK_STEP_NS = 1_000_000n;

interface Barrier {
  /** undefined until the source has put everything that had happened into its ring. */
  mark: bigint | undefined;
  resolve: () => void;
}

export class IngestLoop implements IngestControl {
  readonly #arena: Arena;
  readonly #wasm: Wasm;
  readonly #data: IngestData;
  readonly #reader: SourceReader;
  readonly #agent: IngestAgent;
  readonly #latency: { all: Histogram; spinning: Histogram };
  readonly #idle: IdleStrategy;
  #barriers: Barrier[] = [];
  #clockOffset = clockOffsetNs();
  #clockCheckedNs = 0n;
  #breathedNs = 0n;
  #isStopping = false;
  #mustBreathe = false;
  readonly #stopped = deferred();
  readonly #finished = deferred();
  readonly #onFailure: (error: unknown) => void;

  constructor(options: {
    arena: Arena;
    wasm: Wasm;
    data: IngestData;
    reader: SourceReader;
    agent: IngestAgent;
    latency: { all: Histogram; spinning: Histogram };
    /** The loop has died. */
    onFailure: (error: unknown) => void;
  }) {
    this.#arena = options.arena;
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
    this.#barriers.push({ mark: undefined, resolve: barrier.resolve });
    return barrier.promise;
  }

  finished(): Promise<void> {
    return this.#finished.promise;
  }

  latency(): { all: LatencyStats; spinning: LatencyStats } {
    return { all: statsOf(this.#latency.all), spinning: statsOf(this.#latency.spinning) };
  }

  async stop(): Promise<void> {
    await this.sync();
    this.#isStopping = true;
    await this.#stopped.promise;
    this.#reader.close();
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      const count = this.#agent.doWork();
      if (count > 0 && this.#data.flush) this.#requestFlush();
      if (count === 0) this.#whenEmpty();
      this.#idle.idle(count);
      await this.#breathe();
    }
  }

  /** Nothing in the ring just now: the moment for whatever is only certain then. */
  #whenEmpty(): void {
    if (this.#barriers.length > 0) this.#passBarriers();
    if (this.#reader.finished) {
      this.#agent.writeLosses();
      if (!this.#agent.hasPendingLosses) this.#finished.resolve();
    }
  }

  #passBarriers(): void {
    // doWork() has just polled and found nothing more: all that had happened before the barriers came is in the ring, or through it already.
    for (const barrier of this.#barriers) barrier.mark ??= this.#reader.mark();
    this.#agent.writeLosses();
    if (this.#agent.hasPendingLosses) return;
    const isReached = (barrier: Barrier) => barrier.mark !== undefined && this.#agent.position >= barrier.mark;
    if (!this.#barriers.some(isReached)) return;
    this.#agent.reconcile();
    for (const barrier of this.#barriers.filter(isReached)) barrier.resolve();
    this.#barriers = this.#barriers.filter((barrier) => !isReached(barrier));
  }

  #park(): void {
    this.#agent.parked();
    this.#mustBreathe = true;
    // A barrier is waiting for a record that the kernel is just writing: no sleep, it comes at once.
    if (this.#barriers.length > 0 || this.#isStopping) return;
    this.#agent.writeLosses();
    this.#agent.reconcile();
    this.#reader.wait(PARK_MS);
  }

  /** Lets control calls in: after a sleep, and every few milliseconds under load. */
  async #breathe(): Promise<void> {
    const now = process.hrtime.bigint();
    if (!this.#mustBreathe && now - this.#breathedNs < BREATH_NS) return;
    this.#mustBreathe = false;
    if (now - this.#clockCheckedNs >= CLOCK_CHECK_NS) this.#checkClock(now);
    await nextTurn();
    this.#breathedNs = process.hrtime.bigint();
  }

  #checkClock(now: bigint): void {
    this.#clockCheckedNs = now;
    const recorded = this.#data.source.details.clockOffsetNs;
    const measured = typeof recorded === 'bigint' ? recorded : clockOffsetNs();
    const step = measured - this.#clockOffset;
    if (step < CLOCK_STEP_NS && step > -CLOCK_STEP_NS) return;
    this.#clockOffset = measured;
    this.#agent.setClockOffset(measured);
  }

  /** Everything claimed so far shall be durable: the sync worker flushes it in a group with whatever else waits. */
  #requestFlush(): void {
    const wanted = (ARENA_LOG_OFFSET + LOG_SYNC_WANTED_SEQUENCE_OFFSET) / 8;
    // All ones: "whatever is committed when you look". The sync worker lowers it again.
    Atomics.store(this.#arena.u64, wanted, 2n ** 64n - 1n);
    this.#wasm.journalSyncRequest();
    void LOG_COMMIT_NOTIFY_OFFSET;
  }
}

export function newHistogram(): Histogram {
  return build({ bitBucketSize: 32, autoResize: true, lowestDiscernibleValue: 1, highestTrackableValue: 2 ** 32, numberOfSignificantValueDigits: 2 });
}

function statsOf(histogram: Histogram): LatencyStats {
  const count = histogram.totalCount;
  const at = (percentile: number) => (count === 0 ? 0 : histogram.getValueAtPercentile(percentile));
  return { count, p50Ns: at(50), p99Ns: at(99), p999Ns: at(99.9), maxNs: count === 0 ? 0 : histogram.maxValue };
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
