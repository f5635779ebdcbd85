// The end of .ci/run: what each step came to, and alone on the last line `N passed, N failed`.

import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { stripVTControlCharacters } from 'node:util';

const results = process.argv[2] ?? 'build/ci';

/** @param {string} name */
function exitCodeOf(name) {
  return Number(fs.readFileSync(path.join(results, `${name}.exit`), 'utf8'));
}

/** vitest's own last lines. */
function printTestSummary() {
  const log = stripVTControlCharacters(fs.readFileSync(path.join(results, 'test.log'), 'utf8'));
  const lines = log.split('\n').filter((line) => /^ *(Test Files|Tests|Duration|random tests:) /.test(line));
  console.log(lines.join('\n'));
}

/** Tests that passed and failed. A run that failed without a failed test (a crash, a file that does not load, a forbidden skip) is one failure. */
function countTests() {
  const file = path.join(results, 'tests.json');
  const isFailed = exitCodeOf('test') !== 0;
  if (!fs.existsSync(file)) return { passed: 0, failed: 1 };
  const report = JSON.parse(fs.readFileSync(file, 'utf8'));
  for (const { status, message, name } of report.testResults) {
    if (status === 'failed' && message !== '') console.log(`${path.relative('.', name)}: ${message}`);
  }
  return {
    passed: report.numPassedTests,
    failed: Math.max(report.numFailedTests, isFailed ? 1 : 0),
  };
}

console.log('\n== summary');
printTestSummary();
let { passed, failed } = countTests();
for (const step of ['generated', 'lint', 'typecheck', 'bench']) {
  const exitCode = exitCodeOf(step);
  console.log(`${step.padEnd(11)}${exitCode === 0 ? 'ok' : `failed, exit code ${exitCode}`}`);
  if (exitCode === 0) passed += 1;
  else failed += 1;
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
