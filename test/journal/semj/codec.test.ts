// SEMJ event <-> journal entry in wasm: FORMATS.md section 3 and the SEMJ row of FAULTS.md.

import fs from 'node:fs';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as E from '../../../layout/entry.ts';
import * as T from '../../../layout/event-type.ts';
import * as S from '../../../layout/semj.ts';
import { decodeEntry, defaultFields, type EntryFields } from '../../../src/event/entry.ts';
import { EVENT_TYPE_CODES } from '../../../src/event/type-name.ts';
import { describeProblem, SEMJ_PROBLEMS } from '../../../src/journal/semj/problem.ts';
import { encoded, entries, semjEvents, u32 } from './arbitraries.ts';
import { type DumbEvent, dumbChecksum, dumbCrc32, dumbEvent } from './dumb.ts';
import { Codec, vectors } from './support.ts';

const described: { events: DumbEvent[] } = JSON.parse(
  fs.readFileSync(new URL('../../vectors/semj.json', import.meta.url), 'utf8'),
);
const codec = new Codec();
const events = described.events.map(({ offset, length }) => vectors.subarray(offset, offset + length));
const first = events[0] as Buffer;
const withLinks = events[1] as Buffer;

/** The entry with what SEMJ always says explicitly said. */
function explicit(fields: EntryFields): EntryFields {
  const id = fields.u64.get(E.ENTRY_BIT_EVENT_ID) ?? fields.sequence;
  const globalSequence = fields.u64.get(E.ENTRY_BIT_GLOBAL_SEQUENCE) ?? fields.sequence;
  const ids: [number, bigint][] = [
    [E.ENTRY_BIT_EVENT_ID, id],
    [E.ENTRY_BIT_GLOBAL_SEQUENCE, globalSequence],
  ];
  const others = [...fields.u64].filter(([bit]) => bit > E.ENTRY_BIT_GLOBAL_SEQUENCE);
  return { ...fields, u64: new Map([...ids, ...others]), rootCauseEventId: fields.rootCauseEventId || id };
}

/** As toEqual, which takes seconds for long arrays. */
function expectBytes(found: Uint8Array | number, expected: Uint8Array): void {
  if (typeof found === 'number' || !Buffer.from(found).equals(expected)) expect(found).toEqual(expected);
}

