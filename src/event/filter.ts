// EventFilter -> a test of entries, cheapest question first and on the bytes: most entries that nobody wants are never decoded. Gaps always pass: whoever
// looks at a part of the stream has still to know that some of it is missing.

import { ENTRY_BIT_PATH, ENTRY_BIT_PATH2, ENTRY_KIND_EVENT } from '../../layout/entry.ts';
import { CausewayError } from '../base/errors.ts';
import type { EntryDecoder } from './entry-decoder.ts';
import { compileGlob, isGlob } from './glob.ts';
import { EVENT_TYPE_CODES, EVENT_TYPE_NAMES } from './type-name.ts';
import type { EventFilter, StreamItem } from './types.ts';

export interface EntryFilter {
  /** The entry of `length` bytes at `at` of the decoder's memory is wanted. */
  matches(decoder: EntryDecoder, at: number, length: number): boolean;
  /** The same for what was decoded already. */
  matchesItem(item: StreamItem): boolean;
}

type PathTest = { prefix: string; prefixBytes: Buffer } | { glob: (path: string) => boolean };

const CODES = Math.max(...Object.values(EVENT_TYPE_CODES)) + 1;
const SLASH = 0x2f;

/** @throws CausewayError CONFIG_INVALID for a type that no event has, or a glob that is too long. */
export function compileFilter(filter: Pick<EventFilter, 'types' | 'path' | 'pid'>): EntryFilter {
  const types = filter.types === undefined || filter.types.length === 0 ? undefined : wantedTypes(filter.types);
  const pidList = listOf<number>(filter.pid);
  const pids = pidList.length === 0 ? undefined : new Set(pidList);
  const pathList = listOf<string>(filter.path);
  const paths = pathList.length === 0 ? undefined : pathList.map(compilePath);
  return {
    matches: (decoder, at, length) => {
      if (decoder.kind(at) !== ENTRY_KIND_EVENT) return true;
      if (types !== undefined && types[decoder.type(at)] !== 1) return false;
      if (pids !== undefined && !pids.has(decoder.pid(at))) return false;
      return paths === undefined || entryHasPath(decoder, at, length, paths);
    },
    matchesItem: (item) => {
      if (item.type === 'gap' || item.type === 'caughtUp') return true;
      if (types !== undefined && types[EVENT_TYPE_CODES[item.type]] !== 1) return false;
      if (pids !== undefined && (item.pid === undefined || !pids.has(item.pid))) return false;
      return paths === undefined || paths.some((test) => fits(test, item.path) || fits(test, item.path2));
    },
  };
}

/** True if a name fits a pattern: 'fs.write', 'fs.*', '*'. */
export function typeFits(pattern: string, name: string): boolean {
  if (pattern === '*' || pattern === name) return true;
  return pattern.endsWith('.*') && name.startsWith(pattern.slice(0, -1));
}

/** 1 at each code that is wanted. */
function wantedTypes(patterns: readonly string[]): Uint8Array {
  const wanted = new Uint8Array(CODES);
  for (const pattern of patterns) {
    const names = EVENT_TYPE_NAMES.filter((name) => typeFits(pattern, name));
    if (names.length === 0) throw new CausewayError('CONFIG_INVALID', `types: ${pattern}: no event has this type`);
    for (const name of names) wanted[EVENT_TYPE_CODES[name]] = 1;
  }
  return wanted;
}

function listOf<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value as T];
}

function compilePath(pattern: string): PathTest {
  if (isGlob(pattern)) return { glob: compileGlob(pattern) };
  const prefix = pattern.length > 1 && pattern.endsWith('/') ? pattern.slice(0, -1) : pattern;
  return { prefix, prefixBytes: Buffer.from(prefix) };
}

function entryHasPath(decoder: EntryDecoder, at: number, length: number, tests: readonly PathTest[]): boolean {
  return (
    entryFits(decoder, at, length, ENTRY_BIT_PATH, tests) || entryFits(decoder, at, length, ENTRY_BIT_PATH2, tests)
  );
}

function entryFits(
  decoder: EntryDecoder,
  at: number,
  length: number,
  bit: number,
  tests: readonly PathTest[],
): boolean {
  if (!decoder.locate(at, length, bit)) return false;
  let text: string | undefined;
  for (const test of tests) {
    if ('glob' in test) {
      text ??= decoder.locatedText();
      if (test.glob(text)) return true;
    } else if (isBelowBytes(decoder, test.prefixBytes)) {
      return true;
    }
  }
  return false;
}

/** The located bytes are the directory, or something below it. */
function isBelowBytes(decoder: EntryDecoder, prefix: Buffer): boolean {
  const rest = decoder.locatedLength - prefix.length;
  if (rest < 0 || !decoder.locatedStartsWith(prefix)) return false;
  return rest === 0 || prefix[prefix.length - 1] === SLASH || decoder.locatedByte(prefix.length) === SLASH;
}

function fits(test: PathTest, path: string | undefined): boolean {
  if (path === undefined) return false;
  if ('glob' in test) return test.glob(path);
  if (!path.startsWith(test.prefix)) return false;
  return path.length === test.prefix.length || test.prefix.endsWith('/') || path[test.prefix.length] === '/';
}
