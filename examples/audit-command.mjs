// What does a command do to my files? Runs it, and prints what it and its children wrote, renamed and deleted. Needs root (eBPF) to know who did what.
//
//   sudo node audit-command.mjs 'npm ci' [directory]

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Engine } from '@causeway/engine';

const [command = 'true', directory = '.'] = process.argv.slice(2);
// The shell waits for a line on its input: its pid is known before it has done anything.
const child = spawn('sh', ['-c', 'read go; exec sh -c "$1"', 'sh', command], { stdio: ['pipe', 'inherit', 'inherit'] });
const engine = await Engine.open({
  paths: [directory],
  filter: { types: ['fs.*'], pids: [child.pid], followFork: true },
});
child.stdin.end('go\n');
const [exitCode] = await once(child, 'exit');

// A barrier: everything that happened before this call is in the journal.
await engine.sync();
const last = engine.position;
const changed = new Map();
const controller = new AbortController();
for await (const item of engine.events({ since: 'start', signal: controller.signal })) {
  if (item.type !== 'caughtUp' && item.type !== 'gap' && item.type !== 'fs.read' && item.error === undefined) {
    changed.set(item.path2 ?? item.path, item);
  }
  if (item.sequence >= last) controller.abort();
}
await engine.close();

for (const [path, { type, comm, pid }] of changed)
  console.log(`${type.padEnd(12)} ${path}   ${comm ?? '?'} ${pid ?? ''}`);
console.error(`exit code ${exitCode}, ${changed.size} paths changed`);
