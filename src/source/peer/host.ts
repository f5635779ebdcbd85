// The peer source's host: makes an arena with one ring for each peer, and maps these rings into the engine's own arena, as the kernel's ring is.
//
// A peer gets the arena of its own ring: it can spoil that one, and reaches neither the other peers' nor anything else of the engine. That it may write
// there at any time is the reader's concern (assembly/peer.ts).

import fs from 'node:fs';
import { ARENA_REGION_RING, ARENA_REGION_SCRATCH } from '../../../layout/arena.ts';
import {
  PEER_SCRATCH_LANES_OFFSET,
  PEER_SCRATCH_LENGTH,
  PEER_SCRATCH_NUMBER,
  PEERS_MAX,
} from '../../../layout/peer.ts';
import { RING_CONSUMER_OWNER_OFFSET, RING_CONSUMER_PARKED_OFFSET } from '../../../layout/ring.ts';
import { Arena } from '../../arena/arena.ts';
import { describeOwner, newOwner } from '../../arena/owner.ts';
import { createRing, ringRegionLength } from '../../arena/ring.ts';
import { instantiate } from '../../arena/wasm.ts';
import { CausewayError } from '../../base/errors.ts';
import { prepareRing } from '../ring-writer.ts';
import type { PeerDescription, SourceHost, SourceOptions, SourcePlan } from '../source.ts';
import type { PeerDetails } from './reader.ts';
import { PEER_RING_NUMBER, PeerSlot, wokenIndex } from './slots.ts';

export interface PeerChoice {
  /** true: a memfd. A path, best in /dev/shm: with several producers, `.0`, `.1` ... are appended. */
  peer: true | string;
  producers: number;
}

/**
 * options.paths is not looked at: a peer tells what it knows. Operations and processes are filtered by ingestion.
 * @throws CausewayError as Arena.create({ share }): CAPABILITY_MISSING, ARENA_BUSY, PATH_MISSING, PATH_DENIED, SYSTEM_CALL_FAILED.
 */
export function attachPeer(arena: Arena, options: SourceOptions, choice: PeerChoice): SourceHost {
  const host = new PeerHost(arena, options);
  try {
    for (let lane = 0; lane < Math.min(choice.producers, PEERS_MAX); lane++) host.add(lane, shareOf(choice, lane));
    return host.ready();
  } catch (error) {
    host.close();
    throw error;
  }
}

function shareOf({ peer, producers }: PeerChoice, lane: number): true | string {
  return peer === true || producers === 1 ? peer : `${peer}.${lane}`;
}

interface Listening {
  slot: PeerSlot;
  arena: Arena;
  handle: string;
}

class PeerHost implements SourceHost {
  readonly kind = 'peer';
  readonly #arena: Arena;
  readonly #options: SourceOptions;
  readonly #peers: Listening[] = [];
  readonly #owner = newOwner();
  readonly #ringLength: number;
  #plan: SourcePlan | undefined;
  #last: PeerDescription[] | undefined;

  constructor(arena: Arena, options: SourceOptions) {
    if (arena.native === undefined) {
      throw new CausewayError('CAPABILITY_MISSING', 'peers share memory through koffi, which is not available here');
    }
    if (options.followFork) {
      throw new CausewayError('CAPABILITY_MISSING', 'the peer source does not know which process starts which', {
        hint: 'Name all pids, without followFork.',
      });
    }
    this.#arena = arena;
    this.#options = options;
    this.#ringLength = ringRegionLength(options.ringCapacity);
    const scratch = arena.region(ARENA_REGION_SCRATCH, PEER_SCRATCH_NUMBER).address;
    arena.slice(scratch, PEER_SCRATCH_LENGTH).fill(0);
  }

