// Arenas for tests, with the wasm instance over them and the checksum tables made.

import { ARENA_REGION_RING, ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import { Arena, type RegionRequest } from '../../src/arena/arena.ts';
import { createRing, type RingPlace, ringRegionLength } from '../../src/arena/ring.ts';
import { instantiate, type Wasm } from '../../src/arena/wasm.ts';

export interface TestArena {
  arena: Arena;
  wasm: Wasm;
}

export function testArena(regions: readonly RegionRequest[]): TestArena {
  const arena = Arena.create({ regions });
  const wasm = instantiate(arena);
  wasm.crc32cInit();
  return { arena, wasm };
}

export interface TestRing extends TestArena {
  ring: RingPlace;
  /** Two private places for the states of the endpoints. */
  producerState: number;
  consumerState: number;
}

export function testRing(capacity: number): TestRing {
  const { arena, wasm } = testArena([
    { kind: ARENA_REGION_RING, length: ringRegionLength(capacity) },
    { kind: ARENA_REGION_SCRATCH, length: 4096 },
  ]);
  const ring = { address: arena.region(ARENA_REGION_RING).address, capacity };
  createRing(wasm, ring);
  const scratch = arena.region(ARENA_REGION_SCRATCH).address;
  return { arena, wasm, ring, producerState: scratch, consumerState: scratch + 128 };
}
