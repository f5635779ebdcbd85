// The producer of a queue, in a lane of its own. offer() or reserve/submit, then publish() once per batch: only then can anybody see the records.

import {
  QUEUE_PRODUCER_COUNT_OFFSET,
  QUEUE_PRODUCER_POSITION_OFFSET,
  QUEUE_PRODUCER_PUBLISHED_OFFSET,
  QUEUE_ROOM_WAKE_OFFSET,
  QUEUE_WAKE_OFFSET,
} from '../../layout/queue.ts';
import {
  RING_DROPPED_OFFSET,
  RING_PRODUCER_OWNER_OFFSET,
  RING_RECORD_ALIGNMENT,
  RING_RECORD_HEADER_LENGTH,
  RING_RECORD_SEQUENCE_OFFSET,
} from '../../layout/ring.ts';
import { STATUS_CORRUPT, STATUS_FULL, STATUS_TOO_LONG } from '../../layout/status.ts';
import { giveOwnership, newOwner } from '../arena/owner.ts';
import { park, parkAsync, wake } from '../arena/parking.ts';
import { CausewayError } from '../base/errors.ts';
import { laneAddress, type QueuePlace, sharedFlag } from './place.ts';
import { modeNumber } from './plan.ts';
import { expireAt, forgetProducer, reapQueue, slowestCursor } from './reaper.ts';
import { takePlace } from './take-place.ts';

/** Who waits for room looks for the dead and the slow this often. */
const LOOK_MS = 100;

export class QueueProducer {
  /** Number of its lane: consumers get it with each record. */
  readonly lane: number;
  readonly #queue: QueuePlace;
  readonly #owner: bigint;
  readonly #state: number;
  readonly #lane: number;
  readonly #lengthMax: number;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  /**
   * The window: records are written into it without a call into wasm, one behind the other. It is submitted before anything else is done with the lane.
   * #at: where the next one's header goes; #end: of the window; #number: the next record's, its low half; #written: how many, since it was submitted last.
   */
  #at = 0;
  #end = 0;
  #number = 0;
  #written = 0;
  #isClosed = false;
  #lookedMs = 0;
  /** broadcast: where the slowest consumer stood when this producer found the lane full, and since when. */
  #slowest: bigint | undefined;
  #slowestSinceMs = 0;

  private constructor(queue: QueuePlace, owner: bigint, lane: number, state: number) {
    this.#queue = queue;
    this.#owner = owner;
    this.lane = lane;
    this.#lane = laneAddress(queue, lane);
    this.#state = state;
    this.#lengthMax = queue.plan.recordLengthMax;
    this.#words = queue.arena.i32;
    this.#bytes = queue.arena.bytes;
  }

  /** @throws CausewayError RING_TAKEN, ARENA_FULL; RING_CORRUPT when the lane was scribbled over. */
  static open(queue: QueuePlace): QueueProducer {
    const owner = newOwner();
    const lane = takeLane(queue, owner);
    const ownerAddress = laneAddress(queue, lane) + RING_PRODUCER_OWNER_OFFSET;
    try {
      const state = queue.arena.takeEndpoint(owner).address;
      const producer = new QueueProducer(queue, owner, lane, state);
      producer.#begin();
      return producer;
    } catch (error) {
      giveOwnership(queue.arena, ownerAddress, owner);
      throw error;
    }
  }

