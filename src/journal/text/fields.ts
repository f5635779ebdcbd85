// The data of an event's or gap's JSON line (log --json) as the fields of an entry, and what the line does not say of an entry as `more`. Nothing is lost by
// construction: `more` is the difference between the entry and what reading the line alone would give.

import os from 'node:os';
import * as E from '../../../layout/entry.ts';
import * as K from '../../../layout/kernel-record.ts';
import { METADATA_LENGTH_MAX, PAYLOAD_LENGTH_MAX } from '../../../layout/limits.ts';
import { callName, gapCauseName, notesOf } from '../../event/call-name.ts';
import { defaultFields, type EntryFields, entryLength } from '../../event/entry.ts';
import { EVENT_TYPE_CODES, type EventTypeName } from '../../event/type-name.ts';

export type Data = Readonly<Record<string, unknown>>;

/** A field that is not what it must be. */
export class FieldError extends Error {}

const VARIANTS_MAX = 1 << 10;
const NOTE_FLAGS_MAX = 16;
const U64_MAX = 0xffffffffffffffffn;
const NS_PER_SECOND = 1_000_000_000n;

const calls = namesToNumbers(VARIANTS_MAX, callName);
const causes = namesToNumbers(E.GAP_CAUSE_COUNT, gapCauseName);
const notes = namesToNumbers(NOTE_FLAGS_MAX, (bit) => notesOf(1 << bit)?.[0]);

function namesToNumbers(end: number, nameOf: (number: number) => string | undefined): Map<string, number> {
  const numbers = new Map<string, number>();
  for (let number = 0; number < end; number++) {
    const name = nameOf(number);
    if (name !== undefined && !numbers.has(name)) numbers.set(name, number);
  }
  return numbers;
}

// Header numbers that a line does not show, or not always.
const HEADER_U32 = [
  'subtype',
  'flags',
  'priority',
  'version',
  'compression',
  'encryption',
  'relevance',
  'replayPriority',
  'cpu',
  'pid',
] as const;
const HEADER_U64 = ['timeSequence', 'localSequence', 'parentEventId', 'rootCauseEventId', 'visibilityMask'] as const;

/** agentId for ENTRY_BIT_AGENT_ID; bits without a name are called bit19. */
const bitNames: readonly string[] = namesOfBits();
const bitNumbers = new Map(bitNames.map((name, bit) => [name, bit]));

function namesOfBits(): string[] {
  const names = Array.from({ length: E.ENTRY_BIT_COUNT }, (_, bit) => `bit${bit}`);
  for (const [name, bit] of Object.entries(E)) {
    if (!name.startsWith('ENTRY_BIT_') || /_(FIRST|COUNT)$/.test(name) ? name !== 'ENTRY_BIT_GAP_COUNT' : false)
      continue;
    names[bit as number] = name
      .slice('ENTRY_BIT_'.length)
      .toLowerCase()
      .replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  }
  return names;
}

/** Every name that `more` may have, in the order of columns. */
export const MORE_NAMES: readonly string[] = [...HEADER_U32, ...HEADER_U64, ...bitNames, 'links'];

// The fields of an event's line, as read by fieldsOf.
const U64_FIELDS: readonly (readonly [string, number])[] = [
  ['inode', E.ENTRY_BIT_INODE],
  ['device', E.ENTRY_BIT_DEVICE],
  ['size', E.ENTRY_BIT_SIZE],
  ['amount', E.ENTRY_BIT_AMOUNT],
  ['argument', E.ENTRY_BIT_ARGUMENT],
  ['durationNs', E.ENTRY_BIT_DURATION_NS],
];
const U32_FIELDS: readonly (readonly [string, number])[] = [
  ['tid', E.ENTRY_BIT_TID],
  ['uid', E.ENTRY_BIT_UID],
  ['gid', E.ENTRY_BIT_GID],
  ['mode', E.ENTRY_BIT_MODE],
];
const GAP_FIELDS: readonly (readonly [string, number])[] = [
  ['from', E.ENTRY_BIT_GAP_FROM],
  ['to', E.ENTRY_BIT_GAP_TO],
  ['count', E.ENTRY_BIT_GAP_COUNT],
];

