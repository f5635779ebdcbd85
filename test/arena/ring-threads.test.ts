import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { STATUS_CLOSED } from '../../layout/status.ts';
import { SpscConsumer } from '../../src/arena/ring.ts';
import { testRing } from '../support/arena.ts';
import { seed } from '../support/seed.ts';

const COUNT = 300_000;

// Acceptable: every record once, whole and in order, then the end. Nothing else. A small ring makes both sides park again and again (wrap, full and
// empty in every combination); a batch of 1 publishes every record.
test.each([
  { capacity: 4096, batch: 1 },
  { capacity: 4096, batch: 64 },
  { capacity: 65536, batch: 7 },
])('hands every record over once and in order between two threads: %o', async ({ capacity, batch }) => {
  const { arena, wasm, ring, producerState, consumerState } = testRing(capacity);
  const consumer = new SpscConsumer({ arena, wasm, ring, state: consumerState, owner: 2n });
  const worker = new Worker(new URL('../support/workers/ring-producer.mjs', import.meta.url), {
    workerData: { memory: arena.memory, ring, state: producerState, count: COUNT, batch, seed },
  });
  const died = new Promise<never>((_resolve, reject) => worker.on('error', reject));
  const consume = async (): Promise<number> => {
    let expected = 0;
    const take = (address: number, length: number): void => {
      const number = arena.view.getUint32(address, true);
      const claimed = arena.view.getUint32(address + 4, true);
      const bytes = arena.bytes.subarray(address + 8, address + length);
      if (number !== expected || claimed !== length || !bytes.every((byte) => byte === (number & 0xff))) {
        throw new Error(`record ${expected}: number=${number}, length=${length}, claimed=${claimed}`);
      }
      expected += 1;
    };
    for (;;) {
      const answer = consumer.drain(take, 1000);
      if (answer === STATUS_CLOSED) return expected;
      if (answer === 0) consumer.waitForRecord(20);
      // Lets an error of the worker through.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  try {
    expect(await Promise.race([consume(), died])).toBe(COUNT);
  } finally {
    await worker.terminate();
  }
});
