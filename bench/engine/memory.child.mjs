// The measured process of engine.memory: replays the trace given, reads every event as a user does, prints its own memory.

import fs from 'node:fs';
import { load } from '../harness/engine.mjs';

const [trace] = process.argv.slice(2);
const { Engine } = await load('src/index.js');
const engine = await Engine.open({ source: { trace, speed: 'maximum' } });
const reading = read();
await engine.finished();
const memory = readMemory();
await engine.close();
process.stdout.write(JSON.stringify({ ...memory, ...(await reading) }));

async function read() {
  let seen = 0;
  let sum = 0;
  for await (const batch of engine.batches({ since: 'start' })) {
    for (const item of batch) {
      if (item.type === 'caughtUp' || item.type === 'gap') continue;
      seen += 1;
      sum = (sum + (item.pid ?? 0) + (item.path?.length ?? 0)) >>> 0;
    }
  }
  return { seen, sum };
}

/** /proc/self/status counts in kB. */
function readMemory() {
  const status = fs.readFileSync('/proc/self/status', 'utf8');
  const bytes = (/** @type {string} */ name) =>
    Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(status)?.[1]) * 1024;
  return { rss: bytes('VmRSS'), anonymous: bytes('RssAnon'), peak: bytes('VmHWM') };
}
