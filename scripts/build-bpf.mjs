// Compiles bpf/causeway.bpf.c into two objects, which are committed: machines without clang load them as they are (CO-RE fits them to their kernel). The
// second is for kernels before 6.2, which need a helper call for each read of kernel memory.
// Reproducible: paths are relative, DWARF is stripped, and what is left (code, BTF, relocations) depends only on the sources, clang and libbpf's headers.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const SOURCE = 'bpf/causeway.bpf.c';
const OBJECTS = [
  { object: 'bpf/causeway.bpf.o', flags: [] },
  { object: 'bpf/causeway-probe.bpf.o', flags: ['-DCAUSEWAY_PROBE_READS'] },
];
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
  console.error('no clang with llvm-strip here: the BPF programs stay as they are in the repository');
} else {
  for (const { object, flags } of OBJECTS) build(object, flags, strip);
}

/** @param {string} object @param {string[]} flags @param {string} stripper */
function build(object, flags, stripper) {
  const target = path.join(ROOT, object);
  const built = `${target}.new`;
  try {
    run('clang', [...FLAGS, ...flags, '-c', SOURCE, '-o', built]);
    // DWARF goes, BTF stays: the kernel and CO-RE need it.
    run(stripper, ['-g', built]);
    const isSame = fs.existsSync(target) && fs.readFileSync(target).equals(fs.readFileSync(built));
    if (!isSame) fs.renameSync(built, target);
  } finally {
    fs.rmSync(built, { force: true });
  }
}
