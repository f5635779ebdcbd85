// Slots of private memory for the states of this process's endpoints (layout/arena.ts, ARENA_REGION_ENDPOINTS): never in the file of a shared arena, so
// that no peer can write them.

import { ARENA_ENDPOINT_LENGTH, ARENA_ENDPOINT_OWNERS_LENGTH, ARENA_ENDPOINTS_MAX } from '../../layout/arena.ts';
import { CausewayError } from '../base/errors.ts';
import { MADV_DONTNEED, type Native } from './native.ts';
import { takeOwnership } from './owner.ts';

export interface EndpointSlot {
  address: number;
  length: number;
}

interface SlotMemory {
  readonly u64: BigUint64Array<SharedArrayBuffer>;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly native: Native | undefined;
}

/**
 * A slot of zeros for `owner`. Slots of threads that ended come back; theirs are looked for when there is no free one.
 * @param region Address of the region.
 * @throws CausewayError ARENA_FULL
 */
export function takeSlot(memory: SlotMemory, region: number, owner: bigint): EndpointSlot {
  const slot = takeFree(memory, region, owner) ?? takeAbandoned(memory, region, owner);
  if (slot === undefined) {
    throw new CausewayError('ARENA_FULL', `no endpoint is left: endpoints=endpointsMax=${ARENA_ENDPOINTS_MAX}`, {
      hint: 'Close producers and consumers that are not used.',
    });
  }
  const address = region + ARENA_ENDPOINT_OWNERS_LENGTH + slot * ARENA_ENDPOINT_LENGTH;
  clear(memory, address);
  return { address, length: ARENA_ENDPOINT_LENGTH };
}

/** @throws RangeError when `address` is not that of a slot. */
export function giveSlot(memory: SlotMemory, region: number, address: number): void {
  const slot = (address - region - ARENA_ENDPOINT_OWNERS_LENGTH) / ARENA_ENDPOINT_LENGTH;
  if (!Number.isInteger(slot) || slot < 0 || slot >= ARENA_ENDPOINTS_MAX) {
    throw new RangeError(`not an endpoint: address=${address}, endpoints at ${region}`);
  }
  // Its pages first: from the exchange on it may be another's.
  clear(memory, address);
  Atomics.store(memory.u64, region / 8 + slot, 0n);
}

function takeFree(memory: SlotMemory, region: number, owner: bigint): number | undefined {
  for (let slot = 0; slot < ARENA_ENDPOINTS_MAX; slot++) {
    if (Atomics.compareExchange(memory.u64, region / 8 + slot, 0n, owner) === 0n) return slot;
  }
  return undefined;
}

function takeAbandoned(memory: SlotMemory, region: number, owner: bigint): number | undefined {
  for (let slot = 0; slot < ARENA_ENDPOINTS_MAX; slot++) {
    if (takeOwnership(memory, region + slot * 8, owner).taken) return slot;
  }
  return undefined;
}

/** Zeros, and the memory goes back to the system: pages that nobody wrote stay unused. */
function clear(memory: SlotMemory, address: number): void {
  const slot = memory.bytes.subarray(address, address + ARENA_ENDPOINT_LENGTH);
  // Fresh zeros at the next touch, because the pages are private and anonymous.
  if (memory.native?.madvise(slot, ARENA_ENDPOINT_LENGTH, MADV_DONTNEED) !== 0) slot.fill(0);
}
