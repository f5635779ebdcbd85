// Which file imports which, as TypeScript's own scanner reads it: for the tests of layers, circles and dead files.

import fs from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

/** Names from the root, with what each imports, also for its types only, dynamically, or as the file of a worker. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

/** Files of these folders and below, sorted; folders that are not there have none. */
export function listFiles(...folders: string[]): string[] {
  return folders
    .filter((folder) => fs.existsSync(folder))
    .flatMap((folder) => fs.readdirSync(folder, { withFileTypes: true, recursive: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

export function readImports(...folders: string[]): ImportGraph {
  const files = listFiles(...folders).filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'));
  const known = new Set(files);
  return new Map(
    files.map((file) => {
      const imported = specifiersOf(file).flatMap((specifier) => resolve(file, specifier, known));
      return [file, [...new Set(imported)]];
    }),
  );
}

function specifiersOf(file: string): string[] {
  const text = fs.readFileSync(file, 'utf8');
  const imports = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
  const workers = [...text.matchAll(/new URL\(\s*['"](\.[^'"]+)['"]/g)].map((match) => match[1] ?? '');
  return [...imports, ...workers];
}

/** AssemblyScript names files without an ending; a worker's file is named as it is after compilation. */
function resolve(importer: string, specifier: string, known: ReadonlySet<string>): string[] {
  if (!specifier.startsWith('.')) return [];
  const base = path.join(path.dirname(importer), specifier);
  const found = [base, `${base}.ts`, base.replace(/\.js$/, '.ts')].find((candidate) => known.has(candidate));
  return found === undefined ? [] : [found];
}

/** All that can be reached from these, themselves included. */
export function reachableFrom(graph: ImportGraph, roots: readonly string[]): Set<string> {
  const reached = new Set<string>();
  const waiting = [...roots];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    waiting.push(...(graph.get(file) ?? []));
  }
  return reached;
}

/** One circle as the names on it, or nothing. */
export function findCircle(graph: ImportGraph): string[] {
  const finished = new Set<string>();
  const trail: string[] = [];
  const visit = (name: string): string[] => {
    if (finished.has(name)) return [];
    if (trail.includes(name)) return [...trail.slice(trail.indexOf(name)), name];
    trail.push(name);
    for (const next of graph.get(name) ?? []) {
      const circle = visit(next);
      if (circle.length > 0) return circle;
    }
    trail.pop();
    finished.add(name);
    return [];
  };
  for (const name of graph.keys()) {
    const circle = visit(name);
    if (circle.length > 0) return circle;
  }
  return [];
}

/** The same graph with each name replaced by its group; edges within a group are left out. */
export function groupBy(graph: ImportGraph, groupOf: (file: string) => string): ImportGraph {
  const groups = new Map<string, Set<string>>();
  for (const [file, imported] of graph) {
    const group = groupOf(file);
    const edges = groups.get(group) ?? new Set();
    for (const other of imported.map(groupOf)) if (other !== group) edges.add(other);
    groups.set(group, edges);
  }
  return new Map([...groups].map(([group, edges]) => [group, [...edges]]));
}
