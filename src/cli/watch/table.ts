// The live table as text: a frame for a terminal of a given size. Pure: rows and counters in, lines out.

import stringWidth from 'string-width';
import { formatBytes, formatClock, formatCount, formatDuration, formatLocalTime, formatRate } from '../format.ts';
import type { Paint } from '../style.ts';
import { type Row, styleOf } from './rows.ts';

export interface LatencyFigures {
  count: number;
  p50Ns: number;
  p99Ns: number;
  maxNs: number;
}

export interface Counters {
  seen: bigint;
  perSecond: number;
  lost: bigint;
  /** Lost, but nobody knows how many. */
  lostUnknown: boolean;
  bytes: bigint;
  seconds: number;
  /** From the kernel's hand-over to wasm: of all records, and of those taken while the worker was spinning. */
  latency: LatencyFigures;
  latencySpinning: LatencyFigures;
  /** Events in each of the last seconds, oldest first. */
  history: readonly number[];
}

export interface Frame {
  width: number;
  height: number;
  rows: readonly Row[];
  counters: Counters;
  /** What is watched. */
  title: string;
  /** Where the events come from, and why from there. */
  source: string;
  hint: string;
  paint: Paint;
}

const HEADER_LINES = 2;
const FOOTER_LINES = 4;
/** The cursor stands on a line of its own below the frame. */
const CURSOR_LINES = 1;

/** How many events fit a terminal of this height. */
export function rowsVisible(height: number): number {
  return Math.max(1, height - HEADER_LINES - FOOTER_LINES - CURSOR_LINES);
}

export function renderFrame(frame: Frame): string {
  const { paint, width } = frame;
  const columns = columnsFor(frame);
  const rows = frame.rows.slice(-rowsVisible(frame.height));
  const lines = [
    titleLine(frame),
    paint('dim', shortenRight(headerCells(columns), width)),
    ...rows.map((row) => rowLine(row, columns, paint)),
    ...Array.from({ length: rowsVisible(frame.height) - rows.length }, (_, index) =>
      rows.length === 0 && index === 0 ? paint('dim', ' waiting for the first event ...') : '',
    ),
    paint('dim', '─'.repeat(width)),
    ...footerLines(frame),
  ];
  return lines.join('\n');
}

/** Widths; 0 = the column is left out. */
interface Columns {
  time: number;
  timeDigits: number;
  pid: number;
  comm: number;
  type: number;
  path: number;
  detail: number;
  took: number;
}

const TOOK_WIDTH = 7;
const DETAIL_WIDTH = 8;
/** Below the first width there is no size, below the second no time and no duration either. */
const NARROW_WIDTH = 72;
const TINY_WIDTH = 56;
const WIDE_WIDTH = 110;

function columnsFor({ rows, width }: Frame): Columns {
  const longest = (texts: string[], min: number, max: number): number =>
    Math.min(max, Math.max(min, ...texts.map((text) => stringWidth(text))));
  const narrow = width < NARROW_WIDTH;
  const wide = width >= WIDE_WIDTH;
  const pid = longest(
    rows.map((row) => row.pid),
    5,
    7,
  );
  const comm = longest(
    rows.map((row) => row.comm),
    7,
    narrow ? 8 : wide ? 15 : 10,
  );
  const type = longest(
    rows.map((row) => shortType(row.type)),
    6,
    wide ? 16 : 11,
  );
  const timeDigits = wide ? 6 : narrow ? 0 : 3;
  const tiny = width < TINY_WIDTH;
  const time = tiny ? 0 : timeDigits === 0 ? 8 : 9 + timeDigits;
  const detail = narrow ? 0 : DETAIL_WIDTH;
  const took = tiny ? 0 : TOOK_WIDTH;
  const fixed = [time, pid, comm, type, detail, took].reduce((sum, column) => sum + (column === 0 ? 0 : column + 1), 1);
  return { time, timeDigits, pid, comm, type, path: Math.max(8, width - fixed), detail, took };
}

function headerCells(columns: Columns): string {
  return ` ${joinCells([
    'TIME'.padEnd(columns.time).slice(0, columns.time),
    'PID'.padStart(columns.pid),
    'COMMAND'.padEnd(columns.comm),
    'EVENT'.padEnd(columns.type),
    'PATH'.padEnd(columns.path),
    'SIZE'.padStart(columns.detail).slice(0, columns.detail),
    'TOOK'.padStart(columns.took).slice(0, columns.took),
  ])}`;
}

/** Columns without width are left out. */
function joinCells(cells: readonly string[]): string {
  return cells.filter((text) => text !== '').join(' ');
}

function rowLine(row: Row, columns: Columns, paint: Paint): string {
  const time = columns.time === 0 ? '' : paint('dim', formatLocalTime(row.timeNs, { digits: columns.timeDigits }));
  const took = row.tookNs === undefined ? '' : formatDuration(row.tookNs).replace(' ', '');
  return ` ${joinCells([
    time,
    cellRight(row.pid, columns.pid),
    cell(row.comm, columns.comm),
    paint(styleOf(row.type), cell(shortType(row.type), columns.type)),
    targetCell(row, columns.path, paint),
    columns.detail === 0 ? '' : paint('dim', cellRight(row.detail, columns.detail)),
    columns.took === 0 ? '' : paint('dim', cellRight(took, columns.took)),
  ])}`;
}

/** 'fs.' is what nearly all rows would begin with. */
function shortType(type: string): string {
  return type.startsWith('fs.') ? type.slice(3) : type;
}

