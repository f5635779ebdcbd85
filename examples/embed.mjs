// Watch a directory from a program of your own.
//
//   node embed.mjs [directory]        as root also with the process that did it
//
// Ends with Ctrl-C.

import { Engine } from '@causeway/engine';

const [directory = '.'] = process.argv.slice(2);
const controller = new AbortController();
process.once('SIGINT', () => controller.abort());
process.once('SIGTERM', () => controller.abort());

const engine = await Engine.open({ paths: [directory] });
console.error(`watching ${directory}: ${engine.description}`);
try {
  for await (const item of engine.events({ types: ['fs.*'], signal: controller.signal })) {
    if (item.type === 'caughtUp') continue;
    if (item.type === 'gap') {
      // Loss is never silent: it is an item of the stream, at the place where it happened.
      console.log(`lost ${item.count ?? 'an unknown number of'} events: ${item.cause}`);
      continue;
    }
    const target = item.path2 === undefined ? item.path : `${item.path} -> ${item.path2}`;
    console.log(
      `${item.type} ${target} by ${item.comm ?? '?'} (${item.pid ?? 'pid unknown'})${item.error ? ` failed: ${item.error}` : ''}`,
    );
  }
} finally {
  await engine.close();
}
