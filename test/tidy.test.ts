// What a reader relies on without looking: layers, no circles, no dead files, one style of names, generated files up to date.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { requires } from './support/capabilities.ts';
import { findCircle, groupBy, listFiles, reachableFrom, readImports } from './support/import-graph.ts';

const LINES_MAX = 600;

/** Imports point to lower layers. Within a layer, only along the edges that are listed. */
const LAYERS: readonly (readonly string[])[] = [
  ['layout'],
  ['base', 'arena', 'event', 'queue', 'assembly'],
  ['source', 'journal', 'recovery', 'ordering', 'transaction', 'stream', 'cluster'],
  ['worker', 'engine', 'server'],
  ['cli'],
  ['index'],
];
const EDGES_WITHIN_A_LAYER = [
  'arena -> base',
  'event -> base',
  'event -> arena',
  'queue -> base',
  'queue -> arena',
  'engine -> worker',
  'server -> engine',
];

/** Nobody imports them: they are started as processes of their own, by name. */
const PROGRAMS = [
  'src/cli/main.ts',
  'src/cli/demo/storm-worker.ts',
  'src/cli/demo/fs-watch-observer.ts',
  'src/cli/doctor/sharing-peer.ts',
];

const graph = readImports('layout', 'src', 'assembly');

/** `src/journal/x.ts` is of journal, `layout/x.ts` of layout, `src/index.ts` of index. */
function partOf(file: string): string {
  const names = file.replace(/^src\//, '').split('/');
  return names.length > 1 ? (names[0] ?? '') : path.basename(file, '.ts');
}

function layerOf(part: string): number {
  return LAYERS.findIndex((parts) => parts.includes(part));
}

describe('imports', () => {
  it('know every folder', () => {
    expect([...graph.keys()].filter((file) => layerOf(partOf(file)) < 0)).toEqual([]);
  });

  it('point down the layers', () => {
    const wrong = [...graph].flatMap(([file, imported]) =>
      imported.filter((other) => !isAllowed(partOf(file), partOf(other))).map((other) => `${file} -> ${other}`),
    );
    expect(wrong).toEqual([]);
  });

  it('make no circle, neither of files nor of folders', () => {
    expect(findCircle(graph)).toEqual([]);
    expect(findCircle(groupBy(graph, partOf))).toEqual([]);
  });

  it('reach every file', () => {
    const files = [...graph.keys()];
    const roots = ['src/index.ts', 'assembly/index.ts', 'layout/index.ts', ...PROGRAMS];
    const reached = reachableFrom(graph, [...roots, ...files.filter((file) => file.endsWith('.worker.ts'))]);
    expect(files.filter((file) => !reached.has(file))).toEqual([]);
  });
});

function isAllowed(from: string, to: string): boolean {
  if (from === to) return true;
  const [fromLayer, toLayer] = [layerOf(from), layerOf(to)];
  return fromLayer > toLayer || (fromLayer === toLayer && EDGES_WITHIN_A_LAYER.includes(`${from} -> ${to}`));
}

describe('files', () => {
  const written = ['layout', 'src', 'assembly', 'bpf', 'test', 'scripts', 'examples', ...benchFolders()];
  const files = listFiles(...written).filter((file) => /\.(ts|mjs|c|cc|h)$/.test(file) && file !== 'bpf/layout.h');

  it('are found', () => expect(files.length).toBeGreaterThan(50));

  it(`have at most ${LINES_MAX} lines`, () => {
    expect(files.filter((file) => fs.readFileSync(file, 'utf8').split('\n').length - 1 > LINES_MAX)).toEqual([]);
  });

  it('have names in kebab-case', () => {
    expect(files.filter((file) => !/^([a-z0-9]+(-[a-z0-9]+)*[/.]?)+$/.test(file))).toEqual([]);
  });

  it('leave nothing for later', () => {
    const marks = new RegExp(['TO', 'DO|FIX', 'ME|XX', 'X'].join(''));
    expect(files.filter((file) => marks.test(fs.readFileSync(file, 'utf8')))).toEqual([]);
  });
});

function benchFolders(): string[] {
  if (!fs.existsSync('bench')) return [];
  const folders = fs.readdirSync('bench', { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.filter(({ name }) => name !== 'node_modules' && name !== 'build').map(({ name }) => `bench/${name}`);
}

describe('assembly', () => {
  const sources = listFiles('assembly');

  // Two instances over one memory have the same heap and the same statics, and would write over each other's.
  it('has no managed objects', () => {
    expect(fs.readFileSync('build/release.wat', 'utf8')).not.toContain('~lib/rt');
    expect(linesOf(sources, /(^|[^.\w])new [A-Z]\w*[(<]/)).toEqual([]);
  });

  it('has no mutable statics', () => expect(linesOf(sources, /^(export )?(let|var) /)).toEqual([]));
});

/** `file: line` of each line that matches, comments left out. */
function linesOf(files: readonly string[], pattern: RegExp): string[] {
  return files.flatMap((file) => {
    const lines = fs.readFileSync(file, 'utf8').split('\n');
    return lines
      .filter((line) => !/^\s*(\/\/|\*|\/\*)/.test(line) && pattern.test(line))
      .map((line) => `${file}: ${line}`);
  });
}

describe('layout', () => {
  it('holds only integer constants, and what is generated from it is up to date', () => {
    const check = spawnSync(process.execPath, ['scripts/generate-layout-header.mjs', '--check'], { encoding: 'utf8' });
    expect(check.stderr).toBe('');
    expect(check.status).toBe(0);
  });
});

describe('the lockfile', () => {
  // npm ci refuses a lockfile without them, though they are for other platforms. Where the registry does not have such a package, npm install leaves
  // it out without a word. Then: node scripts/complete-lockfile.mjs [file]
  it.each(['package-lock.json', 'bench/package-lock.json'])(
    '%s has every optional package, for all platforms',
    (file) => {
      const { packages } = JSON.parse(fs.readFileSync(file, 'utf8'));
      const rows: [string, { optionalDependencies?: Record<string, string> }][] = Object.entries(packages);
      const missing = rows.flatMap(([folder, { optionalDependencies = {} }]) =>
        Object.keys(optionalDependencies).filter(
          (name) => !(`node_modules/${name}` in packages || `${folder}/node_modules/${name}` in packages),
        ),
      );
      expect(missing).toEqual([]);
    },
  );
});

describe('the package', requires('npm'), () => {
  const FILE =
    /^dist\/(assembly\/release\.wasm|bpf\/[a-z0-9-]+\.bpf\.o|peer\/(causeway-peer|layout)\.h|config\.schema\.json|(layout|src)\/.+\.(js|d\.ts))$/;

  it('holds what users need and nothing else', () => {
    const pack = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { encoding: 'utf8' });
    const files: string[] = JSON.parse(pack.stdout)[0].files.map((file: { path: string }) => file.path);
    const others = files.filter((file) => !FILE.test(file));
    expect(others.sort()).toEqual(['LICENSE', 'README.md', 'package.json']);
    expect(files).toEqual(expect.arrayContaining(['dist/src/index.js', 'dist/src/index.d.ts', 'dist/src/cli/main.js']));
    expect(files).toEqual(expect.arrayContaining(['dist/assembly/release.wasm', 'dist/config.schema.json']));
    expect(files.some((file) => file.endsWith('.bpf.o'))).toBe(true);
    // What a native producer needs.
    expect(files).toEqual(expect.arrayContaining(['dist/peer/causeway-peer.h', 'dist/peer/layout.h']));
    const stale = files.filter((file) => /\.js$/.test(file) && !fs.existsSync(sourceOf(file)));
    expect(stale).toEqual([]);
  });
});

function sourceOf(compiled: string): string {
  return compiled.replace(/^dist\//, '').replace(/\.js$/, '.ts');
}
