// How the roots are followed. A root's own fate - deleted, renamed, replaced by an editor's atomic save, created again - is an event of its parent, so the
// parent is known too, for that one name. A root that is a mount point can suffer none of it: its parent is on another file system, and not marked.

import type { KnownNode } from '../tree/known-tree.ts';
import { lookAt } from '../tree/look.ts';
import { outermost } from '../tree/outermost.ts';
import type { FollowedTree } from './followed-tree.ts';
import type { Settler } from './settler.ts';

/** @param roots Absolute real paths as byte strings. What is there already is entered into the tree and not reported. */
export function followRoots(
  followed: FollowedTree,
  settler: Settler,
  roots: readonly string[],
  failed: (errno: string, path: string) => void,
): void {
  const parents = new Map<string, KnownNode>();
  for (const root of outermost(roots)) {
    if (root === '/') followTop(followed, settler);
    else followRoot(followed, settler, root, parents, failed);
  }
}

function followTop(followed: FollowedTree, settler: Settler): void {
  const top = followed.tree.addTop('/');
  const stat = lookAt('/');
  if (stat === undefined) return;
  if (top.directory !== undefined) top.directory.device = stat.dev;
  followed.bind(top, followed.handleAt('/', stat));
  settler.listRoot(top);
}

function followRoot(
  followed: FollowedTree,
  settler: Settler,
  root: string,
  parents: Map<string, KnownNode>,
  failed: (errno: string, path: string) => void,
): void {
  const slash = root.lastIndexOf('/');
  const name = root.slice(slash + 1);
  const directory = slash === 0 ? '/' : root.slice(0, slash);
  const stat = lookAt(root);
  // Before the parent: that is known only as far as its file system is marked for a root.
  const handle = stat === undefined ? '' : followed.handleAt(root, stat);
  const parent = parentOf(followed, directory, parents, stat === undefined);
  parent.directory?.only?.add(name);
  if (stat === undefined) {
    failed('ENOENT', root);
    return;
  }
  const isDirectory = stat.isDirectory();
  const node = followed.add(parent, name, { stat, isDirectory, handle, variant: 0, report: false });
  if (isDirectory) settler.listRoot(node);
}

function parentOf(followed: FollowedTree, path: string, parents: Map<string, KnownNode>, isMarked: boolean): KnownNode {
  const known = parents.get(path);
  const node = known ?? followed.tree.addTop(path);
  parents.set(path, node);
  const { directory } = node;
  const stat = lookAt(path);
  if (directory === undefined || stat === undefined) return node;
  directory.only ??= new Set();
  directory.device = stat.dev;
  if (node.handle === '' && (isMarked || followed.handles.knows(stat.dev))) {
    followed.bind(node, followed.handleAt(path, stat));
  }
  return node;
}
