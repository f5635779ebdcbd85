// The ring of the sources that the kernel does not write for (inotify, trace), and inotify's writer: what does not fit waits here, in order, for a scan
// may find more at once than the ring holds, and the kernel's queue cannot be given back.

import { ARENA_REGION_RING } from '../../layout/arena.ts';
import { RING_DATA_OFFSET, RING_LOCAL_PRODUCER_STATE_OFFSET, RING_RECORD_HEADER_LENGTH } from '../../layout/ring.ts';
import { STATUS_FULL } from '../../layout/status.ts';
import type { Arena } from '../arena/arena.ts';
import { createRing, type RingPlace, SpscProducer } from '../arena/ring.ts';
import { instantiate, type Wasm } from '../arena/wasm.ts';
import { encodeKernelRecord, type KernelRecord, kernelRecordLength } from '../event/kernel-record.ts';

/** A replacement reader takes the ring over from its dead predecessor: both are the same owner. */
const OWNER = 1n;

/** Makes the arena's first ring region an empty ring; the host's part. */
export function prepareRing(arena: Arena, capacity: number): RingPlace {
  const region = arena.region(ARENA_REGION_RING, 0);
  if (region.length < RING_DATA_OFFSET + capacity) {
    throw new RangeError(`ring region: length=${region.length}, wanted ${RING_DATA_OFFSET + capacity}`);
  }
  const ring = { address: region.address, capacity };
  const wasm = instantiate(arena);
  // For a trace's frames; writing the tables again where they are already changes nothing.
  wasm.crc32cInit();
  createRing(wasm, ring);
  return ring;
}

/** The producer of a ring that never leaves its process; its state lies at RING_LOCAL_PRODUCER_STATE_OFFSET of the ring. */
export function localProducer(arena: Arena, wasm: Wasm, ring: RingPlace): SpscProducer {
  return new SpscProducer({ arena, wasm, ring, state: ring.address + RING_LOCAL_PRODUCER_STATE_OFFSET, owner: OWNER });
}

export class RingWriter {
  readonly #arena: Arena;
  readonly #ring: RingPlace;
  readonly #producer: SpscProducer;
  /** Encoded records that found the ring full; #waiting[#waitingFirst] is the next. */
  #waiting: Uint8Array[] = [];
  #waitingFirst = 0;
  /** Records in the ring since the last call of takeCount(). */
  #written = 0;

  constructor(arena: Arena, ring: RingPlace) {
    this.#arena = arena;
    this.#ring = ring;
    this.#producer = localProducer(arena, instantiate(arena), ring);
  }

  /** Longest record that this ring can hold. */
  get lengthMax(): number {
    return this.#ring.capacity / 2 - RING_RECORD_HEADER_LENGTH;
  }

  /** Records that wait for room. */
  get waitingCount(): number {
    return this.#waiting.length - this.#waitingFirst;
  }

  /** Writes the record, or keeps it until flush() finds room. False: longer than the ring can ever hold, given up and counted in the ring. */
  write(record: KernelRecord): boolean {
    const length = kernelRecordLength(record);
    if (length > this.lengthMax) {
      this.#producer.drop(1);
      return false;
    }
    const address = this.waitingCount > 0 ? STATUS_FULL : this.#producer.reserve(length);
    if (address === STATUS_FULL) {
      const bytes = new Uint8Array(length);
      encodeKernelRecord(record, bytes, 0);
      this.#waiting.push(bytes);
    } else {
      encodeKernelRecord(record, this.#arena.bytes, address);
      this.#submit(length);
    }
    return true;
  }

  /** Writes what waits, as far as there is room: true when nothing waits any more. */
  flush(): boolean {
    while (this.waitingCount > 0) {
      const bytes = this.#waiting[this.#waitingFirst];
      if (bytes === undefined || !this.#producer.offer(bytes)) return false;
      this.#waitingFirst += 1;
      this.#written += 1;
    }
    this.#waiting = [];
    this.#waitingFirst = 0;
    return true;
  }

  /** Shows the consumer what was written since the last call, and answers how many records that were. */
  publish(): number {
    const count = this.#written;
    if (count > 0) this.#producer.publish();
    this.#written = 0;
    return count;
  }

  /** Where the ring's position will be when all that waits has been written. */
  get positionAfterAll(): bigint {
    let position = this.#producer.position;
    const capacity = BigInt(this.#ring.capacity);
    for (let at = this.#waitingFirst; at < this.#waiting.length; at++) {
      const length = this.#waiting[at]?.length ?? 0;
      const needed = BigInt((length + RING_RECORD_HEADER_LENGTH + 7) & ~7);
      const tail = capacity - (position & (capacity - 1n));
      // The same padding as in ringReserve (assembly/ring.ts).
      position += needed + (needed > tail ? tail : 0n);
    }
    return position;
  }

  /** Nothing will follow. */
  end(): void {
    this.#producer.close();
  }

  /** Leaves the ring to a replacement. */
  release(): void {
    this.#producer.release();
  }

  #submit(length: number): void {
    this.#producer.submit(length);
    this.#written += 1;
  }
}
