// Changes a tree at random, as fast as it can, for so many operations: directories made deep, renamed into each other, removed and made again.
// node churn.mjs <directory> <outside> <seed> <operations>

import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';

const [root = '', outside = '', seed = '1', operations = '1000'] = process.argv.slice(2);
let state = Number(seed) | 0;

function random() {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
}

/** @param {number} limit */
const below = (limit) => Math.floor(random() * limit);

/** Few names, so that they meet. @param {string} top */
function anyPath(top) {
  let at = top;
  for (let depth = 1 + below(4); depth > 0; depth--) at = path.join(at, `abcd`.charAt(below(4)));
  return at;
}

/** @type {(() => void)[]} */
const actions = [
  () => fs.mkdirSync(anyPath(root), { recursive: true }),
  () => fs.mkdirSync(anyPath(root)),
  () => fs.writeFileSync(anyPath(root), 'content'),
  () => fs.writeFileSync(path.join(anyPath(root), 'file'), 'content'),
  () => fs.appendFileSync(path.join(anyPath(root), 'file'), 'more'),
  () => fs.renameSync(anyPath(root), anyPath(root)),
  () => fs.renameSync(anyPath(root), anyPath(root)),
  () => fs.renameSync(anyPath(root), path.join(outside, `x${below(4)}`)),
  () => fs.renameSync(path.join(outside, `x${below(4)}`), anyPath(root)),
  () => fs.rmSync(anyPath(root), { recursive: true }),
  () => fs.unlinkSync(anyPath(root)),
  () => fs.rmdirSync(anyPath(root)),
  () => fs.symlinkSync('a/b', anyPath(root)),
  () => fs.linkSync(path.join(anyPath(root), 'file'), anyPath(root)),
  () => fs.chmodSync(anyPath(root), below(2) === 0 ? 0o700 : 0o755),
];

for (let count = Number(operations); count > 0; count--) {
  try {
    actions[below(actions.length)]?.();
  } catch {
    // Most names are not there, or are not what the action needs.
  }
}
