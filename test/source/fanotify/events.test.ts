import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import * as abi from '../../../src/source/fanotify/abi.ts';
import { parseEvents } from '../../../src/source/fanotify/events.ts';

/** An information record about a handle, and a name if there is one. */
function record(type: number, handle: readonly number[], name?: string): Buffer {
  const text = name === undefined ? Buffer.alloc(0) : Buffer.from(`${name}\0`, 'latin1');
  const length = (abi.FANOTIFY_INFO_HANDLE_OFFSET + handle.length + text.length + 3) & ~3;
  const bytes = Buffer.alloc(length);
  bytes[0] = type;
  bytes.writeUInt16LE(length, abi.FANOTIFY_INFO_LENGTH_OFFSET);
  bytes.write('fsidfsid', abi.FANOTIFY_INFO_FSID_OFFSET, 'latin1');
  bytes.writeUInt32LE(handle.length, abi.FANOTIFY_INFO_HANDLE_LENGTH_OFFSET);
  bytes.writeInt32LE(1, abi.FANOTIFY_INFO_HANDLE_LENGTH_OFFSET + 4);
  bytes.set(handle, abi.FANOTIFY_INFO_HANDLE_OFFSET);
  text.copy(bytes, abi.FANOTIFY_INFO_HANDLE_OFFSET + handle.length);
  return bytes;
}

function event(mask: number, pid: number, ...records: Buffer[]): Buffer {
  const head = Buffer.alloc(abi.FANOTIFY_METADATA_LENGTH);
  const whole = Buffer.concat([head, ...records]);
  whole.writeUInt32LE(whole.length, abi.FANOTIFY_EVENT_LENGTH_OFFSET);
  whole[abi.FANOTIFY_EVENT_VERSION_OFFSET] = abi.FANOTIFY_METADATA_VERSION;
  whole.writeUInt16LE(abi.FANOTIFY_METADATA_LENGTH, abi.FANOTIFY_EVENT_METADATA_LENGTH_OFFSET);
  whole.writeUInt32LE(mask, abi.FANOTIFY_EVENT_MASK_OFFSET);
  whole.writeInt32LE(-1, 16);
  whole.writeInt32LE(pid, abi.FANOTIFY_EVENT_PID_OFFSET);
  return whole;
}

const key = (handle: readonly number[]) =>
  `fsidfsid${String.fromCharCode(handle.length)}\0\0\0\u0001\0\0\0${String.fromCharCode(...handle)}`;
const [ONE, TWO, FILE] = [
  [1, 2, 3, 4, 5, 6, 7, 8],
  [9, 9, 9, 9, 0, 0, 0, 255],
  [4, 0, 0, 0, 7, 7, 7, 7],
];

const created = event(
  abi.FAN_CREATE,
  42,
  record(abi.FAN_EVENT_INFO_TYPE_DFID_NAME, ONE as number[], 'na\u00ffme'),
  record(abi.FAN_EVENT_INFO_TYPE_FID, FILE as number[]),
);
const renamed = event(
  abi.FAN_RENAME,
  43,
  record(abi.FAN_EVENT_INFO_TYPE_OLD_DFID_NAME, ONE as number[], 'old'),
  record(abi.FAN_EVENT_INFO_TYPE_NEW_DFID_NAME, TWO as number[], 'new'),
  record(abi.FAN_EVENT_INFO_TYPE_FID, FILE as number[]),
);
const overflowed = event(abi.FAN_Q_OVERFLOW, 0);

const parse = (...parts: Buffer[]) => {
  const bytes = Buffer.concat(parts);
  return parseEvents(bytes, bytes.length);
};

