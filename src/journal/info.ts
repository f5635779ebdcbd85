// What a journal's directory says about itself, without reading its entries (except the last segment's, for the last sequence).

import { SEGMENT_HEADER_LENGTH } from '../../layout/segment.ts';
import { NodeFileLayer } from './file-layer.ts';
import { readIdentity } from './identity.ts';
import { type LockHolder, lockHolder } from './lock.ts';
import { segmentPath } from './plan.ts';
import { JournalReader, segmentIndexes } from './reader.ts';
import { decodeSegmentHeader, formatUuid } from './segment.ts';

export interface JournalInfo {
  directory: string;
  uuid: string | undefined;
  epoch: bigint | undefined;
  segments: number;
  /** Bytes of all segments' files. */
  bytes: bigint;
  /** 0n while the journal is empty. */
  firstSequence: bigint;
  lastSequence: bigint;
  /** Who writes it now. */
  writer: LockHolder | undefined;
}

/** @throws CausewayError JOURNAL_MISSING, PATH_DENIED, JOURNAL_CORRUPT. */
export function journalInfo(directory: string): JournalInfo {
  const files = new NodeFileLayer(undefined);
  const indexes = segmentIndexes(directory, files);
  const identity = readIdentity(directory);
  let bytes = 0n;
  let firstSequence = 0n;
  for (const index of indexes) {
    const fd = files.open(segmentPath(directory, index), 'r');
    try {
      bytes += BigInt(files.size(fd));
      if (firstSequence !== 0n) continue;
      const buffer = new Uint8Array(SEGMENT_HEADER_LENGTH);
      const header = decodeSegmentHeader(buffer.subarray(0, files.read(fd, buffer, 0)));
      if (typeof header !== 'string') firstSequence = header.firstSequence;
    } finally {
      files.close(fd);
    }
  }
  const reader = new JournalReader({ directory, since: 'now', files });
  const lastSequence = reader.position - 1n;
  reader.close();
  return {
    directory,
    uuid: identity === undefined ? undefined : formatUuid(identity.uuid),
    epoch: identity?.epoch,
    segments: indexes.length,
    bytes,
    firstSequence: lastSequence === 0n ? 0n : firstSequence,
    lastSequence,
    writer: lockHolder(directory),
  };
}
