// The NDJSON lines of --json: {"type":...,"data":{...}}, type being event, gap, caughtUp, checkpoint, arena, summary or error.
//
// event: sequence, type, path, path2, pid, comm, error and time are always there, null where unknown or not applicable; the rest only where the source
// knew it. time is ISO 8601 in UTC with nanoseconds. Integers are numbers up to 2^53 - 1 and strings above. Bytes are base64.

import { formatIsoTime } from './iso-time.ts';
import type { CaughtUp, Event, Gap, StreamItem } from './types.ts';

export type LineType =
  | 'event'
  | 'gap'
  | 'caughtUp'
  | 'checkpoint'
  | 'arena'
  | 'intact'
  | 'damage'
  | 'summary'
  | 'error';

/** One line of what is not in the stream itself (summary, error ...), with its line break. */
export function jsonLine(type: LineType, data: Record<string, unknown>): string {
  return `${JSON.stringify({ type, data }, jsonValue)}\n`;
}

/** JSON.stringify's replacer: integers that a double cannot hold become strings, bytes base64. */
export function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return integer(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return value;
}

function integer(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

/** One item of the stream, with its line break. */
export function itemLine(item: StreamItem): string {
  if (item.type === 'gap') return gapLine(item);
  if (item.type === 'caughtUp') return caughtUpLine(item);
  return eventLine(item);
}

function gapLine(gap: Gap): string {
  const { sequence, cause, count, from, to, cpu, timeNs } = gap;
  return jsonLine('gap', { sequence, cause, count: count ?? null, from, to, cpu, time: formatIsoTime(timeNs) });
}

function caughtUpLine({ sequence }: CaughtUp): string {
  return jsonLine('caughtUp', { sequence });
}

/** Put together by hand: with an object and JSON.stringify it takes three times as long (measured), and a pipe must keep up with the kernel. */
function eventLine(event: Event): string {
  let line =
    `{"type":"event","data":{"sequence":${integerText(event.sequence)},"type":"${event.type}"` +
    `,"path":${textOrNull(event.path)},"path2":${textOrNull(event.path2)}` +
    `,"pid":${event.pid ?? 'null'},"comm":${textOrNull(event.comm)}` +
    `,"error":${event.error === undefined ? 'null' : `"${event.error}"`},"time":"${formatIsoTime(event.timeNs)}"`;
  if (event.call !== undefined) line += `,"call":"${event.call}"`;
  if (event.tid !== undefined) line += `,"tid":${event.tid}`;
  if (event.uid !== undefined) line += `,"uid":${event.uid}`;
  if (event.gid !== undefined) line += `,"gid":${event.gid}`;
  if (event.amount !== undefined) line += `,"amount":${integerText(event.amount)}`;
  if (event.size !== undefined) line += `,"size":${integerText(event.size)}`;
  if (event.mode !== undefined) line += `,"mode":${event.mode}`;
  if (event.argument !== undefined) line += `,"argument":${integerText(event.argument)}`;
  if (event.durationNs !== undefined) line += `,"durationNs":${integerText(event.durationNs)}`;
  if (event.inode !== undefined) line += `,"inode":${integerText(event.inode)}`;
  if (event.device !== undefined) line += `,"device":${integerText(event.device)}`;
  if (event.cpu !== undefined) line += `,"cpu":${event.cpu}`;
  line += `,"lamport":${integerText(event.lamport)}`;
  if (event.notes !== undefined && event.notes.length > 0) line += `,"notes":${JSON.stringify(event.notes)}`;
  if (event.pathBytes !== undefined) line += `,"pathBytes":"${base64(event.pathBytes)}"`;
  if (event.path2Bytes !== undefined) line += `,"path2Bytes":"${base64(event.path2Bytes)}"`;
  if (event.payload !== undefined) line += `,"payload":"${base64(event.payload)}"`;
  if (event.metadata !== undefined) line += `,"metadata":"${base64(event.metadata)}"`;
  return `${line}}}\n`;
}

function integerText(value: bigint): string {
  return value <= 9007199254740991n && value >= -9007199254740991n ? String(value) : `"${value}"`;
}

function textOrNull(text: string | undefined): string {
  return text === undefined ? 'null' : JSON.stringify(text);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
