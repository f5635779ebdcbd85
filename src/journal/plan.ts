// What a thread needs to work on a journal that another thread of the process opened: structured-cloneable. All that changes is in the arena's control block.

import path from 'node:path';
import { segmentName } from './segment.ts';

export interface SealPlan {
  /** PEM. undefined: seals are not signed. */
  signingKey: string | undefined;
  /** Where the chain's head is published. */
  headFile: string | undefined;
}

export interface JournalPlan {
  /** undefined: ephemeral, all segments in the one unnamed file `fd`. */
  directory: string | undefined;
  /** Descriptor of the ephemeral file, open as long as the journal is; -1 with a directory. */
  fd: number;
  segmentLength: number;
  uuid: Uint8Array;
  epoch: bigint;
  /** Index of the first segment that this opening wrote. */
  firstIndex: number;
  /** undefined: nothing is sealed. */
  seal: SealPlan | undefined;
  /** Segments are mapped into the windows; otherwise the sync worker writes them with fs. */
  mapped: boolean;
}

/** Where a segment is: a file of its own, or a part of the ephemeral one. */
export function segmentPath(directory: string, index: number): string {
  return path.join(directory, segmentName(index));
}

/** Position of the segment's first byte in its file. */
export function segmentBase(plan: JournalPlan, index: number): number {
  return plan.directory === undefined ? index * plan.segmentLength : 0;
}
