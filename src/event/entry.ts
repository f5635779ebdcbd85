// The TypeScript codec of journal entries (layout/entry.ts). Three forms, from complete to quick:
//   encodeEntry, decodeEntry   every field, mirroring each other line by line: tools, imports, tests
//   newEventLength, writeNewEvent   what emit() takes, written in place in the journal's window
//   EntryDecoder.item   the entry as the Event or Gap that users get; hundreds of thousands a second, so it makes no object that is not in the answer
// The twin in wasm is assembly/entry.ts. Entries may come from a file, so lengths are checked before they are used.

import * as E from '../../layout/entry.ts';
import { EVENT_PRIORITY_NORMAL, EVENT_RELEVANCE_DEFAULT, EVENT_VERSION } from '../../layout/event-type.ts';
import { COMM_LENGTH, METADATA_LENGTH_MAX, PATH_LENGTH_MAX, PAYLOAD_LENGTH_MAX } from '../../layout/limits.ts';
import { CausewayError } from '../base/errors.ts';
import type { FastBuffer } from './fast-buffer.ts';
import { EVENT_TYPE_CODES } from './type-name.ts';
import type { NewEvent } from './types.ts';

/** Every field of an entry. Maps go from ENTRY_BIT_ to value; a bit that is in one of them is present. */
export interface EntryFields {
  sequence: bigint;
  lamport: bigint;
  timeNs: bigint;
  kind: number;
  type: number;
  subtype: number;
  flags: number;
  priority: number;
  version: number;
  compression: number;
  encryption: number;
  relevance: number;
  replayPriority: number;
  cpu: number;
  pid: number;
  timeSequence: bigint;
  localSequence: bigint;
  parentEventId: bigint;
  rootCauseEventId: bigint;
  visibilityMask: bigint;
  u64: ReadonlyMap<number, bigint>;
  u32: ReadonlyMap<number, number>;
  bytes: ReadonlyMap<number, Uint8Array>;
  payload: Uint8Array;
  metadata: Uint8Array;
  /** Whole causality links of ENTRY_LINK_LENGTH bytes each. */
  links: Uint8Array;
}

/** Fields of an event that knows nothing but its type: the defaults of the VexFS kernel writer (FORMATS.md section 3). */
export function defaultFields(kind: number, type: number): EntryFields {
  return {
    sequence: 0n,
    lamport: 0n,
    timeNs: 0n,
    kind,
    type,
    subtype: 0,
    flags: 0,
    priority: EVENT_PRIORITY_NORMAL,
    version: EVENT_VERSION,
    compression: 0,
    encryption: 0,
    relevance: EVENT_RELEVANCE_DEFAULT,
    replayPriority: EVENT_PRIORITY_NORMAL,
    cpu: 0,
    pid: 0,
    timeSequence: 0n,
    localSequence: 0n,
    parentEventId: 0n,
    rootCauseEventId: 0n,
    visibilityMask: 0xffffffffffffffffn,
    u64: new Map(),
    u32: new Map(),
    bytes: new Map(),
    payload: EMPTY,
    metadata: EMPTY,
    links: EMPTY,
  };
}

const EMPTY = new Uint8Array(0);

/** Bytes that encodeEntry writes. */
export function entryLength(fields: EntryFields): number {
  let length = E.ENTRY_HEADER_LENGTH + fields.u64.size * 8 + fields.u32.size * 4;
  for (const bytes of fields.bytes.values()) length += 4 + bytes.length;
  return length + fields.payload.length + fields.metadata.length + fields.links.length;
}

