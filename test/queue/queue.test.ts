import { expect, test } from 'vitest';
import { ARENA_REGION_QUEUE } from '../../layout/arena.ts';
import { STATUS_CLOSED } from '../../layout/status.ts';
import { Arena } from '../../src/arena/arena.ts';
import type { QueueOptions } from '../../src/queue/plan.ts';
import { Queue, queueRegion } from '../../src/queue/queue.ts';

function make(options: QueueOptions) {
  const arena = Arena.create({ regions: [queueRegion(options)], endpoints: true });
  const queue = Queue.create(arena, arena.region(ARENA_REGION_QUEUE), options);
  return { arena, queue: Queue.open(arena, arena.region(ARENA_REGION_QUEUE)), made: queue };
}

test.each(['spsc', 'mpsc', 'mpmc', 'broadcast', 'broadcast-lossy'] as const)('hands over: %s', (mode) => {
  const { queue } = make({ mode, laneCapacity: 4096 });
  const consumer = queue.consumer();
  const producer = queue.producer();
  let sent = 0;
  let seen = 0;
  for (let round = 0; round < 1000; round++) {
    for (let i = 0; i < round % 7; i++) {
      const r = Buffer.alloc(4 + (sent % 50));
      r.writeUInt32LE(sent);
      if (producer.offer(r)) sent++;
    }
    producer.publish();
    for (const record of consumer.read(5 + (round % 3))) {
      expect(Buffer.from(record).readUInt32LE()).toBe(seen++);
    }
  }
  for (;;) {
    const got = consumer.read();
    if (got.length === 0) break;
    for (const record of got) expect(Buffer.from(record).readUInt32LE()).toBe(seen++);
  }
  expect(seen).toBe(sent);
  queue.close();
  expect(consumer.drain(() => {})).toBe(STATUS_CLOSED);
  expect(queue.stats().lanes[0]?.produced).toBe(BigInt(sent));
});
