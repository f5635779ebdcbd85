// One wasm instance per thread, all of them over the arena's memory. The module is compiled once per thread from dist/assembly/release.wasm.

import fs from 'node:fs';
import { instantiateSync } from '@assemblyscript/loader';
import { CausewayError, messageOf } from '../base/errors.ts';
import type { Arena } from './arena.ts';
import type { Wasm } from './wasm-exports.ts';

export type { Wasm } from './wasm-exports.ts';

// From dist/src/arena/ the file is in dist/assembly/, from src/arena/ (tests) in build/.
const CANDIDATES = ['../../assembly/release.wasm', '../../build/release.wasm'];

let compiled: WebAssembly.Module | undefined;

/** @throws CausewayError CAPABILITY_MISSING when the package was not built. */
export function compileWasm(): WebAssembly.Module {
  if (compiled !== undefined) return compiled;
  for (const candidate of CANDIDATES) {
    const url = new URL(candidate, import.meta.url);
    if (!fs.existsSync(url)) continue;
    compiled = new WebAssembly.Module(fs.readFileSync(url));
    return compiled;
  }
  throw new CausewayError('CAPABILITY_MISSING', 'release.wasm is missing', { hint: 'Run: npm run build' });
}

/** The exports, bound to this arena. */
export function instantiate(arena: Arena): Wasm {
  try {
    const instance = instantiateSync(compileWasm() as never, { env: { memory: arena.memory } } as never);
    return instance.exports as unknown as Wasm;
  } catch (error) {
    if (error instanceof CausewayError) throw error;
    throw new CausewayError('ARENA_INCOMPATIBLE', `wasm refuses the arena: ${messageOf(error)}`, { cause: error });
  }
}
