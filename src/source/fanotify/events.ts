// Takes the bytes of a read(2) from a fanotify group apart (abi.ts has the format). They are the kernel's, but nothing is believed: what breaks a rule is
// counted and left out, and nothing is read outside of the event that it belongs to.

import {
  FAN_EVENT_INFO_TYPE_DFID_NAME,
  FAN_EVENT_INFO_TYPE_FID,
  FAN_EVENT_INFO_TYPE_NEW_DFID_NAME,
  FAN_EVENT_INFO_TYPE_OLD_DFID_NAME,
  FAN_RENAME,
  FANOTIFY_EVENT_LENGTH_OFFSET,
  FANOTIFY_EVENT_MASK_OFFSET,
  FANOTIFY_EVENT_METADATA_LENGTH_OFFSET,
  FANOTIFY_EVENT_PID_OFFSET,
  FANOTIFY_EVENT_VERSION_OFFSET,
  FANOTIFY_INFO_FSID_OFFSET,
  FANOTIFY_INFO_HANDLE_LENGTH_OFFSET,
  FANOTIFY_INFO_HANDLE_OFFSET,
  FANOTIFY_INFO_HEADER_LENGTH,
  FANOTIFY_INFO_LENGTH_OFFSET,
  FANOTIFY_METADATA_LENGTH,
  FANOTIFY_METADATA_VERSION,
  HANDLE_LENGTH_MAX,
} from './abi.ts';

export interface FanotifyEvent {
  /** FAN_ bits; of several, if the kernel merged events. */
  mask: number;
  /** The process (not the thread); 0 = not visible from here. */
  pid: number;
  /** Handle (handles.ts) of the directory and the name in it, a byte string; '.' = the directory itself. Both empty: not told. */
  directory: string;
  name: string;
  /** FAN_RENAME: where it went. */
  newDirectory: string;
  newName: string;
  /** Handle of what the name stands or stood for; '' = not told. */
  target: string;
}

export interface ParsedEvents {
  events: FanotifyEvent[];
  /** Events that were left out, at least: behind one whose length cannot be believed the rest is not known. */
  malformed: number;
}

/** All events in bytes[0, length). */
export function parseEvents(bytes: Buffer, length: number): ParsedEvents {
  const events: FanotifyEvent[] = [];
  const end = Math.min(length, bytes.length);
  let malformed = 0;
  let at = 0;
  while (at < end) {
    const eventLength = eventLengthAt(bytes, at, end);
    if (eventLength === 0) return { events, malformed: malformed + 1 };
    const event = eventAt(bytes, at, at + eventLength);
    if (event === undefined) malformed += 1;
    else events.push(event);
    at += eventLength;
  }
  return { events, malformed };
}

/** 0: not to be believed. */
function eventLengthAt(bytes: Buffer, at: number, end: number): number {
  if (end - at < FANOTIFY_METADATA_LENGTH) return 0;
  const length = bytes.readUInt32LE(at + FANOTIFY_EVENT_LENGTH_OFFSET);
  if (length < FANOTIFY_METADATA_LENGTH || length > end - at) return 0;
  return bytes[at + FANOTIFY_EVENT_VERSION_OFFSET] === FANOTIFY_METADATA_VERSION ? length : 0;
}

/** The event in bytes[at, end); undefined: a rule is broken. */
function eventAt(bytes: Buffer, at: number, end: number): FanotifyEvent | undefined {
  const metadataLength = bytes.readUInt16LE(at + FANOTIFY_EVENT_METADATA_LENGTH_OFFSET);
  if (metadataLength < FANOTIFY_METADATA_LENGTH || metadataLength > end - at) return undefined;
  const event: FanotifyEvent = {
    // All bits that we know are in the low half.
    mask: bytes.readUInt32LE(at + FANOTIFY_EVENT_MASK_OFFSET),
    pid: Math.max(0, bytes.readInt32LE(at + FANOTIFY_EVENT_PID_OFFSET)),
    directory: '',
    name: '',
    newDirectory: '',
    newName: '',
    target: '',
  };
  let record = at + metadataLength;
  while (record < end) {
    if (end - record < FANOTIFY_INFO_HEADER_LENGTH) return undefined;
    const length = bytes.readUInt16LE(record + FANOTIFY_INFO_LENGTH_OFFSET);
    if (length < FANOTIFY_INFO_HEADER_LENGTH || length > end - record) return undefined;
    if (!takeRecord(event, bytes, record, record + length)) return undefined;
    record += length;
  }
  const isWhole = !(event.mask & FAN_RENAME) || (event.name !== '' && event.newName !== '');
  return isWhole ? event : undefined;
}

/** False: a rule is broken. A record of another type is of no use to us. */
function takeRecord(event: FanotifyEvent, bytes: Buffer, at: number, end: number): boolean {
  const type = bytes[at];
  if (type === FAN_EVENT_INFO_TYPE_FID) {
    const handleEnd = handleEndAt(bytes, at, end);
    if (handleEnd === 0) return false;
    event.target = handleIn(bytes, at, handleEnd);
  } else if (type === FAN_EVENT_INFO_TYPE_DFID_NAME || type === FAN_EVENT_INFO_TYPE_OLD_DFID_NAME) {
    const handleEnd = handleEndAt(bytes, at, end);
    const nameEnd = handleEnd === 0 ? 0 : nameEndAt(bytes, handleEnd, end);
    if (nameEnd === 0) return false;
    event.directory = handleIn(bytes, at, handleEnd);
    event.name = bytes.toString('latin1', handleEnd, nameEnd);
  } else if (type === FAN_EVENT_INFO_TYPE_NEW_DFID_NAME) {
    const handleEnd = handleEndAt(bytes, at, end);
    const nameEnd = handleEnd === 0 ? 0 : nameEndAt(bytes, handleEnd, end);
    if (nameEnd === 0) return false;
    event.newDirectory = handleIn(bytes, at, handleEnd);
    event.newName = bytes.toString('latin1', handleEnd, nameEnd);
  }
  return true;
}

/** Where the handle of the record at `at` ends; 0: not inside the record. */
function handleEndAt(bytes: Buffer, at: number, end: number): number {
  if (end - at < FANOTIFY_INFO_HANDLE_OFFSET) return 0;
  const length = bytes.readUInt32LE(at + FANOTIFY_INFO_HANDLE_LENGTH_OFFSET);
  const handleEnd = at + FANOTIFY_INFO_HANDLE_OFFSET + length;
  return length > HANDLE_LENGTH_MAX || handleEnd > end ? 0 : handleEnd;
}

/** Where the name that begins at `at` ends; 0: it is empty, has a slash, or no NUL. */
function nameEndAt(bytes: Buffer, at: number, end: number): number {
  let nameEnd = at;
  while (nameEnd < end && bytes[nameEnd] !== 0) {
    if (bytes[nameEnd] === 0x2f) return 0;
    nameEnd += 1;
  }
  return nameEnd === end || nameEnd === at ? 0 : nameEnd;
}

/** File system and handle, which lie one behind the other. */
function handleIn(bytes: Buffer, at: number, handleEnd: number): string {
  return bytes.toString('latin1', at + FANOTIFY_INFO_FSID_OFFSET, handleEnd);
}
