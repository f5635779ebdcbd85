// One bench in a process of its own: no other bench's garbage, compiled code or crash gets into its figures.

import { CannotRun, makeContext } from './measure.mjs';

const [file, options] = process.argv.slice(2);
if (file === undefined || options === undefined) throw new Error('child.mjs FILE OPTIONS');

const send = (/** @type {object} */ message) => new Promise((resolve) => process.send?.(message, resolve));
const context = makeContext({
  ...JSON.parse(options),
  note: (/** @type {string} */ text) => void send({ note: text }),
});
try {
  const { run } = /** @type {import('./suites.mjs').Suite} */ (await import(file));
  await send({ results: await run(context) });
  process.exit(0);
} catch (error) {
  if (error instanceof CannotRun) {
    await send({ skipped: error.message });
    process.exit(0);
  }
  await send({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  process.exit(1);
}
