// Becoming an unprivileged user once everything privileged is set up: what was attached and mapped goes on without capabilities.

import fs from 'node:fs';
import path from 'node:path';
import { CausewayError, messageOf } from '../base/errors.ts';

interface Account {
  uid: number;
  gid: number;
}

/**
 * Drops to the user: its one group, then its uid, for every thread of the process (libuv calls glibc, which tells all threads). The journal's
 * directory is given to the user first: its next segments are made without privileges.
 * @throws CausewayError CONFIG_INVALID for an unknown user, CAPABILITY_MISSING when this process may not.
 */
export function becomeUser(user: string | number, journalDirectory: string | undefined): void {
  const account = findAccount(user);
  if (process.getuid?.() !== 0) {
    if (process.getuid?.() === account.uid) return;
    throw new CausewayError('CAPABILITY_MISSING', `only root can become user ${user}: uid=${process.getuid?.()}`);
  }
  try {
    if (journalDirectory !== undefined) giveTree(journalDirectory, account);
    process.setgroups?.([account.gid]);
    process.setgid?.(account.gid);
    process.setuid?.(account.uid);
  } catch (error) {
    throw new CausewayError('CAPABILITY_MISSING', `cannot become user ${user}: ${messageOf(error)}`, { cause: error });
  }
}

function giveTree(directory: string, account: Account): void {
  for (const name of fs.readdirSync(directory)) fs.lchownSync(path.join(directory, name), account.uid, account.gid);
  fs.lchownSync(directory, account.uid, account.gid);
}

/** From /etc/passwd (passwd(5)): name:password:uid:gid:... */
function findAccount(user: string | number): Account {
  const lines = fs.readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const line of lines) {
    const [name, , uid, gid] = line.split(':');
    if (name === String(user) || uid === String(user)) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new CausewayError('CONFIG_INVALID', `no such user: ${user}`);
}
