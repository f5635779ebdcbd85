// The live table on a terminal: keeps the last rows, draws at most ten frames a second, and leaves its last frame standing.

import { createLogUpdate } from 'log-update';
import type { StreamItem } from '../../engine/types.ts';
import type { Context } from '../context.ts';
import { appendRow, type Row, rowOf, type Shorten } from './rows.ts';
import { type Counters, renderFrame } from './table.ts';

const FRAME_MS = 100;
/** Without events only the counters go on: an idle table costs next to nothing. */
const IDLE_FRAME_MS = 1000;
const ROWS_KEPT = 500;

export interface LiveViewOptions {
  context: Context;
  shorten: Shorten;
  title: string;
  source: string;
  hint: string;
  counters: () => Counters;
}

export class LiveView {
  readonly #options: LiveViewOptions;
  readonly #rows: Row[] = [];
  readonly #render = createLogUpdate(process.stdout, { showCursor: false });
  readonly #timer: NodeJS.Timeout;
  #ended = false;
  #isChanged = false;
  #drawnMs = 0;
  readonly #onResize = (): void => this.#draw();

  constructor(options: LiveViewOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#drawIfDue(), FRAME_MS);
    process.stdout.on('resize', this.#onResize);
    // A terminal that was closed is no error.
    process.stdout.on('error', () => {});
    this.#draw();
  }

  show(items: readonly StreamItem[]): void {
    // Of a burst only the end can be seen: the rest is not even made into rows.
    for (const item of items.slice(-ROWS_KEPT)) {
      const row = rowOf(item, this.#options.shorten);
      if (row !== undefined) appendRow(this.#rows, row, ROWS_KEPT);
    }
    this.#isChanged = true;
  }

  /** Idempotent: the last frame stays, and the cursor comes back. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#timer);
    process.stdout.off('resize', this.#onResize);
    this.#draw('');
    this.#render.done();
  }

  #drawIfDue(): void {
    if (this.#isChanged || performance.now() - this.#drawnMs >= IDLE_FRAME_MS) this.#draw();
  }

  #draw(hint = this.#options.hint): void {
    this.#isChanged = false;
    this.#drawnMs = performance.now();
    const { columns = 80, rows: height = 24 } = process.stdout;
    const { context, title, source, counters } = this.#options;
    const frame = {
      width: columns,
      height,
      rows: this.#rows,
      counters: counters(),
      title,
      source,
      hint,
      paint: context.paint,
    };
    this.#render(renderFrame(frame));
  }
}
