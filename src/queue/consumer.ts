// The consumer of a queue, in a slot of its own. drain() hands records out in batches; what was handed out is done with when drain() returns.

import {
  QUEUE_CONSUMER_CLAIMED_OFFSET,
  QUEUE_CONSUMER_COPIES_LENGTH,
  QUEUE_CONSUMER_CORRUPT_LANE_OFFSET,
  QUEUE_CONSUMER_CORRUPT_POSITION_OFFSET,
  QUEUE_CONSUMER_DELIVERED_OFFSET,
  QUEUE_CONSUMER_LAPPED_OFFSET,
  QUEUE_CONSUMER_TABLE_OFFSET,
  QUEUE_CONSUMER_WAKE_ROOM_OFFSET,
  QUEUE_INTENT_IDLE,
  QUEUE_ROOM_WAKE_OFFSET,
  QUEUE_ROW_ADDRESS_OFFSET,
  QUEUE_ROW_LANE_OFFSET,
  QUEUE_ROW_LENGTH,
  QUEUE_ROW_RECORD_LENGTH_OFFSET,
  QUEUE_ROW_SEQUENCE_OFFSET,
  QUEUE_ROWS_MAX,
  QUEUE_SLOT_INTENT_OFFSET,
  QUEUE_SLOT_NONE,
  QUEUE_SLOT_OWNER_OFFSET,
  QUEUE_WAKE_OFFSET,
} from '../../layout/queue.ts';
import { STATUS_CLOSED, STATUS_CORRUPT, STATUS_EMPTY } from '../../layout/status.ts';
import { giveOwnership, isOwnerAlive, newOwner, takeOwnership } from '../arena/owner.ts';
import { park, parkAsync, wake } from '../arena/parking.ts';
import { CausewayError } from '../base/errors.ts';
import { heldAddress, laneAddress, type QueuePlace, sharedFlag, slotAddress } from './place.ts';
import { modeNumber } from './plan.ts';
import { forgetConsumer, reapQueue } from './reaper.ts';
import { takePlace } from './take-place.ts';

/** Dead consumers are looked for this often, by those that drain or wait. */
const LOOK_MS = 200;

/** The bytes are valid during the call only: copy what is kept. `lane` is the producer's. */
export type TakeRecord = (address: number, length: number, lane: number) => void;
/** broadcast: `missed` records of the lane were overwritten before this consumer read them. */
export type TakeLapse = (lane: number, missed: bigint) => void;

export class QueueConsumer {
  readonly #queue: QueuePlace;
  readonly #owner: bigint;
  readonly #slot: number;
  readonly #state: number;
  readonly #table: number;
  /** Rows that come from an adoption, not from a drain, and are not handed out yet. */
  #adopted = 0;
  /** Rows of the last drain, and which is next: not the last one only while `take` runs, and after it threw. */
  #rows = 0;
  #nextRow = 0;
  #lookedMs = 0;
  #isClosed = false;

  private constructor(queue: QueuePlace, owner: bigint, slot: number, state: number) {
    this.#queue = queue;
    this.#owner = owner;
    this.#slot = slot;
    this.#state = state;
    this.#table = (state + QUEUE_CONSUMER_TABLE_OFFSET) / 4;
  }

  /**
   * A read-only arena has readers of lossy broadcasts only: they leave no trace in it, and cannot sleep.
   * @throws CausewayError RING_TAKEN, ARENA_FULL, RING_CORRUPT; CONFIG_INVALID for another mode in a read-only arena.
   */
  static open(queue: QueuePlace): QueueConsumer {
    const { arena, plan } = queue;
    const owner = newOwner();
    if (arena.isReadOnly && plan.mode !== 'broadcast-lossy') {
      throw new CausewayError('CONFIG_INVALID', `queue: mode=${plan.mode} cannot be read through a read-only arena`);
    }
    // First what is private: where there is none left, nobody's slot is touched.
    const state = arena.takeEndpoint(owner).address;
    let consumer: QueueConsumer | undefined;
    try {
      const taken = arena.isReadOnly ? { slot: QUEUE_SLOT_NONE, isAdopted: false } : takeSlot(queue, owner);
      consumer = new QueueConsumer(queue, owner, taken.slot, state);
      if (taken.isAdopted) forgetConsumer(queue, taken.slot);
      consumer.#begin();
      return consumer;
    } catch (error) {
      if (consumer === undefined) arena.giveEndpoint(state);
      else consumer.close();
      throw error;
    }
  }

