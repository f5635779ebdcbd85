// The judge of test/queue/queue-history.test.ts, judged: histories that are known to be good or bad, and a comparison with a search through all permutations.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type LaneAction, laneModel, linearize, type Model, type Operation } from '../support/linearizability.ts';

type History = Operation<LaneAction>[];

const publish = (called: number, returned: number, ...values: number[]): Operation<LaneAction> => ({
  called,
  returned,
  action: { kind: 'publish', values },
});
const take = (called: number, returned: number, ...values: number[]): Operation<LaneAction> => ({
  called,
  returned,
  action: { kind: 'take', missed: 0, values },
});
const empty = (called: number, returned: number): Operation<LaneAction> => ({
  called,
  returned,
  action: { kind: 'empty' },
});

const GOOD: Record<string, History> = {
  'nothing at all': [],
  'one after the other': [publish(0, 1, 1), publish(2, 3, 2), take(4, 5, 1), take(6, 7, 2), empty(8, 9)],
  'taken while it is published': [publish(0, 10, 1), take(1, 2, 1)],
  'empty while it is published': [publish(0, 10, 1), empty(1, 2), take(3, 4, 1)],
  'empty, called after a take that had not returned': [publish(0, 1, 1), take(2, 9, 1), empty(3, 4)],
  'two takers that overlap, in either order': [publish(0, 1, 1, 2), take(2, 9, 2), take(3, 8, 1)],
  'a publish that never returned, seen': [publish(0, Number.POSITIVE_INFINITY, 1), take(5, 6, 1)],
  'a publish that never returned, not seen': [publish(0, Number.POSITIVE_INFINITY, 1), empty(5, 6)],
  'a taker that never returned had it': [publish(0, 1, 1, 2), take(2, Number.POSITIVE_INFINITY, 1), take(5, 6, 2)],
  'missed, and told so': [
    publish(0, 1, 1, 2, 3),
    { called: 2, returned: 3, action: { kind: 'take', missed: 2, values: [3] } },
  ],
};

const BAD: Record<string, History> = {
  lost: [publish(0, 1, 1), publish(2, 3, 2), take(4, 5, 2)],
  'lost at the end': [publish(0, 1, 1), empty(2, 3)],
  doubled: [publish(0, 1, 1), take(2, 3, 1), take(4, 5, 1)],
  'doubled by takers that overlap': [publish(0, 1, 1), take(2, 9, 1), take(3, 8, 1)],
  'out of order': [publish(0, 1, 1), publish(2, 3, 2), take(4, 5, 2), take(6, 7, 1)],
  'read before it was written': [take(0, 1, 1), publish(2, 3, 1)],
  'never written': [publish(0, 1, 1), take(2, 3, 7)],
  'empty between two halves of a batch': [publish(0, 1, 1, 2), take(2, 3, 1), empty(4, 5), take(6, 7, 2)],
  'missed without being told': [publish(0, 1, 1, 2, 3), take(2, 3, 1), take(4, 5, 3)],
  'missed more than there was': [
    publish(0, 1, 1),
    { called: 2, returned: 3, action: { kind: 'take', missed: 2, values: [] } },
  ],
};

describe('the linearizability checker', () => {
  test.each(Object.entries(GOOD))('accepts: %s', (_name, history) => {
    const order = linearize(laneModel, history);
    expect(order).toBeDefined();
    expect(isExplained(laneModel, order?.map((index) => history[index] as Operation<LaneAction>) ?? [])).toBe(true);
  });

  test.each(Object.entries(BAD))('rejects: %s', (_name, history) => {
    expect(linearize(laneModel, history)).toBeUndefined();
  });

  test('says what a search through all permutations says', () => {
    const answers = { good: 0, bad: 0 };
    fc.assert(
      fc.property(histories(), (history) => {
        const isGood = permutations(history).some((order) => isInTime(order) && isExplained(laneModel, order));
        answers[isGood ? 'good' : 'bad'] += 1;
        expect(linearize(laneModel, history) !== undefined).toBe(isGood);
      }),
      { numRuns: 2000 },
    );
    expect(Math.min(answers.good, answers.bad)).toBeGreaterThan(100);
  });

  test('does not take for ever over many operations at the same time', () => {
    const values = Array.from({ length: 40 }, (_, number) => number);
    const published = publish(0, 1, ...values);
    const taken = values.map((value) => take(2, 3, value));
    expect(linearize(laneModel, [published, ...taken])).toHaveLength(41);
    const [first = taken[0] as Operation<LaneAction>] = taken;
    expect(linearize(laneModel, [published, ...taken.slice(1), first, first])).toBeUndefined();
  });
});

/** Up to five operations on few values, at moments that often overlap; about half of them cannot be. */
function histories(): fc.Arbitrary<History> {
  const values = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 2 });
  const action: fc.Arbitrary<LaneAction> = fc.oneof(
    fc.record({ kind: fc.constant('publish' as const), values }),
    fc.record({ kind: fc.constant('take' as const), missed: fc.constantFrom(0, 0, 0, 1), values }),
    fc.constant({ kind: 'empty' as const }),
  );
  const operation = fc.record({ action, called: fc.nat(12), length: fc.integer({ min: 1, max: 8 }) });
  return fc
    .array(operation, { maxLength: 5 })
    .map((operations) =>
      operations.map(({ action, called, length }) => ({ action, called, returned: called + length })),
    );
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, index) =>
    permutations([...items.slice(0, index), ...items.slice(index + 1)]).map((rest) => [item, ...rest]),
  );
}

/** Nothing comes behind what was called after it had returned. */
function isInTime(order: History): boolean {
  return order.every((operation, index) =>
    order.slice(index + 1).every(({ returned }) => returned >= operation.called),
  );
}

function isExplained<State, Action>(model: Model<State, Action>, order: readonly Operation<Action>[]): boolean {
  let state: State | undefined = model.initial;
  for (const { action } of order) {
    if (state !== undefined) state = model.step(state, action);
  }
  return state !== undefined;
}
