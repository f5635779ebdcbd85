// The rivals have a package.json of their own. They are installed on first use, without running any install script; one that cannot be had is said
// so and its column stays empty.

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const benchDirectory = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(path.join(benchDirectory, 'run.mjs'));
const INSTALL_MS_MAX = 180_000;
const COMPILE_MS_MAX = 420_000;

/**
 * Installs bench/node_modules if it is missing or older than its lockfile.
 * @param {(text: string) => void} note
 */
export async function ensureRivals(note) {
  const installed = path.join(benchDirectory, 'node_modules', '.package-lock.json');
  const lock = path.join(benchDirectory, 'package-lock.json');
  if (fs.existsSync(installed) && fs.statSync(installed).mtimeMs >= fs.statSync(lock).mtimeMs) return;
  note('installing the rivals into bench/node_modules (once)');
  try {
    await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: benchDirectory,
      timeout: INSTALL_MS_MAX,
    });
    fs.utimesSync(installed, new Date(), new Date());
  } catch (error) {
    note(`the rivals cannot be installed, their columns stay empty: ${lastLine(error)}`);
  }
}

/**
 * @template T
 * @param {string} name
 * @param {(text: string) => void} note
 * @returns {Promise<T | undefined>} the module's namespace, or undefined, with the reason in a note
 */
export async function loadRival(name, note) {
  try {
    return /** @type {T} */ (await import(pathToFileURL(require.resolve(name)).href));
  } catch (error) {
    note(`rival ${name} is not to be had: ${lastLine(error)}`);
    return undefined;
  }
}

/**
 * better-sqlite3 ships no binary for Node 20 inside its package: it is compiled here once (about a minute), from the sources that npm brought.
 * @param {(text: string) => void} note
 * @param {{ compile: boolean }} options
 * @returns {Promise<any>} the Database class, or undefined
 */
export async function loadBetterSqlite(note, { compile }) {
  const directory = path.join(benchDirectory, 'node_modules', 'better-sqlite3');
  const binary = path.join(directory, 'build', 'Release', 'better_sqlite3.node');
  if (!fs.existsSync(binary)) {
    if (!fs.existsSync(directory)) return void note('rival better-sqlite3 is not installed');
    if (!compile) return void note('rival better-sqlite3 is not compiled yet: run this id once without --smoke');
    note('compiling better-sqlite3 (once, about a minute)');
    try {
      const gyp = path.join(
        path.dirname(fs.realpathSync(await which('npm'))),
        '..',
        'node_modules',
        'node-gyp',
        'bin',
        'node-gyp.js',
      );
      await run(process.execPath, [gyp, 'rebuild', '--release', ...headersFlag()], {
        cwd: directory,
        timeout: COMPILE_MS_MAX,
        maxBuffer: 1 << 26,
      });
    } catch (error) {
      return void note(`rival better-sqlite3 cannot be compiled: ${lastLine(error)}`);
    }
  }
  const loaded = await loadRival('better-sqlite3', note);
  return /** @type {any} */ (loaded)?.default;
}

/** Node's own headers, where they lie beside it: without them node-gyp would try to download them. */
function headersFlag() {
  const prefix = path.resolve(process.execPath, '..', '..');
  return fs.existsSync(path.join(prefix, 'include', 'node', 'node_api.h')) ? [`--nodedir=${prefix}`] : [];
}

/** @param {string} command */
async function which(command) {
  const { stdout } = await run('sh', ['-c', `command -v ${command}`]);
  return stdout.trim();
}

/** @param {unknown} error */
function lastLine(error) {
  const { stderr, message } = /** @type {{ stderr?: string, message?: string }} */ (error);
  const text = stderr?.trim() ? stderr : (message ?? String(error));
  return text.trim().split('\n').at(-1) ?? '';
}

/** @param {string} name @returns {string} the installed version, for the rival column */
export function rivalVersion(name) {
  const file = path.join(benchDirectory, 'node_modules', name, 'package.json');
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')).version : '';
}
