// Which file systems are mounted where, as far as it concerns the roots. fanotify tells neither a mount nor its end, and with either a path leads to
// another directory: the kernel says that the table of mounts has changed, and the table which.

import fs from 'node:fs';

const TABLE = '/proc/self/mountinfo';

export interface Mount {
  /** Where: a byte string. */
  path: string;
  /** What: the device, or whatever the file system calls it. */
  source: string;
}

export interface MountChanges {
  mounted: Mount[];
  unmounted: Mount[];
}

export class MountTable {
  /** For Poller's alarmFd; -1 where there is no /proc. */
  readonly fd: number;
  readonly #roots: readonly string[];
  /** By mount id. */
  #mounts: Map<string, Mount>;

  /** @param roots Byte strings. */
  constructor(roots: readonly string[]) {
    this.#roots = roots;
    this.fd = openTable();
    this.#mounts = this.#read();
  }

  /** What has changed since the last call, at the roots and below. */
  changes(): MountChanges {
    const before = this.#mounts;
    this.#mounts = this.#read();
    return { mounted: without(before, this.#mounts), unmounted: without(this.#mounts, before) };
  }

  close(): void {
    if (this.fd >= 0) fs.closeSync(this.fd);
  }

  #read(): Map<string, Mount> {
    const mounts = new Map<string, Mount>();
    for (const line of readTable().split('\n')) {
      const [id, , , , where] = line.split(' ');
      // Behind optional fields and a hyphen: type and source.
      const source = line.split(' - ')[1]?.split(' ')[1];
      if (id === undefined || where === undefined || source === undefined) continue;
      const path = octalDecoded(where);
      if (this.#roots.some((root) => isInside(path, root))) mounts.set(id, { path, source: octalDecoded(source) });
    }
    return mounts;
  }
}

/** Those of `these` that are not in `those`. */
function without(those: ReadonlyMap<string, Mount>, these: ReadonlyMap<string, Mount>): Mount[] {
  return [...these].filter(([id, { path }]) => those.get(id)?.path !== path).map(([, mount]) => mount);
}

function isInside(path: string, root: string): boolean {
  return path === root || path.startsWith(root === '/' ? root : `${root}/`);
}

/** proc(5): space, tab, line break and backslash are octal numbers. */
function octalDecoded(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

function openTable(): number {
  try {
    return fs.openSync(TABLE, 'r');
  } catch {
    return -1;
  }
}

/** Opened anew: a descriptor that is polled must not be read from in between. */
function readTable(): string {
  try {
    return fs.readFileSync(TABLE, 'latin1');
  } catch {
    return '';
  }
}
