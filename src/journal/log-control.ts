// The journal's control block (layout/log.ts) from JavaScript: every word by name, by atomics only.

import { ARENA_LOG_OFFSET } from '../../layout/arena.ts';
import * as L from '../../layout/log.ts';
import type { Arena } from '../arena/arena.ts';

/** Segment and state of a window, read at once. */
export interface WindowPair {
  segment: number;
  state: number;
}

const STATE_SHIFT = 32n;
const U32_MASK = 0xffffffffn;

export class LogControl {
  readonly arena: Arena;
  readonly #words: Int32Array;
  readonly #longs: BigUint64Array;

  constructor(arena: Arena) {
    this.arena = arena;
    this.#words = arena.i32;
    this.#longs = arena.u64;
  }

  /** u32 at an offset of the control block. */
  load(offset: number): number {
    return Atomics.load(this.#words, (ARENA_LOG_OFFSET + offset) >> 2) >>> 0;
  }

  store(offset: number, value: number): void {
    Atomics.store(this.#words, (ARENA_LOG_OFFSET + offset) >> 2, value | 0);
  }

  add(offset: number, value: number): number {
    return Atomics.add(this.#words, (ARENA_LOG_OFFSET + offset) >> 2, value) >>> 0;
  }

  /** True if the word was `expected` and is `value` now. */
  exchange(offset: number, expected: number, value: number): boolean {
    const found = Atomics.compareExchange(this.#words, (ARENA_LOG_OFFSET + offset) >> 2, expected | 0, value | 0);
    return found >>> 0 === expected;
  }

  loadLong(offset: number): bigint {
    return Atomics.load(this.#longs, (ARENA_LOG_OFFSET + offset) >> 3);
  }

  storeLong(offset: number, value: bigint): void {
    Atomics.store(this.#longs, (ARENA_LOG_OFFSET + offset) >> 3, value);
  }

  /** Raises a u64 that only ever grows, whoever else does so at the same time. */
  raiseLong(offset: number, value: bigint): void {
    const index = (ARENA_LOG_OFFSET + offset) >> 3;
    let found = Atomics.load(this.#longs, index);
    while (found < value) {
      const before = Atomics.compareExchange(this.#longs, index, found, value);
      if (before === found) return;
      found = before;
    }
  }

  notify(offset: number): void {
    this.add(offset, 1);
    Atomics.notify(this.#words, (ARENA_LOG_OFFSET + offset) >> 2);
  }

  /** Blocks this thread until the word is no longer `value`, at most timeoutMs. */
  wait(offset: number, value: number, timeoutMs: number): void {
    Atomics.wait(this.#words, (ARENA_LOG_OFFSET + offset) >> 2, value | 0, timeoutMs);
  }

  /** Resolves when the word is no longer `value`, or after timeoutMs. */
  async waitAsync(offset: number, value: number, timeoutMs: number): Promise<void> {
    const answer = Atomics.waitAsync(this.#words, (ARENA_LOG_OFFSET + offset) >> 2, value | 0, timeoutMs);
    if (answer.async) await answer.value;
  }

  get segmentLength(): number {
    return this.load(L.LOG_SEGMENT_LENGTH_OFFSET);
  }

  get activeSegment(): number {
    return this.load(L.LOG_ACTIVE_SEGMENT_OFFSET);
  }

  get state(): number {
    return this.load(L.LOG_STATE_OFFSET);
  }

  /** Offset of the window's control that segment number n lies in, when it lies in one. */
  windowOf(segment: number): number {
    return L.LOG_WINDOW_OFFSET + (segment % L.LOG_WINDOWS) * L.LOG_WINDOW_LENGTH;
  }

  pair(window: number): WindowPair {
    const pair = this.loadLong(window + L.LOG_WINDOW_SEGMENT_OFFSET);
    return { segment: Number(pair & U32_MASK), state: Number(pair >> STATE_SHIFT) };
  }

  storePair(window: number, segment: number, state: number): void {
    this.storeLong(window + L.LOG_WINDOW_SEGMENT_OFFSET, (BigInt(state) << STATE_SHIFT) | BigInt(segment));
  }

  /** True while the segment's committed entries can be read in its window. */
  isOpen(segment: number): boolean {
    const pair = this.pair(this.windowOf(segment));
    return pair.segment === segment && pair.state === L.LOG_WINDOW_STATE_OPEN;
  }

  windowAddress(segment: number): number {
    return this.load(this.windowOf(segment) + L.LOG_WINDOW_ADDRESS_OFFSET);
  }

  windowFirstSequence(segment: number): bigint {
    return this.loadLong(this.windowOf(segment) + L.LOG_WINDOW_FIRST_SEQUENCE_OFFSET);
  }

  /** Some reader of this process is inside the segment's window. */
  hasReaderInside(segment: number): boolean {
    for (let slot = 0; slot < L.LOG_READERS_MAX; slot++) {
      if (this.load(readerSlot(slot) + L.LOG_READER_INSIDE_OFFSET) === segment + 1) return true;
    }
    return false;
  }

  /** Lowest segment that a reader of this process still needs; `otherwise` if there is no reader behind it. */
  lowestNeeded(otherwise: number): number {
    let lowest = otherwise;
    for (let slot = 0; slot < L.LOG_READERS_MAX; slot++) {
      const at = readerSlot(slot);
      if (this.load(at + L.LOG_READER_OWNER_OFFSET) === 0) continue;
      lowest = Math.min(lowest, this.load(at + L.LOG_READER_NEEDED_OFFSET));
    }
    return lowest;
  }
}

/** Offset of a reader's slot in the control block. */
export function readerSlot(slot: number): number {
  return L.LOG_READERS_OFFSET + slot * L.LOG_READER_LENGTH;
}
