// Metadata caches for TypeScript (assembly/metadata-cache.ts): values of one length by keys of 16 bytes, shared by threads and processes, bounded, each until it expires.

import { randomBytes } from 'node:crypto';
import { ARENA_REGION_METADATA } from '../../layout/arena.ts';
import {
  METADATA_COUNT_DROPPED_OFFSET,
  METADATA_COUNT_EVICTED_OFFSET,
  METADATA_COUNT_EXPIRED_OFFSET,
  METADATA_COUNT_HITS_OFFSET,
  METADATA_COUNT_INVALIDATED_OFFSET,
  METADATA_COUNT_MISSES_OFFSET,
  METADATA_COUNT_STORED_OFFSET,
  METADATA_HIT,
  METADATA_KEY_LENGTH,
  METADATA_LENGTH_OFFSET,
  METADATA_MAGIC,
  METADATA_MAGIC_OFFSET,
  METADATA_SEED_OFFSET,
  METADATA_SETS_MAX,
  METADATA_SETS_OFFSET,
  METADATA_SLOT_ALIGNMENT,
  METADATA_SLOT_VALUE_OFFSET,
  METADATA_STATE_LENGTH,
  METADATA_STORED,
  METADATA_TABLE_OFFSET,
  METADATA_TAGS_LENGTH,
  METADATA_USERS_OFFSET,
  METADATA_VALUE_LENGTH_MAX,
  METADATA_VALUE_LENGTH_OFFSET,
  METADATA_WAYS,
} from '../../layout/metadata-cache.ts';
import type { Arena, Region, RegionRequest } from '../arena/arena.ts';
import { instantiate, type Wasm } from '../arena/wasm.ts';
import { CausewayError } from '../base/errors.ts';
import { monotonicMs } from './clock.ts';
import { StructureUser, sumCounts } from './user-row.ts';

export interface MetadataCacheOptions {
  /** Values that it holds: rounded up to a power of two of sets of eight. */
  capacity: number;
  /** Bytes of each value, rounded up to a multiple of 8; at most 4,096. */
  valueLength: number;
}

/** Device and inode, or any 16 bytes. */
export type MetadataKey = { device: bigint; inode: bigint } | Uint8Array;

export interface MetadataCacheStats {
  capacity: number;
  valueLength: number;
  hits: number;
  misses: number;
  /** Misses because what was there was too old. */
  expired: number;
  /** Values that were not too old and made room for others. */
  evicted: number;
  stored: number;
  /** Values that were not stored, because others wrote or invalidated the same key at the same time. */
  dropped: number;
  invalidated: number;
}

interface CachePlan {
  sets: number;
  valueLength: number;
  slotLength: number;
  length: number;
}

/** Behind the state, in the handle's private memory. */
const KEY_OFFSET = METADATA_STATE_LENGTH;
const VALUE_OFFSET = METADATA_STATE_LENGTH + METADATA_KEY_LENGTH;
const TTL_MS_MAX = 0xffffffff;

/** The region that a cache with these options needs: pass it to Arena.create, then the region to MetadataCache.create. */
export function metadataCacheRegion(options: MetadataCacheOptions, number = 0): RegionRequest {
  return { kind: ARENA_REGION_METADATA, number, length: planCache(options).length };
}

/** Figures of a cache without a handle, also through a read-only mapping. @throws CausewayError TABLE_CORRUPT */
export function readMetadataCacheStats(arena: Arena, region: Region): MetadataCacheStats {
  return statsOf(arena, region.address, readPlan(arena, region).plan);
}

export class MetadataCache {
  readonly arena: Arena;
  readonly address: number;
  readonly capacity: number;
  readonly valueLength: number;
  readonly #wasm: Wasm;
  readonly #plan: CachePlan;
  readonly #user: StructureUser;
  #releasedCount = 0;

