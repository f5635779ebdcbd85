// jsonl and csv: everything that an entry has comes back.

import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as E from '../../../layout/entry.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { decodeEntry, type EntryFields, entryLength } from '../../../src/event/entry.ts';
import { JournalReader } from '../../../src/journal/reader.ts';
import { importSemj } from '../../../src/journal/semj/import.ts';
import { csvLine, parseCsvRecord } from '../../../src/journal/text/csv.ts';
import { exportText } from '../../../src/journal/text/export.ts';
import { type ImportTextOptions, importText } from '../../../src/journal/text/import.ts';
import { readRecords } from '../../../src/journal/text/records.ts';
import { jsonLines, run } from '../../cli/run.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { encoded, entries } from '../semj/arbitraries.ts';
import { VECTORS } from '../semj/support.ts';
import { openBench } from '../support.ts';

const FORMATS = ['jsonl', 'csv'] as const;
const SEGMENT_LENGTH = 1 << 20;

/** A journal with these entries, as they are. */
function journalOf(all: readonly EntryFields[]): string {
  const directory = path.join(temporaryDirectory('text'), 'journal');
  const bench = openBench(directory, { segmentLength: SEGMENT_LENGTH });
  for (const fields of all) {
    const length = entryLength(fields);
    let at = bench.wasm.journalReserve(length);
    while (at === -5) {
      bench.sync.doWork();
      at = bench.wasm.journalReserve(length);
    }
    bench.arena.slice(at, length).set(encoded(fields).subarray(24), 24);
    bench.wasm.journalCommit(at);
  }
  bench.close();
  return directory;
}

function entriesOf(directory: string): EntryFields[] {
  const reader = new JournalReader({ directory });
  const all: EntryFields[] = [];
  while (reader.readBatch(100, (decoder, at, length) => all.push(decodeEntry(decoder.copy(at, length)))) > 0);
  reader.close();
  return all;
}

/** With ids and root explicit, as an import makes them. */
function explicit(fields: EntryFields): EntryFields {
  const id = fields.u64.get(E.ENTRY_BIT_EVENT_ID) ?? fields.sequence;
  const others = [...fields.u64].filter(([bit]) => bit > E.ENTRY_BIT_GLOBAL_SEQUENCE);
  const global = fields.u64.get(E.ENTRY_BIT_GLOBAL_SEQUENCE) ?? fields.sequence;
  const isForeign = fields.subtype === E.ENTRY_ORIGIN_SEMJ << 24;
  return {
    ...fields,
    u64: new Map([[E.ENTRY_BIT_EVENT_ID, id], [E.ENTRY_BIT_GLOBAL_SEQUENCE, global], ...others]),
    rootCauseEventId: fields.rootCauseEventId === 0n && !isForeign ? id : fields.rootCauseEventId,
  };
}

function importFile(file: string, format: 'jsonl' | 'csv', more: Partial<ImportTextOptions> = {}) {
  return importText({ file, format, directory: `${file}.journal`, segmentLength: SEGMENT_LENGTH, ...more });
}

function fileWith(text: string | Uint8Array): string {
  const file = path.join(temporaryDirectory('text'), 'file');
  fs.writeFileSync(file, text);
  return file;
}

describe.each(FORMATS)('%s', (format) => {
  it('gives back every field of any entry', async () => {
    const all = fc.sample(entries, 150).map((fields, index) => {
      const u64 = new Map(fields.u64);
      // Two of one id would be a conflict.
      u64.set(E.ENTRY_BIT_EVENT_ID, BigInt(index + 1));
      // What users do not see of a gap.
      return fields.kind === E.ENTRY_KIND_GAP
        ? { ...fields, type: 0, u64, payload: new Uint8Array(0), metadata: new Uint8Array(0) }
        : { ...fields, u64 };
    });
    const directory = journalOf(all);
    const before = entriesOf(directory);
    const file = path.join(path.dirname(directory), 'out');
    expect(await exportText({ directory, format, output: file })).toMatchObject({ lastSequence: 150n });
    expect(await importFile(file, format)).toMatchObject({ imported: 150, skippedBytes: 0 });
    const after = entriesOf(`${file}.journal`);
    for (const [index, entry] of after.entries()) {
      expect(
        Buffer.from(encoded({ ...entry, lamport: 0n })).equals(
          encoded({ ...explicit(before[index] as EntryFields), lamport: 0n }),
        ),
        String(index),
      ).toBe(true);
    }
    expect(await importFile(file, format)).toMatchObject({ imported: 0, duplicates: 150 });
  });

  it('carries SEMJ files, byte for byte', async () => {
    const folder = temporaryDirectory('text');
    const [one, two, out] = [path.join(folder, 'one'), path.join(folder, 'two'), path.join(folder, 'out')];
    expect((await run(['import', VECTORS, '-j', one])).exitCode).toBe(0);
    expect((await run(['export', one, '--format', format, '-o', out])).exitCode).toBe(0);
    expect((await run(['import', out, '-j', two])).stderr).toContain('16 events imported');
    expect((await run(['export', two, '--format', 'semj', '-o', `${out}.semj`])).exitCode).toBe(0);
    expect(fs.readFileSync(`${out}.semj`).equals(fs.readFileSync(VECTORS))).toBe(true);
  });

  it('refuses what is no event, by line and field, before anything is imported', async () => {
    const directory = path.join(temporaryDirectory('text'), 'journal');
    await importSemj({ file: VECTORS, directory, segmentLength: SEGMENT_LENGTH });
    const file = fileWith('');
    await exportText({ directory, format, output: file });
    const good = fs.readFileSync(file, 'utf8');
    const bad: [RegExp | string, string, string][] = [
      ['fs.create', 'fs.creatx', 'type='],
      [/\d{4}-\d\d-\d\dT/, '2020-13-45T', 'time='],
    ];
    for (const [from, to, message] of bad) {
      fs.writeFileSync(file, good.replace(from, to));
      await expect(importFile(file, format)).rejects.toMatchObject({
        code: 'IMPORT_INVALID',
        exitCode: 5,
        message: expect.stringMatching(new RegExp(`line=\\d+: ${message}`)),
      });
      expect(fs.existsSync(`${file}.journal`)).toBe(false);
    }
    expect(await importFile(file, format, { emergency: true })).toMatchObject({
      imported: 15,
      skippedEvents: 1n,
      skipped: [{ events: 1 }],
    });
  });
});