/** Writes everything but length and crc32c, which the journal writes when it commits. The bytes must be zero before. */
export function encodeEntry(fields: EntryFields, target: Uint8Array): void {
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  const u64 = sorted(fields.u64);
  const u32 = sorted(fields.u32);
  const bytes = sorted(fields.bytes);
  let presence = 0n;
  for (const [bit] of [...u64, ...u32, ...bytes]) presence |= 1n << BigInt(bit);
  view.setBigUint64(E.ENTRY_SEQUENCE_OFFSET, fields.sequence, true);
  view.setBigUint64(E.ENTRY_LAMPORT_OFFSET, fields.lamport, true);
  view.setBigInt64(E.ENTRY_TIME_NS_OFFSET, fields.timeNs, true);
  view.setBigUint64(E.ENTRY_PRESENCE_OFFSET, presence, true);
  view.setUint16(E.ENTRY_KIND_OFFSET, fields.kind, true);
  view.setUint32(E.ENTRY_TYPE_OFFSET, fields.type, true);
  view.setUint32(E.ENTRY_SUBTYPE_OFFSET, fields.subtype, true);
  view.setUint32(E.ENTRY_FLAGS_OFFSET, fields.flags, true);
  view.setUint32(E.ENTRY_PRIORITY_OFFSET, fields.priority, true);
  view.setUint32(E.ENTRY_VERSION_OFFSET, fields.version, true);
  view.setUint32(E.ENTRY_COMPRESSION_OFFSET, fields.compression, true);
  view.setUint32(E.ENTRY_ENCRYPTION_OFFSET, fields.encryption, true);
  view.setUint32(E.ENTRY_RELEVANCE_OFFSET, fields.relevance, true);
  view.setUint32(E.ENTRY_REPLAY_PRIORITY_OFFSET, fields.replayPriority, true);
  view.setUint32(E.ENTRY_CPU_OFFSET, fields.cpu, true);
  view.setUint32(E.ENTRY_PID_OFFSET, fields.pid, true);
  view.setBigUint64(E.ENTRY_TIME_SEQUENCE_OFFSET, fields.timeSequence, true);
  view.setBigUint64(E.ENTRY_LOCAL_SEQUENCE_OFFSET, fields.localSequence, true);
  view.setBigUint64(E.ENTRY_PARENT_EVENT_ID_OFFSET, fields.parentEventId, true);
  view.setBigUint64(E.ENTRY_ROOT_CAUSE_EVENT_ID_OFFSET, fields.rootCauseEventId, true);
  view.setBigUint64(E.ENTRY_VISIBILITY_MASK_OFFSET, fields.visibilityMask, true);
  view.setUint32(E.ENTRY_LINK_COUNT_OFFSET, fields.links.length / E.ENTRY_LINK_LENGTH, true);
  view.setUint32(E.ENTRY_PAYLOAD_LENGTH_OFFSET, fields.payload.length, true);
  view.setUint32(E.ENTRY_METADATA_LENGTH_OFFSET, fields.metadata.length, true);
  let at = E.ENTRY_HEADER_LENGTH;
  for (const [, value] of u64) {
    view.setBigUint64(at, value, true);
    at += 8;
  }
  for (const [, value] of u32) {
    view.setUint32(at, value, true);
    at += 4;
  }
  for (const [, value] of bytes) {
    view.setUint32(at, value.length, true);
    target.set(value, at + 4);
    at += 4 + value.length;
  }
  for (const value of [fields.payload, fields.metadata, fields.links]) {
    target.set(value, at);
    at += value.length;
  }
}

function sorted<T>(map: ReadonlyMap<number, T>): [number, T][] {
  return [...map].sort(([a], [b]) => a - b);
}

/**
 * Every field of the entry in `source`, which is exactly the entry's bytes.
 * @throws CausewayError JOURNAL_CORRUPT when its parts do not add up.
 */
