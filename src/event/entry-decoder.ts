// Journal entries as the events and gaps that users get. Made once over a memory (the arena, or a reader's buffer); then it decodes hundreds of
// thousands of entries a second, so it makes no object that is not in its answer, and a bigint only where the type says bigint.

import * as E from '../../layout/entry.ts';
import {
  KERNEL_FLAG_ACTOR_UNKNOWN,
  KERNEL_FLAG_PID_UNKNOWN,
  KERNEL_FLAG_TIME_ESTIMATED,
} from '../../layout/kernel-record.ts';
import { CausewayError } from '../base/errors.ts';
import { callName, errorName, gapCauseName, notesOf } from './call-name.ts';
import { type FastBuffer, fastBuffer } from './fast-buffer.ts';
import { type EventTypeName, eventTypeName } from './type-name.ts';
import type { Event, Gap } from './types.ts';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const HIGH = 32;
const U64_BITS = 0x00ffffff;
const REPLACEMENT = '\ufffd';

const bitLow = (bit: number): number => 1 << bit;
const bitHigh = (bit: number): number => 1 << (bit - HIGH);

const INODE = bitLow(E.ENTRY_BIT_INODE);
const DEVICE = bitLow(E.ENTRY_BIT_DEVICE);
const SIZE = bitLow(E.ENTRY_BIT_SIZE);
const AMOUNT = bitLow(E.ENTRY_BIT_AMOUNT);
const ARGUMENT = bitLow(E.ENTRY_BIT_ARGUMENT);
const DURATION_NS = bitLow(E.ENTRY_BIT_DURATION_NS);
const GAP_FROM = bitLow(E.ENTRY_BIT_GAP_FROM);
const GAP_TO = bitLow(E.ENTRY_BIT_GAP_TO);
const GAP_COUNT = bitLow(E.ENTRY_BIT_GAP_COUNT);
const TID = bitHigh(E.ENTRY_BIT_TID);
const UID = bitHigh(E.ENTRY_BIT_UID);
const GID = bitHigh(E.ENTRY_BIT_GID);
const ERROR = bitHigh(E.ENTRY_BIT_ERROR);
const MODE = bitHigh(E.ENTRY_BIT_MODE);
const RECORD_FLAGS = bitHigh(E.ENTRY_BIT_RECORD_FLAGS);
const GAP_CAUSE = bitHigh(E.ENTRY_BIT_GAP_CAUSE);
const COMM = bitHigh(E.ENTRY_BIT_COMM);
const PATH = bitHigh(E.ENTRY_BIT_PATH);
const PATH2 = bitHigh(E.ENTRY_BIT_PATH2);
/** u32 fields among the high bits, and all byte fields. */
const HIGH_U32_BITS = bitHigh(E.ENTRY_BIT_BYTES_FIRST) - 1;
const BYTES_FIRST_HIGH = E.ENTRY_BIT_BYTES_FIRST - HIGH;

export class EntryDecoder {
  readonly #bytes: FastBuffer;
  readonly #view: DataView;

  /** Over the whole of a memory; offsets count from its begin. */
  constructor(memory: ArrayBufferLike) {
    this.#bytes = fastBuffer(memory);
    this.#view = new DataView(memory);
  }

  kind(at: number): number {
    return this.#view.getUint16(at + E.ENTRY_KIND_OFFSET, true);
  }

  sequence(at: number): bigint {
    return this.#view.getBigUint64(at + E.ENTRY_SEQUENCE_OFFSET, true);
  }

  /** One of the 72 codes; 0 unless the entry is an event. */
  type(at: number): number {
    return this.#view.getUint32(at + E.ENTRY_TYPE_OFFSET, true);
  }

  timeNs(at: number): bigint {
    return this.#view.getBigInt64(at + E.ENTRY_TIME_NS_OFFSET, true);
  }

  pid(at: number): number {
    return this.#view.getUint32(at + E.ENTRY_PID_OFFSET, true);
  }

  /**
   * The entry of `length` bytes at `at`; undefined for what users do not see (padding of a segment's end, checkpoints, kinds of a later version).
   * @throws CausewayError JOURNAL_CORRUPT when its fields do not fit its length.
   */
  item(at: number, length: number): Event | Gap | undefined {
    switch (this.kind(at)) {
      case E.ENTRY_KIND_EVENT:
        return this.#event(at, at + length);
      case E.ENTRY_KIND_GAP:
        return this.#gap(at, at + length);
      case E.ENTRY_KIND_PADDING:
        return this.#hole(at);
      default:
        return undefined;
    }
  }

  #locatedFrom = 0;
  #locatedTo = 0;

