// The arena: one shared WebAssembly.Memory of fixed size, divided into regions (layout/arena.ts), into which files and kernel buffers are mapped.
// It never grows: a view never goes stale, and no mapping is ever moved under one.

import { ARENA_MAGIC, ARENA_MAGIC_OFFSET, ARENA_REGION_ENDPOINTS, ARENA_REGIONS_OFFSET } from '../../layout/arena.ts';
import { PAGE_LENGTH } from '../../layout/limits.ts';
import { CausewayError } from '../base/errors.ts';
import { type EndpointSlot, giveSlot, takeSlot } from './endpoint-slots.ts';
import {
  type ArenaHeader,
  checkSharedLengths,
  checkSharedRegions,
  decodeHeader,
  encodeHeader,
  expectEqual,
  HEADER_LENGTH,
  planArena,
  type Region,
  type RegionRequest,
  WASM_PAGE_LENGTH,
} from './header.ts';
import {
  loadNative,
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  type Native,
  nativeFailure,
  PROT_READ,
  PROT_WRITE,
  systemCallError,
} from './native.ts';
import { newOwner, pidNamespace } from './owner.ts';
import {
  createMemfd,
  createNamedFile,
  fileLength,
  openSharedFile,
  readFileHeader,
  type SharedFile,
  writeFileHeader,
} from './shared-file.ts';

export type { EndpointSlot } from './endpoint-slots.ts';
export type { Region, RegionRequest } from './header.ts';

export interface FileMapping {
  address: number;
  length: number;
  fd: number;
  fileOffset?: bigint;
  writable: boolean;
}

export class Arena {
  readonly memory: WebAssembly.Memory;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly view: DataView<SharedArrayBuffer>;
  /** For Atomics: index = address / 4 or / 8. */
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly u64: BigUint64Array<SharedArrayBuffer>;
  /** undefined: files cannot be mapped here, and whoever would map one writes it with fs instead. */
  readonly native: Native | undefined;

  /** Whether other processes have mapped it, or may: then threads sleep and wake through src/arena/parking.ts only. */
  readonly isShared: boolean;
  /** The shared part may be loaded from; a store there raises SIGSEGV (from wasm it traps). */
  readonly isReadOnly: boolean;

  readonly #header: ArenaHeader;
  readonly #file: SharedFile | undefined;
  #isClosed = false;
  #isHidden = false;

  private constructor(memory: WebAssembly.Memory, header: ArenaHeader, file?: SharedFile) {
    const { buffer } = memory;
    this.memory = memory;
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.i32 = new Int32Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.native = loadNative();
    this.isShared = header.sharedEnd > 0;
    this.isReadOnly = header.readOnly;
    this.#header = header;
    this.#file = file;
  }

