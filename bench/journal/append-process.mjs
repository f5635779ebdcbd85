// journal.append.process: events of 200 bytes that survive kill -9 from the moment that their append returns: written to the mapped segment, one commit and one
// publication each. Rival: one write(2) an event in C++; with .node, the engine's JavaScript appender against fs.writeSync.
//
// Goal: at least 5 times write(2), and 3 M/s. What was written is read back from the files afterwards, on all sides.
// Non-goals: power failures (journal.append.group); several appending threads.

import fs from 'node:fs';
import path from 'node:path';
import { pinThread } from '../harness/affinity.mjs';
import { buildNative, runNative } from '../harness/build.mjs';
import { withDirectory } from '../harness/directory.mjs';
import { buildAssembly, instantiateLoops, load, loadLayout } from '../harness/engine.mjs';
import { alternate, summarize } from '../harness/measure.mjs';
import { makeArena, openJournal, payloadOf, sumPayloads } from './open.mjs';

const EVENTS = 500_000;
const EVENTS_NODE = 150_000;
const CHUNK = 1024;
const NATIVE = 'write(2) per event (C++)';
const NODE = 'fs.writeSync per event';

export const ids = ['journal.append.process', 'journal.append.process.node'];

/** @param {import('../harness/measure.mjs').Context} context */
export async function run(context) {
  const [program, loopsPath, L, place, { Appender }] = await Promise.all([
    buildNative('append-process'),
    buildAssembly('append-loop'),
    loadLayout(),
    makeArena(),
    load('src/journal/appender.js'),
  ]);
  const loops = instantiateLoops(place.arena.memory, loopsPath);
  await pinThread(0);
  return withDirectory(async (root) => {
    let turn = 0;
    /** @param {number} count @param {(plan: any) => void} append */
    const journaled = async (count, append) => {
      const directory = path.join(root, `journal-${turn++}`);
      const journal = await openJournal(place, directory);
      const begin = process.hrtime.bigint();
      append(journal.plan);
      const ns = Number(process.hrtime.bigint() - begin);
      await journal.close();
      const kept = sumPayloads(directory, L);
      if (kept.count !== count) throw new Error(`appended=${count}, kept=${kept.count}`);
      fs.rmSync(directory, { recursive: true });
      return { figures: { '': (count / ns) * 1e9 }, checksum: kept.checksum };
    };

    const count = Math.max(20_000, Math.round(EVENTS * context.scale));
    const inWasm = await alternate(context, {
      subject: () => journaled(count, () => appendInWasm(loops, count)),
      rivals: {
        [NATIVE]: async () => {
          const { ns, checksum } = await runNative(program, [path.join(root, 'written'), count]);
          return { figures: { '': (count / ns) * 1e9 }, checksum };
        },
      },
    });
    const countNode = Math.max(10_000, Math.round(EVENTS_NODE * context.scale));
    const payloads = Array.from({ length: countNode }, (_, number) => payloadOf(number));
    const inNode = await alternate(context, {
      subject: () =>
        journaled(countNode, (plan) => {
          const appender = new Appender({ arena: place.arena, wasm: place.wasm, plan });
          for (const payload of payloads) appender.append({ type: 'fs.write', payload }, 'process');
        }),
      rivals: {
        [NODE]: async () => writeFromNode(path.join(root, 'written'), payloads, Number(L.ENTRY_HEADER_LENGTH)),
      },
    });
    const shared = /** @type {const} */ ({ unit: 'events/s', better: 'higher' });
    return [
      summarize({
        id: 'journal.append.process',
        ...shared,
        subject: inWasm.subject,
        rival: NATIVE,
        rivalSamples: inWasm.rivals[NATIVE] ?? [],
      }),
      summarize({
        id: 'journal.append.process.node',
        ...shared,
        subject: inNode.subject,
        rival: NODE,
        rivalSamples: inNode.rivals[NODE] ?? [],
      }),
    ];
  });
}

/**
 * @param {any} loops
 * @param {number} count
 */
function appendInWasm(loops, count) {
  const timeNs = BigInt(Date.now()) * 1_000_000n;
  for (let done = 0; done < count; ) {
    const appended = loops.appendChunk(BigInt(done), Math.min(CHUNK, count - done), timeNs);
    // Below zero: the next segment is being prepared, which counts.
    if (appended > 0) done += appended;
  }
}

/**
 * @param {string} file
 * @param {readonly Uint8Array[]} payloads
 * @param {number} headerLength
 */
function writeFromNode(file, payloads, headerLength) {
  const fd = fs.openSync(file, 'w+', 0o600);
  const event = Buffer.alloc(headerLength + 56);
  const begin = process.hrtime.bigint();
  for (const payload of payloads) {
    event.set(payload, headerLength);
    fs.writeSync(fd, event);
  }
  const ns = Number(process.hrtime.bigint() - begin);
  const written = fs.readFileSync(file);
  fs.closeSync(fd);
  fs.rmSync(file);
  let sum = 0;
  for (let at = 0; at < written.length; at += event.length) {
    for (let word = at + headerLength; word < at + event.length; word += 8)
      sum = (sum + written.readUInt32LE(word)) >>> 0;
  }
  return { figures: { '': (payloads.length / ns) * 1e9 }, checksum: sum.toString(16).padStart(8, '0') };
}
