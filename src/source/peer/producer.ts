// A producer for the peer source in TypeScript: in any process that may open the handle which the engine gave (stats().source.peers). The same in C is
// examples/peer/causeway-peer.h.
//
// Every record gets a number, those that are given up as well, so that the engine tells exactly what is missing. A producer that dies takes nothing with it
// that was published; the next one numbers on:
//   1. `numbered` is stored, then the position: records whose numbers were stored and that were not published are told as lost by the successor.
//   2. The position is stored, then `handedOver`: whoever reads n there finds n in the ring, or knows that it was given up.

import { ARENA_REGION_RING } from '../../../layout/arena.ts';
import { PEERS_MAX } from '../../../layout/peer.ts';
import {
  RING_CONSUMER_OWNER_OFFSET,
  RING_CONSUMER_PARKED_OFFSET,
  RING_CONSUMER_POSITION_OFFSET,
  RING_DATA_OFFSET,
  RING_DROPPED_OFFSET,
  RING_HANDED_OVER_OFFSET,
  RING_MAGIC,
  RING_MAGIC_OFFSET,
  RING_NUMBERED_OFFSET,
  RING_PRODUCER_OWNER_OFFSET,
  RING_PRODUCER_PARKED_OFFSET,
  RING_PRODUCER_POSITION_OFFSET,
  RING_STATE_POSITION_OFFSET,
} from '../../../layout/ring.ts';
import { STATUS_FULL, STATUS_TOO_LONG } from '../../../layout/status.ts';
import { Arena } from '../../arena/arena.ts';
import { describeOwner, giveOwnership, isOwnerAlive, newOwner, takeOwnership } from '../../arena/owner.ts';
import { park, wake } from '../../arena/parking.ts';
import { checkCapacity } from '../../arena/ring.ts';
import { instantiate, type Wasm } from '../../arena/wasm.ts';
import { CausewayError } from '../../base/errors.ts';
import { encodeKernelRecord, type KernelRecord, kernelRecordLength } from '../../event/kernel-record.ts';

export class PeerProducer implements Disposable {
  /** The ring's number: the `cpu` of its records. */
  readonly lane: number;
  readonly #arena: Arena;
  readonly #wasm: Wasm;
  readonly #ring: number;
  readonly #capacity: number;
  readonly #state: number;
  readonly #owner: bigint;
  #sequence: bigint;
  #hasSubmitted = false;
  #isClosed = false;

  /**
   * Takes the ring's producer end, also from one that died there.
   * @param handle A `handle` of engine.stats().source.peers.
   * @throws CausewayError RING_TAKEN when a living producer has it, RING_CORRUPT when it is no peer's ring, and what Arena.open throws.
   */
  static open(handle: string): PeerProducer {
    const arena = Arena.open(handle);
    try {
      return new PeerProducer(arena, handle);
    } catch (error) {
      arena.close();
      throw error;
    }
  }

  private constructor(arena: Arena, handle: string) {
    const region = arena.regions().find(({ kind }) => kind === ARENA_REGION_RING);
    const isRing = region !== undefined && arena.i32[(region.address + RING_MAGIC_OFFSET) / 4] === RING_MAGIC;
    if (!isRing || region.number >= PEERS_MAX) {
      throw new CausewayError('RING_CORRUPT', `${handle}: not the ring of a peer`);
    }
    this.lane = region.number;
    this.#arena = arena;
    this.#ring = region.address;
    this.#capacity = checkCapacity(region.length - RING_DATA_OFFSET);
    this.#owner = newOwner();
    this.#take(handle);
    this.#checkPositions(handle);
    this.#wasm = instantiate(arena);
    this.#state = arena.takeEndpoint(this.#owner).address;
    this.#wasm.ringProducerInit(this.#state, this.#ring, this.#capacity);
    this.#sequence = this.#load(RING_NUMBERED_OFFSET);
    // What a dead predecessor numbered and did not publish will not come any more.
    this.#store(RING_HANDED_OVER_OFFSET, this.#sequence);
  }

  #take(handle: string): void {
    const ownership = takeOwnership(this.#arena, this.#ring + RING_PRODUCER_OWNER_OFFSET, this.#owner);
    if (ownership.taken) return;
    const { pid, comm } = describeOwner(ownership.holder);
    throw new CausewayError('RING_TAKEN', `${handle}: the ring has a producer: pid=${pid}, comm=${comm}`);
  }

