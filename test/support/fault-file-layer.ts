// A file layer over memory that behaves as a disk does behind a page cache, for tests of power failures: nothing is on the disk before it was synced, and
// when the power fails, of everything that was not synced any part may have got there or not:
//   content     of each 512-byte sector, the state after any number of the writes that touched it; so writes tear at sectors and overtake each other
//   length      any of the lengths that the file had since it was synced, in their order
//   names       each creation, removal and renaming since the directory was synced, or not
// Call number k can be made to fail (with any errno, or as a short write), or to be the moment when the power fails: from there on every call fails, as a
// machine without power acknowledges nothing, and powerUp() gives the same disk with what got there.
// An fdatasync that fails leaves pages clean that are not on the disk, as Linux does: a later one that succeeds says nothing about them.

import path from 'node:path';
import { FileError, type FileLayer } from '../../src/journal/file-layer.ts';

export const SECTOR_LENGTH = 512;
const PAGE_LENGTH = 4096;
const EIO = 5;
const ENOENT_ERROR = 2;
const EEXIST = 17;

export type Call =
  | 'open'
  | 'close'
  | 'read'
  | 'write'
  | 'fdatasync'
  | 'syncDirectory'
  | 'preallocate'
  | 'truncate'
  | 'size'
  | 'rename'
  | 'unlink'
  | 'list';

/** What happens at call number `at` (from 1, of all calls): an errno, a write that is shorter than asked, or the power failing. */
export interface Fault {
  at: number;
  /** The last call that it happens at, to calls of that one kind; only `at` by default. */
  to?: number;
  call?: Call;
  kind: number | 'short' | 'power';
}

/** How a power failure chooses among what was not synced. */
export const CRASHES = ['nothing', 'everything', 'any', 'few', 'most', 'until'] as const;
export type Crash = (typeof CRASHES)[number];

interface Operation {
  /** In the order of all operations on the disk. */
  time: number;
  /** A write has bytes; a change of the length has none. */
  position: number;
  bytes: Uint8Array | undefined;
  length: number;
}

interface Inode {
  /** As the page cache has it. */
  content: Uint8Array;
  length: number;
  /** As the disk has it. */
  disk: Uint8Array;
  diskLength: number;
  /** Since the last sync. */
  operations: Operation[];
}

interface NameOperation {
  time: number;
  directory: string;
  apply(names: Map<string, Inode>): void;
}

interface State {
  names: Map<string, Inode>;
  /** As the disk has them. */
  diskNames: Map<string, Inode>;
  nameOperations: NameOperation[];
}

const emptyState = (): State => ({ names: new Map(), diskNames: new Map(), nameOperations: [] });

export class FaultFileLayer implements FileLayer {
  readonly #state: State;
  readonly #random: () => number;
  readonly #descriptors = new Map<number, Inode>();
  #nextDescriptor = 1_000_000;
  #time = 0;
  #hasPower = true;
  /** Calls so far, and the faults among them by kind of call. */
  calls = 0;
  readonly injected = new Map<string, number>();
  faults: readonly Fault[] = [];
  /** Called with each call before it is done. */
  onCall: ((call: Call, number: number) => void) | undefined;
  /** Changes what a read returns; the disk keeps what it has. */
  onRead: ((target: Uint8Array, position: number) => void) | undefined;
  /** fdatasync calls that failed. */
  failedSyncs = 0;

  constructor(random: () => number, state: State = emptyState()) {
    this.#random = random;
    this.#state = state;
  }

  /** A disk with these files, all of them synced. */
  static of(files: ReadonlyMap<string, Uint8Array>, random: () => number): FaultFileLayer {
    const names = new Map(
      [...files].map(([name, bytes]): [string, Inode] => {
        const { length } = bytes;
        return [name, { content: bytes.slice(), length, disk: bytes.slice(), diskLength: length, operations: [] }];
      }),
    );
    return new FaultFileLayer(random, { names, diskNames: new Map(names), nameOperations: [] });
  }