  #begin(): void {
    const { arena, wasm, address, plan } = this.#queue;
    const status = wasm.queueProducerInit(
      this.#state,
      address,
      modeNumber(plan.mode),
      this.lane,
      this.#lane,
      plan.laneCapacity,
      plan.consumers,
      plan.recordLengthMax,
      sharedFlag(this.#queue),
    );
    if (status !== STATUS_CORRUPT) return;
    arena.giveEndpoint(this.#state);
    throw new CausewayError(
      'RING_CORRUPT',
      `queue at ${address}: lane=${this.lane}: its positions and counts do not fit`,
    );
  }

  /**
   * Address of room for `length` bytes, or STATUS_FULL. Reserving again without submit() gives the same place.
   * @throws CausewayError RECORD_TOO_LONG when it never fits.
   */
  reserve(length: number): number {
    const isInside = length >>> 0 <= this.#lengthMax && recordLength(length) <= this.#end - this.#at;
    const at = isInside ? this.#at : this.#nextWindow(length);
    if (at === STATUS_FULL) return at;
    this.#words[at / 4] = length;
    this.#words[(at + RING_RECORD_SEQUENCE_OFFSET) / 4] = this.#number;
    return at + RING_RECORD_HEADER_LENGTH;
  }

  #nextWindow(length: number): number {
    const at = this.#openWindow(length);
    if (at > 0) return at;
    if (at === STATUS_TOO_LONG) {
      throw new CausewayError(
        'RECORD_TOO_LONG',
        `record does not fit the queue: length=${length}, lengthMax=${this.#lengthMax}`,
      );
    }
    // Nobody can make room for what nobody sees.
    this.publish();
    this.#lookAtOthers();
    return this.#openWindow(length);
  }

  #openWindow(length: number): number {
    this.#requireOpen();
    this.#submitWindow();
    const { wasm, arena } = this.#queue;
    const at = wasm.queueWindow(this.#state, length);
    this.#at = Math.max(at, 0);
    this.#end = at > 0 ? wasm.queueWindowEnd(this.#state) : 0;
    this.#number = arena.view.getInt32(this.#state + QUEUE_PRODUCER_COUNT_OFFSET, true);
    return at;
  }

  #submitWindow(): void {
    if (this.#written === 0) return;
    this.#queue.wasm.queueWindowSubmit(this.#state, this.#at, this.#written);
    this.#written = 0;
  }

  /** The record that was reserved with this length is filled in. */
  submit(length: number): void {
    this.#at += recordLength(length);
    this.#number = (this.#number + 1) | 0;
    this.#written += 1;
  }

