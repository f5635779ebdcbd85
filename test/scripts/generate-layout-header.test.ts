import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** Runs the script in a project of its own with these layout files. */
function generate(layouts: Record<string, string>): {
  project: string;
  run: (...args: string[]) => { status: number; stderr: string };
} {
  const project = temporaryDirectory('layout');
  for (const folder of ['layout', 'bpf', 'src/arena', 'scripts'])
    fs.mkdirSync(path.join(project, folder), { recursive: true });
  fs.copyFileSync('scripts/generate-layout-header.mjs', path.join(project, 'scripts/generate.mjs'));
  for (const [file, text] of Object.entries(layouts)) fs.writeFileSync(path.join(project, 'layout', file), text);
  const run = (...args: string[]) => {
    const result = spawnSync(process.execPath, [path.join(project, 'scripts/generate.mjs'), ...args], {
      encoding: 'utf8',
    });
    return { status: result.status ?? -1, stderr: result.stderr };
  };
  return { project, run };
}

describe('the layout header', () => {
  it('has every constant, with what C needs to read it as the others do', () => {
    const text = 'export const A_OFFSET = 4; // "x"\nexport const B = 0x80000000;\n/** Why. */\nexport const C = -1;\n';
    const { project, run } = generate({ 'a.ts': text, 'index.ts': "export * from './a.ts';\n" });
    expect(run().status).toBe(0);
    const header = fs.readFileSync(path.join(project, 'bpf/layout.h'), 'utf8');
    const defines = header.split('\n').filter((line) => line.startsWith('#define') && !line.endsWith('_H'));
    const hash = expect.stringMatching(/^#define ARENA_LAYOUT_HASH 0x[0-9a-f]{8}u$/);
    expect(defines).toEqual(['#define A_OFFSET 4', '#define B 0x80000000u', '#define C (-1)', hash]);
    expect(header).toContain('layout/a.ts');
  });

  it('comes with FNV-1a over all names and values', () => {
    const { project, run } = generate({ 'a.ts': 'export const A = 0x10;\n', 'b.ts': 'export const B = 2;\n' });
    run();
    // A second implementation, with big integers.
    let hash = 0x811c9dc5n;
    for (const byte of Buffer.from('A=16\nB=2\n')) hash = ((hash ^ BigInt(byte)) * 0x01000193n) % 2n ** 32n;
    const written = fs.readFileSync(path.join(project, 'src/arena/layout-hash.ts'), 'utf8');
    const hex = hash.toString(16).padStart(8, '0');
    expect(written).toContain(`ARENA_LAYOUT_HASH = 0x${hex};`);
    expect(fs.readFileSync(path.join(project, 'bpf/layout.h'), 'utf8')).toContain(`ARENA_LAYOUT_HASH 0x${hex}u`);
  });

  it.each([
    'export const A = 1.5;',
    'export const A = B + 4;',
    'export const A: number = 4;',
    'export const A = "4";',
    'export let A = 4;',
    'const A = 4;',
    'export const a = 4;',
    'export const A = 9007199254740993;',
    'export interface A {}',
    "import { B } from './b.ts';",
  ])('refuses %s', (line) => {
    const { run } = generate({ 'a.ts': `// A layout.\n${line}\n` });
    const { status, stderr } = run();
    expect(status).not.toBe(0);
    expect(stderr).toContain('layout/a.ts:2');
  });

  it('refuses a name that is there twice', () => {
    const { run } = generate({ 'a.ts': 'export const A = 1;\n', 'b.ts': 'export const A = 1;\n' });
    expect(run().stderr).toContain('layout/b.ts: A is in a.ts too');
  });

  it('with --check names what is out of date and writes nothing', () => {
    const { project, run } = generate({ 'a.ts': 'export const A = 1;\n' });
    run();
    expect(run('--check')).toEqual({ status: 0, stderr: '' });
    fs.writeFileSync(path.join(project, 'layout/a.ts'), 'export const A = 2;\n');
    const { status, stderr } = run('--check');
    expect(status).toBe(1);
    expect(stderr).toMatch(/bpf\/layout\.h is out of date.*\n.*layout-hash\.ts is out of date/);
    expect(fs.readFileSync(path.join(project, 'bpf/layout.h'), 'utf8')).toContain('#define A 1\n');
  });
});
