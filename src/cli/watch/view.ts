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

export function createView(options: {
  context: Context;
  table: boolean;
  shorten: Shorten;
  title: string;
  source: string;
  counters: () => Counters;
  date?: boolean;
}): View {
  const { context, shorten, date = false } = options;
  if (context.json) return jsonView(context);
  if (!options.table) return linesView(context, shorten, date);
  const live = new LiveView({ ...options, hint: 'Ctrl-C to end' });
  return { show: (items) => live.show(items), summary: () => {}, end: () => live.end() };
}

function jsonView({ out }: Context): View {
  return {
    show: (items) => out.push(items.map(itemLine).join('')),
    summary: (data) => out.push(jsonLine('summary', data)),
    end: () => {},
  };
}

function linesView({ out, paint }: Context, shorten: Shorten, date: boolean): View {
  const options = { shorten, paint, date };
  return {
    show: (items) => out.push(items.map((item) => plainLine(item, options) ?? '').join('')),
    summary: () => {},
    end: () => {},
  };
}
