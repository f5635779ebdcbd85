// Idle strategies: what an agent does when its last doWork() found nothing. Work and waiting are apart (STYLE.md 5), so that an agent can be stepped
// in a test without waiting, and the same agent can burn a core for latency or sleep.

export interface IdleStrategy {
  /** @param workCount what doWork() answered: > 0 starts the strategy over. */
  idle(workCount: number): void;
}

/** Never gives the core away: lowest latency. */
export class SpinIdle implements IdleStrategy {
  idle(): void {}
}

/** Sleeps at once. `park` must return when there is work, or after a while. */
export class ParkIdle implements IdleStrategy {
  readonly #park: () => void;

  constructor(park: () => void) {
    this.#park = park;
  }

  idle(workCount: number): void {
    if (workCount === 0) this.#park();
  }
}

export interface AdaptiveIdleOptions {
  /** Turns without work that are spent spinning, then yielding the core, before it parks. */
  spins: number;
  yields: number;
  /** Gives the core to whoever else wants it, and returns soon. */
  yield: () => void;
  park: () => void;
}

/** Spins, then yields, then parks: latency while there is traffic, an idle core while there is none. */
export class AdaptiveIdle implements IdleStrategy {
  readonly #options: AdaptiveIdleOptions;
  #turns = 0;

  constructor(options: AdaptiveIdleOptions) {
    this.#options = options;
  }

  idle(workCount: number): void {
    if (workCount > 0) {
      this.#turns = 0;
      return;
    }
    const { spins, yields } = this.#options;
    this.#turns += 1;
    if (this.#turns <= spins) return;
    if (this.#turns <= spins + yields) this.#options.yield();
    else this.#options.park();
  }
}
