// Take events from a producer of your own, in any language: here producer.c, beside this file.
//
//   node listen.mjs /dev/shm/my-events         then, in another shell: ./producer /dev/shm/my-events .
//
// Ends with Ctrl-C.

import { Engine } from '@causeway/engine';

const [file = '/dev/shm/causeway-peer'] = process.argv.slice(2);
const controller = new AbortController();
process.once('SIGINT', () => controller.abort());
process.once('SIGTERM', () => controller.abort());

const engine = await Engine.open({ source: { peer: file } });
console.error(engine.description);
try {
  for await (const item of engine.events({ signal: controller.signal })) {
    if (item.type === 'caughtUp') continue;
    // What a producer gave up because its ring was full, or could not publish before it died, is told as well.
    if (item.type === 'gap') console.log(`lost ${item.count ?? 'an unknown number of'} records: ${item.cause}`);
    else console.log(`${item.type} ${item.path} by ${item.comm} (${item.pid})`);
  }
} finally {
  await engine.close();
}
