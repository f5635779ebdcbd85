// One block of entries against its seal.

import crypto from 'node:crypto';
import * as E from '../../../layout/entry.ts';
import { SEAL_ENTRIES_MAX, SEAL_LEAF_LENGTH } from '../../../layout/seal.ts';
import type { Seal } from './parse.ts';

const LEAF_LENGTH = 32;
const digests = Buffer.alloc(SEAL_ENTRIES_MAX * LEAF_LENGTH);

export interface BlockFinding {
  /** Full digests, of as many entries as could be told apart. Good until the next block is checked. */
  leaves: Buffer;
  /** Entries that differ, by their place in the block. */
  different: { offset: number; sequence: bigint; why: string }[];
  /** Sequences of stretches that are right, both inclusive. */
  right: { first: bigint; last: bigint }[];
  entries: bigint;
}

/** `bytes` are those of the segment from seal.from on, at most to seal.to. */
export function checkBlock(bytes: Buffer, seal: Seal): BlockFinding {
  const finding: BlockFinding = { leaves: digests.subarray(0, 0), different: [], right: [], entries: 0n };
  let at = 0;
  let hashed = 0;
  let sequence = seal.firstSequence;
  let first = sequence;
  for (let place = 0; place < seal.count; place++) {
    const taken = takenAt(bytes, at);
    const offset = seal.from + at;
    if (taken === 0) {
      const why =
        bytes.length - at < E.ENTRY_HEADER_LENGTH ? 'it is gone: the segment was cut short' : 'its length is wrong';
      finding.different.push({ offset, sequence, why });
      addRight(finding, first, sequence - 1n);
      finding.leaves = digests.subarray(0, hashed * LEAF_LENGTH);
      return finding;
    }
    // As text, because making a Buffer costs as much as the hashing (measured). Node's types leave this encoding out.
    const text = crypto.hash('sha256', bytes.subarray(at, at + taken), 'latin1' as 'binary');
    const leafAt = place * LEAF_LENGTH;
    digests.write(text, leafAt, LEAF_LENGTH, 'latin1');
    hashed += 1;
    const isEqual = isSameLeaf(digests, leafAt, seal.leaves, place * SEAL_LEAF_LENGTH);
    const found = bytes.readBigUInt64LE(at + E.ENTRY_SEQUENCE_OFFSET);
    if (isEqual && found !== 0n && found === sequence) finding.entries += 1n;
    if (!isEqual || (found !== 0n && found !== sequence)) {
      finding.different.push({ offset, sequence, why: 'it is not what was sealed' });
      addRight(finding, first, sequence - 1n);
      // Which one it was: padding that had no sequence, if all that are behind it would be one too far.
      first = sequence + 1n;
      sequence += 1n;
    } else if (found !== 0n) sequence += 1n;
    at += taken;
  }
  finding.leaves = digests.subarray(0, hashed * LEAF_LENGTH);
  addRight(finding, first, sequence - 1n);
  if (seal.from + at !== seal.to && finding.different.length === 0) {
    finding.different.push({ offset: seal.from + at, sequence, why: 'its length is wrong' });
  }
  return finding;
}

/** Bytes up to the next entry; 0 where no entry can be. */
export function takenAt(bytes: Buffer, at: number): number {
  if (bytes.length - at < E.ENTRY_HEADER_LENGTH) return 0;
  const length = bytes.readInt32LE(at + E.ENTRY_LENGTH_OFFSET);
  if (length < E.ENTRY_HEADER_LENGTH || length > E.ENTRY_LENGTH_MAX) return 0;
  const taken = (length + 7) & ~7;
  return taken > bytes.length - at ? 0 : taken;
}

function addRight(finding: BlockFinding, first: bigint, last: bigint): void {
  if (last >= first) finding.right.push({ first, last });
}

/** The first 8 bytes of each. */
function isSameLeaf(one: Buffer, oneAt: number, other: Buffer, otherAt: number): boolean {
  return (
    one.readInt32LE(oneAt) === other.readInt32LE(otherAt) &&
    one.readInt32LE(oneAt + 4) === other.readInt32LE(otherAt + 4)
  );
}
