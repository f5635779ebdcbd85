// One process of the storm: `node storm-worker.js <directory> <seconds> <seed>`. Makes this directory, works below it with a seeded choice of operations, and
// at the end prints how many of each it has done: {"operations":{"fs.create":812,...},"failed":3}.

import {
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';

const FILES_MAX = 1500;
const DIRECTORIES_MAX = 150;
/** How many operations between two looks at the clock. */
const BATCH = 64;

interface Entry {
  path: string;
  kind: 'file' | 'symlink';
  /** The same for all names of one file. */
  file: number;
  linked?: boolean;
}

class Storm {
  readonly counts: Record<string, number> = {};
  failed = 0;
  readonly #random: () => number;
  readonly #root: string;
  readonly #entries: Entry[] = [];
  readonly #directories: string[];
  #names = 0;

  constructor(root: string, seed: number) {
    this.#root = root;
    this.#random = randomFrom(seed);
    this.#directories = [root];
    mkdirSync(root);
    this.#count('fs.mkdir');
  }

  step(): void {
    const roll = this.#random();
    if (roll < 0.24) this.#create();
    else if (roll < 0.5) this.#write();
    else if (roll < 0.62) this.#rename();
    else if (roll < 0.78) this.#unlink();
    else if (roll < 0.83) this.#makeDirectory();
    else if (roll < 0.87) this.#removeDirectory();
    else if (roll < 0.89) this.#renameDirectory();
    else if (roll < 0.93) this.#link();
    else if (roll < 0.96) this.#symlink();
    else if (roll < 0.98) this.#truncate();
    else this.#chmod();
  }

  #create(): void {
    if (this.#entries.length >= FILES_MAX) {
      this.#unlink();
      return;
    }
    const target = this.#newPath();
    closeSync(openSync(target, 'wx'));
    this.#entries.push({ path: target, kind: 'file', file: this.#names });
    this.#count('fs.create');
  }

  #write(): void {
    const entry = this.#pick(this.#entries.filter(isFile));
    if (entry === undefined) return;
    const fd = openSync(entry.path, 'r+');
    const pieces = 1 + Math.floor(this.#random() * 3);
    for (let piece = 0; piece < pieces; piece++) {
      writeSync(fd, 'x'.repeat(1 + Math.floor(this.#random() * 200)));
      this.#count('fs.write');
    }
    closeSync(fd);
  }

  /** Onto a new name, and now and then onto one that is taken: that replaces it. */
  #rename(): void {
    const entry = this.#pick(this.#entries);
    if (entry === undefined) return;
    const other = this.#random() < 0.2 ? this.#pick(this.#entries) : undefined;
    // Two names of one file: rename(2) then does nothing, and succeeds. It is not counted, so it is not done.
    if (other !== undefined && other.file === entry.file) return;
    const target = other?.path ?? this.#newPath();
    renameSync(entry.path, target);
    if (other !== undefined) this.#entries.splice(this.#entries.indexOf(other), 1);
    entry.path = target;
    this.#count('fs.rename');
  }

  #unlink(): void {
    const entry = this.#pick(this.#entries);
    if (entry === undefined) return;
    unlinkSync(entry.path);
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    this.#count('fs.delete');
  }

  #makeDirectory(): void {
    if (this.#directories.length >= DIRECTORIES_MAX) {
      this.#removeDirectory();
      return;
    }
    const target = this.#newPath();
    mkdirSync(target);
    this.#directories.push(target);
    this.#count('fs.mkdir');
  }

  /** Whatever it holds: one that is not empty is refused, and that is an operation that fails. */
  #removeDirectory(): void {
    const target = this.#pickDirectory();
    if (target === undefined) return;
    try {
      rmdirSync(target);
    } catch {
      this.failed++;
      return;
    }
    this.#directories.splice(this.#directories.indexOf(target), 1);
    this.#count('fs.rmdir');
  }

  #renameDirectory(): void {
    const from = this.#pickDirectory();
    if (from === undefined) return;
    const parent =
      this.#pick(this.#directories.filter((directory) => directory !== from && !directory.startsWith(`${from}/`))) ??
      this.#root;
    const to = path.join(parent, this.#newName());
    renameSync(from, to);
    const moved = (name: string): string =>
      name === from || name.startsWith(`${from}/`) ? to + name.slice(from.length) : name;
    for (const entry of this.#entries) entry.path = moved(entry.path);
    for (const [index, directory] of this.#directories.entries()) this.#directories[index] = moved(directory);
    this.#count('fs.rename');
  }

  #link(): void {
    const entry = this.#pick(this.#entries.filter(isFile));
    if (entry === undefined || this.#entries.length >= FILES_MAX) return;
    const target = this.#newPath();
    linkSync(entry.path, target);
    entry.linked = true;
    this.#entries.push({ path: target, kind: 'file', file: entry.file, linked: true });
    this.#count('fs.hardlink');
  }

  #symlink(): void {
    if (this.#entries.length >= FILES_MAX) return;
    const target = this.#newPath();
    symlinkSync(`points-nowhere-${this.#names}`, target);
    this.#entries.push({ path: target, kind: 'symlink', file: this.#names });
    this.#count('fs.symlink');
  }

  #truncate(): void {
    const entry = this.#pick(this.#entries.filter(isFile));
    if (entry === undefined) return;
    truncateSync(entry.path, 0);
    this.#count('fs.truncate');
  }

  /** Of files with one name: what it does to the others, an event about one name does not tell. */
  #chmod(): void {
    const entry = this.#pick(this.#entries.filter((candidate) => isFile(candidate) && candidate.linked !== true));
    if (entry === undefined) return;
    chmodSync(entry.path, this.#random() < 0.5 ? 0o600 : 0o644);
    this.#count('fs.chmod');
  }

  #count(type: string): void {
    this.counts[type] = (this.counts[type] ?? 0) + 1;
  }

  #newName(): string {
    return `n${(this.#names++).toString(36)}`;
  }

  #newPath(): string {
    return path.join(this.#pick(this.#directories) ?? this.#root, this.#newName());
  }

  #pickDirectory(): string | undefined {
    const picked = this.#pick(this.#directories);
    return picked === this.#root ? undefined : picked;
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.#random() * list.length)];
  }
}

function isFile(entry: Entry): boolean {
  return entry.kind === 'file';
}

/** mulberry32: small, and the same everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function main([directory = '.', seconds = '1', seed = '1']: readonly string[]): void {
  const storm = new Storm(directory, Number(seed));
  const deadline = performance.now() + Number(seconds) * 1000;
  while (performance.now() < deadline) {
    for (let index = 0; index < BATCH; index++) storm.step();
  }
  process.stdout.write(`${JSON.stringify({ operations: storm.counts, failed: storm.failed })}\n`);
}

main(process.argv.slice(2));
