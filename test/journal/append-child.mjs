// A process that appends until it is killed, and says of each event on stdout once it is acknowledged: "<sequence>\n". Runs from dist/.
import fs from 'node:fs';

const [directory, durability, segmentLength, seal] = process.argv.slice(2);
const root = new URL('../../dist/', import.meta.url);
const { Arena } = await import(new URL('src/arena/arena.js', root));
const { instantiate } = await import(new URL('src/arena/wasm.js', root));
const { Appender } = await import(new URL('src/journal/appender.js', root));
const { Journal } = await import(new URL('src/journal/journal.js', root));

const length = Number(segmentLength);
const arena = Arena.create({ regions: [0, 1, 2].map((number) => ({ kind: 4, number, length })) });
const wasm = instantiate(arena);
wasm.crc32cInit();
const journal = Journal.open({
  arena,
  wasm,
  directory,
  segmentLength: length,
  ...(seal === undefined ? {} : { seal: {} }),
});
const sync = journal.sync();
const appender = new Appender({ arena, wasm, plan: journal.plan, help: () => sync.doWork() });
fs.writeSync(1, `open ${journal.claimedSequence}\n`);
for (let n = 0; ; n++) {
  const path = `/child/${process.pid}/${n}/${'x'.repeat(n % 500)}`;
  const sequence = appender.append(
    { type: 'fs.write', path, pid: process.pid },
    durability === 'group' ? 'sync' : durability,
  );
  // Without mapped files the sync worker writes: that is this thread.
  if (!journal.plan.mapped || n % 64 === 0) sync.doWork();
  if (durability === 'process' && n % 16 !== 0) continue;
  fs.writeSync(1, `${sequence}\n`);
}