export function decodeEntry(source: Uint8Array): EntryFields {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  if (source.length < E.ENTRY_HEADER_LENGTH) throw misfit(0n, source.length, E.ENTRY_HEADER_LENGTH);
  const sequence = view.getBigUint64(E.ENTRY_SEQUENCE_OFFSET, true);
  const presence = view.getBigUint64(E.ENTRY_PRESENCE_OFFSET, true);
  const u64 = new Map<number, bigint>();
  const u32 = new Map<number, number>();
  const bytes = new Map<number, Uint8Array>();
  const fields: EntryFields = {
    sequence,
    lamport: view.getBigUint64(E.ENTRY_LAMPORT_OFFSET, true),
    timeNs: view.getBigInt64(E.ENTRY_TIME_NS_OFFSET, true),
    kind: view.getUint16(E.ENTRY_KIND_OFFSET, true),
    type: view.getUint32(E.ENTRY_TYPE_OFFSET, true),
    subtype: view.getUint32(E.ENTRY_SUBTYPE_OFFSET, true),
    flags: view.getUint32(E.ENTRY_FLAGS_OFFSET, true),
    priority: view.getUint32(E.ENTRY_PRIORITY_OFFSET, true),
    version: view.getUint32(E.ENTRY_VERSION_OFFSET, true),
    compression: view.getUint32(E.ENTRY_COMPRESSION_OFFSET, true),
    encryption: view.getUint32(E.ENTRY_ENCRYPTION_OFFSET, true),
    relevance: view.getUint32(E.ENTRY_RELEVANCE_OFFSET, true),
    replayPriority: view.getUint32(E.ENTRY_REPLAY_PRIORITY_OFFSET, true),
    cpu: view.getUint32(E.ENTRY_CPU_OFFSET, true),
    pid: view.getUint32(E.ENTRY_PID_OFFSET, true),
    timeSequence: view.getBigUint64(E.ENTRY_TIME_SEQUENCE_OFFSET, true),
    localSequence: view.getBigUint64(E.ENTRY_LOCAL_SEQUENCE_OFFSET, true),
    parentEventId: view.getBigUint64(E.ENTRY_PARENT_EVENT_ID_OFFSET, true),
    rootCauseEventId: view.getBigUint64(E.ENTRY_ROOT_CAUSE_EVENT_ID_OFFSET, true),
    visibilityMask: view.getBigUint64(E.ENTRY_VISIBILITY_MASK_OFFSET, true),
    u64,
    u32,
    bytes,
    payload: EMPTY,
    metadata: EMPTY,
    links: EMPTY,
  };
  let at = E.ENTRY_HEADER_LENGTH;
  const take = (length: number): number => {
    const start = at;
    at += length;
    if (at > source.length) throw misfit(sequence, source.length, at);
    return start;
  };
  const present = (bit: number): boolean => ((presence >> BigInt(bit)) & 1n) === 1n;
  for (let bit = 0; bit < E.ENTRY_BIT_U32_FIRST; bit++) {
    if (present(bit)) u64.set(bit, view.getBigUint64(take(8), true));
  }
  for (let bit: number = E.ENTRY_BIT_U32_FIRST; bit < E.ENTRY_BIT_BYTES_FIRST; bit++) {
    if (present(bit)) u32.set(bit, view.getUint32(take(4), true));
  }
  const slice = (length: number): Uint8Array => {
    const start = take(length);
    return source.slice(start, start + length);
  };
  for (let bit: number = E.ENTRY_BIT_BYTES_FIRST; bit < E.ENTRY_BIT_COUNT; bit++) {
    if (present(bit)) bytes.set(bit, slice(view.getUint32(take(4), true)));
  }
  fields.payload = slice(view.getUint32(E.ENTRY_PAYLOAD_LENGTH_OFFSET, true));
  fields.metadata = slice(view.getUint32(E.ENTRY_METADATA_LENGTH_OFFSET, true));
  fields.links = slice(view.getUint32(E.ENTRY_LINK_COUNT_OFFSET, true) * E.ENTRY_LINK_LENGTH);
  if (at !== source.length && fields.kind !== E.ENTRY_KIND_PADDING) throw misfit(sequence, source.length, at);
  return fields;
}

function misfit(sequence: bigint, length: number, needed: number): CausewayError {
  return new CausewayError(
    'JOURNAL_CORRUPT',
    `entry: sequence=${sequence}, length=${length}, its fields take ${needed}`,
  );
}

/** What emit() was given, measured: what writeNewEvent needs to know before there is a place to write to. */
export interface MeasuredEvent {
  event: NewEvent;
  length: number;
  pathLength: number;
  path2Length: number;
  commLength: number;
}

/** @throws CausewayError EVENT_INVALID with the field, its length and the limit. */
export function measureNewEvent(event: NewEvent): MeasuredEvent {
  if (EVENT_TYPE_CODES[event.type] === undefined) {
    throw new CausewayError('EVENT_INVALID', `type=${JSON.stringify(event.type)} is no event type`);
  }
  const pathLength = textLength('path', event.path, PATH_LENGTH_MAX);
  const path2Length = textLength('path2', event.path2, PATH_LENGTH_MAX);
  const commLength = textLength('comm', event.comm, COMM_LENGTH);
  const payloadLength = bytesLength('payload', event.payload, PAYLOAD_LENGTH_MAX);
  const metadataLength = bytesLength('metadata', event.metadata, METADATA_LENGTH_MAX);
  let length = E.ENTRY_HEADER_LENGTH + payloadLength + metadataLength;
  if (event.inode !== undefined) length += unsigned('inode', event.inode);
  if (event.size !== undefined) length += unsigned('size', event.size);
  if (event.tid !== undefined) length += unsigned('tid', event.tid);
  if (event.uid !== undefined) length += unsigned('uid', event.uid);
  if (event.gid !== undefined) length += unsigned('gid', event.gid);
  if (event.mode !== undefined) length += unsigned('mode', event.mode);
  if (event.pid !== undefined) unsigned('pid', event.pid);
  if (event.comm !== undefined) length += 4 + commLength;
  if (event.path !== undefined) length += 4 + pathLength;
  if (event.path2 !== undefined) length += 4 + path2Length;
  return { event, length, pathLength, path2Length, commLength };
}

/** Bytes that the number takes: 8 for a bigint, 4 for a number. */
function unsigned(name: string, value: bigint | number): number {
  const good =
    typeof value === 'bigint'
      ? value >= 0n && value <= 0xffffffffffffffffn
      : Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
  if (!good) throw new CausewayError('EVENT_INVALID', `${name}=${value} is no unsigned integer that fits`);
  return typeof value === 'bigint' ? 8 : 4;
}

