// Synthetic traces, for benches and tests: some processes that edit, build, check out, search and clean up in a source tree. The same seed gives the same
// bytes. The operations are consistent: what is written was opened, what is deleted was there.

import {
  KERNEL_FLAG_DIRECTORY,
  KERNEL_OP_DIR_CREATE,
  KERNEL_OP_DIR_READ,
  KERNEL_OP_FILE_CHMOD,
  KERNEL_OP_FILE_CLOSE,
  KERNEL_OP_FILE_CREATE,
  KERNEL_OP_FILE_DELETE,
  KERNEL_OP_FILE_OPEN,
  KERNEL_OP_FILE_READ,
  KERNEL_OP_FILE_RENAME,
  KERNEL_OP_FILE_WRITE,
  KERNEL_OP_HARDLINK_CREATE,
  KERNEL_OP_SYMLINK_CREATE,
  KERNEL_OP_SYNC,
  KERNEL_RECORD_LENGTH_MAX,
  KERNEL_VARIANT_CLOSE,
  KERNEL_VARIANT_FCHMODAT,
  KERNEL_VARIANT_FSYNC,
  KERNEL_VARIANT_GETDENTS64,
  KERNEL_VARIANT_LINKAT,
  KERNEL_VARIANT_MKDIRAT,
  KERNEL_VARIANT_OPENAT,
  KERNEL_VARIANT_PREAD64,
  KERNEL_VARIANT_READ,
  KERNEL_VARIANT_RENAMEAT2,
  KERNEL_VARIANT_SYMLINKAT,
  KERNEL_VARIANT_UNLINKAT,
  KERNEL_VARIANT_WRITE,
} from '../../../layout/kernel-record.ts';
import { seededRandom } from '../../base/random.ts';
import { encodeKernelRecord, type KernelRecord, kernelRecord } from '../../event/kernel-record.ts';
import { TraceRecorder } from './recorder.ts';

const DIRECTORY_MODE = 0o040755;
const FILE_MODE = 0o100644;
const ENOENT = 2;
const DIRECTORIES_MAX = 2000;
const FILES_MAX = 20000;
const NAMES = [
  'index',
  'main',
  'parser',
  'ring',
  'entry',
  'config',
  'utils',
  'server',
  'schema',
  'render',
  'worker',
  'model',
];
const ENDINGS = ['.ts', '.js', '.json', '.md', '.test.ts', '.d.ts', '.c', '.h', '.css'];
const COMMANDS = ['node', 'git', 'tsc', 'vim', 'make', 'cc1', 'rg', 'tar'];

interface File {
  path: Buffer;
  inode: bigint;
  size: bigint;
}

interface Process {
  pid: number;
  comm: Buffer;
  uid: number;
}

export interface TraceGeneratorOptions {
  seed: number;
  /** Lanes that the records are spread over. Default 4. */
  lanes?: number;
  /** Directory that all paths lie in. Default /work/project. */
  root?: string;
  /** CLOCK_MONOTONIC of the first record. */
  startNs?: bigint;
  /** Mean time between two records. Default 2000. */
  intervalNs?: number;
}

export class TraceGenerator {
  readonly #random: () => number;
  readonly #lanes: bigint[];
  readonly #intervalNs: number;
  readonly #root: Buffer;
  readonly #directories: Buffer[];
  readonly #files: File[] = [];
  readonly #processes: Process[];
  readonly #queue: KernelRecord[] = [];
  #queueAt = 0;
  #timeNs: bigint;
  #inode = 1000n;
  #serial = 0;

  constructor(options: TraceGeneratorOptions) {
    this.#random = seededRandom(options.seed);
    this.#lanes = new Array<bigint>(options.lanes ?? 4).fill(0n);
    this.#intervalNs = options.intervalNs ?? 2000;
    this.#timeNs = options.startNs ?? 1_000_000_000n;
    this.#root = Buffer.from(options.root ?? '/work/project');
    this.#directories = [this.#root];
    this.#processes = COMMANDS.map((comm, index) => ({ pid: 1000 + index * 7, comm: Buffer.from(comm), uid: 1000 }));
  }

