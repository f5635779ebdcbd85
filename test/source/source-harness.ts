// A source with its ring and an in-thread consumer, for tests: what the ingest worker does, without the journal.

import { ARENA_REGION_RING, ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import * as layout from '../../layout/kernel-record.ts';
import { TRACE_SCRATCH_LENGTH, TRACE_SCRATCH_NUMBER } from '../../layout/trace-replay.ts';
import { Arena } from '../../src/arena/arena.ts';
import { ringRegionLength, SpscConsumer } from '../../src/arena/ring.ts';
import { instantiate } from '../../src/arena/wasm.ts';
import { decodeKernelRecord, type KernelRecord } from '../../src/event/kernel-record.ts';
import type { TreeEvent } from '../../src/event/tree-view.ts';
import type { EventTypeName } from '../../src/event/type-name.ts';
import type { SourceHost, SourceLoss, SourceOptions, SourceReader } from '../../src/source/source.ts';

const TYPES: Record<number, EventTypeName> = {
  [layout.KERNEL_OP_FILE_OPEN]: 'access.open',
  [layout.KERNEL_OP_FILE_CLOSE]: 'access.close',
  [layout.KERNEL_OP_FILE_READ]: 'fs.read',
  [layout.KERNEL_OP_FILE_WRITE]: 'fs.write',
  [layout.KERNEL_OP_FILE_CREATE]: 'fs.create',
  [layout.KERNEL_OP_FILE_DELETE]: 'fs.delete',
  [layout.KERNEL_OP_FILE_RENAME]: 'fs.rename',
  [layout.KERNEL_OP_FILE_CHMOD]: 'fs.chmod',
  [layout.KERNEL_OP_FILE_CHOWN]: 'fs.chown',
  [layout.KERNEL_OP_FILE_TRUNCATE]: 'fs.truncate',
  [layout.KERNEL_OP_DIR_CREATE]: 'fs.mkdir',
  [layout.KERNEL_OP_DIR_DELETE]: 'fs.rmdir',
  [layout.KERNEL_OP_DIR_READ]: 'access.readdir',
  [layout.KERNEL_OP_SYMLINK_CREATE]: 'fs.symlink',
  [layout.KERNEL_OP_HARDLINK_CREATE]: 'fs.hardlink',
  [layout.KERNEL_OP_MOUNT]: 'system.mount',
  [layout.KERNEL_OP_UNMOUNT]: 'system.unmount',
  [layout.KERNEL_OP_SYNC]: 'system.sync',
};

export interface Seen extends KernelRecord {
  type: EventTypeName;
  /** As text. */
  name: string;
  name2: string;
}

export interface HarnessParts {
  arena: Arena;
  host: SourceHost;
  reader: SourceReader;
}

export function sourceOptions(options: Partial<SourceOptions>): SourceOptions {
  const base = { paths: [], pids: [], followFork: false, ops: [], ringCapacity: 1 << 20, includeSelf: true };
  return { ...base, ...options };
}

/** Arena with one ring region of this capacity, and scratch for a consumer and a trace's reader. */
export function arenaForSource(ringCapacity: number): Arena {
  return Arena.create({
    regions: [
      { kind: ARENA_REGION_RING, length: ringRegionLength(ringCapacity) },
      { kind: ARENA_REGION_SCRATCH, length: 4096 },
      { kind: ARENA_REGION_SCRATCH, number: TRACE_SCRATCH_NUMBER, length: TRACE_SCRATCH_LENGTH },
    ],
  });
}

export class Harness {
  readonly arena: Arena;
  readonly host: SourceHost;
  reader: SourceReader;
  readonly #consumer: SpscConsumer;
  readonly records: Seen[] = [];
  readonly losses: SourceLoss[] = [];

  constructor(parts: HarnessParts) {
    this.arena = parts.arena;
    this.host = parts.host;
    this.reader = parts.reader;
    this.#consumer = new SpscConsumer({
      arena: this.arena,
      wasm: instantiate(this.arena),
      ring: { address: this.host.plan.ringAddress, capacity: this.host.plan.ringCapacity },
      state: this.arena.region(ARENA_REGION_SCRATCH).address,
      owner: 7n,
    });
  }

  /** One turn of what an ingest worker does; the number of records taken. */
  turn(): number {
    this.reader.poll();
    return this.take();
  }

  take(): number {
    let sum = 0;
    let count = 0;
    do {
      count = this.#consumer.drain((address, length) => this.#keep(address, length), 1000);
      sum += Math.max(0, count);
    } while (count > 0);
    this.losses.push(...this.reader.takeLosses());
    return sum;
  }

  /** All that happened before this call is in `records` afterwards. */
  barrier(): void {
    const position = this.reader.mark();
    const deadline = performance.now() + 20_000;
    while (this.reader.poll() > 0 || this.#consumer.position < position) {
      this.take();
      if (performance.now() > deadline)
        throw new Error(`barrier: position=${this.#consumer.position}, wanted ${position}`);
    }
    this.take();
  }

  /** Forgets what was recorded so far. */
  clear(): void {
    this.barrier();
    this.records.length = 0;
    this.losses.length = 0;
  }

  close(): void {
    this.reader.close();
    this.host.close();
    this.#consumer.release();
  }

  #keep(address: number, length: number): void {
    const record = decodeKernelRecord(this.arena.bytes, address, length);
    const name = Buffer.from(record.path).toString();
    const name2 = Buffer.from(record.path2).toString();
    this.records.push({ ...record, type: TYPES[record.op] ?? 'observability.error_reported', name, name2 });
  }
}

/** As the engine will tell it. */
export function eventOf(record: Seen): TreeEvent {
  return {
    type: record.type,
    pathBytes: record.path,
    path2Bytes: record.path2,
    argument: record.argument,
    ...(record.mode === 0 ? {} : { mode: record.mode }),
    ...(record.error === 0 ? {} : { error: String(record.error) }),
    ...(record.flags & layout.KERNEL_FLAG_DIRECTORY ? { notes: ['directory'] } : {}),
  };
}
