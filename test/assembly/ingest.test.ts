import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ARENA_INGEST_OFFSET, ARENA_REGION_RING, ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import {
  ENTRY_CPU_OFFSET,
  ENTRY_HEADER_LENGTH,
  ENTRY_KIND_EVENT,
  ENTRY_KIND_GAP,
  ENTRY_KIND_OFFSET,
  ENTRY_LOCAL_SEQUENCE_OFFSET,
} from '../../layout/entry.ts';
import * as ingest from '../../layout/ingest.ts';
import {
  KERNEL_FLAG_PATH_BY_NAME,
  KERNEL_FLAG_RESOLVED,
  KERNEL_RECORD_HEADER_LENGTH,
  KERNEL_RECORD_LENGTH_OFFSET,
  KERNEL_RECORD_OP_OFFSET,
  KERNEL_RECORD_PATH_LENGTH_OFFSET,
  KERNEL_RECORD_VARIANT_OFFSET,
  KERNEL_RECORD_VERSION_OFFSET,
} from '../../layout/kernel-record.ts';
import { STATUS_EMPTY, STATUS_RESOLVE } from '../../layout/status.ts';
import { createRing, ringRegionLength, SpscProducer } from '../../src/arena/ring.ts';
import { encodeKernelRecord, type KernelRecord, kernelRecord } from '../../src/event/kernel-record.ts';
import { testLog } from '../support/log.ts';

const CAPACITY = 262144;

function pipeline(segmentLength = 4 * 1024 * 1024) {
  const log = testLog(segmentLength, [
    { kind: ARENA_REGION_RING, length: ringRegionLength(CAPACITY) },
    { kind: ARENA_REGION_SCRATCH, number: 2, length: 4096 },
  ]);
  const { arena, wasm } = log;
  const ring = { address: arena.region(ARENA_REGION_RING).address, capacity: CAPACITY };
  createRing(wasm, ring);
  const scratch = arena.region(ARENA_REGION_SCRATCH, 0).address;
  const producer = new SpscProducer({
    arena,
    wasm,
    ring,
    state: arena.region(ARENA_REGION_SCRATCH, 2).address,
    owner: 1n,
  });
  wasm.ringConsumerInit(scratch, ring.address, ring.capacity, 0);
  const buffer = new Uint8Array(16384);
  const offerBytes = (bytes: Uint8Array) => expect(producer.offer(bytes)).toBe(true);
  const offer = (fields: Partial<KernelRecord>) =>
    offerBytes(buffer.slice(0, encodeKernelRecord(kernelRecord(fields), buffer, 0)));
  const drain = (nowNs = 0n, max = 10_000): number => {
    producer.publish();
    return wasm.ingestDrain(scratch, nowNs, max);
  };
  const counter = (offset: number): bigint => arena.view.getBigUint64(ARENA_INGEST_OFFSET + offset, true);
  const status = (): number => arena.view.getInt32(scratch + ingest.INGEST_SCRATCH_STATUS_OFFSET, true);
  /** What the journal holds: ['event', cpu, laneSequence] or ['gap', cpu, from, to]. */
  const story = () =>
    log.entries().map((entry) => {
      const view = new DataView(entry.buffer);
      const kind = view.getUint16(ENTRY_KIND_OFFSET, true);
      const cpu = view.getUint32(ENTRY_CPU_OFFSET, true);
      if (kind === ENTRY_KIND_EVENT)
        return ['event', cpu, Number(view.getBigUint64(ENTRY_LOCAL_SEQUENCE_OFFSET, true))];
      expect(kind).toBe(ENTRY_KIND_GAP);
      const field = (index: number) => Number(view.getBigUint64(ENTRY_HEADER_LENGTH + index * 8, true));
      expect(field(2)).toBe(field(1) - field(0) + 1);
      return ['gap', cpu, field(0), field(1)];
    });
  return { ...log, scratch, ring, offer, offerBytes, drain, counter, status, story, buffer };
}

const path = Buffer.from('/tree/file');

