// A journal on a simulated disk (test/support/fault-file-layer.ts) that lives through power failures, kills and failing calls, beside a model of what it
// promised: `acknowledged` is the highest sequence that was said to be durable, `written` the highest that was said to survive the process.

import { ARENA_LOG_OFFSET } from '../../layout/arena.ts';
import { LOG_DURABLE_SEQUENCE_OFFSET, LOG_WRITTEN_SEQUENCE_OFFSET } from '../../layout/log.ts';
import type { Event, Gap } from '../../src/engine/types.ts';
import { Appender } from '../../src/journal/appender.ts';
import type { FileLayer } from '../../src/journal/file-layer.ts';
import { readIdentity } from '../../src/journal/identity.ts';
import { Journal } from '../../src/journal/journal.ts';
import { LogControl } from '../../src/journal/log-control.ts';
import { JournalReader } from '../../src/journal/reader.ts';
import { Recovery, type RecoveryReport } from '../../src/journal/recovery.ts';
import type { JournalSync } from '../../src/journal/sync.ts';
import { makeArena, readAllOf } from './support.ts';

export type Random = () => number;
export type Item = Event | Gap;

const SEGMENT_LENGTH = 65536;
const CONTROL_LENGTH = 4096;
const { arena, wasm } = makeArena(SEGMENT_LENGTH);
const control = new LogControl(arena);

export const below = (random: Random, end: number): number => Math.floor(random() * end);

export function pick<T>(random: Random, values: readonly T[]): T {
  return values[below(random, values.length)] as T;
}

export class Life {
  readonly directory: string;
  readonly #random: Random;
  readonly #mapped: boolean;
  /** What was appended, by sequence: each path holds a number that is never used again and the payload's sum. */
  readonly #appended = new Map<bigint, string>();
  readonly #holes = new Set<bigint>();
  #count = 0;
  acknowledged = 0n;
  written = 0n;
  journal: Journal | undefined;
  sync: JournalSync | undefined;
  appender: Appender | undefined;
  /** Events that were lost and never promised, over the whole life. */
  lost = 0;
  holes = 0;

  constructor(directory: string, random: Random, mapped = false) {
    this.directory = directory;
    this.#random = random;
    this.#mapped = mapped;
  }

  open(files: FileLayer): void {
    arena.slice(ARENA_LOG_OFFSET, CONTROL_LENGTH).fill(0);
    const { directory } = this;
    const options = { arena, wasm, directory, segmentLength: SEGMENT_LENGTH, files, mapped: this.#mapped };
    const journal = Journal.open(options);
    this.journal = journal;
    const sync = journal.sync();
    this.sync = sync;
    const help = (): number => sync.doWork();
    this.appender = new Appender({ arena, wasm, plan: journal.plan, help, rotationTimeoutMs: 50 });
  }

  /** Looks at what is promised by now. */
  note(): void {
    const durable = control.loadLong(LOG_DURABLE_SEQUENCE_OFFSET);
    const written = control.loadLong(LOG_WRITTEN_SEQUENCE_OFFSET);
    if (durable > this.acknowledged) this.acknowledged = durable;
    if (written > this.written) this.written = written;
  }

  /** Appends one event. @throws what append() throws. */
  append(durability: 'process' | 'group' | 'sync', payloadLength: number): bigint {
    const appender = this.appender as Appender;
    this.#count += 1;
    const payload = Buffer.alloc(payloadLength);
    let sum = this.#count;
    for (let at = 0; at < payloadLength; at++) {
      payload[at] = 1 + below(this.#random, 255);
      sum = (Math.imul(sum, 31) + (payload[at] as number)) >>> 0;
    }
    const path = `/${this.#count}/${sum}`;
    const next = (this.journal as Journal).claimedSequence + 1n;
    // Known before: what an append that throws did is not known.
    this.#appended.set(next, path);
    const sequence = appender.append({ type: 'fs.write', path, payload }, durability === 'sync' ? 'sync' : 'process');
    if (sequence !== next) throw new Error(`sequence=${sequence}, expected ${next}`);
    if (durability === 'group') appender.wantDurable(sequence);
    return sequence;
  }

  /** Its process is gone: nothing is done well any more (its files do nothing by now), only the lock is given back, as the kernel would. */
  abandon(): void {
    try {
      this.sync?.close();
    } catch {}
    try {
      this.journal?.close();
    } catch {}
    this.journal = undefined;
  }

  close(): void {
    this.sync?.close();
    this.journal?.close();
    this.note();
    this.journal = undefined;
  }

  /** What recovery alone makes of the disk. */
  recover(files: FileLayer): { report: RecoveryReport; nextSequence: bigint } {
    const identity = readIdentity(this.directory, files);
    const { directory } = this;
    const wasClosed = identity?.closed ?? false;
    return new Recovery({ directory, files, uuid: identity?.uuid, wasClosed }).run();
  }

  read(files: FileLayer): Item[] {
    // The power failed before it was one.
    if (!files.list(this.directory).some((name) => /^journal\.json$|\.segment$/.test(name))) return [];
    const reader = new JournalReader({ directory: this.directory, files });
    try {
      return readAllOf(reader, 1000);
    } finally {
      reader.close();
    }
  }

  /** In order from 1, each what was appended under its sequence, whole. */
  checkItems(items: readonly Item[]): void {
    for (const [index, item] of items.entries()) {
      const sequence = BigInt(index + 1);
      if (item.sequence !== sequence) throw new Error(`sequence=${item.sequence}, expected ${sequence}`);
      if (item.type === 'gap') continue;
      const { path, payload = new Uint8Array(0) } = item as Event;
      if (path !== this.#appended.get(sequence)) {
        throw new Error(`invented: sequence=${sequence}, path=${path}, expected ${this.#appended.get(sequence)}`);
      }
      let sum = Number(path?.split('/')[1]);
      for (const byte of payload) sum = (Math.imul(sum, 31) + byte) >>> 0;
      if (path !== `/${path?.split('/')[1]}/${sum}`) throw new Error(`not whole: sequence=${sequence}`);
    }
  }

  /** Everything up to `promised` is there as an event, or as the hole that it was before. */
  checkPromise(items: readonly Item[], promised: bigint): void {
    if (BigInt(items.length) < promised) throw new Error(`lost: ${items.length} of ${promised} acknowledged`);
    for (const item of items) {
      const { sequence } = item;
      if (item.type === 'gap' && sequence <= promised && !this.#holes.has(sequence)) {
        throw new Error(`lost: sequence=${sequence} is a hole, ${promised} acknowledged`);
      }
    }
  }

  /** Recovery is through: what it shows is durable from here on. */
  settle(items: readonly Item[]): void {
    const last = BigInt(items.length);
    this.#holes.clear();
    for (const item of items) if (item.type === 'gap') this.#holes.add(item.sequence);
    this.holes = this.#holes.size;
    for (const sequence of this.#appended.keys()) {
      if (sequence <= last) continue;
      this.lost += 1;
      this.#appended.delete(sequence);
    }
    this.acknowledged = last;
    this.written = last;
  }
}
