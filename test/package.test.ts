// The tarball as a user gets it: packed, installed without install scripts into an empty project, imported, run.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { requires } from './support/capabilities.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

// npm may have to fetch the dependencies.
const INSTALL_MS_MAX = 300_000;

describe('the packed package', requires('npm'), () => {
  let project = '';

  beforeAll(() => {
    project = temporaryDirectory('package');
    const packed = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project], process.cwd());
    const tarball: string = JSON.parse(packed)[0].filename;
    fs.writeFileSync(
      path.join(project, 'package.json'),
      JSON.stringify({ name: 'empty', private: true, type: 'module' }),
    );
    const options = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
    run('npm', ['install', ...options, path.join(project, path.basename(tarball))], project);
  }, INSTALL_MS_MAX);

  it('is imported', () => {
    const program = "import * as causeway from '@causeway/engine'; console.log(typeof causeway.Engine.open)";
    expect(run(process.execPath, ['--input-type=module', '-e', program], project).trim()).toBe('function');
  });

  it('exports its layouts and its JSON Schema', () => {
    const program =
      "import { RING_MAGIC } from '@causeway/engine/layout'; import { createRequire } from 'node:module';" +
      "const schema = createRequire(import.meta.url)('@causeway/engine/config.schema.json');" +
      'console.log(RING_MAGIC, schema.type)';
    const found = run(process.execPath, ['--input-type=module', '-e', program], project).trim();
    expect(found).toBe(`${0x47525743} object`);
  });

  it('gives types to a TypeScript project', () => {
    fs.writeFileSync(
      path.join(project, 'use.ts'),
      "import { Engine } from '@causeway/engine';\nexport const open: unknown = Engine.open;\n",
    );
    const tsc = path.resolve('node_modules/typescript/bin/tsc');
    const options = ['--noEmit', '--strict', '--target', 'es2023', '--module', 'nodenext', '--skipLibCheck', 'false'];
    const types = ['--types', 'node', '--typeRoots', path.resolve('node_modules/@types')];
    expect(run(process.execPath, [tsc, ...options, ...types, 'use.ts'], project)).toBe('');
  });

  it('runs as a command', () => {
    const { version } = JSON.parse(fs.readFileSync('package.json', 'utf8'));
    expect(run('npx', ['--no-install', 'causeway', '--version'], project)).toContain(version);
  });

  it('finds its wasm and BPF programs there', () => {
    const lines = run('npx', ['--no-install', 'causeway', 'doctor', '--json'], project).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line)).length).toBeGreaterThan(0);
  });

  it('captures events', () => {
    const watched = temporaryDirectory('watched');
    const causeway = path.join(project, 'node_modules/.bin/causeway');
    const output = run(causeway, ['watch', '--json', '--source', 'inotify', '-c', 'echo x > made', watched], watched);
    expect(output).toContain(path.join(watched, 'made'));
  });
});

function run(command: string, args: string[], cwd: string): string {
  const result = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: INSTALL_MS_MAX });
  if (result.status !== 0) {
    throw new Error(`${command} ${args.join(' ')}: ${result.status}\n${result.stdout}${result.stderr}`);
  }
  return result.stdout;
}