describe('the vectors', () => {
  it('are what their description says, field by field, to the second decoder', () => {
    for (const event of described.events) expect(dumbEvent(vectors, event.offset)).toEqual(event);
  });

  it('are right, and come back from entries byte for byte', () => {
    for (const event of events) {
      expect(codec.check(event)).toBe(event.length);
      expect(dumbChecksum(event)).toBe(event.readUInt32LE(84));
      const entry = codec.toEntry(event, { sequence: 77n });
      expect(codec.fromEntry(entry)).toEqual(Buffer.from(event));
    }
  });

  it('have each field where the entry has it', () => {
    for (const [index, event] of events.entries()) {
      const { fields, payloadHex, metadataHex } = described.events[index] as DumbEvent;
      const entry = decodeEntry(codec.toEntry(event));
      const number = (bit: number): string => String(entry.u64.get(bit) ?? entry.u32.get(bit) ?? 0);
      const text = (bit: number): string => Buffer.from(entry.bytes.get(bit) ?? []).toString();
      expect({
        'header.event_id': number(E.ENTRY_BIT_EVENT_ID),
        'header.event_type': String(entry.type),
        'header.event_subtype': number(E.ENTRY_BIT_SEMJ_SUBTYPE),
        'header.timestamp.ktime': String(entry.timeNs),
        'header.timestamp.sequence': String(entry.timeSequence),
        'header.timestamp.cpu_id': String(entry.cpu),
        'header.timestamp.process_id': String(entry.pid),
        'header.global_sequence': number(E.ENTRY_BIT_GLOBAL_SEQUENCE),
        'header.local_sequence': String(entry.localSequence),
        'header.event_flags': String(entry.flags),
        'header.event_priority': String(entry.priority),
        'header.event_version': String(entry.version),
        'header.compression_type': String(entry.compression),
        'header.encryption_type': String(entry.encryption),
        'header.parent_event_id': String(entry.parentEventId),
        'header.root_cause_event_id': String(entry.rootCauseEventId),
        'header.agent_visibility_mask': String(entry.visibilityMask),
        'header.agent_relevance_score': String(entry.relevance),
        'header.replay_priority': String(entry.replayPriority),
        'context.transaction_id': number(E.ENTRY_BIT_TRANSACTION_ID),
        'context.session_id': number(E.ENTRY_BIT_SESSION_ID),
        'context.causality_chain_id': number(E.ENTRY_BIT_CAUSALITY_CHAIN_ID),
        'context.path': text(E.ENTRY_BIT_PATH),
        'context.inode_number': number(E.ENTRY_BIT_INODE),
        'context.file_type': number(E.ENTRY_BIT_FILE_TYPE),
        'context.graph_node_id': number(E.ENTRY_BIT_GRAPH_NODE_ID),
        'context.graph_edge_id': number(E.ENTRY_BIT_GRAPH_EDGE_ID),
        'context.graph_operation_type': number(E.ENTRY_BIT_GRAPH_OPERATION_TYPE),
        'context.vector_id': number(E.ENTRY_BIT_VECTOR_ID),
        'context.vector_dimensions': number(E.ENTRY_BIT_VECTOR_DIMENSIONS),
        'context.vector_element_type': number(E.ENTRY_BIT_VECTOR_ELEMENT_TYPE),
        'context.agent_id': text(E.ENTRY_BIT_AGENT_ID),
        'context.agent_intent': text(E.ENTRY_BIT_AGENT_INTENT),
        'context.agent_confidence': number(E.ENTRY_BIT_AGENT_CONFIDENCE),
        'context.system_load': number(E.ENTRY_BIT_SYSTEM_LOAD),
        'context.memory_usage': number(E.ENTRY_BIT_MEMORY_USAGE),
        'context.io_pressure': number(E.ENTRY_BIT_IO_PRESSURE),
        'context.semantic_tags': text(E.ENTRY_BIT_SEMANTIC_TAGS),
        'context.semantic_intent': text(E.ENTRY_BIT_SEMANTIC_INTENT),
        'context.semantic_confidence': number(E.ENTRY_BIT_SEMANTIC_CONFIDENCE),
      }).toEqual(Object.fromEntries(Object.entries(fields).filter(([name]) => !/_(size|count)$|checksum/.test(name))));
      expect([Buffer.from(entry.payload).toString('hex'), Buffer.from(entry.metadata).toString('hex')]).toEqual([
        payloadHex,
        metadataHex,
      ]);
    }
  });
});

describe('the checksum', () => {
  it("is the kernel's: plain form, tables and the second decoder agree", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), u32, (bytes, initial) => {
        const { arena, wasm, event } = codec;
        arena.slice(event, bytes.length).set(bytes);
        expect(wasm.crc32Update(initial, event, bytes.length)).toBe(wasm.crc32Plain(initial, event, bytes.length));
        expect(wasm.crc32Update(0, event, bytes.length) >>> 0).toBe(dumbCrc32(bytes));
        expect(~wasm.crc32Update(0xffffffff, event, bytes.length) >>> 0).toBe(zlib.crc32(bytes));
      }),
    );
  });
});

