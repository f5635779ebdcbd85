// Makes a fresh clone ready, and costs next to nothing when it is: npm packages, system packages, build. `npm start` and `npm test` come through here.

import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { ROOT, runQuietly, say } from './shell.mjs';
import { installSystemPackages } from './system-packages.mjs';

const NODE_VERSION_MIN = [20, 19];

/**
 * Answers whether everything is ready; what is not has been said.
 * @param {{ purpose: 'run' | 'develop' }} options To run takes few system packages, to develop and test takes compilers.
 */
export async function setup({ purpose }) {
  if (!isNodeNewEnough() || !installModules()) return false;
  installSystemPackages(purpose);
  return build();
}

function isNodeNewEnough() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [majorMin = 0, minorMin = 0] = NODE_VERSION_MIN;
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return true;
  say(`Node.js ${process.versions.node} is too old: ${NODE_VERSION_MIN.join('.')} or newer is needed`);
  return false;
}

function installModules() {
  if (isInstalled()) return true;
  say('installing npm packages (npm ci --ignore-scripts)');
  return runQuietly('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
}

/** Whether node_modules has the versions of the lockfile: npm keeps its own list of what it installed. */
function isInstalled() {
  const installedFile = path.join(ROOT, 'node_modules/.package-lock.json');
  if (!fs.existsSync(installedFile)) return false;
  const wanted = readPackages(path.join(ROOT, 'package-lock.json'));
  const installed = readPackages(installedFile);
  return Object.entries(wanted).every(([folder, { version, optional }]) => {
    const found = installed[folder];
    // Optional ones are for other platforms.
    return folder === '' || (found === undefined ? optional === true : found.version === version);
  });
}

/**
 * @param {string} file
 * @returns {Record<string, { version?: string, optional?: boolean }>}
 */
function readPackages(file) {
  return JSON.parse(fs.readFileSync(file, 'utf8')).packages;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = (await setup({ purpose: 'develop' })) ? 0 : 1;
}
