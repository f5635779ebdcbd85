// The table for people.

import { formatNumber, goalText, missesOf } from './goals.mjs';

const HEAD = ['id', 'value', 'unit', 'rival', 'its value', 'ratio', 'goal', ''];

/**
 * @param {readonly import('./measure.mjs').Result[]} results
 * @param {readonly { id: string, reason: string }[]} skipped
 */
export function formatTable(results, skipped) {
  const rows = results.map((result) => [
    result.id,
    formatNumber(result.value),
    result.unit,
    result.rival ?? '-',
    result.rivalValue === null ? '-' : formatNumber(result.rivalValue),
    result.ratio === null ? '-' : String(result.ratio),
    goalText(result.id),
    [verdictOf(result), lossOf(result)].filter((text) => text !== '').join(', '),
  ]);
  const widths = HEAD.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const lines = [HEAD, widths.map((width) => '-'.repeat(width)), ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  for (const { id, reason } of skipped) lines.push(`${id}: not run: ${reason}`);
  return `${lines.join('\n')}\n`;
}

/** @param {import('./measure.mjs').Result} result */
function verdictOf(result) {
  if (goalText(result.id) === '') return '';
  return missesOf(result).length === 0 ? 'met' : 'MISSED';
}

/** @param {import('./measure.mjs').Result} result */
function lossOf(result) {
  return result.lost === undefined ? '' : `lost ${result.lost}`;
}
