// Which regions the engine's arena has, and how large they are. Untouched pages cost nothing, so every region is there whatever the source.

import {
  ARENA_REGION_JOURNAL_WINDOW,
  ARENA_REGION_KERNEL_CONTROL,
  ARENA_REGION_KERNEL_WINDOW,
  ARENA_REGION_RING,
  ARENA_REGION_SCRATCH,
} from '../../layout/arena.ts';
import { ENTRY_LENGTH_MAX } from '../../layout/entry.ts';
import { INGEST_SCRATCH_LENGTH } from '../../layout/ingest.ts';
import { KERNEL_COUNTERS_LENGTH, KERNEL_LANES_LENGTH, KERNEL_SETTINGS_LENGTH } from '../../layout/kernel-control.ts';
import { KERNEL_RECORD_LENGTH_MAX } from '../../layout/kernel-record.ts';
import { LOG_WINDOWS } from '../../layout/log.ts';
import { PEER_SCRATCH_LENGTH, PEER_SCRATCH_NUMBER } from '../../layout/peer.ts';
import { RING_DATA_OFFSET } from '../../layout/ring.ts';
import { TRACE_SCRATCH_LENGTH, TRACE_SCRATCH_NUMBER } from '../../layout/trace-replay.ts';
import type { RegionRequest } from '../arena/arena.ts';
import { PEER_RING_NUMBER } from '../source/peer/slots.ts';
import { SCRATCH_INGEST, SCRATCH_LANES, SCRATCH_RECORDER } from '../worker/control.ts';

export function engineRegions(options: {
  ringCapacity: number;
  segmentLength: number;
  /** Rings of peers. */
  peers: number;
}): RegionRequest[] {
  const { ringCapacity, segmentLength, peers } = options;
  const windows = Array.from({ length: LOG_WINDOWS }, (_, number) => ({
    kind: ARENA_REGION_JOURNAL_WINDOW,
    number,
    length: segmentLength,
  }));
  const peerRings = Array.from({ length: peers }, (_, lane) => ({
    kind: ARENA_REGION_RING,
    number: PEER_RING_NUMBER + lane,
    length: RING_DATA_OFFSET + ringCapacity,
  }));
  return [
    { kind: ARENA_REGION_SCRATCH, number: SCRATCH_INGEST, length: INGEST_SCRATCH_LENGTH },
    { kind: ARENA_REGION_SCRATCH, number: SCRATCH_LANES, length: KERNEL_LANES_LENGTH },
    { kind: ARENA_REGION_SCRATCH, number: SCRATCH_RECORDER, length: ENTRY_LENGTH_MAX + KERNEL_RECORD_LENGTH_MAX },
    { kind: ARENA_REGION_SCRATCH, number: TRACE_SCRATCH_NUMBER, length: TRACE_SCRATCH_LENGTH },
    { kind: ARENA_REGION_SCRATCH, number: PEER_SCRATCH_NUMBER, length: PEER_SCRATCH_LENGTH },
    {
      kind: ARENA_REGION_KERNEL_CONTROL,
      length: KERNEL_SETTINGS_LENGTH + KERNEL_COUNTERS_LENGTH + KERNEL_LANES_LENGTH,
    },
    { kind: ARENA_REGION_RING, length: RING_DATA_OFFSET + ringCapacity },
    // The data of the kernel's ring is mapped twice in a row.
    { kind: ARENA_REGION_KERNEL_WINDOW, length: RING_DATA_OFFSET + 2 * ringCapacity },
    ...peerRings,
    ...windows,
  ];
}
