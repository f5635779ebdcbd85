// The wasm codec over a small arena of its own, bytes in and bytes out.

import fs from 'node:fs';
import { ARENA_REGION_SCRATCH } from '../../../layout/arena.ts';
import { ENTRY_LENGTH_MAX, ENTRY_LENGTH_OFFSET, ENTRY_SEQUENCE_OFFSET } from '../../../layout/entry.ts';
import { SEMJ_EVENT_LENGTH_MAX, SEMJ_PLAN_LENGTH } from '../../../layout/semj.ts';
import { Arena } from '../../../src/arena/arena.ts';
import { instantiate } from '../../../src/arena/wasm.ts';
import type { Wasm } from '../../../src/arena/wasm-exports.ts';

const EVENT_ROOM = 131072;

export class Codec {
  readonly arena: Arena;
  readonly wasm: Wasm;
  readonly event: number;
  readonly entry: number;
  readonly plan: number;

  constructor() {
    const length = EVENT_ROOM + ENTRY_LENGTH_MAX + 4096;
    this.arena = Arena.create({ regions: [{ kind: ARENA_REGION_SCRATCH, length }] });
    this.wasm = instantiate(this.arena);
    this.wasm.crc32Init();
    this.wasm.crc32cInit();
    this.event = this.arena.region(ARENA_REGION_SCRATCH).address;
    this.entry = this.event + EVENT_ROOM;
    this.plan = this.entry + ENTRY_LENGTH_MAX;
    if (SEMJ_PLAN_LENGTH > 4096 || SEMJ_EVENT_LENGTH_MAX > EVENT_ROOM) throw new RangeError('scratch is too small');
  }

  check(event: Uint8Array, available = event.length): number {
    this.arena.slice(this.event, event.length).set(event);
    return this.wasm.semjCheck(this.event, available);
  }

  /** The entry of a right event. What lies around it is left as it was; length and sequence are set. */
  toEntry(event: Uint8Array, options: { sequence?: bigint; vexfs?: boolean } = {}): Uint8Array {
    this.arena.slice(this.event, event.length).set(event);
    const length = this.wasm.semjMeasure(this.event, this.plan, options.vexfs === true ? 1 : 0);
    if (length > ENTRY_LENGTH_MAX) throw new RangeError(`entry: length=${length}`);
    const room = this.arena.slice(this.entry, length + 8);
    room.fill(0xa5);
    this.wasm.semjToEntry(this.event, this.plan, this.entry);
    if (room.subarray(length).some((byte) => byte !== 0xa5)) throw new Error('written behind the entry');
    const { view } = this.arena;
    view.setBigUint64(this.entry + ENTRY_LENGTH_OFFSET, 0n, true);
    view.setBigUint64(this.entry + ENTRY_SEQUENCE_OFFSET, options.sequence ?? 0n, true);
    view.setBigUint64(this.entry + ENTRY_SEQUENCE_OFFSET + 8, 0n, true);
    return room.slice(0, length);
  }

  /** The event of an entry, or what semjFromEntry refused it with. */
  fromEntry(entry: Uint8Array, options: { vexfs?: boolean } = {}): Buffer | number {
    this.arena.slice(this.entry, entry.length).set(entry);
    const room = this.arena.slice(this.event, EVENT_ROOM);
    room.fill(0x5a);
    const length = this.wasm.semjFromEntry(this.entry, entry.length, this.event, options.vexfs === true ? 1 : 0);
    if (length > 0 && room.subarray(length).some((byte) => byte !== 0x5a)) throw new Error('written behind the event');
    return length < 0 ? length : Buffer.from(room.slice(0, length));
  }

  /** With the checksum that it should have. */
  seal(event: Uint8Array): Buffer {
    this.arena.slice(this.event, event.length).set(event);
    const sealed = Buffer.from(event);
    sealed.writeUInt32LE(this.wasm.semjChecksum(0, this.event, event.length) >>> 0, 84);
    return sealed;
  }
}

export const VECTORS = new URL('../../vectors/semj.bin', import.meta.url).pathname;
export const vectors = fs.readFileSync(VECTORS);
