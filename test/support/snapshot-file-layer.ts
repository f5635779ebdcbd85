// The real file layer, which remembers what was synced: for journals whose files are mapped, so that the kernel may write any page at any time and no layer
// sees it. At any of its calls the power can fail: what is synced by then is kept, and of all else any 512-byte sector, and any name, or none.

import fs from 'node:fs';
import path from 'node:path';
import { loadNative } from '../../src/arena/native.ts';
import { NodeFileLayer } from '../../src/journal/file-layer.ts';
import { FaultFileLayer, SECTOR_LENGTH } from './fault-file-layer.ts';

export class SnapshotFileLayer extends NodeFileLayer {
  readonly #directory: string;
  /** Files are numbered as they are made: the kernel gives the number of an inode to the next one. */
  #numbers = new Map<string, number>();
  #syncedNumbers: Map<string, number>;
  #nextNumber = 1;
  /** By number: the content when it was synced last. */
  readonly #synced = new Map<number, Buffer>();
  readonly #paths = new Map<number, string>();
  calls = 0;
  onCall: (() => void) | undefined;

  /** What is there now counts as synced. */
  constructor(directory: string) {
    super(loadNative());
    this.#directory = directory;
    for (const name of fs.readdirSync(directory)) {
      if (name === 'lock') continue;
      this.#synced.set(this.#nextNumber, fs.readFileSync(path.join(directory, name)));
      this.#numbers.set(path.join(directory, name), this.#nextNumber++);
    }
    this.#syncedNumbers = new Map(this.#numbers);
  }

  override open(file: string, flags: string | number, mode?: number): number {
    this.#enter();
    const fd = super.open(file, flags, mode);
    if (!this.#numbers.has(file)) this.#numbers.set(file, this.#nextNumber++);
    this.#paths.set(fd, file);
    return fd;
  }

  override fdatasync(fd: number): void {
    this.#enter();
    const file = this.#paths.get(fd) as string;
    this.#synced.set(this.#numbers.get(file) as number, fs.readFileSync(file));
  }

  override syncDirectory(directory: string): void {
    this.#enter();
    if (directory === this.#directory) this.#syncedNumbers = new Map(this.#numbers);
  }

  override write(fd: number, source: Uint8Array, position: number): number {
    this.#enter();
    return super.write(fd, source, position);
  }

  override preallocate(fd: number, position: number, length: number): void {
    this.#enter();
    super.preallocate(fd, position, length);
  }

  override truncate(fd: number, length: number): void {
    this.#enter();
    super.truncate(fd, length);
  }

  override rename(from: string, to: string): void {
    this.#enter();
    super.rename(from, to);
    this.#numbers.set(to, this.#numbers.get(from) as number);
    this.#numbers.delete(from);
  }

  override unlink(file: string): void {
    this.#enter();
    super.unlink(file);
    this.#numbers.delete(file);
  }

  /** A disk in memory as a power failure would leave this one now. `chance` that what was not synced is there, 0 to 1. */
  afterPowerFailure(random: () => number, chance: number): FaultFileLayer {
    const files = new Map<string, Uint8Array>();
    for (const file of new Set([...this.#numbers.keys(), ...this.#syncedNumbers.keys()])) {
      const number = (random() < chance ? this.#numbers : this.#syncedNumbers).get(file);
      if (number === undefined) continue;
      const now = [...this.#numbers].find(([, other]) => other === number)?.[0];
      const before = this.#synced.get(number) ?? Buffer.alloc(0);
      files.set(file, mixed(before, now === undefined ? before : fs.readFileSync(now), random, chance));
    }
    return FaultFileLayer.of(files, random);
  }

  #enter(): void {
    this.calls += 1;
    this.onCall?.();
  }
}

/** Sectors of the one or the other, and the length of one of them. */
function mixed(before: Buffer, current: Buffer, random: () => number, chance: number): Uint8Array {
  const bytes = new Uint8Array(random() < chance ? current.length : before.length);
  for (let at = 0; at < bytes.length; at += SECTOR_LENGTH) {
    const sector = (random() < chance ? current : before).subarray(at, Math.min(at + SECTOR_LENGTH, bytes.length));
    bytes.set(sector, at);
  }
  return bytes;
}
