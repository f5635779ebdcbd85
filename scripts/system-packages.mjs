// Programs and libraries of the system that the build and the tests use. As root on Debian or Ubuntu what is missing is installed; elsewhere it is
// named. Without any of them the engine still runs, with what is there (`causeway doctor` says what).

import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { onPath, ROOT, runQuietly, say } from './shell.mjs';

const LIBRARY_FOLDERS = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib64',
  '/usr/lib',
  '/lib64',
  '/lib',
];

/** Debian package -> whether what we want from it is there. */
const TO_RUN = {
  libbpf1: () => LIBRARY_FOLDERS.some((folder) => fs.existsSync(path.join(folder, 'libbpf.so.1'))),
};
const TO_DEVELOP = {
  ...TO_RUN,
  clang: () => onPath('clang'),
  llvm: () => onPath('llvm-strip'),
  'libbpf-dev': () => fs.existsSync('/usr/include/bpf/bpf_helpers.h'),
  bpftool: () => onPath('bpftool'),
  strace: () => onPath('strace'),
  fuse3: () => onPath('fusermount3'),
  gcc: () => onPath('cc'),
  'g++': () => onPath('c++'),
  make: () => onPath('make'),
  spin: () => onPath('spin'),
};

/** Packages that could not be installed: tried again only after a day, or when others are missing. */
const FAILED_FILE = path.join(ROOT, 'build', 'packages-not-installed');
const RETRY_AFTER_MS = 24 * 3600 * 1000;

/** @param {'run' | 'develop'} purpose */
export function installSystemPackages(purpose) {
  const packages = Object.entries(purpose === 'run' ? TO_RUN : TO_DEVELOP);
  const missing = packages.flatMap(([name, isThere]) => (isThere() ? [] : [name]));
  if (missing.length === 0) return;
  if (process.platform !== 'linux') return say('this is not Linux: events come only from recorded traces');
  if (!onPath('apt-get')) return say(`not found here: ${missing.join(', ')} (names of Debian packages)`);
  if (process.geteuid?.() !== 0) {
    return say(`not installed, some things will be skipped: sudo apt-get install -y ${missing.join(' ')}`);
  }
  if (wasTried(missing)) return say(`still missing, some things will be skipped: ${missing.join(', ')}`);
  install(missing);
}

/** @param {string[]} missing */
function install(missing) {
  say(`installing ${missing.join(', ')} (apt-get; takes a minute or two)`);
  aptGet(['update', '-qq']);
  // All at once is quicker; one by one, a package that this distribution lacks does not stop the others.
  const failed = aptInstall(missing) ? [] : missing.filter((name) => !aptInstall([name]));
  if (failed.length === 0) return;
  say(`could not install ${failed.join(', ')}: some things will be skipped`);
  fs.mkdirSync(path.dirname(FAILED_FILE), { recursive: true });
  fs.writeFileSync(FAILED_FILE, failed.join(' '));
}

/** @param {string[]} missing */
function wasTried(missing) {
  const status = fs.statSync(FAILED_FILE, { throwIfNoEntry: false });
  if (status === undefined || Date.now() - status.mtimeMs > RETRY_AFTER_MS) return false;
  const failed = fs.readFileSync(FAILED_FILE, 'utf8').split(' ');
  return missing.every((name) => failed.includes(name));
}

/** @param {string[]} names */
function aptInstall(names) {
  return aptGet(['install', '-y', '-qq', '--no-install-recommends', ...names]);
}

/** @param {string[]} args */
function aptGet(args) {
  // Another apt-get may hold the lock for a while.
  return runQuietly('apt-get', ['-o', 'DPkg::Lock::Timeout=120', ...args], { DEBIAN_FRONTEND: 'noninteractive' });
}
