// A place in a queue for who comes: a lane for a producer, a slot for a consumer.

import type { Arena } from '../arena/arena.ts';
import { takeOwnership } from '../arena/owner.ts';
import { CausewayError } from '../base/errors.ts';

/**
 * The first of these owner words that is free, or else one whose owner died: its number, and whether it was a dead one's.
 * @param refused How the refusal begins, when every place has a living owner.
 * @throws CausewayError RING_TAKEN
 */
export function takePlace(
  arena: Arena,
  addresses: readonly number[],
  owner: bigint,
  refused: string,
): { number: number; isAdopted: boolean } {
  const free = addresses.findIndex((address) => Atomics.compareExchange(arena.u64, address / 8, 0n, owner) === 0n);
  if (free >= 0) return { number: free, isAdopted: false };
  let holder = 0n;
  for (const [number, address] of addresses.entries()) {
    const ownership = takeOwnership(arena, address, owner);
    if (ownership.taken) return { number, isAdopted: ownership.adoptedFrom !== 0n };
    holder = ownership.holder;
  }
  throw new CausewayError('RING_TAKEN', `${refused}=${addresses.length}, last owner=${holder}`);
}
