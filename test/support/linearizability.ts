// Was there an order in which these operations could have happened one after the other, each between its call and its return, as the model says? (Wing and Gong's search, with
// Lowe's memory of configurations that failed before.)
//
// The search takes an operation that no other one precedes entirely, lets the model do it, and goes on with the rest; where the model refuses all of them, it goes back. A
// configuration is the set of operations that were done and the state they led to: it is never tried twice.

export interface Operation<Action> {
  action: Action;
  /** Of one clock, in whatever unit. */
  called: number;
  /** Infinity: it never returned. It may have happened at any time since, or not at all. */
  returned: number;
}

/** A pure function and what tells states apart. */
export interface Model<State, Action> {
  initial: State;
  /** The state after the action, with the answer that it got; undefined = it cannot get this answer in this state. */
  step: (state: State, action: Action) => State | undefined;
  keyOf: (state: State) => string;
}

/** More are not judged: the search may take exponential time. */
const OPERATIONS_MAX = 200;

/** Indices of the operations in an order that explains them; undefined = there is none. */
export function linearize<State, Action>(
  model: Model<State, Action>,
  operations: readonly Operation<Action>[],
): number[] | undefined {
  if (operations.length > OPERATIONS_MAX) {
    throw new RangeError(`operations=${operations.length}, operationsMax=${OPERATIONS_MAX}`);
  }
  const failed = new Set<string>();
  const order: number[] = [];
  const isLeft = operations.map(() => true);

  const search = (state: State): boolean => {
    // Everything that returned before the first of the others was called comes before it.
    let firstReturn = Number.POSITIVE_INFINITY;
    operations.forEach(({ returned }, index) => {
      if (isLeft[index] && returned < firstReturn) firstReturn = returned;
    });
    // All that is left never returned.
    if (firstReturn === Number.POSITIVE_INFINITY) return true;
    const key = `${isLeft.map(Number).join('')} ${model.keyOf(state)}`;
    if (failed.has(key)) return false;
    for (const [index, { action, called }] of operations.entries()) {
      if (!isLeft[index] || called > firstReturn) continue;
      const next = model.step(state, action);
      if (next === undefined) continue;
      isLeft[index] = false;
      order.push(index);
      if (search(next)) return true;
      order.pop();
      isLeft[index] = true;
    }
    failed.add(key);
    return false;
  };

  return search(model.initial) ? order : undefined;
}

/** What happens to one lane of a queue. Lanes are judged one by one: a history is linearizable if each object's part of it is (Herlihy and Wing). */
export type LaneAction =
  /** Records that become visible together. */
  | { kind: 'publish'; values: readonly number[] }
  /** The next records, after as many as were missed (0 but for lossy broadcasts). */
  | { kind: 'take'; missed: number; values: readonly number[] }
  /** Nothing was there. */
  | { kind: 'empty' };

/** First in, first out: what was published and is not taken yet. */
export const laneModel: Model<readonly number[], LaneAction> = {
  initial: [],
  step: (state, action) => {
    if (action.kind === 'publish') return [...state, ...action.values];
    if (action.kind === 'empty') return state.length === 0 ? state : undefined;
    const end = action.missed + action.values.length;
    if (end > state.length) return undefined;
    return action.values.every((value, index) => state[action.missed + index] === value) ? state.slice(end) : undefined;
  },
  keyOf: (state) => state.join(),
};
