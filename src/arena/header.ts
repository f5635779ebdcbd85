// The header and region table of an arena (layout/arena.ts): written by who creates it, read once and checked by who opens it.

import {
  ARENA_ABI_VERSION,
  ARENA_ABI_VERSION_OFFSET,
  ARENA_CREATOR_OFFSET,
  ARENA_ENDPOINT_LENGTH,
  ARENA_ENDPOINT_OWNERS_LENGTH,
  ARENA_ENDPOINTS_MAX,
  ARENA_LAYOUT_HASH_OFFSET,
  ARENA_LENGTH_OFFSET,
  ARENA_MAGIC,
  ARENA_MAGIC_OFFSET,
  ARENA_PID_NAMESPACE_OFFSET,
  ARENA_READ_ONLY_OFFSET,
  ARENA_REGION_ADDRESS_OFFSET,
  ARENA_REGION_COUNT_OFFSET,
  ARENA_REGION_ENDPOINTS,
  ARENA_REGION_KIND_OFFSET,
  ARENA_REGION_LENGTH,
  ARENA_REGION_LENGTH_OFFSET,
  ARENA_REGION_NUMBER_OFFSET,
  ARENA_REGION_TABLE_OFFSET,
  ARENA_REGIONS_MAX,
  ARENA_REGIONS_OFFSET,
  ARENA_SHARED_END_OFFSET,
} from '../../layout/arena.ts';
import { PAGE_LENGTH } from '../../layout/limits.ts';
import { CausewayError } from '../base/errors.ts';
import { ARENA_LAYOUT_HASH } from './layout-hash.ts';

export const WASM_PAGE_LENGTH = 65536;
export const ARENA_LENGTH_MAX = 2 ** 32 - WASM_PAGE_LENGTH;
/** Header and region table. */
export const HEADER_LENGTH = ARENA_REGION_TABLE_OFFSET + PAGE_LENGTH;
/** Bytes of the region of kind ARENA_REGION_ENDPOINTS. */
export const ENDPOINTS_REGION_LENGTH = ARENA_ENDPOINT_OWNERS_LENGTH + ARENA_ENDPOINTS_MAX * ARENA_ENDPOINT_LENGTH;

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

export interface ArenaHeader {
  /** Bytes of the memory. */
  length: number;
  /** End of what the file holds; 0 = not shared. */
  sharedEnd: number;
  pidNamespace: bigint;
  creator: bigint;
  readOnly: boolean;
  regions: readonly Region[];
}

/** Addresses for the regions, one after the other; the endpoints, which are private, come last. */
export function planArena(requests: readonly RegionRequest[], options: { share: boolean; endpoints: boolean }) {
  let address = ARENA_REGIONS_OFFSET;
  const place = ({ kind, number = 0, length: asked }: RegionRequest): Region => {
    if (!Number.isSafeInteger(asked) || asked <= 0) throw new RangeError(`region kind=${kind}: length=${asked}`);
    const region = { kind, number, address, length: roundUp(asked, PAGE_LENGTH) };
    address += region.length;
    return region;
  };
  const regions = requests.map(place);
  const sharedEnd = options.share ? address : 0;
  if (options.share || options.endpoints) {
    regions.push(place({ kind: ARENA_REGION_ENDPOINTS, length: ENDPOINTS_REGION_LENGTH }));
  }
  const length = roundUp(address, WASM_PAGE_LENGTH);
  if (length > ARENA_LENGTH_MAX || regions.length > ARENA_REGIONS_MAX) {
    throw new CausewayError(
      'ARENA_FULL',
      `the arena does not hold its regions: length=${length}, lengthMax=${ARENA_LENGTH_MAX}, ` +
        `regions=${regions.length}, regionsMax=${ARENA_REGIONS_MAX}`,
    );
  }
  return { regions, sharedEnd, length };
}

/** All of the header but its magic, which the caller stores last. */
export function encodeHeader(view: DataView, header: ArenaHeader): void {
  view.setUint32(ARENA_ABI_VERSION_OFFSET, ARENA_ABI_VERSION, true);
  view.setBigUint64(ARENA_LENGTH_OFFSET, BigInt(header.length), true);
  view.setUint32(ARENA_LAYOUT_HASH_OFFSET, ARENA_LAYOUT_HASH, true);
  view.setUint32(ARENA_REGION_COUNT_OFFSET, header.regions.length, true);
  view.setBigUint64(ARENA_SHARED_END_OFFSET, BigInt(header.sharedEnd), true);
  view.setBigUint64(ARENA_PID_NAMESPACE_OFFSET, header.pidNamespace, true);
  view.setBigUint64(ARENA_CREATOR_OFFSET, header.creator, true);
  view.setUint32(ARENA_READ_ONLY_OFFSET, header.readOnly ? 1 : 0, true);
  header.regions.forEach((region, row) => {
    const at = ARENA_REGION_TABLE_OFFSET + row * ARENA_REGION_LENGTH;
    view.setUint32(at + ARENA_REGION_KIND_OFFSET, region.kind, true);
    view.setUint32(at + ARENA_REGION_NUMBER_OFFSET, region.number, true);
    view.setUint32(at + ARENA_REGION_ADDRESS_OFFSET, region.address, true);
    view.setUint32(at + ARENA_REGION_LENGTH_OFFSET, region.length, true);
  });
}

