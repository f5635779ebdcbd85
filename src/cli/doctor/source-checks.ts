// The sources themselves, tried as the engine would open them.

import { closeSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { errnoName, loadNative } from '../../arena/native.ts';
import type { Check } from './check.ts';

export async function ebpfCheck(): Promise<Check> {
  return { id: 'ebpf', name: 'source ebpf', state: 'missing', found: '', enables: '', todo: '' };
}

const IN_CREATE = 0x100;
const IN_NONBLOCK_CLOEXEC = 0o2004000;

/** Opens an instance and puts a watch on a directory of its own. */
export function inotifySourceCheck(): Check {
  const base = {
    id: 'inotify-source',
    name: 'source inotify',
    enables: 'watch without privileges: what changed, but not who',
  };
  const native = loadNative();
  if (native === undefined) return { ...base, state: 'missing', found: 'koffi is missing', todo: 'See koffi above.' };
  const fd = native.inotifyInit(IN_NONBLOCK_CLOEXEC);
  if (fd < 0) {
    const reason = errnoName(native.errno());
    return {
      ...base,
      state: 'missing',
      found: `inotify_init1: ${reason}`,
      todo: 'As root: sysctl fs.inotify.max_user_instances=1024',
    };
  }
  const directory = mkdtempSync(path.join(os.tmpdir(), 'causeway-doctor-'));
  try {
    if (native.inotifyAddWatch(fd, directory, IN_CREATE) < 0) {
      const reason = errnoName(native.errno());
      return {
        ...base,
        state: 'missing',
        found: `inotify_add_watch: ${reason}`,
        todo: 'As root: sysctl fs.inotify.max_user_watches=524288',
      };
    }
    return { ...base, state: 'ok', found: 'a directory could be watched', todo: '' };
  } finally {
    closeSync(fd);
    rmSync(directory, { recursive: true, force: true });
  }
}
