// Queues and pools by name, in an arena of their own: what threads and processes meet in. The arena of the engine is another one, so that a hostile peer never reaches
// the journal's control words.

import { ARENA_REGION_POOL, ARENA_REGION_QUEUE } from '../../layout/arena.ts';
import { POOL_MAGIC, POOL_MAGIC_OFFSET, POOL_NAME_LENGTH, POOL_NAME_OFFSET } from '../../layout/pool.ts';
import { QUEUE_MAGIC_OFFSET, QUEUE_NAME_LENGTH } from '../../layout/queue.ts';
import { Arena, type Region } from '../arena/arena.ts';
import { instantiate, type Wasm } from '../arena/wasm.ts';
import { CausewayError } from '../base/errors.ts';
import { planQueue, type QueueOptions, readQueuePlan } from './plan.ts';
import { Pool, type PoolOptions, poolRegion } from './pool.ts';
import { Queue, queueRegion } from './queue.ts';

/** A creator makes its queues and pools at once; a peer that comes in between waits for so long. */
const SETTLE_MS = 1000;

export interface ConnectionOptions {
  /** By name: 1 to 64 bytes of UTF-8. */
  queues?: Readonly<Record<string, Omit<QueueOptions, 'name'>>>;
  /** By name, as queues. */
  pools?: Readonly<Record<string, PoolOptions>>;
  /**
   * false (default): for the threads of this process. true: also for other processes of this user, by `handle`, while this one lives. A path, best in
   * /dev/shm: by this name; the only way from a process that gave up privileges (the engine's option user), whose descriptors nobody may see.
   */
  share?: boolean | string;
}

/** What others connect with. A thread takes all of it (workerData, postMessage), another process the handle. */
export interface ConnectionPlan {
  readonly memory: WebAssembly.Memory;
  /** undefined: not shared with other processes. */
  readonly handle?: string;
}

export class Connection {
  readonly arena: Arena;
  readonly #wasm: Wasm;
  readonly #handle: string | undefined;
  readonly #isCreator: boolean;
  readonly #queues = new Map<string, Queue>();
  #isClosed = false;

  private constructor(options: { arena: Arena; wasm: Wasm; handle: string | undefined; isCreator: boolean }) {
    this.arena = options.arena;
    this.#wasm = options.wasm;
    this.#handle = options.handle;
    this.#isCreator = options.isCreator;
  }

  /**
   * Makes the queues and pools. Who shares them with other processes does so from a thread that lives as long as they are used.
   * @throws CausewayError CONFIG_INVALID naming queue and option; with `share` also CAPABILITY_MISSING, ARENA_BUSY, PATH_MISSING, PATH_DENIED.
   */
  static create(options: ConnectionOptions): Connection {
    const { queues, pools } = checkConnectionOptions(options);
    const regions = [
      ...queues.map((queue, number) => queueRegion(queue, number)),
      ...pools.map(([, pool], number) => poolRegion(pool, number)),
    ];
    const arena = Arena.create({ regions, share: options.share ?? false, endpoints: true });
    try {
      const wasm = instantiate(arena);
      wasm.crc32cInit();
      const connection = new Connection({ arena, wasm, handle: arena.handle, isCreator: true });
      for (const [number, queue] of queues.entries()) {
        const made = Queue.create(arena, arena.region(ARENA_REGION_QUEUE, number), queue, wasm);
        connection.#queues.set(made.plan.name, made);
      }
      for (const [number, [name, pool]] of pools.entries()) {
        const region = arena.region(ARENA_REGION_POOL, number);
        arena.bytes.set(Buffer.from(name), region.address + POOL_NAME_OFFSET);
        Pool.create(arena, region, pool, wasm).close();
      }
      return connection;
    } catch (error) {
      arena.close();
      throw error;
    }
  }