  private constructor(arena: Arena, wasm: Wasm, address: number, plan: CachePlan, seed: bigint) {
    this.arena = arena;
    this.address = address;
    this.capacity = plan.sets * METADATA_WAYS;
    this.valueLength = plan.valueLength;
    this.#wasm = wasm;
    this.#plan = plan;
    const { sets, valueLength, slotLength } = plan;
    this.#user = new StructureUser(arena, address + METADATA_USERS_OFFSET, {
      name: `metadata cache at ${address}`,
      begin: (state, row, owner) =>
        wasm.metadataUserInit(state, address + METADATA_TABLE_OFFSET, sets, valueLength, slotLength, row, owner, seed),
      release: (state, dead) => {
        this.#releasedCount += wasm.metadataReclaim(state, dead);
      },
    });
  }

  /**
   * Makes an empty cache in a region of zeros.
   * @throws CausewayError CONFIG_INVALID naming the option; ARENA_FULL when the region is too short, or the process has no endpoint left.
   */
  static create(
    arena: Arena,
    region: Region,
    options: MetadataCacheOptions,
    wasm: Wasm = instantiate(arena),
  ): MetadataCache {
    const plan = planCache(options);
    if (region.length < plan.length) {
      throw new CausewayError('ARENA_FULL', `metadata cache: length=${plan.length}, region length=${region.length}`);
    }
    const { sets, valueLength, slotLength, length } = plan;
    const seed = randomBytes(8).readBigUInt64LE();
    const table = region.address + METADATA_TABLE_OFFSET;
    wasm.metadataInit(region.address, table, sets, valueLength, slotLength, length, seed);
    return new MetadataCache(arena, wasm, region.address, plan, seed);
  }

  /**
   * A handle of this thread on the cache that somebody has made in this region.
   * @throws CausewayError TABLE_CORRUPT with what was found and expected; ARENA_FULL when there are too many handles.
   */
  static open(arena: Arena, region: Region, wasm: Wasm = instantiate(arena)): MetadataCache {
    const { plan, seed } = readPlan(arena, region);
    return new MetadataCache(arena, wasm, region.address, plan, seed);
  }

  /** Address of this handle's private state, for callers in wasm: what the `metadata...` exports take first. @throws CausewayError HANDLE_CLOSED */
  get state(): number {
    return this.#user.state;
  }

  /**
   * The value of the key, or undefined. The bytes are those of the handle's own copy: valid until its next get or put.
   * @param nowMs Of one clock for all users: by default CLOCK_MONOTONIC.
   */
  get(key: MetadataKey, nowMs: number = monotonicMs()): Uint8Array<SharedArrayBuffer> | undefined {
    const { state } = this;
    this.#writeKey(state, key);
    const answer = this.#wasm.metadataGet(state, state + KEY_OFFSET, state + VALUE_OFFSET, nowMs);
    return answer === METADATA_HIT ? this.arena.slice(state + VALUE_OFFSET, this.valueLength) : undefined;
  }

  /**
   * Keeps a value for `ttlMs`; 0 = until it is invalidated or makes room for another. Bytes behind a shorter value are zeros.
   * @returns whether it is kept: not if somebody else wrote or invalidated the same key at the same time, for nobody knows which is newer.
   * @throws RangeError when value or ttlMs is too long.
   */
  put(key: MetadataKey, value: Uint8Array, ttlMs: number, nowMs: number = monotonicMs()): boolean {
    if (value.length > this.valueLength) {
      throw new RangeError(`value: length=${value.length}, lengthMax=${this.valueLength}`);
    }
    if (!Number.isInteger(ttlMs) || ttlMs < 0 || ttlMs > TTL_MS_MAX) {
      throw new RangeError(`ttlMs=${ttlMs}, min=0, max=${TTL_MS_MAX}`);
    }
    const { state } = this;
    this.#writeKey(state, key);
    this.arena.bytes.set(value, state + VALUE_OFFSET);
    this.arena.bytes.fill(0, state + VALUE_OFFSET + value.length, state + VALUE_OFFSET + this.valueLength);
    return this.#wasm.metadataPut(state, state + KEY_OFFSET, state + VALUE_OFFSET, nowMs, ttlMs) === METADATA_STORED;
  }

  /**
   * Nobody gets what was put for this key before: whether there was something. A value that was found out before the change and is put after this call stays
   * until it expires.
   */
  invalidate(key: MetadataKey): boolean {
    const { state } = this;
    this.#writeKey(state, key);
    return this.#wasm.metadataInvalidate(state, state + KEY_OFFSET) > 0;
  }

  /** Frees the slots that somebody was writing when he died: how many. */
  reclaimDead(): number {
    this.#releasedCount = 0;
    this.#user.releaseDead();
    return this.#releasedCount;
  }

  stats(): MetadataCacheStats {
    return statsOf(this.arena, this.address, this.#plan);
  }

  /** Nothing happens the second time. What was put stays. */
  close(): void {
    this.#user.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #writeKey(state: number, key: MetadataKey): void {
    if (key instanceof Uint8Array) {
      if (key.length !== METADATA_KEY_LENGTH) {
        throw new RangeError(`key: length=${key.length}, expected ${METADATA_KEY_LENGTH}`);
      }
      this.arena.bytes.set(key, state + KEY_OFFSET);
      return;
    }
    this.arena.u64[(state + KEY_OFFSET) / 8] = key.device;
    this.arena.u64[(state + KEY_OFFSET) / 8 + 1] = key.inode;
  }
}

