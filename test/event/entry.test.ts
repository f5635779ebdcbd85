import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as E from '../../layout/entry.ts';
import {
  KERNEL_FLAG_ACTOR_UNKNOWN,
  KERNEL_FLAG_DIRECTORY,
  KERNEL_FLAG_PID_UNKNOWN,
  KERNEL_FLAG_TIME_ESTIMATED,
  KERNEL_VARIANT_OPENAT,
} from '../../layout/kernel-record.ts';
import type { Event, NewEvent } from '../../src/engine/types.ts';
import {
  decodeEntry,
  defaultFields,
  type EntryFields,
  encodeEntry,
  entryLength,
  measureNewEvent,
  writeNewEvent,
} from '../../src/event/entry.ts';
import { EntryDecoder } from '../../src/event/entry-decoder.ts';
import { fastBuffer } from '../../src/event/fast-buffer.ts';
import { EVENT_TYPE_CODES, EVENT_TYPE_NAMES } from '../../src/event/type-name.ts';

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn });
const bytes = (max: number) => fc.uint8Array({ maxLength: max });

const fields: fc.Arbitrary<EntryFields> = fc.record({
  sequence: u64,
  lamport: u64,
  timeNs: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  kind: fc.constantFrom(1, 2, 4),
  type: u32,
  subtype: u32,
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
  u64: fc.dictionary(fc.integer({ min: 0, max: 23 }).map(String), u64).map(numbered),
  u32: fc.dictionary(fc.integer({ min: 24, max: 43 }).map(String), u32).map(numbered),
  bytes: fc.dictionary(fc.integer({ min: 44, max: 63 }).map(String), bytes(40)).map(numbered),
  payload: bytes(100),
  metadata: bytes(50),
  links: fc
    .integer({ min: 0, max: 3 })
    .chain((count) => fc.uint8Array({ minLength: count * 160, maxLength: count * 160 })),
});

function numbered<T>(record: Record<string, T>): Map<number, T> {
  return new Map(
    Object.entries(record)
      .map(([key, value]) => [Number(key), value] as [number, T])
      .sort(([a], [b]) => a - b),
  );
}

/** Encodes into the middle of a shared memory, as the journal does. */
function shared(entry: EntryFields): { memory: SharedArrayBuffer; at: number; length: number; decoder: EntryDecoder } {
  const length = entryLength(entry);
  const memory = new SharedArrayBuffer(length + 24);
  encodeEntry(entry, new Uint8Array(memory, 16, length));
  return { memory, at: 16, length, decoder: new EntryDecoder(memory) };
}

