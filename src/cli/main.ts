#!/usr/bin/env -S node --max-semi-space-size=2
// (A young generation of 2 MiB: with V8's 16 a watch holds 35 MB more after a storm, and is no faster - measured.)
// The command line. What a command needs is loaded when it runs: `causeway --version` must not wait for the engine.

import { EXIT_OK, EXIT_USAGE } from '../base/errors.ts';
import { buildProgram, isUsageError, usageMessage } from './program.ts';

async function main(argv: readonly string[]): Promise<number> {
  const program = await buildProgram(argv);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : EXIT_OK;
  } catch (error) {
    const wantsJson = argv.includes('--json');
    if (isUsageError(error)) {
      if (error.exitCode === 0) return EXIT_OK;
      // A command alone that needs a subcommand: its help has just been printed, and says it all.
      if (error.code === 'commander.help' && !wantsJson) return EXIT_USAGE;
      await reportUsage(usageMessage(error), wantsJson);
      return EXIT_USAGE;
    }
    const { createContext, reportFailure } = await import('./context.ts');
    const context = await createContext({ json: wantsJson, verbose: argv.includes('--verbose') });
    const exitCode = reportFailure(context, error);
    await context.out.drained().catch(() => {});
    return exitCode;
  }
}

async function reportUsage(message: string, wantsJson: boolean): Promise<void> {
  const { createContext, failureLine } = await import('./context.ts');
  const context = await createContext({ json: wantsJson });
  if (wantsJson) {
    const { jsonLine } = await import('./json.ts');
    context.out.push(jsonLine('error', { code: 'USAGE', message, hint: 'See causeway --help.', exitCode: EXIT_USAGE }));
    await context.out.drained().catch(() => {});
  }
  context.say(failureLine(context.paintError, message));
}

// Results were awaited by the command itself; what may be left are workers and timers that have no say in when we end.
process.exit(await main(process.argv.slice(2)));