/** Every name that an event's or gap's data may have, but for `more`. */
export const DATA_NAMES: readonly string[] = [
  ...['sequence', 'type', 'time', 'path', 'path2', 'pid', 'comm', 'error', 'call'],
  ...['tid', 'uid', 'gid', 'amount', 'size', 'mode', 'argument', 'durationNs', 'inode', 'device', 'cpu'],
  ...['cause', 'count', 'from', 'to', 'notes', 'pathBytes', 'path2Bytes', 'payload', 'metadata'],
];

/**
 * The entry of a line, its `more` included. The sequence is the one that the line says; 0n if it says none.
 * @throws FieldError with the field and its value.
 */
export function fieldsOf(kind: 'event' | 'gap', data: Data): EntryFields {
  const fields = kind === 'gap' ? gapOf(data) : eventOf(data);
  const { more } = data;
  if (isGiven(more)) {
    if (typeof more !== 'object' || Array.isArray(more)) throw wrong('more', more);
    addMore(fields, more as Data);
  }
  const count = fields.links.length / E.ENTRY_LINK_LENGTH;
  if (!Number.isInteger(count) || count > 256) throw wrong('links', `${fields.links.length} bytes`);
  bounded('payload', fields.payload.length, PAYLOAD_LENGTH_MAX);
  bounded('metadata', fields.metadata.length, METADATA_LENGTH_MAX);
  bounded('entry', entryLength(fields), E.ENTRY_LENGTH_MAX);
  return fields;
}

function bounded(name: string, length: number, lengthMax: number): void {
  if (length > lengthMax) throw new FieldError(`${name}: length=${length}, lengthMax=${lengthMax}`);
}

function common(kind: number, type: number, data: Data): EntryFields & Writable {
  const fields = defaultFields(kind, type) as EntryFields & Writable;
  fields.u64 = new Map();
  fields.u32 = new Map();
  fields.bytes = new Map();
  fields.sequence = isGiven(data.sequence) ? u64('sequence', data.sequence) : 0n;
  fields.timeSequence = fields.sequence;
  fields.timeNs = isGiven(data.time) ? timeOf(data.time) : BigInt(Date.now()) * 1_000_000n;
  if (isGiven(data.cpu)) fields.cpu = u32('cpu', data.cpu);
  return fields;
}

interface Writable {
  u64: Map<number, bigint>;
  u32: Map<number, number>;
  bytes: Map<number, Uint8Array>;
}

function gapOf(data: Data): EntryFields {
  const fields = common(E.ENTRY_KIND_GAP, 0, data);
  for (const [name, bit] of GAP_FIELDS) if (isGiven(data[name])) fields.u64.set(bit, u64(name, data[name]));
  if (isGiven(data.cause)) fields.u32.set(E.ENTRY_BIT_GAP_CAUSE, named('cause', data.cause, causes, /^cause (\d+)$/));
  return fields;
}

function eventOf(data: Data): EntryFields {
  const { type } = data;
  if (typeof type !== 'string' || !Object.hasOwn(EVENT_TYPE_CODES, type)) throw wrong('type', type);
  const fields = common(E.ENTRY_KIND_EVENT, EVENT_TYPE_CODES[type as EventTypeName], data);
  const fromKernel = isGiven(data.call);
  if (fromKernel) {
    const variant = named('call', data.call, calls);
    fields.subtype = ((E.ENTRY_ORIGIN_KERNEL << 24) | (variant << 8) | (OPERATIONS.get(type) ?? 0)) >>> 0;
  }
  if (isGiven(data.pid)) fields.pid = u32('pid', data.pid);
  for (const [name, bit] of U64_FIELDS) {
    if (isGiven(data[name])) fields.u64.set(bit, name === 'amount' ? signed(name, data[name]) : u64(name, data[name]));
  }
  for (const [name, bit] of U32_FIELDS) {
    const value = isGiven(data[name]) ? u32(name, data[name]) : undefined;
    // The kernel's entries leave out what is 0: root.
    if (value === undefined || (fromKernel && value === 0 && name !== 'mode')) continue;
    fields.u32.set(bit, value);
  }
  if (isGiven(data.error)) fields.u32.set(E.ENTRY_BIT_ERROR, errnoOf(data.error));
  if (isGiven(data.notes)) fields.u32.set(E.ENTRY_BIT_RECORD_FLAGS, flagsOf(data.notes));
  if (isGiven(data.comm)) fields.bytes.set(E.ENTRY_BIT_COMM, utf8('comm', data.comm));
  setPath(fields, E.ENTRY_BIT_PATH, 'path', data);
  setPath(fields, E.ENTRY_BIT_PATH2, 'path2', data);
  if (isGiven(data.payload)) fields.payload = base64('payload', data.payload);
  if (isGiven(data.metadata)) fields.metadata = base64('metadata', data.metadata);
  return fields;
}

