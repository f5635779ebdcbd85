// The commands, their options, and the help that people learn from. No work is done here: each action loads its module.

import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { Context } from './context.ts';
import * as help from './help.ts';
import { packageVersion } from './package-info.ts';

type Run = (context: Context) => Promise<number>;

/** The program; with the completion commands only when they are asked for, because they cost time to load. */
export async function buildProgram(argv: readonly string[]): Promise<Command> {
  const program = new Command('causeway')
    .description(help.DESCRIPTION)
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .addHelpText('after', help.PROGRAM_EXAMPLES)
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .configureOutput({ outputError: () => {} })
    .showSuggestionAfterError(true)
    .exitOverride();
  addWatch(program);
  addLog(program);
  addExport(program);
  addImport(program);
  addVerify(program);
  addKeygen(program);
  addArena(program);
  addDoctor(program);
  addBench(program);
  addDemo(program);
  const { addCompletion } = await import('./completion.ts');
  await addCompletion(program, argv);
  return program;
}

export function isUsageError(error: unknown): error is CommanderError {
  return error instanceof CommanderError;
}

/** Commander's words in one line: "unknown option '--jsn' (Did you mean --json?)". */
export function usageMessage(error: CommanderError): string {
  const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
  return error.code === 'commander.help' ? 'a command is missing: see causeway --help' : message;
}

function addWatch(program: Command): void {
  const command = program
    .command('watch')
    .summary('show live what changes, who changes it, how long it takes and what is lost')
    .description(help.WATCH_DESCRIPTION)
    .argument('[path...]', 'directories or files to watch, subdirectories included (default: .)')
    .option('-c, --command <command>', 'run this command with sh and watch what it and its descendants do')
    .addOption(jsonOption())
    .addOption(
      listOption('-t, --type <types>', 'only these event types, as fs.write or fs.* (repeat, or separate by commas)'),
    )
    .addOption(listOption('-p, --path <patterns>', 'show only these paths: a prefix, or a glob as **/*.ts'))
    .addOption(listOption('--pid <pids>', 'only what these processes do'))
    .option('--children', 'with --pid: also the processes that they start')
    .option('-a, --all', 'also show what changes nothing: open, read, close, directory reads (default with --json)')
    .addOption(
      new Option('-s, --source <source>', 'where events come from')
        .choices(['auto', 'ebpf', 'fanotify', 'inotify'])
        .default('auto'),
    )
    .option('-j, --journal <directory>', 'keep the events in a journal, for causeway log')
    .option('--sign <file>', 'with --journal: sign its seals with this key (causeway keygen)')
    .addOption(
      new Option('--durability <level>', 'when an event counts as kept (default: process)').choices([
        'memory',
        'process',
        'group',
        'sync',
      ]),
    )
    .option('--strict', 'exit with code 6 if anything was lost')
    .option('--record <file>', 'also write what the kernel said to a file, for --replay')
    .option('--replay <file>', 'take the events from a recording instead of the kernel')
    .addOption(
      new Option('--peer <file>', 'take the events from a producer that opens this file, best in /dev/shm').conflicts([
        'replay',
        'command',
      ]),
    )
    .addOption(new Option('--speed <speed>', 'of --replay').choices(['maximum', 'recorded']).default('maximum'))
    .option('--ring <size>', 'bytes of the buffer that the kernel writes to, as 64k or 16M')
    .option('-u, --user <name>', 'drop to this user once everything that needs privileges is set up')
    .addOption(secondsOption('end after this time (default: with Ctrl-C)'))
    .option('--self', 'also show what causeway itself does')
    .addOption(verboseOption())
    .addHelpText('after', help.WATCH_EXAMPLES);
  command.action(async (paths: string[], options) =>
    run(options, async (context) => (await import('./watch/watch.ts')).runWatch(paths, options, context)),
  );
}

function addLog(program: Command): void {
  const command = program
    .command('log')
    .summary('print the events of a journal')
    .description(help.LOG_DESCRIPTION)
    .argument('<directory>', 'the journal: what was given to watch --journal')
    .option('--info', 'say what the journal is and who writes it, instead of printing it')
    .option('-f, --follow', 'go on with what is written from now on, until Ctrl-C')
    .option(
      '--since <when>',
      'begin at a sequence (1500), a time (14:30, 2026-01-31T14:30), or how long ago (10m, 2h)',
      'start',
    )
    .addOption(jsonOption())
    .addOption(listOption('-t, --type <types>', 'only these event types, as fs.write or fs.*'))
    .addOption(listOption('-p, --path <patterns>', 'only these paths: a prefix, or a glob as **/*.ts'))
    .addOption(listOption('--pid <pids>', 'only what these processes did'))
    .addOption(verboseOption())
    .addHelpText('after', help.LOG_EXAMPLES);
  command.action(async (directory: string, options) =>
    run(options, async (context) => (await import('./log.ts')).runLog(directory, options, context)),
  );
}