  /**
   * Looks for a byte field (ENTRY_BIT_) of the entry; false if it is not there. The others below speak of what was found last.
   * @throws CausewayError JOURNAL_CORRUPT when the entry's fields do not fit its length.
   */
  locate(at: number, length: number, bit: number): boolean {
    const high = this.#view.getUint32(at + E.ENTRY_PRESENCE_OFFSET + 4, true);
    if ((high & bitHigh(bit)) === 0) return false;
    const end = at + length;
    const low = this.#view.getUint32(at + E.ENTRY_PRESENCE_OFFSET, true);
    let next = at + E.ENTRY_HEADER_LENGTH + numbersLength(low, high);
    for (let other = BYTES_FIRST_HIGH; other <= bit - HIGH; other++) {
      if ((high & (1 << other)) === 0) continue;
      this.#locatedFrom = next + 4;
      next = this.#locatedFrom + (this.#locatedFrom <= end ? this.#view.getUint32(next, true) : 0);
      if (next > end) throw this.#misfit(at, end, next);
    }
    this.#locatedTo = next;
    return true;
  }

  get locatedLength(): number {
    return this.#locatedTo - this.#locatedFrom;
  }

  locatedText(): string {
    return this.#bytes.utf8Slice(this.#locatedFrom, this.#locatedTo);
  }

  locatedByte(index: number): number {
    return this.#bytes[this.#locatedFrom + index] as number;
  }

  /** At least as long as `prefix`, and begins with it. */
  locatedStartsWith(prefix: Uint8Array): boolean {
    const from = this.#locatedFrom;
    return this.#bytes.compare(prefix, 0, prefix.length, from, from + prefix.length) === 0;
  }

  /** A copy of the entry's bytes. */
  copy(at: number, length: number): Uint8Array {
    return this.#copy(at, length);
  }

  #event(at: number, end: number): Event {
    const view = this.#view;
    const low = view.getUint32(at + E.ENTRY_PRESENCE_OFFSET, true);
    const high = view.getUint32(at + E.ENTRY_PRESENCE_OFFSET + 4, true);
    const subtype = view.getUint32(at + E.ENTRY_SUBTYPE_OFFSET, true);
    const fromKernel = subtype >>> 24 === E.ENTRY_ORIGIN_KERNEL;
    const payloadLength = view.getUint32(at + E.ENTRY_PAYLOAD_LENGTH_OFFSET, true);
    const metadataLength = view.getUint32(at + E.ENTRY_METADATA_LENGTH_OFFSET, true);
    const event = {
      type: this.#typeName(at),
      sequence: this.sequence(at),
      lamport: view.getBigUint64(at + E.ENTRY_LAMPORT_OFFSET, true),
      timeNs: view.getBigInt64(at + E.ENTRY_TIME_NS_OFFSET, true),
    } as Writable<Event>;
    let next = at + E.ENTRY_HEADER_LENGTH;
    const bytesAt = next + numbersLength(low, high);
    if (bytesAt > end) throw this.#misfit(at, end, bytesAt);
    // Paths first: of all fields they are what people look at. They lie behind the numbers, so each byte field is walked over once.
    next = bytesAt;
    for (let bit = BYTES_FIRST_HIGH; bit < 32; bit++) {
      const mask = 1 << bit;
      if ((high & mask) === 0) continue;
      const from = next + 4;
      next = from + (from <= end ? view.getUint32(next, true) : 0);
      if (next > end) throw this.#misfit(at, end, next);
      if (mask === COMM) event.comm = this.#bytes.utf8Slice(from, next);
      else if (mask === PATH) {
        const path = this.#bytes.utf8Slice(from, next);
        event.path = path;
        const truth = this.#truth(path, from, next);
        if (truth !== undefined) event.pathBytes = truth;
      } else if (mask === PATH2) {
        const path2 = this.#bytes.utf8Slice(from, next);
        event.path2 = path2;
        const truth = this.#truth(path2, from, next);
        if (truth !== undefined) event.path2Bytes = truth;
      }
    }
    const blobsAt = next;
    if (blobsAt + payloadLength + metadataLength > end) {
      throw this.#misfit(at, end, blobsAt + payloadLength + metadataLength);
    }
    // Absent numbers are 0: the kernel knows the user, and 0 is root. The flags say when it does not know the process.
    const flags = (high & RECORD_FLAGS) !== 0 ? this.#u32(at, low, high, RECORD_FLAGS) : 0;
    const knowsUser = fromKernel && (flags & (KERNEL_FLAG_PID_UNKNOWN | KERNEL_FLAG_ACTOR_UNKNOWN)) === 0;
    // Only who was there when it happened knows where.
    const knowsCpu = fromKernel && (flags & (KERNEL_FLAG_PID_UNKNOWN | KERNEL_FLAG_TIME_ESTIMATED)) === 0;
    const pid = this.pid(at);
    if (pid !== 0) event.pid = pid;
    if ((high & TID) !== 0) event.tid = this.#u32(at, low, high, TID);
    if ((high & UID) !== 0) event.uid = this.#u32(at, low, high, UID);
    else if (knowsUser) event.uid = 0;
    if ((high & GID) !== 0) event.gid = this.#u32(at, low, high, GID);
    else if (knowsUser) event.gid = 0;
    if ((high & ERROR) !== 0) event.error = errorName(this.#u32(at, low, high, ERROR));
    if (fromKernel) {
      const call = callName((subtype >>> 8) & 0xffff);
      if (call !== undefined) event.call = call;
    }
    if ((low & INODE) !== 0) event.inode = this.#u64(at, low, INODE);
    if ((low & DEVICE) !== 0) event.device = this.#u64(at, low, DEVICE);
    if ((low & SIZE) !== 0) event.size = this.#u64(at, low, SIZE);
    if ((low & AMOUNT) !== 0) event.amount = BigInt.asIntN(64, this.#u64(at, low, AMOUNT));
    if ((low & ARGUMENT) !== 0) event.argument = this.#u64(at, low, ARGUMENT);
    if ((high & MODE) !== 0) event.mode = this.#u32(at, low, high, MODE);
    if ((low & DURATION_NS) !== 0) event.durationNs = this.#u64(at, low, DURATION_NS);
    if (knowsCpu) event.cpu = view.getUint32(at + E.ENTRY_CPU_OFFSET, true);
    if (flags !== 0) {
      const notes = notesOf(flags);
      if (notes !== undefined) event.notes = notes;
    }
    if (payloadLength !== 0) event.payload = this.#copy(blobsAt, payloadLength);
    if (metadataLength !== 0) event.metadata = this.#copy(blobsAt + payloadLength, metadataLength);
    return event;
  }

  #gap(at: number, end: number): Gap {
    const view = this.#view;
    const low = view.getUint32(at + E.ENTRY_PRESENCE_OFFSET, true);
    const high = view.getUint32(at + E.ENTRY_PRESENCE_OFFSET + 4, true);
    const needed = at + E.ENTRY_HEADER_LENGTH + numbersLength(low, high);
    if (needed > end) throw this.#misfit(at, end, needed);
    const cause = (high & GAP_CAUSE) === 0 ? 0 : this.#u32(at, low, high, GAP_CAUSE);
    const gap: Writable<Gap> = {
      type: 'gap',
      sequence: this.sequence(at),
      timeNs: view.getBigInt64(at + E.ENTRY_TIME_NS_OFFSET, true),
      cause: gapCauseName(cause),
    };
    const count = (low & GAP_COUNT) === 0 ? 0n : this.#u64(at, low, GAP_COUNT);
    const from = (low & GAP_FROM) === 0 ? 0n : this.#u64(at, low, GAP_FROM);
    const to = (low & GAP_TO) === 0 ? 0n : this.#u64(at, low, GAP_TO);
    if (count !== 0n) gap.count = count;
    if (from !== 0n) gap.from = from;
    if (to !== 0n) gap.to = to;
    gap.cpu = view.getUint32(at + E.ENTRY_CPU_OFFSET, true);
    return gap;
  }

