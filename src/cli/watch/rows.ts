// From events to what people read: the cells of a table row, and the plain line of a pipe. Pure functions.

import type { Event, Gap, StreamItem } from '../../engine/types.ts';
import { formatBytes, formatCount, formatDuration, formatLocalTime, printable } from '../format.ts';
import type { Paint, StyleName } from '../style.ts';

/** One row of the table. Events that say the same one after another share a row. */
export interface Row {
  timeNs: bigint;
  pid: string;
  comm: string;
  type: string;
  path: string;
  /** New name of a rename or link; text of a symbolic link. */
  path2: string | undefined;
  /** errno name, or what a gap lost. */
  error: string | undefined;
  /** Bytes moved, or the like. */
  detail: string;
  tookNs: bigint | undefined;
  count: number;
  amount: bigint;
}

export type Shorten = (absolute: string) => string;

/** undefined for what is no row (caughtUp). */
export function rowOf(item: StreamItem, shorten: Shorten): Row | undefined {
  if (item.type === 'caughtUp') return undefined;
  if (item.type === 'gap') return gapRow(item);
  return eventRow(item, shorten);
}

function eventRow(event: Event, shorten: Shorten): Row {
  return {
    timeNs: event.timeNs,
    pid: event.pid === undefined ? '?' : String(event.pid),
    comm: event.comm === undefined ? '?' : printable(event.comm),
    type: event.type,
    path: event.path === undefined ? '' : printable(shorten(event.path)),
    path2: event.path2 === undefined ? undefined : printable(shorten(event.path2)),
    error: event.error,
    detail: detailOf(event),
    tookNs: event.durationNs,
    count: 1,
    amount: event.amount ?? 0n,
  };
}

function gapRow(gap: Gap): Row {
  const lost = gap.count === undefined ? 'an unknown number of events' : `${formatCount(gap.count)} events`;
  return {
    timeNs: gap.timeNs,
    pid: '',
    comm: '',
    type: 'gap',
    path: `${lost} lost here`,
    path2: undefined,
    error: gap.cause,
    detail: '',
    tookNs: undefined,
    count: 1,
    amount: 0n,
  };
}

function detailOf(event: Event): string {
  if (event.amount !== undefined && event.amount > 0n) return formatBytes(event.amount);
  if (event.type === 'fs.chmod' && event.mode !== undefined && event.mode !== 0)
    return (event.mode & 0o7777).toString(8).padStart(4, '0');
  if (event.type === 'fs.truncate' && event.size !== undefined) return formatBytes(event.size);
  return '';
}

/** Adds a row to the end, or counts it in the last ones if it says the same. Rows beyond max fall off the top. */
export function appendRow(rows: Row[], row: Row, max: number): void {
  // A process that writes two files in turn makes two rows, not a hundred: the last few rows are looked at, not only the last.
  for (let index = rows.length - 1; index >= Math.max(0, rows.length - 4); index--) {
    const earlier = rows[index];
    if (earlier !== undefined && sameRow(earlier, row)) {
      earlier.count++;
      earlier.timeNs = row.timeNs;
      earlier.amount += row.amount;
      if (earlier.amount > 0n) earlier.detail = formatBytes(earlier.amount);
      if (earlier.tookNs !== undefined && row.tookNs !== undefined) earlier.tookNs += row.tookNs;
      return;
    }
    // Only reads and writes may be counted over one another: over a create or delete, the order that is seen would be wrong.
    if (!isTransfer(row) || earlier === undefined || !isTransfer(earlier)) break;
  }
  rows.push(row);
  if (rows.length > max) rows.splice(0, rows.length - max);
}

function isTransfer({ type }: Row): boolean {
  return type === 'fs.write' || type === 'fs.read';
}

function sameRow(a: Row, b: Row): boolean {
  return (
    a.type === b.type &&
    a.pid === b.pid &&
    a.path === b.path &&
    a.path2 === b.path2 &&
    a.error === b.error &&
    a.type !== 'gap'
  );
}

const STYLES: Record<string, StyleName> = {
  'fs.create': 'green',
  'fs.mkdir': 'green',
  'fs.symlink': 'green',
  'fs.hardlink': 'green',
  'fs.delete': 'red',
  'fs.rmdir': 'red',
  'fs.rename': 'magenta',
  'fs.write': 'yellow',
  'fs.truncate': 'yellow',
  'fs.chmod': 'cyan',
  'fs.chown': 'cyan',
  gap: 'red',
};

export function styleOf(type: string): StyleName {
  return STYLES[type] ?? (type.startsWith('access.') || type === 'fs.read' ? 'dim' : 'blue');
}

/** The line for a pipe or a file: time, pid, command, type, path, then what else there is to say. */
export function plainLine(
  item: StreamItem,
  options: { shorten: Shorten; paint: Paint; date?: boolean },
): string | undefined {
  const row = rowOf(item, options.shorten);
  if (row === undefined) return undefined;
  const { paint } = options;
  const time = formatLocalTime(row.timeNs, {
    digits: 6,
    ...(options.date === undefined ? {} : { date: options.date }),
  });
  const target = row.path2 === undefined ? row.path : `${row.path} -> ${row.path2}`;
  const extras = [
    row.error === undefined ? '' : paint('red', row.error),
    row.detail,
    row.tookNs === undefined ? '' : formatDuration(row.tookNs),
  ].filter((extra) => extra !== '');
  const head = `${paint('dim', time)} ${row.pid.padStart(7)} ${row.comm.padEnd(15)} ${paint(styleOf(row.type), row.type.padEnd(12))} ${target}`;
  return `${extras.length === 0 ? head.trimEnd() : `${head}  ${extras.join('  ')}`}\n`;
}
