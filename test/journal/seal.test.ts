import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import * as S from '../../layout/seal.ts';
import { crc32c } from '../../src/base/crc32c.ts';
import { CausewayError } from '../../src/base/errors.ts';
import { NodeFileLayer } from '../../src/journal/file-layer.ts';
import { readIdentity } from '../../src/journal/identity.ts';
import { generateKey, readPublicKey, weaknessOf } from '../../src/journal/signing.ts';
import type { VerifyReport } from '../../src/journal/verify/report.ts';
import { verifyJournal } from '../../src/journal/verify/verify.ts';
import { seededRandom } from '../support/seed.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { type Bench, openBench } from './support.ts';

const HEADER = 4096;
const SEGMENT = '000000000000.segment';
const SEALS = '000000000000.seals';

function append(bench: Bench, count: number, size = 10): void {
  for (let n = 0; n < count; n++) bench.appender.append({ type: 'fs.write', path: `/${'x'.repeat(size)}`, pid: n + 1 });
}

interface Made {
  count: number;
  directory?: string;
  size?: number;
  mapped?: boolean;
  signingKey?: string;
}

/** A closed, sealed journal. */
function sealed({ count, directory = temporaryDirectory(), size = 10, mapped, signingKey }: Made): string {
  const bench = openBench(directory, { seal: { signingKey }, ...(mapped === undefined ? {} : { mapped }) });
  append(bench, count, size);
  bench.close();
  expect(bench.journal.sealError).toBeUndefined();
  return directory;
}

function copyOf(directory: string): string {
  const copy = temporaryDirectory();
  fs.cpSync(directory, copy, { recursive: true });
  return copy;
}

function offsetsOf(segment: Buffer): number[] {
  const offsets: number[] = [];
  for (let at = HEADER; at + 144 <= segment.length && segment.readInt32LE(at) > 0; ) {
    offsets.push(at);
    at += (segment.readInt32LE(at) + 7) & ~7;
  }
  return offsets;
}

function change(directory: string, name: string, make: (bytes: Buffer) => void): void {
  const file = path.join(directory, name);
  const bytes = fs.readFileSync(file);
  make(bytes);
  fs.writeFileSync(file, bytes);
}

/** Makes an altered seal look right to its own checksum. */
function rehash(record: Buffer): void {
  const length = record.readUInt32LE(S.SEAL_LENGTH_OFFSET);
  record.writeUInt32LE(crc32c(record, S.SEAL_FLAGS_OFFSET, length), S.SEAL_CRC32C_OFFSET);
}

const kinds = (report: VerifyReport): string[] => report.damage.map((damage) => damage.kind);
const segmentFile = (index: number): string => `${String(index).padStart(12, '0')}.segment`;