function setPath(fields: Writable, bit: number, name: string, data: Data): void {
  const truth = data[`${name}Bytes`];
  if (isGiven(truth)) fields.bytes.set(bit, base64(`${name}Bytes`, truth));
  else if (isGiven(data[name])) fields.bytes.set(bit, utf8(name, data[name]));
}

/** The operation whose event has this type: the usual one, where there are several. */
const OPERATIONS = new Map<string, number>([
  ['access.open', K.KERNEL_OP_FILE_OPEN],
  ['access.close', K.KERNEL_OP_FILE_CLOSE],
  ['fs.read', K.KERNEL_OP_FILE_READ],
  ['fs.write', K.KERNEL_OP_FILE_WRITE],
  ['fs.create', K.KERNEL_OP_FILE_CREATE],
  ['fs.delete', K.KERNEL_OP_FILE_DELETE],
  ['fs.rename', K.KERNEL_OP_FILE_RENAME],
  ['fs.chmod', K.KERNEL_OP_FILE_CHMOD],
  ['fs.chown', K.KERNEL_OP_FILE_CHOWN],
  ['fs.truncate', K.KERNEL_OP_FILE_TRUNCATE],
  ['access.fallocate', K.KERNEL_OP_FILE_TRUNCATE],
  ['fs.mkdir', K.KERNEL_OP_DIR_CREATE],
  ['fs.rmdir', K.KERNEL_OP_DIR_DELETE],
  ['access.readdir', K.KERNEL_OP_DIR_READ],
  ['fs.symlink', K.KERNEL_OP_SYMLINK_CREATE],
  ['fs.hardlink', K.KERNEL_OP_HARDLINK_CREATE],
  ['system.mount', K.KERNEL_OP_MOUNT],
  ['system.unmount', K.KERNEL_OP_UNMOUNT],
  ['system.sync', K.KERNEL_OP_SYNC],
  ['access.fsync', K.KERNEL_OP_SYNC],
]);

function addMore(fields: EntryFields, more: Data): void {
  for (const [name, value] of Object.entries(more)) {
    const bit = bitNumbers.get(name);
    if ((HEADER_U32 as readonly string[]).includes(name)) {
      fields[name as (typeof HEADER_U32)[number]] = u32(name, value);
    } else if ((HEADER_U64 as readonly string[]).includes(name)) {
      fields[name as (typeof HEADER_U64)[number]] = u64(name, value);
    } else if (name === 'links') fields.links = base64(name, value);
    else if (bit === undefined) throw wrong(`more.${name}`, value);
    else setBit(fields as EntryFields & Writable, bit, name, value);
  }
}

function setBit(fields: Writable, bit: number, name: string, value: unknown): void {
  const map = bit < E.ENTRY_BIT_U32_FIRST ? fields.u64 : bit < E.ENTRY_BIT_BYTES_FIRST ? fields.u32 : fields.bytes;
  if (value === null) map.delete(bit);
  else if (bit < E.ENTRY_BIT_U32_FIRST) fields.u64.set(bit, u64(name, value));
  else if (bit < E.ENTRY_BIT_BYTES_FIRST) fields.u32.set(bit, u32(name, value));
  else if (typeof value === 'string') fields.bytes.set(bit, utf8(name, value));
  else fields.bytes.set(bit, base64(name, (value as { base64?: unknown }).base64));
}

