// Handle events in a worker of its own: the program's own thread stays free, and a handler that fails is replaced and begins with the same batch again.
//
//   node subscriber.mjs [directory] [seconds]

import { setTimeout as sleep } from 'node:timers/promises';
import { Engine } from '@causeway/engine';

const [directory = '.', seconds = '10'] = process.argv.slice(2);
const engine = await Engine.open({ paths: [directory], onNotice: (notice) => console.error(notice) });
const counts = new SharedArrayBuffer(4);
const handler = new URL('./subscriber-handler.mjs', import.meta.url);
await engine.subscribe(handler, { types: ['fs.write', 'fs.create'] }, { counts });
console.error(`counting writes in ${directory} for ${seconds} s: ${engine.description}`);
await sleep(Number(seconds) * 1000);
// Everything that happened until now is handled before this resolves.
await engine.close();
console.log(`${new Int32Array(counts)[0]} files were created or written`);
