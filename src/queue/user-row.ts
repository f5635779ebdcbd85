// Rows of those who use a shared structure (layout/user-row.ts): each handle has one, and what all of them have counted is the sum over all rows.

import { USER_ROW_LENGTH, USER_ROW_OWNER_OFFSET, USER_ROWS_MAX } from '../../layout/user-row.ts';
import type { Arena, EndpointSlot } from '../arena/arena.ts';
import { isOwnerAlive, newOwner } from '../arena/owner.ts';
import { CausewayError } from '../base/errors.ts';

/** What a handle does with its state. */
export interface UserHooks {
  /** The name that errors give it. */
  name: string;
  /** Writes the state that lies at `state`, in memory of this process alone. */
  begin(state: number, row: number, owner: bigint): void;
  /** Gives back what a dead owner still has in the structure; others may be doing the same. */
  release(state: number, dead: bigint): void;
}

/** One handle's place in a structure: its token, its private state, its row. */
export class StructureUser {
  readonly owner: bigint = newOwner();
  readonly row: number;
  readonly #arena: Arena;
  readonly #rows: number;
  readonly #hooks: UserHooks;
  readonly #endpoint: EndpointSlot;
  #isClosed = false;

  /** @throws CausewayError ARENA_FULL when every row has a living owner, or the process has no endpoint left. */
  constructor(arena: Arena, rows: number, hooks: UserHooks) {
    this.#arena = arena;
    this.#rows = rows;
    this.#hooks = hooks;
    this.#endpoint = arena.takeEndpoint(this.owner);
    try {
      // Releasing for the dead, whose row it may become, already needs a state. It counts nothing.
      hooks.begin(this.#endpoint.address, rows, this.owner);
      this.row = takeUserRow(arena, rows, this.owner, (dead) => hooks.release(this.#endpoint.address, dead));
      hooks.begin(this.#endpoint.address, this.row, this.owner);
    } catch (error) {
      arena.giveEndpoint(this.#endpoint.address);
      throw error;
    }
  }

  /** @throws CausewayError HANDLE_CLOSED */
  get state(): number {
    if (this.#isClosed) throw new CausewayError('HANDLE_CLOSED', `${this.#hooks.name}: this handle was closed`);
    return this.#endpoint.address;
  }

  releaseDead(): void {
    releaseDeadRows(this.#arena, this.#rows, (dead) => this.#hooks.release(this.state, dead));
  }

  /** Whether it was open. */
  close(): boolean {
    if (this.#isClosed) return false;
    this.#isClosed = true;
    giveUserRow(this.#arena, this.row, this.owner);
    this.#arena.giveEndpoint(this.#endpoint.address);
    return true;
  }
}

/** Length of the table of rows. */
const USER_ROWS_LENGTH = USER_ROWS_MAX * USER_ROW_LENGTH;

/**
 * A free row for `owner`: its address.
 * @param release Called with each dead owner that still has a row, before the row is free: gives back what else it had.
 * @throws CausewayError ARENA_FULL when every row has a living owner.
 */
function takeUserRow(arena: Arena, rows: number, owner: bigint, release: (dead: bigint) => void): number {
  let row = takeFreeRow(arena, rows, owner);
  if (row === undefined) {
    releaseDeadRows(arena, rows, release);
    row = takeFreeRow(arena, rows, owner);
  }
  if (row === undefined) {
    throw new CausewayError('ARENA_FULL', `every row has a living user: users=usersMax=${USER_ROWS_MAX}`, {
      hint: 'Close handles that are not used.',
    });
  }
  return row;
}

function takeFreeRow(arena: Arena, rows: number, owner: bigint): number | undefined {
  for (let row = rows; row < rows + USER_ROWS_LENGTH; row += USER_ROW_LENGTH) {
    if (Atomics.compareExchange(arena.u64, (row + USER_ROW_OWNER_OFFSET) / 8, 0n, owner) === 0n) return row;
  }
  return undefined;
}

/** Frees the rows of the dead. Somebody else may do the same at the same time: `release` must bear that. */
function releaseDeadRows(arena: Arena, rows: number, release: (dead: bigint) => void): void {
  for (let row = rows; row < rows + USER_ROWS_LENGTH; row += USER_ROW_LENGTH) {
    const index = (row + USER_ROW_OWNER_OFFSET) / 8;
    const owner = Atomics.load(arena.u64, index);
    if (owner === 0n || isOwnerAlive(owner)) continue;
    release(owner);
    Atomics.compareExchange(arena.u64, index, owner, 0n);
  }
}

function giveUserRow(arena: Arena, row: number, owner: bigint): void {
  Atomics.compareExchange(arena.u64, (row + USER_ROW_OWNER_OFFSET) / 8, owner, 0n);
}

/** Sum of the count at `offset` of every row. While others count, each summand is of some moment of the call. */
export function sumCounts(arena: Arena, rows: number, offset: number): number {
  let sum = 0n;
  for (let row = rows; row < rows + USER_ROWS_LENGTH; row += USER_ROW_LENGTH) {
    sum += Atomics.load(arena.u64, (row + offset) / 8);
  }
  return Number(sum);
}
