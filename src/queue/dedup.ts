// Deduplication tables for TypeScript (assembly/dedup.ts): of all threads and processes that insert equal contents inside of the window, one is told that it is fresh.

import { randomBytes } from 'node:crypto';
import { ARENA_REGION_DEDUP } from '../../layout/arena.ts';
import {
  DEDUP_CONTENT_LENGTH_MAX_OFFSET,
  DEDUP_COUNT_COLLISIONS_OFFSET,
  DEDUP_COUNT_DUPLICATES_OFFSET,
  DEDUP_COUNT_EVICTED_OFFSET,
  DEDUP_COUNT_EXPIRED_OFFSET,
  DEDUP_COUNT_FRESH_OFFSET,
  DEDUP_COUNT_RETRIES_OFFSET,
  DEDUP_COUNT_TOO_LONG_OFFSET,
  DEDUP_DUPLICATE,
  DEDUP_ENTRY_HEADER_LENGTH,
  DEDUP_FRESH,
  DEDUP_LENGTH_OFFSET,
  DEDUP_LINE_LENGTH,
  DEDUP_LOG_LENGTH_MAX,
  DEDUP_LOG_LENGTH_MIN,
  DEDUP_LOG_LENGTH_OFFSET,
  DEDUP_MAGIC,
  DEDUP_MAGIC_OFFSET,
  DEDUP_ROW_ADDRESS_OFFSET,
  DEDUP_ROW_ANSWER_OFFSET,
  DEDUP_ROW_LENGTH,
  DEDUP_ROW_LENGTH_OFFSET,
  DEDUP_ROWS_MAX,
  DEDUP_SEED_OFFSET,
  DEDUP_SLOTS_MAX,
  DEDUP_SLOTS_MIN,
  DEDUP_SLOTS_OFFSET,
  DEDUP_STATE_LENGTH,
  DEDUP_TABLE_OFFSET,
  DEDUP_USERS_OFFSET,
  DEDUP_WINDOW_MS_OFFSET,
} from '../../layout/dedup.ts';
import { PAYLOAD_LENGTH_MAX } from '../../layout/limits.ts';
import { STATUS_CORRUPT, STATUS_TOO_LONG } from '../../layout/status.ts';
import type { Arena, Region, RegionRequest } from '../arena/arena.ts';
import { instantiate, type Wasm } from '../arena/wasm.ts';
import { CausewayError } from '../base/errors.ts';
import { monotonicMs } from './clock.ts';
import { StructureUser, sumCounts } from './user-row.ts';

export interface DedupOptions {
  /** How many contents it shall remember: there are at least six slots for each, so that hardly one is forgotten because its slots are taken. */
  contents: number;
  /** Bytes that the contents share (the size window), each with 32 more; a power of two. */
  logLength: number;
  /** Longest content: at most a quarter of the log and 65,536, which is the default. */
  contentLengthMax?: number;
  /** How long a content is remembered (the time window); default 0: for as long as the log holds it. */
  windowMs?: number;
}

/** Where a content lies in the arena. */
export interface ContentPlace {
  address: number;
  length: number;
}

export interface DedupStats {
  slots: number;
  logLength: number;
  fresh: number;
  duplicates: number;
  /** Contents of equal tag that were not equal. */
  collisions: number;
  /** Contents that were forgotten inside of the windows, because their slots were needed. */
  evicted: number;
  /** Contents that made room when they were too old, or overwritten in the log. */
  expired: number;
  tooLong: number;
  /** Inserts that another one was faster than, and which looked again. */
  retries: number;
}

interface DedupPlan {
  slots: number;
  logLength: number;
  contentLengthMax: number;
  windowMs: number;
  logOffset: number;
  length: number;
}

/** Of a million contents in four slots each, eight were forgotten (measured); in six, none. */
const SLOTS_PER_CONTENT = 6;
/** Behind the state, in the handle's private memory. */
const ROWS_OFFSET = DEDUP_STATE_LENGTH;
const CONTENT_OFFSET = 4096;

/** The region that a table with these options needs: pass it to Arena.create, then the region to Dedup.create. */
export function dedupRegion(options: DedupOptions, number = 0): RegionRequest {
  return { kind: ARENA_REGION_DEDUP, number, length: planDedup(options).length };
}

/** Figures of a table without a handle, also through a read-only mapping. @throws CausewayError TABLE_CORRUPT */
export function readDedupStats(arena: Arena, region: Region): DedupStats {
  return statsOf(arena, region.address, readPlan(arena, region).plan);
}

export class Dedup {
  readonly arena: Arena;
  readonly address: number;
  readonly contentLengthMax: number;
  readonly windowMs: number;
  readonly #wasm: Wasm;
  readonly #plan: DedupPlan;
  readonly #user: StructureUser;

