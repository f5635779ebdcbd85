// What people really run: the view of the tree that the events give must equal a real walk, as root through eBPF and
// fanotify, and as another user through inotify.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { requires } from '../support/capabilities.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const program = fileURLToPath(new URL('../support/workers/tree-check.mjs', import.meta.url));
const NOBODY = 65534;

interface Result {
  status: number;
  stderr: string;
  uid: number;
  events: number;
  gaps: number;
  withoutPid: number;
  lost: string;
  entries: number;
  differences: { path: string; problem: string }[];
}

/** A repository of 1,000 files, and a tarball of it, made once. */
const material = { repository: '', tarball: '', gitConfig: '' };

beforeAll(() => {
  const directory = temporaryDirectory('material');
  fs.chmodSync(directory, 0o755);
  fs.chmodSync(path.dirname(directory), 0o755);
  material.repository = path.join(directory, 'repository');
  material.tarball = path.join(directory, 'files.tar');
  // The repository is root's, and git wants to be told that this is meant when somebody else clones it.
  material.gitConfig = path.join(directory, 'gitconfig');
  fs.writeFileSync(material.gitConfig, '[safe]\n\tdirectory = *\n');
  const script = `
    mkdir repository && cd repository && git init -q . && git config user.email t@example.org && git config user.name t
    for d in 0 1 2 3 4 5 6 7 8 9; do mkdir -p src/d$d; for f in 0 1 2 3 4 5 6 7 8 9; do for g in 0 1 2 3 4 5 6 7 8 9; do
      echo "$d$f$g" > src/d$d/f$f$g; done; done; done
    git add -A && git commit -qm all && tar cf ../files.tar src`;
  const made = spawnSync('sh', ['-ec', script], { cwd: directory, encoding: 'utf8' });
  expect(made.stderr).toBe('');
});

function check(source: 'ebpf' | 'fanotify' | 'inotify', script: string): Result {
  const directory = temporaryDirectory('tree');
  const asNobody = source === 'inotify';
  if (asNobody) fs.chownSync(directory, NOBODY, NOBODY);
  fs.chmodSync(path.dirname(directory), 0o755);
  const command = [process.execPath, program, source, directory, script];
  const identity = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
  const [file = '', ...args] = asNobody ? [...identity, ...command] : command;
  const env = { ...process.env, HOME: directory, GIT_CONFIG_GLOBAL: material.gitConfig };
  const run = spawnSync(file, args, { encoding: 'utf8', env, timeout: 120_000, cwd: '/' });
  expect(run.stderr).toBe('');
  return JSON.parse(run.stdout) as Result;
}

const atomicSaves = Array.from(
  { length: 50 },
  (_, i) => `echo ${i} > .file.swp; sync .file.swp; mv .file.swp file`,
).join('; ');

describe.each([
  { source: 'ebpf' as const, needs: requires('bpf', 'git') },
  { source: 'fanotify' as const, needs: requires('fanotify', 'git') },
  { source: 'inotify' as const, needs: requires('otherUser', 'koffi', 'git') },
])('$source', ({ source, needs }) => {
  test.each<[string, () => string, number]>([
    ['git clone of 1,000 files', () => `git clone -q --no-hardlinks ${material.repository} copy`, 1000],
    ['tar x', () => `tar xf ${material.tarball}`, 1000],
    ['an editor’s atomic saves', () => atomicSaves, 1],
    [
      'rm -rf of a deep tree',
      () => 'p=.; for i in 1 2 3 4 5 6 7 8 9 10; do p=$p/d$i; mkdir -p $p/x $p/y; echo 1 > $p/f; done; rm -rf d1',
      0,
    ],
    [
      'a tree moved out, in and about',
      () => 'mkdir -p a/b/c; echo 1 > a/b/c/f; mv a z; mv z/b q; cp -r q r; rm -r z; mv r/c q/d',
      5,
    ],
    [
      'git checkout back and forth',
      () =>
        `git clone -q ${material.repository} c; cd c; git rm -rq src/d1; git -c user.email=a@b -c user.name=a commit -qm x; git checkout -q HEAD~1; git checkout -q -`,
      900,
    ],
  ])('the tree of %s equals a real walk', needs, (_what, script, entriesMin) => {
    const result = check(source, script());
    expect(result.stderr).toBe('');
    expect(result.status).toBe(0);
    expect(result.uid).toBe(source === 'inotify' ? NOBODY : process.getuid?.());
    expect({ differences: result.differences, gaps: result.gaps, lost: result.lost }).toEqual({
      differences: [],
      gaps: 0,
      lost: '0',
    });
    expect(result.entries).toBeGreaterThanOrEqual(entriesMin);
    expect(result.events).toBeGreaterThan(20);
    // inotify does not know who did it, and says so; eBPF always does, and fanotify but for what a scan has found.
    if (source === 'fanotify') expect(result.withoutPid).toBeLessThan(result.events / 20);
    else expect(result.withoutPid).toBe(source === 'ebpf' ? 0 : result.events);
  });
});