const TRANSFER_FORMATS = ['semj', 'jsonl', 'csv'];

function addExport(program: Command): void {
  program
    .command('export')
    .summary('write the events of a journal as SEMJ, jsonl or csv')
    .description(help.EXPORT_DESCRIPTION)
    .argument('<directory>', 'the journal')
    .addOption(new Option('--format <format>', 'of the file').choices(TRANSFER_FORMATS).makeOptionMandatory())
    .option('-o, --output <file>', 'where to (default: standard output; semj needs a file)')
    .option('--since <when>', 'begin at a sequence, a time, or how long ago, as for log', 'start')
    .addOption(listOption('-t, --type <types>', 'only these event types, as fs.write or fs.*'))
    .addOption(listOption('-p, --path <patterns>', 'only these paths: a prefix, or a glob as **/*.ts'))
    .addOption(listOption('--pid <pids>', 'only what these processes did'))
    .addOption(new Option('--compat <reader>', 'semj: only event types that this reader knows').choices(['vexfs']))
    .addOption(new Option('--json', 'print the summary as JSON: with -o on standard output, else on standard error'))
    .addOption(verboseOption())
    .addHelpText('after', help.EXPORT_EXAMPLES)
    .action(async (directory: string, options) =>
      run(options, async (context) => (await import('./transfer/export.ts')).runExport(directory, options, context)),
    );
}

function addImport(program: Command): void {
  program
    .command('import')
    .summary('take the events of a SEMJ, jsonl or csv file into a journal')
    .description(help.IMPORT_DESCRIPTION)
    .argument('<file>', 'what to import')
    .requiredOption('-j, --journal <directory>', 'the journal; made if it is not there')
    .addOption(new Option('--format <format>', 'of the file (default: what it looks like)').choices(TRANSFER_FORMATS))
    .option('--emergency', 'take what is whole of a damaged file, and list what is not')
    .addOption(
      new Option('--compat <writer>', 'semj: fs.read with the code of access.open becomes that, and so on').choices([
        'vexfs',
      ]),
    )
    .addOption(jsonOption())
    .addOption(verboseOption())
    .addHelpText('after', help.IMPORT_EXAMPLES)
    .action(async (file: string, options) =>
      run(options, async (context) => (await import('./transfer/import.ts')).runImport(file, options, context)),
    );
}

function addVerify(program: Command): void {
  program
    .command('verify')
    .summary('compare a journal with its seals: is it what was written?')
    .description(help.VERIFY_DESCRIPTION)
    .argument('<directory>', 'the journal: what was given to watch --journal')
    .option('--key <file>', 'public key (causeway keygen): every seal must be signed with it')
    .option('--head <head>', 'a head that was noted earlier, or a file with it: it must be in the chain')
    .addOption(jsonOption())
    .addOption(verboseOption())
    .addHelpText('after', help.VERIFY_EXAMPLES)
    .action(async (directory: string, options) =>
      run(options, async (context) => (await import('./verify.ts')).runVerify(directory, options, context)),
    );
}

function addKeygen(program: Command): void {
  program
    .command('keygen')
    .summary('make a key that signs the seals of journals')
    .description(help.KEYGEN_DESCRIPTION)
    .argument('[file]', 'the private key; the public one gets .pub behind it', 'causeway.key')
    .addOption(jsonOption())
    .addOption(verboseOption())
    .addHelpText('after', help.KEYGEN_EXAMPLES)
    .action(async (file: string, options) =>
      run(options, async (context) => (await import('./keygen.ts')).runKeygen(file, context)),
    );
}

