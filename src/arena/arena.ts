// The arena: one shared WebAssembly.Memory of fixed size, divided into regions (layout/arena.ts), into which files and kernel buffers are mapped.
// It never grows: a view never goes stale, and no mapping is ever moved under one.

import {
  ARENA_ABI_VERSION,
  ARENA_ABI_VERSION_OFFSET,
  ARENA_LAYOUT_HASH_OFFSET,
  ARENA_LENGTH_OFFSET,
  ARENA_MAGIC,
  ARENA_MAGIC_OFFSET,
  ARENA_REGION_ADDRESS_OFFSET,
  ARENA_REGION_COUNT_OFFSET,
  ARENA_REGION_KIND_OFFSET,
  ARENA_REGION_LENGTH,
  ARENA_REGION_LENGTH_OFFSET,
  ARENA_REGION_NUMBER_OFFSET,
  ARENA_REGION_TABLE_OFFSET,
  ARENA_REGIONS_MAX,
  ARENA_REGIONS_OFFSET,
} from '../../layout/arena.ts';
import { PAGE_LENGTH } from '../../layout/limits.ts';
import { CausewayError } from '../base/errors.ts';
import { ARENA_LAYOUT_HASH } from './layout-hash.ts';
import {
  F_ADD_SEALS,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  loadNative,
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  type Native,
  PROT_READ,
  PROT_WRITE,
  systemCallError,
} from './native.ts';

const WASM_PAGE_LENGTH = 65536;
const ARENA_LENGTH_MAX = 2 ** 32 - WASM_PAGE_LENGTH;

export interface RegionRequest {
  kind: number;
  number?: number;
  /** Bytes; rounded up to whole pages. */
  length: number;
}

