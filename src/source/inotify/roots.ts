// How the roots are watched. A root's own fate - deleted, renamed, replaced by an editor's atomic save, created again - is an event of its parent, so
// the parent is watched too, for that one name. Where the parent may not be watched, the root's own watch tells that it is gone, and no more.

import type { KnownNode } from '../tree/known-tree.ts';
import { lookAt } from '../tree/look.ts';
import { outermost } from '../tree/outermost.ts';
import { IN_DELETE_SELF, IN_DONT_FOLLOW, IN_MOVE_SELF, IN_ONLYDIR } from './abi.ts';
import { STRUCTURE_MASK } from './mask.ts';
import type { Settler } from './settler.ts';
import type { WatchedTree } from './watched-tree.ts';

/** @param roots Absolute real paths as byte strings. What is there already is entered into the tree and not reported. */
export function watchRoots(
  watched: WatchedTree,
  settler: Settler,
  roots: readonly string[],
  mask: number,
  failed: (errno: string, path: string) => void,
): void {
  const parents = new Map<string, KnownNode>();
  for (const root of outermost(roots)) {
    if (root === '/') watchTop(watched, settler, mask, failed);
    else watchRoot(watched, settler, root, mask, parents, failed);
  }
}

function watchTop(
  watched: WatchedTree,
  settler: Settler,
  mask: number,
  failed: (errno: string, path: string) => void,
): void {
  const top = watched.tree.addTop('/');
  if (!watched.tryWatch(top, mask | IN_ONLYDIR)) failed('EACCES', '/');
  settler.list(top, false);
}

function watchRoot(
  watched: WatchedTree,
  settler: Settler,
  root: string,
  mask: number,
  parents: Map<string, KnownNode>,
  failed: (errno: string, path: string) => void,
): void {
  const slash = root.lastIndexOf('/');
  const directory = slash === 0 ? '/' : root.slice(0, slash);
  const name = root.slice(slash + 1);
  const stat = lookAt(root);
  let parent = parents.get(directory);
  if (parent === undefined) {
    parent = watched.tree.addTop(directory);
    parents.set(directory, parent);
  }
  const { tree } = watched;
  if (parent.directory === undefined) return;
  parent.directory.only ??= new Set();
  parent.directory.only.add(name);
  parent.directory.device = lookAt(directory)?.dev ?? 0;
  const isFile = stat !== undefined && !stat.isDirectory();
  const isFollowed = watched.tryWatch(parent, IN_ONLYDIR | (isFile ? mask : STRUCTURE_MASK));
  if (stat === undefined) {
    failed('ENOENT', root);
    return;
  }
  if (isFile || !isFollowed) {
    const node = tree.add(parent, name, { isDirectory: !isFile, stat });
    if (isFollowed) return;
    const own = isFile ? 0 : IN_ONLYDIR;
    if (!watched.tryWatch(node, mask | IN_DELETE_SELF | IN_MOVE_SELF | IN_DONT_FOLLOW | own)) failed('EACCES', root);
    if (!isFile) settler.list(node, false);
    return;
  }
  const node = watched.add(parent, name, { stat, variant: 0, report: false });
  if (node !== undefined) settler.list(node, false);
}