  private constructor(arena: Arena, wasm: Wasm, address: number, plan: DedupPlan, seed: bigint) {
    this.arena = arena;
    this.address = address;
    this.contentLengthMax = plan.contentLengthMax;
    this.windowMs = plan.windowMs;
    this.#wasm = wasm;
    this.#plan = plan;
    const { slots, logLength, contentLengthMax, windowMs } = plan;
    const log = address + plan.logOffset;
    this.#user = new StructureUser(arena, address + DEDUP_USERS_OFFSET, {
      name: `deduplication table at ${address}`,
      begin: (state, row) =>
        wasm.dedupUserInit(state, address, slots, log, logLength, contentLengthMax, windowMs, row, seed),
      // The dead leave nothing that has to be given back.
      release: () => {},
    });
  }

  /**
   * Makes an empty table in a region of zeros.
   * @throws CausewayError CONFIG_INVALID naming the option; ARENA_FULL when the region is too short, or the process has no endpoint left.
   */
  static create(arena: Arena, region: Region, options: DedupOptions, wasm: Wasm = instantiate(arena)): Dedup {
    const plan = planDedup(options);
    if (region.length < plan.length) {
      throw new CausewayError('ARENA_FULL', `dedup: length=${plan.length}, region length=${region.length}`);
    }
    const { slots, logLength, contentLengthMax, windowMs, length } = plan;
    const seed = randomBytes(8).readBigUInt64LE();
    wasm.dedupInit(region.address, slots, logLength, contentLengthMax, windowMs, length, seed);
    return new Dedup(arena, wasm, region.address, plan, seed);
  }

  /**
   * A handle of this thread on the table that somebody has made in this region.
   * @throws CausewayError TABLE_CORRUPT with what was found and expected; ARENA_FULL when there are too many handles.
   */
  static open(arena: Arena, region: Region, wasm: Wasm = instantiate(arena)): Dedup {
    const { plan, seed } = readPlan(arena, region);
    return new Dedup(arena, wasm, region.address, plan, seed);
  }

  /** Address of this handle's private state, for callers in wasm: what the `dedup...` exports take first. @throws CausewayError HANDLE_CLOSED */
  get state(): number {
    return this.#user.state;
  }

  /**
   * Whether nobody has inserted this content inside of the window; from now on somebody has.
   * @param nowMs Of one clock for all users: by default CLOCK_MONOTONIC.
   * @throws CausewayError RECORD_TOO_LONG, TABLE_CORRUPT
   */
  insert(content: Uint8Array, nowMs: number = monotonicMs()): boolean {
    return this.insertAt({ address: this.#copy(content), length: content.length }, nowMs);
  }

  /** insert() for a content that lies in the arena already. */
  insertAt({ address, length }: ContentPlace, nowMs: number = monotonicMs()): boolean {
    return this.#isFresh(this.#wasm.dedupInsert(this.state, address, length, nowMs), length);
  }

  /** insertAt() for several: faster than one by one. Which of them were fresh; the second of two equal ones is not. */
  insertBatch(places: readonly ContentPlace[], nowMs: number = monotonicMs()): boolean[] {
    const { state } = this;
    const rows = state + ROWS_OFFSET;
    const { view } = this.arena;
    const answers: boolean[] = [];
    for (let done = 0; done < places.length; done += DEDUP_ROWS_MAX) {
      const batch = places.slice(done, done + DEDUP_ROWS_MAX);
      for (const [index, { address, length }] of batch.entries()) {
        view.setUint32(rows + index * DEDUP_ROW_LENGTH + DEDUP_ROW_ADDRESS_OFFSET, address, true);
        view.setUint32(rows + index * DEDUP_ROW_LENGTH + DEDUP_ROW_LENGTH_OFFSET, length, true);
      }
      this.#wasm.dedupInsertBatch(state, rows, batch.length, nowMs);
      for (const [index, { length }] of batch.entries()) {
        const answer = view.getInt32(rows + index * DEDUP_ROW_LENGTH + DEDUP_ROW_ANSWER_OFFSET, true);
        answers.push(this.#isFresh(answer, length));
      }
    }
    return answers;
  }

  /** Whether somebody has inserted this content inside of the window. */
  has(content: Uint8Array, nowMs: number = monotonicMs()): boolean {
    if (content.length > this.contentLengthMax) return false;
    const address = this.#copy(content);
    return this.#wasm.dedupFind(this.state, address, content.length, nowMs) === DEDUP_DUPLICATE;
  }

  stats(): DedupStats {
    return statsOf(this.arena, this.address, this.#plan);
  }

  /** Nothing happens the second time. What was inserted stays. */
  close(): void {
    this.#user.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #copy(content: Uint8Array): number {
    const address = this.state + CONTENT_OFFSET;
    // One that is too long is refused by its length; of its bytes there is no need.
    if (content.length <= this.contentLengthMax) this.arena.bytes.set(content, address);
    else this.#isFresh(this.#wasm.dedupInsert(this.state, address, content.length, 0), content.length);
    return address;
  }

  #isFresh(answer: number, length: number): boolean {
    if (answer === DEDUP_FRESH) return true;
    if (answer === DEDUP_DUPLICATE) return false;
    if (answer === STATUS_TOO_LONG) {
      const lengthMax = this.contentLengthMax;
      throw new CausewayError('RECORD_TOO_LONG', `content: length=${length}, lengthMax=${lengthMax}`);
    }
    throw new CausewayError(
      'TABLE_CORRUPT',
      `deduplication table at ${this.address}: ${answer === STATUS_CORRUPT ? 'its slots or its head cannot be' : answer}`,
    );
  }
}

function planDedup(options: DedupOptions): DedupPlan {
  const { contents, logLength, windowMs = 0 } = options;
  checkNumber('contents', contents, 1, Math.floor(DEDUP_SLOTS_MAX / SLOTS_PER_CONTENT));
  checkNumber('logLength', logLength, DEDUP_LOG_LENGTH_MIN, DEDUP_LOG_LENGTH_MAX);
  if (!Number.isInteger(Math.log2(logLength))) throw invalid(`logLength=${logLength}: want a power of two`);
  checkNumber('windowMs', windowMs, 0, 0xffffffff);
  const lengthMax = Math.min(PAYLOAD_LENGTH_MAX, logLength / 4 - DEDUP_ENTRY_HEADER_LENGTH);
  const { contentLengthMax = lengthMax } = options;
  checkNumber('contentLengthMax', contentLengthMax, 0, lengthMax);
  const slots = Math.max(DEDUP_SLOTS_MIN, 2 ** Math.ceil(Math.log2(contents * SLOTS_PER_CONTENT)));
  return shapeOf({ slots, logLength, contentLengthMax, windowMs });
}

function shapeOf(given: Omit<DedupPlan, 'logOffset' | 'length'>): DedupPlan {
  const tableEnd = DEDUP_TABLE_OFFSET + given.slots * 8;
  const logOffset = Math.ceil(tableEnd / DEDUP_LINE_LENGTH) * DEDUP_LINE_LENGTH;
  // What a hostile position near the end makes us look at still lies in the region.
  return { ...given, logOffset, length: logOffset + given.logLength + DEDUP_ENTRY_HEADER_LENGTH };
}

/** The plan of the table in this region. Its header is read once; nothing that is read from it later is trusted. */
function readPlan(arena: Arena, region: Region): { plan: DedupPlan; seed: bigint } {
  // Pairs with the store in dedupInit.
  const magic = Atomics.load(arena.i32, (region.address + DEDUP_MAGIC_OFFSET) / 4);
  const word = (offset: number): number => arena.view.getUint32(region.address + offset, true);
  const given = {
    slots: word(DEDUP_SLOTS_OFFSET),
    logLength: word(DEDUP_LOG_LENGTH_OFFSET),
    contentLengthMax: word(DEDUP_CONTENT_LENGTH_MAX_OFFSET),
    windowMs: word(DEDUP_WINDOW_MS_OFFSET),
  };
  const length = word(DEDUP_LENGTH_OFFSET);
  const seed = arena.view.getBigUint64(region.address + DEDUP_SEED_OFFSET, true);
  const isPossible =
    magic === DEDUP_MAGIC &&
    isPowerOfTwo(given.slots, DEDUP_SLOTS_MIN, DEDUP_SLOTS_MAX) &&
    isPowerOfTwo(given.logLength, DEDUP_LOG_LENGTH_MIN, DEDUP_LOG_LENGTH_MAX) &&
    given.contentLengthMax <= Math.min(PAYLOAD_LENGTH_MAX, given.logLength / 4 - DEDUP_ENTRY_HEADER_LENGTH);
  const plan = shapeOf(given);
  if (!isPossible || plan.length !== length || length > region.length) {
    throw new CausewayError(
      'TABLE_CORRUPT',
      `no deduplication table at ${region.address}: magic=${magic}, expected ${DEDUP_MAGIC}, length=${length}, ` +
        `expected ${plan.length}, ${JSON.stringify(given)}, region length=${region.length}`,
    );
  }
  return { plan, seed };
}

function isPowerOfTwo(value: number, min: number, max: number): boolean {
  return value >= min && value <= max && Number.isInteger(Math.log2(value));
}

function checkNumber(option: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max)
    throw invalid(`${option}=${value}, min=${min}, max=${max}`);
}

function invalid(what: string): CausewayError {
  return new CausewayError('CONFIG_INVALID', `dedup: ${what}`);
}

function statsOf(arena: Arena, address: number, plan: DedupPlan): DedupStats {
  const sum = (offset: number): number => sumCounts(arena, address + DEDUP_USERS_OFFSET, offset);
  return {
    slots: plan.slots,
    logLength: plan.logLength,
    fresh: sum(DEDUP_COUNT_FRESH_OFFSET),
    duplicates: sum(DEDUP_COUNT_DUPLICATES_OFFSET),
    collisions: sum(DEDUP_COUNT_COLLISIONS_OFFSET),
    evicted: sum(DEDUP_COUNT_EVICTED_OFFSET),
    expired: sum(DEDUP_COUNT_EXPIRED_OFFSET),
    tooLong: sum(DEDUP_COUNT_TOO_LONG_OFFSET),
    retries: sum(DEDUP_COUNT_RETRIES_OFFSET),
  };
}
