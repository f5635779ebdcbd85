// Compares a journal with its seals: which entries are as they were sealed, and which is the first that differs. Needs no lock and holds one block in memory.
//
// What it finds, and how: an entry altered (its leaf), added, removed or moved in its segment (its leaf and those behind it), a segment renamed, swapped or
// of another journal (header and seals say which), removed (indexes follow each other, and the chain), a seal altered (its head) or replaced (the next one
// names its head), the end cut off (the head in journal.json, or the one that was published). Who can write the directory can also cut it at a seal, or make
// the whole chain anew: only a head that is kept elsewhere, or the signature, tells that.

import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import * as E from '../../../layout/entry.ts';
import { SEAL_BYTES_MAX, SEAL_HEAD_LENGTH } from '../../../layout/seal.ts';
import { SEGMENT_HEADER_LENGTH } from '../../../layout/segment.ts';
import { crc32c } from '../../base/crc32c.ts';
import { NodeFileLayer } from '../file-layer.ts';
import { type JournalIdentity, readIdentity } from '../identity.ts';
import { segmentIndexes } from '../reader.ts';
import { sealsPath } from '../seal.ts';
import { formatUuid, segmentName } from '../segment.ts';
import { isSignedBy, type PublicKey, readPublicKey } from '../signing.ts';
import { checkBlock, takenAt } from './block.ts';
import { headOf, parseHeader, parseSeal, SEAL_LENGTH_MAX, type Seal } from './parse.ts';
import {
  addDamage,
  addIntact,
  type Damage,
  type DamageKind,
  emptyReport,
  type Range,
  type VerifyReport,
} from './report.ts';

export interface VerifyOptions {
  /** File of the public key: every seal must be signed by it. */
  key?: string;
  /** A head that was published: 64 hexadecimal digits. It must be in the chain. */
  head?: string;
  /** Bytes of segments that were verified, and of all. */
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

const SEALS_NAME = /^(\d{12})\.seals$/;
const BLOCKS_PER_TURN = 32;
const CHUNK_LENGTH = 1 << 18;
const NO_DIGEST = Buffer.alloc(SEAL_HEAD_LENGTH);

/** @throws CausewayError JOURNAL_MISSING, PATH_DENIED, JOURNAL_INCOMPATIBLE, and of the key. Damage is in the report. */
export async function verifyJournal(directory: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  return new Verifier(directory, options).run();
}

interface Expected {
  block: bigint;
  head: Buffer;
  sequence: bigint;
}

interface Open {
  index: number;
  fd: number;
  size: number;
  headerDigest: Buffer;
}

class Verifier {
  readonly #directory: string;
  readonly #options: VerifyOptions;
  readonly #key: PublicKey | undefined;
  readonly #report: VerifyReport;
  readonly #identity: JournalIdentity | undefined;
  readonly #bytes = Buffer.allocUnsafe(SEAL_BYTES_MAX);
  readonly #record = Buffer.allocUnsafe(SEAL_LENGTH_MAX);
  readonly #keyIds = new Set<string>();
  #uuid: Buffer | undefined;
  /** undefined behind damage: what comes next is taken as it is. */
  #expected: Expected | undefined = { block: 0n, head: NO_DIGEST, sequence: 1n };
  /** Of the block before: right as soon as the next one names its head. */
  #pending: { ranges: Range[]; entries: bigint; seal: Seal; at: Place } | undefined;
  #wantedHeads: { head: Buffer; from: string }[] = [];
  #lastHead: Buffer | undefined;
  #total = 0;
  #turns = 0;

  constructor(directory: string, options: VerifyOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#key = options.key === undefined ? undefined : readPublicKey(options.key);
    this.#report = emptyReport(directory);
    this.#report.isSignatureChecked = this.#key !== undefined;
    if (options.head !== undefined)
      this.#wantedHeads.push({ head: Buffer.from(options.head, 'hex'), from: 'published' });
    segmentIndexes(directory, new NodeFileLayer(undefined));
    this.#identity = readIdentity(directory);
    const { uuid, sealed } = this.#identity ?? {};
    if (uuid !== undefined) this.#uuid = Buffer.from(uuid);
    if (sealed !== undefined) this.#wantedHeads.push({ head: Buffer.from(sealed.head), from: 'journal.json' });
  }