  /** connect() is the same as a function. */
  static open(target: ConnectionPlan | string, options: { readOnly?: boolean } = {}): Connection {
    const handle = typeof target === 'string' ? target : target.handle;
    const memory = typeof target === 'string' ? undefined : memoryOf(target);
    if (memory === undefined) return Connection.#openHandle(handle, options.readOnly === true);
    if (options.readOnly === true) {
      throw new CausewayError(
        'CONFIG_INVALID',
        'connect: readOnly is for a path: the threads of a process share one mapping',
      );
    }
    const arena = Arena.attach(memory);
    return new Connection({ arena, wasm: instantiate(arena), handle, isCreator: false });
  }

  static #openHandle(handle: string | undefined, readOnly: boolean): Connection {
    if (typeof handle !== 'string' || handle === '') {
      throw new CausewayError('CONFIG_INVALID', 'connect: neither a memory nor a handle', {
        hint: 'Another process connects by the handle, which there is with `share` only.',
      });
    }
    const arena = Arena.open(handle, { readOnly });
    try {
      const wasm = instantiate(arena);
      wasm.crc32cInit();
      settle(arena);
      return new Connection({ arena, wasm, handle: arena.handle, isCreator: false });
    } catch (error) {
      arena.close();
      throw error;
    }
  }

  /** For others to connect with: structured-cloneable. */
  get plan(): ConnectionPlan {
    const { memory } = this.arena;
    return this.#handle === undefined ? { memory } : { memory, handle: this.#handle };
  }

  /** What another process connects by; undefined when it cannot. */
  get handle(): string | undefined {
    return this.#handle;
  }

  /** The names of the queues. */
  queues(): string[] {
    return this.#names(ARENA_REGION_QUEUE);
  }

  /** The names of the pools. */
  pools(): string[] {
    return this.#names(ARENA_REGION_POOL);
  }

  /**
   * Producers and consumers come from it.
   * @throws CausewayError CONFIG_INVALID with the names that there are; RING_CORRUPT when it was scribbled over.
   */
  queue(name: string): Queue {
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    const queue = Queue.open(this.arena, this.#find(ARENA_REGION_QUEUE, name), this.#wasm);
    this.#queues.set(name, queue);
    return queue;
  }

  /**
   * A handle of this thread: close it when it is not used any more.
   * @throws CausewayError CONFIG_INVALID with the names that there are; POOL_CORRUPT when it was scribbled over; ARENA_FULL.
   */
  pool(name: string): Pool {
    if (this.arena.isReadOnly) {
      throw new CausewayError(
        'CONFIG_INVALID',
        `pool ${JSON.stringify(name)} cannot be used through a read-only arena`,
      );
    }
    return Pool.open(this.arena, this.#find(ARENA_REGION_POOL, name), this.#wasm);
  }

  #names(kind: number): string[] {
    return regionsOf(this.arena, kind).flatMap((region) => regionName(this.arena, region) ?? []);
  }

  #find(kind: number, name: string): Region {
    const regions = regionsOf(this.arena, kind);
    const region = regions.find((candidate) => regionName(this.arena, candidate) === name);
    if (region !== undefined) return region;
    const names = this.#names(kind).map((one) => JSON.stringify(one));
    const damaged = regions.length - names.length;
    const what = kind === ARENA_REGION_QUEUE ? 'queue' : 'pool';
    const there = names.length === 0 ? 'there is none' : `there are ${names.join(', ')}`;
    const corrupt = damaged === 0 ? '' : `; ${damaged} cannot be read`;
    throw new CausewayError('CONFIG_INVALID', `no ${what} ${JSON.stringify(name)}: ${there}${corrupt}`);
  }

  /**
   * Of who made the queues: they end (consumers get what is in them, then the end), and nobody else can connect. Otherwise: gives the arena's file back. In
   * both cases producers and consumers that are still open go on; close them first. Idempotent.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#isCreator) for (const queue of this.#queues.values()) queue.close();
    // Not unmapped: other threads of this process may be reading.
    this.arena.hide();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * The queues that somebody has made: in a thread of the same process by the plan, in another process by the handle.
 * @param options.readOnly By a path only: nothing can be disturbed there; only consumers of lossy broadcasts can be had.
 * @throws CausewayError PATH_MISSING when nobody shares anything there, PATH_DENIED, ARENA_INCOMPATIBLE, ARENA_CORRUPT, CAPABILITY_MISSING, CONFIG_INVALID.
 */