function planCache({ capacity, valueLength }: MetadataCacheOptions): CachePlan {
  const capacityMax = METADATA_SETS_MAX * METADATA_WAYS;
  checkNumber('capacity', capacity, capacityMax);
  checkNumber('valueLength', valueLength, METADATA_VALUE_LENGTH_MAX);
  return shapeOf(2 ** Math.ceil(Math.log2(Math.ceil(capacity / METADATA_WAYS))), Math.ceil(valueLength / 8) * 8);
}

function shapeOf(sets: number, valueLength: number): CachePlan {
  const slotLength =
    Math.ceil((METADATA_SLOT_VALUE_OFFSET + valueLength) / METADATA_SLOT_ALIGNMENT) * METADATA_SLOT_ALIGNMENT;
  const length = METADATA_TABLE_OFFSET + sets * (METADATA_TAGS_LENGTH + METADATA_WAYS * slotLength);
  return { sets, valueLength, slotLength, length };
}

/** The plan of the cache in this region. Its header is read once; nothing that is read from it later is trusted. */
function readPlan(arena: Arena, region: Region): { plan: CachePlan; seed: bigint } {
  // Pairs with the store in metadataInit.
  const magic = Atomics.load(arena.i32, (region.address + METADATA_MAGIC_OFFSET) / 4);
  const word = (offset: number): number => arena.view.getUint32(region.address + offset, true);
  const sets = word(METADATA_SETS_OFFSET);
  const valueLength = word(METADATA_VALUE_LENGTH_OFFSET);
  const length = word(METADATA_LENGTH_OFFSET);
  const seed = arena.view.getBigUint64(region.address + METADATA_SEED_OFFSET, true);
  const isPossible =
    magic === METADATA_MAGIC &&
    Number.isInteger(Math.log2(sets)) &&
    sets <= METADATA_SETS_MAX &&
    valueLength >= 8 &&
    valueLength <= METADATA_VALUE_LENGTH_MAX &&
    valueLength % 8 === 0;
  const plan = shapeOf(sets, valueLength);
  if (!isPossible || plan.length !== length || length > region.length) {
    throw new CausewayError(
      'TABLE_CORRUPT',
      `no metadata cache at ${region.address}: magic=${magic}, expected ${METADATA_MAGIC}, length=${length}, ` +
        `expected ${plan.length}, sets=${sets}, valueLength=${valueLength}, region length=${region.length}`,
    );
  }
  return { plan, seed };
}

function checkNumber(option: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= max) return;
  throw new CausewayError('CONFIG_INVALID', `metadata cache: ${option}=${value}, min=1, max=${max}`);
}

function statsOf(arena: Arena, address: number, plan: CachePlan): MetadataCacheStats {
  const sum = (offset: number): number => sumCounts(arena, address + METADATA_USERS_OFFSET, offset);
  return {
    capacity: plan.sets * METADATA_WAYS,
    valueLength: plan.valueLength,
    hits: sum(METADATA_COUNT_HITS_OFFSET),
    misses: sum(METADATA_COUNT_MISSES_OFFSET),
    expired: sum(METADATA_COUNT_EXPIRED_OFFSET),
    evicted: sum(METADATA_COUNT_EVICTED_OFFSET),
    stored: sum(METADATA_COUNT_STORED_OFFSET),
    dropped: sum(METADATA_COUNT_DROPPED_OFFSET),
    invalidated: sum(METADATA_COUNT_INVALIDATED_OFFSET),
  };
}
