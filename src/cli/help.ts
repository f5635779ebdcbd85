// The texts of --help: long enough to learn from, short enough to read.

export const DESCRIPTION =
  'Know which process changed which file, in what order, with nothing lost - provably.\n' +
  'File operations come straight from the kernel (eBPF or fanotify as root, inotify for everybody), and any loss is counted and shown.';

export const PROGRAM_EXAMPLES = `
Examples:
  $ causeway watch                       what changes below this directory, live
  $ sudo causeway watch /etc             as root also by which process
  $ sudo causeway watch -c 'npm ci' .    what does this command do to my files?
  $ causeway watch --json src | jq .data  for programs: JSON, one event a line
  $ causeway watch --journal .causeway   keep the events ...
  $ causeway log .causeway --since 10m   ... and look at them later
  $ causeway doctor                      what can this machine do?

Results go to standard output, everything else to standard error.
Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 configuration, 4 missing
capability, 5 damaged data, 6 loss under --strict, 7 over a bench budget.
Shell completion: causeway completion bash|zsh|fish`;

/** A paragraph a line: the help breaks lines to fit the terminal. */
export const WATCH_DESCRIPTION = [
  'Shows what happens to files below the given paths, as it happens: which process did it, to which file, whether it worked, how long it took - and what was lost, which should be nothing.',
  '',
  'On a terminal it is a table that fills the window, in a pipe one line an event, with --json one JSON object a line. Table and lines show what changes something (fs.* without fs.read, system.*); --all adds open, read, close and the like; --json prints everything unless --type says otherwise. A --journal or --record keeps everything too, whatever is shown, unless --type says otherwise.',
  '',
  'Processes are known with the source ebpf (root), and with fanotify (root) while they live. The source inotify (anybody) sees what changed, but not who did it. Where one is not possible the next is taken by itself, and said.',
].join('\n');

export const WATCH_EXAMPLES = `
Examples:
  $ causeway watch src docs                     two directories
  $ causeway watch --type fs.delete,fs.rename   only what goes away
  $ causeway watch --path '**/*.ts' --all       every access to TypeScript files
  $ causeway watch --pid 4242 --children /      one process and its children
  $ causeway watch -c 'make' --json . > make.ndjson
  $ causeway watch --strict -c 'npm test' .     exit code 6 if any was lost
  $ causeway watch --record build.trace -c make .
  $ causeway watch --replay build.trace --all   once more, from the file

JSON lines are {"type":...,"data":{...}}:
  event       {"sequence":7,"type":"fs.rename","path":"/a","path2":"/b",
              "pid":42,"comm":"mv","error":null,
              "time":"2026-01-31T14:30:00.123456789Z",...}
  gap         something was lost here: cause, and count unless unknown
  caughtUp    from here on events are live
  checkpoint  with --journal: all up to these sequences is kept, is durable
  summary     the last line; error: what went wrong
Integers above 2^53 - 1 are strings.

With -c the command's own output goes to standard error. The exit code is 0
when the watching worked, whatever the command's was: that is in the summary.`;

export const LOG_DESCRIPTION =
  'Prints the events of a journal, oldest first. Needs no lock: it works while another process writes. The filters are those of watch; all that the journal holds is shown unless --type narrows it.';

export const LOG_EXAMPLES = `
Examples:
  $ causeway log .causeway                         everything
  $ causeway log .causeway --since 1500 --json     from sequence 1500 on
  $ causeway log .causeway --since 14:30 --type fs.delete
  $ causeway log .causeway --follow --path src     live, as tail -f
  $ causeway log .causeway --info                  who writes it, how much`;

export const EXPORT_DESCRIPTION = [
  'Writes the events of a journal to a file, also while somebody writes the journal: it ends where the journal ended when it began. The file is there as a whole or not at all.',
  '',
  'semj is the kernel journal of VexFS, byte for byte. What SEMJ has no field for lies at the end of the metadata, and comes back with import. jsonl has the lines of log --json, csv the same in columns (RFC 4180); both have all that the journal has. Gaps, where something was lost, are exported too.',
].join('\n');

