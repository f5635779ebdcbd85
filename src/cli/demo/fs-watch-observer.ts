// Node's own fs.watch, in a process of its own, doing what its users do: on each event look whether the name is there, and keep a list.
// `node fs-watch-observer.js <directory>`: prints "ready"; when its input ends, waits for silence and prints {"events":n,"missing":n,"stale":n,"error":null}.

import { lstatSync, readdirSync, watch } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const SILENCE_MS = 400;
const SILENCE_WAIT_MAX_MS = 6000;

async function main([root = '.']: readonly string[]): Promise<void> {
  const known = new Set(walk(root));
  let events = 0;
  let lastEventMs = performance.now();
  let failure: string | null = null;
  // The recursive watch of some Node.js versions throws from its own callbacks when a directory goes away under it.
  process.on('uncaughtException', (error) => {
    failure ??= error.message;
  });
  const watcher = watch(root, { recursive: true }, (_event, name) => {
    events++;
    lastEventMs = performance.now();
    if (name === null) return;
    const target = path.join(root, name);
    if (isThere(target)) known.add(target);
    else known.delete(target);
  });
  watcher.on('error', (error) => {
    failure ??= error.message;
  });
  process.stdout.write('ready\n');
  await new Promise((resolve) => process.stdin.once('end', resolve).resume());
  const deadline = performance.now() + SILENCE_WAIT_MAX_MS;
  while (performance.now() - lastEventMs < SILENCE_MS && performance.now() < deadline) await sleep(50);
  const real = new Set(walk(root));
  const missing = [...real].filter((name) => !known.has(name)).length;
  const stale = [...known].filter((name) => !real.has(name)).length;
  process.stdout.write(`${JSON.stringify({ events, missing, stale, error: failure })}\n`, () => process.exit(0));
}

function isThere(target: string): boolean {
  return lstatSync(target, { throwIfNoEntry: false }) !== undefined;
}

function walk(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).map((name) => path.join(root, name));
}

await main(process.argv.slice(2));
