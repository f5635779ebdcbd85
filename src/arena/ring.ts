// Endpoints of the single-producer, single-consumer ring (assembly/ring.ts) for TypeScript. One producer and one consumer per ring: a second one
// is refused for as long as the first one's owner lives.

import { RING_CAPACITY_MAX, RING_CAPACITY_MIN } from '../../layout/limits.ts';
import {
  RING_CAPACITY_OFFSET,
  RING_CONSUMER_OWNER_OFFSET,
  RING_DATA_OFFSET,
  RING_DROPPED_OFFSET,
  RING_MAGIC,
  RING_MAGIC_OFFSET,
  RING_PRODUCER_OWNER_OFFSET,
  RING_STATE_LENGTH,
  RING_STATE_POSITION_OFFSET,
  RING_STATE_RECORD_LENGTH_OFFSET,
} from '../../layout/ring.ts';
import { STATUS_CLOSED, STATUS_CORRUPT, STATUS_EMPTY, STATUS_FULL, STATUS_TOO_LONG } from '../../layout/status.ts';
import { CausewayError } from '../base/errors.ts';
import type { Arena } from './arena.ts';
import type { Wasm } from './wasm.ts';

export interface RingPlace {
  /** Address of the ring in the arena. */
  address: number;
  /** Bytes of data, a power of two. */
  capacity: number;
}

export interface EndpointOptions {
  arena: Arena;
  wasm: Wasm;
  ring: RingPlace;
  /** Address of RING_STATE_LENGTH bytes that nobody else uses. */
  state: number;
  /** Who takes this end: any number > 0 that is unique among the live. */
  owner: bigint;
}

/** Bytes of the region that a ring of this capacity needs. */
export function ringRegionLength(capacity: number): number {
  return RING_DATA_OFFSET + checkCapacity(capacity);
}

/** Makes an empty ring in a region of zeros. */
export function createRing(wasm: Wasm, ring: RingPlace): void {
  wasm.ringInit(ring.address, checkCapacity(ring.capacity));
}

/** @throws RangeError when it is not a power of two within the limits. */
export function checkCapacity(capacity: number): number {
  const isPowerOfTwo = Number.isInteger(Math.log2(capacity));
  if (!isPowerOfTwo || capacity < RING_CAPACITY_MIN || capacity > RING_CAPACITY_MAX) {
    throw new RangeError(
      `ring capacity=${capacity}: want a power of two, min=${RING_CAPACITY_MIN}, max=${RING_CAPACITY_MAX}`,
    );
  }
  return capacity;
}

export class SpscProducer {
  readonly #arena: Arena;
  readonly #wasm: Wasm;
  readonly #ring: RingPlace;
  readonly #state: number;
  readonly #owner: bigint;

  /** @throws CausewayError RING_TAKEN when the ring has a producer, RING_CORRUPT when it is no ring of this capacity. */
  constructor(options: EndpointOptions) {
    const { arena, wasm, ring, state, owner } = options;
    checkRing(arena, ring, state);
    takeEnd(arena, ring.address + RING_PRODUCER_OWNER_OFFSET, owner, 'producer');
    this.#arena = arena;
    this.#wasm = wasm;
    this.#ring = ring;
    this.#state = state;
    this.#owner = owner;
    wasm.ringProducerInit(state, ring.address, ring.capacity);
  }

  /** Address of room for `length` bytes, or STATUS_FULL. @throws CausewayError RECORD_TOO_LONG when it never fits. */
  reserve(length: number): number {
    const address = this.#wasm.ringReserve(this.#state, length);
    if (address === STATUS_TOO_LONG) {
      const lengthMax = this.#ring.capacity / 2 - 8;
      throw new CausewayError(
        'RECORD_TOO_LONG',
        `record does not fit the ring: length=${length}, lengthMax=${lengthMax}`,
      );
    }
    return address;
  }

  /** The record that was reserved with this length is filled in; seen after publish(). */
  submit(length: number): void {
    this.#wasm.ringSubmit(this.#state, length);
  }

  publish(): void {
    this.#wasm.ringPublish(this.#state);
  }

  /** Writes one record; false when the ring is full. Seen after publish(). */
  offer(record: Uint8Array): boolean {
    const address = this.reserve(record.length);
    if (address === STATUS_FULL) return false;
    this.#arena.bytes.set(record, address);
    this.submit(record.length);
    return true;
  }

  /** Blocks this thread until there is room for `length` bytes: false when timeoutMs passed first. */
  waitForRoom(length: number, timeoutMs: number): boolean {
    return this.#wasm.ringProducerPark(this.#state, length, BigInt(Math.round(timeoutMs * 1e6))) > 0;
  }

  /** Counts records that were given up. */
  drop(count: number): void {
    this.#wasm.ringDrop(this.#state, count);
  }