describe('sealing', () => {
  it.each([true, false])('covers every entry when the journal is closed (mapped: %s)', async (mapped) => {
    const directory = sealed({ count: 2000, mapped });
    const report = await verifyJournal(directory);
    expect(report).toMatchObject({ isIntact: true, entries: 2000n, unsealed: 0n, tornBytes: 0, damage: [] });
    expect(report.intact).toEqual([{ first: 1n, last: 2000n }]);
    expect(report.segments).toBeGreaterThan(3);
    expect(report.head).toBe(Buffer.from(readIdentity(directory)?.sealed?.head ?? []).toString('hex'));
  });

  it('goes on in the same chain when the journal is opened again, also over epochs that were not sealed', async () => {
    const directory = sealed({ count: 50 });
    const head = (await verifyJournal(directory)).head as string;
    const unsealed = openBench(directory);
    append(unsealed, 30);
    unsealed.close();
    expect(await verifyJournal(directory)).toMatchObject({ isIntact: true, entries: 50n, unsealed: 30n });
    sealed({ count: 20, directory });
    expect(await verifyJournal(directory, { head })).toMatchObject({
      isIntact: true,
      entries: 100n,
      unsealed: 0n,
      blocks: 3n,
    });
  });

  it('closes a block when its oldest entry has waited', async () => {
    const directory = temporaryDirectory();
    const bench = openBench(directory, { seal: {} });
    append(bench, 3);
    while (bench.sync.doWork() > 0);
    expect(fs.existsSync(path.join(directory, SEALS))).toBe(false);
    expect(await verifyJournal(directory)).toMatchObject({ isIntact: true, entries: 0n, unsealed: 3n });
    await new Promise((resolve) => setTimeout(resolve, 1050));
    while (bench.sync.doWork() > 0);
    expect(await verifyJournal(directory)).toMatchObject({ isIntact: true, entries: 3n, unsealed: 0n });
    bench.close();
  });

  it('seals entries of every length, and blocks of as many as there may be', async () => {
    const directory = temporaryDirectory();
    const bench = openBench(directory, { seal: {}, segmentLength: 1 << 20 });
    const random = seededRandom(11);
    for (let n = 0; n < 3000; n++) append(bench, 1, Math.floor(random() ** 6 * 4000));
    bench.close();
    expect(await verifyJournal(directory)).toMatchObject({ isIntact: true, entries: 3000n, unsealed: 0n });
  });

  it('is what the format says: the head by hand', async () => {
    const directory = sealed({ count: 3 });
    const segment = fs.readFileSync(path.join(directory, SEGMENT));
    const record = fs.readFileSync(path.join(directory, SEALS));
    const sha = (bytes: Uint8Array): Buffer => crypto.createHash('sha256').update(bytes).digest();
    const offsets = [...offsetsOf(segment), segment.length];
    const leaves = [0, 1, 2].map((n) => sha(segment.subarray(offsets[n], offsets[n + 1])));
    const head = sha(
      Buffer.concat([
        Buffer.from('causeway/seal/v1'),
        record.subarray(12, 128),
        sha(segment.subarray(0, HEADER)),
        ...leaves,
      ]),
    );
    expect(record.subarray(128, 160)).toEqual(head);
    expect(record.subarray(224)).toEqual(Buffer.concat(leaves.map((leaf) => leaf.subarray(0, 8))));
  });

  it('writes the head where it is wanted, and with it a journal that was cut at a seal is told', async () => {
    const directory = temporaryDirectory();
    const headFile = path.join(temporaryDirectory(), 'head.json');
    const bench = openBench(directory, { seal: { headFile } });
    append(bench, 400);
    bench.close();
    const { head } = JSON.parse(fs.readFileSync(headFile, 'utf8')) as { head: string };
    expect(await verifyJournal(directory, { head })).toMatchObject({ isIntact: true });
    // Cut at a seal, with journal.json made to fit.
    const last = segmentFile(fs.readdirSync(directory).filter((name) => name.endsWith('.segment')).length - 1);
    fs.rmSync(path.join(directory, last));
    fs.rmSync(path.join(directory, last.replace('.segment', '.seals')));
    const identity = JSON.parse(fs.readFileSync(path.join(directory, 'journal.json'), 'utf8'));
    expect(kinds(await verifyJournal(directory))).toEqual(['head']);
    delete identity.sealed;
    fs.writeFileSync(path.join(directory, 'journal.json'), JSON.stringify(identity));
    expect(kinds(await verifyJournal(directory))).toEqual([]);
    expect(kinds(await verifyJournal(directory, { head }))).toEqual(['head']);
  });
});

