// What --type, --path, --pid, --since and sizes accept, and what they say to the rest.

import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { CausewayError } from '../../src/base/errors.ts';
import { CHANGE_TYPES, parsePathFilters, parsePids, parseSince, parseSize, parseTypes } from '../../src/cli/filters.ts';
import { EVENT_TYPE_NAMES } from '../../src/event/type-name.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

function failure(action: () => unknown): CausewayError {
  try {
    action();
  } catch (error) {
    if (error instanceof CausewayError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('--type', () => {
  it('takes names, categories, short names and patterns', () => {
    expect(parseTypes(['fs.write', 'access.*', '*'])).toEqual(['fs.write', 'access.*', '*']);
    expect(parseTypes(['write'])).toEqual(['fs.write']);
    expect(parseTypes(['fs.ch*'])).toEqual(['fs.chmod', 'fs.chown']);
  });

  it('refuses what no event is, and says what may have been meant', () => {
    const error = failure(() => parseTypes(['fs.wirte']));
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', exitCode: 3, hint: 'Did you mean fs.write?' });
    expect(error.message).toContain('fs.wirte');
    for (const name of ['.', 'fs', 'nope.*', '']) expect(() => parseTypes([name]), name).toThrow(CausewayError);
  });

  it('shows by default what changes something', () => {
    expect(CHANGE_TYPES).toContain('fs.rename');
    expect(CHANGE_TYPES).not.toContain('fs.read');
    expect(
      CHANGE_TYPES.filter((name) => !name.endsWith('*')).every((name) => EVENT_TYPE_NAMES.includes(name as never)),
    ).toBe(true);
  });
});

describe('--pid', () => {
  it('takes process ids only', () => {
    expect(parsePids(['1', '4194304'])).toEqual([1, 4194304]);
    for (const value of ['0', '-1', '1e3', 'init', '4194305', ''])
      expect(() => parsePids([value]), value).toThrow(CausewayError);
  });
});

describe('--path', () => {
  it('makes prefixes absolute and leaves globs alone', () => {
    expect(parsePathFilters(['src', '/etc/', '**/*.ts', 'src/**/x'], '/work')).toEqual([
      '/work/src',
      '/etc',
      '**/*.ts',
      '/work/src/**/x',
    ]);
  });
});

describe('--path on a symbolic link', () => {
  it('means what it points to, as events do', () => {
    const directory = temporaryDirectory('link');
    mkdirSync(path.join(directory, 'real'));
    symlinkSync('real', path.join(directory, 'link'));
    expect(parsePathFilters(['link'], directory)).toEqual([path.join(directory, 'real')]);
  });
});

describe('--since', () => {
  const now = new Date(2026, 5, 1, 12, 0, 0);

  it('takes a sequence, a time of day, a date and how long ago', () => {
    expect(parseSince('start')).toBe('start');
    expect(parseSince('1500')).toEqual({ sequence: 1500n });
    expect(parseSince('90s', now)).toEqual({ timeNs: BigInt(now.getTime() - 90_000) * 1_000_000n });
    expect(parseSince('1.5h', now)).toEqual({ timeNs: BigInt(now.getTime() - 5_400_000) * 1_000_000n });
    expect(parseSince('09:30', now)).toEqual({ timeNs: BigInt(new Date(2026, 5, 1, 9, 30).getTime()) * 1_000_000n });
    expect(parseSince('2026-01-31T14:30:00Z')).toEqual({ timeNs: 1_769_869_800_000_000_000n });
  });

  it('refuses anything else with the forms that it knows', () => {
    const error = failure(() => parseSince('yesterday-ish'));
    expect(error.message).toContain('yesterday-ish');
    expect(error.hint).toContain('14:30');
  });
});

describe('sizes', () => {
  it('knows k, M and G', () => {
    expect(['4096', '64k', '16M', '1GiB'].map((size) => parseSize('--ring', size))).toEqual([
      4096, 65536, 16777216, 1073741824,
    ]);
    for (const size of ['', '0', '-1', '1.5M', 'big'])
      expect(() => parseSize('--ring', size), size).toThrow(CausewayError);
  });
});
