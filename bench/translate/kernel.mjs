// translate.kernel: from a kernel record in the ring to a committed journal entry - checked, lane sequence compared, translated, stamped, checksummed - in ns
// per record, through ingestDrain, as the ingest worker does it.
//
// Goal: at most 100 ns, and 5 times as fast as the same in plain JavaScript. Both sides write the same bytes: the checksum sums the entries' own.
// Non-goals: filling the ring; settling symbolic links; the disk.

import { load, loadLayout } from '../harness/engine.mjs';
import { alternate, summarize } from '../harness/measure.mjs';
import { CLOCK_OFFSET_NS, openLog, sumEntries } from './log.mjs';
import { makePlain } from './plain.mjs';
import { makeRecords } from './records.mjs';

const RECORDS = 40_000;
const ROUNDS = 12;
const LANES = 4;
const SEGMENT_LENGTH = 32 * 2 ** 20;
const RING_CAPACITY = 16 * 2 ** 20;
const RIVAL = 'the same in plain JS';

export const ids = ['translate.kernel'];

/** @param {import('../harness/measure.mjs').Context} context */
export async function run(context) {
  const [L, { encodeKernelRecord }] = await Promise.all([loadLayout(), load('src/event/kernel-record.js')]);
  const { KERNEL_OP_COUNT: opCount = 0, KERNEL_VARIANT_COUNT: variantCount = 0 } = L;
  const records = makeRecords({ count: RECORDS, seed: context.seed, opCount, variantCount, lanes: LANES }).map(
    (record) => {
      const bytes = new Uint8Array(8192);
      return bytes.slice(0, encodeKernelRecord(record, bytes, 0));
    },
  );
  const rounds = Math.max(2, Math.round(ROUNDS * context.scale));
  const log = await openLog({ segmentLength: SEGMENT_LENGTH, ringCapacity: RING_CAPACITY });
  const rival = makeRival(records, L);

  const subject = async () =>
    measure(rounds, {
      prepare() {
        log.reset();
        log.fill(records);
      },
      work: () => log.drain(),
      sum: () => sumEntries(log.arena.view, log.window, L),
    });
  const { subject: samples, rivals } = await alternate(context, {
    subject,
    rivals: { [RIVAL]: async () => measure(rounds, rival) },
  });
  return [
    summarize({
      id: 'translate.kernel',
      unit: 'ns',
      better: 'lower',
      subject: samples,
      rival: RIVAL,
      rivalSamples: rivals[RIVAL] ?? [],
    }),
  ];
}

/**
 * @param {number} rounds
 * @param {{ prepare: () => void, work: () => number, sum: () => { count: number, sum: number } }} contestant
 */
function measure(rounds, { prepare, work, sum }) {
  let ns = 0;
  let total = 0;
  for (let round = 0; round < rounds; round++) {
    prepare();
    const begin = process.hrtime.bigint();
    const taken = work();
    ns += Number(process.hrtime.bigint() - begin);
    const entries = sum();
    if (taken !== RECORDS || entries.count !== RECORDS)
      throw new Error(`records=${RECORDS}, taken=${taken}, entries=${entries.count}`);
    total = (total + entries.sum) >>> 0;
  }
  return { figures: { '': ns / (rounds * RECORDS) }, checksum: total.toString(16).padStart(8, '0') };
}

/**
 * @param {readonly Uint8Array[]} records
 * @param {Record<string, number>} L
 */
function makeRival(records, L) {
  const { ingest } = makePlain(L);
  const buffer = new ArrayBuffer(RING_CAPACITY);
  const segment = new ArrayBuffer(SEGMENT_LENGTH);
  let end = 0;
  for (const record of records) {
    new DataView(buffer).setUint32(end, record.length, true);
    new Uint8Array(buffer).set(record, end + 8);
    end += (record.length + 15) & ~7;
  }
  return {
    prepare: () => void new Uint8Array(segment).fill(0),
    work: () => ingest({ records: buffer, end, segment, clockOffsetNs: CLOCK_OFFSET_NS }).count,
    sum: () => sumEntries(new DataView(segment), 0, L),
  };
}
