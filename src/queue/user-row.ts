// Rows of those who use a shared structure (layout/user-row.ts): each handle has one, and what all of them have counted is the sum over all rows.

import { USER_ROW_LENGTH, USER_ROW_OWNER_OFFSET, USER_ROWS_MAX } from '../../layout/user-row.ts';
import type { Arena } from '../arena/arena.ts';
import { isOwnerAlive } from '../arena/owner.ts';
import { CausewayError } from '../base/errors.ts';

/** Length of the table of rows. */
export const USER_ROWS_LENGTH = USER_ROWS_MAX * USER_ROW_LENGTH;

/**
 * A free row for `owner`: its address.
 * @param release Called with each dead owner that still has a row, before the row is free: gives back what else it had.
 * @throws CausewayError ARENA_FULL when every row has a living owner.
 */
export function takeUserRow(arena: Arena, rows: number, owner: bigint, release: (dead: bigint) => void): number {
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
export function releaseDeadRows(arena: Arena, rows: number, release: (dead: bigint) => void): void {
  for (let row = rows; row < rows + USER_ROWS_LENGTH; row += USER_ROW_LENGTH) {
    const index = (row + USER_ROW_OWNER_OFFSET) / 8;
    const owner = Atomics.load(arena.u64, index);
    if (owner === 0n || isOwnerAlive(owner)) continue;
    release(owner);
    Atomics.compareExchange(arena.u64, index, owner, 0n);
  }
}

export function giveUserRow(arena: Arena, row: number, owner: bigint): void {
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