  /**
   * A new arena with these regions, in this order, each on a page boundary.
   * @param options.share true: other processes of this user can open it, by `handle`, as long as this one lives and could be traced by them (one that
   *   gave up privileges cannot). A path: by this name, which close() takes away; best in /dev/shm; what a dead process left there is replaced. The thread
   *   that creates or opens a shared arena has to live as long as it is used: Node closes a worker's descriptors when it ends.
   * @param options.endpoints Room for the endpoints of this process, which every shared arena has.
   * @throws CausewayError ARENA_FULL when the regions exceed 4 GiB or ARENA_REGIONS_MAX; for shared ones CAPABILITY_MISSING, ARENA_BUSY when a living
   *   process has the path, PATH_MISSING, PATH_DENIED, SYSTEM_CALL_FAILED.
   */
  static create(options: { regions: readonly RegionRequest[]; share?: boolean | string; endpoints?: boolean }): Arena {
    const { share = false } = options;
    const plan = planArena(options.regions, { share: share !== false, endpoints: options.endpoints === true });
    if (share === false) {
      const header = { ...plan, pidNamespace: 0n, creator: 0n, readOnly: false };
      return new Arena(newMemory(plan.length), header).#begin();
    }
    const native = requireSharing();
    const file = share === true ? createMemfd(native, plan.sharedEnd) : createNamedFile(native, share, plan.sharedEnd);
    return Arena.#closingOnError(file, () => {
      const header = { ...plan, pidNamespace: pidNamespace(), creator: newOwner(), readOnly: false };
      const arena = Arena.#shared(header, file);
      writeFileHeader(file.fd, arena.bytes.slice(0, HEADER_LENGTH));
      return arena;
    });
  }

  /**
   * An arena that another process shares. The checksum tables of this process's copy are made by crc32cInit, as for a new one. A file whose creator has
   * not finished it yet is refused as any that is no arena (magic=0): open it when the creator says so, or try again.
   * @param handle Its `handle`: a path, or the descriptor of another process in /proc.
   * @param options.readOnly Maps the shared part for reading: nothing can be disturbed there, and no end of a ring or queue can be taken.
   * @throws CausewayError PATH_MISSING, PATH_DENIED when another user owns the file or may write it, ARENA_INCOMPATIBLE, ARENA_CORRUPT,
   *   CAPABILITY_MISSING, SYSTEM_CALL_FAILED.
   */
  static open(handle: string, options: { readOnly?: boolean } = {}): Arena {
    const native = requireSharing();
    const readOnly = options.readOnly === true;
    const file = openSharedFile(native, handle, readOnly);
    return Arena.#closingOnError(file, () => {
      const name = `arena ${handle}`;
      const claimed = decodeHeader(readFileHeader(file.fd), name);
      expectEqual('ARENA_INCOMPATIBLE', `${name}: pidNamespace`, claimed.pidNamespace, pidNamespace());
      checkSharedLengths(claimed, fileLength(file.fd), name);
      checkSharedRegions(claimed, name);
      return Arena.#shared({ ...claimed, readOnly }, file);
    });
  }

  /**
   * The arena that another thread of this process created or opened.
   * @throws CausewayError ARENA_INCOMPATIBLE or ARENA_CORRUPT, with what was found and expected.
   */
  static attach(memory: WebAssembly.Memory): Arena {
    const header = decodeHeader(new DataView(memory.buffer));
    expectEqual('ARENA_CORRUPT', 'arena: length', header.length, memory.buffer.byteLength);
    return new Arena(memory, header);
  }

  static #shared(header: ArenaHeader, file: SharedFile): Arena {
    const arena = new Arena(newMemory(header.length), header, file).#begin();
    const length = header.sharedEnd - ARENA_REGIONS_OFFSET;
    const fileOffset = BigInt(ARENA_REGIONS_OFFSET);
    arena.mapFile({ address: ARENA_REGIONS_OFFSET, length, fd: file.fd, fileOffset, writable: !header.readOnly });
    return arena;
  }

  static #closingOnError(file: SharedFile, make: () => Arena): Arena {
    try {
      return make();
    } catch (error) {
      file.close();
      throw error;
    }
  }

  #begin(): this {
    encodeHeader(this.view, this.#header);
    // Last: whoever sees the magic sees all of the header. Pairs with the load in attach().
    Atomics.store(this.i32, ARENA_MAGIC_OFFSET / 4, ARENA_MAGIC | 0);
    return this;
  }

  /** What another process passes to Arena.open; undefined when the arena is private, or was attached by its memory. */
  get handle(): string | undefined {
    return this.#file?.handle;
  }

  /**
   * Ends the sharing: the shared part is anonymous zeros from now on, in all threads of this process, and the name that create() made is gone. Who else has
   * mapped the file keeps it. Nothing happens the second time, or for a private arena, which goes when nobody refers to it.
   */
  close(): void {
    if (this.#file === undefined || this.#isClosed) return;
    this.#isClosed = true;
    try {
      this.unmap(ARENA_REGIONS_OFFSET, this.#header.sharedEnd - ARENA_REGIONS_OFFSET);
    } finally {
      this.hide();
    }
  }

  /**
   * Nobody can open it any more by our handle, whose name is gone if create() made it. Whoever has mapped it keeps it, the threads of this process as well, until
   * nobody refers to the memory.
   */
  hide(): void {
    if (this.#file === undefined || this.#isHidden) return;
    this.#isHidden = true;
    this.#file.close();
  }

  /**
   * Private memory for the state of an endpoint, zeros. Slots of threads that ended come back by themselves.
   * @param owner newOwner() of the thread that uses it.
   * @throws CausewayError ARENA_FULL
   */
  takeEndpoint(owner: bigint): EndpointSlot {
    return takeSlot(this, this.#endpoints(), owner);
  }

  giveEndpoint(address: number): void {
    giveSlot(this, this.#endpoints(), address);
  }

  #endpoints(): number {
    const region = this.#header.regions.find(({ kind }) => kind === ARENA_REGION_ENDPOINTS);
    if (region === undefined) throw new RangeError('an arena without endpoints: create it with `endpoints: true`');
    return region.address;
  }

  regions(): Region[] {
    return this.#header.regions.map((region) => ({ ...region }));
  }

  /** @throws CausewayError ARENA_CORRUPT when there is no such region, or it is not inside the memory. */
  region(kind: number, number = 0): Region {
    const region = this.regions().find((candidate) => candidate.kind === kind && candidate.number === number);
    if (region === undefined)
      throw new CausewayError('ARENA_CORRUPT', `arena: no region kind=${kind}, number=${number}`);
    if (region.address < ARENA_REGIONS_OFFSET || region.address + region.length > this.bytes.length) {
      throw new CausewayError(
        'ARENA_CORRUPT',
        `arena: region kind=${kind} at ${region.address}, length=${region.length}, memory=${this.bytes.length}`,
      );
    }
    return region;
  }

  slice(address: number, length: number): Uint8Array<SharedArrayBuffer> {
    return this.bytes.subarray(address, address + length);
  }

  /**
   * Maps a file (or memfd, BPF map ...) over pages of the arena, shared both ways. The file must be at least as long as the mapping for as long as it
   * is mapped: a page behind its end would raise SIGBUS.
   * @throws CausewayError SYSTEM_CALL_FAILED with errno; CAPABILITY_MISSING without koffi.
   */
  mapFile(mapping: FileMapping): void {
    const native = this.requireNative();
    this.checkPages(mapping.address, mapping.length);
    const protection = mapping.writable ? PROT_READ | PROT_WRITE : PROT_READ;
    this.mmap(
      native,
      mapping.address,
      mapping.length,
      protection,
      MAP_SHARED | MAP_FIXED,
      mapping.fd,
      mapping.fileOffset ?? 0n,
    );
  }

  /** Anonymous zero pages over a mapping. Never munmap: the hole could be given to somebody else, inside our memory. */
  unmap(address: number, length: number): void {
    const native = this.requireNative();
    this.checkPages(address, length);
    const flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS;
    this.mmap(native, address, length, PROT_READ | PROT_WRITE, flags, -1, 0n);
  }

  /** Takes the pages of a file mapping out of this process's resident set; their content stays in the file and comes back at the next touch. */
  release(address: number, length: number): void {
    const native = this.requireNative();
    this.checkPages(address, length);
    if (native.madvise(this.slice(address, length), length, MADV_DONTNEED) !== 0) {
      throw systemCallError(native, 'madvise', `address=${address}, length=${length}`);
    }
  }

  private requireNative(): Native {
    if (this.native === undefined) {
      throw new CausewayError('CAPABILITY_MISSING', 'files cannot be mapped: koffi is not available here');
    }
    return this.native;
  }

  private checkPages(address: number, length: number): void {
    if (
      address % PAGE_LENGTH !== 0 ||
      length % PAGE_LENGTH !== 0 ||
      length <= 0 ||
      address + length > this.bytes.length
    ) {
      throw new RangeError(`not pages of the arena: address=${address}, length=${length}, arena=${this.bytes.length}`);
    }
  }

  private mmap(
    native: Native,
    address: number,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset: bigint,
  ) {
    const result = native.mmap(this.slice(address, length), length, protection, flags, fd, offset);
    if (BigInt(result) === -1n) {
      throw systemCallError(native, 'mmap', `address=${address}, length=${length}, fd=${fd}, offset=${offset}`);
    }
  }
}

function newMemory(length: number): WebAssembly.Memory {
  const pages = length / WASM_PAGE_LENGTH;
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

function requireSharing(): Native {
  const native = loadNative();
  if (native === undefined) {
    throw new CausewayError('CAPABILITY_MISSING', `arenas cannot be shared between processes: ${nativeFailure()}`);
  }
  return native;
}