describe('jsonl', () => {
  it('reads what log --json prints, and lines that somebody wrote', async () => {
    const directory = path.join(temporaryDirectory('text'), 'journal');
    await using engine = await Engine.open({ source: 'none', journal: directory });
    await engine.emit({
      type: 'fs.write',
      path: '/é',
      pid: 7,
      uid: 0,
      comm: 'x',
      inode: 2n ** 63n,
      payload: new Uint8Array([0, 255]),
    });
    await engine.close();
    const log = await run(['log', directory, '--json']);
    const file = fileWith(`${log.stdout}\n{"type":"event","data":{"type":"agent.decision","path":"/b"}}\r\n`);
    expect(await importFile(file, 'jsonl')).toMatchObject({ imported: 2 });
    const [first, second] = jsonLines((await run(['log', `${file}.journal`, '--json'])).stdout);
    expect(first).toEqual(jsonLines(log.stdout)[0]);
    expect(second).toMatchObject({ data: { type: 'agent.decision', path: '/b', pid: null } });
  });

  it.each([
    ['{', 'no JSON'],
    ['[]', 'no {'],
    ['null', 'no {'],
    ['{"type":"event","data":7}', 'no {'],
    ['{"type":"event","data":{}}', 'type='],
    ['{"type":"event","data":{"type":"toString"}}', 'type='],
    ['{"type":"event","data":{"type":"fs.read","pid":-1}}', 'pid='],
    ['{"type":"event","data":{"type":"fs.read","pid":4294967296}}', 'pid='],
    ['{"type":"event","data":{"type":"fs.read","size":1.5}}', 'size='],
    ['{"type":"event","data":{"type":"fs.read","size":"18446744073709551616"}}', 'size='],
    ['{"type":"event","data":{"type":"fs.read","path":7}}', 'path='],
    ['{"type":"event","data":{"type":"fs.read","payload":"?"}}', 'payload='],
    ['{"type":"event","data":{"type":"fs.read","more":{"nothing":1}}}', 'more.nothing='],
    ['{"type":"event","data":{"type":"fs.read","more":{"links":"AAAA"}}}', 'links='],
    [`{"type":"event","data":{"type":"fs.read","metadata":"${'A'.repeat(2732)}"}}`, 'metadata: length=2049'],
    ['['.repeat(200_000), 'no JSON'],
    [Buffer.from([0x7b, 0xff]), 'not UTF-8'],
    ['x'.repeat(2 << 20), 'longer than'],
  ])('refuses %.60s', async (line, message) => {
    await expect(importFile(fileWith(line), 'jsonl')).rejects.toMatchObject({
      code: 'IMPORT_INVALID',
      message: expect.stringContaining(message),
    });
  });
});

describe('csv', () => {
  const cell = fc.string({ unit: fc.constantFrom('a', ',', '"', '\r', '\n', ' ', 'é') });

  it('is RFC 4180: cells come back whatever is in them, also through a file', () => {
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 5 }), { minLength: 1, maxLength: 5 }), (rows) => {
        const lines = rows.map(csvLine);
        expect(lines.map((line) => parseCsvRecord(line.slice(0, -2)))).toEqual(rows);
        const file = fileWith(lines.join(''));
        expect([...readRecords(file, true)].map(({ text }) => parseCsvRecord(text ?? ''))).toEqual(rows);
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['kind,type,colour\r\n', 'line=1: column "colour"'],
    ['kind,type,type\r\n', 'line=1: column type is there twice'],
    ['kind,type\r\nevent\r\n', 'line=2: 1 cells for 2 columns'],
    ['kind,type\r\nevent,"fs.read"x\r\n', 'line=2: a quote'],
    ['kind,type\r\nevent,fs.re"ad\r\n', 'line=2: a quote'],
    ['kind,type\r\nthing,fs.read\r\n', 'line=2: kind='],
  ])('refuses %j', async (text, message) => {
    await expect(importFile(fileWith(text), 'csv')).rejects.toMatchObject({
      code: 'IMPORT_INVALID',
      message: expect.stringContaining(message),
    });
  });

  it('takes the columns that are there, in any order', async () => {
    const file = fileWith('path,type,pid\n"/a, b",fs.write,7\n/c,fs.read,\n');
    expect(await importFile(file, 'csv')).toMatchObject({ imported: 2 });
    expect(entriesOf(`${file}.journal`).map(({ pid }) => pid)).toEqual([7, 0]);
  });
});
