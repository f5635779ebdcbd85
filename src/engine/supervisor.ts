// Workers that are replaced when they die: reported, repaired after, started again - and given up on when they die again and again.

import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { CausewayError, messageOf } from '../base/errors.ts';
import { type RemoteControl, wrapControl } from '../worker/endpoint.ts';

/** More deaths than this within the window, and there is a fault that restarting does not mend. */
const RESTARTS_MAX = 5;
const RESTART_WINDOW_MS = 60_000;

export interface WorkerReport {
  name: string;
  restarts: number;
  lastError: string | undefined;
}

export interface SupervisedOptions<T> {
  name: string;
  /** File in src/worker/ without its ending: 'ingest.worker'. */
  file: string;
  /** workerData, made anew for each start. */
  data: () => object;
  /** Called on each start; resolves when the worker does its work. */
  begin: (control: RemoteControl<T>) => Promise<void>;
  /** Ends a sleep of the worker, so that it sees the call that was just posted to it. */
  wake?: () => void;
  /** Puts right what a dead worker left half done, before its replacement starts. */
  repair?: () => void;
  /** A worker died and was replaced. */
  onRestart?: (report: WorkerReport) => void;
  /** It will not be started again. */
  onGivenUp: (error: CausewayError) => void;
}

export class SupervisedWorker<T extends { stop(): unknown }> {
  readonly #options: SupervisedOptions<T>;
  readonly #deaths: number[] = [];
  #worker: Worker | undefined;
  #control: RemoteControl<T> | undefined;
  #restarts = 0;
  #lastError: string | undefined;
  #failure: CausewayError | undefined;
  #isStopping = false;
  #died: Promise<void> = Promise.resolve();
  /** Settled when the current or next worker is up, or it was given up. */
  #starting: Promise<void> = Promise.resolve();

  constructor(options: SupervisedOptions<T>) {
    this.#options = options;
  }

  get report(): WorkerReport {
    return { name: this.#options.name, restarts: this.#restarts, lastError: this.#lastError };
  }

  /**
   * Makes a control call. If the worker dies before it answers, the call is made again to its replacement.
   * @throws what made the worker be given up.
   */
  async call<R>(invoke: (control: RemoteControl<T>) => Promise<R>): Promise<R> {
    for (;;) {
      await this.#starting;
      if (this.#failure !== undefined) throw this.#failure;
      const control = this.#control;
      if (control === undefined)
        throw new CausewayError('WORKER_FAILED', `${this.#options.name} worker is not running`);
      const answer = invoke(control).then((value) => ({ value }));
      this.#options.wake?.();
      const settled = await Promise.race([answer, this.#died]);
      if (settled !== undefined) return settled.value;
      // The worker is dead: its exit is handled before it is asked again.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** The thread itself, for tests that end it. */
  get thread(): Worker | undefined {
    return this.#worker;
  }

  /** @throws CausewayError WORKER_FAILED when it does not even start. */
  async start(): Promise<void> {
    const worker = new Worker(workerFile(this.#options.file), {
      workerData: this.#options.data(),
      name: `causeway ${this.#options.name}`,
      // Small heaps: the data is in the arena, not in objects.
      resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 128 },
    });
    this.#worker = worker;
    let reason: unknown;
    worker.on('error', (thrown) => {
      reason = thrown;
    });
    const exited = new Promise<void>((resolve) => {
      worker.once('exit', (code) => {
        reason ??= new CausewayError('WORKER_FAILED', `${this.#options.name} worker ended, exit code ${code}`);
        resolve();
      });
    });
    this.#died = exited;
    this.#control = wrapControl<T>(worker);
    const begun = this.#options.begin(this.#control).then(() => true);
    if ((await Promise.race([begun, exited])) !== true) throw reason;
    exited.then(() => this.#whenDead(reason));
  }

  /** Lets the worker finish, then ends it. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const worker = this.#worker;
    if (worker === undefined) return;
    if (this.#control !== undefined && this.#failure === undefined) {
      const stopped = (this.#control as RemoteControl<{ stop(): void }>).stop();
      this.#options.wake?.();
      // What goes wrong at the very end is told, and does not keep the rest from being closed.
      await Promise.race([stopped, this.#died]).catch((error: unknown) => this.#giveUp(error, 1));
    }
    await worker.terminate();
    this.#worker = undefined;
    this.#control = undefined;
  }

  #whenDead(reason: unknown): void {
    if (this.#isStopping) return;
    this.#lastError = messageOf(reason);
    this.#control = undefined;
    const now = Date.now();
    this.#deaths.push(now);
    const recent = this.#deaths.filter((at) => now - at < RESTART_WINDOW_MS).length;
    // A poisoned journal stays poisoned, and a damaged trace damaged: a new worker would only meet it again.
    const code = (reason as { code?: unknown })?.code;
    const isHopeless = code === 'JOURNAL_POISONED' || code === 'TRACE_CORRUPT';
    if (isHopeless || recent > RESTARTS_MAX) {
      this.#giveUp(reason, recent);
      return;
    }
    this.#restarts += 1;
    try {
      this.#options.repair?.();
    } catch (error) {
      this.#giveUp(error, recent);
      return;
    }
    this.#starting = this.start().then(
      () => this.#options.onRestart?.(this.report),
      (error: unknown) => this.#whenDead(error),
    );
  }

  #giveUp(reason: unknown, deaths: number): void {
    this.#failure =
      reason instanceof CausewayError
        ? reason
        : new CausewayError(
            'WORKER_FAILED',
            `${this.#options.name} worker died ${deaths} times: ${messageOf(reason)}`,
            {
              cause: reason,
            },
          );
    this.#options.onGivenUp(this.#failure);
  }
}

/** Workers run compiled: from dist/ beside us, or, when we run from src/ (tests), from the build. */
function workerFile(name: string): string {
  const beside = fileURLToPath(new URL(`../worker/${name}.js`, import.meta.url));
  if (fs.existsSync(beside)) return beside;
  const built = fileURLToPath(new URL(`../../dist/src/worker/${name}.js`, import.meta.url));
  if (fs.existsSync(built)) return built;
  throw new CausewayError('CAPABILITY_MISSING', `${name}.js is missing`, { hint: 'Run: npm run build' });
}