describe('verify', () => {
  const COUNT = 6;
  let whole: string;
  let segment: Buffer;
  let offsets: number[];
  beforeAll(() => {
    whole = sealed({ count: COUNT });
    segment = fs.readFileSync(path.join(whole, SEGMENT));
    offsets = offsetsOf(segment);
  });

  it('names the record whichever byte of the segment is flipped', async () => {
    const directory = copyOf(whole);
    const random = seededRandom(5);
    for (let at = 0; at < segment.length; at++) {
      if (at >= 200 && at < HEADER - 8) continue;
      const flipped = Buffer.from(segment);
      flipped[at] = (flipped[at] as number) ^ (1 << Math.floor(random() * 8));
      fs.writeFileSync(path.join(directory, SEGMENT), flipped);
      const report = await verifyJournal(directory);
      expect(report.isIntact, `byte ${at}`).toBe(false);
      if (at < HEADER) {
        expect(['header', 'foreign', 'moved'], `byte ${at}`).toContain(report.damage[0]?.kind);
        continue;
      }
      const which = offsets.findLastIndex((offset) => offset <= at);
      expect(report.damage[0], `byte ${at}`).toMatchObject({
        kind: 'entry',
        file: SEGMENT,
        offset: offsets[which],
        sequence: BigInt(which + 1),
      });
      const before = which === 0 ? [] : [{ first: 1n, last: BigInt(which) }];
      expect(report.intact.slice(0, before.length), `byte ${at}`).toEqual(before);
      // Unless the length was hit, what is behind is known too.
      if (at - (offsets[which] as number) < 4 || which === COUNT - 1) continue;
      expect(report.intact.at(-1), `byte ${at}`).toEqual({ first: BigInt(which + 2), last: BigInt(COUNT) });
    }
  });

  it('sees an entry that was altered together with its checksum', async () => {
    for (const [which, offset] of offsets.entries()) {
      const directory = copyOf(whole);
      change(directory, SEGMENT, (bytes) => {
        bytes.writeUInt32LE(4711, offset + 84);
        bytes.writeUInt32LE(crc32c(bytes, offset + 8, offset + bytes.readInt32LE(offset)), offset + 4);
      });
      const report = await verifyJournal(directory);
      expect(report.damage).toMatchObject([{ kind: 'entry', sequence: BigInt(which + 1), offset }]);
      expect(report.entries).toBe(BigInt(COUNT - 1));
    }
  });

  it('sees whichever byte of the seals is flipped', async () => {
    const directory = copyOf(whole);
    const seals = fs.readFileSync(path.join(whole, SEALS));
    for (let at = 0; at < seals.length; at++) {
      const flipped = Buffer.from(seals);
      flipped[at] = (flipped[at] as number) ^ 4;
      fs.writeFileSync(path.join(directory, SEALS), flipped);
      expect((await verifyJournal(directory)).isIntact, `byte ${at}`).toBe(false);
      // Also when its checksum is made to fit; of a signature that is not there nobody asks.
      if (at < 12 || (at >= 160 && at < 224)) continue;
      rehash(flipped);
      fs.writeFileSync(path.join(directory, SEALS), flipped);
      expect((await verifyJournal(directory)).isIntact, `byte ${at}, crc32c made anew`).toBe(false);
    }
  });

  it('sees entries that were swapped, repeated or removed', async () => {
    const part = (n: number): Buffer => segment.subarray(offsets[n], offsets[n + 1]);
    const rebuilt = (order: number[]): Buffer => Buffer.concat([segment.subarray(0, HEADER), ...order.map(part)]);
    for (const [order, first] of [
      [[0, 2, 1, 3, 4, 5], 2n],
      [[0, 1, 1, 3, 4, 5], 3n],
      [[0, 1, 3, 4, 5], 3n],
      [[0, 1, 2, 3, 4], 6n],
    ] as [number[], bigint][]) {
      const directory = copyOf(whole);
      fs.writeFileSync(path.join(directory, SEGMENT), rebuilt(order));
      const [damage] = (await verifyJournal(directory)).damage;
      expect(damage, String(order)).toMatchObject({ kind: 'entry', sequence: first });
    }
  });

  it('sees a block that was altered together with its seal, by the seal that follows', async () => {
    const directory = sealed({ count: COUNT });
    sealed({ count: 4, directory });
    const forged = copyOf(directory);
    // The forger makes the first block anew, as the engine would.
    const other = temporaryDirectory();
    fs.cpSync(whole, other, { recursive: true });
    const uuid = readIdentity(directory)?.uuid as Uint8Array;
    change(other, SEGMENT, (bytes) => {
      bytes.set(uuid, 8);
      bytes.writeUInt32LE(crc32c(bytes, 0, 100), 100);
    });
    fs.rmSync(path.join(other, SEALS));
    fs.writeFileSync(
      path.join(other, 'journal.json'),
      fs.readFileSync(path.join(directory, 'journal.json'), 'utf8').replace(/,"sealed":\{[^}]*\}/, ''),
    );
    sealed({ count: 1, directory: other });
    fs.copyFileSync(path.join(other, SEGMENT), path.join(forged, SEGMENT));
    fs.copyFileSync(path.join(other, SEALS), path.join(forged, SEALS));
    const report = await verifyJournal(forged);
    expect(report.damage).toMatchObject([{ kind: 'seal', block: 0n, sequence: 1n }]);
    expect(report.intact).toEqual([{ first: BigInt(COUNT + 1), last: BigInt(COUNT + 4) }]);
  });
});

