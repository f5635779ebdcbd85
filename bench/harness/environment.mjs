// What a number was measured on: a published one names machine, cores and versions.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';

export function describeEnvironment() {
  const cpus = os.cpus();
  return {
    date: new Date().toISOString(),
    commit: outputOf('git', ['rev-parse', '--short', 'HEAD']),
    cpu: cpus[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    kernel: os.release(),
    arch: os.arch(),
    hypervisor: /\bhypervisor\b/.test(readIfThere('/proc/cpuinfo')),
    node: process.version,
    v8: process.versions.v8,
    compiler: outputOf('g++', ['--version']).split('\n')[0] ?? '',
    root: process.getuid?.() === 0,
    loadAverage: Number(os.loadavg()[0]?.toFixed(2)),
  };
}

/**
 * @param {string} command
 * @param {string[]} args
 */
function outputOf(command, args) {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}

/** @param {string} path */
function readIfThere(path) {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