describe('any right event', () => {
  it('comes back byte for byte, whatever lies behind NULs and whatever its bytes mean in UTF-8', () => {
    fc.assert(
      fc.property(semjEvents, fc.boolean(), (unsealed, vexfs) => {
        const event = codec.seal(unsealed);
        // VexFS has no Access events: they are written as what it has.
        fc.pre(!(vexfs && event.readUInt32LE(8) >>> 8 === 7) && !(dumbEvent(event, 0) instanceof Error));
        expect(codec.check(event)).toBe(event.length);
        expectBytes(codec.fromEntry(codec.toEntry(event, { sequence: 5n, vexfs }), { vexfs }), event);
      }),
      { numRuns: 300 },
    );
  });

  it('comes back from its extension too, when somebody has changed that or anything else', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 });
    let carried = 0;
    fc.assert(
      fc.property(entries, fc.boolean(), changes, fc.boolean(), (fields, vexfs, bytes, isNear) => {
        const made = codec.fromEntry(encoded(fields), { vexfs });
        fc.pre(typeof made !== 'number');
        const event = Buffer.from(made as Buffer);
        const tail =
          5412 + event.readUInt32LE(S.SEMJ_PAYLOAD_SIZE_OFFSET) + event.readUInt32LE(S.SEMJ_METADATA_SIZE_OFFSET);
        for (const [at, byte] of bytes) event[isNear ? tail - 1 - (at % 60) : at % event.length] = byte;
        const sealed = codec.seal(event);
        fc.pre(codec.check(sealed) > 0);
        const entry = codec.toEntry(sealed, { sequence: 9n });
        carried += decodeEntry(entry).subtype === E.ENTRY_ORIGIN_SEMJ << 24 ? 0 : 1;
        // Access events that were folded stay folded for the same reader, and are unfolded in the journal.
        const back = [codec.fromEntry(entry), codec.fromEntry(entry, { vexfs: true })];
        expect(back.some((other) => typeof other !== 'number' && other.equals(sealed))).toBe(true);
      }),
      { numRuns: 500 },
    );
    expect(carried).toBeGreaterThan(20);
  });
});