function textLength(name: string, text: string | undefined, lengthMax: number): number {
  return text === undefined ? 0 : bounded(name, Buffer.byteLength(text), lengthMax);
}

function bytesLength(name: string, bytes: Uint8Array | undefined, lengthMax: number): number {
  return bytes === undefined ? 0 : bounded(name, bytes.length, lengthMax);
}

function bounded(name: string, length: number, lengthMax: number): number {
  if (length > lengthMax) throw new CausewayError('EVENT_INVALID', `${name}: length=${length}, lengthMax=${lengthMax}`);
  return length;
}

const SEQUENCE = E.ENTRY_SEQUENCE_OFFSET;
const HIGH = 32;

/** Writes a measured event at `at` of the arena, where journalReserve made room for it: all of it but length, crc32c, sequence and lamport. */
export function writeNewEvent(
  measured: MeasuredEvent,
  timeNs: bigint,
  bytes: FastBuffer,
  view: DataView,
  at: number,
): void {
  const { event } = measured;
  view.setBigInt64(at + E.ENTRY_TIME_NS_OFFSET, timeNs, true);
  view.setUint16(at + E.ENTRY_KIND_OFFSET, E.ENTRY_KIND_EVENT, true);
  view.setUint32(at + E.ENTRY_TYPE_OFFSET, EVENT_TYPE_CODES[event.type], true);
  view.setUint32(at + E.ENTRY_SUBTYPE_OFFSET, E.ENTRY_ORIGIN_EMIT << 24, true);
  view.setUint32(at + E.ENTRY_PRIORITY_OFFSET, EVENT_PRIORITY_NORMAL, true);
  view.setUint32(at + E.ENTRY_VERSION_OFFSET, EVENT_VERSION, true);
  view.setUint32(at + E.ENTRY_RELEVANCE_OFFSET, EVENT_RELEVANCE_DEFAULT, true);
  view.setUint32(at + E.ENTRY_REPLAY_PRIORITY_OFFSET, EVENT_PRIORITY_NORMAL, true);
  view.setUint32(at + E.ENTRY_PID_OFFSET, event.pid ?? 0, true);
  view.setUint32(at + E.ENTRY_TIME_SEQUENCE_OFFSET, view.getUint32(at + SEQUENCE, true), true);
  view.setUint32(at + E.ENTRY_TIME_SEQUENCE_OFFSET + 4, view.getUint32(at + SEQUENCE + 4, true), true);
  view.setUint32(at + E.ENTRY_VISIBILITY_MASK_OFFSET, 0xffffffff, true);
  view.setUint32(at + E.ENTRY_VISIBILITY_MASK_OFFSET + 4, 0xffffffff, true);
  view.setUint32(at + E.ENTRY_PAYLOAD_LENGTH_OFFSET, event.payload?.length ?? 0, true);
  view.setUint32(at + E.ENTRY_METADATA_LENGTH_OFFSET, event.metadata?.length ?? 0, true);
  let low = 0;
  let high = 0;
  let to = at + E.ENTRY_HEADER_LENGTH;
  const u64 = (bit: number, value: bigint | undefined): void => {
    if (value === undefined) return;
    low |= 1 << bit;
    view.setBigUint64(to, value, true);
    to += 8;
  };
  const u32 = (bit: number, value: number | undefined): void => {
    if (value === undefined) return;
    high |= 1 << (bit - HIGH);
    view.setUint32(to, value, true);
    to += 4;
  };
  const text = (bit: number, value: string | undefined, length: number): void => {
    if (value === undefined) return;
    high |= 1 << (bit - HIGH);
    view.setUint32(to, length, true);
    bytes.utf8Write(value, to + 4, length);
    to += 4 + length;
  };
  u64(E.ENTRY_BIT_INODE, event.inode);
  u64(E.ENTRY_BIT_SIZE, event.size);
  u32(E.ENTRY_BIT_TID, event.tid);
  u32(E.ENTRY_BIT_UID, event.uid);
  u32(E.ENTRY_BIT_GID, event.gid);
  u32(E.ENTRY_BIT_MODE, event.mode);
  text(E.ENTRY_BIT_COMM, event.comm, measured.commLength);
  text(E.ENTRY_BIT_PATH, event.path, measured.pathLength);
  text(E.ENTRY_BIT_PATH2, event.path2, measured.path2Length);
  if (event.payload !== undefined) {
    bytes.set(event.payload, to);
    to += event.payload.length;
  }
  if (event.metadata !== undefined) bytes.set(event.metadata, to);
  view.setUint32(at + E.ENTRY_PRESENCE_OFFSET, low >>> 0, true);
  view.setUint32(at + E.ENTRY_PRESENCE_OFFSET + 4, high >>> 0, true);
}
