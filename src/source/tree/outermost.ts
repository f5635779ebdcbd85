// Roots that lie in each other.

/** A root inside another one is watched with it. */
export function outermost(roots: readonly string[]): string[] {
  const isInside = (path: string, root: string) => path.startsWith(root === '/' ? '/' : `${root}/`);
  return [...new Set(roots)].filter((path) => !roots.some((root) => root !== path && isInside(path, root)));
}