describe('any entry', () => {
  it('comes back with every field, in either dialect', () => {
    fc.assert(
      fc.property(entries, fc.boolean(), (fields, vexfs) => {
        const event = codec.fromEntry(encoded(fields), { vexfs });
        if (typeof event === 'number') {
          expect(event).toBe(S.SEMJ_ENTRY_TOO_LONG);
          return;
        }
        expect(codec.check(event)).toBe(event.length);
        expect(dumbEvent(event, 0)).not.toBeInstanceOf(Error);
        const entry = codec.toEntry(event, { sequence: fields.sequence });
        expectBytes(entry, encoded(explicit(fields)));
        // From here on nothing changes any more.
        expectBytes(codec.fromEntry(entry, { vexfs }), event);
      }),
      { numRuns: 500 },
    );
  });

  it('is refused when its parts do not add up, and nothing is written elsewhere', () => {
    fc.assert(
      fc.property(
        entries,
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
        (fields, changes) => {
          const entry = encoded(fields);
          for (const [at, byte] of changes) entry[at % Math.min(entry.length, 400)] = byte;
          const event = codec.fromEntry(entry);
          if (typeof event === 'number') {
            expect([
              S.SEMJ_ENTRY_CORRUPT,
              S.SEMJ_ENTRY_TOO_LONG,
              S.SEMJ_WRONG_TYPE,
              S.SEMJ_UNTERMINATED_DESCRIPTION,
            ]).toContain(event);
          } else expect(codec.check(event)).toBe(event.length);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('an Access event', () => {
  const access = Object.entries(EVENT_TYPE_CODES).filter(([name]) => name.startsWith('access.'));

  it('has a type of VexFS for each of the 12, and no other event has', () => {
    const { wasm } = codec;
    for (const code of Object.values(EVENT_TYPE_CODES)) {
      const folded = wasm.semjVexfsType(code);
      expect(folded !== 0).toBe(code >>> 8 === 7);
      if (folded !== 0) expect([wasm.semjIsType(folded), folded >>> 8 === 7]).toEqual([1, false]);
    }
    expect(access).toHaveLength(12);
    for (const code of [
      T.EVENT_ACCESS_OPEN,
      T.EVENT_ACCESS_CLOSE,
      T.EVENT_ACCESS_LOOKUP,
      T.EVENT_ACCESS_GETATTR,
      T.EVENT_ACCESS_READDIR,
    ]) {
      expect(wasm.semjVexfsType(code)).toBe(T.EVENT_FS_READ);
    }
  });

  it.each(access)('%s is written as that with its own code, and comes back', (_name, code) => {
    const fields = { ...defaultFields(E.ENTRY_KIND_EVENT, code), sequence: 3n, timeSequence: 3n, subtype: 0x01000500 };
    const event = codec.fromEntry(encoded(fields), { vexfs: true }) as Buffer;
    expect(event.readUInt32LE(8)).toBe(codec.wasm.semjVexfsType(code));
    expect(event.readUInt32LE(12)).toBe(code);
    expect(decodeEntry(codec.toEntry(event))).toMatchObject({ type: code, subtype: 0x01000500 });
    // What another writer made of one, without our extension.
    const plain = codec.seal(Buffer.concat([event.subarray(0, 76), Buffer.alloc(4), event.subarray(80, 5412)]));
    plain.writeUInt32LE(5412, 64);
    const foreign = codec.seal(plain);
    expect(codec.check(foreign)).toBe(5412);
    expect(decodeEntry(codec.toEntry(foreign, { vexfs: true }))).toMatchObject({ type: code });
    expect(decodeEntry(codec.toEntry(foreign))).toMatchObject({ type: codec.wasm.semjVexfsType(code) });
    expect(codec.fromEntry(codec.toEntry(foreign, { vexfs: true }), { vexfs: true })).toEqual(foreign);
  });

  it('knows all 72 types and no other', () => {
    const known = Array.from({ length: 0x1000 }, (_, code) => code).filter((code) => codec.wasm.semjIsType(code) === 1);
    expect(known).toEqual(Object.values(EVENT_TYPE_CODES).sort((a, b) => a - b));
    for (const code of [0x10101, 0x80000101, 0xffffffff]) expect(codec.wasm.semjIsType(code)).toBe(0);
  });
});

describe('what is not right is refused, each for its own reason', () => {
  const set = (offset: number, value: number) => (event: Buffer) => event.writeUInt32LE(value, offset);
  const fill = (offset: number, length: number) => (event: Buffer) => event.fill(0x61, offset, offset + length);
  const rows: [string, number, (event: Buffer) => unknown][] = [
    ['context_size 5279', S.SEMJ_WRONG_CONTEXT_SIZE, set(68, 5279)],
    ['context_size 0xffffffff', S.SEMJ_WRONG_CONTEXT_SIZE, set(68, 0xffffffff)],
    ['payload_size 65537', S.SEMJ_WRONG_PAYLOAD_SIZE, set(72, 65537)],
    ['payload_size 0xffffffff', S.SEMJ_WRONG_PAYLOAD_SIZE, set(72, 0xffffffff)],
    ['metadata_size 2049', S.SEMJ_WRONG_METADATA_SIZE, set(76, 2049)],
    ['causality_link_count 257', S.SEMJ_WRONG_LINK_COUNT, set(96, 257)],
    ['a link count whose bytes are 2^32 + 160', S.SEMJ_WRONG_LINK_COUNT, set(96, 26843546)],
    ['event_size one more', S.SEMJ_WRONG_EVENT_SIZE, (event) => event.writeUInt32LE(event.length + 1, 64)],
    ['event_size 0', S.SEMJ_WRONG_EVENT_SIZE, set(64, 0)],
    [
      'payload and metadata that make up for each other',
      S.SEMJ_WRONG_CHECKSUM,
      (event) => {
        event.writeUInt32LE(event.readUInt32LE(72) + 1, 72);
        event.writeUInt32LE(event.readUInt32LE(76) - 1, 76);
      },
    ],
    ['event_type 0x010d', S.SEMJ_WRONG_TYPE, set(8, 0x010d)],
    ['a path without NUL', S.SEMJ_UNTERMINATED_PATH, fill(156, 4096)],
    ['an agent_id without NUL', S.SEMJ_UNTERMINATED_AGENT_ID, fill(4300, 64)],
    ['an agent_intent without NUL', S.SEMJ_UNTERMINATED_AGENT_INTENT, fill(4364, 256)],
    ['semantic_tags without NUL', S.SEMJ_UNTERMINATED_SEMANTIC_TAGS, fill(4640, 512)],
    ['a semantic_intent without NUL', S.SEMJ_UNTERMINATED_SEMANTIC_INTENT, fill(5152, 256)],
    ['a description without NUL', S.SEMJ_UNTERMINATED_DESCRIPTION, (event) => event.fill(0x61, event.length - 128)],
  ];

  it.each(rows)('%s', (_name, status, change) => {
    const event = Buffer.from(withLinks);
    change(event);
    const sealed = status === S.SEMJ_WRONG_CHECKSUM ? event : codec.seal(event);
    expect(codec.check(sealed)).toBe(status);
    expect(dumbEvent(sealed, 0)).toBeInstanceOf(Error);
  });

  it('every bit of an event that flips', () => {
    for (let bit = 0; bit < first.length * 8; bit += first.length > 5000 ? 7 : 1) {
      const event = Buffer.from(first);
      event.writeUInt8(event.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(codec.check(event)).toBeLessThan(0);
    }
  });

  it("zlib's checksum, by name", () => {
    const event = Buffer.from(first);
    event.writeUInt32LE(0, 84);
    event.writeUInt32LE(zlib.crc32(event), 84);
    expect(codec.check(event)).toBe(S.SEMJ_ZLIB_CHECKSUM);
    expect(describeProblem(S.SEMJ_ZLIB_CHECKSUM, codec.arena.view, codec.event)).toContain('zlib');
  });

  it('an event that is cut anywhere', () => {
    for (const available of [0, 1, 131, 132, 5411, first.length - 1])
      expect(codec.check(first, available)).toBe(S.SEMJ_TRUNCATED);
  });

  it('and has a text of its own', () => {
    const texts = SEMJ_PROBLEMS.map((status) => describeProblem(status, codec.arena.view, codec.event));
    expect(new Set(texts).size).toBe(texts.length);
    const codes = Object.entries(S).filter(
      ([name, value]) => /TRUNCATED|WRONG|ZLIB|UNTERMINATED/.test(name) && value < 0,
    );
    expect(new Set(SEMJ_PROBLEMS)).toEqual(new Set(codes.map(([, value]) => value)));
  });

  it('the limits themselves are accepted', () => {
    const parts = (payload: number, metadata: number, links: number): Buffer => {
      const event = Buffer.concat([first.subarray(0, 5412), Buffer.alloc(payload + metadata + links * 160)]);
      for (const [offset, value] of [
        [64, event.length],
        [72, payload],
        [76, metadata],
        [96, links],
      ] as const)
        event.writeUInt32LE(value, offset);
      return codec.seal(event);
    };
    for (const event of [parts(65536, 0, 0), parts(0, 2048, 0), parts(0, 0, 256), parts(65536, 2048, 256)]) {
      expect(codec.check(event)).toBe(event.length);
      expect(codec.fromEntry(codec.toEntry(event))).toEqual(event);
    }
    expect(parts(65536, 2048, 256)).toHaveLength(S.SEMJ_EVENT_LENGTH_MAX);
  });

  it('as the second decoder does, whatever is changed', () => {
    const values = fc.constantFrom(
      0,
      1,
      131,
      132,
      256,
      257,
      2048,
      2049,
      5279,
      5280,
      65536,
      65537,
      0x7fffffff,
      0x80000000,
      0xffffffff,
    );
    const offsets = fc.constantFrom(8, 12, 64, 68, 72, 76, 80, 84, 96, 156, 4252, 4300, 5408, 5412);
    const changes = fc.array(fc.tuple(offsets, fc.oneof(values, u32)), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(fc.constantFrom(...events), changes, fc.boolean(), fc.nat(), (vector, fields, isSealed, cut) => {
        const event = Buffer.from(vector);
        for (const [offset, value] of fields) event.writeUInt32LE(value, Math.min(offset, event.length - 4));
        const bytes = isSealed ? codec.seal(event) : event;
        const available = cut % 5 === 0 ? cut % bytes.length : bytes.length;
        const dumb = dumbEvent(bytes.subarray(0, available), 0);
        const status = codec.check(bytes, available);
        expect(status > 0).toBe(!(dumb instanceof Error));
        if (status > 0)
          expect(codec.fromEntry(codec.toEntry(bytes.subarray(0, status)))).toEqual(bytes.subarray(0, status));
      }),
      { numRuns: 300 },
    );
  });
});
