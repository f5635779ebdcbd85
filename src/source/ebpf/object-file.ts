// Where the compiled programs are.

import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CausewayError } from '../../base/errors.ts';

// From dist/src/source/ebpf/ the object is in dist/bpf/, from src/source/ebpf/ in bpf/: the same step either way.
const OBJECT = '../../../bpf/causeway.bpf.o';

export function objectPath(): string {
  return fileURLToPath(new URL(OBJECT, import.meta.url));
}

/** @throws CausewayError CAPABILITY_MISSING when the package is incomplete. */
export function readObject(): Buffer {
  try {
    return fs.readFileSync(objectPath());
  } catch (error) {
    throw new CausewayError('CAPABILITY_MISSING', `the BPF programs are missing: ${objectPath()}`, {
      hint: 'Run: npm run build',
      cause: error,
    });
  }
}