  async run(): Promise<VerifyReport> {
    // Seals before segments: a writer that is alive writes them the other way round.
    const seals = this.#indexes(SEALS_NAME);
    const segments = segmentIndexes(this.#directory, new NodeFileLayer(undefined));
    for (const index of segments) this.#total += fs.statSync(this.#path(segmentName(index))).size;
    const lastSealed = Math.max(-1, ...seals);
    const both = [...new Set([...seals, ...segments])].sort((a, b) => a - b);
    let next = 0;
    for (const index of both) {
      if (index > next) this.#skipMissing(next, index - 1);
      next = index + 1;
      await this.#verifySegment(index, {
        hasSeals: seals.includes(index),
        isBehindSeals: index < lastSealed,
        lastSealed,
      });
      if (this.#options.signal?.aborted === true) break;
    }
    this.#settlePending();
    this.#checkHeads();
    const report = this.#report;
    report.uuid = this.#uuid === undefined ? undefined : formatUuid(this.#uuid);
    report.head = this.#lastHead?.toString('hex');
    report.keyIds = [...this.#keyIds];
    this.#options.onProgress?.(this.#total, this.#total);
    return report;
  }

  #indexes(pattern: RegExp): number[] {
    const matches = fs.readdirSync(this.#directory).map((name) => pattern.exec(name)?.[1]);
    return matches.filter((digits) => digits !== undefined).map(Number);
  }

  #path(name: string): string {
    return path.join(this.#directory, name);
  }

  #skipMissing(first: number, last: number): void {
    const names = first === last ? segmentName(first) : `${segmentName(first)} to ${segmentName(last)}`;
    this.#damage('missing', { file: segmentName(first), offset: 0, segment: first }, `${names}: missing`);
    this.#settlePending();
    this.#expected = undefined;
  }