describe('entry codec', () => {
  it('decodes what it encoded, every field of it', () => {
    fc.assert(
      fc.property(fields, (entry) => {
        const target = new Uint8Array(entryLength(entry));
        encodeEntry(entry, target);
        expect(decodeEntry(target)).toEqual(entry);
      }),
    );
  });

  it('gives users the same as the complete form, whatever other fields are there', () => {
    fc.assert(
      fc.property(fields, fc.constantFrom(...EVENT_TYPE_NAMES), fc.boolean(), (random, type, fromKernel) => {
        const origin = fromKernel ? E.ENTRY_ORIGIN_KERNEL : E.ENTRY_ORIGIN_EMIT;
        const entry = {
          ...random,
          kind: E.ENTRY_KIND_EVENT,
          type: EVENT_TYPE_CODES[type],
          subtype: ((origin << 24) | (KERNEL_VARIANT_OPENAT << 8)) >>> 0,
        };
        const { decoder, at, length } = shared(entry);
        const event = decoder.item(at, length) as Event;
        const text = (bit: number): string | undefined => {
          const found = entry.bytes.get(bit);
          return found === undefined ? undefined : Buffer.from(found).toString();
        };
        const flags = entry.u32.get(E.ENTRY_BIT_RECORD_FLAGS) ?? 0;
        const isUnknown = (bits: number) => !fromKernel || (flags & bits) !== 0;
        const user = isUnknown(KERNEL_FLAG_PID_UNKNOWN | KERNEL_FLAG_ACTOR_UNKNOWN) ? undefined : 0;
        const cpu = isUnknown(KERNEL_FLAG_PID_UNKNOWN | KERNEL_FLAG_TIME_ESTIMATED) ? undefined : entry.cpu;
        expect(event.type).toBe(type);
        expect(event.sequence).toBe(entry.sequence);
        expect(event.timeNs).toBe(entry.timeNs);
        expect(event.path).toBe(text(E.ENTRY_BIT_PATH));
        expect(event.path2).toBe(text(E.ENTRY_BIT_PATH2));
        expect(event.comm).toBe(text(E.ENTRY_BIT_COMM));
        expect(event.pid).toBe(entry.pid === 0 ? undefined : entry.pid);
        expect(event.tid).toBe(entry.u32.get(E.ENTRY_BIT_TID));
        expect(event.uid).toBe(entry.u32.get(E.ENTRY_BIT_UID) ?? user);
        expect(event.gid).toBe(entry.u32.get(E.ENTRY_BIT_GID) ?? user);
        expect(event.cpu).toBe(cpu);
        expect(event.mode).toBe(entry.u32.get(E.ENTRY_BIT_MODE));
        expect(event.inode).toBe(entry.u64.get(E.ENTRY_BIT_INODE));
        expect(event.size).toBe(entry.u64.get(E.ENTRY_BIT_SIZE));
        expect(event.argument).toBe(entry.u64.get(E.ENTRY_BIT_ARGUMENT));
        expect(event.durationNs).toBe(entry.u64.get(E.ENTRY_BIT_DURATION_NS));
        expect(event.call).toBe(fromKernel ? 'openat' : undefined);
        expect(event.payload ?? new Uint8Array(0)).toEqual(entry.payload);
        expect(event.metadata ?? new Uint8Array(0)).toEqual(entry.metadata);
      }),
    );
  });

  it('gives the bytes of a path that is not UTF-8, and only of such a one', () => {
    const path = Buffer.from([0x2f, 0xff, 0x61]);
    const one = shared({ ...defaultFields(1, 0x0104), bytes: new Map([[E.ENTRY_BIT_PATH, path]]) });
    expect(one.decoder.item(one.at, one.length)).toMatchObject({ path: '/\ufffda', pathBytes: new Uint8Array(path) });
    const good = Buffer.from('/\ufffd\u00e4');
    const two = shared({ ...defaultFields(1, 0x0104), bytes: new Map([[E.ENTRY_BIT_PATH, good]]) });
    expect(two.decoder.item(two.at, two.length)).not.toHaveProperty('pathBytes');
  });

  it('names errors and notes, and knows that an absent user of the kernel is root', () => {
    const entry = {
      ...defaultFields(1, 0x0701),
      subtype: E.ENTRY_ORIGIN_KERNEL << 24,
      u32: new Map([
        [E.ENTRY_BIT_ERROR, 2],
        [E.ENTRY_BIT_RECORD_FLAGS, KERNEL_FLAG_DIRECTORY],
      ]),
    };
    const { decoder, at, length } = shared(entry);
    expect(decoder.item(at, length)).toMatchObject({ error: 'ENOENT', notes: ['directory'], uid: 0, gid: 0, cpu: 0 });
  });

  it('reads what emit() wrote', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 60 });
    const option = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
    const event = fc.record({
      type: fc.constantFrom(...EVENT_TYPE_NAMES),
      path: option(text),
      path2: option(text),
      pid: option(fc.integer({ min: 1, max: 4194304 })),
      tid: option(u32),
      uid: option(u32),
      gid: option(u32),
      comm: option(fc.string({ maxLength: 15 })),
      inode: option(u64),
      size: option(u64),
      mode: option(u32),
      payload: option(fc.uint8Array({ minLength: 1, maxLength: 300 })),
      metadata: option(fc.uint8Array({ minLength: 1, maxLength: 300 })),
    });
    fc.assert(
      fc.property(event, fc.bigInt({ min: 0n, max: 2n ** 62n }), (given, timeNs) => {
        const wanted = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
        const measured = measureNewEvent(wanted as unknown as NewEvent);
        const memory = new SharedArrayBuffer(measured.length + 16);
        writeNewEvent(measured, timeNs, fastBuffer(memory), new DataView(memory), 8);
        const item = new EntryDecoder(memory).item(8, measured.length);
        expect(item).toEqual({ ...wanted, sequence: 0n, lamport: 0n, timeNs });
        expect(entryLength(decodeEntry(new Uint8Array(memory).slice(8, 8 + measured.length)))).toBe(measured.length);
      }),
    );
  });

  it('refuses what does not fit, with both numbers', () => {
    const refuse = (event: unknown): unknown => expect(() => measureNewEvent(event as NewEvent));
    const type = 'fs.write';
    for (const event of [
      { type: 'fs.nothing' },
      { type, path: 'x'.repeat(4096) },
      { type, payload: new Uint8Array(65537) },
      { type, metadata: new Uint8Array(2049) },
      { type, pid: -1 },
      { type, inode: 1n << 64n },
      { type, mode: 1.5 },
    ]) {
      (refuse(event) as { toThrow: (expected: unknown) => void }).toThrow(
        expect.objectContaining({ code: 'EVENT_INVALID' }),
      );
    }
  });

  it('never reads outside of an entry, whatever its bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 144, maxLength: 400 }), fc.constantFrom(1, 2, 3), (random, kind) => {
        const memory = new SharedArrayBuffer(random.length);
        const all = new Uint8Array(memory);
        all.set(random);
        const view = new DataView(memory);
        view.setUint16(E.ENTRY_KIND_OFFSET, kind, true);
        view.setUint32(E.ENTRY_TYPE_OFFSET, 0x0104, true);
        for (const decode of [() => new EntryDecoder(memory).item(0, random.length), () => decodeEntry(all.slice())]) {
          try {
            decode();
          } catch (error) {
            expect(error).toMatchObject({ code: 'JOURNAL_CORRUPT' });
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});
