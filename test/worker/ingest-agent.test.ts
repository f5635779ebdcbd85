// The agent is stepped by hand: no threads, no waiting.

import { describe, expect, test } from 'vitest';
import { ARENA_INGEST_OFFSET, ARENA_LOG_OFFSET, ARENA_REGION_RING, ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import { GAP_CAUSE_QUEUE_OVERFLOW } from '../../layout/entry.ts';
import { INGEST_DELIVERED_OFFSET, INGEST_FILTERED_OFFSET } from '../../layout/ingest.ts';
import { KERNEL_FLAG_PATH_BY_NAME, KERNEL_FLAG_RESOLVED } from '../../layout/kernel-record.ts';
import { LOG_COMMIT_NOTIFY_OFFSET } from '../../layout/log.ts';
import {
  RING_CONSUMER_POSITION_OFFSET,
  RING_DATA_OFFSET,
  RING_PRODUCER_POSITION_OFFSET,
  RING_RECORD_DISCARD,
} from '../../layout/ring.ts';
import { createRing, ringRegionLength, SpscProducer } from '../../src/arena/ring.ts';
import {
  decodeKernelRecord,
  encodeKernelRecord,
  type KernelRecord,
  kernelRecord,
} from '../../src/event/kernel-record.ts';
import type { SourceLoss, SourceReader } from '../../src/source/source.ts';
import { IngestAgent } from '../../src/worker/ingest-agent.ts';
import { LatencyRecorder } from '../../src/worker/latency.ts';
import { readLatency } from '../../src/worker/latency-stats.ts';
import { testLog } from '../support/log.ts';

const CAPACITY = 65536;

function agentOnRing() {
  const log = testLog(1024 * 1024, [
    { kind: ARENA_REGION_RING, length: ringRegionLength(CAPACITY) },
    { kind: ARENA_REGION_SCRATCH, number: 2, length: 4096 },
  ]);
  const { arena, wasm } = log;
  const ring = { address: arena.region(ARENA_REGION_RING).address, capacity: CAPACITY };
  createRing(wasm, ring);
  const producer = new SpscProducer({
    arena,
    wasm,
    ring,
    state: arena.region(ARENA_REGION_SCRATCH, 2).address,
    owner: 1n,
  });
  const losses: SourceLoss[] = [];
  const reader: SourceReader = {
    poll: () => 0,
    wait: () => {},
    takeLosses: () => losses.splice(0),
    mark: () => producer.position,
    finished: false,
    close: () => {},
  };
  /** /in/... is inside, named by way of /link/...; everything else is outside. */
  const settler = {
    settle: (bytes: Uint8Array, length: number): number => {
      const record = decodeKernelRecord(bytes, 0, length);
      const path = Buffer.from(record.path).toString().replace('/link/', '/in/a-much-longer-name/');
      if (!path.startsWith('/in/')) return 0;
      return encodeKernelRecord(
        { ...record, path: Buffer.from(path), flags: record.flags | KERNEL_FLAG_RESOLVED },
        bytes,
        0,
      );
    },
  };
  const latency = new LatencyRecorder(arena);
  const agent = new IngestAgent({
    arena,
    wasm,
    plan: {
      kind: 'trace',
      ringAddress: ring.address,
      ringCapacity: CAPACITY,
      doubleMapped: false,
      lanesAddress: 0,
      details: {},
    },
    reader,
    settler,
    latency,
    clockOffsetNs: 0n,
  });
  const buffer = new Uint8Array(9000);
  const offer = (fields: Partial<KernelRecord>): void => {
    producer.offer(buffer.slice(0, encodeKernelRecord(kernelRecord(fields), buffer, 0)));
    producer.publish();
  };
  const position = (offset: number) => arena.view.getBigUint64(ring.address + offset, true);
  const isReleased = () => position(RING_CONSUMER_POSITION_OFFSET) === position(RING_PRODUCER_POSITION_OFFSET);
  const counter = (offset: number) => arena.view.getBigUint64(ARENA_INGEST_OFFSET + offset, true);
  const notified = () => arena.view.getUint32(ARENA_LOG_OFFSET + LOG_COMMIT_NOTIFY_OFFSET, true);
  return { ...log, agent, offer, losses, ring, isReleased, counter, notified, latency };
}

const byName = (path: string) => ({ path: Buffer.from(path), flags: KERNEL_FLAG_PATH_BY_NAME });

describe('IngestAgent', () => {
  test('settles paths, appends what is inside, counts what is outside, and leaves nothing in the ring', () => {
    const { agent, offer, counter, isReleased, notified, entries } = agentOnRing();
    offer(byName('/link/file'));
    offer(byName('/elsewhere/file'));
    const before = notified();
    while (agent.doWork() > 0);
    expect(counter(INGEST_DELIVERED_OFFSET)).toBe(1n);
    expect(counter(INGEST_FILTERED_OFFSET)).toBe(1n);
    expect(Buffer.from(entries()[0] ?? []).includes('/in/a-much-longer-name/file')).toBe(true);
    // Readers are told at once, and a kernel ring that still looked readable would keep the worker from sleeping.
    expect(notified()).toBeGreaterThan(before);
    expect(isReleased()).toBe(true);
  });

  test('gives the room of discarded records back before it sleeps', () => {
    const { arena, agent, ring, isReleased } = agentOnRing();
    arena.view.setUint32(ring.address + RING_DATA_OFFSET, (RING_RECORD_DISCARD | 8) >>> 0, true);
    Atomics.store(arena.u64, (ring.address + RING_PRODUCER_POSITION_OFFSET) / 8, 16n);
    expect(agent.doWork()).toBe(0);
    agent.parked();
    expect(isReleased()).toBe(true);
  });

  test('writes losses that the source reports as gaps, behind the records that came with them', () => {
    const { agent, offer, losses, entries } = agentOnRing();
    offer({ path: Buffer.from('/in/a') });
    losses.push({ cause: GAP_CAUSE_QUEUE_OVERFLOW, from: 0n, to: 0n, count: 0n });
    agent.doWork();
    expect(entries().length).toBe(2);
    expect(agent.hasPendingLosses).toBe(false);
  });

  test('reports a ring that breaks its rules, with the position', () => {
    const { arena, agent, ring } = agentOnRing();
    Atomics.store(arena.u64, (ring.address + RING_PRODUCER_POSITION_OFFSET) / 8, 12345n);
    expect(() => agent.doWork()).toThrow(
      expect.objectContaining({ code: 'RING_CORRUPT', message: expect.stringContaining('position 0') }),
    );
  });

  test('publishes latencies that anybody can read', () => {
    const { arena, agent, offer, latency } = agentOnRing();
    offer({ path: Buffer.from('/in/a'), timeNs: process.hrtime.bigint() - 5_000_000n });
    agent.doWork();
    latency.publish(process.hrtime.bigint(), true);
    const { all, spinning } = readLatency(arena);
    expect(all.count).toBe(1);
    expect(all.maxNs).toBeGreaterThanOrEqual(5_000_000);
    expect(spinning.count).toBe(0);
  });
});
