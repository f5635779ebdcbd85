// The peer source's reader: takes the records of all peers over into our own ring, and sleeps until one of them, or the engine, wants the thread.
//
// No wake-up is missed:
//   1. The reader stores parked = 1 in every ring, then looks at the rings and at `woken`, and sleeps only if there is nothing.
//   2. A peer publishes, the engine's thread stores woken = 1; then it exchanges parked with 0 and, if it was 1, calls FUTEX_WAKE. One of the two sees the
//      other's store.
//   3. If that happens between the look and the sleep, the word is not 1 any more, and the kernel does not let the reader sleep.

import { GAP_CAUSE_PEER_CORRUPT } from '../../../layout/entry.ts';
import { PEER_SEQUENCE_MAX, PEER_SLOT_STOP_OFFSET } from '../../../layout/peer.ts';
import {
  RING_CONSUMER_OWNER_OFFSET,
  RING_CONSUMER_PARKED_OFFSET,
  RING_LOCAL_PRODUCER_STATE_OFFSET,
  RING_PRODUCER_PARKED_OFFSET,
  RING_STATE_CACHED_OFFSET,
  RING_STATE_POSITION_OFFSET,
} from '../../../layout/ring.ts';
import { STATUS_CORRUPT, STATUS_EMPTY } from '../../../layout/status.ts';
import type { Arena } from '../../arena/arena.ts';
import { FUTEX_SLICE_MS, timespecOf } from '../../arena/futex-group.ts';
import type { Native } from '../../arena/native.ts';
import { isOwnerAlive } from '../../arena/owner.ts';
import type { SpscProducer } from '../../arena/ring.ts';
import { instantiate, type Wasm } from '../../arena/wasm.ts';
import { CausewayError } from '../../base/errors.ts';
import { stderrLog } from '../log-line.ts';
import { localProducer } from '../ring-writer.ts';
import type { SourceLoss, SourcePlan, SourceReader } from '../source.ts';
import { PeerSlot, wokenIndex } from './slots.ts';

/** Taken over by one poll() at most, all peers together: as many as ingestion then takes at once. */
const RECORDS_PER_POLL = 512;
/** Dead producers are looked for this often, while there is nothing else to do. */
const OWNERS_CHECK_MS = 1000;
/** A peer that ends our sleep this often in a row without a record has no right to do so any more, until it has one. */
const IDLE_WAKES_MAX = 16;
/** The sleep where not everybody who may have something can end it. */
const SHORT_SLEEP_MS = 1;

const FUTEX_WAIT = 0;
/** struct futex_waitv (linux/futex.h): u64 value, u64 address, u32 flags, u32 reserved. */
const WAITER_LENGTH = 24;
const FUTEX_32 = 2;

export interface PeerDetails {
  /** Addresses of the peers' rings in the engine's arena, by lane. */
  rings: number[];
  /** Bytes of each. */
  regionLength: number;
}

interface Peer extends PeerSlot {
  idleWakes: number;
}

/** @throws CausewayError CAPABILITY_MISSING without koffi. */
export function openPeerReader(
  arena: Arena,
  plan: SourcePlan,
  options: { log?: (line: string) => void } = {},
): SourceReader {
  const { native } = arena;
  if (native === undefined) throw new CausewayError('CAPABILITY_MISSING', 'koffi is not available here');
  return new PeerReader(arena, native, plan, options.log ?? stderrLog());
}

class PeerReader implements SourceReader {
  readonly finished = false;
  readonly #arena: Arena;
  readonly #native: Native;
  readonly #wasm: Wasm;
  readonly #details: PeerDetails;
  readonly #producer: SpscProducer;
  readonly #producerState: number;
  readonly #woken: number;
  readonly #isMany: boolean;
  readonly #log: (line: string) => void;
  /** Those that are listened to. */
  #peers: Peer[];
  /** Whose turn it is to be first. */
  #first = 0;
  #losses: SourceLoss[] = [];
  #ownersCheckedMs = 0;
  #closed = false;

