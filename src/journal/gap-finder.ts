// What lies behind a place in a segment where no valid entry is. Behind it come valid entries again, the segment's padding, its end, or nothing.
//
// A killed process leaves claims that never committed: each is either all zeros (killed before its length word) or begins with its negative length.
//
// A power failure leaves any sectors of what was not flushed as they were before, that is as zeros (segments are preallocated, and never written twice).
// So the torn stretch before the next valid entry holds a sector of zeros: without one it is damage. Nothing in it was acknowledged, nor anything behind
// it: a flush covers all that is before. Bits that flipped in an entry of zeros look the same; such a one becomes a hole too, and is reported as one.

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
  /** The power may have failed before this segment was flushed. */
  isUnflushed: boolean;
}

/** Sectors are written whole or not at all. */
const SECTOR_LENGTH = 512;

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
    /** Where what is irregular begins: zeros before it belong to it. */
    let damage = offset;
    while (size - offset >= E.ENTRY_HEADER_LENGTH && isRegular) {
      this.#buffer.fill(this.#files, fd, 0, offset, size);
      const length = this.#buffer.lengthAt(offset);
      if (claims.at(-1)?.count !== 0) damage = offset;
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
    const skipped = this.#skipOwn(place, offset);
    let behind = this.#search(place, skipped);
    if (behind === undefined && nextFirst !== undefined) behind = { offset: size, sequence: nextFirst };
    if (behind !== undefined && place.isUnflushed && this.#isTorn(fd, damage, behind.offset, size)) {
      if (claims.at(-1)?.count === 0) claims.pop();
      claims.push({ offset: damage, length: behind.offset - damage, count: 0 });
      return this.#gapBefore(place, claims, behind.offset, behind.sequence);
    }
    if (skipped > offset) behind ??= this.#search(place, offset);
    if (behind === undefined) return undefined;
    throw corruptAt(place.index, place.offset, expected, `damaged, with sequence=${behind.sequence} behind it`);
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

  /**
   * Gives the sequences up to `sequence` to the claims before it: one to each, what is left over to those that have room, first to stretches without a
   * length. Only what lies before the next segment can have none: that segment's padding.
   */
  #gapBefore(place: Place, claims: Claim[], end: number, sequence: bigint): Gap {
    let rest = sequence - place.expected;
    const isEnd = end === place.size;
    const stretches = claims.filter((claim) => claim.count === 0);
    for (const claim of claims) {
      claim.count = rest > 0n ? 1 : 0;
      rest -= BigInt(claim.count === 1 || !isEnd ? 1 : 0);
    }
    for (const claim of [...stretches, ...claims.filter((other) => !stretches.includes(other))]) {
      const room = Math.floor(claim.length / E.ENTRY_HEADER_LENGTH) - claim.count;
      const extra = rest <= 0n ? 0 : rest < BigInt(room) ? Number(rest) : room;
      claim.count += extra;
      rest -= BigInt(extra);
    }
    if (rest === 0n) return { claims, end, sequence };
    const claimed = `${claims.length} claims that were never committed`;
    throw corruptAt(place.index, place.offset, place.expected, `${claimed}, then sequence=${sequence}`);
  }

  /** True if a sector between the two is all zeros: it never got to the disk. */
  #isTorn(fd: number, from: number, to: number, size: number): boolean {
    if (to - from < E.ENTRY_HEADER_LENGTH) return false;
    let isZero = true;
    for (let at = from; at < to; at += this.#buffer.length) {
      this.#buffer.fill(this.#files, fd, 0, at, size);
      if (this.#buffer.length === 0) break;
      const end = Math.min(at + this.#buffer.length, to);
      const bytes = this.#buffer.arena.slice(this.#buffer.address, end - at);
      for (let place = at; place < end; place++) {
        isZero &&= bytes[place - at] === 0;
        if ((place + 1) % SECTOR_LENGTH !== 0) continue;
        if (isZero) return true;
        isZero = true;
      }
    }
    // The sector that the valid entry begins in did get there.
    return to === size && isZero;
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

  /** Any valid entry behind `offset` that is later than the one expected there, or the padding that ends the segment. */
  #search(place: Place, offset: number): { offset: number; sequence: bigint } | undefined {
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
        let sequence = buffer.decoder.sequence(buffer.address + from);
        const taken = (length + 7) & ~7;
        const isLast = sequence === 0n && place.nextFirst !== undefined && at + from + taken === place.size;
        if (isLast) sequence = place.nextFirst as bigint;
        if (sequence < place.expected || sequence > sequenceMax) continue;
        if (from + taken > buffer.length) continue;
        if (buffer.wasm.journalVerify(buffer.address, from, from + taken) !== from + taken) continue;
        return { offset: at + from, sequence };
      }
      if (isEnd || buffer.length === 0) break;
      at += end + 8;
    }
    return undefined;
  }

  /** Behind the entry at `offset`, if it still says how long it is: what a payload holds is no entry, whatever it looks like. */
  #skipOwn(place: Place, offset: number): number {
    if (offset !== place.offset) return offset;
    this.#buffer.fill(this.#files, place.fd, 0, offset, place.size);
    const length = this.#buffer.lengthAt(offset);
    const isPossible = length >= E.ENTRY_HEADER_LENGTH && length <= E.ENTRY_LENGTH_MAX && offset + length <= place.size;
    const isOwn = isPossible && this.#buffer.decoder.sequence(this.#buffer.address) === place.expected;
    return isOwn ? offset + ((length + 7) & ~7) : offset;
  }
}
