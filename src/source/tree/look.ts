// Looks at the file system by path: what is there now, which need not be what was there when an event was queued.

import fs, { type Stats } from 'node:fs';

/** undefined: not there, or nothing can be known of it. */
export function lookAt(path: string): Stats | undefined {
  try {
    return fs.lstatSync(toBytes(path), { throwIfNoEntry: false });
  } catch {
    // EACCES, ENAMETOOLONG
    return undefined;
  }
}

/** Whether something may be there that cannot be looked at: a file system that somebody else has mounted, privileges that were given up. */
export function isHidden(path: string): boolean {
  try {
    fs.lstatSync(toBytes(path), { throwIfNoEntry: false });
    return false;
  } catch {
    return true;
  }
}

/** What a path says that leads nowhere any more. */
export const GONE_ERRNOS: readonly string[] = ['ENOENT', 'ENOTDIR', 'ELOOP'];

/** Why a directory that is there cannot be read; undefined: it can be, or is not there. */
export function whyUnreadable(path: string): string | undefined {
  try {
    fs.readdirSync(toBytes(path), { encoding: 'latin1' });
    return undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'EIO';
    return GONE_ERRNOS.includes(code) ? undefined : code;
  }
}

/** Names in a directory as byte strings; undefined: gone, or not to be read. */
export function namesIn(path: string): string[] | undefined {
  try {
    return fs.readdirSync(toBytes(path), { encoding: 'latin1' });
  } catch {
    return undefined;
  }
}

/** Text of a symbolic link; empty if it is gone. */
export function linkText(path: string): string {
  try {
    return fs.readlinkSync(toBytes(path), { encoding: 'latin1' });
  } catch {
    return '';
  }
}

export function toBytes(path: string): Buffer {
  return Buffer.from(path === '' ? '/' : path, 'latin1');
}
