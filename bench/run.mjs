#!/usr/bin/env node
// npm run bench -- [id...] [--json] [--smoke] [--seconds N] [--budget]: see README.md beside this file.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { missingBuild } from './harness/engine.mjs';
import { describeEnvironment } from './harness/environment.mjs';
import { goalText, missesOf } from './harness/goals.mjs';
import { parseOptions, USAGE } from './harness/options.mjs';
import { formatTable } from './harness/report.mjs';
import { ensureRivals } from './harness/rivals.mjs';
import { isWanted, listSuites, selectSuites } from './harness/suites.mjs';

const SCHEMA = 'causeway-bench/1';
const EXIT_OK = 0;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_BUDGET = 7;
const SUITE_MS_MIN = 600_000;

process.exitCode = await main(process.argv.slice(2));

/**
 * @param {string[]} argv
 * @returns {Promise<number>} the exit code
 */
async function main(argv) {
  let options;
  let suites;
  try {
    options = parseOptions(argv);
    suites = selectSuites(await listSuites(), options.ids);
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n${USAGE}`);
    return EXIT_USAGE;
  }
  if (options.help) return print(USAGE);
  if (options.list) return print(listText(suites));
  const missing = missingBuild();
  if (missing !== '') {
    process.stderr.write(`bench: ${missing}\n`);
    return EXIT_FAILED;
  }
  await ensureRivals(note);
  return runAll(suites, options);
}

/**
 * @param {{ file: string, ids: readonly string[] }[]} suites
 * @param {import('./harness/options.mjs').Options} options
 */
async function runAll(suites, options) {
  const environment = { ...describeEnvironment(), seconds: options.seconds, smoke: options.smoke, seed: options.seed };
  /** @type {import('./harness/measure.mjs').Result[]} */
  const results = [];
  /** @type {{ id: string, reason: string }[]} */
  const skipped = [];
  let failures = 0;
  for (const suite of suites) {
    const ids = suite.ids.filter((id) => isWanted(id, options.ids));
    note(`${ids.join(' ')} ...`);
    const outcome = await runSuite(suite.file, options);
    results.push(...(outcome.results ?? []).filter(({ id }) => isWanted(id, options.ids)));
    if (outcome.skipped !== undefined) skipped.push(...ids.map((id) => ({ id, reason: outcome.skipped ?? '' })));
    if (outcome.failed !== undefined) {
      failures += 1;
      skipped.push(...ids.map((id) => ({ id, reason: `failed: ${outcome.failed?.split('\n')[0]}` })));
      process.stderr.write(`bench: ${ids[0]} failed: ${outcome.failed}\n`);
    }
  }
  const json = `${JSON.stringify({ schema: SCHEMA, environment, results, skipped }, null, 2)}\n`;
  print(options.json ? json : formatTable(results, skipped));
  const missed = results.flatMap((result) => missesOf(result).map((miss) => `${result.id}: ${miss}`));
  if (failures > 0) return EXIT_FAILED;
  if (!options.budget || missed.length === 0) return EXIT_OK;
  process.stderr.write(`bench: goals missed:\n${missed.map((line) => `  ${line}\n`).join('')}`);
  return EXIT_BUDGET;
}

/**
 * @param {string} file
 * @param {import('./harness/options.mjs').Options} options
 * @returns {Promise<{ results?: import('./harness/measure.mjs').Result[], skipped?: string, failed?: string }>}
 */
function runSuite(file, options) {
  const child = fork(fileURLToPath(new URL('harness/child.mjs', import.meta.url)), [file, JSON.stringify(options)], {
    // Its standard output is ours to write: results come over the channel.
    stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
  });
  return new Promise((resolve) => {
    /** @type {{ results?: import('./harness/measure.mjs').Result[], skipped?: string, failed?: string }} */
    let outcome = {};
    const limitMs = Math.max(SUITE_MS_MIN, options.seconds * 20_000);
    const timer = setTimeout(() => {
      outcome = { failed: `still running after ${limitMs} ms` };
      child.kill('SIGKILL');
    }, limitMs);
    child.on('message', (/** @type {any} */ message) => {
      if (message.note === undefined) outcome = message;
      else note(message.note);
    });
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      const isSilent = outcome.results === undefined && outcome.skipped === undefined && outcome.failed === undefined;
      resolve(isSilent ? { failed: `ended without a result: code=${code}, signal=${signal}` } : outcome);
    });
  });
}

/** @param {readonly { ids: readonly string[] }[]} suites */
function listText(suites) {
  const lines = suites.flatMap(({ ids }) => ids.map((id) => `${id.padEnd(32)}${goalText(id)}`.trimEnd()));
  return lines.map((line) => `${line}\n`).join('');
}

/** @param {string} text */
function note(text) {
  process.stderr.write(`bench: ${text}\n`);
}

/** @param {string} text */
function print(text) {
  process.stdout.write(text);
  return EXIT_OK;
}
