// Ctrl-C and SIGTERM: the first one asks for a clean end, the second one forces it.

export class StopSignal {
  readonly #controller = new AbortController();
  readonly #listeners: [NodeJS.Signals, () => void][] = [];
  #received: NodeJS.Signals | undefined;

  constructor(signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    for (const signal of signals) {
      const listener = (): void => this.#receive(signal);
      process.on(signal, listener);
      this.#listeners.push([signal, listener]);
    }
  }

  /** Aborted when the command should end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The signal that came; undefined when the end was asked for with stop(), or not yet. */
  get received(): NodeJS.Signals | undefined {
    return this.#received;
  }

  /** Asks for the end as a signal would. */
  stop(): void {
    this.#controller.abort();
  }

  /** Resolves when the command should end. */
  async stopped(): Promise<void> {
    if (this.signal.aborted) return;
    await new Promise<void>((resolve) => this.signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  dispose(): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
  }

  #receive(signal: NodeJS.Signals): void {
    if (this.#received !== undefined) {
      // Restores what the signal does by itself. The kernel detaches the BPF programs with their last descriptor, and what the journal has it keeps.
      process.stderr.write('\x1b[?25h');
      this.dispose();
      process.kill(process.pid, signal === 'SIGHUP' ? 'SIGTERM' : signal);
      return;
    }
    this.#received = signal;
    this.stop();
  }
}

/** Resolves after ms, or sooner when the signal comes. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal?.addEventListener('abort', finish, { once: true });
  });
}
