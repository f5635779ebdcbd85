// Malformed records that ingestion kept aside (layout/ingest.ts), for inspection.

import { ARENA_INGEST_OFFSET, ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import * as layout from '../../layout/ingest.ts';
import { QUARANTINE_RECORDS_MAX } from '../../layout/limits.ts';
import type { Arena } from '../arena/arena.ts';
import { SCRATCH_INGEST } from '../worker/control.ts';

export interface QuarantinedRecord {
  reason: 'tooShort' | 'version' | 'op' | 'variant' | 'length' | 'pathLength' | 'lane' | 'path' | 'unknown';
  /** As the ring said; `bytes` may be cut. */
  length: number;
  bytes: Uint8Array;
}

const REASONS = new Map<number, QuarantinedRecord['reason']>([
  [layout.MALFORMED_TOO_SHORT, 'tooShort'],
  [layout.MALFORMED_VERSION, 'version'],
  [layout.MALFORMED_OP, 'op'],
  [layout.MALFORMED_VARIANT, 'variant'],
  [layout.MALFORMED_LENGTH, 'length'],
  [layout.MALFORMED_PATH_LENGTH, 'pathLength'],
  [layout.MALFORMED_LANE, 'lane'],
  [layout.MALFORMED_PATH, 'path'],
]);

/** The first QUARANTINE_RECORDS_MAX of them. */
export function readQuarantine(arena: Arena): QuarantinedRecord[] {
  const count = Number(arena.view.getBigUint64(ARENA_INGEST_OFFSET + layout.INGEST_MALFORMED_OFFSET, true));
  const scratch = arena.region(ARENA_REGION_SCRATCH, SCRATCH_INGEST).address;
  return Array.from({ length: Math.min(count, QUARANTINE_RECORDS_MAX) }, (_, number) => {
    const slot = scratch + layout.INGEST_SCRATCH_QUARANTINE_OFFSET + number * layout.QUARANTINE_SLOT_LENGTH;
    const field = (offset: number) => arena.view.getUint32(slot + offset, true);
    const kept = Math.min(field(layout.QUARANTINE_KEPT_OFFSET), layout.QUARANTINE_BYTES_MAX);
    const at = slot + layout.QUARANTINE_BYTES_OFFSET;
    return {
      reason: REASONS.get(field(layout.QUARANTINE_REASON_OFFSET)) ?? 'unknown',
      length: field(layout.QUARANTINE_LENGTH_OFFSET),
      bytes: arena.bytes.slice(at, at + kept),
    };
  });
}
