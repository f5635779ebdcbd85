// Where the compiled programs are.

import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CausewayError } from '../../base/errors.ts';

/** How the programs read kernel memory: through typed pointers (Linux >= 6.2), or with a helper call for each read. */
export type Reads = 'typed' | 'probe';

// From dist/src/source/ebpf/ the objects are in dist/bpf/, from src/source/ebpf/ in bpf/: the same step either way.
const OBJECTS: Record<Reads, string> = {
  typed: '../../../bpf/causeway.bpf.o',
  probe: '../../../bpf/causeway-probe.bpf.o',
};

export function objectPath(reads: Reads): string {
  return fileURLToPath(new URL(OBJECTS[reads], import.meta.url));
}

/** @throws CausewayError CAPABILITY_MISSING when the package is incomplete. */
export function readObject(reads: Reads): Buffer {
  try {
    return fs.readFileSync(objectPath(reads));
  } catch (error) {
    throw new CausewayError('CAPABILITY_MISSING', `the BPF programs are missing: ${objectPath(reads)}`, {
      hint: 'Run: npm run build',
      cause: error,
    });
  }
}
