// Arenas as text: the list of them, and one of them in full. Pure: data in, lines out. Names come from memory that others write: they are made printable.

import stringWidth from 'string-width';
import { formatBytes, formatCount, formatRate, plural, printable } from '../format.ts';
import type { Paint } from '../style.ts';
import type {
  ArenaData,
  ConsumerData,
  DamagedData,
  LaneData,
  OwnerData,
  PoolData,
  QueueData,
  RingData,
} from './inspect.ts';

const BAR_WIDTH = 10;
/** Eighths of a column. */
const BAR_PARTS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
// biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are what it looks for
const ESCAPE_OR_CHARACTER = /\x1b\[[0-9;]*m|./gu;
/** How full is a matter of concern. */
const FULL = 0.9;

/** Columns are as wide as their widest cell; numbers stand at the right. */
interface Cell {
  text: string;
  right?: boolean;
  style?: Parameters<Paint>[0];
}

export interface ListedArena {
  handle: string;
  pids: number[];
  arena: ArenaData | undefined;
  /** Why it cannot be read. */
  error: string | undefined;
}

export function renderList(arenas: readonly ListedArena[], paint: Paint): string {
  if (arenas.length === 0) return 'No process that this user can see shares an arena.\n';
  const rows = arenas.map(({ handle, pids, arena, error }) => [
    { text: printable(handle) },
    { text: arena === undefined ? '' : formatBytes(arena.length), right: true },
    { text: arena === undefined ? '' : ownerText(arena.creator) },
    { text: pids.length === 0 ? '' : plural(pids.length, 'process') },
    { text: arena === undefined ? (error ?? '') : contentText(arena) },
  ]);
  const header = ['ARENA', 'SIZE', 'CREATOR', 'OPEN IN', 'QUEUES AND POOLS'].map(
    (text): Cell => ({ text, style: 'dim' }),
  );
  return `${tableLines([header, ...rows], paint).join('\n')}\n`;
}

function contentText({ queues, pools, rings, damaged }: ArenaData): string {
  const parts = [
    ...queues.map(({ name, mode }) => `${shownName(name)} (${mode})`),
    ...pools.map(({ name }) => `${shownName(name)} (pool)`),
    ...(rings.length === 0 ? [] : [plural(rings.length, 'ring')]),
    ...(damaged.length === 0 ? [] : [`${damaged.length} damaged`]),
  ];
  return parts.length === 0 ? '-' : parts.join(', ');
}

/** @param width Lines are cut there; undefined: they are not. */
export function renderArena(arena: ArenaData, options: { paint: Paint; width?: number; title?: string }): string {
  const { paint, width } = options;
  const { queues, pools, rings, damaged } = arena;
  const blocks = [
    [paint('bold', options.title ?? printable(arena.handle)), arenaLine(arena)],
    ...(queues.length === 0 ? [] : [tableLines(queueRows(queues), paint)]),
    ...queues.map((queue) => [...queueLines(queue, paint)]),
    ...(rings.length === 0 ? [] : [tableLines(ringRows(rings), paint)]),
    ...(pools.length === 0 ? [] : [tableLines(poolRows(pools), paint)]),
    ...(damaged.length === 0 ? [] : [damaged.map((one) => damageLine(one, paint))]),
  ];
  const lines = blocks.map((block) => block.join('\n')).join('\n\n');
  return width === undefined
    ? lines
    : lines
        .split('\n')
        .map((line) => cut(line, width))
        .join('\n');
}

function arenaLine({ length, creator, regions }: ArenaData): string {
  const kinds = new Map<string, number>();
  for (const { kind } of regions) if (kind !== 'endpoints') kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const content = [...kinds].map(([kind, count]) => plural(count, kind)).join(', ');
  return `${formatBytes(length)} shared by ${ownerText(creator)}: ${content}`;
}

function queueRows(queues: readonly QueueData[]): Cell[][] {
  const names = ['QUEUE', 'MODE', 'FILL', '', 'IN/s', 'OUT/s', 'DROPPED/s', 'LAPPED/s', 'ASLEEP'];
  const header = names.map((text, column): Cell => ({ text, style: 'dim', right: column > 2 }));
  return [header, ...queues.map(queueRow)];
}

function queueRow(queue: QueueData): Cell[] {
  const { name, mode, closed, lanes, laneCapacity, rates, sleepingProducers, sleepingConsumers } = queue;
  // The fullest lane: its producer is the first that has to wait, or drops.
  const fullest = Math.max(...lanes.map(({ waitingBytes }) => waitingBytes ?? -1));
  const fill = fullest < 0 ? null : fullest / laneCapacity;
  const rate = (perSecond: number | undefined, isLoss: boolean): Cell => ({
    text: perSecond === undefined ? '-' : formatRate(perSecond),
    right: true,
    ...(isLoss && (perSecond ?? 0) > 0 ? { style: 'red' as const } : {}),
  });
  return [
    { text: shownName(name), style: 'bold' },
    { text: closed ? `${mode}, closed` : mode },
    fillCell(fill),
    { text: fill === null ? '' : `${Math.round(fill * 100)} %`, right: true },
    rate(rates?.produced, false),
    rate(rates?.delivered, false),
    rate(rates?.dropped, true),
    rate(rates?.lapped, true),
    { text: `${sleepingProducers}p ${sleepingConsumers}c`, right: true },
  ];
}

function* queueLines(queue: QueueData, paint: Paint): Generator<string> {
  const { counts, lanes, consumers, producersMax, consumersMax } = queue;
  const shape = `${formatBytes(queue.laneCapacity)} a lane, records up to ${formatBytes(queue.recordLengthMax)}`;
  yield `${paint('bold', shownName(queue.name))}  ${shape}`;
  yield `  produced ${formatCount(counts.produced)}, delivered ${formatCount(counts.delivered)}${lossText(queue)}`;
  const used = lanes.filter(({ owner, produced }) => owner !== null || produced > 0n);
  yield paint('dim', `  producers: ${used.filter(({ owner }) => owner !== null).length} of ${producersMax}`);
  yield* tableLines(
    used.map((lane) => laneRow(lane, queue.laneCapacity)),
    paint,
    '    ',
  );
  yield paint('dim', `  consumers: ${consumers.length} of ${consumersMax}`);
  yield* tableLines(
    consumers.map((consumer) => consumerRow(consumer, queue.mode)),
    paint,
    '    ',
  );
}

/** What went wrong so far, where anything did. */
function lossText({ counts, abandonedProducers, deadConsumers, redelivered, expired }: QueueData): string {
  const parts = [
    ['dropped', counts.dropped],
    ['lapped', counts.lapped],
    ['redelivered', redelivered],
    ['producers that died', abandonedProducers],
    ['consumers that died', deadConsumers],
    ['times left behind', expired],
  ] as const;
  const found = parts.filter(([, count]) => count > 0n).map(([what, count]) => `, ${what} ${formatCount(count)}`);
  return found.join('');
}

function laneRow({ lane, owner, produced, dropped, waitingBytes }: LaneData, capacity: number): Cell[] {
  return [
    { text: `lane ${lane}` },
    ownerCell(owner),
    fillCell(waitingBytes === null ? null : waitingBytes / capacity),
    { text: waitingBytes === null ? '' : formatBytes(waitingBytes), right: true },
    { text: `${formatCount(produced)} produced`, right: true },
    { text: `${formatCount(dropped)} dropped`, right: true, ...(dropped > 0n ? { style: 'red' as const } : {}) },
  ];
}

function consumerRow({ slot, owner, delivered, lapped, asleep, joined }: ConsumerData, mode: string): Cell[] {
  const state = mode === 'broadcast' && !joined ? 'left behind' : asleep ? 'asleep' : 'awake';
  return [
    { text: `slot ${slot}` },
    ownerCell(owner),
    { text: state, ...(state === 'left behind' ? { style: 'red' as const } : {}) },
    { text: `${formatCount(delivered)} delivered`, right: true },
    { text: `${formatCount(lapped)} lapped`, right: true, ...(lapped > 0n ? { style: 'red' as const } : {}) },
  ];
}

function ringRows(rings: readonly RingData[]): Cell[][] {
  const names = ['RING', 'FILL', '', 'IN/s', 'OUT/s', 'DROPPED', 'PRODUCER', 'CONSUMER'];
  const header = names.map((text, column): Cell => ({ text, style: 'dim', right: column > 1 && column < 6 }));
  const rate = (bytes: number | undefined): Cell => ({
    text: bytes === undefined ? '-' : formatBytes(bytes),
    right: true,
  });
  const rows = rings.map(({ number, capacity, waitingBytes, rates, dropped, producer, consumer }): Cell[] => [
    { text: `ring ${number}`, style: 'bold' },
    fillCell(waitingBytes / capacity),
    { text: `${formatBytes(waitingBytes)} of ${formatBytes(capacity)}`, right: true },
    rate(rates?.produced),
    rate(rates?.consumed),
    { text: formatCount(dropped), right: true, ...(dropped > 0n ? { style: 'red' as const } : {}) },
    ownerCell(producer),
    ownerCell(consumer),
  ]);
  return [header, ...rows];
}

function poolRows(pools: readonly PoolData[]): Cell[][] {
  const names = ['POOL', 'IN USE', '', 'RECORD', 'TAKES', 'HITS', 'FULL', 'RECLAIMED', 'OWNERS'];
  const header = names.map((text, column): Cell => ({ text, style: 'dim', right: column > 1 && column < 8 }));
  const rows = pools.map((pool): Cell[] => [
    { text: shownName(pool.name), style: 'bold' },
    fillCell(pool.inUse / pool.capacity),
    { text: `${formatCount(pool.inUse)} of ${formatCount(pool.capacity)}`, right: true },
    { text: formatBytes(pool.recordLength), right: true },
    { text: formatCount(pool.takes), right: true },
    { text: `${(pool.hitRate * 100).toFixed(1)} %`, right: true },
    { text: formatCount(pool.full), right: true },
    { text: formatCount(pool.reclaimed), right: true },
    { text: pool.owners.map(({ owner, records }) => `${ownerText(owner)}: ${formatCount(records)}`).join(', ') },
  ]);
  return [header, ...rows];
}

function damageLine({ kind, number, code, message }: DamagedData, paint: Paint): string {
  return `${paint('red', `${kind} ${number}: ${code}`)} ${printable(message)}`;
}

/** Ten columns, in eighths. */
export function fillBar(fill: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, fill)) * BAR_WIDTH * 8);
  const bar = '█'.repeat(Math.floor(eighths / 8)) + (BAR_PARTS[eighths % 8] ?? '');
  return bar + '░'.repeat(BAR_WIDTH - bar.length);
}

