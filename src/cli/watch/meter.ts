// The counters below the table and in the summary: from the engine's own statistics, never from what was displayed.

import type { Engine } from '../../engine/engine.ts';
import type { EngineStats } from '../../engine/types.ts';
import type { Counters, LatencyFigures } from './table.ts';

const SAMPLE_MS = 500;
const SAMPLES_PER_SECOND = 1000 / SAMPLE_MS;
const HISTORY_MAX = 60;

const NO_LATENCY: LatencyFigures = { count: 0, p50Ns: 0, p99Ns: 0, maxNs: 0 };

export class Meter {
  readonly #engine: Engine;
  readonly #startedMs = performance.now();
  readonly #seen: bigint[] = [];
  readonly #history: number[] = [];
  readonly #timer: NodeJS.Timeout;
  #stats: EngineStats;
  #lostUnknown = false;
  #samples = 0;
  #lastSecondSeen = 0n;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#stats = engine.stats();
    this.#timer = setInterval(() => this.#count(), SAMPLE_MS);
    this.#timer.unref();
  }

  get stats(): EngineStats {
    return this.#stats;
  }

  get seconds(): number {
    return (performance.now() - this.#startedMs) / 1000;
  }

  /** A gap whose size nobody knows went by. */
  noteUnknownLoss(): void {
    this.#lostUnknown = true;
  }

  get anyLoss(): boolean {
    return this.#lostUnknown || this.#stats.ingest.lost > 0n || this.#stats.ingest.gaps > 0n;
  }

  counters(): Counters {
    const { ingest } = this.#stats;
    const [oldest = 0n] = this.#seen;
    const newest = this.#seen.at(-1) ?? 0n;
    const spans = Math.max(1, this.#seen.length - 1);
    return {
      seen: ingest.delivered,
      perSecond: (Number(newest - oldest) / spans) * SAMPLES_PER_SECOND,
      lost: ingest.lost,
      lostUnknown: this.#lostUnknown,
      bytes: ingest.bytes,
      seconds: this.seconds,
      ...this.latency(),
      history: this.#history,
    };
  }

  /** From the kernel's hand-over to wasm. A recording was handed over when it was made: there is nothing to measure. */
  latency(): { latency: LatencyFigures; latencySpinning: LatencyFigures } {
    const { latency, source } = this.#stats;
    if (source.kind === 'trace') return { latency: NO_LATENCY, latencySpinning: NO_LATENCY };
    return { latency: capped(latency.all), latencySpinning: capped(latency.spinning) };
  }

  /** Takes the last figures, when the engine has been closed: the source has counted for the last time before. */
  finish(): void {
    clearInterval(this.#timer);
    const { source } = this.#stats;
    this.#stats = { ...this.#engine.stats(), source };
  }

  /** Reads the engine's figures now. */
  sample(): void {
    this.#stats = this.#engine.stats();
  }

  #count(): void {
    this.sample();
    const { delivered } = this.#stats.ingest;
    this.#seen.push(delivered);
    // Two seconds are averaged: enough to be readable, short enough to follow.
    if (this.#seen.length > 2 * SAMPLES_PER_SECOND + 1) this.#seen.shift();
    if (++this.#samples % SAMPLES_PER_SECOND === 0) {
      this.#history.push(Number(delivered - this.#lastSecondSeen));
      this.#lastSecondSeen = delivered;
      if (this.#history.length > HISTORY_MAX) this.#history.shift();
    }
  }
}

/** A percentile is the upper edge of a histogram's bucket, and may lie above the greatest value that was measured. */
function capped(figures: LatencyFigures): LatencyFigures {
  const { count, p50Ns, p99Ns, maxNs } = figures;
  return { count, p50Ns: Math.min(p50Ns, maxNs), p99Ns: Math.min(p99Ns, maxNs), maxNs };
}
