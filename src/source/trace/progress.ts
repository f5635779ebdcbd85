// How far a replay has come, in memory that host and reader share: a replacement reader goes on from there.

export class TraceProgress {
  readonly buffer: SharedArrayBuffer;
  readonly #words: BigUint64Array<SharedArrayBuffer>;

  constructor(buffer = new SharedArrayBuffer(8)) {
    this.buffer = buffer;
    this.#words = new BigUint64Array(buffer);
  }

  /** File offset of the first frame that was not handed over; 0 = nothing was read yet. */
  get offset(): number {
    return Number(Atomics.load(this.#words, 0));
  }

  set offset(offset: number) {
    Atomics.store(this.#words, 0, BigInt(offset));
  }
}
