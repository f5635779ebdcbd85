// Compiles bpf/causeway.bpf.c into bpf/causeway.bpf.o, which is committed: machines without clang load it as it is (CO-RE fits it to their kernel).
// Reproducible: paths are relative, DWARF is stripped, and what is left (code, BTF, relocations) depends only on the sources, clang and libbpf's headers.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const SOURCE = 'bpf/causeway.bpf.c';
const OBJECT = 'bpf/causeway.bpf.o';
// -target bpf means little-endian here too: bpfel is what every supported machine is, whatever this one is.
const FLAGS = [
  '-O2',
  '-g',
  '-fdebug-compilation-dir=.',
  '-target',
  'bpfel',
  '-mcpu=v3',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-Wno-unused-parameter',
];

/** @param {string} command @param {string[]} words */
function run(command, words) {
  const { error, status, stderr } = spawnSync(command, words, { cwd: ROOT, encoding: 'utf8' });
  if (error !== undefined || status !== 0) {
    throw new Error(`${command} ${words.join(' ')}: ${error?.message ?? `status ${status}`}\n${stderr}`);
  }
}

/** @param {string} name */
function onPath(name) {
  return (process.env.PATH ?? '').split(':').some((folder) => fs.existsSync(path.join(folder, name)));
}

const strip = ['llvm-strip', 'llvm-strip-14', 'llvm-strip-16', 'llvm-strip-19'].find(onPath);
if (!onPath('clang') || strip === undefined) {
  console.error(`no clang with llvm-strip here: ${OBJECT} stays as it is in the repository`);
} else {
  const built = path.join(ROOT, `${OBJECT}.new`);
  try {
    run('clang', [...FLAGS, '-c', SOURCE, '-o', built]);
    // DWARF goes, BTF stays: the kernel and CO-RE need it.
    run(strip, ['-g', built]);
    const object = path.join(ROOT, OBJECT);
    const isSame = fs.existsSync(object) && fs.readFileSync(object).equals(fs.readFileSync(built));
    if (!isSame) fs.renameSync(built, object);
  } finally {
    fs.rmSync(built, { force: true });
  }
}
