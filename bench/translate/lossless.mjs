// translate.lossless: the share of fields that survive kernel record -> journal entry -> kernel record, and journal entry -> kernel record -> journal entry,
// over random records of the 18 kernel operations with every field over its whole range.
//
// Goal: 1. Non-goal: speed.

import { load, loadLayout } from '../harness/engine.mjs';
import { openLog } from './log.mjs';
import { makeAnyRecords } from './records.mjs';

const RECORDS = 100_000;
const BATCH = 5000;
const SEGMENT_LENGTH = 16 * 2 ** 20;

export const ids = ['translate.lossless'];

/**
 * @param {import('../harness/measure.mjs').Context} context
 * @returns {Promise<import('../harness/measure.mjs').Result[]>}
 */
export async function run(context) {
  const [L, codec] = await Promise.all([loadLayout(), load('src/event/kernel-record.js')]);
  const { KERNEL_OP_COUNT: opCount = 0, KERNEL_VARIANT_COUNT: variantCount = 0, LANES_MAX: lanes = 0 } = L;
  const log = await openLog({ segmentLength: SEGMENT_LENGTH, ringCapacity: 65_536 });
  const count = Math.max(opCount * 100, Math.round(RECORDS * context.scale));
  const tally = { total: 0, kept: 0, sum: 0 };
  for (let done = 0; done < count; done += BATCH) {
    log.reset();
    const records = makeAnyRecords({
      count: Math.min(BATCH, count - done),
      seed: context.seed + done,
      opCount,
      variantCount,
      lanes,
    });
    for (const record of records) compareBothWays(log, codec, record, tally);
  }
  const share = tally.kept / tally.total;
  return [
    {
      id: 'translate.lossless',
      unit: 'share',
      value: share,
      rival: null,
      rivalValue: null,
      ratio: null,
      min: share,
      median: share,
      max: share,
      runs: 1,
      checksum: tally.sum.toString(16).padStart(8, '0'),
      better: 'higher',
      counts: { records: count, fields: tally.total },
    },
  ];
}

/**
 * @param {Awaited<ReturnType<typeof openLog>>} log
 * @param {any} codec
 * @param {any} record
 * @param {{ total: number, kept: number, sum: number }} tally
 */
function compareBothWays({ arena, wasm, room, L }, codec, record, tally) {
  const length = codec.encodeKernelRecord(record, arena.bytes, room);
  const entry = translate(wasm, room);
  arena.bytes.fill(0xee, room, room + length);
  const back = codec.decodeKernelRecord(arena.bytes, room, wasm.recordFromEntry(entry, room));
  for (const [name, value] of Object.entries(record)) count(tally, isEqual(value, back[name]));
  tally.sum = (tally.sum + arena.view.getUint32(entry + Number(L.ENTRY_CRC32C_OFFSET), true)) >>> 0;

  // The other way: the entry's own fields, from the one behind its stamps to its end, which follow from its place in the journal.
  const again = translate(wasm, room);
  const [first, second] = [entry, again].map((at) => fieldsOf(arena, at, L));
  for (const [name, value] of Object.entries(first ?? {})) count(tally, isEqual(value, second?.[name]));
}

/**
 * @param {any} wasm
 * @param {number} record
 */
function translate(wasm, record) {
  const entry = wasm.translateRecord(record, 0n);
  if (entry <= 0) throw new Error(`translateRecord: status=${entry}`);
  return entry;
}

/**
 * @param {any} arena
 * @param {number} entry
 * @param {Record<string, number>} L
 * @returns {Record<string, unknown>}
 */
function fieldsOf(arena, entry, L) {
  const length = arena.view.getInt32(entry, true);
  const u32 = (/** @type {string} */ name) => arena.view.getUint32(entry + Number(L[name]), true);
  return {
    length,
    timeNs: arena.view.getBigInt64(entry + Number(L.ENTRY_TIME_NS_OFFSET), true),
    presence: arena.view.getBigUint64(entry + Number(L.ENTRY_PRESENCE_OFFSET), true),
    kind: arena.view.getUint16(entry + Number(L.ENTRY_KIND_OFFSET), true),
    type: u32('ENTRY_TYPE_OFFSET'),
    subtype: u32('ENTRY_SUBTYPE_OFFSET'),
    cpu: u32('ENTRY_CPU_OFFSET'),
    pid: u32('ENTRY_PID_OFFSET'),
    localSequence: arena.view.getBigUint64(entry + Number(L.ENTRY_LOCAL_SEQUENCE_OFFSET), true),
    optional: arena.bytes.slice(entry + Number(L.ENTRY_HEADER_LENGTH), entry + length),
  };
}

/**
 * @param {{ total: number, kept: number }} tally
 * @param {boolean} kept
 */
function count(tally, kept) {
  tally.total += 1;
  if (kept) tally.kept += 1;
}

/**
 * @param {unknown} a
 * @param {unknown} b
 */
function isEqual(a, b) {
  return a instanceof Uint8Array && b instanceof Uint8Array ? Buffer.compare(a, b) === 0 : a === b;
}
