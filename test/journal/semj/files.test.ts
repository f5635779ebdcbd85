// SEMJ files into journals and out of them; damaged ones; the command line.

import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { readJournal } from '../../../src/engine/read-journal.ts';
import type { StreamItem } from '../../../src/event/types.ts';
import { type ExportSemjOptions, exportSemj } from '../../../src/journal/semj/export.ts';
import { type ImportSemjOptions, type ImportSummary, importSemj } from '../../../src/journal/semj/import.ts';
import { jsonLines, run } from '../../cli/run.ts';
import { seededRandom } from '../../support/seed.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { dumbCrc32, dumbEvent } from './dumb.ts';
import { Codec, VECTORS, vectors } from './support.ts';

const SEGMENT_LENGTH = 1 << 20;
const EVENTS = 16;
const codec = new Codec();
const offsets = offsetsOf(vectors);

function offsetsOf(file: Buffer): number[] {
  const found: number[] = [];
  for (let at = 52; at < file.length; at += file.readUInt32LE(at + 64)) found.push(at);
  return found;
}

/** A file with this content, and the name of a journal beside it that is not there yet. */
function fileWith(content: Uint8Array): { file: string; directory: string; out: string } {
  const folder = temporaryDirectory('semj');
  fs.writeFileSync(path.join(folder, 'in.semj'), content);
  return {
    file: path.join(folder, 'in.semj'),
    directory: path.join(folder, 'journal'),
    out: path.join(folder, 'out.semj'),
  };
}

/** Header numbers and checksum as they must be for these events. */
function sealFile(file: Buffer, events: number): Buffer {
  const sealed = Buffer.from(file);
  sealed.writeBigUInt64LE(BigInt(events), 12);
  sealed.writeBigUInt64LE(BigInt(sealed.length), 28);
  sealed.writeUInt32LE(0, 48);
  sealed.writeUInt32LE(dumbCrc32(sealed.subarray(0, 52)), 48);
  return sealed;
}

async function takeIn(
  place: { file: string; directory: string },
  more: Partial<ImportSemjOptions> = {},
): Promise<ImportSummary> {
  return await importSemj({ file: place.file, directory: place.directory, segmentLength: SEGMENT_LENGTH, ...more });
}

async function giveOut(
  place: { directory: string; out: string },
  more: Partial<ExportSemjOptions> = {},
): Promise<Buffer> {
  await exportSemj({ directory: place.directory, file: place.out, ...more });
  return fs.readFileSync(place.out);
}

async function itemsOf(directory: string): Promise<StreamItem[]> {
  const items: StreamItem[] = [];
  for await (const batch of readJournal(directory)) items.push(...batch.filter(({ type }) => type !== 'caughtUp'));
  return items;
}

