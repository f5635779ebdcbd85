// journal.verify: events of a sealed journal, 200 bytes each, compared with their seals as `causeway verify` does, in one thread, the files in the page cache.
// .seal: the same events sealed, in the thread that does nothing else meanwhile.
//
// Goal: none yet but to know. Rival: sha256 of node:crypto over the same files in one piece each, which tells that something differs, but not what.
// Non-goals: reading from the disk; signatures.

import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { pinThread } from '../harness/affinity.mjs';
import { withDirectory } from '../harness/directory.mjs';
import { load } from '../harness/engine.mjs';
import { alternate, summarize } from '../harness/measure.mjs';
import { makeArena, payloadOf, SEGMENT_LENGTH } from './open.mjs';

const EVENTS = 1_000_000;
const PIECE_LENGTH = 1 << 20;
const WHOLE = 'node:crypto sha256 of whole files';

export const ids = ['journal.verify', 'journal.verify.seal'];

/** @param {import('../harness/measure.mjs').Context} context */
export async function run(context) {
  const [{ arena, wasm }, { Journal }, { Appender }, { verifyJournal }] = await Promise.all([
    makeArena(),
    load('src/journal/journal.js'),
    load('src/journal/appender.js'),
    load('src/journal/verify/verify.js'),
  ]);
  await pinThread(0);
  return withDirectory(async (root) => {
    const count = Math.max(5_000, Math.round(EVENTS * context.scale));
    const directory = path.join(root, 'journal');
    const options = { arena, wasm, directory, segmentLength: SEGMENT_LENGTH };
    const journal = Journal.open(options);
    const sync = journal.sync();
    const appender = new Appender({ arena, wasm, plan: journal.plan, help: () => sync.doWork() });
    for (let n = 0; n < count; n++) appender.append({ type: 'fs.write', payload: payloadOf(n) }, 'process');
    sync.close();
    journal.close();

    /** Opens the journal, which was not sealed yet, and closes it sealed. */
    const seal = () => {
      for (const name of fs.readdirSync(directory)) if (name.endsWith('.seals')) fs.rmSync(path.join(directory, name));
      const identity = path.join(directory, 'journal.json');
      const { sealed: _, ...rest } = JSON.parse(fs.readFileSync(identity, 'utf8'));
      fs.writeFileSync(identity, JSON.stringify(rest));
      const again = Journal.open({ ...options, seal: {} });
      const begin = process.hrtime.bigint();
      again.close();
      if (again.sealError !== undefined) throw again.sealError;
      return { figures: { '': (count / Number(process.hrtime.bigint() - begin)) * 1e9 }, checksum: String(count) };
    };
    const sealing = await alternate(context, { subject: async () => seal(), rivals: {} });
    const verifying = await alternate(context, {
      subject: async () => {
        const begin = process.hrtime.bigint();
        const report = await verifyJournal(directory);
        const ns = Number(process.hrtime.bigint() - begin);
        if (!report.isIntact || report.unsealed !== 0n) throw new Error(JSON.stringify(report.damage));
        return { figures: { '': (count / ns) * 1e9 }, checksum: String(report.entries) };
      },
      rivals: { [WHOLE]: async () => hashFiles(directory, count) },
    });
    const shared = /** @type {const} */ ({ unit: 'events/s', better: 'higher' });
    return [
      summarize({
        id: 'journal.verify',
        ...shared,
        subject: verifying.subject,
        rival: WHOLE,
        rivalSamples: verifying.rivals[WHOLE] ?? [],
      }),
      summarize({ id: 'journal.verify.seal', ...shared, subject: sealing.subject }),
    ];
  });
}

/**
 * @param {string} directory
 * @param {number} count
 */
function hashFiles(directory, count) {
  const begin = process.hrtime.bigint();
  const piece = Buffer.alloc(PIECE_LENGTH);
  for (const name of fs.readdirSync(directory).sort()) {
    if (!name.endsWith('.segment')) continue;
    const hash = crypto.createHash('sha256');
    const fd = fs.openSync(path.join(directory, name), 'r');
    for (let length = fs.readSync(fd, piece); length > 0; length = fs.readSync(fd, piece)) {
      hash.update(piece.subarray(0, length));
    }
    fs.closeSync(fd);
    hash.digest();
  }
  return { figures: { '': (count / Number(process.hrtime.bigint() - begin)) * 1e9 }, checksum: String(count) };
}
