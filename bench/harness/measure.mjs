// Measuring: subject and rival alternate (A B A B ...) in the same run, so that whatever else the machine does hits both; medians decide.

import { setTimeout as sleep } from 'node:timers/promises';

/**
 * One measurement. `figures` by name (the id's suffix, '' for the id itself); `checksum` proves that the work was done, and equals the rival's.
 * @typedef {object} Sample
 * @property {Record<string, number>} figures
 * @property {string} checksum
 * @property {Record<string, number>} [counts] Whatever else is worth knowing: seen, lost ...
 */

/**
 * @typedef {object} Result
 * @property {string} id
 * @property {string} unit
 * @property {number} value The median.
 * @property {string | null} rival
 * @property {number | null} rivalValue
 * @property {number | null} ratio Above 1 means that we are better, for throughputs and latencies alike.
 * @property {number} min
 * @property {number} median
 * @property {number} max
 * @property {number} runs
 * @property {string} checksum
 * @property {'higher' | 'lower'} better
 * @property {number} [lost]
 * @property {Record<string, number>} [counts]
 * @property {string} [note]
 */

/**
 * What a bench gets.
 * @typedef {object} Context
 * @property {boolean} smoke
 * @property {number} seconds
 * @property {number} seed
 * @property {number} runs Of subject and of rival each.
 * @property {number} scale 1 for a run of the default length; multiply the amount of work by it.
 * @property {(text: string) => void} note Progress, to stderr.
 */

/** Thrown by a bench that cannot run on this machine; the message says what it needs. */
export class CannotRun extends Error {
  /** @override */
  name = 'CannotRun';
}

const SECONDS_OF_SCALE_1 = 6;
const RUNS = 5;
const RUNS_SMOKE = 2;
const PAUSE_MS = 20;

/**
 * @param {{ smoke: boolean, seconds: number, seed: number, note: (text: string) => void }} options
 * @returns {Context}
 */
export function makeContext({ smoke, seconds, seed, note }) {
  return { smoke, seconds, seed, runs: smoke ? RUNS_SMOKE : RUNS, scale: seconds / SECONDS_OF_SCALE_1, note };
}

/**
 * Runs them in turn, `runs` times each, after one unmeasured turn that warms caches and compilers.
 * @param {Context} context
 * @param {{ subject: () => Promise<Sample>, rivals?: Record<string, () => Promise<Sample>>, warmUp?: boolean, checksums?: 'equal' | 'own' }} contestants
 *   checksums 'equal' (default): every sample of every contestant does the same work, and a differing checksum is an error.
 * @returns {Promise<{ subject: Sample[], rivals: Record<string, Sample[]> }>}
 */
export async function alternate(context, { subject, rivals = {}, warmUp = true, checksums = 'equal' }) {
  /** @type {Sample[]} */
  const subjects = [];
  /** @type {Record<string, Sample[]>} */
  const samples = Object.fromEntries(Object.keys(rivals).map((name) => [name, []]));
  for (let run = warmUp ? -1 : 0; run < context.runs; run++) {
    const sample = await subject();
    if (run >= 0) subjects.push(sample);
    for (const [name, measure] of Object.entries(rivals)) {
      await sleep(PAUSE_MS);
      const other = await measure();
      if (checksums === 'equal' && other.checksum !== sample.checksum) {
        throw new Error(`the work differs: checksum=${sample.checksum}, of ${name} ${other.checksum}`);
      }
      if (run >= 0) samples[name]?.push(other);
    }
    await sleep(PAUSE_MS);
  }
  return { subject: subjects, rivals: samples };
}

/**
 * @param {{ id: string, unit: string, better: 'higher' | 'lower', figure?: string, subject: Sample[], rival?: string | null, rivalSamples?: Sample[],
 *   rivalFigure?: string, note?: string }} options
 * @returns {Result}
 */
export function summarize({
  id,
  unit,
  better,
  figure = '',
  subject,
  rival = null,
  rivalSamples,
  rivalFigure = figure,
  note,
}) {
  const values = subject.map((sample) => figureOf(sample, figure));
  const value = median(values);
  const hasRival = rivalSamples !== undefined && rivalSamples.length > 0;
  const rivalValue = hasRival ? median(rivalSamples.map((sample) => figureOf(sample, rivalFigure))) : null;
  const last = subject.at(-1);
  const counts = last?.counts;
  return {
    id,
    unit,
    value: round(value),
    rival: hasRival ? rival : null,
    rivalValue: rivalValue === null ? null : round(rivalValue),
    ratio: rivalValue === null ? null : round(better === 'higher' ? value / rivalValue : rivalValue / value),
    min: round(Math.min(...values)),
    median: round(value),
    max: round(Math.max(...values)),
    runs: values.length,
    checksum: last?.checksum ?? '',
    better,
    ...(counts?.lost === undefined ? {} : { lost: counts.lost }),
    ...(counts === undefined ? {} : { counts }),
    ...(note === undefined ? {} : { note }),
  };
}

/**
 * @param {Sample} sample
 * @param {string} name
 */
function figureOf(sample, name) {
  const value = sample.figures[name];
  if (value === undefined || !Number.isFinite(value)) throw new Error(`a sample has no figure '${name}': ${value}`);
  return value;
}

/** @param {readonly number[]} values */
export function median(values) {
  return percentile(Float64Array.from(values).sort(), 0.5);
}

/**
 * Linear between the neighbours.
 * @param {ArrayLike<number>} sorted
 * @param {number} share 0 to 1
 */
export function percentile(sorted, share) {
  if (sorted.length === 0) return Number.NaN;
  const place = (sorted.length - 1) * share;
  const below = Math.floor(place);
  const low = sorted[below] ?? Number.NaN;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? Number.NaN;
  return low + (high - low) * (place - below);
}

/** Four significant digits: more would be a promise. @param {number} value */
function round(value) {
  if (!Number.isFinite(value)) return value;
  return Math.abs(value) >= 10_000 ? Math.round(value) : Number(value.toPrecision(4));
}
