// `causeway completion bash|zsh|fish`, and the hidden `causeway complete -- words` that the scripts ask.

import { readdirSync } from 'node:fs';
import path from 'node:path';
import type { RootCommand } from '@bomb.sh/tab';
import type { Command } from 'commander';

const COMPLETION_DESCRIPTION = `Prints a script that completes commands, options, event types, directories and arenas.

bash:  echo 'source <(causeway completion bash)' >> ~/.bashrc
zsh:   echo 'source <(causeway completion zsh)' >> ~/.zshrc
fish:  causeway completion fish > ~/.config/fish/completions/causeway.fish`;

/** The script for bash calls a function of the package bash-completion, which not everybody has. */
const BASH_WITHOUT_PACKAGE = `if ! declare -F _get_comp_words_by_ref >/dev/null; then
  _get_comp_words_by_ref() {
    cur=\${COMP_WORDS[COMP_CWORD]}
    prev=\${COMP_WORDS[COMP_CWORD-1]}
    words=("\${COMP_WORDS[@]}")
    cword=$COMP_CWORD
  }
fi
`;

/** The library is loaded only when completion is what is wanted; otherwise a command of the same name stands in for the help. */
export async function addCompletion(program: Command, argv: readonly string[]): Promise<void> {
  const [first] = argv;
  if (first !== 'completion' && first !== 'complete') {
    program
      .command('completion')
      .summary('print the completion script of a shell')
      .argument('<shell>', 'bash, zsh or fish');
    return;
  }
  const { default: addTab } = await import('@bomb.sh/tab/commander');
  const { EVENT_TYPE_NAMES } = await import('../event/type-name.ts');
  if (first === 'completion' && argv[1] === 'bash') process.stdout.write(BASH_WITHOUT_PACKAGE);
  // What is shown beside a command's name is its first line, not its whole story.
  if (first === 'complete') shortenDescriptions(program);
  const tab = addTab(program, { completionCommandName: 'completion' });
  program.commands
    .find((command) => command.name() === 'completion')
    ?.summary('print the completion script of a shell')
    .description(COMPLETION_DESCRIPTION);
  for (const name of ['watch', 'log', 'export', 'import', 'verify']) {
    const command = tab.commands.get(name);
    const type = command?.options.get('type');
    if (type !== undefined) type.handler = (complete) => completeTypes(EVENT_TYPE_NAMES, argv, complete);
    completeDirectories(command, ['path', 'directory', 'journal', 'replay', 'record', 'peer', 'file', 'output'], argv);
  }
  if (first === 'complete' && argv.includes('arena')) await completeArenas(tab);
}

async function completeArenas(tab: RootCommand): Promise<void> {
  const { findArenas } = await import('./arena/find.ts');
  const target = tab.commands.get('arena')?.arguments.get('arena');
  if (target === undefined) return;
  target.handler = (complete: Complete) => {
    for (const { handle, pids } of findArenas()) complete(handle, pids.map((pid) => `process ${pid}`).join(', '));
  };
}

function shortenDescriptions(command: Command): void {
  for (const child of command.commands) {
    child.description(child.summary());
    shortenDescriptions(child);
  }
}

type Complete = (value: string, description: string) => void;

/** The word that is being completed is the last one. */
function completeTypes(names: readonly string[], argv: readonly string[], complete: Complete): void {
  const word = argv.at(-1) ?? '';
  const listed = word.slice(0, word.lastIndexOf(',') + 1);
  for (const name of ['fs.*', 'access.*', 'system.*', ...names]) complete(`${listed}${name}`, '');
}

function completeDirectories(
  command: ReturnType<RootCommand['commands']['get']>,
  names: readonly string[],
  argv: readonly string[],
): void {
  for (const name of names) {
    const target = command?.arguments.get(name) ?? command?.options.get(name);
    if (target === undefined) continue;
    target.handler = (complete: Complete) => {
      for (const directory of directoriesFor(argv.at(-1) ?? '')) complete(directory, '');
    };
  }
}

function directoriesFor(word: string): string[] {
  const given = word.slice(0, word.lastIndexOf('/') + 1);
  try {
    return readdirSync(given === '' ? '.' : path.resolve(given), { withFileTypes: true })
      .filter(
        (entry) => entry.isDirectory() && (word.slice(given.length).startsWith('.') || !entry.name.startsWith('.')),
      )
      .map((entry) => `${given}${entry.name}/`);
  } catch {
    return [];
  }
}
