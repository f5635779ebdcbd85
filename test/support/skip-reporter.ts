// At the end of a run: each skipped test with its reason and the command that would enable it. Under CI as root nothing may be skipped, and without
// a reason nothing may be skipped anywhere in CI: the run fails.

import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node';

export default class SkipReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>): void {
    const skipped = modules.flatMap((module) => [...module.children.allTests('skipped')]);
    // A filter by name (-t) skips all the rest on purpose.
    if (
      skipped.length === 0 ||
      process.argv.some((argument) => argument === '-t' || argument.startsWith('--testNamePattern'))
    )
      return;
    const reasons = skipped.map(reasonOf);
    console.error(`\n${skipped.length} skipped:`);
    for (const reason of new Set(reasons)) {
      console.error(`  ${reason ?? 'no reason given'}`);
      skipped
        .filter((_, index) => reasons[index] === reason)
        .forEach((test) => {
          console.error(`    ${test.module.relativeModuleId}: ${test.fullName}`);
        });
    }
    const unexpected = skipped.filter((_, index) => process.geteuid?.() === 0 || reasons[index] === undefined);
    if (process.env.CI && unexpected.length > 0) {
      console.error(`CI: ${unexpected.length} tests were skipped that must run here`);
      process.exitCode = 1;
    }
  }
}

/** What requires() recorded at the test or at the nearest suite around it; else the note of context.skip(). */
function reasonOf(test: TestCase): string | undefined {
  let at: TestCase | TestSuite | TestModule = test;
  while (at.type !== 'module') {
    const { missing } = at.meta();
    if (missing !== undefined && missing.length > 0) return missing.join('; ');
    at = at.parent;
  }
  const result = test.result();
  return result.state === 'skipped' ? result.note : undefined;
}