  /** Padding with a sequence is a hole that recovery closed: an event was claimed there and never committed. */
  #hole(at: number): Gap | undefined {
    const sequence = this.sequence(at);
    if (sequence === 0n) return undefined;
    const timeNs = this.#view.getBigInt64(at + E.ENTRY_TIME_NS_OFFSET, true);
    return { type: 'gap', sequence, timeNs, cause: gapCauseName(E.GAP_CAUSE_HOLE), count: 1n };
  }

  #typeName(at: number): EventTypeName {
    const code = this.type(at);
    const name = eventTypeName(code);
    if (name === undefined) {
      throw new CausewayError(
        'JOURNAL_CORRUPT',
        `entry: sequence=${this.sequence(at)}, type=0x${code.toString(16)} is no event type`,
      );
    }
    return name;
  }

  #u64(at: number, low: number, mask: number): bigint {
    return this.#view.getBigUint64(at + E.ENTRY_HEADER_LENGTH + 8 * ones(low & (mask - 1)), true);
  }

  #u32(at: number, low: number, high: number, mask: number): number {
    const before = 8 * ones(low & U64_BITS) + 4 * (ones(low & ~U64_BITS) + ones(high & (mask - 1)));
    return this.#view.getUint32(at + E.ENTRY_HEADER_LENGTH + before, true);
  }

  /** The bytes behind a text that is not what they say, because they are not UTF-8. */
  #truth(text: string, from: number, to: number): Uint8Array | undefined {
    if (!text.includes(REPLACEMENT)) return undefined;
    const bytes = this.#copy(from, to - from);
    return Buffer.from(text).equals(bytes) ? undefined : bytes;
  }

  /** A copy: what users get must not change when the window goes on. */
  #copy(from: number, length: number): Uint8Array {
    const copy = new Uint8Array(length);
    copy.set(this.#bytes.subarray(from, from + length));
    return copy;
  }

  #misfit(at: number, end: number, needed: number): CausewayError {
    return new CausewayError(
      'JOURNAL_CORRUPT',
      `entry: sequence=${this.sequence(at)}, length=${end - at}, its fields take ${needed - at}`,
    );
  }
}

/** Bytes of all u64 and u32 fields. */
function numbersLength(low: number, high: number): number {
  return 8 * ones(low & U64_BITS) + 4 * (ones(low & ~U64_BITS) + ones(high & HIGH_U32_BITS));
}

/** Number of bits that are set. */
function ones(bits: number): number {
  let n = bits - ((bits >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return (((n + (n >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}
