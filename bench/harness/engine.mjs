// The engine as users get it: dist/. Everything that the benches take from it is loaded here.

import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildAssembly } from './build.mjs';

const distDirectory = new URL('../../dist/', import.meta.url);

/** One line for the user when there is no dist/, else ''. */
export function missingBuild() {
  const missing = ['layout/index.js', 'src/arena/arena.js', 'assembly/release.wasm'].filter(
    (file) => !fs.existsSync(new URL(file, distDirectory)),
  );
  return missing.length === 0 ? '' : `dist/${missing[0]} is missing: run \`npm run build\` first`;
}

/** @param {string} path inside dist/ */
export function distPath(path) {
  return fileURLToPath(new URL(path, distDirectory));
}

/**
 * A module of dist/.
 * @param {string} path 'src/arena/arena.js'
 * @returns {Promise<any>}
 */
export function load(path) {
  return import(new URL(path, distDirectory).href);
}

/** @returns {Promise<Record<string, number>>} every constant of layout/ */
export function loadLayout() {
  return load('layout/index.js');
}

/**
 * The hot loops of bench/assembly/, over the arena's memory.
 * @param {WebAssembly.Memory} memory
 * @param {string} path what buildAssembly answered
 * @returns {any}
 */
export function instantiateLoops(memory, path) {
  return new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(path)), { env: { memory } }).exports;
}

export { buildAssembly };