describe('fanotify events', () => {
  it('are taken apart as the kernel writes them', () => {
    const { events, malformed } = parse(created, renamed, overflowed);
    expect(malformed).toBe(0);
    expect(events).toEqual([
      {
        ...{ mask: abi.FAN_CREATE, pid: 42, directory: key(ONE as number[]), name: 'na\u00ffme' },
        ...{ newDirectory: '', newName: '', target: key(FILE as number[]) },
      },
      {
        ...{ mask: abi.FAN_RENAME, pid: 43, directory: key(ONE as number[]), name: 'old' },
        ...{ newDirectory: key(TWO as number[]), newName: 'new', target: key(FILE as number[]) },
      },
      { mask: abi.FAN_Q_OVERFLOW, pid: 0, directory: '', name: '', newDirectory: '', newName: '', target: '' },
    ]);
  });

  it('with records of types that are not known are understood without them', () => {
    const unknown = event(
      abi.FAN_CREATE,
      1,
      record(99, ONE as number[]),
      record(abi.FAN_EVENT_INFO_TYPE_DFID_NAME, TWO as number[], 'x'),
    );
    expect(parse(unknown)).toMatchObject({ events: [{ directory: key(TWO as number[]), name: 'x' }], malformed: 0 });
  });

  const broken: [string, (bytes: Buffer) => void, number][] = [
    ['another version', (bytes) => bytes.writeUInt8(2, abi.FANOTIFY_EVENT_VERSION_OFFSET), 0],
    ['a length below its own header', (bytes) => bytes.writeUInt32LE(23, 0), 0],
    ['a length beyond what was read', (bytes) => bytes.writeUInt32LE(1 << 30, 0), 0],
    ['metadata longer than the event', (bytes) => bytes.writeUInt16LE(60_000, 6), 1],
    ['metadata shorter than its header', (bytes) => bytes.writeUInt16LE(8, 6), 1],
    ['a record longer than the event', (bytes) => bytes.writeUInt16LE(60_000, 26), 1],
    ['a record shorter than its header', (bytes) => bytes.writeUInt16LE(3, 26), 1],
    ['a handle longer than its record', (bytes) => bytes.writeUInt32LE(100, 36), 1],
    ['a handle that is huge', (bytes) => bytes.writeUInt32LE(0xffffffff, 36), 1],
    ['a name without an end', (bytes) => bytes.fill(0x78, 52, 60), 1],
    ['a name with a slash', (bytes) => bytes.fill(0x2f, 52, 53), 1],
    ['an empty name', (bytes) => bytes.fill(0, 52, 60), 1],
  ];
  it.each(broken)('with %s are left out and counted', (_name, damage, goodBehind) => {
    const bytes = Buffer.from(created);
    damage(bytes);
    // Behind an event whose own length is wrong, nothing can be found any more.
    expect(parse(bytes, renamed)).toMatchObject({ malformed: 1, events: { length: goodBehind } });
  });

  it('with half a rename are left out and counted', () => {
    const half = event(abi.FAN_RENAME, 1, record(abi.FAN_EVENT_INFO_TYPE_OLD_DFID_NAME, ONE as number[], 'old'));
    expect(parse(half, created)).toMatchObject({ malformed: 1, events: [{ pid: 42 }] });
  });

  test.prop([fc.uint8Array({ maxLength: 400 })])('of any bytes are taken or refused', (bytes) => {
    expectBounded(Buffer.from(bytes));
  });

  test.prop([fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 8 }), fc.nat()])(
    'that were damaged anywhere, or cut, are taken or refused',
    (damages, cut) => {
      const bytes = Buffer.concat([created, renamed, created, overflowed, renamed]);
      for (const [at, value] of damages) bytes[at % bytes.length] = value;
      expectBounded(bytes.subarray(0, cut % 4 === 0 ? cut % bytes.length : bytes.length));
    },
  );

  /** Nothing that lies behind the bytes gets into what is taken out of them. */
  function expectBounded(bytes: Buffer): void {
    const behind = (fill: number) => Buffer.concat([bytes, Buffer.alloc(300, fill)]);
    const parsed = parseEvents(behind(0x41), bytes.length);
    expect(parseEvents(behind(0), bytes.length)).toEqual(parsed);
    expect(parsed.events.length * abi.FANOTIFY_METADATA_LENGTH).toBeLessThanOrEqual(bytes.length);
    for (const { name, newName } of parsed.events) expect(`${name}${newName}`).not.toMatch(/[\0/]/);
  }
});
