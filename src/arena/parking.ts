// How threads sleep: on a u32 word of the arena. The sleeper reads the word, looks once more whether there is work, and parks with the value it read;
// the waker does its work, changes the word, and wakes. No wake-up is missed:
//   1. The word changes before the sleeper is asleep: the kernel (or V8) compares it with the expected value under its lock, and the sleeper goes on.
//   2. It changes afterwards: the sleeper is in the list, and the wake that follows finds it.
// A waker that wakes without changing the word may be missed. A sleeper may wake for no reason: look again, always.
//
// In a private arena that is Atomics.wait and notify, the same lists as wasm's memory.atomic.wait32 and notify. V8 keeps those in its process, so in a shared
// arena it is futex(2) on the page of the file, without FUTEX_PRIVATE_FLAG; there, nobody must wait or notify by Atomics or wasm.

import type { Arena } from './arena.ts';
import { FUTEX_SLICE_MS, FutexGroup, timespecOf } from './futex-group.ts';
import { loadNative, type Native } from './native.ts';

const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;
const WAKE_COUNT_MAX = 0x7fffffff;
const TIMER_MS_MAX = 0x7fffffff;

let group: FutexGroup | undefined;

/** Blocks this thread until it is woken, the word at `wordAddress` is not `expected`, or timeoutMs (Infinity = no limit) have passed. */
export function park(arena: Arena, wordAddress: number, expected: number, timeoutMs: number): void {
  if (!arena.isShared) {
    Atomics.wait(arena.i32, wordAddress / 4, expected | 0, timeoutMs);
    return;
  }
  const native = nativeOf();
  const word = arena.slice(wordAddress, 4);
  const end = performance.now() + timeoutMs;
  let leftMs = timeoutMs;
  while (leftMs > 0 && Atomics.load(arena.i32, wordAddress / 4) === (expected | 0)) {
    const timeout = timespecOf(BigInt(Math.ceil(Math.min(leftMs, FUTEX_SLICE_MS) * 1e6)));
    if (native.futex(word, FUTEX_WAIT, expected >>> 0, timeout) === 0) return;
    leftMs = end - performance.now();
  }
}

/**
 * As park(), for a thread with an event loop, which goes on meanwhile. It keeps the process running until it resolves. All sleepers of a thread in shared
 * arenas hold one thread of libuv's pool together (of 4, unless UV_THREADPOOL_SIZE says otherwise).
 */
export function parkAsync(arena: Arena, wordAddress: number, expected: number, timeoutMs: number): Promise<void> {
  if (!arena.isShared) return waitAsync(arena, wordAddress, expected, timeoutMs);
  group ??= new FutexGroup(nativeOf());
  const word = { i32: arena.i32, bytes: arena.slice(wordAddress, 4), index: wordAddress / 4, expected: expected | 0 };
  return group.sleep(word, timeoutMs);
}

/** Wakes up to `count` threads that are parked on the word, in this process and, when the arena is shared, in others: how many. */
export function wake(arena: Arena, wordAddress: number, count = WAKE_COUNT_MAX): number {
  if (!arena.isShared) return Atomics.notify(arena.i32, wordAddress / 4, count);
  return nativeOf().futex(arena.slice(wordAddress, 4), FUTEX_WAKE, Math.min(count, WAKE_COUNT_MAX), null);
}

async function waitAsync(arena: Arena, wordAddress: number, expected: number, timeoutMs: number): Promise<void> {
  const waiting = Atomics.waitAsync(arena.i32, wordAddress / 4, expected | 0, timeoutMs);
  if (!waiting.async) return;
  // V8's promise alone would not keep the process running.
  const timer = setInterval(() => {}, TIMER_MS_MAX);
  try {
    await waiting.value;
  } finally {
    clearInterval(timer);
  }
}

function nativeOf(): Native {
  const native = loadNative();
  // An arena is shared by mapping a file, which needs the same library.
  if (native === undefined) throw new Error('a shared arena without koffi');
  return native;
}