/** The path, the second path, the error and how often, in exactly `width` columns. What is in short supply is taken from the paths, at their left. */
function targetCell(row: Row, width: number, paint: Paint): string {
  const count = row.count > 1 ? ` ×${formatCount(row.count)}` : '';
  const error = row.error === undefined ? '' : ` ${row.error}`;
  const room = Math.max(4, width - stringWidth(count) - stringWidth(error));
  const target = row.path2 === undefined ? shortenLeft(row.path, room) : pathPair(row.path, row.path2, room);
  const padding = ' '.repeat(Math.max(0, width - stringWidth(target) - stringWidth(error) - stringWidth(count)));
  return `${target}${error === '' ? '' : paint('red', error)}${count === '' ? '' : paint('bold', count)}${padding}`;
}

function pathPair(from: string, to: string, room: number): string {
  const arrow = ' → ';
  const free = room - arrow.length;
  if (free < 8) return shortenLeft(`${from}${arrow}${to}`, room);
  // Each may take what the other leaves.
  const half = Math.floor(free / 2);
  const toWidth = Math.max(half, free - stringWidth(from));
  const shortTo = shortenLeft(to, toWidth);
  return `${shortenLeft(from, free - stringWidth(shortTo))}${arrow}${shortTo}`;
}

/** The end of a path says more than its beginning. */
export function shortenLeft(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  const characters = [...text];
  let used = 1;
  let kept = characters.length;
  while (kept > 0) {
    const next = stringWidth(characters[kept - 1] ?? '');
    if (used + next > width) break;
    used += next;
    kept--;
  }
  return `…${characters.slice(kept).join('')}`;
}

/** The beginning of the text, in at most `width` columns. */
export function shortenRight(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let used = 0;
  let result = '';
  for (const character of text) {
    const next = stringWidth(character);
    if (used + next > width - 1) break;
    used += next;
    result += character;
  }
  return `${result}…`;
}

function cell(text: string, width: number): string {
  const short = shortenRight(text, width);
  return short + ' '.repeat(Math.max(0, width - stringWidth(short)));
}

function cellRight(text: string, width: number): string {
  const short = shortenRight(text, width);
  return ' '.repeat(Math.max(0, width - stringWidth(short))) + short;
}

function titleLine({ title, counters, paint, width }: Frame): string {
  const clock = formatClock(counters.seconds);
  const text = shortenRight(` causeway  ${title}`, width - clock.length - 2);
  return paint('inverse', `${text}${' '.repeat(Math.max(1, width - stringWidth(text) - clock.length - 1))}${clock} `);
}

function footerLines(frame: Frame): string[] {
  const { counters, paint, width } = frame;
  return [
    counterLine(counters, paint, width),
    latencyLine(counters, paint, width),
    between(` ${frame.source}`, `${frame.hint} `, width, paint),
  ];
}

function counterLine(counters: Counters, paint: Paint, width: number): string {
  const lost = counters.lostUnknown
    ? `lost ${formatCount(counters.lost)} or more`
    : `lost ${formatCount(counters.lost)}`;
  const anyLost = counters.lost > 0n || counters.lostUnknown;
  const plain = [
    `seen ${formatCount(counters.seen)}`,
    `${formatRate(counters.perSecond)}/s`,
    lost,
    formatBytes(counters.bytes),
  ];
  const used = stringWidth(` ${plain.join('   ')}`);
  const painted = plain.map((text, index) =>
    index === 2 ? paint(anyLost ? 'red' : 'green', text) : index === 0 ? paint('bold', text) : text,
  );
  const graph = sparkline(counters.history, Math.max(0, Math.min(30, width - used - 4)));
  const padding = ' '.repeat(Math.max(0, width - used - stringWidth(graph) - 1));
  return used > width
    ? shortenRight(` ${plain.join('   ')}`, width)
    : ` ${painted.join('   ')}${padding}${paint('cyan', graph)}`;
}

function latencyLine({ latency, latencySpinning }: Counters, paint: Paint, width: number): string {
  if (latency.count === 0) return paint('dim', shortenRight(' kernel to wasm: nothing measured yet', width));
  const text = (figures: LatencyFigures, gap: string): string =>
    ['p50', 'p99', 'max']
      .map((name, index) => `${name} ${formatDuration([figures.p50Ns, figures.p99Ns, figures.maxNs][index] ?? 0)}`)
      .join(gap);
  const all = ` kernel to wasm  ${text(latency, '  ')}`;
  if (latencySpinning.count === 0) return shortenRight(all, width);
  // What the crossing itself costs; the first figures have the sleeps of the worker in them.
  const both = `${all}   spinning ${text(latencySpinning, '  ')}`;
  const short = `${all}   spinning p50 ${formatDuration(latencySpinning.p50Ns)}`;
  return shortenRight(both.length <= width ? both : short, width);
}

function between(left: string, right: string, width: number, paint: Paint): string {
  const room = width - stringWidth(right) - 2;
  if (room < 20) return paint('dim', shortenRight(left, width));
  const short = shortenRight(left, room);
  return paint('dim', `${short}${' '.repeat(width - stringWidth(short) - stringWidth(right))}${right}`);
}

const BARS = '▁▂▃▄▅▆▇█';

/** Events of each second as bars, the newest at the right. */
export function sparkline(history: readonly number[], width: number): string {
  const shown = width <= 0 ? [] : history.slice(-width);
  const highest = Math.max(1, ...shown);
  return shown
    .map((value) => BARS[Math.min(BARS.length - 1, Math.round((value / highest) * (BARS.length - 1)))] ?? '')
    .join('');
}