  /** Everything that a program sees, by name. */
  files(): Map<string, Uint8Array> {
    return new Map([...this.#state.names].map(([name, inode]) => [name, inode.content.slice(0, inode.length)]));
  }

  get hasPower(): boolean {
    return this.#hasPower;
  }

  /** The power fails now. */
  cutPower(): void {
    this.#hasPower = false;
  }

  /** The same disk after a power failure: with `crash` of what was not synced. */
  powerUp(crash: Crash, random: () => number = this.#random): FaultFileLayer {
    this.#hasPower = false;
    const until = Math.floor(random() * (this.#time + 1));
    const chance = crash === 'few' ? 0.1 : crash === 'most' ? 0.9 : 0.5;
    const survives = (time: number): boolean => {
      if (crash === 'nothing') return false;
      if (crash === 'everything') return true;
      return crash === 'until' ? time <= until : random() < chance;
    };
    const names = new Map(this.#state.diskNames);
    for (const operation of this.#state.nameOperations) if (survives(operation.time)) operation.apply(names);
    const inodes = new Map<Inode, Inode>();
    for (const inode of new Set(names.values()))
      inodes.set(inode, afterPowerFailure(inode, crash, survives, until, random));
    return new FaultFileLayer(this.#random, restored(names, inodes));
  }

  /** The same machine after kill -9 of the process: the page cache stays, what is still open is of no use. */
  afterKill(): FaultFileLayer {
    this.#hasPower = false;
    return new FaultFileLayer(this.#random, this.#state);
  }

  /** A copy of the disk and of its page cache: what happens to it does not happen to this one. */
  clone(random: () => number = this.#random): FaultFileLayer {
    const copies = new Map<Inode, Inode>();
    const copyOf = (inode: Inode): Inode => {
      const known = copies.get(inode);
      if (known !== undefined) return known;
      const copy = {
        ...inode,
        content: inode.content.slice(),
        disk: inode.disk.slice(),
        operations: [...inode.operations],
      };
      copies.set(inode, copy);
      return copy;
    };
    const names = new Map([...this.#state.names].map(([name, inode]) => [name, copyOf(inode)]));
    const diskNames = new Map([...this.#state.diskNames].map(([name, inode]) => [name, copyOf(inode)]));
    if (this.#state.nameOperations.length > 0) throw new Error('clone() of a disk with unsynced names');
    return new FaultFileLayer(random, { names, diskNames, nameOperations: [] });
  }

  /** What a program sees: names and contents. */
  dump(): Map<string, string> {
    const files = [...this.#state.names].sort(([a], [b]) => (a < b ? -1 : 1));
    return new Map(
      files.map(([name, inode]) => [name, Buffer.from(inode.content.subarray(0, inode.length)).toString('base64')]),
    );
  }

  /** Bytes of a file as the page cache has them, to be changed in place: damage. undefined when there is none. */
  contentOf(name: string): Uint8Array | undefined {
    const inode = this.#state.names.get(name);
    return inode?.content.subarray(0, inode.length);
  }

  open(name: string, flags: string | number): number {
    this.#enter('open');
    if (typeof flags === 'number') throw new Error(`flags=${flags}`);
    let inode = this.#state.names.get(name);
    if (inode !== undefined && flags.includes('x')) throw new FileError('open', EEXIST);
    if (inode === undefined) {
      if (flags.startsWith('r')) throw new FileError('open', ENOENT_ERROR);
      const made: Inode = {
        content: new Uint8Array(0),
        length: 0,
        disk: new Uint8Array(0),
        diskLength: 0,
        operations: [],
      };
      inode = made;
      this.#rename(name, (names) => names.set(name, made));
    } else if (flags.startsWith('w')) {
      this.#setLength(inode, 0);
    }
    const fd = this.#nextDescriptor++;
    this.#descriptors.set(fd, inode);
    return fd;
  }

  close(fd: number): void {
    // Never a fault: Linux closes the descriptor whatever it answers, and nobody can do anything about it.
    if (!this.#descriptors.delete(fd)) throw new Error(`close of a descriptor that is not open: fd=${fd}`);
  }

  read(fd: number, target: Uint8Array, position: number): number {
    this.#enter('read');
    const inode = this.#inode(fd);
    const bytes = inode.content.subarray(position, Math.min(inode.length, position + target.length));
    target.set(bytes);
    this.onRead?.(target.subarray(0, bytes.length), position);
    return bytes.length;
  }

  write(fd: number, source: Uint8Array, position: number): number {
    const fault = this.#enter('write');
    const inode = this.#inode(fd);
    const taken = fault === 'short' ? source.subarray(0, Math.ceil(source.length * this.#random())) : source;
    const bytes = Uint8Array.from(taken);
    if (position + bytes.length > inode.length) this.#setLength(inode, position + bytes.length);
    this.#time += 1;
    inode.operations.push({ time: this.#time, position, bytes, length: 0 });
    inode.content.set(bytes, position);
    return bytes.length;
  }

  fdatasync(fd: number): void {
    const inode = this.#inode(fd);
    try {
      this.#enter('fdatasync');
    } catch (error) {
      this.failedSyncs += 1;
      // Each page got there or not, and is clean either way.
      if (this.#hasPower) this.#sync(inode, () => this.#random() < 0.5);
      throw error;
    }
    this.#sync(inode, () => true);
  }

  syncDirectory(name: string): void {
    this.#enter('syncDirectory');
    const state = this.#state;
    const isHere = (operation: NameOperation): boolean => operation.directory === name;
    for (const operation of state.nameOperations.filter(isHere)) operation.apply(state.diskNames);
    state.nameOperations = state.nameOperations.filter((operation) => !isHere(operation));
  }

  preallocate(fd: number, position: number, length: number): void {
    this.#enter('preallocate');
    const inode = this.#inode(fd);
    if (position + length > inode.length) this.#setLength(inode, position + length);
  }

  punch(): boolean {
    return false;
  }

  truncate(fd: number, length: number): void {
    this.#enter('truncate');
    this.#setLength(this.#inode(fd), length);
  }

  size(fd: number): number {
    this.#enter('size');
    return this.#inode(fd).length;
  }

  rename(from: string, to: string): void {
    this.#enter('rename');
    const inode = this.#state.names.get(from);
    if (inode === undefined) throw new FileError('rename', ENOENT_ERROR);
    this.#rename(to, (names) => {
      if (names.get(from) === inode) names.delete(from);
      names.set(to, inode);
    });
  }

  unlink(name: string): void {
    this.#enter('unlink');
    const inode = this.#state.names.get(name);
    if (inode === undefined) throw new FileError('unlink', ENOENT_ERROR);
    this.#rename(name, (names) => {
      if (names.get(name) === inode) names.delete(name);
    });
  }

  list(directory: string): string[] {
    this.#enter('list');
    return [...this.#state.names.keys()]
      .filter((name) => path.dirname(name) === directory)
      .map((name) => path.basename(name));
  }

  exists(name: string): boolean {
    return this.#state.names.has(name);
  }

  /** Counts the call; throws or answers what was planned for it. */
  #enter(call: Call): 'short' | undefined {
    if (!this.#hasPower) throw new FileError(call, EIO);
    this.calls += 1;
    this.onCall?.(call, this.calls);
    const fault = this.faults.find(
      (planned) =>
        this.calls >= planned.at && this.calls <= (planned.to ?? planned.at) && (planned.call ?? call) === call,
    );
    if (fault === undefined) return undefined;
    if (fault.kind === 'short') {
      if (call !== 'write') return undefined;
      this.#count(call, 'short');
      return 'short';
    }
    this.#count(call, fault.kind === 'power' ? 'power' : new FileError(call, fault.kind).code);
    if (fault.kind === 'power') {
      this.#hasPower = false;
      throw new FileError(call, EIO);
    }
    throw new FileError(call, fault.kind);
  }

  #count(call: Call, kind: string): void {
    const key = `${call} ${kind}`;
    this.injected.set(key, (this.injected.get(key) ?? 0) + 1);
  }

  #inode(fd: number): Inode {
    const inode = this.#descriptors.get(fd);
    if (inode === undefined) throw new Error(`fd=${fd} is not open`);
    return inode;
  }

  #rename(name: string, apply: NameOperation['apply']): void {
    apply(this.#state.names);
    this.#time += 1;
    this.#state.nameOperations.push({ time: this.#time, directory: path.dirname(name), apply });
  }

  #setLength(inode: Inode, length: number): void {
    this.#time += 1;
    inode.operations.push({ time: this.#time, position: 0, bytes: undefined, length });
    inode.content = resized(inode.content, inode.length, length);
    inode.length = length;
  }

  /** Brings the pages that were written since the last sync to the disk, those that `isWritten` says. */
  #sync(inode: Inode, isWritten: () => boolean): void {
    if (inode.diskLength !== inode.length || inode.operations.some(({ bytes }) => bytes === undefined)) {
      for (const { bytes, length } of inode.operations) {
        if (bytes !== undefined) continue;
        inode.disk = resized(inode.disk, inode.diskLength, length);
        inode.diskLength = length;
      }
    }
    for (const page of unitsOf(inode.operations, PAGE_LENGTH)) {
      const from = page * PAGE_LENGTH;
      const to = Math.min(from + PAGE_LENGTH, inode.length);
      if (from < to && isWritten()) inode.disk.set(inode.content.subarray(from, to), from);
    }
    inode.operations = [];
  }
}

/** Numbers of the sectors or pages that were written. */
function unitsOf(operations: readonly Operation[], unit: number): Set<number> {
  const units = new Set<number>();
  for (const { position, bytes } of operations) {
    if (bytes === undefined || bytes.length === 0) continue;
    for (let number = Math.floor(position / unit); number * unit < position + bytes.length; number++) units.add(number);
  }
  return units;
}

/** The first `length` bytes, and zeros behind them. */
function resized(bytes: Uint8Array, before: number, length: number): Uint8Array {
  if (length <= bytes.length) {
    if (length < before) bytes.fill(0, length);
    return bytes;
  }
  const longer = new Uint8Array(length);
  longer.set(bytes.subarray(0, before));
  return longer;
}

function restored(names: Map<string, Inode>, inodes: Map<Inode, Inode>): State {
  const found = new Map([...names].map(([name, inode]) => [name, inodes.get(inode) as Inode]));
  return { names: found, diskNames: new Map(found), nameOperations: [] };
}

function afterPowerFailure(
  inode: Inode,
  crash: Crash,
  survives: (time: number) => boolean,
  until: number,
  random: () => number,
): Inode {
  const { operations } = inode;
  const lengths = operations.filter(({ bytes }) => bytes === undefined);
  // Lengths are ordered: the file system keeps a journal of its own.
  const kept =
    crash === 'any' || crash === 'few' || crash === 'most'
      ? Math.floor(random() * (lengths.length + 1))
      : lengths.filter(({ time }) => survives(time)).length;
  const lastLength = kept === 0 ? -1 : (lengths[kept - 1] as Operation).time;
  const sectors = new Map<number, number>();
  for (const sector of unitsOf(operations, SECTOR_LENGTH)) {
    sectors.set(sector, lastWriteOf(sector, operations, crash, survives, until, random));
  }
  let bytes: Uint8Array = inode.disk.slice();
  let length = inode.diskLength;
  for (const operation of operations) {
    if (operation.bytes === undefined) {
      if (operation.time > lastLength) continue;
      bytes = resized(bytes, length, operation.length);
      length = operation.length;
    } else {
      bytes = writeSectors(bytes, operation, (sector) => operation.time <= (sectors.get(sector) as number));
    }
  }
  const content = resized(bytes, bytes.length, Math.max(length, bytes.length)).slice(0, length);
  return { content, length, disk: content.slice(), diskLength: length, operations: [] };
}

/** Time of the last write to the sector that got to the disk; -1 when none did. */
function lastWriteOf(
  sector: number,
  operations: readonly Operation[],
  crash: Crash,
  survives: (time: number) => boolean,
  until: number,
  random: () => number,
): number {
  const from = sector * SECTOR_LENGTH;
  let last = -1;
  for (const { time, position, bytes } of operations) {
    if (bytes === undefined || position >= from + SECTOR_LENGTH || position + bytes.length <= from) continue;
    // The write that the power failed in is torn anywhere.
    if (crash === 'until' && time === until && random() < 0.5) continue;
    if (survives(time)) last = time;
  }
  return last;
}

function writeSectors(target: Uint8Array, operation: Operation, isWritten: (sector: number) => boolean): Uint8Array {
  const { position } = operation;
  const source = operation.bytes as Uint8Array;
  const end = position + source.length;
  let bytes = target;
  for (let at = position; at < end; ) {
    const sector = Math.floor(at / SECTOR_LENGTH);
    const to = Math.min((sector + 1) * SECTOR_LENGTH, end);
    if (isWritten(sector)) {
      if (bytes.length < to) bytes = resized(bytes, bytes.length, Math.max(to, bytes.length * 2));
      bytes.set(source.subarray(at - position, to - position), at);
    }
    at = to;
  }
  return bytes;
}
