// Pools for TypeScript (assembly/pool.ts): records of one length that any thread of any process takes and gives back. A handle belongs to the thread that opened it; what it
// has taken comes back when it is closed, or by reclaimDead() when its thread or process has died.

import { ARENA_REGION_POOL } from '../../layout/arena.ts';
import {
  POOL_CAPACITY_MAX,
  POOL_CAPACITY_OFFSET,
  POOL_COUNT_ADOPTED_OFFSET,
  POOL_COUNT_FALLBACKS_OFFSET,
  POOL_COUNT_FULL_OFFSET,
  POOL_COUNT_GIVES_OFFSET,
  POOL_COUNT_HITS_OFFSET,
  POOL_COUNT_REFUSED_OFFSET,
  POOL_COUNT_TAKES_OFFSET,
  POOL_HINTS_OFFSET,
  POOL_LENGTH_OFFSET,
  POOL_LINE_LENGTH,
  POOL_MAGIC,
  POOL_MAGIC_OFFSET,
  POOL_RECLAIMED_OFFSET,
  POOL_RECORD_LENGTH_MAX,
  POOL_RECORD_LENGTH_OFFSET,
  POOL_REPAIRED_OFFSET,
  POOL_USERS_OFFSET,
} from '../../layout/pool.ts';
import { STATUS_FULL, STATUS_NO_RECORD, STATUS_NOT_TAKEN } from '../../layout/status.ts';
import type { Arena, Region, RegionRequest } from '../arena/arena.ts';
import { isOwnerAlive } from '../arena/owner.ts';
import { instantiate, type Wasm } from '../arena/wasm.ts';
import { CausewayError } from '../base/errors.ts';
import { StructureUser, sumCounts } from './user-row.ts';

export interface PoolOptions {
  /** Records: 1 to 1,048,576. */
  capacity: number;
  /** Bytes of each; every record begins at a multiple of 8. */
  recordLength: number;
}

export interface PoolStats {
  capacity: number;
  recordLength: number;
  inUse: number;
  takes: number;
  gives: number;
  /** Takes whose first hint was right. */
  hits: number;
  /** hits / takes; 1 before the first take. */
  hitRate: number;
  /** Takes that had to look at the owners of records, because a hint was lost with somebody who died. */
  fallbacks: number;
  /** Takes that found no free record. */
  full: number;
  /** Gives that were refused. */
  refused: number;
  adopted: number;
  /** Records that came back from the dead and from handles that were closed. */
  reclaimed: number;
  repairedHints: number;
}

interface PoolPlan extends PoolOptions {
  stride: number;
  ownersOffset: number;
  recordsOffset: number;
  length: number;
}

/** The region that a pool with these options needs: pass it to Arena.create, then the region to Pool.create. */
export function poolRegion(options: PoolOptions, number = 0): RegionRequest {
  return { kind: ARENA_REGION_POOL, number, length: planPool(options).length };
}

/** Figures of a pool without a handle, also through a read-only mapping. @throws CausewayError POOL_CORRUPT */
export function readPoolStats(arena: Arena, region: Region): PoolStats {
  return statsOf(arena, region.address, readPlan(arena, region));
}

/** How many records each owner has. @throws CausewayError POOL_CORRUPT */
export function readPoolOwners(arena: Arena, region: Region): Map<bigint, number> {
  return ownersOf(arena, region.address, readPlan(arena, region));
}

export class Pool {
  readonly arena: Arena;
  readonly address: number;
  readonly capacity: number;
  readonly recordLength: number;
  readonly #wasm: Wasm;
  readonly #plan: PoolPlan;
  readonly #user: StructureUser;
  #releasedCount = 0;
  #isClosed = false;