describe('a SEMJ file', () => {
  it('comes out of a journal as it went in, byte for byte', async () => {
    const place = fileWith(vectors);
    expect(await takeIn(place)).toMatchObject({
      events: EVENTS,
      imported: EVENTS,
      duplicates: 0,
      skippedBytes: 0,
      lastSequence: 16n,
    });
    expect((await giveOut(place)).equals(vectors)).toBe(true);
    expect(fs.readdirSync(path.dirname(place.file)).sort()).toEqual(['in.semj', 'journal', 'out.semj']);
  });

  it('is imported again without any effect: what is there already is left out', async () => {
    const place = fileWith(vectors);
    await takeIn(place);
    expect(await takeIn(place)).toMatchObject({ imported: 0, duplicates: EVENTS, firstSequence: undefined });
    expect((await giveOut(place)).equals(vectors)).toBe(true);
  });

  it('goes on where a killed import was', async () => {
    const place = fileWith(vectors);
    const half = fileWith(sealFile(vectors.subarray(0, offsets[7]), 7));
    await takeIn({ file: half.file, directory: place.directory });
    expect(await takeIn(place)).toMatchObject({ imported: 9, duplicates: 7, firstSequence: 8n });
    expect((await giveOut(place)).equals(vectors)).toBe(true);
  });

  it('with another event under the id of one in the journal is refused as a whole', async () => {
    const place = fileWith(vectors);
    await takeIn(place);
    const changed = Buffer.from(vectors);
    changed.writeUInt32LE(7, (offsets[3] as number) + 12);
    changed.set(codec.seal(changed.subarray(offsets[3], offsets[4])), offsets[3]);
    changed.writeBigUInt64LE(99n, offsets[15] as number);
    changed.set(codec.seal(changed.subarray(offsets[15])), offsets[15]);
    fs.writeFileSync(place.file, changed);
    await expect(takeIn(place)).rejects.toMatchObject({
      code: 'IMPORT_CONFLICT',
      message: expect.stringContaining('sequence=4: event_id=4'),
    });
    expect((await giveOut(place)).equals(vectors)).toBe(true);
    expect(await takeIn(place, { emergency: true })).toMatchObject({ imported: 1, conflicts: 1, duplicates: 14 });
  });

  it('keeps an event that is in it twice once, and refuses two under one id', async () => {
    const twice = sealFile(Buffer.concat([vectors, vectors.subarray(offsets[15])]), 17);
    expect(await takeIn(fileWith(twice))).toMatchObject({ imported: 16, duplicates: 1 });
    const other = Buffer.from(vectors.subarray(offsets[15]));
    other.writeUInt32LE(1, 60);
    other.writeUInt32LE(12345, 12);
    const place = fileWith(sealFile(Buffer.concat([vectors, codec.seal(other)]), 17));
    await expect(takeIn(place)).rejects.toMatchObject({
      code: 'IMPORT_CONFLICT',
      message: expect.stringContaining('offset=90472'),
    });
    expect(fs.existsSync(place.directory)).toBe(false);
  });

  it('is made of our own events too, and gives them back as they were', async () => {
    const place = fileWith(vectors);
    const engine = await Engine.open({ source: 'none', journal: place.directory });
    const payload = new Uint8Array(65536).fill(9);
    await engine.emit({
      type: 'fs.rename',
      path: '/a/é',
      path2: '/b',
      pid: 7,
      tid: 8,
      uid: 9,
      gid: 10,
      comm: 'mv',
      inode: 11n,
      size: 12n,
      mode: 0o644,
    });
    await engine.emit({
      type: 'access.open',
      path: '/a',
      payload: new Uint8Array([1, 2]),
      metadata: new Uint8Array(2000),
    });
    await engine.emit({ type: 'agent.decision', payload: payload.subarray(0, 65000) });
    // Also while somebody writes the journal.
    const whileWritten = await giveOut(place);
    await engine.close();
    const before = await itemsOf(place.directory);
    for (const compat of [undefined, 'vexfs'] as const) {
      const exported = await giveOut(place, compat === undefined ? {} : { compat });
      if (compat === undefined) expect(exported.equals(whileWritten)).toBe(true);
      for (const offset of offsetsOf(exported)) expect(dumbEvent(exported, offset)).not.toBeInstanceOf(Error);
      const copy = fileWith(exported);
      await takeIn(copy);
      expect(await itemsOf(copy.directory)).toEqual(before);
      expect((await giveOut(copy, compat === undefined ? {} : { compat })).equals(exported)).toBe(true);
    }
  });

  it('leaves out what the filters leave out', async () => {
    const place = fileWith(vectors);
    await takeIn(place);
    const some = await giveOut(place, { types: ['fs.*'], since: 3n });
    expect(offsetsOf(some).map((at) => Number(some.readBigUInt64LE(at)))).toEqual([6, 15]);
    expect([some.readBigUInt64LE(12), some.readBigUInt64LE(20)]).toEqual([2n, 16n]);
  });

  it('is refused when an event of ours does not fit, by its sequence; then there is no file', async () => {
    const place = fileWith(vectors);
    const engine = await Engine.open({ source: 'none', journal: place.directory });
    await engine.emit({ type: 'fs.write', payload: new Uint8Array(65536), metadata: new Uint8Array(2048) });
    await engine.close();
    await expect(giveOut(place)).rejects.toMatchObject({
      code: 'EXPORT_IMPOSSIBLE',
      message: expect.stringContaining('sequence=1'),
    });
    expect(fs.readdirSync(path.dirname(place.out)).sort()).toEqual(['in.semj', 'journal']);
  });
});