  get dropped(): bigint {
    return Atomics.load(this.#arena.u64, (this.#ring.address + RING_DROPPED_OFFSET) / 8);
  }

  /** Bytes ever submitted, padding and headers included. */
  get position(): bigint {
    return this.#arena.view.getBigUint64(this.#state + RING_STATE_POSITION_OFFSET, true);
  }

  /** No record will follow: the consumer sees the end behind the last one. */
  close(): void {
    this.#wasm.ringClose(this.#state);
    this.release();
  }

  /** Leaves the end to another producer, which goes on where this one published last. */
  release(): void {
    giveEnd(this.#arena, this.#ring.address + RING_PRODUCER_OWNER_OFFSET, this.#owner);
  }
}

export class SpscConsumer {
  readonly #arena: Arena;
  readonly #wasm: Wasm;
  readonly #ring: RingPlace;
  readonly #state: number;
  readonly #owner: bigint;

  /** @throws CausewayError RING_TAKEN when the ring has a consumer, RING_CORRUPT when it is no ring of this capacity. */
  constructor(options: EndpointOptions) {
    const { arena, wasm, ring, state, owner } = options;
    checkRing(arena, ring, state);
    takeEnd(arena, ring.address + RING_CONSUMER_OWNER_OFFSET, owner, 'consumer');
    this.#arena = arena;
    this.#wasm = wasm;
    this.#ring = ring;
    this.#state = state;
    this.#owner = owner;
    wasm.ringConsumerInit(state, ring.address, ring.capacity, 0);
  }

  /**
   * Calls `take` with address and length of up to `recordsMax` records, then gives their room back. The bytes are valid during the call only.
   * @returns how many; STATUS_CLOSED when there are none and will be none.
   * @throws CausewayError RING_CORRUPT with the position where the ring breaks its rules.
   */
  drain(take: (address: number, length: number) => void, recordsMax: number): number {
    let count = 0;
    let answer = 0;
    while (count < recordsMax) {
      answer = this.#wasm.ringPeek(this.#state);
      if (answer <= 0) break;
      take(answer, this.#arena.view.getUint32(this.#state + RING_STATE_RECORD_LENGTH_OFFSET, true));
      this.#wasm.ringAdvance(this.#state);
      count += 1;
    }
    // Also without a record: padding may have been skipped, and the producer may wait for its room.
    this.#wasm.ringRelease(this.#state);
    if (answer === STATUS_CORRUPT) throw this.#corrupt();
    return count === 0 && answer === STATUS_CLOSED ? STATUS_CLOSED : count;
  }

  /** Blocks this thread until there is a record or the end; false when timeoutMs passed first. */
  waitForRecord(timeoutMs: number): boolean {
    const answer = this.#wasm.ringConsumerPark(this.#state, BigInt(Math.round(timeoutMs * 1e6)));
    if (answer === STATUS_CORRUPT) throw this.#corrupt();
    return answer !== STATUS_EMPTY;
  }

  get position(): bigint {
    return this.#arena.view.getBigUint64(this.#state + RING_STATE_POSITION_OFFSET, true);
  }

  /** Leaves the end to another consumer, which goes on behind the last drained batch. */
  release(): void {
    giveEnd(this.#arena, this.#ring.address + RING_CONSUMER_OWNER_OFFSET, this.#owner);
  }

  #corrupt(): CausewayError {
    return new CausewayError('RING_CORRUPT', `ring at ${this.#ring.address}: corrupt at position ${this.position}`);
  }
}

function checkRing(arena: Arena, ring: RingPlace, state: number): void {
  checkCapacity(ring.capacity);
  const end = ring.address + RING_DATA_OFFSET + ring.capacity;
  if (ring.address <= 0 || end > arena.bytes.length || state <= 0 || state + RING_STATE_LENGTH > arena.bytes.length) {
    throw new RangeError(
      `ring at ${ring.address}, capacity=${ring.capacity}, state at ${state}, arena=${arena.bytes.length}`,
    );
  }
  const magic = Atomics.load(arena.i32, (ring.address + RING_MAGIC_OFFSET) / 4);
  const capacity = arena.view.getUint32(ring.address + RING_CAPACITY_OFFSET, true);
  if (magic !== RING_MAGIC || capacity !== ring.capacity) {
    throw new CausewayError(
      'RING_CORRUPT',
      `no ring at ${ring.address}: magic=${magic}, capacity=${capacity}, expected ${RING_MAGIC} and ${ring.capacity}`,
    );
  }
}

function takeEnd(arena: Arena, address: number, owner: bigint, end: 'producer' | 'consumer'): void {
  const holder = Atomics.compareExchange(arena.u64, address / 8, 0n, owner);
  if (holder !== 0n && holder !== owner) {
    throw new CausewayError('RING_TAKEN', `the ring has a ${end}: owner=${holder}, refused=${owner}`);
  }
}

function giveEnd(arena: Arena, address: number, owner: bigint): void {
  Atomics.compareExchange(arena.u64, address / 8, owner, 0n);
}
