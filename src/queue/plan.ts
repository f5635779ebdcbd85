// What a queue is made of (layout/queue.ts): its shape from the options, and the same shape read back from memory that others can write.

import { PAGE_LENGTH } from '../../layout/limits.ts';
import {
  QUEUE_CONSUMERS_MAX,
  QUEUE_CONSUMERS_OFFSET,
  QUEUE_COPIED_LENGTH_MAX,
  QUEUE_CURSOR_LENGTH,
  QUEUE_CURSORS_OFFSET,
  QUEUE_EXPIRE_AFTER_MS_OFFSET,
  QUEUE_HELD_LENGTH_MIN,
  QUEUE_HELD_LENGTH_OFFSET,
  QUEUE_LANE_CAPACITY_OFFSET,
  QUEUE_LANES_MAX,
  QUEUE_LANES_OFFSET,
  QUEUE_LENGTH_OFFSET,
  QUEUE_MAGIC,
  QUEUE_MAGIC_OFFSET,
  QUEUE_MODE_GATED,
  QUEUE_MODE_LOSSY,
  QUEUE_MODE_MPMC,
  QUEUE_MODE_MPSC,
  QUEUE_MODE_OFFSET,
  QUEUE_MODE_SPSC,
  QUEUE_NAME_LENGTH,
  QUEUE_NAME_OFFSET,
  QUEUE_RECORD_LENGTH_MAX_OFFSET,
} from '../../layout/queue.ts';
import { RING_DATA_OFFSET, RING_RECORD_HEADER_LENGTH } from '../../layout/ring.ts';
import type { Arena, Region } from '../arena/arena.ts';
import { checkCapacity } from '../arena/ring.ts';
import { CausewayError } from '../base/errors.ts';

const MODES = {
  /** One producer, one consumer. */
  spsc: QUEUE_MODE_SPSC,
  /** Several producers, one consumer. */
  mpsc: QUEUE_MODE_MPSC,
  /** Several producers, several consumers: each record goes to one of them. */
  mpmc: QUEUE_MODE_MPMC,
  /** Every consumer gets every record; the slowest stops the producers. */
  broadcast: QUEUE_MODE_GATED,
  /** Every consumer gets every record, or is told how many it missed; producers never wait. */
  'broadcast-lossy': QUEUE_MODE_LOSSY,
} as const;

export type QueueMode = keyof typeof MODES;
export const QUEUE_MODES = Object.keys(MODES) as QueueMode[];

export interface QueueOptions {
  mode: QueueMode;
  /** At most QUEUE_NAME_LENGTH bytes of UTF-8. */
  name?: string;
  /** How many producers there can be at a time: default 8, with spsc 1. */
  producers?: number;
  /** How many consumers: default 8, with spsc and mpsc 1. */
  consumers?: number;
  /** Bytes of each producer's lane, a power of two; default 65,536. */
  laneCapacity?: number;
  /** broadcast: a consumer that has not moved for so long while a producer waits for it is left behind; default 10,000, 0 = never. */
  expireAfterMs?: number;
  /** Longest record: by default half a lane, and at most QUEUE_COPIED_LENGTH_MAX where records are copied. */
  recordLengthMax?: number;
}

/** Checked; every length in bytes, every offset from the queue's address. */
export interface QueuePlan {
  mode: QueueMode;
  name: string;
  lanes: number;
  consumers: number;
  laneCapacity: number;
  recordLengthMax: number;
  expireAfterMs: number;
  /** mpmc: bytes that each consumer can hold. */
  heldLength: number;
  heldOffset: number;
  lanesOffset: number;
  length: number;
}

export function modeNumber(mode: QueueMode): number {
  return MODES[mode];
}

/** @throws CausewayError CONFIG_INVALID naming the option, its value and the limit. */
export function planQueue(options: QueueOptions): QueuePlan {
  const { mode, name = '' } = options;
  if (!(mode in MODES)) throw invalid(`mode=${String(mode)}, want one of ${Object.keys(MODES).join(', ')}`);
  if (Buffer.byteLength(name) > QUEUE_NAME_LENGTH || name.includes('\0')) {
    throw invalid(`name=${JSON.stringify(name)}, bytesMax=${QUEUE_NAME_LENGTH}`);
  }
  const isSingle = mode === 'spsc';
  const hasOneConsumer = isSingle || mode === 'mpsc';
  const lanes = options.producers ?? (isSingle ? 1 : 8);
  const consumers = options.consumers ?? (hasOneConsumer ? 1 : 8);
  checkCount('producers', lanes, isSingle ? 1 : QUEUE_LANES_MAX);
  checkCount('consumers', consumers, hasOneConsumer ? 1 : QUEUE_CONSUMERS_MAX);
  const laneCapacity = capacityOf(options.laneCapacity ?? 65_536);
  // Half a lane at most: a record and the padding before it always fit an empty lane.
  const fitting = laneCapacity / 2 - RING_RECORD_HEADER_LENGTH;
  const lengthMax = hasOneConsumer ? fitting : Math.min(fitting, QUEUE_COPIED_LENGTH_MAX);
  const recordLengthMax = options.recordLengthMax ?? lengthMax;
  if (!Number.isInteger(recordLengthMax) || recordLengthMax < 0 || recordLengthMax > lengthMax) {
    throw invalid(`recordLengthMax=${recordLengthMax}, max=${lengthMax} with laneCapacity=${laneCapacity}`);
  }
  const { expireAfterMs = 10_000 } = options;
  if (!Number.isInteger(expireAfterMs) || expireAfterMs < 0 || expireAfterMs > 0xffffffff) {
    throw invalid(`expireAfterMs=${expireAfterMs}, min=0, max=${0xffffffff}`);
  }
  return { mode, name, expireAfterMs, ...shapeOf({ mode, lanes, consumers, laneCapacity, recordLengthMax }) };
}