/**
 * @param name What the errors call it.
 * @throws CausewayError ARENA_INCOMPATIBLE or ARENA_CORRUPT, with what was found and expected.
 */
export function decodeHeader(view: DataView, name = 'arena'): ArenaHeader {
  const magic = view.getUint32(ARENA_MAGIC_OFFSET, true);
  const version = view.getUint32(ARENA_ABI_VERSION_OFFSET, true);
  const hash = view.getUint32(ARENA_LAYOUT_HASH_OFFSET, true);
  const count = view.getUint32(ARENA_REGION_COUNT_OFFSET, true);
  expectEqual('ARENA_CORRUPT', `${name}: magic`, magic, ARENA_MAGIC);
  expectEqual('ARENA_INCOMPATIBLE', `${name}: abiVersion`, version, ARENA_ABI_VERSION);
  expectEqual('ARENA_INCOMPATIBLE', `${name}: layoutHash`, hash, ARENA_LAYOUT_HASH);
  if (count > ARENA_REGIONS_MAX) {
    throw new CausewayError('ARENA_CORRUPT', `${name}: regions=${count}, regionsMax=${ARENA_REGIONS_MAX}`);
  }
  return {
    length: Number(view.getBigUint64(ARENA_LENGTH_OFFSET, true)),
    sharedEnd: Number(view.getBigUint64(ARENA_SHARED_END_OFFSET, true)),
    pidNamespace: view.getBigUint64(ARENA_PID_NAMESPACE_OFFSET, true),
    creator: view.getBigUint64(ARENA_CREATOR_OFFSET, true),
    readOnly: view.getUint32(ARENA_READ_ONLY_OFFSET, true) === 1,
    regions: Array.from({ length: count }, (_, row) => decodeRegion(view, row)),
  };
}

function decodeRegion(view: DataView, row: number): Region {
  const at = ARENA_REGION_TABLE_OFFSET + row * ARENA_REGION_LENGTH;
  return {
    kind: view.getUint32(at + ARENA_REGION_KIND_OFFSET, true),
    number: view.getUint32(at + ARENA_REGION_NUMBER_OFFSET, true),
    address: view.getUint32(at + ARENA_REGION_ADDRESS_OFFSET, true),
    length: view.getUint32(at + ARENA_REGION_LENGTH_OFFSET, true),
  };
}

/**
 * What a header that somebody else wrote claims about the sizes: whole pages, within the limits, and exactly the file.
 * @throws CausewayError ARENA_CORRUPT
 */
export function checkSharedLengths(header: ArenaHeader, fileLength: number, name: string): void {
  const { sharedEnd, length } = header;
  const isEnd = sharedEnd > ARENA_REGIONS_OFFSET && sharedEnd <= ARENA_LENGTH_MAX && sharedEnd % PAGE_LENGTH === 0;
  if (!isEnd) {
    throw new CausewayError('ARENA_CORRUPT', `${name}: sharedEnd=${sharedEnd}, lengthMax=${ARENA_LENGTH_MAX}`);
  }
  expectEqual('ARENA_CORRUPT', `${name}: length of the file`, fileLength, sharedEnd);
  const expected = roundUp(sharedEnd + ENDPOINTS_REGION_LENGTH, WASM_PAGE_LENGTH);
  expectEqual('ARENA_CORRUPT', `${name}: length`, length, expected);
  if (length > ARENA_LENGTH_MAX) {
    throw new CausewayError('ARENA_CORRUPT', `${name}: length=${length}, lengthMax=${ARENA_LENGTH_MAX}`);
  }
}

/**
 * The regions of a header that somebody else wrote: whole pages, inside of the shared part, apart from each other, no two of one name; and behind the
 * shared part the endpoints.
 * @throws CausewayError ARENA_CORRUPT
 */
export function checkSharedRegions(header: ArenaHeader, name: string): void {
  const fail = (region: Region | undefined, what: string): never => {
    throw new CausewayError('ARENA_CORRUPT', `${name}: ${what}: ${JSON.stringify(region)}, ${header.sharedEnd}`);
  };
  const sorted = [...header.regions].sort((a, b) => a.address - b.address);
  const endpoints = sorted.pop();
  const isExpected = endpoints?.kind === ARENA_REGION_ENDPOINTS && endpoints.number === 0;
  if (!isExpected || endpoints.address !== header.sharedEnd || endpoints.length !== ENDPOINTS_REGION_LENGTH) {
    fail(endpoints, 'expected the endpoints at the shared end');
  }
  const names = new Set<string>();
  let end = ARENA_REGIONS_OFFSET;
  for (const region of sorted) {
    const { kind, number, address, length } = region;
    if (address % PAGE_LENGTH !== 0 || length % PAGE_LENGTH !== 0 || length === 0) fail(region, 'region is not pages');
    if (address < end) fail(region, `region overlaps what ends at ${end}`);
    end = address + length;
    if (end > header.sharedEnd) fail(region, 'region is outside of the shared part');
    const key = `${kind}/${number}`;
    if (names.has(key) || kind === ARENA_REGION_ENDPOINTS) fail(region, 'region is there twice');
    names.add(key);
  }
}

export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

export function expectEqual(
  code: 'ARENA_CORRUPT' | 'ARENA_INCOMPATIBLE',
  field: string,
  found: number | bigint,
  expected: number | bigint,
): void {
  if (found !== expected) throw new CausewayError(code, `${field}=${found}, expected ${expected}`);
}
