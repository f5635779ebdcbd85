// Mode and owner of a name, compared with what is known of it.

import type { Stats } from 'node:fs';
import { KERNEL_OP_FILE_CHMOD, KERNEL_OP_FILE_CHOWN } from '../../../layout/kernel-record.ts';
import type { Emitter } from './emitter.ts';
import type { KnownNode, KnownTree } from './known-tree.ts';

const PERMISSION_BITS = 0o7777;

/** Reports what differs in mode and owner from what is known, and learns it. */
export function compareAttributes(
  { tree, emitter }: { tree: KnownTree; emitter: Emitter },
  node: KnownNode,
  stat: Stats,
  variant: number,
): void {
  const report = { variant, path: tree.path(node), stat, isDirectory: stat.isDirectory() };
  const isKnown = node.mode !== 0;
  if (isKnown && (node.uid !== stat.uid || node.gid !== stat.gid)) {
    const argument = (BigInt(stat.uid) << 32n) | BigInt(stat.gid);
    emitter.emit({ op: KERNEL_OP_FILE_CHOWN, argument, ...report });
  }
  if (isKnown && (node.mode ^ stat.mode) & PERMISSION_BITS) {
    emitter.emit({ op: KERNEL_OP_FILE_CHMOD, argument: BigInt(stat.mode & PERMISSION_BITS), ...report });
  }
  tree.learn(node, stat);
}
