// The three ways to show a stream: a live table, plain lines, NDJSON.

import type { StreamItem } from '../../engine/types.ts';
import type { Context } from '../context.ts';
import { itemLine, jsonLine } from '../json.ts';
import { LiveView } from './live-view.ts';
import { plainLine, type Shorten } from './rows.ts';
import type { Counters } from './table.ts';

export interface View {
  show(items: readonly StreamItem[]): void;
  /** The summary, where it belongs to the results. */
  summary(data: Record<string, unknown>): void;
  end(): void;
}

/** For a live source: a table where there is a terminal to fill. */
export function createView(options: {
  context: Context;
  table: boolean;
  shorten: Shorten;
  title: string;
  source: string;
  counters: () => Counters;
}): View {
  const { context, shorten } = options;
  if (!options.table) return createStreamView(context, { shorten, date: false });
  const live = new LiveView({ ...options, hint: 'Ctrl-C to end' });
  return { show: (items) => live.show(items), summary: () => {}, end: () => live.end() };
}

/** One line after the other: NDJSON or plain. */
export function createStreamView(context: Context, options: { shorten: Shorten; date: boolean }): View {
  const { out, paint, json } = context;
  if (json) {
    return {
      show: (items) => out.push(items.map(itemLine).join('')),
      summary: (data) => out.push(jsonLine('summary', data)),
      end: () => {},
    };
  }
  return {
    show: (items) => out.push(items.map((item) => plainLine(item, { ...options, paint }) ?? '').join('')),
    summary: () => {},
    end: () => {},
  };
}
