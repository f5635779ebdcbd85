// Where the rings of the peers lie in the engine's arena, and the small words of the source's scratch (layout/peer.ts).

import { ARENA_REGION_SCRATCH } from '../../../layout/arena.ts';
import {
  PEER_MODE_DETACHED,
  PEER_SCRATCH_LANES_OFFSET,
  PEER_SCRATCH_NUMBER,
  PEER_SCRATCH_WOKEN_OFFSET,
  PEER_SLOT_LENGTH,
  PEER_SLOT_MODE_OFFSET,
  PEER_SLOT_RECORDS_OFFSET,
} from '../../../layout/peer.ts';
import {
  RING_CONSUMER_PARKED_OFFSET,
  RING_DROPPED_OFFSET,
  RING_HANDED_OVER_OFFSET,
  RING_NUMBERED_OFFSET,
  RING_PRODUCER_OWNER_OFFSET,
} from '../../../layout/ring.ts';
import type { Arena } from '../../arena/arena.ts';

/** Region of the first peer's ring, by number; region 0 is our own ring. */
export const PEER_RING_NUMBER = 1;

const FUTEX_WAKE = 1;

/** One peer, as any thread of the engine sees it. What lies in its ring may be anything at any time. */
export class PeerSlot {
  readonly lane: number;
  /** Address of the ring in the engine's arena. */
  readonly ring: number;
  readonly address: number;
  readonly #arena: Arena;
  readonly #lane: number;

  constructor(arena: Arena, lane: number, ring: number) {
    const scratch = arena.region(ARENA_REGION_SCRATCH, PEER_SCRATCH_NUMBER).address;
    this.#arena = arena;
    this.lane = lane;
    this.ring = ring;
    this.address = scratch + lane * PEER_SLOT_LENGTH;
    this.#lane = (scratch + PEER_SCRATCH_LANES_OFFSET) / 8 + lane;
  }

  get isDetached(): boolean {
    return Atomics.load(this.#arena.i32, (this.address + PEER_SLOT_MODE_OFFSET) / 4) === PEER_MODE_DETACHED;
  }

  setDetached(): void {
    Atomics.store(this.#arena.i32, (this.address + PEER_SLOT_MODE_OFFSET) / 4, PEER_MODE_DETACHED);
  }

  /** Records taken over. */
  get records(): bigint {
    return Atomics.load(this.#arena.u64, (this.address + PEER_SLOT_RECORDS_OFFSET) / 8);
  }

  /** Highest lane sequence that is known to be in our own ring, or lost. */
  get handedOver(): bigint {
    return Atomics.load(this.#arena.u64, this.#lane);
  }

  set handedOver(sequence: bigint) {
    Atomics.store(this.#arena.u64, this.#lane, sequence);
  }

  /** 0n = nobody. */
  get owner(): bigint {
    return this.#load(RING_PRODUCER_OWNER_OFFSET);
  }

  get claimedNumbered(): bigint {
    return this.#load(RING_NUMBERED_OFFSET);
  }

  get claimedHandedOver(): bigint {
    return this.#load(RING_HANDED_OVER_OFFSET);
  }

  get claimedDropped(): bigint {
    return this.#load(RING_DROPPED_OFFSET);
  }

  /** Says that the engine sleeps, or not any more. True when a peer has ended the sleep. */
  park(value: 0 | 1): boolean {
    return Atomics.exchange(this.#arena.i32, (this.ring + RING_CONSUMER_PARKED_OFFSET) / 4, value) === 0;
  }

  /** Wakes whoever sleeps on a word of the ring, in this process or another. */
  wake(offset: number): void {
    this.#arena.native?.futex(this.#arena.slice(this.ring + offset, 4), FUTEX_WAKE, 1, null);
  }

  #load(offset: number): bigint {
    return Atomics.load(this.#arena.u64, (this.ring + offset) / 8);
  }
}

/** Index in arena.i32 of the word by which the engine's thread asks for the reader's thread. */
export function wokenIndex(arena: Arena): number {
  return (arena.region(ARENA_REGION_SCRATCH, PEER_SCRATCH_NUMBER).address + PEER_SCRATCH_WOKEN_OFFSET) / 4;
}