  #begin(): void {
    const { wasm, address, plan } = this.#queue;
    const isClaimed = plan.mode === 'mpmc';
    const held = isClaimed ? heldAddress(this.#queue) + this.#slot * plan.heldLength : this.#state;
    const status = wasm.queueConsumerInit(
      this.#state,
      address,
      modeNumber(plan.mode),
      plan.lanes,
      plan.laneCapacity,
      plan.consumers,
      plan.recordLengthMax,
      this.#slot,
      laneAddress(this.#queue, 0),
      held,
      isClaimed ? plan.heldLength : QUEUE_CONSUMER_COPIES_LENGTH,
      sharedFlag(this.#queue),
    );
    if (status === STATUS_CORRUPT) throw this.#corrupt();
    this.#wakeProducers();
    // Whoever had the slot before may have died with a claimed run.
    if (isClaimed) this.#adopt(this.#slot);
  }

  /**
   * Calls `take` for up to recordsMax records (QUEUE_ROWS_MAX at most), and `lapse` for what was missed before one of them, then gives their room back. A record whose
   * `take` throws counts as taken; those behind it come with the next drain.
   * @returns how many records; STATUS_CLOSED when there are none and will be none.
   * @throws CausewayError RING_CORRUPT with lane and position, once for a lane that breaks its rules: the other lanes go on.
   */
  drain(take: TakeRecord, recordsMax = QUEUE_ROWS_MAX, lapse?: TakeLapse): number {
    const rows = this.#nextRows(recordsMax);
    if (rows === STATUS_CORRUPT) throw this.#corrupt();
    const records = rows > 0 ? this.#handOut(rows, take, lapse) : rows;
    // `take` may have closed it: then its state is somebody else's.
    if (this.#isClosed) return records;
    if (rows > 0) this.#queue.wasm.queueRelease(this.#state);
    this.#wakeProducers();
    return records;
  }

  #nextRows(recordsMax: number): number {
    if (this.#nextRow < this.#rows) return this.#rows;
    this.#nextRow = 0;
    this.#rows = this.#newRows(recordsMax);
    return this.#rows;
  }

  #newRows(recordsMax: number): number {
    if (this.#isClosed) return STATUS_CLOSED;
    if (this.#adopted === 0) this.#lookForDead();
    const adopted = this.#adopted;
    this.#adopted = 0;
    return adopted > 0 ? adopted : this.#queue.wasm.queueDrain(this.#state, recordsMax);
  }

  #handOut(rows: number, take: TakeRecord, lapse: TakeLapse | undefined): number {
    const words = this.#queue.arena.i32;
    let records = 0;
    while (this.#nextRow < rows && !this.#isClosed) {
      const at = this.#table + (this.#nextRow * QUEUE_ROW_LENGTH) / 4;
      this.#nextRow += 1;
      const address = words[at + QUEUE_ROW_ADDRESS_OFFSET / 4] ?? 0;
      const length = words[at + QUEUE_ROW_RECORD_LENGTH_OFFSET / 4] ?? 0;
      const lane = words[at + QUEUE_ROW_LANE_OFFSET / 4] ?? 0;
      if (address !== 0) {
        records += 1;
        take(address >>> 0, length, lane);
      } else {
        const high = words[at + QUEUE_ROW_SEQUENCE_OFFSET / 4] ?? 0;
        lapse?.(lane, (BigInt(high >>> 0) << 32n) | BigInt(length >>> 0));
      }
    }
    return records;
  }

  /** Copies of up to recordsMax records; empty when there are none just now. */
  read(recordsMax = QUEUE_ROWS_MAX): Uint8Array[] {
    const records: Uint8Array[] = [];
    const { bytes } = this.#queue.arena;
    this.drain((address, length) => records.push(bytes.slice(address, address + length)), recordsMax);
    return records;
  }

  /**
   * Copies of all records as they come, until the queue ends or the consumer is closed: `for await (const record of consumer)`. What the loop has not come to when it
   * ends, or the thread dies, is not done with, as in drain(). What was missed (broadcast-lossy) is in `lapped`.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    const { bytes } = this.#queue.arena;
    const taken: Uint8Array[] = [];
    const take: TakeRecord = (address, length) => taken.push(bytes.slice(address, address + length));
    for (;;) {
      const rows = this.#nextRows(QUEUE_ROWS_MAX);
      if (rows === STATUS_CORRUPT) throw this.#corrupt();
      while (this.#nextRow < this.#rows && !this.#isClosed) {
        this.#handOut(this.#nextRow + 1, take, undefined);
        yield* taken.splice(0);
      }
      if (this.#isClosed || rows === STATUS_CLOSED) return;
      if (rows > 0) this.#queue.wasm.queueRelease(this.#state);
      this.#wakeProducers();
      if (rows === STATUS_EMPTY) await this.waitForRecordAsync(Number.POSITIVE_INFINITY);
    }
  }

  /** Blocks this thread until there is a record or the end; false when timeoutMs passed first. */
  waitForRecord(timeoutMs: number): boolean {
    const { arena, wasm, address } = this.#queue;
    const end = performance.now() + timeoutMs;
    for (;;) {
      if (this.#isReady()) return true;
      const leftMs = end - performance.now();
      if (leftMs <= 0) return false;
      const value = this.#fallAsleep();
      if (!wasm.queueAvailable(this.#state)) park(arena, address + QUEUE_WAKE_OFFSET, value, Math.min(leftMs, LOOK_MS));
      this.#awake();
    }
  }

  /** The same without blocking the thread. */
  async waitForRecordAsync(timeoutMs: number): Promise<boolean> {
    const { arena, wasm, address } = this.#queue;
    const end = performance.now() + timeoutMs;
    for (;;) {
      if (this.#isReady()) return true;
      const leftMs = end - performance.now();
      if (leftMs <= 0) return false;
      const value = this.#fallAsleep();
      try {
        if (wasm.queueAvailable(this.#state)) continue;
        await parkAsync(arena, address + QUEUE_WAKE_OFFSET, value, Math.min(leftMs, LOOK_MS));
      } finally {
        this.#awake();
      }
    }
  }

  #isReady(): boolean {
    // Closed while it slept: its state is somebody else's. Or a `take` threw, and what is behind it waits.
    if (this.#isClosed || this.#nextRow < this.#rows) return true;
    this.#lookForDead();
    return this.#adopted > 0 || Boolean(this.#queue.wasm.queueAvailable(this.#state));
  }

  #fallAsleep(): number {
    if (this.#slot === QUEUE_SLOT_NONE) {
      throw new CausewayError('CONFIG_INVALID', 'queue: a reader of a read-only arena cannot sleep: poll with drain()');
    }
    return this.#queue.wasm.queueSleep(this.#state);
  }

  #awake(): void {
    if (!this.#isClosed) this.#queue.wasm.queueAwake(this.#state);
  }

  /** mpmc: what a consumer claimed and died with is this one's now. For all: nobody waits for the dead. */
  #lookForDead(): void {
    const now = performance.now();
    if (now - this.#lookedMs < LOOK_MS || this.#slot === QUEUE_SLOT_NONE) return;
    this.#lookedMs = now;
    reapQueue(this.#queue);
    const { plan, arena } = this.#queue;
    for (let slot = 0; plan.mode === 'mpmc' && slot < plan.consumers && this.#adopted === 0; slot++) {
      const word = slotAddress(this.#queue, slot) + QUEUE_SLOT_OWNER_OFFSET;
      if (slot === this.#slot || !this.#isLeft(slot)) continue;
      const ownership = takeOwnership(arena, word, this.#owner);
      if (!ownership.taken) continue;
      if (ownership.adoptedFrom !== 0n) forgetConsumer(this.#queue, slot);
      this.#adopt(slot);
    }
  }

  /** Its consumer died, or closed before it had handed out what it had adopted. */
  #isLeft(slot: number): boolean {
    const { u64 } = this.#queue.arena;
    const address = slotAddress(this.#queue, slot);
    const holder = Atomics.load(u64, (address + QUEUE_SLOT_OWNER_OFFSET) / 8);
    if (holder !== 0n) return !isOwnerAlive(holder);
    return Atomics.load(u64, (address + QUEUE_SLOT_INTENT_OFFSET) / 8) !== BigInt(QUEUE_INTENT_IDLE);
  }

  #adopt(slot: number): void {
    const { wasm, plan } = this.#queue;
    const answer = wasm.queueAdopt(this.#state, slot, heldAddress(this.#queue), plan.heldLength);
    if (answer === STATUS_CORRUPT) {
      throw new CausewayError(
        'RING_CORRUPT',
        `queue at ${this.#queue.address}: what the dead consumer of slot=${slot} held is corrupt: heldLength=${plan.heldLength}`,
      );
    }
    this.#adopted = Math.max(answer, STATUS_EMPTY);
  }

  #wakeProducers(): void {
    const { arena, address } = this.#queue;
    const flag = (this.#state + QUEUE_CONSUMER_WAKE_ROOM_OFFSET) / 4;
    if (arena.i32[flag] === 0) return;
    arena.i32[flag] = 0;
    wake(arena, address + QUEUE_ROOM_WAKE_OFFSET);
  }

  /** Records taken through this slot, by its earlier consumers too. */
  get delivered(): bigint {
    return this.#word(QUEUE_CONSUMER_DELIVERED_OFFSET);
  }

  /** Records missed through this slot. */
  get lapped(): bigint {
    return this.#word(QUEUE_CONSUMER_LAPPED_OFFSET);
  }

  #word(offset: number): bigint {
    return this.#queue.arena.view.getBigUint64(this.#state + offset, true);
  }

  /** Leaves the slot. What was not drained stays for others (spsc, mpsc: for the next consumer). Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { wasm, plan } = this.#queue;
    // What was not handed out stays where it is: with it, what was handed out of the same batch comes again.
    const isWhole = this.#adopted === 0 && this.#nextRow >= this.#rows;
    this.#rows = 0;
    if (isWhole) wasm.queueRelease(this.#state);
    else if (plan.mode === 'mpmc') this.#leaveAdopted();
    if (plan.mode === 'broadcast') wasm.queueLeave(this.#state);
    this.#wakeProducers();
    this.#leave();
  }

  /** What was adopted and not handed out stays claimed, in a slot without owner: the others find it there. */
  #leaveAdopted(): void {
    const { arena } = this.#queue;
    const slot = arena.view.getUint32(this.#state + QUEUE_CONSUMER_CLAIMED_OFFSET, true) - 1;
    if (slot === this.#slot) return;
    giveOwnership(arena, slotAddress(this.#queue, slot) + QUEUE_SLOT_OWNER_OFFSET, this.#owner);
  }

  #leave(): void {
    const { arena } = this.#queue;
    arena.giveEndpoint(this.#state);
    if (this.#slot === QUEUE_SLOT_NONE) return;
    giveOwnership(arena, slotAddress(this.#queue, this.#slot) + QUEUE_SLOT_OWNER_OFFSET, this.#owner);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #corrupt(): CausewayError {
    const lane = this.#queue.arena.view.getUint32(this.#state + QUEUE_CONSUMER_CORRUPT_LANE_OFFSET, true);
    const position = this.#word(QUEUE_CONSUMER_CORRUPT_POSITION_OFFSET);
    return new CausewayError(
      'RING_CORRUPT',
      `queue at ${this.#queue.address}: lane=${lane} is corrupt at position ${position}`,
      { hint: 'The lane is not read any more; the others are. What was taken before is good.' },
    );
  }
}

/** A free slot, or else one whose consumer died. */
function takeSlot(queue: QueuePlace, owner: bigint): { slot: number; isAdopted: boolean } {
  const { arena, plan } = queue;
  const addresses = Array.from(
    { length: plan.consumers },
    (_, slot) => slotAddress(queue, slot) + QUEUE_SLOT_OWNER_OFFSET,
  );
  const refused = `queue ${JSON.stringify(plan.name)}: every slot has a consumer: consumers=consumersMax`;
  const { number, isAdopted } = takePlace(arena, addresses, owner, refused);
  return { slot: number, isAdopted };
}
