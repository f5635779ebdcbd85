// Counters of the sources that read events themselves (inotify, fanotify) in memory that host and reader share, so that the host can tell them at any time, and a reader that replaces a
// dead one knows that it does, and goes on with the lane's numbers.

/** Indexes into a BigUint64Array. */
const READERS = 0;
const LANE_SEQUENCE = 1;
const OVERFLOWS = 2;
const WATCHES_FAILED = 3;
const WATCHES = 4;
const MALFORMED = 5;
const FILTERED = 6;
const COUNT = 7;

export class SharedCounters {
  readonly buffer: SharedArrayBuffer;
  readonly #words: BigUint64Array<SharedArrayBuffer>;

  constructor(buffer = new SharedArrayBuffer(COUNT * 8)) {
    this.buffer = buffer;
    this.#words = new BigUint64Array(buffer);
  }

  /** How many readers there were before this one. */
  countReader(): number {
    return Number(Atomics.add(this.#words, READERS, 1n));
  }

  nextLaneSequence(): bigint {
    return Atomics.add(this.#words, LANE_SEQUENCE, 1n) + 1n;
  }

  countOverflow(): void {
    Atomics.add(this.#words, OVERFLOWS, 1n);
  }

  countFailedWatch(): void {
    Atomics.add(this.#words, WATCHES_FAILED, 1n);
  }

  countMalformed(count: number): void {
    Atomics.add(this.#words, MALFORMED, BigInt(count));
  }

  /** Events that nobody asked for: of other places, or other processes. */
  countFiltered(count: number): void {
    Atomics.add(this.#words, FILTERED, BigInt(count));
  }

  setWatches(count: number): void {
    Atomics.store(this.#words, WATCHES, BigInt(count));
  }

  get produced(): bigint {
    return Atomics.load(this.#words, LANE_SEQUENCE);
  }

  get overflows(): bigint {
    return Atomics.load(this.#words, OVERFLOWS);
  }

  get failedWatches(): bigint {
    return Atomics.load(this.#words, WATCHES_FAILED);
  }

  get malformed(): bigint {
    return Atomics.load(this.#words, MALFORMED);
  }

  get filtered(): bigint {
    return Atomics.load(this.#words, FILTERED);
  }

  get watches(): number {
    return Number(Atomics.load(this.#words, WATCHES));
  }
}
