// The filters that watch and log share: --type, --path, --pid. Lists are repeated options, or commas, or both.

import { realpathSync } from 'node:fs';
import path from 'node:path';
import { CausewayError } from '../base/errors.ts';
import { EVENT_TYPE_NAMES } from '../event/type-name.ts';
import { closest } from './format.ts';

/** What people mostly want to see: everything that changes something. Opening, reading and closing are shown with --all. */
export const CHANGE_TYPES: readonly string[] = [
  ...EVENT_TYPE_NAMES.filter((name) => name.startsWith('fs.') && name !== 'fs.read'),
  'access.fallocate',
  'system.*',
];

/**
 * Names and patterns as the engine takes them; 'write' is taken for 'fs.write', as the table shows it, and 'fs.c*' becomes the names that it matches.
 * @throws CausewayError CONFIG_INVALID for a name that no event has, with the nearest one.
 */
export function parseTypes(names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const found = name === '*' || name.endsWith('.*') ? [name] : matching(name);
    if (found.length > 0 && found.some((pattern) => matching(pattern).length > 0)) return found;
    const suggestion = closest(name, EVENT_TYPE_NAMES) ?? closest(`fs.${name}`, EVENT_TYPE_NAMES);
    throw new CausewayError('CONFIG_INVALID', `--type ${name}: no event has this type`, {
      hint: suggestion === undefined ? 'Types look like fs.write, fs.* or access.open.' : `Did you mean ${suggestion}?`,
    });
  });
}

function matching(pattern: string): string[] {
  const escaped = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const expression = new RegExp(`^(fs\\.)?${escaped.join('.*')}$`);
  const exact = EVENT_TYPE_NAMES.filter((name) => name === pattern);
  return exact.length > 0 ? exact : EVENT_TYPE_NAMES.filter((name) => expression.test(name));
}

/** @throws CausewayError CONFIG_INVALID */
export function parsePids(values: readonly string[]): number[] {
  return values.map((value) => {
    const pid = Number(value);
    if (!/^\d+$/.test(value) || pid < 1 || pid > 4194304) {
      throw new CausewayError('CONFIG_INVALID', `--pid ${value}: not a process id`, {
        hint: 'A pid is a number from 1 to 4194304.',
      });
    }
    return pid;
  });
}

/** Prefixes become absolute and real, as the paths of events are; globs that begin with '*' stay as they are. */
export function parsePathFilters(values: readonly string[], workingDirectory = process.cwd()): string[] {
  return values.map((value) => {
    if (value.startsWith('*')) return value;
    const absolute = path.resolve(workingDirectory, value);
    try {
      return realpathSync.native(absolute);
    } catch {
      // A glob, or a name that is gone or yet to come.
      return absolute;
    }
  });
}

const SIZE_UNITS: Record<string, number> = { '': 1, k: 1 << 10, m: 1 << 20, g: 1 << 30 };

/** '64k' -> 65536. @throws CausewayError CONFIG_INVALID */
export function parseSize(option: string, value: string): number {
  const match = /^(\d+)\s*([kmg]?)(i?b)?$/i.exec(value);
  const size = match === null ? Number.NaN : Number(match[1]) * (SIZE_UNITS[(match[2] ?? '').toLowerCase()] ?? 1);
  if (!Number.isSafeInteger(size) || size <= 0) {
    throw new CausewayError('CONFIG_INVALID', `${option} ${value}: not a size`, {
      hint: 'Sizes look like 65536, 64k or 16M.',
    });
  }
  return size;
}

/** @throws CausewayError CONFIG_INVALID */
export function parseRingSize(value: string): number {
  const size = parseSize('--ring', value);
  if (Number.isInteger(Math.log2(size)) && size >= 4096) return size;
  throw new CausewayError('CONFIG_INVALID', `--ring ${value}: not a power of two from 4k on`, {
    hint: 'Take 64k, 1M, 16M or the like.',
  });
}

/** What --since may be: 'start', a sequence, a time of day, a date, or how long ago. */
export type Since = { sequence: bigint } | { timeNs: bigint } | 'start';

const AGO_UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400 };

/** @throws CausewayError CONFIG_INVALID */
export function parseSince(value: string, now = new Date()): Since {
  if (value === 'start') return 'start';
  if (/^\d+$/.test(value)) return { sequence: BigInt(value) };
  const ago = /^(\d+(?:\.\d+)?)\s*([smhd])$/.exec(value);
  if (ago !== null) return sinceMs(now.getTime() - Number(ago[1]) * (AGO_UNITS[ago[2] ?? ''] ?? 0) * 1000);
  const clock = /^(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?$/.exec(value);
  if (clock !== null) {
    const date = new Date(now);
    date.setHours(Number(clock[1]), Number(clock[2]), Number(clock[3] ?? 0), 0);
    return sinceMs(date.getTime());
  }
  const ms = Date.parse(value);
  if (!Number.isNaN(ms)) return sinceMs(ms);
  throw new CausewayError('CONFIG_INVALID', `--since ${value}: neither a sequence nor a time`, {
    hint: 'It may be a sequence (1500), a time (14:30, 2026-01-31T14:30:00Z), how long ago (10m, 2h, 1d), or start.',
  });
}

function sinceMs(ms: number): Since {
  return { timeNs: BigInt(Math.round(ms)) * 1_000_000n };
}