  /** As a predecessor left them. */
  #checkPositions(handle: string): void {
    const producer = this.#load(RING_PRODUCER_POSITION_OFFSET);
    const consumer = this.#load(RING_CONSUMER_POSITION_OFFSET);
    const ahead = producer - consumer;
    if (producer % 8n === 0n && ahead >= 0n && ahead <= BigInt(this.#capacity)) return;
    giveOwnership(this.#arena, this.#ring + RING_PRODUCER_OWNER_OFFSET, this.#owner);
    const found = `producerPosition=${producer}, consumerPosition=${consumer}, capacity=${this.#capacity}`;
    throw new CausewayError('RING_CORRUPT', `${handle}: ${found}`);
  }

  /** Whether an engine listens. It may have ended, or have found this ring corrupt. */
  get isHeard(): boolean {
    const owner = this.#load(RING_CONSUMER_OWNER_OFFSET);
    return owner !== 0n && isOwnerAlive(owner);
  }

  /** Records given up by all producers that this ring has had. */
  get dropped(): bigint {
    return this.#load(RING_DROPPED_OFFSET);
  }

  /**
   * Puts the record into the ring; seen after publish(). Its `cpu` and `laneSequence` are the ring's to say.
   * @returns false when the ring is full now: wait, or drop() it.
   * @throws CausewayError RECORD_TOO_LONG
   */
  offer(record: KernelRecord): boolean {
    this.#requireOpen();
    const length = kernelRecordLength(record);
    const address = this.#wasm.ringReserve(this.#state, length);
    if (address === STATUS_FULL) return false;
    if (address === STATUS_TOO_LONG) {
      throw new CausewayError('RECORD_TOO_LONG', `record: length=${length}, ring capacity=${this.#capacity}`);
    }
    const numbered = { ...record, cpu: this.lane, laneSequence: this.#sequence + 1n };
    encodeKernelRecord(numbered, this.#arena.bytes, address);
    this.#sequence += 1n;
    this.#wasm.ringSubmit(this.#state, length);
    this.#hasSubmitted = true;
    return true;
  }

  /** As offer(), but a record that finds the ring full is given up, and counted: the engine tells the gap. */
  write(record: KernelRecord): boolean {
    const isIn = this.offer(record);
    if (!isIn) this.drop(1);
    return isIn;
  }

  /** Gives up `count` records that were never offered successfully: the engine will say that they are missing. */
  drop(count: number): void {
    this.#requireOpen();
    this.#sequence += BigInt(count);
    Atomics.add(this.#arena.u64, (this.#ring + RING_DROPPED_OFFSET) / 8, BigInt(count));
    // What came before them first: handedOver must not be ahead of what is in the ring.
    this.publish();
  }

  /** Shows the engine what was written since the last time, and wakes it if it sleeps. Once per batch. */
  publish(): void {
    this.#requireOpen();
    this.#store(RING_NUMBERED_OFFSET, this.#sequence);
    if (this.#hasSubmitted) {
      const position = this.#arena.view.getBigUint64(this.#state + RING_STATE_POSITION_OFFSET, true);
      // Pairs with the load in peerLook (assembly/peer.ts).
      this.#store(RING_PRODUCER_POSITION_OFFSET, position);
      this.#hasSubmitted = false;
    }
    // Pairs with the load in PeerReader.poll.
    this.#store(RING_HANDED_OVER_OFFSET, this.#sequence);
    // Pairs with the store in PeerReader.wait.
    const parked = (this.#ring + RING_CONSUMER_PARKED_OFFSET) / 4;
    if (Atomics.load(this.#arena.i32, parked) === 0 || Atomics.exchange(this.#arena.i32, parked, 0) === 0) return;
    wake(this.#arena, this.#ring + RING_CONSUMER_PARKED_OFFSET, 1);
  }

  /** Publishes, then blocks this thread until there is room for `length` bytes: false when timeoutMs passed first. */
  waitForRoom(length: number, timeoutMs: number): boolean {
    this.publish();
    const end = performance.now() + timeoutMs;
    const word = (this.#ring + RING_PRODUCER_PARKED_OFFSET) / 4;
    for (let leftMs = timeoutMs; ; leftMs = end - performance.now()) {
      // Pairs with the load in peerRelease: it stores its position, then looks at parked; we store parked, then look at its position.
      Atomics.store(this.#arena.i32, word, 1);
      const hasRoom = this.#wasm.ringReserve(this.#state, length) > 0;
      if (!hasRoom && leftMs > 0) park(this.#arena, this.#ring + RING_PRODUCER_PARKED_OFFSET, 1, leftMs);
      Atomics.store(this.#arena.i32, word, 0);
      if (hasRoom || leftMs <= 0) return hasRoom;
    }
  }

  /** Publishes and leaves the ring to the next producer. */
  close(): void {
    if (this.#isClosed) return;
    this.publish();
    this.#isClosed = true;
    this.#arena.giveEndpoint(this.#state);
    giveOwnership(this.#arena, this.#ring + RING_PRODUCER_OWNER_OFFSET, this.#owner);
    this.#arena.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new CausewayError('ENGINE_CLOSED', 'the producer is closed');
  }

  #load(offset: number): bigint {
    return Atomics.load(this.#arena.u64, (this.#ring + offset) / 8);
  }

  #store(offset: number, value: bigint): void {
    Atomics.store(this.#arena.u64, (this.#ring + offset) / 8, value);
  }
}
