// A subscription: a handler module that runs in a worker of its own, replaced when it dies.

import type { Arena } from '../arena/arena.ts';
import type { CausewayError } from '../base/errors.ts';
import type { JournalPlan } from '../journal/plan.ts';
import { JournalTail } from '../journal/tail.ts';
import type { SubscriberControl, SubscriberData } from '../worker/control.ts';
import { SupervisedWorker, type WorkerReport } from './supervisor.ts';
import type { EventFilter } from './types.ts';

export interface SubscriptionOptions {
  arena: Arena;
  plan: JournalPlan;
  /** URL of the module whose default export is the handler. */
  module: string;
  filter: EventFilter;
  /** Last sequence that was claimed when the subscription was made. */
  position: bigint;
  /** Structured-cloneable; the handler's second argument. */
  context: unknown;
  onRestart: (report: WorkerReport) => void;
  onGivenUp: (error: CausewayError) => void;
  onEnd: () => void;
}

export class Subscription implements AsyncDisposable {
  readonly worker: SupervisedWorker<SubscriberControl>;
  readonly #options: SubscriptionOptions;
  /** u64: sequence behind the last batch that the handler has finished. i32s: reader slot + 1. */
  readonly #progress = new SharedArrayBuffer(16);

  constructor(options: SubscriptionOptions) {
    const { signal, ...filter } = options.filter;
    this.#options = options;
    this.worker = new SupervisedWorker<SubscriberControl>({
      name: 'subscriber',
      file: 'subscriber.worker',
      data: (): SubscriberData => ({
        memory: options.arena.memory,
        journal: options.plan,
        module: options.module,
        filter,
        position: options.position,
        progress: this.#progress,
        context: options.context,
      }),
      begin: (control) => control.start(),
      onRestart: options.onRestart,
      onGivenUp: options.onGivenUp,
    });
    signal?.addEventListener('abort', () => void this.close(), { once: true });
  }

  /** What is wanted is held until the worker's own reader has it: an ephemeral journal gives up what nobody needs. */
  async start(): Promise<void> {
    const { arena, plan, filter, position } = this.#options;
    const hold = new JournalTail({ arena, plan, since: filter.since ?? position + 1n });
    try {
      await this.worker.start();
    } finally {
      hold.close();
    }
  }

  /** Everything before this sequence has been handled. */
  get position(): bigint {
    return Atomics.load(new BigUint64Array(this.#progress), 0);
  }

  /** Lets the handler finish what is in the journal now, then ends the worker. Idempotent. */
  async close(): Promise<void> {
    await this.worker.stop();
    this.#options.onEnd();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
