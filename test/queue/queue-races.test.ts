// Races that the models of test/model found, made to happen by doing the steps of both sides by hand.

import { expect, test } from 'vitest';
import { ARENA_REGION_QUEUE } from '../../layout/arena.ts';
import { QUEUE_MODE_GATED, QUEUE_ROOM_WAKE_OFFSET } from '../../layout/queue.ts';
import { Arena } from '../../src/arena/arena.ts';
import { newOwner } from '../../src/arena/owner.ts';
import { laneAddress } from '../../src/queue/place.ts';
import { Queue, queueRegion } from '../../src/queue/queue.ts';
import { joined, leaveBehind } from '../../src/queue/reaper.ts';

function makeBroadcast(consumers: number): Queue {
  const options = { mode: 'broadcast', producers: 1, consumers, laneCapacity: 4096 } as const;
  const arena = Arena.create({ regions: [queueRegion(options)], endpoints: true });
  return Queue.create(arena, arena.region(ARENA_REGION_QUEUE), options);
}

test('a consumer that took the slot of a slow one after that was found slow is not left behind', () => {
  const queue = makeBroadcast(1);
  const slow = queue.consumer();
  // E1 of a producer.
  const value = joined(queue, 0);
  expect(value & 1).toBe(1);
  slow.close();
  using next = queue.consumer();
  expect(leaveBehind(queue, 0, value)).toBe(false);
  using producer = queue.producer();
  while (producer.offer(Buffer.alloc(100))) {}
  producer.publish();
  expect(next.read().length).toBe(Number(producer.count));
  expect(next.lapped).toBe(0n);
});

test('a consumer that joins wakes producers that sleep because of the place where it began to join', () => {
  const queue = makeBroadcast(1);
  const { arena, wasm, plan } = queue;
  // A producer's state of our own, so that we can stop between S2 and S4.
  const state = arena.takeEndpoint(newOwner()).address;
  const { laneCapacity, consumers, recordLengthMax } = plan;
  const lane = laneAddress(queue, 0);
  wasm.queueProducerInit(
    state,
    queue.address,
    QUEUE_MODE_GATED,
    0,
    lane,
    laneCapacity,
    consumers,
    recordLengthMax,
    Number(arena.isShared),
  );
  const value = wasm.queueRoomSleep(state);
  using _consumer = queue.consumer();
  expect(Atomics.load(arena.i32, (queue.address + QUEUE_ROOM_WAKE_OFFSET) / 4)).not.toBe(value);
});