  get plan(): SourcePlan {
    if (this.#plan === undefined) throw new Error('a host that is not ready');
    return this.#plan;
  }

  get description(): string {
    const handles = this.#peers.map(({ handle }) => handle).join(', ');
    return `peer, ring ${this.#options.ringCapacity / 1024} KiB: ${handles}`;
  }

  add(lane: number, share: true | string): void {
    const length = this.#ringLength;
    const arena = Arena.create({ regions: [{ kind: ARENA_REGION_RING, number: lane, length }], share });
    const handle = arena.handle ?? '';
    const slot = new PeerSlot(
      this.#arena,
      lane,
      this.#arena.region(ARENA_REGION_RING, PEER_RING_NUMBER + lane).address,
    );
    this.#peers.push({ slot, arena, handle });
    this.#map(slot.ring, handle, arena.region(ARENA_REGION_RING, lane).address);
    Atomics.store(this.#arena.u64, (slot.ring + RING_CONSUMER_OWNER_OFFSET) / 8, this.#owner);
    // Last: a producer that finds the ring finds the engine that listens.
    createRing(instantiate(this.#arena), { address: slot.ring, capacity: this.#options.ringCapacity });
  }

  ready(): this {
    const { ringCapacity, ops, pids } = this.#options;
    const ring = prepareRing(this.#arena, ringCapacity);
    const details: PeerDetails = {
      rings: this.#peers.map(({ slot }) => slot.ring),
      regionLength: this.#ringLength,
    };
    this.#plan = {
      kind: 'peer',
      ringAddress: ring.address,
      ringCapacity: ring.capacity,
      doubleMapped: false,
      lanesAddress: this.#arena.region(ARENA_REGION_SCRATCH, PEER_SCRATCH_NUMBER).address + PEER_SCRATCH_LANES_OFFSET,
      wanted: { ops: [...ops], pids: [...pids] },
      details: { ...details },
    };
    return this;
  }

  counters(): { produced: bigint; dropped: Record<string, bigint> } {
    let produced = 0n;
    for (const { slot } of this.#peers) produced += slot.handedOver;
    const ringFull = this.peers().reduce((sum, { dropped }) => sum + dropped, 0n);
    return { produced, dropped: { ringFull } };
  }

  peers(): PeerDescription[] {
    return this.#last ?? this.#peers.map(describe);
  }

  addPid(): void {
    throw new CausewayError('CONFIG_INVALID', 'the peer source takes its pids when it is opened');
  }

  /** Step 2 of the argument in reader.ts. */
  wake(): void {
    const { i32 } = this.#arena;
    const index = wokenIndex(this.#arena);
    Atomics.store(i32, index, 1);
    Atomics.notify(i32, index);
    for (const { slot } of this.#peers) {
      slot.park(0);
      slot.wake(RING_CONSUMER_PARKED_OFFSET);
    }
  }

  close(): void {
    if (this.#last !== undefined) return;
    this.#last = this.#peers.map(describe);
    for (const { slot, arena } of this.#peers) {
      Atomics.compareExchange(this.#arena.u64, (slot.ring + RING_CONSUMER_OWNER_OFFSET) / 8, this.#owner, 0n);
      this.#arena.unmap(slot.ring, this.#ringLength);
      arena.close();
    }
  }

  #map(address: number, handle: string, fileOffset: number): void {
    const fd = fs.openSync(handle, 'r+');
    try {
      this.#arena.mapFile({ address, length: this.#ringLength, fd, fileOffset: BigInt(fileOffset), writable: true });
    } finally {
      fs.closeSync(fd);
    }
  }
}

function describe({ slot, handle }: Listening): PeerDescription {
  const { lane, isDetached, records } = slot;
  // The ring of a peer that was detached is mapped no more.
  if (isDetached) return { lane, handle, state: 'detached', pid: undefined, records, dropped: 0n };
  const { owner, claimedDropped: dropped } = slot;
  if (owner === 0n) return { lane, handle, state: 'free', pid: undefined, records, dropped };
  const { alive, pid } = describeOwner(owner);
  return { lane, handle, state: alive ? 'attached' : 'ended', pid, records, dropped };
}