/** What the entry has and the line does not say; undefined if the line says it all. */
export function moreOf(entry: EntryFields, line: EntryFields): Record<string, unknown> | undefined {
  const more: Record<string, unknown> = {};
  for (const name of [...HEADER_U32, ...HEADER_U64]) if (entry[name] !== line[name]) more[name] = entry[name];
  for (let bit = 0; bit < E.ENTRY_BIT_COUNT; bit++) {
    const name = bitNames[bit] as string;
    const number = entry.u64.get(bit) ?? entry.u32.get(bit);
    const bytes = entry.bytes.get(bit);
    if (number !== (line.u64.get(bit) ?? line.u32.get(bit))) more[name] = number ?? null;
    if (!equal(bytes, line.bytes.get(bit))) more[name] = bytes === undefined ? null : textOrBase64(bytes);
  }
  if (entry.links.length > 0) more.links = Buffer.from(entry.links).toString('base64');
  return Object.keys(more).length === 0 ? undefined : more;
}

function equal(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.compare(a, b) === 0;
}

function textOrBase64(bytes: Uint8Array): string | { base64: string } {
  const text = Buffer.from(bytes).toString();
  return equal(Buffer.from(text), bytes) ? text : { base64: Buffer.from(bytes).toString('base64') };
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function wrong(name: string, value: unknown): FieldError {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return new FieldError(`${name}=${text.slice(0, 100)} cannot be`);
}

function integer(name: string, value: unknown): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) return BigInt(value);
  throw wrong(name, value);
}

function u64(name: string, value: unknown): bigint {
  const number = integer(name, value);
  if (number < 0n || number > U64_MAX) throw wrong(name, value);
  return number;
}

/** As the u64 with the same bits. */
function signed(name: string, value: unknown): bigint {
  const number = integer(name, value);
  if (BigInt.asIntN(64, number) !== number) throw wrong(name, value);
  return BigInt.asUintN(64, number);
}

function u32(name: string, value: unknown): number {
  const number = integer(name, value);
  if (number < 0n || number > 0xffffffffn) throw wrong(name, value);
  return Number(number);
}

function utf8(name: string, value: unknown): Uint8Array {
  if (typeof value !== 'string') throw wrong(name, value);
  return new Uint8Array(Buffer.from(value));
}

function base64(name: string, value: unknown): Uint8Array {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(value) || value.length % 4 !== 0)
    throw wrong(name, value);
  return new Uint8Array(Buffer.from(value, 'base64'));
}

function named(name: string, value: unknown, numbers: ReadonlyMap<string, number>, pattern?: RegExp): number {
  const number = typeof value === 'string' ? (numbers.get(value) ?? pattern?.exec(value)?.[1]) : undefined;
  if (number === undefined) throw wrong(name, value);
  return u32(name, typeof number === 'number' ? number : String(number));
}

const errnos = new Map<string, number>(Object.entries(os.constants.errno));

function errnoOf(value: unknown): number {
  return named('error', value, errnos, /^errno (\d+)$/);
}

function flagsOf(value: unknown): number {
  if (!Array.isArray(value)) throw wrong('notes', value);
  return value.reduce((flags: number, note: unknown) => flags | (1 << named('notes', note, notes)), 0);
}

/** ISO 8601 in UTC with up to nine digits behind the point, as ns. */
function timeOf(value: unknown): bigint {
  const match = typeof value === 'string' ? /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(value) : null;
  const ms = match === null ? Number.NaN : Date.parse(`${match[1]}Z`);
  if (match === null || Number.isNaN(ms)) throw wrong('time', value);
  const ns = BigInt(ms / 1000) * NS_PER_SECOND + BigInt((match[2] ?? '').padEnd(9, '0'));
  if (BigInt.asIntN(64, ns) !== ns) throw wrong('time', value);
  return ns;
}