  next(): KernelRecord {
    while (this.#queueAt >= this.#queue.length) {
      this.#queue.length = 0;
      this.#queueAt = 0;
      this.#act();
    }
    const record = this.#queue[this.#queueAt++] as KernelRecord;
    const cpu = this.#below(this.#lanes.length);
    const sequence = (this.#lanes[cpu] ?? 0n) + 1n;
    this.#lanes[cpu] = sequence;
    this.#timeNs += BigInt(1 + this.#below(2 * this.#intervalNs));
    record.cpu = cpu;
    record.laneSequence = sequence;
    record.timeNs = this.#timeNs;
    record.durationNs = BigInt(300 + this.#below(20_000));
    record.submitDelayNs = 100 + this.#below(400);
    return record;
  }

  /** One thing that a process does: some records that belong together. */
  #act(): void {
    const process = this.#processes[this.#below(this.#processes.length)] as Process;
    const dice = this.#random();
    if (this.#files.length < 50 || dice < 0.18) this.#checkOut(process);
    else if (dice < 0.3) this.#save(process);
    else if (dice < 0.75) this.#read(process);
    else if (dice < 0.85) this.#search(process);
    else if (dice < 0.88) this.#link(process);
    else if (dice < 0.91) this.#fail(process);
    else if (dice < 0.94) this.#chmod(process);
    else this.#cleanUp(process);
  }

  #checkOut(by: Process): void {
    if (this.#directories.length < DIRECTORIES_MAX && this.#random() < 0.2) this.#makeDirectory(by);
    for (let count = 1 + this.#below(4); count > 0 && this.#files.length < FILES_MAX; count--) {
      const file = { path: this.#newPath(), inode: this.#nextInode(), size: 0n };
      this.#put(by, file, { op: KERNEL_OP_FILE_CREATE, variant: KERNEL_VARIANT_OPENAT, argument: 0o1101n });
      this.#write(by, file, 1 + this.#below(3));
      this.#put(by, file, { op: KERNEL_OP_FILE_CLOSE, variant: KERNEL_VARIANT_CLOSE });
      this.#files.push(file);
    }
  }

  #makeDirectory(by: Process): void {
    const path = Buffer.concat([this.#anyDirectory(), Buffer.from(`/d${this.#nextSerial()}`)]);
    this.#directories.push(path);
    const made = { path, inode: this.#nextInode(), size: 4096n };
    const variant = KERNEL_VARIANT_MKDIRAT;
    this.#put(by, made, {
      op: KERNEL_OP_DIR_CREATE,
      variant,
      flags: KERNEL_FLAG_DIRECTORY,
      mode: DIRECTORY_MODE,
      argument: 0o755n,
    });
  }

  /** As an editor does: a temporary file, written, synced, renamed over the old one. */
  #save(by: Process): void {
    const file = this.#anyFile();
    const temporary = { path: Buffer.concat([file.path, Buffer.from('.tmp')]), inode: this.#nextInode(), size: 0n };
    this.#put(by, temporary, { op: KERNEL_OP_FILE_CREATE, variant: KERNEL_VARIANT_OPENAT, argument: 0o1101n });
    this.#write(by, temporary, 1 + this.#below(5));
    this.#put(by, temporary, { op: KERNEL_OP_SYNC, variant: KERNEL_VARIANT_FSYNC });
    this.#put(by, temporary, { op: KERNEL_OP_FILE_CLOSE, variant: KERNEL_VARIANT_CLOSE });
    this.#put(by, temporary, { op: KERNEL_OP_FILE_RENAME, variant: KERNEL_VARIANT_RENAMEAT2, path2: file.path });
    file.inode = temporary.inode;
    file.size = temporary.size;
  }

  #read(by: Process): void {
    const file = this.#anyFile();
    this.#put(by, file, { op: KERNEL_OP_FILE_OPEN, variant: KERNEL_VARIANT_OPENAT });
    const variant = this.#random() < 0.8 ? KERNEL_VARIANT_READ : KERNEL_VARIANT_PREAD64;
    for (let count = 1 + this.#below(3); count > 0; count--) {
      this.#put(by, file, { op: KERNEL_OP_FILE_READ, variant, amount: file.size });
    }
    this.#put(by, file, { op: KERNEL_OP_FILE_CLOSE, variant: KERNEL_VARIANT_CLOSE });
  }

  #search(by: Process): void {
    const directory = { path: this.#anyDirectory(), inode: 2n, size: 4096n };
    const shared = { flags: KERNEL_FLAG_DIRECTORY, mode: DIRECTORY_MODE };
    this.#put(by, directory, {
      op: KERNEL_OP_FILE_OPEN,
      variant: KERNEL_VARIANT_OPENAT,
      argument: 0o200000n,
      ...shared,
    });
    this.#put(by, directory, { op: KERNEL_OP_DIR_READ, variant: KERNEL_VARIANT_GETDENTS64, amount: 1120n, ...shared });
    this.#put(by, directory, { op: KERNEL_OP_FILE_CLOSE, variant: KERNEL_VARIANT_CLOSE, ...shared });
  }

