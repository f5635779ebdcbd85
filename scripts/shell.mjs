// What the scripts share. They run on a fresh clone: no dependencies, no TypeScript. Progress goes to stderr, so that a result on stdout stays whole.

import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** @param {string} text */
export function say(text) {
  process.stderr.write(`causeway: ${text}\n`);
}

/** @param {string} name */
export function onPath(name) {
  // /usr/sbin is not in every PATH, and bpftool lives there.
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => folder !== '' && fs.existsSync(path.join(folder, name)));
}

/** @param {string} name A command of node_modules, by its file: works without npx, and without bin links. */
export function moduleFile(name) {
  return path.join(ROOT, 'node_modules', name);
}

/**
 * Runs a command whose output matters only if it fails: then it is printed. Answers whether it worked.
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env] Added to the environment.
 */
export function runQuietly(command, args, env = {}) {
  const result = spawnSync(command, args, {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.status === 0) return true;
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
  say(
    `failed: ${[command, ...args].join(' ')}: ${result.error?.message ?? result.signal ?? `exit code ${result.status}`}`,
  );
  return false;
}

/**
 * Hands the terminal to a command until it ends, and ends as it did.
 * @param {string} command
 * @param {string[]} args
 */
export function become(command, args) {
  const child = spawn(command, args, { stdio: 'inherit' });
  // Ctrl-C reaches the whole process group by itself; what is sent to us alone is passed on. We stay until the child has ended.
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'])) {
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    say(`cannot run ${command}: ${error.message}`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (SIGNAL_NUMBERS[signal ?? ''] ?? 0);
  });
}

/** @type {Record<string, number>} */
const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 };
