// What a shared arena holds at one moment, read through a mapping that cannot be written. Nothing that is read there is trusted: a queue or pool that breaks its
// rules is reported as such, and the others beside it are shown.

import * as layout from '../../../layout/arena.ts';
import {
  QUEUE_ROOM_SLEEPERS_OFFSET,
  QUEUE_SLEEPERS_OFFSET,
  QUEUE_SLOT_DELIVERED_OFFSET,
  QUEUE_SLOT_LAPPED_OFFSET,
} from '../../../layout/queue.ts';
import {
  RING_CAPACITY_OFFSET,
  RING_CONSUMER_OWNER_OFFSET,
  RING_CONSUMER_POSITION_OFFSET,
  RING_DATA_OFFSET,
  RING_DROPPED_OFFSET,
  RING_MAGIC,
  RING_MAGIC_OFFSET,
  RING_PRODUCER_OWNER_OFFSET,
  RING_PRODUCER_POSITION_OFFSET,
} from '../../../layout/ring.ts';
import { Arena, type Region } from '../../arena/arena.ts';
import { describeOwner } from '../../arena/owner.ts';
import { checkCapacity } from '../../arena/ring.ts';
import { instantiate, type Wasm } from '../../arena/wasm.ts';
import { CausewayError, messageOf } from '../../base/errors.ts';
import { regionName } from '../../queue/connection.ts';
import { type QueuePlace, slotAddress } from '../../queue/place.ts';
import { type PoolStats, readPoolOwners, readPoolStats } from '../../queue/pool.ts';
import { Queue } from '../../queue/queue.ts';
import type { LaneStats } from '../../queue/stats.ts';

/** Of a pool, so many owners are looked up and shown: those with the most records. */
const POOL_OWNERS_SHOWN = 8;
/** A fill that is read while both sides go on may exceed the capacity; one that always does is damage. */
const FILL_TRIES = 3;

export interface OwnerData {
  pid: number | null;
  tid: number;
  comm: string | null;
  alive: boolean;
}

export interface RegionData {
  kind: string;
  number: number;
  address: number;
  length: number;
}

export interface LaneData {
  lane: number;
  owner: OwnerData | null;
  produced: bigint;
  dropped: bigint;
  /** Bytes that wait; null where nobody is waited for. */
  waitingBytes: number | null;
}

export interface ConsumerData {
  slot: number;
  owner: OwnerData;
  delivered: bigint;
  lapped: bigint;
  asleep: boolean;
  joined: boolean;
}

/** Since the arena was made. */
export interface QueueCounts {
  produced: bigint;
  delivered: bigint;
  dropped: bigint;
  lapped: bigint;
}

export interface QueueData {
  name: string;
  number: number;
  mode: string;
  producersMax: number;
  consumersMax: number;
  laneCapacity: number;
  recordLengthMax: number;
  closed: boolean;
  counts: QueueCounts;
  /** A second, since the last look; null at the first. */
  rates: Record<keyof QueueCounts, number> | null;
  waitingBytes: number | null;
  sleepingProducers: number;
  sleepingConsumers: number;
  abandonedProducers: bigint;
  deadConsumers: bigint;
  redelivered: bigint;
  expired: bigint;
  lanes: LaneData[];
  consumers: ConsumerData[];
}

export interface PoolData extends PoolStats {
  name: string;
  number: number;
  owners: { owner: OwnerData; records: number }[];
}

export interface RingData {
  number: number;
  capacity: number;
  waitingBytes: number;
  /** Bytes, since the ring was made. */
  produced: bigint;
  consumed: bigint;
  /** Bytes a second, since the last look; null at the first. */
  rates: { produced: number; consumed: number } | null;
  dropped: bigint;
  producer: OwnerData | null;
  consumer: OwnerData | null;
}

/** What cannot be read, and why. */
export interface DamagedData {
  kind: string;
  number: number;
  code: string;
  message: string;
}

export interface ArenaData {
  handle: string;
  /** Bytes that are shared. */
  length: number;
  creator: OwnerData;
  regions: RegionData[];
  queues: QueueData[];
  pools: PoolData[];
  rings: RingData[];
  damaged: DamagedData[];
}

const KIND_NAMES = new Map<number, string>([
  [layout.ARENA_REGION_RING, 'ring'],
  [layout.ARENA_REGION_KERNEL_WINDOW, 'kernel window'],
  [layout.ARENA_REGION_KERNEL_CONTROL, 'kernel control'],
  [layout.ARENA_REGION_JOURNAL_WINDOW, 'journal window'],
  [layout.ARENA_REGION_SCRATCH, 'scratch'],
  [layout.ARENA_REGION_QUEUE, 'queue'],
  [layout.ARENA_REGION_POOL, 'pool'],
  [layout.ARENA_REGION_DEDUP, 'dedup'],
  [layout.ARENA_REGION_METADATA, 'metadata'],
  [layout.ARENA_REGION_ENDPOINTS, 'endpoints'],
]);