function fillCell(fill: number | null): Cell {
  if (fill === null) return { text: '-', style: 'dim' };
  return { text: fillBar(fill), style: fill >= FULL ? 'red' : 'green' };
}

function ownerCell(owner: OwnerData | null): Cell {
  if (owner === null) return { text: 'free', style: 'dim' };
  return { text: ownerText(owner), ...(owner.alive ? {} : { style: 'red' as const }) };
}

/** 'node (4242)', 'node (4242, thread 4250)', 'dead (4242)'. */
export function ownerText({ pid, tid, comm, alive }: OwnerData): string {
  if (!alive) return `dead (${tid})`;
  const thread = pid === null || pid === tid ? '' : `, thread ${tid}`;
  return `${printable(comm ?? '?')} (${pid ?? tid}${thread})`;
}

function shownName(name: string): string {
  return name === '' ? '-' : printable(name);
}

function tableLines(rows: readonly (readonly Cell[])[], paint: Paint, indent = ''): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, { text }] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, stringWidth(text));
  }
  return rows.map((row) => {
    const cells = row.map(({ text, right = false, style }, column) => {
      const padding = ' '.repeat((widths[column] ?? 0) - stringWidth(text));
      const painted = style === undefined || text === '' ? text : paint(style, text);
      return right ? padding + painted : painted + padding;
    });
    return `${indent}${cells.join('  ')}`.trimEnd();
  });
}

/** Escapes have no width, and stay: a colour that was begun ends. */
function cut(line: string, width: number): string {
  if (stringWidth(line) <= width) return line;
  let used = 0;
  let result = '';
  for (const [part] of line.matchAll(ESCAPE_OR_CHARACTER)) {
    const isEscape = part.length > 1 && part.startsWith('\x1b');
    used += isEscape ? 0 : stringWidth(part);
    if (isEscape || used < width) result += part;
  }
  return `${result}…`;
}