function addArena(program: Command): void {
  program
    .command('arena')
    .summary('list the shared arenas, or show one live: queues, fill, owners, rates')
    .description(help.ARENA_DESCRIPTION)
    .argument('[arena]', 'a path, /proc/PID/fd/N, or the id of a process (default: list them all)')
    .option('--once', 'one picture, after one interval, instead of a live one')
    .addOption(
      new Option('--interval <seconds>', 'time between two looks (default: 1)').argParser(parseSeconds(0.05, 3600)),
    )
    .addOption(secondsOption('end after this time (default: with Ctrl-C)'))
    .addOption(jsonOption())
    .addOption(verboseOption())
    .addHelpText('after', help.ARENA_EXAMPLES)
    .action(async (target: string | undefined, options) =>
      run(options, async (context) => (await import('./arena/arena.ts')).runArena(target, options, context)),
    );
}

function addDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('say what this machine can do, and what each missing part needs')
    .description(help.DOCTOR_DESCRIPTION)
    .addOption(jsonOption())
    .addOption(verboseOption())
    .addHelpText('after', help.DOCTOR_EXAMPLES)
    .action(async (options) =>
      run(options, async (context) => (await import('./doctor/doctor.ts')).runDoctor(context)),
    );
}

function addBench(program: Command): void {
  program
    .command('bench')
    .summary('run the benchmarks (in a checkout of the project)')
    .description(help.BENCH_DESCRIPTION)
    .argument('[id...]', 'which ones, as ring.spsc.latency or ring (default: all)')
    .addOption(jsonOption())
    .addOption(verboseOption())
    .addHelpText('after', help.BENCH_EXAMPLES)
    .action(async (ids: string[], options) =>
      run(options, async (context) => (await import('./bench.ts')).runBench(ids, context)),
    );
}

function addDemo(program: Command): void {
  const demo = program
    .command('demo')
    .summary('see what causeway does, on real file operations')
    .description(help.DEMO_DESCRIPTION);
  demo
    .command('storm')
    .summary('a storm of file operations; then the tree as causeway sees it, compared with a walk')
    .description(help.STORM_DESCRIPTION)
    .addOption(secondsOption('how long the storm lasts').default(5))
    .option('--processes <count>', 'how many processes make it', parseProcesses, 3)
    .addOption(
      new Option('-s, --source <source>', 'where events come from')
        .choices(['auto', 'ebpf', 'fanotify', 'inotify'])
        .default('auto'),
    )
    .addOption(jsonOption())
    .addOption(verboseOption())
    .addHelpText('after', help.STORM_EXAMPLES)
    .action(async (options) =>
      run(options, async (context) => (await import('./demo/storm.ts')).runStorm(options, context)),
    );
  demo
    .command('live', { hidden: true })
    .summary('watch a temporary directory in which real programs work')
    .description(help.LIVE_DESCRIPTION)
    .addOption(secondsOption('end after this time (default: with Ctrl-C)'))
    .addOption(
      new Option('-s, --source <source>', 'where events come from')
        .choices(['auto', 'ebpf', 'fanotify', 'inotify'])
        .default('auto'),
    )
    .option('-a, --all', 'also show what changes nothing')
    .addOption(jsonOption())
    .addOption(verboseOption())
    .action(async (options) =>
      run(options, async (context) => (await import('./demo/live.ts')).runLive(options, context)),
    );
}

/** Runs a command's body; its exit code becomes the process's, its failure one line on standard error. */
async function run(options: { json?: boolean; verbose?: boolean }, body: Run): Promise<void> {
  const { createContext, reportFailure } = await import('./context.ts');
  const context = await createContext(options);
  try {
    process.exitCode = await body(context);
    await context.out.drained();
  } catch (error) {
    process.exitCode = reportFailure(context, error);
    await context.out.drained().catch(() => {});
  }
}

function jsonOption(): Option {
  return new Option('--json', 'print NDJSON: one {"type":...,"data":{...}} a line');
}

function verboseOption(): Option {
  return new Option('--verbose', 'log steps to standard error, and show where an error comes from');
}

function listOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string, previous: string[] | undefined) => [
    ...(previous ?? []),
    ...value
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  ]);
}

function secondsOption(description: string): Option {
  return new Option('--seconds <seconds>', description).argParser(parseSeconds(0.1, 86400));
}

function parseSeconds(min: number, max: number): (value: string) => number {
  return (value) => {
    const seconds = Number(value);
    if (!(seconds >= min && seconds <= max)) throw new InvalidArgumentError(`From ${min} to ${max}.`);
    return seconds;
  };
}

function parseProcesses(value: string): number {
  const count = Number(value);
  if (!Number.isInteger(count) || count < 1 || count > 64) throw new InvalidArgumentError('From 1 to 64.');
  return count;
}