  async #verifySegment(
    index: number,
    around: { hasSeals: boolean; isBehindSeals: boolean; lastSealed: number },
  ): Promise<void> {
    const open = this.#open(index, around.hasSeals);
    try {
      let end: number | undefined = SEGMENT_HEADER_LENGTH;
      if (around.hasSeals) end = await this.#verifySeals(index, open, index === around.lastSealed);
      else if (around.isBehindSeals) {
        this.#damage(
          'missing',
          { file: path.basename(sealsPath('', index)), offset: 0, segment: index },
          'its seals are missing',
        );
        this.#expected = undefined;
        return;
      }
      if (open === undefined || end === undefined) return;
      if (around.isBehindSeals) this.#checkRest(open, end);
      else this.#countUnsealed(open, end);
    } finally {
      if (open !== undefined) fs.closeSync(open.fd);
    }
  }

  /** undefined when it is not there, is not what its name says, or is not in use: then its entries are not compared. */
  #open(index: number, hasSeals: boolean): Open | undefined {
    const file = segmentName(index);
    const place = { file, offset: 0, segment: index };
    let fd: number;
    try {
      fd = fs.openSync(this.#path(file), 'r');
    } catch (error) {
      this.#damage('missing', this.#firstSealed(place), `missing: ${(error as Error).message}`);
      return undefined;
    }
    this.#report.segments += 1;
    const bytes = Buffer.alloc(SEGMENT_HEADER_LENGTH);
    const read = readFully(fd, bytes, 0);
    const header = parseHeader(bytes.subarray(0, read));
    const { size } = fs.fstatSync(fd);
    const isUsed =
      hasSeals || (typeof header === 'string' ? bytes.some((byte) => byte !== 0) : header.firstSequence !== 0n);
    let why: [DamageKind, string] | undefined;
    if (!isUsed) why = undefined;
    else if (typeof header === 'string') why = ['header', header];
    else {
      this.#uuid ??= header.uuid;
      if (!header.uuid.equals(this.#uuid)) why = ['foreign', `of another journal: uuid=${formatUuid(header.uuid)}`];
      else if (header.index !== index) why = ['moved', `it is ${segmentName(header.index)} under another name`];
    }
    if (why !== undefined) this.#damage(why[0], this.#firstSealed(place), why[1]);
    // A header that is damaged says nothing about the entries behind it.
    if (!isUsed || why?.[0] === 'foreign' || why?.[0] === 'moved') {
      fs.closeSync(fd);
      return undefined;
    }
    return { index, fd, size, headerDigest: crypto.createHash('sha256').update(bytes).digest() };
  }

  /** The place with the sequence that the segment's first seal names. */
  #firstSealed(place: Place): Place {
    try {
      const fd = fs.openSync(sealsPath(this.#directory, place.segment), 'r');
      try {
        const seal = parseSeal(this.#record.subarray(0, readFully(fd, this.#record, 0)));
        return typeof seal === 'string' ? place : { ...place, sequence: seal.firstSequence };
      } finally {
        fs.closeSync(fd);
      }
    } catch {
      return this.#expected === undefined ? place : { ...place, sequence: this.#expected.sequence };
    }
  }

  /** Answers where the last sealed block ends; undefined if that is not known. */
  async #verifySeals(index: number, open: Open | undefined, isLast: boolean): Promise<number | undefined> {
    const file = path.basename(sealsPath('', index));
    const fd = fs.openSync(sealsPath(this.#directory, index), 'r');
    try {
      const { size } = fs.fstatSync(fd);
      let end: number | undefined = SEGMENT_HEADER_LENGTH;
      for (let offset = 0; offset < size; ) {
        const seal = parseSeal(this.#record.subarray(0, readFully(fd, this.#record, offset)));
        const place = { file, offset, segment: index };
        if (typeof seal === 'string') {
          const next = this.#findSeal(fd, offset + 8, size);
          const isTail = isLast && next === size && size - offset <= SEAL_LENGTH_MAX;
          if (isTail && this.#identity?.closed !== true) {
            this.#report.tornBytes += size - offset;
            return end;
          }
          const why = seal === 'short' ? 'it ends too early' : seal;
          this.#damage('seal', { ...place, sequence: this.#expected?.sequence }, `not a whole, right seal: ${why}`);
          this.#settlePending();
          this.#expected = undefined;
          end = undefined;
          offset = next;
          continue;
        }
        const isMine = this.#checkPlace(seal, place, end);
        end = isMine ? seal.to : undefined;
        if (!isMine) this.#settlePending();
        this.#expected = { block: seal.block + 1n, head: seal.head, sequence: seal.lastSequence + 1n };
        if (isMine && open !== undefined) this.#verifyBlock(seal, open, place);
        else this.#settlePending();
        offset += seal.length;
        await this.#turn();
        if (this.#options.signal?.aborted === true) return undefined;
      }
      return end;
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Offset of the next whole seal, or `size`. Records are multiples of 8 bytes. */
  #findSeal(fd: number, from: number, size: number): number {
    const chunk = Buffer.alloc(CHUNK_LENGTH);
    for (let base = from; base < size; base += CHUNK_LENGTH - SEAL_LENGTH_MAX - 8) {
      const length = readFully(fd, chunk, base);
      for (let at = 0; at + 4 <= length; at += 8) {
        if (typeof parseSeal(chunk.subarray(at, Math.min(at + SEAL_LENGTH_MAX, length))) !== 'string') return base + at;
      }
      if (base + length >= size) break;
    }
    return size;
  }

  /** Whether the seal is the one that must be here. */
  #checkPlace(seal: Seal, place: Place, end: number | undefined): boolean {
    const at = { ...place, sequence: seal.firstSequence, block: seal.block };
    const expected = this.#expected;
    this.#uuid ??= seal.uuid;
    if (!seal.uuid.equals(this.#uuid)) {
      this.#damage('foreign', at, `a seal of another journal: uuid=${formatUuid(seal.uuid)}`);
      return false;
    }
    if (seal.segment !== place.segment) {
      this.#damage('moved', at, `a seal of ${segmentName(seal.segment)}`);
      return false;
    }
    if (expected !== undefined && seal.block !== expected.block) {
      this.#damage(
        'missing',
        { ...at, sequence: expected.sequence },
        `block=${seal.block}, expected ${expected.block}`,
      );
      this.#settlePending();
      this.#expected = undefined;
    } else if (expected !== undefined && !seal.previousHead.equals(expected.head)) {
      const before = this.#pending;
      const blamed =
        before === undefined ? at : { ...before.at, sequence: before.seal.firstSequence, block: before.seal.block };
      this.#damage('seal', blamed, `block=${seal.block} follows another one than this`);
      this.#pending = undefined;
    } else if (
      end !== undefined &&
      (seal.from !== end || (expected !== undefined && seal.firstSequence !== expected.sequence))
    ) {
      this.#damage(
        'seal',
        at,
        `it begins at ${seal.from}, sequence=${seal.firstSequence}; the one before ended at ${end}`,
      );
    }
    return true;
  }

  #verifyBlock(seal: Seal, open: Open, place: Place): void {
    this.#settlePending();
    const report = this.#report;
    const length = readFully(open.fd, this.#bytes.subarray(0, seal.to - seal.from), seal.from);
    const finding = checkBlock(this.#bytes.subarray(0, length), seal);
    report.blocks += 1n;
    report.bytes += BigInt(length);
    report.sealedAtNs = seal.timeNs;
    const at = { ...place, sequence: seal.firstSequence, block: seal.block };
    const headerDigest = seal.from === SEGMENT_HEADER_LENGTH ? open.headerDigest : NO_DIGEST;
    const isWhole = finding.leaves.length === seal.count * SEAL_HEAD_LENGTH;
    const head = isWhole ? headOf(seal, headerDigest, finding.leaves) : undefined;
    const isRight = head?.equals(seal.head) === true;
    const isSigned = this.#checkSignature(seal, at);
    if (isRight && finding.different.length > 0) this.#damage('seal', at, 'what it says of single entries was altered');
    if (!isRight) {
      for (const { offset, sequence, why } of finding.different) {
        this.#damage(
          'entry',
          { file: segmentName(open.index), offset, segment: open.index, sequence, block: seal.block },
          why,
        );
      }
      if (finding.different.length === 0) {
        const isFirst = seal.from === SEGMENT_HEADER_LENGTH;
        const what = isFirst
          ? 'the head differs: segment header or seal was altered'
          : 'the head differs: the seal was altered';
        this.#damage(isFirst ? 'header' : 'seal', at, what);
        // What follows follows the head as it was.
        if (head !== undefined && !isFirst && this.#expected !== undefined) this.#expected = undefined;
        return;
      }
    }
    this.#lastHead = seal.head;
    this.#wantedHeads = this.#wantedHeads.filter((wanted) => !wanted.head.equals(seal.head));
    if (!isSigned) return;
    const all = { first: seal.firstSequence, last: seal.lastSequence };
    const entries = isRight ? seal.lastSequence - seal.firstSequence + 1n : finding.entries;
    this.#pending = { ranges: isRight ? [all] : finding.right, entries, seal, at };
  }

  #checkSignature(seal: Seal, place: Place): boolean {
    if (seal.isSigned) {
      this.#report.signedBlocks += 1n;
      if (this.#keyIds.size < 100) this.#keyIds.add(seal.keyId.toString('hex'));
    }
    if (this.#key === undefined) return true;
    let why: string | undefined;
    if (!seal.isSigned) why = 'not signed';
    else if (!seal.keyId.equals(this.#key.id)) why = `signed with another key: ${seal.keyId.toString('hex')}`;
    else if (!isSignedBy(this.#key, seal.head, seal.signature)) why = 'the signature is wrong';
    if (why !== undefined) this.#damage('signature', place, why);
    return why === undefined;
  }

  #settlePending(): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending === undefined) return;
    this.#report.entries += pending.entries;
    for (const { first, last } of pending.ranges) addIntact(this.#report, first, last);
  }

  /** A segment that was sealed to its end holds nothing behind it. */
  #checkRest(open: Open, end: number): void {
    const rest = Buffer.alloc(Math.min(Math.max(open.size - end, 0), E.ENTRY_HEADER_LENGTH));
    readFully(open.fd, rest, end);
    if (rest.length < E.ENTRY_HEADER_LENGTH && rest.every((byte) => byte === 0)) return;
    const place = {
      file: segmentName(open.index),
      offset: end,
      segment: open.index,
      sequence: this.#expected?.sequence,
    };
    this.#damage(
      rest.length < E.ENTRY_HEADER_LENGTH ? 'header' : 'entry',
      place,
      'behind the last entry that was sealed here',
    );
  }

  /** What no seal covers yet: entries by their checksums, then what is left of a claim. */
  #countUnsealed(open: Open, from: number): void {
    let at = from;
    let isEnd = false;
    while (!isEnd) {
      const length = readFully(open.fd, this.#bytes, at);
      let used = 0;
      for (let taken = takenAt(this.#bytes.subarray(0, length), 0); taken > 0; ) {
        if (!isRightEntry(this.#bytes, used)) break;
        if (this.#bytes.readBigUInt64LE(used + E.ENTRY_SEQUENCE_OFFSET) !== 0n) this.#report.unsealed += 1n;
        used += taken;
        taken = takenAt(this.#bytes.subarray(0, length), used);
      }
      at += used;
      isEnd = used === 0;
    }
    const torn = this.#bytesBehind(open, at);
    if (torn === 0) return;
    if (this.#identity?.closed === true) {
      const place = {
        file: segmentName(open.index),
        offset: at,
        segment: open.index,
        sequence: this.#expected?.sequence,
      };
      this.#damage('entry', place, 'not a whole, right entry, in a journal that was closed');
    } else this.#report.tornBytes += torn;
  }

  /** Up to the last byte that is not zero. */
  #bytesBehind(open: Open, from: number): number {
    let last = from;
    for (let at = from; at < open.size; at += this.#bytes.length) {
      const length = readFully(open.fd, this.#bytes, at);
      if (length === 0) break;
      const place = this.#bytes.subarray(0, length).findLastIndex((byte) => byte !== 0);
      if (place >= 0) last = at + place + 1;
    }
    return last - from;
  }

  #checkHeads(): void {
    const sealed = this.#identity?.sealed;
    if (this.#options.signal?.aborted === true) return;
    for (const { from } of this.#wantedHeads) {
      const what =
        from === 'published'
          ? 'the published head'
          : `the head of block=${sealed?.block}, sequence=${sealed?.sequence}`;
      const place = { file: 'journal.json', offset: 0, segment: 0, sequence: this.#expected?.sequence };
      this.#damage('head', place, `${what} is not in the chain: cut short, or replaced`);
    }
  }

  #damage(kind: DamageKind, place: Place, message: string): void {
    const { file, offset, segment, sequence, block } = place;
    const damage: Damage = { kind, file, offset, segment, sequence, block, message };
    addDamage(this.#report, damage);
  }

  async #turn(): Promise<void> {
    this.#turns += 1;
    if (this.#turns % BLOCKS_PER_TURN !== 0) return;
    this.#options.onProgress?.(Number(this.#report.bytes), this.#total);
    await nextTurn();
  }
}

interface Place {
  file: string;
  offset: number;
  segment: number;
  sequence?: bigint | undefined;
  block?: bigint | undefined;
}

function isRightEntry(bytes: Buffer, at: number): boolean {
  const isPadding = bytes.readUInt16LE(at + E.ENTRY_KIND_OFFSET) === E.ENTRY_KIND_PADDING;
  const length = isPadding ? E.ENTRY_HEADER_LENGTH : bytes.readInt32LE(at + E.ENTRY_LENGTH_OFFSET);
  return crc32c(bytes, at + E.ENTRY_SEQUENCE_OFFSET, at + length) === bytes.readUInt32LE(at + E.ENTRY_CRC32C_OFFSET);
}

function readFully(fd: number, target: Buffer, position: number): number {
  let done = 0;
  while (done < target.length) {
    const count = fs.readSync(fd, target, done, target.length - done, position + done);
    if (count <= 0) break;
    done += count;
  }
  return done;
}
