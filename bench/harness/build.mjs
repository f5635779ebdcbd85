// Builds what the benches need besides dist/: native rivals with g++, and hot loops around the engine's own AssemblyScript with asc. Each is named by the
// hash of all that goes into it, so it is built once and never stale.

import { execFile } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CannotRun } from './measure.mjs';

const run = promisify(execFile);
const benchDirectory = fileURLToPath(new URL('..', import.meta.url));
export const rootDirectory = path.dirname(path.resolve(benchDirectory));
const buildDirectory = writableDirectory();
const BUILD_MS_MAX = 120_000;

const CXX_FLAGS = ['-std=c++20', '-O3', '-march=native', '-Wall', '-Wextra', '-pthread'];

/**
 * @param {string} name bench/native/NAME.cc
 * @param {string[]} [libraries] Names for -l.
 * @returns {Promise<string>} the program's path
 */
export async function buildNative(name, libraries = []) {
  const nativeDirectory = path.join(benchDirectory, 'native');
  const source = path.join(nativeDirectory, `${name}.cc`);
  const headers = fs.readdirSync(nativeDirectory).filter((file) => file.endsWith('.h'));
  const inputs = [
    source,
    ...headers.map((file) => path.join(nativeDirectory, file)),
    path.join(rootDirectory, 'bpf', 'layout.h'),
  ];
  const flags = [...CXX_FLAGS, '-I', path.join(rootDirectory, 'bpf'), '-I', nativeDirectory];
  const output = outputPath(name, inputs, flags, '');
  if (fs.existsSync(output)) return output;
  await compile('g++', [...flags, '-o', `${output}.new`, source, ...libraries.map((library) => `-l${library}`)], name);
  fs.renameSync(`${output}.new`, output);
  return output;
}

/**
 * Compiles bench/assembly/NAME.ts with the same options as the engine's release build.
 * @param {string} name
 * @returns {Promise<string>} the module's path
 */
export async function buildAssembly(name) {
  const source = path.join(benchDirectory, 'assembly', `${name}.ts`);
  const asc = path.join(rootDirectory, 'node_modules', 'assemblyscript', 'bin', 'asc.js');
  if (!fs.existsSync(asc)) throw new CannotRun('assemblyscript is not installed: npm ci');
  const folders = ['assembly', 'layout', 'bench/assembly'];
  const inputs = [source, path.join(rootDirectory, 'asconfig.json'), ...folders.flatMap(filesIn)];
  const { targets, options } = JSON.parse(fs.readFileSync(path.join(rootDirectory, 'asconfig.json'), 'utf8'));
  // A place of its own for static data: two modules over one memory must not write the same bytes.
  const settings = { ...targets.release, ...options, memoryBase: 36864 };
  // Not the engine's own configuration, whose entry is the whole engine.
  const flags = ['--config', 'none', ...Object.entries(settings).flatMap(([key, value]) => flagsOf(key, value))];
  const output = outputPath(name, inputs, flags, '.wasm');
  if (fs.existsSync(output)) return output;
  await compile(process.execPath, [asc, source, ...flags, '--outFile', `${output}.new.wasm`], name);
  fs.renameSync(`${output}.new.wasm`, output);
  return output;
}

/**
 * @param {string} key
 * @param {unknown} value
 */
function flagsOf(key, value) {
  if (key === 'outFile' || key === 'textFile' || key === 'memoryBase')
    return key === 'memoryBase' ? ['--memoryBase', String(value)] : [];
  if (Array.isArray(value)) return value.flatMap((one) => [`--${key}`, String(one)]);
  if (typeof value === 'boolean') return value ? [`--${key}`] : [];
  return [`--${key}`, String(value)];
}

/** @param {string} directory */
function filesIn(directory) {
  const from = path.join(rootDirectory, directory);
  return fs
    .readdirSync(from)
    .sort()
    .map((file) => path.join(from, file));
}

/**
 * @param {string} name
 * @param {string[]} inputs
 * @param {string[]} flags
 * @param {string} ending
 */
function outputPath(name, inputs, flags, ending) {
  const hash = crypto.createHash('sha256').update(JSON.stringify(flags)).update(process.arch);
  for (const input of inputs) hash.update(fs.existsSync(input) ? fs.readFileSync(input) : 'missing');
  fs.mkdirSync(buildDirectory, { recursive: true });
  return path.join(buildDirectory, `${name}-${hash.digest('hex').slice(0, 16)}${ending}`);
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} what
 */
async function compile(command, args, what) {
  try {
    await run(command, args, { cwd: rootDirectory, timeout: BUILD_MS_MAX });
  } catch (error) {
    const { code, stderr = '' } = /** @type {{ code?: unknown, stderr?: string }} */ (error);
    if (code === 'ENOENT') throw new CannotRun(`${command} is not installed: apt-get install g++`);
    throw new Error(`${what} does not compile:\n${stderr}`, { cause: error });
  }
}

/**
 * Runs a native program, which prints one line of JSON.
 * @param {string} program
 * @param {(string | number)[]} args
 * @param {number} [timeoutMs]
 * @returns {Promise<any>}
 */
export async function runNative(program, args, timeoutMs = BUILD_MS_MAX) {
  const { stdout } = await run(program, args.map(String), { timeout: timeoutMs, maxBuffer: 1 << 24 });
  return JSON.parse(stdout);
}

/** Beside the sources; where they belong to somebody else, a folder of this user's own. */
function writableDirectory() {
  const beside = path.join(benchDirectory, 'native', 'build');
  try {
    fs.mkdirSync(beside, { recursive: true });
    fs.accessSync(beside, fs.constants.W_OK);
    return beside;
  } catch {
    const own = path.join(os.tmpdir(), `causeway-bench-build-${process.getuid?.()}`);
    fs.mkdirSync(own, { recursive: true, mode: 0o700 });
    // Whatever is run from there must be ours: a folder that somebody else made first is refused.
    if (fs.statSync(own).uid !== process.getuid?.()) throw new Error(`${own} belongs to another user`);
    return own;
  }
}
