import { expect, test } from 'vitest';
import { AdaptiveIdle, ParkIdle } from '../../src/base/idle.ts';

test('adaptive idling spins, then yields, then parks, and starts over with work', () => {
  const calls: string[] = [];
  const idle = new AdaptiveIdle({
    spins: 2,
    yields: 1,
    yield: () => calls.push('yield'),
    park: () => calls.push('park'),
  });
  for (const count of [0, 0, 0, 0, 0, 5, 0, 0, 0]) idle.idle(count);
  expect(calls).toEqual(['yield', 'park', 'park', 'yield']);
});

test('parking sleeps at once, but not when there was work', () => {
  let parked = 0;
  const idle = new ParkIdle(() => {
    parked += 1;
  });
  idle.idle(1);
  expect(parked).toBe(0);
  idle.idle(0);
  expect(parked).toBe(1);
});