describe('verify, of segments', () => {
  let whole: string;
  beforeAll(() => {
    whole = sealed({ count: 1200 });
  });

  it.each<[string, string[], (directory: string, others: string) => void]>([
    ['removed', ['missing'], (directory) => fs.rmSync(path.join(directory, segmentFile(1)))],
    [
      'removed with its seals',
      ['missing'],
      (directory) => {
        fs.rmSync(path.join(directory, segmentFile(1)));
        fs.rmSync(path.join(directory, segmentFile(1).replace('.segment', '.seals')));
      },
    ],
    [
      'whose seals were removed',
      ['missing'],
      (directory) => fs.rmSync(path.join(directory, segmentFile(1).replace('.segment', '.seals'))),
    ],
    [
      'swapped',
      ['moved', 'moved'],
      (directory) => {
        fs.renameSync(path.join(directory, segmentFile(1)), path.join(directory, 'x'));
        fs.renameSync(path.join(directory, segmentFile(2)), path.join(directory, segmentFile(1)));
        fs.renameSync(path.join(directory, 'x'), path.join(directory, segmentFile(2)));
      },
    ],
    [
      'doubled',
      ['moved'],
      (directory) => fs.copyFileSync(path.join(directory, segmentFile(0)), path.join(directory, segmentFile(1))),
    ],
    [
      'of another journal',
      ['foreign'],
      (directory, others) => fs.copyFileSync(path.join(others, segmentFile(1)), path.join(directory, segmentFile(1))),
    ],
    ['cut short', ['entry'], (directory) => fs.truncateSync(path.join(directory, segmentFile(1)), 30_000)],
  ])('%s', async (_name, expected, spoil) => {
    const directory = copyOf(whole);
    spoil(directory, sealed({ count: 1200 }));
    const report = await verifyJournal(directory);
    expect(kinds(report)).toEqual(expected);
    expect(report.damage[0]?.segment).toBe(1);
    expect(report.intact[0]?.first).toBe(1n);
    expect(report.intact.at(-1)?.last).toBe(1200n);
  });

  it('whose end was cut, at any place: by the head in journal.json', async () => {
    const names = fs.readdirSync(whole).filter((name) => name.endsWith('.segment'));
    const last = names.sort().at(-1) as string;
    const { size } = fs.statSync(path.join(whole, last));
    for (let at = 0; at < size; at = at < HEADER ? HEADER : at + 104) {
      const directory = copyOf(whole);
      fs.truncateSync(path.join(directory, last), at);
      const report = await verifyJournal(directory);
      expect(report.isIntact, `cut at ${at}`).toBe(false);
    }
    const directory = copyOf(whole);
    fs.rmSync(path.join(directory, last));
    fs.rmSync(path.join(directory, last.replace('.segment', '.seals')));
    expect(kinds(await verifyJournal(directory))).toEqual(['head']);
  });
});

describe('signatures', () => {
  it('are right, missing, foreign or wrong', async () => {
    const keys = temporaryDirectory();
    const [mine, other] = [path.join(keys, 'mine'), path.join(keys, 'other')];
    generateKey(mine);
    generateKey(other);
    expect(fs.statSync(mine).mode & 0o777).toBe(0o600);
    const directory = sealed({ count: 5, signingKey: mine });
    expect(await verifyJournal(directory)).toMatchObject({
      isIntact: true,
      signedBlocks: 1n,
      isSignatureChecked: false,
    });
    const checked = await verifyJournal(directory, { key: `${mine}.pub` });
    expect(checked).toMatchObject({ isIntact: true, isSignatureChecked: true });
    const foreign = await verifyJournal(directory, { key: `${other}.pub` });
    expect(foreign.damage).toMatchObject([{ kind: 'signature', sequence: 1n }]);
    expect(foreign.intact).toEqual([]);
    const unsigned = await verifyJournal(sealed({ count: 5 }), { key: `${mine}.pub` });
    expect(unsigned.damage).toMatchObject([{ kind: 'signature', message: 'not signed' }]);
    change(directory, SEALS, (bytes) => {
      bytes[S.SEAL_SIGNATURE_OFFSET] = (bytes[S.SEAL_SIGNATURE_OFFSET] as number) ^ 1;
      rehash(bytes);
    });
    const wrong = await verifyJournal(directory, { key: `${mine}.pub` });
    expect(wrong.damage).toMatchObject([{ kind: 'signature', message: 'the signature is wrong' }]);
  });

  it('refuses keys that everybody can sign for', () => {
    const small = [
      '0100000000000000000000000000000000000000000000000000000000000000',
      '0000000000000000000000000000000000000000000000000000000000000000',
      '0000000000000000000000000000000000000000000000000000000000000080',
      'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
      '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
      'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    ].map((hex) => Buffer.from(hex, 'hex'));
    expect(small.map(weaknessOf).filter((why) => why === undefined)).toEqual([]);
    const file = path.join(temporaryDirectory(), 'small.pub');
    const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), small[0] as Buffer]);
    fs.writeFileSync(file, `-----BEGIN PUBLIC KEY-----\n${spki.toString('base64')}\n-----END PUBLIC KEY-----\n`);
    expect(() => readPublicKey(file)).toThrow(/small order/);
  });

  it('never replaces a key', () => {
    const file = path.join(temporaryDirectory(), 'key');
    const id = generateKey(file);
    expect(id).toMatch(/^[0-9a-f]{16}$/);
    const before = fs.readFileSync(file);
    expect(() => generateKey(file)).toThrow(CausewayError);
    expect(fs.readFileSync(file)).toEqual(before);
  });
});

