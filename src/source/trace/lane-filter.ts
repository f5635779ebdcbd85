// Which records of a trace are replayed. A record that is left out leaves a hole in its lane's numbers that is no loss; a hole that the recording had
// already is one.

import { GAP_CAUSE_SOURCE } from '../../../layout/entry.ts';
import { KERNEL_RECORD_CPU_OFFSET, KERNEL_RECORD_LANE_SEQUENCE_OFFSET } from '../../../layout/kernel-record.ts';
import { LANES_MAX } from '../../../layout/limits.ts';
import type { SourceLoss } from '../source.ts';

export class LaneFilter {
  readonly #ops: ReadonlySet<number>;
  readonly #pids: ReadonlySet<number>;
  /** Last sequence by lane. */
  readonly #lanes = new Map<number, bigint>();

  /** Empty = all. */
  constructor(ops: readonly number[], pids: readonly number[]) {
    this.#ops = new Set(ops);
    this.#pids = new Set(pids);
  }

  get isEverything(): boolean {
    return this.#ops.size === 0 && this.#pids.size === 0;
  }

  wants(op: number, pid: number): boolean {
    return (this.#ops.size === 0 || this.#ops.has(op)) && (this.#pids.size === 0 || this.#pids.has(pid));
  }

  /** The loss that this record's lane sequence shows, if any. */
  follow(bytes: Buffer, offset: number): SourceLoss | undefined {
    const lane = bytes.readUInt32LE(offset + KERNEL_RECORD_CPU_OFFSET);
    const sequence = bytes.readBigUInt64LE(offset + KERNEL_RECORD_LANE_SEQUENCE_OFFSET);
    if (sequence === 0n || lane >= LANES_MAX) return undefined;
    const last = this.#lanes.get(lane);
    if (last !== undefined && sequence <= last) return undefined;
    this.#lanes.set(lane, sequence);
    if (last === undefined || sequence === last + 1n) return undefined;
    return { cause: GAP_CAUSE_SOURCE, from: last + 1n, to: sequence - 1n, count: sequence - 1n - last };
  }
}
