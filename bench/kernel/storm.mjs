// The load of the kernel benches: bench/native/storm.cc in a directory of its own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { text } from 'node:stream/consumers';
import { buildNative } from '../harness/build.mjs';
import { CannotRun } from '../harness/measure.mjs';

/** Storm on one core, whoever watches it on the other. */
export const STORM_CPU = 0;
export const WATCHER_CPU = 1;

/** Where eBPF does not load, the kernel benches say so and do not run. */
export function requireRoot() {
  if (process.getuid?.() !== 0) throw new CannotRun('needs root (eBPF)');
  if (!fs.existsSync('/sys/kernel/btf/vmlinux')) throw new CannotRun('needs kernel BTF (/sys/kernel/btf/vmlinux)');
}

/** @typedef {{ operations: number, changes: number, cycles: number, ns: number, pid: number }} StormCounts */

/**
 * @param {string} directory
 * @param {{ cycles?: number, seconds?: number, pauseNs?: number, changeEvery?: number }} options
 * @returns {Promise<StormCounts>} once it is over
 */
export async function runStorm(directory, { cycles = 0, seconds = 60, pauseNs = 0, changeEvery = 0 }) {
  const program = await buildNative('storm');
  const child = spawn(program, [directory, STORM_CPU, cycles, seconds, pauseNs, changeEvery].map(String), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  if (code !== 0) throw new Error(`storm: exit code ${code}`);
  return JSON.parse(output);
}
