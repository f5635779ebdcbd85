// Watches a directory while a script runs in it, folds the events into a tree, and compares that with a real walk. A process of its own, so that it can
// run as any user: node tree-check.mjs SOURCE DIRECTORY SCRIPT -> one line of JSON.

import { spawnSync } from 'node:child_process';
import { TreeView } from '../../../dist/src/event/tree-view.js';
import { Engine } from '../../../dist/src/index.js';

const [source, directory, script] = process.argv.slice(2);
const engine = await Engine.open({ paths: [directory], source });
const tree = new TreeView(directory).load();
let events = 0;
let gaps = 0;
let withoutPid = 0;
const stream = engine.batches();
const reading = (async () => {
  for await (const batch of stream) {
    for (const item of batch) {
      if (item.type === 'gap') gaps += 1;
      else if (item.type !== 'caughtUp') {
        events += 1;
        if (item.pid === undefined) withoutPid += 1;
        tree.apply(item);
      }
    }
  }
})();
const { status, stderr } = spawnSync('sh', ['-ec', script], { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
await engine.sync();
const { ingest } = engine.stats();
await engine.close();
await reading;
const differences = tree.compare().map(({ path, problem }) => ({ path, problem }));
const result = {
  status,
  stderr: String(stderr),
  uid: process.getuid(),
  events,
  gaps,
  withoutPid,
  lost: String(ingest.lost),
  entries: tree.size,
  differences,
};
console.log(JSON.stringify(result));
