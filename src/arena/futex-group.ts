// Sleepers of one event loop in shared arenas. A futex is waited for by a thread, and the only ones that Node offers are those of libuv's pool: 4 in all,
// which files and name look-ups need as well. So all sleepers of a JavaScript thread share one of them: it waits for their words, and for a doorbell that is
// rung when one more comes, by futex_waitv(2).
//
// Nobody misses a wake-up:
//   1. The sleepers are looked at: those whose word has changed are woken here.
//   2. The kernel sleeps only if all words are as expected, and the doorbell as it was when the list was made; a change that comes later finds the list.
//   3. futex_waitv names one word of those that were woken: the others have changed, and are found by step 1.
// Deadlines end the sleep. So no word stays in a list of the kernel when nobody waits for it any more, and takes no wake-up away from others.
//
// Before Linux 5.16 (or where a sandbox forbids the call) a single sleeper waits by FUTEX_WAIT in short slices, and several look at their words now and then.

import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { errnoName, type FutexAnswer, type Native } from './native.ts';

/** struct futex_waitv (linux/futex.h): u64 value, u64 address, u32 flags, u32 reserved. */
const WAITER_LENGTH = 24;
const WAITER_ADDRESS_OFFSET = 8;
const WAITER_FLAGS_OFFSET = 16;
/** linux/futex.h: FUTEX_WAITV_MAX. */
const WAITERS_MAX = 128;
const FUTEX_32 = 2;
const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;
/** A system call cannot be interrupted by worker.terminate() or process.exit(): nobody sleeps in one for longer. */
export const FUTEX_SLICE_MS = 200;
/** The same where the doorbell is missing: so long one more sleeper may go unseen. */
const SLICE_WITHOUT_DOORBELL_MS = 10;
const LOOK_MS = 2;
/** What ends a sleep as it should. */
const EXPECTED_ERRNOS = new Set(['EAGAIN', 'ETIMEDOUT', 'EINTR']);

export interface FutexWord {
  /** The memory it lies in, which is kept. */
  readonly i32: Int32Array<SharedArrayBuffer>;
  /** The four bytes. */
  readonly bytes: Uint8Array;
  readonly index: number;
  readonly expected: number;
}

interface Sleeper extends FutexWord {
  readonly address: bigint;
  /** performance.now() */
  readonly end: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class FutexGroup {
  readonly #native: Native;
  readonly #isMany: boolean;
  readonly #sleepers = new Set<Sleeper>();
  readonly #doorbell = new Int32Array(new SharedArrayBuffer(4));
  readonly #doorbellBytes = new Uint8Array(this.#doorbell.buffer);
  #isRunning = false;
  #isAsleep = false;

  /** @param isMany Whether the kernel waits for several words at once. */
  constructor(native: Native, isMany = native.hasFutexWaitv()) {
    this.#native = native;
    this.#isMany = isMany;
  }

  /** Resolves when the word was woken or is another, or the time is over. */
  sleep(word: FutexWord, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const address = this.#native.addressOf(word.bytes);
      this.#sleepers.add({ ...word, address, end: performance.now() + timeoutMs, resolve, reject });
      if (!this.#isRunning) void this.#run();
      else if (this.#isAsleep) this.#ring();
    });
  }

  #ring(): void {
    Atomics.add(this.#doorbell, 0, 1);
    this.#native.futex(this.#doorbellBytes, FUTEX_WAKE, 1, null);
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    try {
      while (this.#wakeDue() > 0) {
        await this.#waitOnce();
        // Who is woken often sleeps again at once: with its turn first, it need not ring.
        if (this.#wakeDue() > 0) await turn();
      }
    } catch (error) {
      for (const sleeper of this.#sleepers) sleeper.reject(error as Error);
      this.#sleepers.clear();
    } finally {
      this.#isRunning = false;
    }
  }

  /** Ends the sleep of those whose word or time has come: how many are left. */
  #wakeDue(): number {
    const now = performance.now();
    for (const sleeper of this.#sleepers) {
      if (now >= sleeper.end || Atomics.load(sleeper.i32, sleeper.index) !== sleeper.expected) this.#wake(sleeper);
    }
    return this.#sleepers.size;
  }

  #wake(sleeper: Sleeper): void {
    this.#sleepers.delete(sleeper);
    sleeper.resolve();
  }

  async #waitOnce(): Promise<void> {
    const sleepers = [...this.#sleepers].slice(0, WAITERS_MAX - 1);
    const isComplete = this.#isMany && sleepers.length === this.#sleepers.size;
    const sliceMs = this.#sliceMs(isComplete ? FUTEX_SLICE_MS : SLICE_WITHOUT_DOORBELL_MS);
    if (!this.#isMany && sleepers.length > 1) {
      await delay(Math.min(sliceMs, LOOK_MS));
      return;
    }
    this.#isAsleep = this.#isMany;
    const answer = await (this.#isMany ? this.#waitForMany(sleepers, sliceMs) : this.#waitForOne(sleepers, sliceMs));
    this.#isAsleep = false;
    if (answer.value < 0 && !EXPECTED_ERRNOS.has(errnoName(answer.errno))) {
      throw new Error(`futex: ${errnoName(answer.errno)} (${answer.errno}): sleepers=${sleepers.length}`);
    }
    const woken = sleepers[answer.value];
    if (woken !== undefined) this.#wake(woken);
  }

  /** Until the next deadline, at most so long. */
  #sliceMs(sliceMsMax: number): number {
    let end = performance.now() + sliceMsMax;
    for (const sleeper of this.#sleepers) end = Math.min(end, sleeper.end);
    return Math.max(0, end - performance.now());
  }

  /** The answer's value is the index among the sleepers; -1 is the doorbell as well. */
  async #waitForMany(sleepers: readonly Sleeper[], sliceMs: number): Promise<FutexAnswer> {
    const waiters = Buffer.alloc((sleepers.length + 1) * WAITER_LENGTH);
    for (const [row, { expected, address }] of sleepers.entries()) encodeWaiter(waiters, row, expected, address);
    const doorbell = this.#native.addressOf(this.#doorbellBytes);
    // All who sleep now are in the list, and who comes from here on rings.
    encodeWaiter(waiters, sleepers.length, Atomics.load(this.#doorbell, 0), doorbell);
    const end = process.hrtime.bigint() + BigInt(Math.ceil(sliceMs * 1e6));
    return this.#native.futexWaitv(waiters, sleepers.length + 1, timespecOf(end));
  }

  async #waitForOne([sleeper]: readonly Sleeper[], sliceMs: number): Promise<FutexAnswer> {
    if (sleeper === undefined) return { value: -1, errno: 0 };
    const timeout = timespecOf(BigInt(Math.ceil(sliceMs * 1e6)));
    return this.#native.futexAsync(sleeper.bytes, FUTEX_WAIT, sleeper.expected >>> 0, timeout);
  }
}

function encodeWaiter(waiters: Buffer, row: number, expected: number, address: bigint): void {
  const at = row * WAITER_LENGTH;
  waiters.writeBigUInt64LE(BigInt(expected >>> 0), at);
  waiters.writeBigUInt64LE(address, at + WAITER_ADDRESS_OFFSET);
  waiters.writeUInt32LE(FUTEX_32, at + WAITER_FLAGS_OFFSET);
}

/** struct timespec */
export function timespecOf(ns: bigint): Uint8Array {
  const timespec = Buffer.alloc(16);
  timespec.writeBigInt64LE(ns / 1_000_000_000n, 0);
  timespec.writeBigInt64LE(ns % 1_000_000_000n, 8);
  return timespec;
}
