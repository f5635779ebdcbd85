// Seals what is committed, block by block (layout/seal.ts), in the sync worker's thread. It reads the entries back from the segments' files, so it needs no
// window, holds up no appender, and seals what is really there. All its state is in the files: when its thread dies, another sealer goes on.
//
// A block is closed when it is full, when its segment ends, when its oldest entry waits for SEAL_AGE_MS, and when the journal is closed. Killed in the middle
// of a record, the record is torn: it is cut at the next opening and made again (recoverSeals).

import crypto from 'node:crypto';
import fs from 'node:fs';
import { ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import {
  ENTRY_HEADER_LENGTH,
  ENTRY_LENGTH_MAX,
  ENTRY_LENGTH_OFFSET,
  ENTRY_SEQUENCE_OFFSET,
} from '../../layout/entry.ts';
import { SEAL_BYTES_MAX, SEAL_ENTRIES_MAX, SEAL_HEAD_LENGTH } from '../../layout/seal.ts';
import { SEGMENT_HEADER_LENGTH } from '../../layout/segment.ts';
import {
  SHA256_DIGEST_LENGTH,
  SHA256_ROW_ADDRESS_OFFSET,
  SHA256_ROW_LENGTH,
  SHA256_ROW_LENGTH_OFFSET,
  SHA256_SCRATCH_LENGTH,
} from '../../layout/sha256.ts';
import { Arena } from '../arena/arena.ts';
import { instantiate } from '../arena/wasm.ts';
import type { Wasm } from '../arena/wasm-exports.ts';
import { CausewayError, messageOf } from '../base/errors.ts';
import { corruptAt } from './corrupt.ts';
import { type FileLayer, readAll, writeAll } from './file-layer.ts';
import { type JournalPlan, segmentPath } from './plan.ts';
import {
  encodeSeal,
  readHeaderDigest,
  readSealState,
  type SealedHead,
  type SealState,
  sealsPath,
  writeHeadFile,
} from './seal.ts';
import { formatUuid } from './segment.ts';
import { makeSigner, type Signer } from './signing.ts';

/** Up to here everything is committed, and written to the file. */
export interface SealLimit {
  segment: number;
  position: number;
}

interface Block {
  to: number;
  lastSequence: bigint;
  leaves: Uint8Array;
}

const SEAL_AGE_MS = 1000;
const RETRY_MS = 500;
/** From here on one message after the other, in native code, is faster than four at once in wasm (measured). */
const LONG_MIN = 448;
const NO_DIGEST = new Uint8Array(SEAL_HEAD_LENGTH);

export class Sealer {
  readonly #plan: JournalPlan;
  readonly #directory: string;
  readonly #files: FileLayer;
  readonly #now: () => number;
  readonly #signer: Signer | undefined;
  #state: SealState | undefined;
  #fd = -1;
  #fdSegment = -1;
  #sealsFd = -1;
  #sealsFdSegment = -1;
  /** When the first entry was seen that no seal covers yet; 0 = all are covered. */
  #openSinceMs = 0;
  #retryAtMs = 0;
  #isHeadPublished = true;

  /** Why nothing was sealed the last time that it was tried. */
  error: unknown;
  /** What is in the files cannot be sealed: only opening the journal again helps. */
  hasFailed = false;

  constructor(plan: JournalPlan, files: FileLayer, now: () => number) {
    if (plan.directory === undefined) throw new RangeError('an ephemeral journal has no seals');
    this.#plan = plan;
    this.#directory = plan.directory;
    this.#files = files;
    this.#now = now;
    this.#signer = plan.seal?.signingKey === undefined ? undefined : makeSigner(plan.seal.signingKey);
  }

  /** Seals at most one block: 1 if it did. `everything`: also a block that could still grow. */
  step(limit: SealLimit, everything = false): number {
    if (this.hasFailed || (this.#now() < this.#retryAtMs && !everything)) return 0;
    try {
      const sealed = this.#step(limit, everything);
      this.error = undefined;
      this.#retryAtMs = 0;
      return sealed;
    } catch (error) {
      // No room, no descriptor: the journal goes on without, the same record is written again later.
      this.error = error;
      this.hasFailed = error instanceof CausewayError;
      this.#retryAtMs = this.#now() + RETRY_MS;
      return 0;
    }
  }

  /** The last block; undefined as long as there is none. */
  get sealed(): SealedHead | undefined {
    const state = this.#state;
    if (state === undefined || state.block === 0n) return undefined;
    return { block: state.block - 1n, sequence: state.sequence - 1n, head: state.head };
  }

  /** Seals all up to the limit and flushes. @throws whatever kept it from that. */
  finish(limit: SealLimit): SealedHead | undefined {
    while (this.step(limit, true) > 0);
    if (this.error !== undefined) throw this.error;
    if (this.#sealsFd >= 0) {
      this.#files.fdatasync(this.#sealsFd);
      this.#files.syncDirectory(this.#directory);
    }
    this.#publishHead();
    return this.sealed;
  }

  close(): void {
    if (this.#fd >= 0) this.#files.close(this.#fd);
    if (this.#sealsFd >= 0) this.#files.close(this.#sealsFd);
    this.#fd = -1;
    this.#sealsFd = -1;
    this.#fdSegment = -1;
    this.#sealsFdSegment = -1;
  }

  #step(limit: SealLimit, everything: boolean): number {
    this.#state ??= this.#load();
    const state = this.#state;
    if (state === undefined) return 0;
    let end = this.#endOf(state.segment, limit);
    while (state.segment < limit.segment && end - state.offset < ENTRY_HEADER_LENGTH) {
      state.segment += 1;
      state.offset = SEGMENT_HEADER_LENGTH;
      end = this.#endOf(state.segment, limit);
    }
    if (end <= state.offset) {
      this.#openSinceMs = 0;
      this.#publishHead();
      return 0;
    }
    if (this.#openSinceMs === 0) this.#openSinceMs = this.#now();
    const isOld = this.#now() - this.#openSinceMs >= SEAL_AGE_MS;
    const isFull = state.segment < limit.segment || end - state.offset >= SEAL_BYTES_MAX;
    if (!everything && !isOld && !isFull) return 0;
    this.#seal(state, this.#read(state, end));
    this.#openSinceMs = 0;
    return 1;
  }

  /** Opens the last file too: what another sealer wrote there may not be flushed yet, and is when this one leaves it. */
  #load(): SealState | undefined {
    const state = readSealState(this.#directory, this.#files);
    if (state !== undefined && state.block > 0n) this.#sealsDescriptor(state.sealsSegment);
    return state;
  }

  /** Offset behind the last byte of the segment that may be sealed. */
  #endOf(segment: number, limit: SealLimit): number {
    if (segment === limit.segment) return limit.position;
    return segment > limit.segment ? 0 : this.#files.size(this.#descriptor(segment));
  }

  #read(state: SealState, end: number): Block {
    const hasher = Hasher.shared();
    const wanted = Math.min(end - state.offset, SEAL_BYTES_MAX);
    const length = readAll(this.#files, this.#descriptor(state.segment), hasher.input(wanted), state.offset);
    let sequence = state.sequence;
    let at = 0;
    let count = 0;
    while (count < SEAL_ENTRIES_MAX && length - at >= ENTRY_HEADER_LENGTH) {
      const entryLength = hasher.view.getInt32(hasher.address + at + ENTRY_LENGTH_OFFSET, true);
      const taken = (entryLength + 7) & ~7;
      if (entryLength < ENTRY_HEADER_LENGTH || entryLength > ENTRY_LENGTH_MAX || taken > length - at) break;
      const found = hasher.view.getBigUint64(hasher.address + at + ENTRY_SEQUENCE_OFFSET, true);
      if (found !== 0n && found !== sequence) {
        throw corruptAt(state.segment, state.offset + at, sequence, `sequence=${found} cannot be sealed here`);
      }
      if (found !== 0n) sequence += 1n;
      hasher.take(count, at, taken);
      at += taken;
      count += 1;
    }
    if (count === 0) throw corruptAt(state.segment, state.offset, sequence, 'no whole entry: it cannot be sealed');
    return { to: state.offset + at, lastSequence: sequence - 1n, leaves: hasher.digests(count) };
  }

  #seal(state: SealState, block: Block): void {
    const { uuid, epoch } = this.#plan;
    const isFirst = state.offset === SEGMENT_HEADER_LENGTH;
    const fields = {
      uuid,
      epoch,
      block: state.block,
      segment: state.segment,
      from: state.offset,
      to: block.to,
      firstSequence: state.sequence,
      lastSequence: block.lastSequence,
      previousHead: state.head,
      headerDigest: isFirst ? readHeaderDigest(this.#files, this.#descriptor(state.segment)) : NO_DIGEST,
      leaves: block.leaves,
    };
    const { record, head } = encodeSeal(fields, this.#signer);
    const at = state.segment === state.sealsSegment ? state.sealsOffset : 0;
    writeAll(this.#files, this.#sealsDescriptor(state.segment), record, at);
    this.#state = {
      segment: state.segment,
      offset: block.to,
      sequence: block.lastSequence + 1n,
      block: state.block + 1n,
      head,
      sealsSegment: state.segment,
      sealsOffset: at + record.length,
    };
    this.#isHeadPublished = false;
  }

  #publishHead(): void {
    const { sealed } = this;
    const file = this.#plan.seal?.headFile;
    if (this.#isHeadPublished || file === undefined || sealed === undefined) return;
    writeHeadFile(file, formatUuid(this.#plan.uuid), sealed);
    this.#isHeadPublished = true;
  }

  #descriptor(segment: number): number {
    if (this.#fdSegment === segment) return this.#fd;
    if (this.#fd >= 0) this.#files.close(this.#fd);
    this.#fdSegment = -1;
    this.#fd = -1;
    this.#fd = this.#files.open(segmentPath(this.#directory, segment), 'r');
    this.#fdSegment = segment;
    return this.#fd;
  }

  #sealsDescriptor(segment: number): number {
    if (this.#sealsFdSegment === segment) return this.#sealsFd;
    if (this.#sealsFd >= 0) {
      this.#files.fdatasync(this.#sealsFd);
      this.#files.close(this.#sealsFd);
    }
    this.#sealsFdSegment = -1;
    this.#sealsFd = -1;
    const flags = fs.constants.O_RDWR | fs.constants.O_CREAT;
    this.#sealsFd = this.#files.open(sealsPath(this.#directory, segment), flags, 0o600);
    this.#sealsFdSegment = segment;
    return this.#sealsFd;
  }
}

let shared: Hasher | undefined;

/** Private memory for one block, with wasm over it: made once per thread, because its address space is reserved in GiB. */
class Hasher {
  readonly #arena: Arena;
  readonly #wasm: Wasm;
  readonly #rows: number;
  readonly #out: number;
  readonly #scratch: number;
  readonly view: DataView;
  readonly address: number;
  #long: { row: number; digest: Uint8Array }[] = [];

  static shared(): Hasher {
    shared ??= new Hasher();
    return shared;
  }

  private constructor() {
    const rows = SEAL_ENTRIES_MAX * SHA256_ROW_LENGTH;
    const out = SEAL_ENTRIES_MAX * SHA256_DIGEST_LENGTH;
    const length = (SEAL_BYTES_MAX + rows + out + SHA256_SCRATCH_LENGTH + 65535) & ~65535;
    this.#arena = Arena.create({ regions: [{ kind: ARENA_REGION_SCRATCH, length }] });
    this.#wasm = instantiate(this.#arena);
    this.view = this.#arena.view;
    this.address = this.#arena.region(ARENA_REGION_SCRATCH).address;
    this.#rows = this.address + SEAL_BYTES_MAX;
    this.#out = this.#rows + rows;
    this.#scratch = this.#out + out;
  }

  /** Where a block's bytes go. */
  input(length: number): Uint8Array {
    this.#long = [];
    return this.#arena.slice(this.address, length);
  }

  take(row: number, at: number, length: number): void {
    const isLong = length >= LONG_MIN;
    this.view.setUint32(this.#rows + row * SHA256_ROW_LENGTH + SHA256_ROW_ADDRESS_OFFSET, this.address + at, true);
    this.view.setUint32(this.#rows + row * SHA256_ROW_LENGTH + SHA256_ROW_LENGTH_OFFSET, isLong ? 0 : length, true);
    if (!isLong) return;
    const bytes = this.#arena.slice(this.address + at, length);
    this.#long.push({ row, digest: crypto.createHash('sha256').update(bytes).digest() });
  }

  digests(count: number): Uint8Array {
    this.#wasm.sha256Batch(this.#rows, count, this.#out, this.#scratch);
    const digests = new Uint8Array(this.#arena.slice(this.#out, count * SHA256_DIGEST_LENGTH));
    for (const { row, digest } of this.#long) digests.set(digest, row * SHA256_DIGEST_LENGTH);
    return digests;
  }
}

/** In a sentence, for those who are told that sealing does not go on. */
export function sealErrorOf(sealer: Sealer | undefined): string | undefined {
  return sealer?.error === undefined ? undefined : messageOf(sealer.error);
}