export function connect(target: ConnectionPlan | string, options: { readOnly?: boolean } = {}): Connection {
  return Connection.open(target, options);
}

export interface CheckedOptions {
  queues: QueueOptions[];
  pools: [name: string, options: PoolOptions][];
}

/** @throws CausewayError CONFIG_INVALID naming queue or pool, and option. */
export function checkConnectionOptions({ queues = {}, pools = {} }: ConnectionOptions): CheckedOptions {
  const named = Object.entries(queues).map(([name, options]): QueueOptions => ({ ...options, name }));
  for (const queue of named) checkNamed('queue', queue.name ?? '', QUEUE_NAME_LENGTH, () => planQueue(queue));
  for (const [name, pool] of Object.entries(pools)) checkNamed('pool', name, POOL_NAME_LENGTH, () => poolRegion(pool));
  const checked = { queues: named, pools: Object.entries(pools) };
  if (checked.queues.length + checked.pools.length > 0) return checked;
  throw new CausewayError('CONFIG_INVALID', 'connection: neither a queue nor a pool');
}

function checkNamed(what: string, name: string, lengthMax: number, check: () => unknown): void {
  const length = Buffer.byteLength(name);
  const where = `${what} ${JSON.stringify(name)}`;
  if (length === 0 || length > lengthMax || name.includes('\0')) {
    throw new CausewayError('CONFIG_INVALID', `${where}: bytes of the name=${length}, min=1, max=${lengthMax}, no NUL`);
  }
  try {
    check();
  } catch (error) {
    if (!(error instanceof CausewayError)) throw error;
    const message = `${where}: ${error.message.replace(/^\w+: /, '')}`;
    throw new CausewayError(error.code, message, { cause: error });
  }
}

/** undefined: another process got the plan, where a memory does not arrive. */
function memoryOf(plan: ConnectionPlan): WebAssembly.Memory | undefined {
  return plan.memory?.buffer instanceof SharedArrayBuffer ? plan.memory : undefined;
}

function regionsOf(arena: Arena, ...kinds: number[]): Region[] {
  return arena.regions().filter(({ kind }) => kinds.includes(kind));
}

/** The name of the queue or pool in this region; undefined when it cannot be read. */
export function regionName(arena: Arena, region: Region): string | undefined {
  try {
    return region.kind === ARENA_REGION_QUEUE ? readQueuePlan(arena, region).name : poolName(arena, region);
  } catch {
    return undefined;
  }
}

function poolName(arena: Arena, { address }: Region): string | undefined {
  if (Atomics.load(arena.i32, (address + POOL_MAGIC_OFFSET) / 4) !== POOL_MAGIC) return undefined;
  // A copy: nobody changes it while it is decoded.
  const name = Buffer.from(
    arena.bytes.slice(address + POOL_NAME_OFFSET, address + POOL_NAME_OFFSET + POOL_NAME_LENGTH),
  );
  const end = name.indexOf(0);
  return name.toString('utf8', 0, end < 0 ? name.length : end);
}

/** A file is an arena before the queues and pools are made in it: waits until they are, or nobody makes them. */
function settle(arena: Arena): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const end = performance.now() + SETTLE_MS;
  const magics = [
    ...regionsOf(arena, ARENA_REGION_QUEUE).map(({ address }) => address + QUEUE_MAGIC_OFFSET),
    ...regionsOf(arena, ARENA_REGION_POOL).map(({ address }) => address + POOL_MAGIC_OFFSET),
  ];
  // Pairs with the last stores of queueInit and poolInit.
  const isMade = (magic: number): boolean => Atomics.load(arena.i32, magic / 4) !== 0;
  while (!magics.every(isMade) && performance.now() < end) Atomics.wait(pause, 0, 0, 1);
}
