// Numbers, times and paths as people read them. Pure functions.

import path from 'node:path';
import { splitTime } from '../event/iso-time.ts';

export { formatIsoTime } from '../event/iso-time.ts';

/** 1234567 -> '1,234,567'. */
export function formatCount(count: number | bigint): string {
  return String(typeof count === 'number' ? Math.round(count) : count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Events a second: one digit behind the point where it says something. */
export function formatRate(perSecond: number): string {
  return perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : formatCount(perSecond);
}

/** 4200000 -> '4.2 MB' (decimal units, three significant digits). */
export function formatBytes(bytes: number | bigint): string {
  return formatUnits(Number(bytes), [
    ['B', 1],
    ['kB', 1e3],
    ['MB', 1e6],
    ['GB', 1e9],
    ['TB', 1e12],
  ]);
}

/** 184 -> '184 ns', 2100 -> '2.1 µs'. */
export function formatDuration(ns: number | bigint): string {
  const value = Number(ns);
  if (value >= 100e9) return formatClock(value / 1e9);
  return formatUnits(value, [
    ['ns', 1],
    ['µs', 1e3],
    ['ms', 1e6],
    ['s', 1e9],
  ]);
}

/** 75 -> '1:15', 4000 -> '1:06:40'. */
export function formatClock(seconds: number): string {
  const whole = Math.floor(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const two = (value: number): string => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

function formatUnits(value: number, units: readonly (readonly [string, number])[]): string {
  let [name, factor] = units[0] ?? ['', 1];
  for (const [candidate, candidateFactor] of units) {
    // 999.5 and more would be rounded to 1000: that belongs to the next unit.
    if (value < candidateFactor * 0.9995) break;
    [name, factor] = [candidate, candidateFactor];
  }
  const scaled = value / factor;
  const digits = factor === 1 || scaled >= 99.95 ? 0 : 1;
  return `${scaled.toFixed(digits)} ${name}`;
}

let localSecond = -1;
let localPrefix = '';

/** Local time of day: '09:21:52.123456'; with the date in front when asked. */
export function formatLocalTime(timeNs: bigint, options: { digits: number; date?: boolean }): string {
  const { second, ns } = splitTime(timeNs);
  if (second !== localSecond) {
    const date = new Date(second * 1000);
    const two = (value: number): string => String(value).padStart(2, '0');
    localPrefix =
      `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
      `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
    localSecond = second;
  }
  const fraction = options.digits === 0 ? '' : `.${String(ns).padStart(9, '0').slice(0, options.digits)}`;
  return (options.date === true ? localPrefix : localPrefix.slice(-8)) + fraction;
}

// A file name may hold anything but '/' and NUL: an escape sequence in it must not reach the terminal, nor a line break the lines of a pipe, nor a
// bidirectional override the eyes of the reader.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\\]/g;
const SHORT_ESCAPES: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

/** Text that can be shown: control characters as escapes. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    const code = character.charCodeAt(0);
    const hexadecimal =
      code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
    return SHORT_ESCAPES[character] ?? hexadecimal;
  });
}

/** A function that shortens paths below one of these directories: relative to it when there is one, else to the working directory if they lie in it. */
export function pathShortener(
  roots: readonly string[],
  workingDirectory = process.cwd(),
): (absolute: string) => string {
  const [only] = roots;
  const base = roots.length === 1 && only !== undefined ? only : workingDirectory;
  const prefix = base.endsWith('/') ? base : `${base}/`;
  return (absolute) => {
    if (absolute.startsWith(prefix) && absolute.length > prefix.length) return absolute.slice(prefix.length);
    return absolute === base ? '.' : absolute;
  };
}

/** '~/x' for what lies in the home directory: headings. */
export function tildePath(absolute: string, home = process.env.HOME ?? ''): string {
  return home.length > 1 && (absolute === home || absolute.startsWith(`${home}${path.sep}`))
    ? `~${absolute.slice(home.length)}`
    : absolute;
}

/** '1 event', '2 events', '2 processes', '2 entries'. */
export function plural(count: number | bigint, noun: string): string {
  return `${formatCount(count)} ${Number(count) === 1 ? noun : pluralOf(noun)}`;
}

function pluralOf(noun: string): string {
  if (noun.endsWith('y')) return `${noun.slice(0, -1)}ies`;
  return noun.endsWith('s') ? `${noun}es` : `${noun}s`;
}

/** Of the names, the one that is closest to what was typed; undefined when none is close. */
export function closest(typed: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(typed.length / 3)) + 1;
  for (const name of names) {
    const distance = editDistance(typed, name);
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