export interface Region {
  kind: number;
  number: number;
  address: number;
  length: number;
}

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

  private constructor(memory: WebAssembly.Memory) {
    const { buffer } = memory;
    this.memory = memory;
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.i32 = new Int32Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.native = loadNative();
  }

  /**
   * A new arena with these regions, in this order, each on a page boundary.
   * @param options.backing 'anonymous' (default), or 'memfd': the pages belong to a sealed memfd, whose descriptor is in `memfd`.
   * @throws CausewayError ARENA_FULL when the regions exceed 4 GiB or ARENA_REGIONS_MAX.
   */
  static create(options: { regions: readonly RegionRequest[]; backing?: 'anonymous' | 'memfd' }): Arena {
    const regions = planRegions(options.regions);
    const end = regions.reduce((sum, region) => Math.max(sum, region.address + region.length), ARENA_REGIONS_OFFSET);
    const length = roundUp(end, WASM_PAGE_LENGTH);
    if (length > ARENA_LENGTH_MAX || regions.length > ARENA_REGIONS_MAX) {
      throw new CausewayError(
        'ARENA_FULL',
        `the arena does not hold its regions: length=${length}, lengthMax=${ARENA_LENGTH_MAX}, ` +
          `regions=${regions.length}, regionsMax=${ARENA_REGIONS_MAX}`,
      );
    }
    const pages = length / WASM_PAGE_LENGTH;
    const arena = new Arena(new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }));
    if (options.backing === 'memfd') arena.backWithMemfd(length);
    arena.writeHeader(regions, length);
    return arena;
  }

  /**
   * The arena that another thread of this process created.
   * @throws CausewayError ARENA_INCOMPATIBLE or ARENA_CORRUPT, with what was found and expected.
   */
  static attach(memory: WebAssembly.Memory): Arena {
    const arena = new Arena(memory);
    const found = {
      magic: arena.view.getUint32(ARENA_MAGIC_OFFSET, true),
      version: arena.view.getUint32(ARENA_ABI_VERSION_OFFSET, true),
      hash: arena.view.getUint32(ARENA_LAYOUT_HASH_OFFSET, true),
      length: arena.view.getBigUint64(ARENA_LENGTH_OFFSET, true),
      regions: arena.view.getUint32(ARENA_REGION_COUNT_OFFSET, true),
    };
    expectEqual('ARENA_CORRUPT', 'magic', found.magic, ARENA_MAGIC);
    expectEqual('ARENA_INCOMPATIBLE', 'abiVersion', found.version, ARENA_ABI_VERSION);
    expectEqual('ARENA_INCOMPATIBLE', 'layoutHash', found.hash, ARENA_LAYOUT_HASH);
    expectEqual('ARENA_CORRUPT', 'length', Number(found.length), arena.bytes.length);
    if (found.regions > ARENA_REGIONS_MAX) {
      throw new CausewayError('ARENA_CORRUPT', `arena: regions=${found.regions}, regionsMax=${ARENA_REGIONS_MAX}`);
    }
    return arena;
  }

  /** Descriptor of the memfd behind the arena, or -1. */
  memfd = -1;

  regions(): Region[] {
    const count = this.view.getUint32(ARENA_REGION_COUNT_OFFSET, true);
    const found: Region[] = [];
    for (let row = 0; row < Math.min(count, ARENA_REGIONS_MAX); row++) {
      const at = ARENA_REGION_TABLE_OFFSET + row * ARENA_REGION_LENGTH;
      found.push({
        kind: this.view.getUint32(at + ARENA_REGION_KIND_OFFSET, true),
        number: this.view.getUint32(at + ARENA_REGION_NUMBER_OFFSET, true),
        address: this.view.getUint32(at + ARENA_REGION_ADDRESS_OFFSET, true),
        length: this.view.getUint32(at + ARENA_REGION_LENGTH_OFFSET, true),
      });
    }
    return found;
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

  private backWithMemfd(length: number): void {
    const native = this.requireNative();
    this.memfd = native.memfdCreate('causeway-arena', MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (this.memfd < 0) throw systemCallError(native, 'memfd_create', 'causeway-arena');
    if (native.fallocate(this.memfd, 0, 0n, BigInt(length)) !== 0) {
      throw systemCallError(native, 'fallocate', `memfd, length=${length}`);
    }
    // Sealed before anybody else can see it: a file that shrank under a mapping would kill its readers with SIGBUS.
    native.fcntl(this.memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    this.mapFile({ address: 0, length, fd: this.memfd, writable: true });
  }

  private writeHeader(regions: readonly Region[], length: number): void {
    this.view.setUint32(ARENA_ABI_VERSION_OFFSET, ARENA_ABI_VERSION, true);
    this.view.setBigUint64(ARENA_LENGTH_OFFSET, BigInt(length), true);
    this.view.setUint32(ARENA_LAYOUT_HASH_OFFSET, ARENA_LAYOUT_HASH, true);
    regions.forEach((region, row) => {
      const at = ARENA_REGION_TABLE_OFFSET + row * ARENA_REGION_LENGTH;
      this.view.setUint32(at + ARENA_REGION_KIND_OFFSET, region.kind, true);
      this.view.setUint32(at + ARENA_REGION_NUMBER_OFFSET, region.number, true);
      this.view.setUint32(at + ARENA_REGION_ADDRESS_OFFSET, region.address, true);
      this.view.setUint32(at + ARENA_REGION_LENGTH_OFFSET, region.length, true);
    });
    this.view.setUint32(ARENA_REGION_COUNT_OFFSET, regions.length, true);
    // Last: whoever sees the magic sees all of the above. Pairs with the load in attach().
    Atomics.store(this.i32, ARENA_MAGIC_OFFSET / 4, ARENA_MAGIC | 0);
  }
}

function planRegions(requests: readonly RegionRequest[]): Region[] {
  let address = ARENA_REGIONS_OFFSET;
  return requests.map(({ kind, number = 0, length: asked }) => {
    if (!Number.isSafeInteger(asked) || asked <= 0) throw new RangeError(`region kind=${kind}: length=${asked}`);
    const region = { kind, number, address, length: roundUp(asked, PAGE_LENGTH) };
    address += region.length;
    return region;
  });
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

function expectEqual(
  code: 'ARENA_CORRUPT' | 'ARENA_INCOMPATIBLE',
  field: string,
  found: number,
  expected: number,
): void {
  if (found !== expected) throw new CausewayError(code, `arena: ${field}=${found}, expected ${expected}`);
}