type Shape = Omit<QueuePlan, 'mode' | 'name' | 'expireAfterMs'>;

function shapeOf(given: {
  mode: QueueMode;
  lanes: number;
  consumers: number;
  laneCapacity: number;
  recordLengthMax: number;
}): Shape {
  const { mode, lanes, consumers, laneCapacity, recordLengthMax } = given;
  const isClaimed = mode === 'mpmc';
  const cursors = isClaimed ? lanes : mode === 'broadcast' ? lanes * consumers : 0;
  const heldOffset = roundUp(QUEUE_CURSORS_OFFSET + cursors * QUEUE_CURSOR_LENGTH);
  const longest = roundUp(recordLengthMax + RING_RECORD_HEADER_LENGTH);
  const heldLength = isClaimed ? Math.max(QUEUE_HELD_LENGTH_MIN, longest) : 0;
  const lanesOffset = heldOffset + consumers * heldLength;
  const length = lanesOffset + lanes * (RING_DATA_OFFSET + laneCapacity);
  return { lanes, consumers, laneCapacity, recordLengthMax, heldLength, heldOffset, lanesOffset, length };
}

/**
 * The plan of the queue in this region. Its header is read once; nothing that is read from it later is trusted.
 * @throws CausewayError RING_CORRUPT when it is no queue, or one that cannot be.
 */
export function readQueuePlan(arena: Arena, region: Region): QueuePlan {
  const header = new DataView(
    arena.bytes.slice(region.address, region.address + QUEUE_NAME_OFFSET + QUEUE_NAME_LENGTH).buffer,
  );
  const word = (offset: number): number => header.getUint32(offset, true);
  const where = `queue at ${region.address}`;
  if (word(QUEUE_MAGIC_OFFSET) !== QUEUE_MAGIC) {
    throw new CausewayError('RING_CORRUPT', `${where}: magic=${word(QUEUE_MAGIC_OFFSET)}, expected ${QUEUE_MAGIC}`);
  }
  const mode = (Object.keys(MODES) as QueueMode[]).find((name) => MODES[name] === word(QUEUE_MODE_OFFSET));
  if (mode === undefined) throw new CausewayError('RING_CORRUPT', `${where}: mode=${word(QUEUE_MODE_OFFSET)}`);
  const plan = planOrCorrupt(where, {
    mode,
    name: nameOf(new Uint8Array(header.buffer, QUEUE_NAME_OFFSET, QUEUE_NAME_LENGTH)),
    producers: word(QUEUE_LANES_OFFSET),
    consumers: word(QUEUE_CONSUMERS_OFFSET),
    laneCapacity: word(QUEUE_LANE_CAPACITY_OFFSET),
    recordLengthMax: word(QUEUE_RECORD_LENGTH_MAX_OFFSET),
    expireAfterMs: word(QUEUE_EXPIRE_AFTER_MS_OFFSET),
  });
  const found = { heldLength: word(QUEUE_HELD_LENGTH_OFFSET), length: word(QUEUE_LENGTH_OFFSET) };
  if (found.heldLength !== plan.heldLength || found.length !== plan.length || plan.length > region.length) {
    throw new CausewayError(
      'RING_CORRUPT',
      `${where}: heldLength=${found.heldLength}, length=${found.length}, expected ${plan.heldLength} and ${plan.length}, ` +
        `region length=${region.length}`,
    );
  }
  return plan;
}

function planOrCorrupt(where: string, options: QueueOptions): QueuePlan {
  try {
    return planQueue(options);
  } catch (error) {
    throw new CausewayError('RING_CORRUPT', `${where}: ${(error as Error).message}`, { cause: error });
  }
}

function nameOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(bytes.subarray(0, end < 0 ? bytes.length : end)).toString('utf8');
}

function capacityOf(capacity: number): number {
  try {
    return checkCapacity(capacity);
  } catch (error) {
    throw new CausewayError('CONFIG_INVALID', `queue: laneCapacity: ${(error as Error).message}`, { cause: error });
  }
}

function checkCount(option: string, value: number, max: number): void {
  if (!Number.isInteger(value) || value < 1 || value > max) throw invalid(`${option}=${value}, min=1, max=${max}`);
}

function invalid(what: string): CausewayError {
  return new CausewayError('CONFIG_INVALID', `queue: ${what}`);
}

function roundUp(value: number): number {
  return Math.ceil(value / PAGE_LENGTH) * PAGE_LENGTH;
}