describe('a writer that was killed', () => {
  it('leaves a torn seal at whatever byte: it is cut, and made again', async () => {
    const live = temporaryDirectory();
    const bench = openBench(live, { seal: {} });
    append(bench, 1500);
    while (bench.sync.doWork() > 0);
    const image = copyOf(live);
    bench.close();
    fs.rmSync(path.join(image, 'lock'), { force: true });
    const last = fs
      .readdirSync(image)
      .filter((name) => name.endsWith('.seals'))
      .sort()
      .at(-1) as string;
    const { size } = fs.statSync(path.join(image, last));
    for (let at = size; at > 0; at -= at > size - 40 ? 1 : 61) {
      const directory = copyOf(image);
      fs.truncateSync(path.join(directory, last), at);
      expect((await verifyJournal(directory)).isIntact, `torn at ${at}`).toBe(true);
      sealed({ count: 10, directory });
      const report = await verifyJournal(directory);
      expect(report, `torn at ${at}`).toMatchObject({ isIntact: true, entries: 1510n, unsealed: 0n, tornBytes: 0 });
    }
  });

  it('of which a power failure took sealed entries is opened again, and that is told', () => {
    const live = temporaryDirectory();
    const bench = openBench(live, { seal: {} });
    append(bench, 10);
    bench.sync.finishSeals();
    while (bench.sync.doWork() > 0);
    bench.sync.finishSeals();
    const directory = copyOf(live);
    bench.close();
    fs.rmSync(path.join(directory, 'lock'), { force: true });
    const file = path.join(directory, SEGMENT);
    const bytes = fs.readFileSync(file);
    bytes.fill(0, offsetsOf(bytes)[7]);
    fs.writeFileSync(file, bytes);
    const again = openBench(directory, { seal: {} });
    expect(again.journal.recovery.sealBytesCut).toBeGreaterThan(0);
    again.close();
  });

  it('by SIGKILL, again and again, has one chain', { timeout: 60_000 }, async () => {
    const directory = temporaryDirectory();
    const child = fileURLToPath(new URL('append-child.mjs', import.meta.url));
    let entries = 0n;
    for (let round = 0; round < 6; round++) {
      const writer = spawn(process.execPath, [child, directory, 'process', '262144', 'seal'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let acknowledged = 0n;
      writer.stdout.setEncoding('utf8').on('data', (text: string) => {
        const found = text.match(/^\d+$/gm)?.at(-1);
        if (found !== undefined) acknowledged = BigInt(found);
      });
      await once(writer.stdout, 'data');
      await new Promise((resolve) => setTimeout(resolve, 20 + 90 * round));
      writer.kill('SIGKILL');
      await once(writer, 'close');
      const report = await verifyJournal(directory);
      expect(report.damage).toEqual([]);
      expect(report.entries).toBeGreaterThanOrEqual(entries);
      expect(report.entries + report.unsealed).toBeGreaterThanOrEqual(acknowledged);
      entries = report.entries;
    }
    expect(entries).toBeGreaterThan(0n);
    sealed({ count: 1, directory });
    expect(await verifyJournal(directory)).toMatchObject({ isIntact: true, unsealed: 0n, tornBytes: 0 });
  });
});

describe('a disk without room', () => {
  it('delays seals, and nothing else', async () => {
    const directory = temporaryDirectory();
    const real = new NodeFileLayer(undefined);
    let isFull = true;
    const files = new Proxy(real, {
      get: (target, name) => {
        if (name === 'open') {
          return (file: string, flags: string | number, mode?: number) => {
            if (isFull && file.endsWith('.seals'))
              throw Object.assign(new Error('ENOSPC'), { errno: -28, code: 'ENOSPC' });
            return target.open(file, flags, mode);
          };
        }
        const value = Reflect.get(target, name) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const bench = openBench(directory, { seal: {}, files, mapped: false });
    append(bench, 1500);
    while (bench.sync.doWork() > 0);
    expect(bench.journal.stats().state).toBe('open');
    isFull = false;
    bench.close();
    expect(bench.journal.sealError).toBeUndefined();
    expect(await verifyJournal(directory)).toMatchObject({ isIntact: true, entries: 1500n, unsealed: 0n });
  });
});
