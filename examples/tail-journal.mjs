// Read a journal that another process is writing, and follow it.
//
//   causeway watch --journal .causeway &
//   node tail-journal.mjs .causeway [first sequence]
//
// Needs no lock and takes nothing from the writer. Ends with Ctrl-C.

import { readJournal } from '@causeway/engine';

const [directory = '.causeway', first = '1'] = process.argv.slice(2);
const controller = new AbortController();
process.once('SIGINT', () => controller.abort());
process.once('SIGTERM', () => controller.abort());

for await (const items of readJournal(directory, { since: BigInt(first), follow: true, signal: controller.signal })) {
  for (const item of items) {
    if (item.type === 'gap') console.log(`lost ${item.count ?? 'an unknown number of'} events: ${item.cause}`);
    else if (item.type === 'caughtUp') console.error(`caught up at ${item.sequence}, following`);
    else console.log(`${item.sequence} ${item.type} ${item.path ?? ''} ${item.comm ?? ''}`.trimEnd());
  }
}