export class ArenaInspector {
  readonly #handle: string;
  readonly #arena: Arena;
  readonly #wasm: Wasm;
  /** By address of the queue or ring. */
  readonly #last = new Map<number, { counts: Record<string, bigint>; atMs: number }>();

  private constructor(handle: string, arena: Arena) {
    this.#handle = handle;
    this.#arena = arena;
    this.#wasm = instantiate(arena);
  }

  /** @throws CausewayError as Arena.open does. */
  static open(handle: string): ArenaInspector {
    try {
      return new ArenaInspector(handle, Arena.open(handle, { readOnly: true }));
    } catch (error) {
      // A memory of the length that its header claims cannot be had.
      if (error instanceof RangeError) throw new CausewayError('ARENA_FULL', `arena ${handle}: ${error.message}`);
      throw error;
    }
  }

  look(): ArenaData {
    const damaged: DamagedData[] = [];
    const each = <Data>(wanted: number, read: (region: Region) => Data): Data[] =>
      this.#arena
        .regions()
        .filter(({ kind }) => kind === wanted)
        .flatMap((region) => {
          try {
            return [read(region)];
          } catch (error) {
            damaged.push(damageOf(region, error));
            return [];
          }
        });
    const { view } = this.#arena;
    return {
      handle: this.#handle,
      length: Number(view.getBigUint64(layout.ARENA_SHARED_END_OFFSET, true)),
      creator: ownerData(view.getBigUint64(layout.ARENA_CREATOR_OFFSET, true)),
      regions: this.#arena.regions().map(({ kind, ...rest }) => ({ kind: kindName(kind), ...rest })),
      queues: each(layout.ARENA_REGION_QUEUE, (region) => this.#queue(region)),
      pools: each(layout.ARENA_REGION_POOL, (region) => this.#pool(region)),
      rings: each(layout.ARENA_REGION_RING, (region) => this.#ring(region)),
      damaged,
    };
  }

  close(): void {
    this.#arena.close();
  }

  #queue(region: Region): QueueData {
    const queue = Queue.open(this.#arena, region, this.#wasm);
    const { name, mode, lanes, consumers, laneCapacity, recordLengthMax } = queue.plan;
    const stats = readUntilPossible(queue);
    const counts: QueueCounts = {
      produced: stats.lanes.reduce((sum, lane) => sum + lane.produced, 0n),
      delivered: sumSlots(queue, QUEUE_SLOT_DELIVERED_OFFSET),
      dropped: stats.lanes.reduce((sum, lane) => sum + lane.dropped, 0n),
      lapped: sumSlots(queue, QUEUE_SLOT_LAPPED_OFFSET),
    };
    const waiting = stats.lanes.map(({ waitingBytes }) => waitingBytes);
    return {
      name,
      number: region.number,
      mode,
      producersMax: lanes,
      consumersMax: consumers,
      laneCapacity,
      recordLengthMax,
      closed: stats.isClosed,
      counts,
      rates: this.#rates(region.address, counts),
      waitingBytes: mode === 'broadcast-lossy' ? null : waiting.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0),
      sleepingProducers: bitsIn(queue, QUEUE_ROOM_SLEEPERS_OFFSET),
      sleepingConsumers: bitsIn(queue, QUEUE_SLEEPERS_OFFSET),
      abandonedProducers: stats.abandonedProducers,
      deadConsumers: stats.deadConsumers,
      redelivered: stats.redelivered,
      expired: stats.expired,
      lanes: stats.lanes.map((lane, number) => laneData(lane, number)),
      consumers: stats.consumers.map(({ slot, owner, delivered, lapped, isAsleep, isJoined }) => ({
        slot,
        owner: ownerData(owner),
        delivered,
        lapped,
        asleep: isAsleep,
        joined: isJoined,
      })),
    };
  }

  #rates<Name extends string>(address: number, counts: Record<Name, bigint>): Record<Name, number> | null {
    const atMs = performance.now();
    const last = this.#last.get(address);
    this.#last.set(address, { counts, atMs });
    if (last === undefined) return null;
    const seconds = Math.max(1e-3, (atMs - last.atMs) / 1000);
    const rates = Object.entries<bigint>(counts).map(([name, count]) => {
      // A count that goes back is not to be believed.
      return [name, Math.max(0, Number(count - (last.counts[name] ?? count))) / seconds];
    });
    return Object.fromEntries(rates) as Record<Name, number>;
  }

  #pool(region: Region): PoolData {
    const stats = readPoolStats(this.#arena, region);
    const owners = [...readPoolOwners(this.#arena, region)].sort(([, a], [, b]) => b - a).slice(0, POOL_OWNERS_SHOWN);
    return {
      name: regionName(this.#arena, region) ?? '',
      number: region.number,
      ...stats,
      owners: owners.map(([owner, records]) => ({ owner: ownerData(owner), records })),
    };
  }

  #ring({ number, address, length }: Region): RingData {
    const { view, u64 } = this.#arena;
    const capacity = view.getUint32(address + RING_CAPACITY_OFFSET, true);
    const magic = view.getUint32(address + RING_MAGIC_OFFSET, true);
    const word = (offset: number): bigint => Atomics.load(u64, (address + offset) / 8);
    if (magic !== RING_MAGIC || RING_DATA_OFFSET + checkCapacity(capacity) > length) {
      throw new CausewayError(
        'RING_CORRUPT',
        `ring at ${address}: magic=${magic}, capacity=${capacity}, region=${length}`,
      );
    }
    // The consumer first: it is never ahead of a producer that is read later.
    const consumer = word(RING_CONSUMER_POSITION_OFFSET);
    const producer = word(RING_PRODUCER_POSITION_OFFSET);
    if (producer < consumer) {
      throw new CausewayError(
        'RING_CORRUPT',
        `ring at ${address}: consumerPosition=${consumer}, producerPosition=${producer}`,
      );
    }
    return {
      number,
      capacity,
      waitingBytes: Math.min(Number(producer - consumer), capacity),
      produced: producer,
      consumed: consumer,
      rates: this.#rates(address, { produced: producer, consumed: consumer }),
      dropped: word(RING_DROPPED_OFFSET),
      producer: ownerOrNull(word(RING_PRODUCER_OWNER_OFFSET)),
      consumer: ownerOrNull(word(RING_CONSUMER_OWNER_OFFSET)),
    };
  }
}

/** @throws CausewayError RING_CORRUPT naming lane and position. */
function readUntilPossible(queue: Queue): ReturnType<Queue['stats']> {
  const { laneCapacity } = queue.plan;
  const isPossible = ({ waitingBytes = 0 }: LaneStats): boolean => waitingBytes >= 0 && waitingBytes <= laneCapacity;
  for (let tries = 1; ; tries++) {
    const stats = queue.stats();
    const lane = stats.lanes.findIndex((one) => !isPossible(one));
    if (lane < 0) return stats;
    if (tries < FILL_TRIES) continue;
    const { position = 0n, waitingBytes } = stats.lanes[lane] ?? {};
    throw new CausewayError(
      'RING_CORRUPT',
      `queue ${JSON.stringify(queue.plan.name)}: lane=${lane}, position=${position}: waitingBytes=${waitingBytes}, ` +
        `laneCapacity=${laneCapacity}`,
    );
  }
}

/** Over all slots, those that nobody has any more as well. */
function sumSlots(queue: QueuePlace, offset: number): bigint {
  let sum = 0n;
  for (let slot = 0; slot < queue.plan.consumers; slot++) {
    sum += Atomics.load(queue.arena.u64, (slotAddress(queue, slot) + offset) / 8);
  }
  return sum;
}

function bitsIn(queue: QueuePlace, offset: number): number {
  let word = Atomics.load(queue.arena.i32, (queue.address + offset) / 4) >>> 0;
  let bits = 0;
  for (; word !== 0; word >>>= 1) bits += word & 1;
  return bits;
}

function laneData({ owner, produced, dropped, waitingBytes }: LaneStats, lane: number): LaneData {
  return { lane, owner: ownerOrNull(owner), produced, dropped, waitingBytes: waitingBytes ?? null };
}

function ownerOrNull(token: bigint): OwnerData | null {
  return token === 0n ? null : ownerData(token);
}

function ownerData(token: bigint): OwnerData {
  const { pid, tid, comm, alive } = describeOwner(token);
  return { pid: pid ?? null, tid, comm: comm ?? null, alive };
}

function damageOf({ kind, number }: Region, error: unknown): DamagedData {
  const code = error instanceof CausewayError ? error.code : 'RING_CORRUPT';
  return { kind: kindName(kind), number, code, message: messageOf(error) };
}

function kindName(kind: number): string {
  return KIND_NAMES.get(kind) ?? `kind ${kind}`;
}