export const EXPORT_EXAMPLES = `
Examples:
  $ causeway export .causeway --format semj -o journal.semj
  $ causeway export .causeway --format semj --compat vexfs -o for-vexfs.semj
  $ causeway export .causeway --format jsonl --type fs.write --since 1h | jq .
  $ causeway export .causeway --format csv --path src -o src.csv`;

export const IMPORT_DESCRIPTION = [
  'Appends the events of a file to a journal, which nobody else may be writing. They get new sequences and keep their event ids. An event that the journal has already is left out, so an import can be run again; another event under the same id is refused.',
  '',
  'The whole file is checked first: if anything is wrong with it (exit code 5), nothing is imported. With --emergency what is whole is imported, what is not is listed with its offset, and the exit code is 5 all the same.',
].join('\n');

export const IMPORT_EXAMPLES = `
Examples:
  $ causeway import journal.semj --journal .causeway
  $ causeway import damaged.semj --journal rescued --emergency --json
  $ causeway import events.jsonl --journal .causeway`;

export const VERIFY_DESCRIPTION = [
  'A journal is sealed as it is written: digests (SHA-256) of every entry, in a chain through all segments. This compares them, and says which entries are as they were written, which is the first that differs and where, what is missing, moved or from another journal, and what is not sealed yet (the last second of a journal that is being written). Exit code 5 if anything differs.',
  '',
  'Whoever can write the directory can also cut it at a seal or make the whole chain anew. That is told by a signature (--key), or by a head that was kept elsewhere (--head).',
].join('\n');

export const VERIFY_EXAMPLES = `
Examples:
  $ causeway verify .causeway
  $ causeway verify .causeway --key causeway.key.pub
  $ causeway verify .causeway --head published.json --json`;

export const KEYGEN_DESCRIPTION =
  'Makes an Ed25519 key for watch --journal --sign, readable by you only, and beside it the public key for verify --key. Never replaces a file.';

export const KEYGEN_EXAMPLES = `
Examples:
  $ causeway keygen                       causeway.key and causeway.key.pub
  $ causeway keygen ~/keys/build.key`;

export const ARENA_DESCRIPTION = [
  'Shows what is in a shared arena: its queues and pools, how full they are, who produces and consumes, who of them sleeps or has died, how much passes a second, what was dropped, lapped, redelivered. Without an argument it lists the arenas that processes share and this user may see.',
  '',
  'It only looks: the arena is mapped for reading, and no end of a queue is taken. On a terminal the picture goes on until Ctrl-C; a pipe gets one, unless --interval or --seconds ask for more; --json prints one a line.',
].join('\n');

export const ARENA_EXAMPLES = `
Examples:
  $ causeway arena                        what is shared on this machine?
  $ causeway arena 4242                   the arena of process 4242, live
  $ causeway arena /dev/shm/jobs --once   one picture
  $ causeway arena 4242 --json --interval 5 | jq .data.queues[].rates`;

export const DOCTOR_DESCRIPTION = `Tries, rather than guesses, what this machine can do: each line says whether it is there, what it is good for, and what to do about it.`;

export const DOCTOR_EXAMPLES = `
Examples:
  $ causeway doctor
  $ sudo causeway doctor --json`;

export const BENCH_DESCRIPTION = `Runs the project's benchmarks, each beside its rival in the same run. They are not part of the npm package: this works in a checkout.`;

export const BENCH_EXAMPLES = `
Examples:
  $ causeway bench                    all of them
  $ causeway bench ring.spsc --json`;

export const DEMO_DESCRIPTION = `Demonstrations in a temporary directory, which is removed at the end.`;

export const STORM_DESCRIPTION =
  'Several processes create, write, rename, link and delete files and directories as fast as they can, while causeway and, beside it, the fs.watch of Node.js look on. At the end the tree as causeway knows it - from events alone - is compared with a walk through the real one. Exit code 1 if they are not identical.';

export const STORM_EXAMPLES = `
Examples:
  $ causeway demo storm
  $ sudo causeway demo storm --seconds 30 --json`;

export const LIVE_DESCRIPTION =
  'Watches a temporary directory in which real programs work: an editor saves, a build runs, git commits, a log grows. This is what npm start shows.';
