// Numbers, times and paths as people read them.

import { describe, expect, it, vi } from 'vitest';
import {
  closest,
  formatBytes,
  formatClock,
  formatCount,
  formatDuration,
  formatIsoTime,
  formatLocalTime,
  formatRate,
  pathShortener,
  plural,
  printable,
  tildePath,
} from '../../src/cli/format.ts';

describe('numbers', () => {
  it.each([
    [0, '0'],
    [999, '999'],
    [1000, '1,000'],
    [1234567n, '1,234,567'],
  ])('groups %s by thousands', (count, text) => {
    expect(formatCount(count)).toBe(text);
  });

  it.each([
    [0, '0 ns'],
    [184, '184 ns'],
    [999.4, '999 ns'],
    [999.6, '1.0 µs'],
    [2100, '2.1 µs'],
    [99_960, '100 µs'],
    [1_500_000, '1.5 ms'],
    [2_000_000_000, '2.0 s'],
    [125_000_000_000, '2:05'],
  ])('writes %s ns with the unit that fits', (ns, text) => {
    expect(formatDuration(ns)).toBe(text);
  });

  it.each([
    [0, '0 B'],
    [512n, '512 B'],
    [4_200_000, '4.2 MB'],
    [123_456_789, '123 MB'],
  ])('writes %s bytes with the unit that fits', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it('shows a slow rate with a digit behind the point', () => {
    expect([formatRate(0), formatRate(0.4), formatRate(12.6), formatRate(1234)]).toEqual(['0', '0.4', '13', '1,234']);
  });

  it('counts one and many', () => {
    expect([plural(1n, 'event'), plural(0, 'gap'), plural(1200, 'process')]).toEqual([
      '1 event',
      '0 gaps',
      '1,200 processes',
    ]);
  });
});

describe('times', () => {
  it('keeps all nanoseconds in ISO 8601, whatever second was asked for before', () => {
    const timeNs = 1_790_000_000_123_456_789n;
    expect(formatIsoTime(timeNs)).toBe('2026-09-21T14:13:20.123456789Z');
    expect(formatIsoTime(0n)).toBe('1970-01-01T00:00:00.000000000Z');
    expect(formatIsoTime(-1n)).toBe('1969-12-31T23:59:59.999999999Z');
    expect(formatIsoTime(timeNs)).toBe('2026-09-21T14:13:20.123456789Z');
  });

  it('writes the second before 1970 first of all', async () => {
    vi.resetModules();
    const fresh = await import('../../src/event/iso-time.ts');
    expect(fresh.formatIsoTime(-1n)).toBe('1969-12-31T23:59:59.999999999Z');
  });

  it('shows the local time of day, with the date when asked', () => {
    const timeNs = BigInt(new Date(2026, 0, 31, 9, 5, 7).getTime()) * 1_000_000n + 1_234_567n;
    expect(formatLocalTime(timeNs, { digits: 3 })).toBe('09:05:07.001');
    expect(formatLocalTime(timeNs, { digits: 0 })).toBe('09:05:07');
    expect(formatLocalTime(timeNs, { digits: 6, date: true })).toBe('2026-01-31 09:05:07.001234');
  });

  it('counts up as a clock', () => {
    expect([formatClock(0), formatClock(75.9), formatClock(4000)]).toEqual(['0:00', '1:15', '1:06:40']);
  });
});

describe('text from file names', () => {
  it('lets no control character through to a terminal', () => {
    expect(printable('a\nb\x1b[31mc\x07')).toBe('a\\nb\\x1b[31mc\\x07');
    expect(printable('evil\u202egpj.exe')).toBe('evil\\u202egpj.exe');
    expect(printable('back\\slash')).toBe('back\\\\slash');
    expect(printable('Grüße 世界 👍')).toBe('Grüße 世界 👍');
  });

  it('shortens what lies below the only root, or below the working directory', () => {
    const one = pathShortener(['/srv/app']);
    expect([one('/srv/app/src/a.ts'), one('/srv/app'), one('/srv/apple')]).toEqual(['src/a.ts', '.', '/srv/apple']);
    const two = pathShortener(['/srv/app', '/etc'], '/srv');
    expect([two('/srv/app/a'), two('/etc/hosts')]).toEqual(['app/a', '/etc/hosts']);
    expect(pathShortener(['/'])('/etc/hosts')).toBe('etc/hosts');
  });

  it('writes the home directory as ~', () => {
    expect([
      tildePath('/home/me/x', '/home/me'),
      tildePath('/home/me', '/home/me'),
      tildePath('/home/men', '/home/me'),
    ]).toEqual(['~/x', '~', '/home/men']);
    expect(tildePath('/etc', '/')).toBe('/etc');
  });

  it('finds the name that was meant', () => {
    expect(closest('fs.wirte', ['fs.read', 'fs.write', 'fs.create'])).toBe('fs.write');
    expect(closest('nothing like it', ['fs.read'])).toBeUndefined();
  });
});
