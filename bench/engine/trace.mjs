// The recorded trace that the engine's benches replay: made once, by seed and length.

import path from 'node:path';
import { load } from '../harness/engine.mjs';

/**
 * @param {string} directory
 * @param {{ records: number, seed: number }} options
 */
export async function makeTrace(directory, { records, seed }) {
  const { generateTrace } = await load('src/source/trace/index.js');
  const file = path.join(directory, 'trace');
  generateTrace({ file, records, seed });
  return file;
}
