// The examples do what they say: users copy them.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { requires } from './support/capabilities.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const EXAMPLES = fileURLToPath(new URL('../examples', import.meta.url));

class Example {
  readonly child;
  readonly finished: Promise<number | null>;
  stdout = '';
  stderr = '';

  constructor(name: string, ...args: string[]) {
    this.child = spawn(process.execPath, [path.join(EXAMPLES, name), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 50_000,
      killSignal: 'SIGKILL',
    });
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.finished = once(this.child, 'close').then(([exitCode]) => exitCode as number | null);
  }

  async until(text: string): Promise<void> {
    const deadline = Date.now() + 20_000;
    while (!`${this.stdout}${this.stderr}`.includes(text)) {
      if (Date.now() > deadline || this.child.exitCode !== null)
        throw new Error(`"${text}" did not appear: ${this.stdout}${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

describe('embed.mjs', () => {
  it('prints what happens in a directory', async () => {
    const directory = temporaryDirectory('embed');
    const example = new Example('embed.mjs', directory);
    await example.until('watching');
    writeFileSync(path.join(directory, 'file.txt'), 'text');
    await example.until(`fs.create ${path.join(directory, 'file.txt')}`);
    example.child.kill('SIGINT');
    expect(await example.finished).toBe(0);
  });
});

describe('subscriber.mjs', () => {
  it('handles events in a worker', async () => {
    const directory = temporaryDirectory('subscriber');
    const example = new Example('subscriber.mjs', directory, '1.5');
    await example.until('counting writes');
    writeFileSync(path.join(directory, 'one'), 'text');
    expect(await example.finished, example.stderr).toBe(0);
    expect(example.stdout).toBe('2 files were created or written\n');
  });
});

describe('emit-durable.mjs and tail-journal.mjs', () => {
  it('write a journal, and follow it from another process', async () => {
    const journal = path.join(temporaryDirectory('emit'), 'journal');
    const writer = new Example('emit-durable.mjs', journal);
    expect(await writer.finished, writer.stderr).toBe(0);
    expect(writer.stdout).toContain('interactions are events 3 to 1002, all durable');
    const reader = new Example('tail-journal.mjs', journal);
    await reader.until('1002');
    reader.child.kill('SIGINT');
    expect(await reader.finished).toBe(0);
    expect(reader.stdout).toMatch(/^1 agent\.reasoning/m);
    expect(reader.stdout).toMatch(/^2 agent\.decision/m);
  });
});

describe('audit-command.mjs', () => {
  it('lists what a command has changed', requires('bpf'), async () => {
    const directory = temporaryDirectory('audit');
    const example = new Example(
      'audit-command.mjs',
      `cd '${directory}' && mkdir out && echo text > out/file && mv out/file out/renamed`,
      directory,
    );
    expect(await example.finished, example.stderr).toBe(0);
    expect(example.stdout).toContain(path.join(directory, 'out/renamed'));
    expect(example.stdout).toMatch(/fs\.rename .*mv/);
    expect(example.stderr).toMatch(/exit code 0, \d+ paths changed/);
  });
});

describe('worker-pipeline.mjs', () => {
  it('hashes files in two workers', async () => {
    const directory = temporaryDirectory('pipeline');
    mkdirSync(path.join(directory, 'deep'));
    const files = Array.from({ length: 200 }, (_, number) =>
      path.join(directory, number % 2 === 0 ? '' : 'deep', `${number}`),
    );
    for (const file of files) writeFileSync(file, file);
    const example = new Example('worker-pipeline.mjs', directory);
    expect(await example.finished, example.stderr).toBe(0);
    const expected = files.map((file) => `${createHash('sha256').update(file).digest('hex')}  ${file}`);
    expect(example.stdout.trimEnd().split('\n').sort()).toEqual(expected.sort());
  });
});

describe('two-processes.mjs', () => {
  it('asks and answers through shared memory', requires('koffi'), async () => {
    const example = new Example('two-processes.mjs', '200');
    expect(await example.finished, example.stderr).toBe(0);
    expect(example.stdout).toMatch(/^200 answers, 0 of them wrong; there and back in \d+ us\n$/);
  });
});
