// Entries and SEMJ events of every shape.

import fc from 'fast-check';
import * as E from '../../../layout/entry.ts';
import * as S from '../../../layout/semj.ts';
import { type EntryFields, encodeEntry, entryLength } from '../../../src/event/entry.ts';
import { EVENT_TYPE_CODES } from '../../../src/event/type-name.ts';

export const u32 = fc.oneof(fc.constantFrom(0, 1, 0xffffffff), fc.integer({ min: 0, max: 0xffffffff }));
export const u64 = fc.oneof(
  fc.constantFrom(0n, 1n, 0xffffffffffffffffn),
  fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
);
const s64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
export const type = fc.constantFrom(...Object.values(EVENT_TYPE_CODES));

const bytesOf = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
/** Bytes of every value, so with NULs when there are many; made quickly. */
const filled = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => (index * 7 + 1) & 0xff);
const short = fc.uint8Array({ maxLength: 40 });
/** Around the lengths of the places that SEMJ has. */
const text = fc.oneof(
  { weight: 6, arbitrary: short },
  { weight: 4, arbitrary: short.map((bytes) => bytes.map((byte) => byte || 1)) },
  { weight: 1, arbitrary: fc.constantFrom(63, 64, 255, 256, 511, 512, 4095, 4096).map(filled) },
  { weight: 1, arbitrary: fc.constantFrom(63, 64, 255, 511, 4095).map((length) => new Uint8Array(length).fill(0x61)) },
);
const blob = (lengths: readonly number[]): fc.Arbitrary<Uint8Array> =>
  fc.oneof({ weight: 5, arbitrary: short }, { weight: 1, arbitrary: fc.constantFrom(...lengths).map(filled) });

const link = fc.tuple(bytesOf(32), fc.uint8Array({ maxLength: 127 })).map(([numbers, description]) => {
  const bytes = new Uint8Array(S.SEMJ_LINK_LENGTH);
  bytes.set(numbers);
  bytes.set(description, 32);
  return bytes;
});

function numbered<T>(record: Record<string, T>): Map<number, T> {
  const rows = Object.entries(record).map(([key, value]) => [Number(key), value] as [number, T]);
  return new Map(rows.sort(([a], [b]) => a - b));
}

const bits = (from: number, to: number): fc.Arbitrary<string> => fc.integer({ min: from, max: to }).map(String);

/** Whatever an entry may have; every presence bit, those that nobody uses yet too. */
export const entries: fc.Arbitrary<EntryFields> = fc.record({
  sequence: u64,
  lamport: fc.constant(0n),
  timeNs: s64,
  kind: fc.constantFrom(E.ENTRY_KIND_EVENT, E.ENTRY_KIND_EVENT, E.ENTRY_KIND_GAP),
  type,
  subtype: fc.oneof(u32, fc.constantFrom(E.ENTRY_ORIGIN_SEMJ << 24, (E.ENTRY_ORIGIN_KERNEL << 24) | 0x0103)),
  flags: u32,
  priority: u32,
  version: u32,
  compression: u32,
  encryption: u32,
  relevance: u32,
  replayPriority: u32,
  cpu: u32,
  pid: u32,
  timeSequence: u64,
  localSequence: u64,
  parentEventId: u64,
  rootCauseEventId: u64,
  visibilityMask: u64,
  u64: fc.dictionary(bits(0, 23), u64, { maxKeys: 24 }).map(numbered),
  u32: fc.dictionary(bits(24, 43), u32, { maxKeys: 20 }).map(numbered),
  bytes: fc.dictionary(bits(44, 62), text, { maxKeys: 12 }).map(numbered),
  payload: blob([1000, 60000]),
  metadata: blob([1900, 2000, 2048]),
  links: fc.array(link, { maxLength: 3 }).map((links) => Uint8Array.from(Buffer.concat(links))),
});

export function encoded(fields: EntryFields): Uint8Array {
  const bytes = new Uint8Array(entryLength(fields));
  encodeEntry(fields, bytes);
  return bytes;
}

/** A place of a string: text, NUL, and mostly zeros behind it. */
const stringPlace = (room: number): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(fc.integer({ min: 0, max: room - 1 }), short, fc.boolean(), fc.integer({ min: 1, max: 255 }))
    .map(([length, rest, isClean, byte]) => {
      const place = new Uint8Array(room);
      place.fill(byte, 0, length % 50 === 49 ? length : Math.min(length, 49));
      const nul = place.indexOf(0);
      if (!isClean) place.set(rest.subarray(0, room - nul - 1), nul + 1);
      return place;
    });

/** Right events but for the checksum. */
export const semjEvents: fc.Arbitrary<Buffer> = fc
  .record({
    header: bytesOf(S.SEMJ_EVENT_HEADER_LENGTH),
    context: fc.constantFrom(new Uint8Array(S.SEMJ_CONTEXT_LENGTH), filled(S.SEMJ_CONTEXT_LENGTH)),
    path: stringPlace(S.SEMJ_PATH_LENGTH),
    agentId: stringPlace(S.SEMJ_AGENT_ID_LENGTH),
    agentIntent: stringPlace(S.SEMJ_AGENT_INTENT_LENGTH),
    tags: stringPlace(S.SEMJ_SEMANTIC_TAGS_LENGTH),
    intent: stringPlace(S.SEMJ_SEMANTIC_INTENT_LENGTH),
    type,
    subtype: fc.oneof(u32, type),
    payload: blob([65535, 65536]),
    metadata: blob([2047, 2048]),
    links: fc.array(link, { maxLength: 3 }),
  })
  .map(({ header, context, payload, metadata, links, ...fields }) => {
    const event = Buffer.concat([header, context, payload, metadata, ...links]);
    event.set(fields.path, S.SEMJ_PATH_OFFSET);
    event.set(fields.agentId, S.SEMJ_AGENT_ID_OFFSET);
    event.set(fields.agentIntent, S.SEMJ_AGENT_INTENT_OFFSET);
    event.set(fields.tags, S.SEMJ_SEMANTIC_TAGS_OFFSET);
    event.set(fields.intent, S.SEMJ_SEMANTIC_INTENT_OFFSET);
    event.writeUInt32LE(fields.type, S.SEMJ_EVENT_TYPE_OFFSET);
    event.writeUInt32LE(fields.subtype, S.SEMJ_EVENT_SUBTYPE_OFFSET);
    event.writeUInt32LE(event.length, S.SEMJ_EVENT_SIZE_OFFSET);
    event.writeUInt32LE(S.SEMJ_CONTEXT_LENGTH, S.SEMJ_CONTEXT_SIZE_OFFSET);
    event.writeUInt32LE(payload.length, S.SEMJ_PAYLOAD_SIZE_OFFSET);
    event.writeUInt32LE(metadata.length, S.SEMJ_METADATA_SIZE_OFFSET);
    event.writeUInt32LE(links.length, S.SEMJ_LINK_COUNT_OFFSET);
    return event;
  });