  private constructor(arena: Arena, wasm: Wasm, address: number, plan: PoolPlan) {
    this.arena = arena;
    this.address = address;
    this.capacity = plan.capacity;
    this.recordLength = plan.recordLength;
    this.#wasm = wasm;
    this.#plan = plan;
    const { capacity, stride } = plan;
    const owners = address + plan.ownersOffset;
    const records = address + plan.recordsOffset;
    this.#user = new StructureUser(arena, address + POOL_USERS_OFFSET, {
      name: `pool at ${address}`,
      begin: (state, row, owner) => wasm.poolUserInit(state, address, capacity, stride, owners, records, row, owner),
      release: (state, dead) => {
        this.#releasedCount += wasm.poolReclaim(state, dead);
      },
    });
  }

  /**
   * Makes a pool in a region of zeros; everything is free.
   * @throws CausewayError CONFIG_INVALID naming the option; ARENA_FULL when the region is too short, or the process has no endpoint left.
   */
  static create(arena: Arena, region: Region, options: PoolOptions, wasm: Wasm = instantiate(arena)): Pool {
    const plan = planPool(options);
    if (region.length < plan.length) {
      throw new CausewayError('ARENA_FULL', `pool: length=${plan.length}, region length=${region.length}`);
    }
    wasm.poolInit(region.address, plan.capacity, plan.recordLength, plan.length);
    return new Pool(arena, wasm, region.address, plan);
  }

  /**
   * A handle of this thread on the pool that somebody has made in this region.
   * @throws CausewayError POOL_CORRUPT with what was found and expected; ARENA_FULL when there are too many handles.
   */
  static open(arena: Arena, region: Region, wasm: Wasm = instantiate(arena)): Pool {
    return new Pool(arena, wasm, region.address, readPlan(arena, region));
  }

  /** The token under which this handle has its records: what `adopt` of another handle takes. */
  get owner(): bigint {
    return this.#user.owner;
  }

  /** Address of this handle's private state, for callers in wasm: what the `pool...` exports take first. @throws CausewayError HANDLE_CLOSED */
  get state(): number {
    return this.#user.state;
  }

  /** Address of a record that is ours from now on, or undefined when all are taken. Its bytes are what the last owner left there. */
  take(): number | undefined {
    const answer = this.#wasm.poolTake(this.state);
    return answer === STATUS_FULL ? undefined : answer >>> 0;
  }

  /**
   * Gives a record of ours back.
   * @throws CausewayError POOL_NO_RECORD, POOL_NOT_TAKEN when it is given twice, POOL_NOT_OWNER when somebody else has it. Nothing has changed then.
   */
  give(address: number): void {
    this.#check(this.#wasm.poolGive(this.state, address), address, this.owner);
  }

  /**
   * Takes over a record that `from` has: how one goes from thread to thread, along with its address and the sender's `owner` in a message. If the sender has
   * died and its records came back meanwhile, the record is not its any more, and this says so.
   * @throws CausewayError POOL_NO_RECORD, POOL_NOT_TAKEN, POOL_NOT_OWNER.
   */
  adopt(address: number, from: bigint): void {
    this.#check(this.#wasm.poolAdopt(this.state, address, from), address, from);
  }

  /** The bytes of the record at this address. */
  bytes(address: number): Uint8Array<SharedArrayBuffer> {
    return this.arena.slice(address, this.recordLength);
  }

  /** Gives back what the dead still had, and mends what they left: how many records. Looks at every record and into /proc: for slow paths. */
  reclaimDead(): number {
    const { state } = this;
    this.#releasedCount = 0;
    this.#user.releaseDead();
    // Owners without a row: somebody has scribbled over the rows.
    for (const owner of this.owners().keys()) {
      if (!isOwnerAlive(owner)) this.#releasedCount += this.#wasm.poolReclaim(state, owner);
    }
    this.#wasm.poolRepair(state);
    return this.#releasedCount;
  }

  /** How many records each owner has. */
  owners(): Map<bigint, number> {
    return ownersOf(this.arena, this.address, this.#plan);
  }

  stats(): PoolStats {
    return statsOf(this.arena, this.address, this.#plan);
  }

  /** Gives back what this handle still has: how many records. Nothing happens the second time. */
  close(): number {
    if (this.#isClosed) return 0;
    this.#isClosed = true;
    const count = this.#wasm.poolReclaim(this.state, this.owner);
    this.#user.close();
    return count;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #check(answer: number, address: number, expected: bigint): void {
    if (answer > 0) return;
    const what = `pool at ${this.address}: record ${address}`;
    if (answer === STATUS_NO_RECORD) {
      const { stride, capacity, recordsOffset } = this.#plan;
      const shape = `first=${this.address + recordsOffset}, stride=${stride}, capacity=${capacity}`;
      throw new CausewayError('POOL_NO_RECORD', `${what}: no record begins there: ${shape}`);
    }
    if (answer === STATUS_NOT_TAKEN) throw new CausewayError('POOL_NOT_TAKEN', `${what}: nobody has it`);
    throw new CausewayError('POOL_NOT_OWNER', `${what}: it does not belong to ${expected}`);
  }
}

function planPool({ capacity, recordLength }: PoolOptions): PoolPlan {
  checkNumber('capacity', capacity, POOL_CAPACITY_MAX);
  checkNumber('recordLength', recordLength, POOL_RECORD_LENGTH_MAX);
  const stride = roundUp(recordLength, 8);
  const ownersOffset = roundUp(POOL_HINTS_OFFSET + Math.ceil(capacity / 64) * 8, POOL_LINE_LENGTH);
  const recordsOffset = roundUp(ownersOffset + capacity * 8, POOL_LINE_LENGTH);
  const length = recordsOffset + capacity * stride;
  if (length > 0xffffffff) {
    throw new CausewayError(
      'CONFIG_INVALID',
      `pool: capacity=${capacity}, recordLength=${recordLength}: length=${length}`,
    );
  }
  return { capacity, recordLength, stride, ownersOffset, recordsOffset, length };
}

function checkNumber(option: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= max) return;
  throw new CausewayError('CONFIG_INVALID', `pool: ${option}=${value}, min=1, max=${max}`);
}

/** The plan of the pool in this region. Its header is read once; nothing that is read from it later is trusted. */
function readPlan(arena: Arena, region: Region): PoolPlan {
  const where = `pool at ${region.address}`;
  // Pairs with the store in poolInit.
  const magic = Atomics.load(arena.i32, (region.address + POOL_MAGIC_OFFSET) / 4);
  const word = (offset: number): number => arena.view.getUint32(region.address + offset, true);
  const options = { capacity: word(POOL_CAPACITY_OFFSET), recordLength: word(POOL_RECORD_LENGTH_OFFSET) };
  const claimedLength = word(POOL_LENGTH_OFFSET);
  const isPossible =
    options.capacity >= 1 &&
    options.capacity <= POOL_CAPACITY_MAX &&
    options.recordLength >= 1 &&
    options.recordLength <= POOL_RECORD_LENGTH_MAX &&
    options.capacity * options.recordLength < region.length;
  if (magic !== POOL_MAGIC || !isPossible) {
    throw new CausewayError(
      'POOL_CORRUPT',
      `${where}: magic=${magic}, expected ${POOL_MAGIC}, ${JSON.stringify(options)}, region length=${region.length}`,
    );
  }
  const plan = planPool(options);
  if (plan.length !== claimedLength || plan.length > region.length) {
    throw new CausewayError(
      'POOL_CORRUPT',
      `${where}: length=${claimedLength}, expected ${plan.length}, region length=${region.length}`,
    );
  }
  return plan;
}

function ownersOf(arena: Arena, address: number, plan: PoolPlan): Map<bigint, number> {
  const first = (address + plan.ownersOffset) / 8;
  const owners = new Map<bigint, number>();
  for (let index = 0; index < plan.capacity; index++) {
    const owner = Atomics.load(arena.u64, first + index);
    if (owner !== 0n) owners.set(owner, (owners.get(owner) ?? 0) + 1);
  }
  return owners;
}

function statsOf(arena: Arena, address: number, plan: PoolPlan): PoolStats {
  const sum = (offset: number): number => sumCounts(arena, address + POOL_USERS_OFFSET, offset);
  const shared = (offset: number): number => Number(Atomics.load(arena.u64, (address + offset) / 8));
  const hits = sum(POOL_COUNT_HITS_OFFSET);
  const takes = sum(POOL_COUNT_TAKES_OFFSET);
  let inUse = 0;
  for (const count of ownersOf(arena, address, plan).values()) inUse += count;
  return {
    capacity: plan.capacity,
    recordLength: plan.recordLength,
    inUse,
    takes,
    gives: sum(POOL_COUNT_GIVES_OFFSET),
    hits,
    hitRate: takes === 0 ? 1 : hits / takes,
    fallbacks: sum(POOL_COUNT_FALLBACKS_OFFSET),
    full: sum(POOL_COUNT_FULL_OFFSET),
    refused: sum(POOL_COUNT_REFUSED_OFFSET),
    adopted: sum(POOL_COUNT_ADOPTED_OFFSET),
    reclaimed: shared(POOL_RECLAIMED_OFFSET),
    repairedHints: shared(POOL_REPAIRED_OFFSET),
  };
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
