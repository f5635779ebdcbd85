// What lies behind a place in a segment where no valid entry is. A killed process leaves claims that never committed: each is either all zeros (killed
// before its length word) or begins with its negative length. Behind them come valid entries again, the segment's padding, its end, or nothing.

import * as E from '../../layout/entry.ts';
import { corruptAt } from './corrupt.ts';
import type { FileLayer } from './file-layer.ts';
import type { ReadBuffer } from './read-buffer.ts';

/** A stretch of claims; `count` sequences belong to it. */
export interface Claim {
  offset: number;
  length: number;
  count: number;
}

export interface Gap {
  claims: Claim[];
  /** Offset and sequence of the next entry; the segment's size if that is in the next segment. */
  end: number;
  sequence: bigint;
}

interface Place {
  fd: number;
  index: number;
  offset: number;
  size: number;
  /** Sequence that the entry at `offset` would have. */
  expected: bigint;
  /** First sequence of the next segment; undefined if this is the last one. */
  nextFirst: bigint | undefined;
}

export class GapFinder {
  readonly #files: FileLayer;
  readonly #buffer: ReadBuffer;

  constructor(files: FileLayer, buffer: ReadBuffer) {
    this.#files = files;
    this.#buffer = buffer;
  }

  /**
   * undefined: nothing valid is behind, this is the tail.
   * @throws CausewayError JOURNAL_CORRUPT: something is, and what is in between is not what a killed process leaves.
   */
  look(place: Place): Gap | undefined {
    const { fd, size, expected, nextFirst } = place;
    const claims: Claim[] = [];
    let offset = place.offset;
    let isRegular = true;
    while (size - offset >= E.ENTRY_HEADER_LENGTH && isRegular) {
      this.#buffer.fill(this.#files, fd, 0, offset, size);
      const length = this.#buffer.lengthAt(offset);
      if (length < 0 && -length >= E.ENTRY_HEADER_LENGTH && -length <= E.ENTRY_LENGTH_MAX && offset - length <= size) {
        const taken = (-length + 7) & ~7;
        claims.push({ offset, length: taken, count: 1 });
        offset += taken;
      } else if (length === 0) {
        const end = this.#endOfZeros(fd, offset, size);
        if (end - offset < E.ENTRY_HEADER_LENGTH) isRegular = false;
        else claims.push({ offset, length: end - offset, count: 0 });
        offset = end;
      } else if (this.#buffer.verified > 0) {
        const found = this.#buffer.decoder.sequence(this.#buffer.address);
        if (found !== 0n) return this.#gapBefore(place, claims, offset, found);
        // The segment's padding: what was claimed before it is settled by the next segment.
        offset += (length + 7) & ~7;
      } else {
        isRegular = false;
      }
    }
    if (isRegular && nextFirst === undefined) return undefined;
    if (isRegular && nextFirst !== undefined) return this.#gapBefore(place, claims, size, nextFirst);
    const behind = nextFirst ?? this.#search(place, offset);
    if (behind === undefined) return undefined;
    throw corruptAt(place.index, place.offset, expected, `damaged, with sequence=${behind} behind it`);
  }

  /** Bytes from `offset` to the last one that is not zero, and the length word at `offset`; undefined if all are zero. */
  extent(fd: number, offset: number, size: number): { bytes: number; length: number } | undefined {
    let end = offset;
    let length = 0;
    for (let at = offset; at < size; at += this.#buffer.length) {
      this.#buffer.fill(this.#files, fd, 0, at, size);
      if (this.#buffer.length === 0) break;
      if (at === offset) length = this.#buffer.lengthAt(offset);
      const bytes = this.#buffer.arena.slice(this.#buffer.address, this.#buffer.length);
      let last = bytes.length;
      while (last > 0 && bytes[last - 1] === 0) last -= 1;
      if (last > 0) end = at + last;
    }
    return end === offset ? undefined : { bytes: end - offset, length };
  }

  /** Gives the sequences up to `sequence` to the claims before it: one to each, what is left over to stretches of zeros. */
  #gapBefore(place: Place, claims: Claim[], end: number, sequence: bigint): Gap {
    const stretches = claims.filter((claim) => claim.count === 0);
    let rest = sequence - place.expected - BigInt(claims.length);
    for (const claim of stretches) {
      const room = Math.floor(claim.length / E.ENTRY_HEADER_LENGTH) - 1;
      const extra = rest <= 0n ? 0 : rest < BigInt(room) ? Number(rest) : room;
      claim.count = 1 + extra;
      rest -= BigInt(extra);
    }
    if (rest === 0n) return { claims, end, sequence };
    const claimed = `${claims.length} claims that were never committed`;
    throw corruptAt(place.index, place.offset, place.expected, `${claimed}, then sequence=${sequence}`);
  }

  /** Offset, a multiple of 8, of the first word that is not zero; `size` if there is none. */
  #endOfZeros(fd: number, offset: number, size: number): number {
    for (let at = offset; at < size; at += this.#buffer.length) {
      this.#buffer.fill(this.#files, fd, 0, at, size);
      if (this.#buffer.length === 0) break;
      const bytes = this.#buffer.arena.slice(this.#buffer.address, this.#buffer.length);
      const first = bytes.findIndex((byte) => byte !== 0);
      if (first >= 0) return (at + first) & ~7;
    }
    return size;
  }

  /** Sequence of any valid entry behind `offset` that is later than the one expected there. */
  #search(place: Place, offset: number): bigint | undefined {
    const buffer = this.#buffer;
    const sequenceMax = place.expected + BigInt(Math.ceil(place.size / E.ENTRY_HEADER_LENGTH));
    let at = (offset + 7) & ~7;
    while (place.size - at >= E.ENTRY_HEADER_LENGTH) {
      buffer.fill(this.#files, place.fd, 0, at, place.size);
      // An entry that begins near the end of the buffer is looked at in the next one.
      const isEnd = at + buffer.length >= place.size;
      const end = isEnd ? buffer.length - E.ENTRY_HEADER_LENGTH : buffer.length - E.ENTRY_LENGTH_MAX;
      for (let from = 0; from <= end; from += 8) {
        const length = buffer.view.getInt32(buffer.address + from, true);
        if (length < E.ENTRY_HEADER_LENGTH || length > E.ENTRY_LENGTH_MAX) continue;
        const sequence = buffer.decoder.sequence(buffer.address + from);
        if (sequence < place.expected || sequence > sequenceMax) continue;
        const taken = (length + 7) & ~7;
        if (from + taken > buffer.length) continue;
        if (buffer.wasm.journalVerify(buffer.address, from, from + taken) === from + taken) return sequence;
      }
      if (isEnd || buffer.length === 0) break;
      at += end + 8;
    }
    return undefined;
  }
}
