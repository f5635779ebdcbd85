// npm run build: everything that is generated, compiled or copied. A step whose inputs have the same content as the last time is skipped; --force runs all.

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { moduleFile, onPath, ROOT, runQuietly, say } from './shell.mjs';

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {string[]} inputs Files, or folders with all that is in them.
 * @property {string[]} outputs Files that are there when the step has run.
 * @property {string} [stamp] Where the digest of the inputs is kept, if it is not in build/.
 * @property {() => boolean | Promise<boolean>} run Whether it worked.
 */

// The compiled programs are in the repository, and beside them what they were compiled from: only who changes a program needs clang, and a fresh
// clone stays as it is.
const BPF_STAMP = 'bpf/built-from.sha256';

/** @type {Step[]} In their order: later ones take what earlier ones made. */
const STEPS = [
  {
    name: 'layout header',
    inputs: ['layout', 'scripts/generate-layout-header.mjs'],
    outputs: ['bpf/layout.h', 'src/arena/layout-hash.ts'],
    run: () => runQuietly(process.execPath, ['scripts/generate-layout-header.mjs']),
  },
  {
    name: 'wasm',
    inputs: ['layout', 'assembly', 'asconfig.json', 'package-lock.json'],
    outputs: ['build/release.wasm', 'build/release.wat', 'build/debug.wasm'],
    run: () => buildWasm('release') && buildWasm('debug'),
  },
  {
    name: 'BPF programs',
    inputs: listFiles('bpf', (file) => /\.[ch]$/.test(file)),
    outputs: ['bpf/causeway.bpf.o'],
    stamp: BPF_STAMP,
    run: buildBpf,
  },
  {
    name: 'TypeScript',
    inputs: ['layout', 'src', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'],
    outputs: ['dist/layout/index.js', 'dist/src/index.js', 'dist/src/cli/main.js'],
    run: buildTypeScript,
  },
  {
    name: 'package files',
    inputs: ['build/release.wasm', 'bpf', 'examples/peer/causeway-peer.h', 'src'],
    outputs: [
      'dist/assembly/release.wasm',
      'dist/config.schema.json',
      'dist/peer/causeway-peer.h',
      'dist/peer/layout.h',
    ],
    run: copyPackageFiles,
  },
];

/**
 * Runs the steps that are due. A step that fails does not stop those after it, so that all that is wrong shows at once.
 * @param {{ force?: boolean }} [options]
 * @returns {Promise<boolean>} Whether everything is built.
 */
export async function build({ force = false } = {}) {
  let isBuilt = true;
  for (const step of STEPS) {
    const stampFile = path.join(ROOT, step.stamp ?? `build/stamps/${step.name.replaceAll(' ', '-')}`);
    const isMissing = step.outputs.some((file) => !fs.existsSync(path.join(ROOT, file)));
    // Before the step runs: what somebody changes meanwhile is built the next time.
    const found = `${digest(step.inputs)}\n`;
    if (!force && !isMissing && readIfThere(stampFile) === found) continue;
    say(`building ${step.name}`);
    if (!(await step.run())) {
      isBuilt = false;
      continue;
    }
    fs.mkdirSync(path.dirname(stampFile), { recursive: true });
    fs.writeFileSync(stampFile, found);
  }
  return isBuilt;
}

/** @param {'release' | 'debug'} target */
function buildWasm(target) {
  const asc = moduleFile('assemblyscript/bin/asc.js');
  return runQuietly(process.execPath, [asc, '--config', 'asconfig.json', '--target', target]);
}

function buildBpf() {
  if (onPath('clang')) return runQuietly(process.execPath, ['scripts/build-bpf.mjs']);
  say('the BPF programs have changed, and there is no clang to compile them: apt-get install clang llvm libbpf-dev');
  return false;
}

function buildTypeScript() {
  const isCompiled = runQuietly(process.execPath, [moduleFile('typescript/bin/tsc'), '-p', 'tsconfig.build.json']);
  for (const folder of ['dist/layout', 'dist/src']) removeStale(folder);
  return isCompiled;
}

/**
 * Compiled files whose source is gone: they would go into the package.
 * @param {string} folder
 */
function removeStale(folder) {
  for (const file of listFiles(folder)) {
    const source = file.replace(/^dist\//, '').replace(/(\.d\.ts|\.js)$/, '.ts');
    if (!fs.existsSync(path.join(ROOT, source))) fs.rmSync(path.join(ROOT, file));
  }
}

async function copyPackageFiles() {
  if (!fs.existsSync(path.join(ROOT, 'build/release.wasm'))) return false;
  copy('build/release.wasm', 'dist/assembly/release.wasm');
  for (const file of listFiles('bpf').filter((name) => name.endsWith('.bpf.o'))) copy(file, `dist/${file}`);
  // For native producers: one folder to give to the compiler.
  copy('examples/peer/causeway-peer.h', 'dist/peer/causeway-peer.h');
  copy('bpf/layout.h', 'dist/peer/layout.h');
  const bin = path.join(ROOT, 'dist/src/cli/main.js');
  if (fs.existsSync(bin)) fs.chmodSync(bin, 0o755);
  return writeConfigSchema();
}

/** dist/config.schema.json, from the schema that the engine checks its options with. */
async function writeConfigSchema() {
  const file = path.join(ROOT, 'dist/src/engine/config.js');
  if (!fs.existsSync(file)) return false;
  // The query makes it the file's present content, not what this process may have imported before.
  const { engineConfigJsonSchema } = await import(`${pathToFileURL(file)}?${fs.statSync(file).mtimeMs}`);
  fs.writeFileSync(
    path.join(ROOT, 'dist/config.schema.json'),
    `${JSON.stringify(engineConfigJsonSchema(), null, 2)}\n`,
  );
  return true;
}

/**
 * Copies to a new file and renames it: a running program that has the old one mapped keeps it whole.
 * @param {string} from
 * @param {string} to
 */
function copy(from, to) {
  const target = path.join(ROOT, to);
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.copyFileSync(path.join(ROOT, from), `${target}.${process.pid}`);
  fs.renameSync(`${target}.${process.pid}`, target);
}

/** @param {string[]} inputs */
function digest(inputs) {
  const hash = createHash('sha256');
  for (const file of inputs.flatMap((input) => listFiles(input))) {
    hash
      .update(`${file}\0`)
      .update(fs.readFileSync(path.join(ROOT, file)))
      .update('\0');
  }
  return hash.digest('hex');
}

/**
 * Files of a folder and below it, sorted, from the root; a file is a list of itself; what is not there is empty.
 * @param {string} name
 * @param {(file: string) => boolean} [wanted]
 * @returns {string[]}
 */
function listFiles(name, wanted = () => true) {
  const absolute = path.join(ROOT, name);
  const status = fs.statSync(absolute, { throwIfNoEntry: false });
  if (status === undefined) return [];
  if (!status.isDirectory()) return [name];
  const entries = fs.readdirSync(absolute, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile());
  const names = files.map((entry) => path.relative(ROOT, path.join(entry.parentPath, entry.name)));
  return names.filter(wanted).sort();
}

/** @param {string} file */
function readIfThere(file) {
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const isBuilt = await build({ force: process.argv.includes('--force') });
  process.exitCode = isBuilt ? 0 : 1;
}
