// RFC 4180, and the columns of events: what a line of log --json says, then what `more` says. A cell that is empty is absent. What cannot be told from an empty
// cell or a number in a column of texts (an empty text, bytes that are no UTF-8, "absent although the line says otherwise") is in the last column, as JSON.

import { DATA_NAMES, type Data, FieldError, MORE_NAMES } from './fields.ts';

const REST = 'more';
const MORE_PREFIX = 'more.';

/** The header: 'kind' is event or gap. */
export const CSV_COLUMNS: readonly string[] = [
  'kind',
  ...DATA_NAMES,
  ...MORE_NAMES.map((name) => `${MORE_PREFIX}${name}`),
  REST,
];

export function csvLine(cells: readonly string[]): string {
  return `${cells.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')}\r\n`;
}

/** Cells of an item's data as JSON.parse gives it, without `more`. */
export function dataCells(kind: 'event' | 'gap', data: Data): string[] {
  return [kind, ...DATA_NAMES.map((name) => cellOf(data[name]))];
}

function cellOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  return Array.isArray(value) ? value.join(' ') : String(value);
}

/** Cells of `more`, the last one with what has no column. */
export function moreCells(more: Record<string, unknown> | undefined): string[] {
  if (more === undefined) return new Array(MORE_NAMES.length + 1).fill('');
  const rest: Record<string, unknown> = {};
  const cells = MORE_NAMES.map((name) => {
    const value = more[name];
    if (value === undefined) return '';
    if (typeof value === 'number' || typeof value === 'bigint') return String(value);
    if (typeof value === 'string' && value !== '') return value;
    rest[name] = value;
    return '';
  });
  return [...cells, Object.keys(rest).length === 0 ? '' : JSON.stringify(rest)];
}

/** @throws FieldError when quotes are where none may be. */
export function parseCsvRecord(text: string): string[] {
  const cells: string[] = [];
  const pattern = /(?:"([^"]*(?:""[^"]*)*)"|([^",]*))(,|$)/y;
  while (true) {
    const match = pattern.exec(text);
    if (match === null) throw new FieldError(`a quote at character ${pattern.lastIndex}, in the middle of a cell`);
    cells.push(match[1] === undefined ? (match[2] as string) : match[1].replaceAll('""', '"'));
    if (match[3] === '') return cells;
  }
}

/** @throws FieldError with a column that is none, or twice there. */
export function checkCsvHeader(columns: readonly string[]): void {
  for (const [index, column] of columns.entries()) {
    if (!CSV_COLUMNS.includes(column))
      throw new FieldError(`column ${JSON.stringify(column.slice(0, 100))} is none of an event`);
    if (columns.indexOf(column) !== index) throw new FieldError(`column ${column} is there twice`);
  }
}

/** @throws FieldError when there are more or fewer cells than columns. */
export function rowData(columns: readonly string[], cells: readonly string[]): { kind: 'event' | 'gap'; data: Data } {
  if (cells.length !== columns.length) throw new FieldError(`${cells.length} cells for ${columns.length} columns`);
  const data: Record<string, unknown> = {};
  const more: Record<string, unknown> = {};
  let kind = 'event';
  for (const [index, column] of columns.entries()) {
    const cell = cells[index] as string;
    if (cell === '') continue;
    if (column === 'kind') kind = cell;
    else if (column === REST) Object.assign(more, parseRest(cell));
    else if (column.startsWith(MORE_PREFIX)) more[column.slice(MORE_PREFIX.length)] = cell;
    else data[column] = column === 'notes' ? cell.split(' ') : cell;
  }
  if (kind !== 'event' && kind !== 'gap') throw new FieldError(`kind=${JSON.stringify(kind.slice(0, 100))} cannot be`);
  return { kind, data: Object.keys(more).length === 0 ? data : { ...data, more } };
}

function parseRest(cell: string): Data {
  try {
    return JSON.parse(cell) as Data;
  } catch {
    throw new FieldError('the column more is no JSON');
  }
}