describe('a file that is not right', () => {
  const set = (offset: number, value: number) => (file: Buffer) => file.writeUInt32LE(value, offset);
  const rows: [string, string, string, (file: Buffer) => unknown][] = [
    ['another magic', 'SEMJ_CORRUPT', 'offset=0: magic=0x4c4f4c4c', set(0, 0x4c4f4c4c)],
    ['a header of zeros', 'SEMJ_CORRUPT', 'did not finish', (file) => file.fill(0, 0, 52)],
    ['another major version', 'SEMJ_INCOMPATIBLE', 'major=2', set(4, 2)],
    ['a wrong checksum of the header', 'SEMJ_CORRUPT', 'offset=48', set(48, 1)],
    ['another size', 'SEMJ_CORRUPT', 'journal_size=5', (file) => file.set(headerWith(file, 28, 5n))],
    ['an index outside', 'SEMJ_CORRUPT', 'index_offset=51', (file) => file.set(headerWith(file, 36, 51n))],
    [
      'more events in its header',
      'SEMJ_CORRUPT',
      'total_events=17, the file has 16',
      (file) => file.set(headerWith(file, 12, 17n)),
    ],
    [
      'a damaged event',
      'SEMJ_CORRUPT',
      `offset=${offsets[5]}: checksum=`,
      (file) => file.fill(1, (offsets[5] as number) + 200, (offsets[5] as number) + 210),
    ],
  ];

  function headerWith(file: Buffer, offset: number, value: bigint): Buffer {
    const header = Buffer.from(file.subarray(0, 52));
    header.writeBigUInt64LE(value, offset);
    header.writeUInt32LE(0, 48);
    header.writeUInt32LE(dumbCrc32(header), 48);
    return header;
  }

  it.each(rows)('%s: refused before anything is imported', async (_name, code, message, change) => {
    const file = Buffer.from(vectors);
    change(file);
    const place = fileWith(file);
    await expect(takeIn(place)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    expect(fs.existsSync(place.directory)).toBe(false);
  });

  it('cut anywhere, empty, a directory, not there', async () => {
    for (const length of [0, 1, 51, 52, 53, 5476, 5477, vectors.length - 1]) {
      await expect(takeIn(fileWith(vectors.subarray(0, length)))).rejects.toMatchObject({ code: 'SEMJ_CORRUPT' });
    }
    const { directory } = fileWith(vectors);
    await expect(takeIn({ file: path.dirname(directory), directory })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    await expect(takeIn({ file: `${directory}.none`, directory })).rejects.toMatchObject({ code: 'PATH_MISSING' });
  });
});

describe('an emergency import', () => {
  it('takes all events but the damaged one, and says where it was', async () => {
    for (const [index, offset] of offsets.entries()) {
      const file = Buffer.from(vectors);
      file.writeUInt8(file.readUInt8(offset + 300) ^ 1, offset + 300);
      const summary = await takeIn(fileWith(file), { emergency: true });
      const bytes = (offsets[index + 1] ?? file.length) - offset;
      expect(summary).toMatchObject({
        imported: 15,
        skippedBytes: bytes,
        skippedEvents: 1n,
        skipped: [{ offset, bytes, events: 1 }],
      });
    }
  });

  it('finds the next event when sizes are damaged, or bytes are missing or too many', async () => {
    const at = offsets[4] as number;
    const sizes = Buffer.from(vectors);
    sizes.fill(0xff, at + 64, at + 80);
    expect(await takeIn(fileWith(sizes), { emergency: true })).toMatchObject({
      imported: 15,
      skippedEvents: 1n,
      skipped: [{ offset: at, bytes: (offsets[5] as number) - at }],
    });
    const missing = Buffer.concat([vectors.subarray(0, at + 100), vectors.subarray(at + 103)]);
    expect(await takeIn(fileWith(missing), { emergency: true })).toMatchObject({
      imported: 15,
      skipped: [{ offset: 0, bytes: 52, events: 0 }, { offset: at }],
    });
    const more = Buffer.concat([vectors.subarray(0, at), Buffer.alloc(1000, 0xa5), vectors.subarray(at)]);
    expect(await takeIn(fileWith(sealFile(more, EVENTS)), { emergency: true })).toMatchObject({
      imported: 16,
      skippedEvents: 0n,
      skippedBytes: 1000,
      skipped: [{ offset: at, bytes: 1000 }],
    });
  });

  it('never throws, hangs or miscounts, whatever was done to the file', async () => {
    const random = seededRandom(0x5e31);
    const below = (end: number): number => Math.floor(random() * end);
    for (let turn = 0; turn < 40; turn++) {
      let file = Buffer.from(vectors.subarray(0, offsets[6]));
      for (let change = 0; change <= below(4); change++) {
        const at = below(file.length);
        const length = below(6000);
        const kind = below(5);
        if (kind === 0) file.writeUInt8(below(256), at);
        else if (kind === 1) file = Buffer.concat([file.subarray(0, at), file.subarray(at + length)]);
        else if (kind === 2) file = Buffer.concat([file.subarray(0, at), file.subarray(0, length), file.subarray(at)]);
        else if (kind === 3) file.fill(below(256), at, at + below(100));
        else file.writeUInt32LE(5280, Math.max(0, Math.min(at, file.length - 4)));
        if (file.length < 4) file = Buffer.alloc(100);
      }
      const place = fileWith(file);
      const summary = await takeIn(place, { emergency: true });
      const right = summary.events === 0 ? 0 : (await giveOut(place)).length;
      expect(summary.skipped.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(summary.skippedBytes);
      expect(summary.imported + summary.duplicates).toBe(summary.events);
      if (summary.duplicates === 0 && summary.events > 0) {
        const header = summary.header === undefined ? 0 : 52;
        expect(right - 52 + summary.skippedBytes + header).toBe(file.length);
      }
      await takeIn(place).catch((error) =>
        expect(error).toMatchObject({ code: expect.stringMatching(/^(SEMJ|IMPORT)_/) }),
      );
    }
  });

  it('gives up on a file that is made of plausible headers, in bounded time', async () => {
    const header = Buffer.alloc(132 + 16);
    for (const [offset, value] of [
      [64, 5412 + 65536],
      [68, 5280],
      [72, 65536],
    ] as const)
      header.writeUInt32LE(value, offset);
    const file = Buffer.concat(Array.from({ length: 20_000 }, () => header));
    const before = performance.now();
    expect(await takeIn(fileWith(file), { emergency: true })).toMatchObject({ imported: 0, skippedBytes: file.length });
    expect(performance.now() - before).toBeLessThan(10_000);
  });
});

describe('the command line', () => {
  it('imports and exports, with a summary', async () => {
    const place = fileWith(vectors);
    const taken = await run(['import', VECTORS, '--journal', place.directory, '--json']);
    expect(taken).toMatchObject({ exitCode: 0, stderr: '' });
    expect(jsonLines(taken.stdout)).toMatchObject([
      { type: 'summary', data: { imported: 16, skippedEvents: 0, header: { totalEvents: 16 } } },
    ]);
    const given = await run(['export', place.directory, '--format', 'semj', '-o', place.out]);
    expect(given).toMatchObject({ exitCode: 0, stdout: '' });
    expect(given.stderr).toContain('16 events · 90.5 kB · semj');
    expect(fs.readFileSync(place.out).equals(vectors)).toBe(true);
    expect(await run(['export', place.directory, '--format', 'semj'])).toMatchObject({ exitCode: 3, stdout: '' });
  });

  it('ends with 5 when a file is damaged, with --emergency too, and lists what is left out', async () => {
    const file = Buffer.from(vectors);
    file.fill(0x55, 6000, 6100);
    const place = fileWith(file);
    const refused = await run(['import', place.file, '-j', place.directory]);
    expect(refused).toMatchObject({ exitCode: 5 });
    expect(refused.stderr).toContain('offset=5477: checksum=');
    const rescued = await run(['import', place.file, '-j', place.directory, '--emergency']);
    expect(rescued).toMatchObject({ exitCode: 5 });
    expect(rescued.stderr).toContain('15 events imported');
    expect(rescued.stderr).toMatch(/offset 5,477: 5,897 bytes, 1 event left out: checksum=/);
  });
});
