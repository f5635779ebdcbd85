// Producers in C for the tests of the peer source, and engines that listen to them.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { Engine } from '../../../src/engine/engine.ts';
import type { Event } from '../../../src/engine/types.ts';
import type { PeerDescription } from '../../../src/source/source.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const FLAGS = ['-Wall', '-Wextra', '-Werror', '-O2', '-I', 'bpf', '-I', 'examples/peer'];
const C_FLAGS = ['-std=c11', '-Wpedantic', ...FLAGS];
const CXX_FLAGS = ['-std=c++20', '-U_GNU_SOURCE', '-Wno-missing-field-initializers', ...FLAGS, '-x', 'c++'];

const folder = temporaryDirectory('peer-programs');

/** Compiles a program of this folder, or examples/peer/producer.c: the file. */
export function compile(name: string, compiler: 'cc' | 'c++' = 'cc'): string {
  const source = name === 'producer' ? 'examples/peer/producer.c' : `test/source/peer/${name}.c`;
  const program = path.join(folder, `${name}-${compiler}`);
  if (fs.existsSync(program)) return program;
  execFileSync(compiler, [...(compiler === 'cc' ? C_FLAGS : CXX_FLAGS), source, '-o', program], { stdio: 'inherit' });
  return program;
}

export interface Answer {
  status: number | null;
  stdout: string;
  stderr: string;
}

export function run(program: string, ...args: (string | number)[]): Answer {
  const { status, stdout, stderr } = spawnSync(program, args.map(String), { encoding: 'utf8', timeout: 60_000 });
  return { status, stdout, stderr };
}

/** A producer that goes on while the test does; killed when the test ends. */
export function start(program: string, ...args: (string | number)[]): ChildProcess & { ended: Promise<unknown> } {
  const child = spawn(program, args.map(String), { stdio: ['ignore', 'inherit', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return Object.assign(child, { ended: once(child, 'exit') });
}

export function peersOf(engine: Engine): PeerDescription[] {
  return engine.stats().source.peers ?? [];
}

export function handleOf(engine: Engine, lane = 0): string {
  return peersOf(engine)[lane]?.handle ?? '';
}

export async function until(condition: () => boolean, timeoutMs = 10_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What storm.c wrote with this number: every field follows from it. */
export function expectedOf(number: bigint): { inode: bigint; path: string } {
  const tail = String.fromCharCode(97 + Number(number % 26n)).repeat(Number(number % 200n));
  return { inode: BigInt.asUintN(64, number * 0x9e3779b97f4a7c15n), path: `/storm/${number}/${tail}` };
}

/** Whether every byte of the event is what storm.c put there. */
export function isWhole(event: Event): boolean {
  const { inode, path: expected } = expectedOf(event.size ?? 0n);
  return event.inode === inode && event.path === expected && event.comm === 'storm';
}

/** A program of Node whose output is looked at while it runs; killed when the test ends. */
export function startNode(...args: string[]): {
  child: ChildProcess;
  stdout: string;
  stderr: string;
  finished: Promise<number | null>;
} {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const finished = once(child, 'close').then(([exitCode]) => exitCode as number | null);
  const started = { child, stdout: '', stderr: '', finished };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    started.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    started.stderr += text;
  });
  return started;
}