  /** Everything submitted can be seen, and who sleeps is woken. */
  publish(): void {
    const { arena, wasm, address } = this.#queue;
    this.#requireOpen();
    this.#submitWindow();
    if (wasm.queuePublish(this.#state)) wake(arena, address + QUEUE_WAKE_OFFSET);
  }

  /** Writes one record; false when the lane is full. Seen after publish(). */
  offer(record: Uint8Array): boolean {
    const address = this.reserve(record.length);
    if (address === STATUS_FULL) return false;
    this.#bytes.set(record, address);
    this.submit(record.length);
    return true;
  }

  /** Writes one record and publishes: false when the lane stayed full for timeoutMs. Blocks the thread meanwhile. */
  send(record: Uint8Array, timeoutMs = Number.POSITIVE_INFINITY): boolean {
    while (!this.offer(record)) {
      if (!this.waitForRoom(record.length, timeoutMs)) return false;
    }
    this.publish();
    return true;
  }

  /** Blocks this thread until there is room for `length` bytes: false when timeoutMs passed first. */
  waitForRoom(length: number, timeoutMs: number): boolean {
    const end = performance.now() + timeoutMs;
    for (;;) {
      if (this.reserve(length) !== STATUS_FULL) return true;
      const leftMs = end - performance.now();
      if (leftMs <= 0) return false;
      this.#sleep((word, value) => park(this.#queue.arena, word, value, Math.min(leftMs, LOOK_MS)), length);
    }
  }

  /** The same without blocking the thread; false also when it was closed meanwhile. */
  async waitForRoomAsync(length: number, timeoutMs: number): Promise<boolean> {
    const end = performance.now() + timeoutMs;
    for (;;) {
      if (this.#isClosed) return false;
      if (this.reserve(length) !== STATUS_FULL) return true;
      const leftMs = end - performance.now();
      if (leftMs <= 0) return false;
      await this.#sleep((word, value) => parkAsync(this.#queue.arena, word, value, Math.min(leftMs, LOOK_MS)), length);
    }
  }

  /** S1 to S4 of assembly/queue.ts. */
  #sleep<Result>(sleep: (word: number, value: number) => Result, length: number): Result | undefined {
    const { wasm, address } = this.#queue;
    const value = wasm.queueRoomSleep(this.#state);
    if (this.#openWindow(length) > 0) {
      wasm.queueRoomAwake(this.#state);
      return undefined;
    }
    const slept = sleep(address + QUEUE_ROOM_WAKE_OFFSET, value);
    if (slept instanceof Promise) {
      // Once it is closed, its state is somebody else's.
      return slept.finally(() => this.#isClosed || wasm.queueRoomAwake(this.#state)) as Result;
    }
    wasm.queueRoomAwake(this.#state);
    return slept;
  }

  /** The lane is full: perhaps because somebody died, or does not move. */
  #lookAtOthers(): void {
    const now = performance.now();
    if (now - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = now;
    reapQueue(this.#queue);
    const { mode, expireAfterMs } = this.#queue.plan;
    if (mode === 'broadcast' && expireAfterMs > 0) this.#expireSlow(now, expireAfterMs);
  }

  #expireSlow(now: number, expireAfterMs: number): void {
    const slowest = slowestCursor(this.#queue, this.lane);
    if (slowest === undefined || slowest !== this.#slowest) {
      this.#slowest = slowest;
      this.#slowestSinceMs = now;
    } else if (now - this.#slowestSinceMs >= expireAfterMs) {
      expireAt(this.#queue, this.lane, slowest);
    }
  }

  /** Counts records that were given up because the lane was full. */
  drop(count: number): void {
    this.#requireOpen();
    this.#queue.wasm.queueDrop(this.#state, count);
  }

  /** Records given up in this lane, by its earlier producers too. */
  get dropped(): bigint {
    return Atomics.load(this.#queue.arena.u64, (this.#lane + RING_DROPPED_OFFSET) / 8);
  }

  /** Records submitted in this lane, by its earlier producers too. */
  get count(): bigint {
    return this.#word(QUEUE_PRODUCER_COUNT_OFFSET);
  }

  /** Bytes ever submitted in this lane. */
  get position(): bigint {
    return this.#word(QUEUE_PRODUCER_POSITION_OFFSET);
  }

  /** Up to this position everything can be seen. */
  get published(): bigint {
    return this.#word(QUEUE_PRODUCER_PUBLISHED_OFFSET);
  }

  #word(offset: number): bigint {
    this.#requireOpen();
    this.#submitWindow();
    return this.#queue.arena.view.getBigUint64(this.#state + offset, true);
  }

  /** What it worked with is somebody else's once it is closed. */
  #requireOpen(): void {
    if (this.#isClosed) throw new CausewayError('HANDLE_CLOSED', `queue: the producer of lane=${this.lane} was closed`);
  }

  /** Publishes and leaves the lane to another producer. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.publish();
    this.#isClosed = true;
    this.#end = this.#at;
    this.#queue.arena.giveEndpoint(this.#state);
    giveOwnership(this.#queue.arena, this.#lane + RING_PRODUCER_OWNER_OFFSET, this.#owner);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Bytes that a record takes in its lane: header, data, padding to 8. */
function recordLength(length: number): number {
  return (length + RING_RECORD_HEADER_LENGTH + RING_RECORD_ALIGNMENT - 1) & -RING_RECORD_ALIGNMENT;
}

/** A free lane, or else one whose producer died. */
function takeLane(queue: QueuePlace, owner: bigint): number {
  const { arena, plan } = queue;
  const addresses = Array.from(
    { length: plan.lanes },
    (_, lane) => laneAddress(queue, lane) + RING_PRODUCER_OWNER_OFFSET,
  );
  const refused = `queue ${JSON.stringify(plan.name)}: every lane has a producer: producers=producersMax`;
  const { number, isAdopted } = takePlace(arena, addresses, owner, refused);
  if (isAdopted) forgetProducer(queue, number);
  return number;
}