describe('ingestion', () => {
  test('tells every jump of a lane as a gap of exact size, and every record once, for any interleaving of lanes, drops and repeats', () => {
    const step = fc.record({ cpu: fc.nat(3), skip: fc.nat(3), repeat: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { offer, drain, story, counter } = pipeline();
        // The dumb second implementation: a list of what must be told.
        const last = new Map<number, number>();
        const expected: (string | number)[][] = [];
        let lost = 0;
        let repeated = 0;
        for (const { cpu, skip, repeat } of steps) {
          const before = last.get(cpu) ?? 0;
          const sequence = before + 1 + skip;
          if (skip > 0) expected.push(['gap', cpu, before + 1, sequence - 1]);
          lost += skip;
          expected.push(['event', cpu, sequence]);
          offer({ cpu, laneSequence: BigInt(sequence), path });
          if (repeat) {
            offer({ cpu, laneSequence: BigInt(sequence), path });
            repeated += 1;
          }
          last.set(cpu, sequence);
        }
        expect(drain()).toBe(steps.length + repeated);
        expect(story()).toEqual(expected);
        expect(counter(ingest.INGEST_LOST_OFFSET)).toBe(BigInt(lost));
        expect(counter(ingest.INGEST_DUPLICATE_OFFSET)).toBe(BigInt(repeated));
        expect(counter(ingest.INGEST_DELIVERED_OFFSET)).toBe(BigInt(steps.length));
      }),
    );
  });

  test('finds records that were dropped at the very end, from the kernel’s own table of lanes', () => {
    const { arena, wasm, offer, drain, story, counter } = pipeline();
    offer({ cpu: 1, laneSequence: 1n, path });
    drain();
    const lanes = arena.region(ARENA_REGION_SCRATCH, 1).address;
    arena.view.setBigUint64(lanes + 8, 4n, true);
    arena.view.setBigUint64(lanes + 16, 2n, true);
    expect(wasm.ingestReconcile(lanes, 5n)).toBe(2);
    expect(wasm.ingestReconcile(lanes, 5n)).toBe(0);
    expect(story()).toEqual([
      ['event', 1, 1],
      ['gap', 1, 2, 4],
      ['gap', 2, 1, 2],
    ]);
    expect(counter(ingest.INGEST_LOST_OFFSET)).toBe(5n);
    offer({ cpu: 1, laneSequence: 5n, path });
    drain();
    expect(story().at(-1)).toEqual(['event', 1, 5]);
  });

  test('keeps malformed records aside with the reason, counts them, and goes on', () => {
    const { arena, offer, offerBytes, drain, counter, story, scratch, buffer } = pipeline();
    const good = (): Uint8Array => buffer.slice(0, encodeKernelRecord(kernelRecord({ path }), buffer, 0));
    const broken = (offset: number, value: number, width: 2 | 4 = 2): Uint8Array => {
      const bytes = good();
      const view = new DataView(bytes.buffer);
      if (width === 2) view.setUint16(offset, value, true);
      else view.setUint32(offset, value, true);
      return bytes;
    };
    const withNul = good();
    withNul[KERNEL_RECORD_HEADER_LENGTH + 3] = 0;
    const cases: [Uint8Array, number][] = [
      [new Uint8Array(127), ingest.MALFORMED_TOO_SHORT],
      [new Uint8Array(0), ingest.MALFORMED_TOO_SHORT],
      [new Uint8Array(9000), ingest.MALFORMED_LENGTH],
      [broken(KERNEL_RECORD_VERSION_OFFSET, 2), ingest.MALFORMED_VERSION],
      [broken(KERNEL_RECORD_OP_OFFSET, 18), ingest.MALFORMED_OP],
      [broken(KERNEL_RECORD_VARIANT_OFFSET, 0xffff), ingest.MALFORMED_VARIANT],
      [broken(12, 1024, 4), ingest.MALFORMED_LANE],
      [broken(KERNEL_RECORD_PATH_LENGTH_OFFSET, 4096), ingest.MALFORMED_PATH_LENGTH],
      [broken(KERNEL_RECORD_PATH_LENGTH_OFFSET, 9), ingest.MALFORMED_LENGTH],
      [broken(KERNEL_RECORD_LENGTH_OFFSET, 0xffffffff, 4), ingest.MALFORMED_LENGTH],
      [withNul, ingest.MALFORMED_PATH],
    ];
    for (const [bytes] of cases) {
      offerBytes(bytes);
      offer({ path });
    }
    expect(drain()).toBe(cases.length * 2);
    expect(counter(ingest.INGEST_MALFORMED_OFFSET)).toBe(BigInt(cases.length));
    expect(counter(ingest.INGEST_DELIVERED_OFFSET)).toBe(BigInt(cases.length));
    expect(story().length).toBe(cases.length);
    cases.forEach(([bytes, reason], number) => {
      const slot = scratch + ingest.INGEST_SCRATCH_QUARANTINE_OFFSET + number * ingest.QUARANTINE_SLOT_LENGTH;
      expect(arena.view.getUint32(slot + ingest.QUARANTINE_REASON_OFFSET, true)).toBe(reason);
      expect(arena.view.getUint32(slot + ingest.QUARANTINE_LENGTH_OFFSET, true)).toBe(bytes.length);
      const kept = arena.view.getUint32(slot + ingest.QUARANTINE_KEPT_OFFSET, true);
      const at = slot + ingest.QUARANTINE_BYTES_OFFSET;
      expect(arena.bytes.slice(at, at + kept)).toEqual(bytes.slice(0, ingest.QUARANTINE_BYTES_MAX));
    });
  });

  test('counts more malformed records than it keeps', () => {
    const { offerBytes, drain, counter } = pipeline();
    for (let i = 0; i < 100; i++) offerBytes(new Uint8Array(10));
    expect(drain()).toBe(100);
    expect(counter(ingest.INGEST_MALFORMED_OFFSET)).toBe(100n);
  });

  test('never crashes on random bytes, and counts each record somewhere', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 30 }), (records) => {
        const { offerBytes, drain, counter } = pipeline();
        for (const record of records) offerBytes(record);
        expect(drain()).toBe(records.length);
        expect(counter(ingest.INGEST_MALFORMED_OFFSET) + counter(ingest.INGEST_DELIVERED_OFFSET)).toBe(
          BigInt(records.length),
        );
      }),
    );
  });

  test('leaves a record with paths to settle in the ring, and takes it settled, or counts it as outside', () => {
    const { arena, wasm, scratch, offer, drain, status, counter, story, buffer } = pipeline();
    offer({ cpu: 0, laneSequence: 1n, path });
    offer({ cpu: 0, laneSequence: 2n, path, flags: KERNEL_FLAG_PATH_BY_NAME });
    offer({ cpu: 0, laneSequence: 3n, path, flags: KERNEL_FLAG_PATH_BY_NAME });
    offer({ cpu: 0, laneSequence: 4n, path, flags: KERNEL_FLAG_PATH_BY_NAME | KERNEL_FLAG_RESOLVED });
    expect(drain()).toBe(1);
    expect(status()).toBe(STATUS_RESOLVE);
    const settled = scratch + ingest.INGEST_SCRATCH_SETTLED_OFFSET;
    const final = kernelRecord({
      cpu: 0,
      laneSequence: 2n,
      path: Buffer.from('/tree/real'),
      flags: KERNEL_FLAG_RESOLVED,
    });
    const length = encodeKernelRecord(final, arena.bytes, settled);
    expect(wasm.ingestSettled(scratch, settled, length)).toBe(1);
    expect(drain()).toBe(0);
    expect(status()).toBe(STATUS_RESOLVE);
    wasm.ingestOutside(scratch);
    expect(drain()).toBe(1);
    expect(status()).toBe(STATUS_EMPTY);
    expect(story()).toEqual([
      ['event', 0, 1],
      ['event', 0, 2],
      ['event', 0, 4],
    ]);
    expect(counter(ingest.INGEST_FILTERED_OFFSET)).toBe(1n);
    expect(counter(ingest.INGEST_LOST_OFFSET)).toBe(0n);
    expect(buffer.length).toBeGreaterThan(0);
  });

  test('stops when the journal is full, and goes on with the same record when there is room', () => {
    const { arena, offer, drain, counter, scratch, wasm, ring } = pipeline(65536);
    for (let i = 1; i <= 400; i++) offer({ cpu: 0, laneSequence: BigInt(i), path });
    const taken = drain();
    expect(taken).toBeGreaterThan(100);
    expect(taken).toBeLessThan(400);
    expect(counter(ingest.INGEST_DELIVERED_OFFSET)).toBe(BigInt(taken));
    expect(drain()).toBe(0);
    // A replaced worker begins a new state from the ring and finds the same record next.
    wasm.ringConsumerInit(scratch, ring.address, ring.capacity, 0);
    const next = wasm.ringPeek(scratch);
    expect(arena.view.getBigUint64(next + 32, true)).toBe(BigInt(taken + 1));
  });

  test('measures latency from the hand-over, never below zero, and keeps the exact maximum', () => {
    const { arena, scratch, offer, drain, counter } = pipeline();
    offer({ timeNs: 1000n, submitDelayNs: 200, path });
    offer({ timeNs: 5000n, submitDelayNs: 200, path });
    drain(3000n);
    const sample = (n: number) => arena.view.getUint32(scratch + ingest.INGEST_SCRATCH_SAMPLES_OFFSET + n * 4, true);
    expect([sample(0), sample(1)]).toEqual([1800, 0]);
    expect(counter(ingest.INGEST_LATENCY_NS_MAX_OFFSET)).toBe(1800n);
  });
});