  constructor(arena: Arena, native: Native, plan: SourcePlan, log: (line: string) => void) {
    this.#arena = arena;
    this.#native = native;
    this.#wasm = instantiate(arena);
    this.#details = plan.details as unknown as PeerDetails;
    this.#log = log;
    this.#woken = wokenIndex(arena);
    this.#isMany = native.hasFutexWaitv();
    this.#producer = localProducer(arena, this.#wasm, { address: plan.ringAddress, capacity: plan.ringCapacity });
    this.#producerState = plan.ringAddress + RING_LOCAL_PRODUCER_STATE_OFFSET;
    const slots = this.#details.rings.map((ring, lane) => new PeerSlot(arena, lane, ring));
    // A predecessor may have died before it was told: rather twice than not at all.
    for (const slot of slots) if (slot.isDetached) this.#tellDetached(slot.lane);
    this.#peers = slots.filter((slot) => !slot.isDetached).map((slot) => Object.assign(slot, { idleWakes: 0 }));
    for (const peer of this.#peers) this.#wasm.peerInit(peer.address, peer.ring, plan.ringCapacity);
  }

  poll(): number {
    if (this.#closed) return 0;
    let left = RECORDS_PER_POLL;
    const peers = this.#inTurn();
    const handedOver = peers.map((peer) => peer.claimedHandedOver);
    for (const peer of peers) left -= this.#wasm.peerCopy(peer.address, this.#producerState, peer.lane, left);
    const written = RECORDS_PER_POLL - left;
    if (written > 0) this.#producer.publish();
    peers.forEach((peer, index) => {
      this.#afterCopy(peer, handedOver[index] ?? 0n);
    });
    return written;
  }

  #inTurn(): Peer[] {
    const peers = this.#peers;
    if (peers.length < 2) return peers;
    this.#first = (this.#first + 1) % peers.length;
    return [...peers.slice(this.#first), ...peers.slice(0, this.#first)];
  }

  /** What was copied is published: its room goes back, and what the peer has dropped behind it is known. */
  #afterCopy(peer: Peer, handedOver: bigint): void {
    if (this.#wasm.peerRelease(peer.address) === 1) peer.wake(RING_PRODUCER_PARKED_OFFSET);
    const stop = this.#arena.view.getInt32(peer.address + PEER_SLOT_STOP_OFFSET, true);
    if (stop === STATUS_CORRUPT) this.#detach(peer);
    // Loaded before the ring was seen to be empty: whatever is not in our own ring by now was dropped.
    else if (stop === STATUS_EMPTY) this.#raise(peer, handedOver);
  }

  #raise(peer: Peer, sequence: bigint): void {
    if (sequence > peer.handedOver && sequence <= BigInt(PEER_SEQUENCE_MAX)) peer.handedOver = sequence;
  }

  /** Everything before the place where the ring broke its rules was taken. */
  #detach(peer: Peer): void {
    peer.setDetached();
    this.#peers = this.#peers.filter((other) => other !== peer);
    this.#tellDetached(peer.lane);
    const position = this.#position(peer, RING_STATE_POSITION_OFFSET);
    this.#log(`peer ${peer.lane}: its ring is corrupt at position ${position}; it is not read any more`);
    // Its producer may ask whether anybody listens.
    Atomics.store(this.#arena.u64, (peer.ring + RING_CONSUMER_OWNER_OFFSET) / 8, 0n);
    this.#arena.unmap(peer.ring, this.#details.regionLength);
  }

  #tellDetached(lane: number): void {
    this.#losses.push({ cause: GAP_CAUSE_PEER_CORRUPT, from: 0n, to: 0n, count: 0n, lane });
  }

  wait(timeoutMs: number): void {
    if (this.#closed) return;
    const { i32 } = this.#arena;
    for (const peer of this.#peers) peer.park(1);
    let isIdle = false;
    if (Atomics.load(i32, this.#woken) === 0 && this.#peers.every((peer) => this.#isEmpty(peer))) {
      this.#checkOwners();
      this.#sleep(Math.min(timeoutMs, FUTEX_SLICE_MS));
      isIdle = Atomics.load(i32, this.#woken) === 0;
    }
    for (const peer of this.#peers) {
      const hasWoken = peer.park(0);
      peer.idleWakes = hasWoken && isIdle && this.#isEmpty(peer) ? peer.idleWakes + 1 : 0;
    }
    Atomics.store(i32, this.#woken, 0);
  }

  #isEmpty(peer: Peer): boolean {
    return this.#wasm.peerLook(peer.address) === STATUS_EMPTY;
  }

  #sleep(timeoutMs: number): void {
    const waiters = this.#peers.filter((peer) => peer.idleWakes < IDLE_WAKES_MAX);
    const [first] = waiters;
    if (first === undefined) {
      const isAlone = this.#peers.length === 0;
      Atomics.wait(this.#arena.i32, this.#woken, 0, isAlone ? timeoutMs : SHORT_SLEEP_MS);
      return;
    }
    const isEverybody = waiters.length === this.#peers.length && (waiters.length === 1 || this.#isMany);
    const sleepMs = isEverybody ? timeoutMs : SHORT_SLEEP_MS;
    const timeoutNs = BigInt(Math.ceil(sleepMs * 1e6));
    if (waiters.length === 1 || !this.#isMany) {
      this.#native.futex(this.#parkedWord(first), FUTEX_WAIT, 1, timespecOf(timeoutNs));
    } else {
      // Its time is a point of CLOCK_MONOTONIC.
      const end = timespecOf(process.hrtime.bigint() + timeoutNs);
      this.#native.futexWaitvSync(this.#waitersOf(waiters), waiters.length, end);
    }
  }

  #waitersOf(peers: readonly Peer[]): Uint8Array {
    const waiters = Buffer.alloc(WAITER_LENGTH * peers.length);
    peers.forEach((peer, index) => {
      const at = index * WAITER_LENGTH;
      waiters.writeBigUInt64LE(1n, at);
      waiters.writeBigUInt64LE(this.#native.addressOf(this.#parkedWord(peer)), at + 8);
      waiters.writeUInt32LE(FUTEX_32, at + 16);
    });
    return waiters;
  }

  #parkedWord(peer: Peer): Uint8Array {
    return this.#arena.slice(peer.ring + RING_CONSUMER_PARKED_OFFSET, 4);
  }

  /** What a producer that died had numbered and not handed over is lost: nobody will come back for it. */
  #checkOwners(): void {
    const now = performance.now();
    if (now - this.#ownersCheckedMs < OWNERS_CHECK_MS) return;
    this.#ownersCheckedMs = now;
    for (const peer of this.#peers) {
      const { owner } = peer;
      if (owner === 0n || peer.claimedNumbered <= peer.handedOver || isOwnerAlive(owner)) continue;
      // Read while it is dead and the ring is empty: nothing numbered so far can still come.
      const numbered = peer.claimedNumbered;
      if (this.#isEmpty(peer) && peer.owner === owner) this.#raise(peer, numbered);
    }
  }

  takeLosses(): SourceLoss[] {
    const losses = this.#losses;
    this.#losses = [];
    return losses;
  }

  /** Where each peer has published to. A peer that never pauses would keep poll() from ever finding nothing. */
  targets(): readonly bigint[] {
    const targets: bigint[] = [];
    for (const peer of this.#peers) {
      this.#wasm.peerLook(peer.address);
      targets[peer.lane] = this.#position(peer, RING_STATE_CACHED_OFFSET);
    }
    return targets;
  }

  reached(targets: readonly bigint[]): bigint | undefined {
    const isReached = (peer: Peer) => this.#position(peer, RING_STATE_POSITION_OFFSET) >= (targets[peer.lane] ?? 0n);
    return this.#peers.every(isReached) ? this.mark() : undefined;
  }

  mark(): bigint {
    return this.#producer.position;
  }

  #position(peer: Peer, offset: number): bigint {
    return this.#arena.view.getBigUint64(peer.address + offset, true);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#producer.release();
  }
}
