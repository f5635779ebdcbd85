// What the command line says about itself, and to those who mistype it.

import { spawnSync } from 'node:child_process';
import { cpSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { jsonLines, MAIN, PROJECT, run } from './run.ts';

describe('help', () => {
  it('prints the version quickly', async () => {
    const before = performance.now();
    expect(await run(['--version'])).toMatchObject({ exitCode: 0, stdout: '0.1.0\n', stderr: '' });
    expect(performance.now() - before).toBeLessThan(5000);
  });

  it.each([
    ['--help'],
    ['help'],
    ['watch', '--help'],
    ['log', '--help'],
    ['export', '--help'],
    ['import', '--help'],
    ['arena', '--help'],
    ['doctor', '--help'],
    ['bench', '--help'],
    ['demo', 'storm', '--help'],
  ])('is printed for %s %s, with examples, in 80 columns', async (...args) => {
    const { exitCode, stdout, stderr } = await run(args.filter((arg) => arg !== undefined));
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toContain('Examples:');
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it('is what a command alone gets, on standard error', async () => {
    const { exitCode, stdout, stderr } = await run([]);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toContain('Usage: causeway');
  });
});

describe('wrong usage ends with 2 and a suggestion', () => {
  it.each([
    [['wach'], "unknown command 'wach' (Did you mean watch?)"],
    [['watch', '--jsno'], "unknown option '--jsno' (Did you mean --json?)"],
    [['watch', '--source', 'magic'], "'magic' is invalid"],
    [['demo', 'storm', '--seconds', 'long'], "'long' is invalid"],
    [['arena', '--interval', '0'], "'0' is invalid"],
    [['log'], "missing required argument 'directory'"],
    [['completion', 'tcsh'], "'tcsh' is invalid"],
  ])('%j', async (args, message) => {
    const { exitCode, stdout, stderr } = await run(args);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(/^causeway: /);
  });

  it('is a JSON line too, under --json', async () => {
    const { exitCode, stdout } = await run(['watch', '--json', '--sorce', 'ebpf']);
    expect(exitCode).toBe(2);
    expect(jsonLines(stdout)).toMatchObject([{ type: 'error', data: { code: 'USAGE', exitCode: 2 } }]);
  });
});

describe('completion', () => {
  it.each([['bash'], ['zsh'], ['fish']])('has a script for %s', async (shell) => {
    const { exitCode, stdout } = await run(['completion', shell]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('causeway');
  });

  it('works in bash, with and without the package bash-completion', () => {
    const directory = temporaryDirectory('bin');
    const command = path.join(directory, 'causeway');
    writeFileSync(command, `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`, { mode: 0o755 });
    const script = `source <(causeway completion bash) && compopt() { :; }
      COMP_WORDS=(causeway watch --type fs.ren) COMP_CWORD=3
      __causeway_complete && echo "\${COMPREPLY[@]}"`;
    const env = { ...process.env, PATH: `${directory}:${process.env.PATH}` };
    const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], { encoding: 'utf8', env });
    expect([stdout, stderr]).toEqual(['fs.rename\n', '']);
  });

  it('completes commands, options, event types and directories', async () => {
    const complete = async (...words: string[]): Promise<string[]> =>
      (await run(['complete', '--', ...words])).stdout.split('\n').map((line) => line.split('\t')[0] ?? '');
    expect(await complete('wa')).toContain('watch');
    expect(await complete('watch', '--jo')).toContain('--journal');
    expect(await complete('watch', '--type', 'fs.ren')).toContain('fs.rename');
    expect(await complete('watch', '--type', 'fs.write,fs.ren')).toContain('fs.write,fs.rename');
    expect(await complete('watch', '--source', 'eb')).toContain('ebpf');
    expect(await complete('watch', 'lay')).toContain('layout/');
  });
});

describe('doctor', () => {
  it('looks at everything and says what it is good for', async () => {
    const { exitCode, stdout } = await run(['doctor']);
    expect(exitCode).toBe(0);
    for (const name of [
      'Node.js',
      'koffi',
      'BTF',
      'privileges',
      'libbpf',
      'inotify',
      'fanotify',
      'FUSE',
      'io_uring',
      'mmap',
      'arenas shared by processes',
      '32-bit',
    ]) {
      expect(stdout).toContain(name);
    }
  });

  it('says the same to programs', async () => {
    const [line] = jsonLines((await run(['doctor', '--json'])).stdout);
    expect(line?.type).toBe('summary');
    expect(['ebpf', 'fanotify', 'inotify', 'none']).toContain(line?.data.source);
    const checks = line?.data.sections.flatMap((section: { checks: unknown[] }) => section.checks);
    expect(checks.length).toBeGreaterThan(15);
    for (const check of checks) {
      expect(check).toMatchObject({ id: expect.any(String), found: expect.any(String) });
      expect(['ok', 'missing', 'limited', 'info']).toContain(check.state);
    }
  });

  it('tells of the missing native part, and what goes on without it', async () => {
    const { exitCode, stdout } = await run(['doctor'], { env: { CAUSEWAY_NO_NATIVE: '1' } });
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/libc through koffi +missing: +CAUSEWAY_NO_NATIVE=1/);
  });
});

describe('bench', () => {
  it('says clearly that the package has no benchmarks', () => {
    const installed = temporaryDirectory('installed');
    cpSync(path.join(PROJECT, 'dist'), path.join(installed, 'dist'), { recursive: true });
    cpSync(path.join(PROJECT, 'package.json'), path.join(installed, 'package.json'));
    symlinkSync(path.join(PROJECT, 'node_modules'), path.join(installed, 'node_modules'));
    const result = spawnSync(process.execPath, [path.join(installed, 'dist/src/cli/main.js'), 'bench'], {
      encoding: 'utf8',
    });
    expect(result.status).toBe(4);
    expect(result.stderr).toContain('not part of the npm package');
    expect(result.stderr).toContain('npm run bench');
  });
});