  #link(by: Process): void {
    const file = this.#anyFile();
    const name = this.#newPath();
    if (this.#random() < 0.5) {
      const link = { path: name, inode: this.#nextInode(), size: BigInt(file.path.length) };
      this.#put(by, link, {
        op: KERNEL_OP_SYMLINK_CREATE,
        variant: KERNEL_VARIANT_SYMLINKAT,
        path2: file.path,
        mode: 0o120777,
      });
    } else {
      this.#put(by, file, { op: KERNEL_OP_HARDLINK_CREATE, variant: KERNEL_VARIANT_LINKAT, path2: name });
    }
  }

  /** A look-up in a directory that has no such file, as resolvers of modules do. */
  #fail(by: Process): void {
    const missing = { path: this.#newPath(), inode: 0n, size: 0n };
    this.#put(by, missing, { op: KERNEL_OP_FILE_OPEN, variant: KERNEL_VARIANT_OPENAT, error: ENOENT, mode: 0 });
  }

  #chmod(by: Process): void {
    this.#put(by, this.#anyFile(), { op: KERNEL_OP_FILE_CHMOD, variant: KERNEL_VARIANT_FCHMODAT, argument: 0o644n });
  }

  #cleanUp(by: Process): void {
    for (let count = 1 + this.#below(4); count > 0 && this.#files.length > 1; count--) {
      const at = this.#below(this.#files.length);
      const file = this.#files[at] as File;
      this.#files[at] = this.#files[this.#files.length - 1] as File;
      this.#files.pop();
      this.#put(by, file, { op: KERNEL_OP_FILE_DELETE, variant: KERNEL_VARIANT_UNLINKAT });
    }
  }

  #write(by: Process, file: File, count: number): void {
    for (let each = 0; each < count; each++) {
      const amount = BigInt(1 + this.#below(8192));
      file.size += amount;
      this.#put(by, file, { op: KERNEL_OP_FILE_WRITE, variant: KERNEL_VARIANT_WRITE, amount });
    }
  }

  #put(by: Process, file: File, fields: Partial<KernelRecord>): void {
    const { path, inode, size } = file;
    const who = { pid: by.pid, tid: by.pid, uid: by.uid, gid: by.uid, comm: by.comm };
    this.#queue.push(kernelRecord({ device: 0x801n, mode: FILE_MODE, path, inode, size, ...who, ...fields }));
  }

  #newPath(): Buffer {
    const name = NAMES[this.#below(NAMES.length)] ?? '';
    const ending = ENDINGS[this.#below(ENDINGS.length)] ?? '';
    return Buffer.concat([this.#anyDirectory(), Buffer.from(`/${name}-${this.#nextSerial()}${ending}`)]);
  }

  #anyDirectory(): Buffer {
    return this.#directories[this.#below(this.#directories.length)] as Buffer;
  }

  #anyFile(): File {
    return this.#files[this.#below(this.#files.length)] as File;
  }

  #nextInode(): bigint {
    this.#inode += 1n;
    return this.#inode;
  }

  #nextSerial(): number {
    this.#serial += 1;
    return this.#serial;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
}

/** Writes a trace of `records` records; about a second a million. */
export function generateTrace(options: TraceGeneratorOptions & { file: string; records: number }): void {
  const generator = new TraceGenerator(options);
  const recorder = new TraceRecorder({ file: options.file, clockOffsetNs: 1_700_000_000_000_000_000n, createdNs: 0n });
  const bytes = new Uint8Array(KERNEL_RECORD_LENGTH_MAX);
  for (let count = 0; count < options.records; count++) {
    const length = encodeKernelRecord(generator.next(), bytes, 0);
    recorder.record(bytes.subarray(0, length));
  }
  recorder.close();
}
