// `causeway watch`, as users and scripts run it: real operations, the real command.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { requires } from '../support/capabilities.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { Command, jsonLines, type Line, MAIN, run } from './run.ts';

/** Every file system operation of this script is wanted, once, in this order. */
const SCRIPT = `
mkdir work
printf hello > work/a.txt
mv work/a.txt work/b.txt
ln work/b.txt work/c.txt
ln -s b.txt work/link
chmod 600 work/b.txt
rm work/link
rmdir work 2>/dev/null
rm nothing-here 2>/dev/null
rm -r work
true
`;

function ofType(lines: readonly Line[], type: string): Line['data'][] {
  return lines.filter((line) => line.type === type).map((line) => line.data);
}

function operations(lines: readonly Line[], directory: string): string[] {
  const relative = (name: string | null): string => (name ?? '').replace(`${directory}/`, '');
  return ofType(lines, 'event')
    .filter(({ type }) => type.startsWith('fs.') && type !== 'fs.read')
    .map(
      ({ type, path: from, path2, error }) =>
        `${type} ${relative(from)}${path2 === null ? '' : ` ${relative(path2)}`}${error === null ? '' : ` ${error}`}`,
    );
}

describe('watch -c with ebpf', requires('bpf'), () => {
  it('prints every operation of the command once, in order, with its process', async () => {
    const directory = temporaryDirectory('watch');
    const { exitCode, stdout } = await run(['watch', '--json', '-c', SCRIPT, directory], { cwd: directory });
    const lines = jsonLines(stdout);
    expect(exitCode).toBe(0);
    expect(operations(lines, directory)).toEqual([
      'fs.mkdir work',
      'fs.create work/a.txt',
      'fs.write work/a.txt',
      'fs.rename work/a.txt work/b.txt',
      'fs.hardlink work/b.txt work/c.txt',
      'fs.symlink work/link b.txt',
      'fs.chmod work/b.txt',
      'fs.delete work/link',
      'fs.rmdir work ENOTEMPTY',
      'fs.delete nothing-here ENOENT',
      expect.stringMatching(/^fs\.delete work\/[bc]\.txt$/),
      expect.stringMatching(/^fs\.delete work\/[bc]\.txt$/),
      'fs.rmdir work',
    ]);
    const events = ofType(lines, 'event');
    expect(events.every(({ pid }) => Number.isInteger(pid) && pid > 1)).toBe(true);
    expect(events.find(({ type }) => type === 'fs.mkdir')?.comm).toBe('mkdir');
    expect(events.find(({ type }) => type === 'fs.rename')?.comm).toBe('mv');
    const sequences = events.map(({ sequence }) => sequence);
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
    expect(lines.at(-1)).toMatchObject({
      type: 'summary',
      data: { lost: 0, complete: true, command: { exitCode: 0, signal: null } },
    });
  });

  it('shows nothing of other processes, and nothing of its own gate', async () => {
    const directory = temporaryDirectory('watch');
    const noise = spawn('sh', ['-c', 'i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo > noise; rm noise; done'], {
      cwd: directory,
    });
    try {
      const { stdout } = await run(['watch', '--json', '-c', 'echo mine > mine', directory], { cwd: directory });
      const events = ofType(jsonLines(stdout), 'event');
      expect(events.length).toBeGreaterThan(0);
      expect(new Set(events.map((event) => path.basename(event.path)))).toEqual(new Set(['mine']));
    } finally {
      noise.kill('SIGKILL');
    }
  });

  it("ends with 0 when the command fails, and tells the command's exit code", async () => {
    const directory = temporaryDirectory('watch');
    const { exitCode, stdout, stderr } = await run(['watch', '--json', '-c', 'exit 7', directory]);
    expect(exitCode).toBe(0);
    expect(jsonLines(stdout).at(-1)).toMatchObject({
      type: 'summary',
      data: { command: { command: 'exit 7', exitCode: 7 } },
    });
    expect(stderr).toContain('exit code 7');
  });

  it('drops to another user, and sees as much', requires('otherUser'), async () => {
    const directory = temporaryDirectory('watch');
    const args = ['watch', '--json', '--user', 'nobody', '-c', 'echo text > file; rm file', directory];
    const { exitCode, stdout } = await run(args, { cwd: directory });
    expect(exitCode).toBe(0);
    expect(operations(jsonLines(stdout), directory)).toEqual(['fs.create file', 'fs.write file', 'fs.delete file']);
  });

  it('sends the output of the command to standard error', async () => {
    const { stdout, stderr } = await run([
      'watch',
      '--json',
      '-c',
      'echo from the command',
      temporaryDirectory('watch'),
    ]);
    expect(stderr).toContain('from the command');
    expect(stdout).not.toContain('from the command\n{');
  });

  it('under --strict ends with 6 when the ring was too small, and counts what was lost', async () => {
    const directory = temporaryDirectory('watch');
    const storm = 'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); : > f; : > f; : > f; done';
    const { exitCode, stdout } = await run(['watch', '--json', '--strict', '--ring', '4096', '-c', storm, directory], {
      cwd: directory,
    });
    const lines = jsonLines(stdout);
    const summary = lines.at(-1)?.data;
    const counted = ofType(lines, 'gap').reduce((sum, { count }) => sum + (count ?? 0), 0);
    expect(counted).toBe(summary?.lost);
    expect(exitCode).toBe(counted > 0 ? 6 : 0);
  });
});

describe.each([
  ['ebpf', requires('bpf'), {}],
  ['inotify as an ordinary user', requires('otherUser', 'koffi'), { unprivileged: true }],
] as const)('watch with %s', (_name, needs, options) => {
  describe('on files', needs, () => {
    async function watch(args: readonly string[], directory: string): Promise<Command> {
      chmodSync(directory, 0o777);
      const command = new Command(['watch', ...args, directory], { ...options, cwd: directory });
      await command.until(args.includes('--json') ? 'caughtUp' : 'watching');
      return command;
    }

    it.each(['SIGINT', 'SIGTERM'] as const)('ends cleanly with %s, after all that happened before', async (signal) => {
      const directory = temporaryDirectory('watch');
      const command = await watch(['--json'], directory);
      writeFileSync(path.join(directory, 'one'), 'text');
      renameSync(path.join(directory, 'one'), path.join(directory, 'two'));
      rmSync(path.join(directory, 'two'));
      command.child.kill(signal);
      const { exitCode, stdout } = await command.finished;
      const lines = jsonLines(stdout);
      expect(exitCode).toBe(0);
      expect(operations(lines, directory)).toEqual(
        expect.arrayContaining(['fs.create one', 'fs.rename one two', 'fs.delete two']),
      );
      expect(lines.at(-1)).toMatchObject({ type: 'summary', data: { lost: 0, complete: true } });
    });

    it('ends at once with a second signal', async () => {
      const directory = temporaryDirectory('watch');
      const command = await watch(['--json'], directory);
      command.child.kill('SIGINT');
      command.child.kill('SIGTERM');
      const { exitCode, signal } = await command.finished;
      // The first may have been quick enough.
      expect(signal ?? exitCode).toEqual(expect.toSatisfy((end) => end === 'SIGTERM' || end === 'SIGINT' || end === 0));
    });

    it('prints plain lines in a pipe, with the changes only, and the summary on standard error', async () => {
      const directory = temporaryDirectory('watch');
      const command = await watch([], directory);
      writeFileSync(path.join(directory, 'strange\nname'), 'text');
      readFileSync(path.join(directory, 'strange\nname'));
      command.child.kill('SIGINT');
      const { exitCode, stdout, stderr } = await command.finished;
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(/^\d\d:\d\d:\d\d\.\d{6} .* fs\.create +strange\\nname/m);
      expect(stdout).not.toContain('access.');
      expect(stderr).toMatch(/\d+ events? in 0:\d\d .*none lost/);
    });

    it('shows only the types and paths that were asked for', async () => {
      const directory = temporaryDirectory('watch');
      const command = await watch(['--json', '--type', 'fs.create,fs.delete', '--path', '**/*.txt'], directory);
      for (const name of ['a.txt', 'b.md']) {
        writeFileSync(path.join(directory, name), 'text');
        rmSync(path.join(directory, name));
      }
      command.child.kill('SIGINT');
      const { stdout } = await command.finished;
      expect(operations(jsonLines(stdout), directory)).toEqual(['fs.create a.txt', 'fs.delete a.txt']);
    });

    it('keeps a journal that log prints, while it is written and after', async () => {
      const directory = temporaryDirectory('watch');
      const journal = path.join(temporaryDirectory('journal'), 'j');
      chmodSync(path.dirname(journal), 0o777);
      const command = await watch(['--json', '--journal', journal], directory);
      writeFileSync(path.join(directory, 'kept'), 'text');
      await command.until('"fs.create"');
      const during = await run(['log', journal, '--json'], { ...options });
      expect(operations(jsonLines(during.stdout), directory)).toContain('fs.create kept');
      const busy = await run(['watch', '--json', '--journal', journal, directory], { ...options });
      expect(busy.exitCode).toBe(1);
      expect(busy.stderr).toContain(String(command.child.pid));
      expect(jsonLines(busy.stdout)).toMatchObject([{ type: 'error', data: { code: 'JOURNAL_BUSY', exitCode: 1 } }]);
      command.child.kill('SIGINT');
      const { exitCode, stdout } = await command.finished;
      expect(exitCode).toBe(0);
      expect(ofType(jsonLines(stdout), 'checkpoint').length).toBeGreaterThan(0);
      const after = await run(['log', journal, '--json', '--type', 'fs.*'], { ...options });
      expect(operations(jsonLines(after.stdout), directory)).toEqual(operations(jsonLines(stdout), directory));
    });

    it('records what the kernel said, and replays it', async () => {
      const directory = temporaryDirectory('watch');
      const recording = path.join(temporaryDirectory('record'), 'trace');
      chmodSync(path.dirname(recording), 0o777);
      const command = await watch(['--json', '--record', recording], directory);
      for (let index = 0; index < 50; index++) {
        writeFileSync(path.join(directory, `f${index}`), 'text');
        appendFileSync(path.join(directory, `f${index}`), 'more');
      }
      command.child.kill('SIGINT');
      const original = operations(jsonLines((await command.finished).stdout), directory);
      const replayed = await run(['watch', '--json', '--replay', recording], { ...options });
      expect(replayed.exitCode).toBe(0);
      expect(original.length).toBeGreaterThanOrEqual(100);
      expect(operations(jsonLines(replayed.stdout), directory)).toEqual(original);
    });

    it('ends quietly when the reader of its output goes', async () => {
      const directory = temporaryDirectory('watch');
      chmodSync(directory, 0o777);
      const prefix = 'unprivileged' in options ? 'setpriv --reuid=65534 --regid=65534 --clear-groups ' : '';
      const writer = `(while [ ! -e stop ]; do echo > f; rm f; sleep 0.01; done) & `;
      const script = `${writer} ${prefix}'${process.execPath}' '${MAIN}' watch --json . | head -3 >/dev/null; touch stop; wait`;
      const shell = spawn('bash', ['-c', `set -o pipefail; ${script}`], {
        cwd: directory,
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: 30_000,
      });
      let stderr = '';
      shell.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
      });
      const [exitCode] = await once(shell, 'close');
      expect(exitCode).toBe(0);
      expect(stderr).not.toMatch(/EPIPE|Error/);
    });
  });
});

describe('watch refuses, in one line with the values in it,', () => {
  it.each([
    [['watch', '/no/such/directory'], 3, '/no/such/directory'],
    [['watch', '--type', 'fs.wirte', '.'], 3, 'Did you mean fs.write?'],
    [['watch', '--pid', 'me', '.'], 3, '--pid me'],
    [['watch', '--ring', '12345', '.'], 3, '--ring 12345'],
    [['watch', '--replay', '/no/such/recording'], 3, '/no/such/recording'],
    [['watch', '--user', 'no-such-user', '.'], 3, 'no-such-user'],
  ])('%j', async (args, exitCode, text) => {
    const plain = await run(args);
    expect(plain.stderr).toContain(text);
    expect([plain.exitCode, plain.stdout]).toEqual([exitCode, '']);
    expect(plain.stderr.trim().split('\n')).toHaveLength(1);
    const json = await run([...args, '--json']);
    expect(jsonLines(json.stdout)).toMatchObject([{ type: 'error', data: { exitCode } }]);
  });

  it('a recording that is damaged', async () => {
    const file = path.join(temporaryDirectory('damaged'), 'trace');
    writeFileSync(file, Buffer.alloc(100_000, 7));
    const { exitCode, stderr } = await run(['watch', '--replay', file]);
    expect(exitCode).toBe(5);
    expect(stderr).toContain(file);
  });

  it('a directory that the user may not read', requires('otherUser'), async () => {
    const directory = temporaryDirectory('denied');
    mkdirSync(path.join(directory, 'closed'), { mode: 0o700 });
    const { exitCode, stderr } = await run(['watch', path.join(directory, 'closed')], { unprivileged: true });
    expect(exitCode).toBe(4);
    expect(stderr).toContain('closed');
  });

  it('ebpf for an ordinary user', requires('otherUser'), async () => {
    const { exitCode, stderr } = await run(['watch', '--source', 'ebpf', '.'], { unprivileged: true });
    expect(exitCode).toBe(4);
    expect(stderr).toMatch(/CAP_BPF|root|sudo/);
  });
});

describe('watch on a terminal', () => {
  const hasScript = spawnSync('script', ['--version']).status === 0;

  it.skipIf(!hasScript)('is a table that fits it, with counters, and ends with Ctrl-C', async () => {
    const directory = temporaryDirectory('terminal');
    const inner = `stty cols 90 rows 20; exec '${process.execPath}' '${MAIN}' watch '${directory}'`;
    const terminal = spawn('script', ['-qefc', inner, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, TERM: 'xterm-256color', NO_COLOR: '1' },
      timeout: 30_000,
      killSignal: 'SIGKILL',
    });
    let screen = '';
    terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
      screen += text;
    });
    const until = async (text: string): Promise<void> => {
      const deadline = Date.now() + 20_000;
      while (!screen.includes(text)) {
        if (Date.now() > deadline) throw new Error(`"${text}" did not appear: ${screen}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    await until('waiting for the first event');
    writeFileSync(path.join(directory, 'shown.txt'), 'text');
    await until('shown.txt');
    await until('lost 0');
    terminal.stdin.write('\x03');
    const [exitCode] = await once(terminal, 'close');
    expect(exitCode).toBe(0);
    expect(screen).toContain('none lost');
    // The cursor is back.
    expect(screen.lastIndexOf('\x1b[?25h')).toBeGreaterThan(screen.lastIndexOf('\x1b[?25l'));
    expect(existsSync(path.join(directory, 'shown.txt'))).toBe(true);
  });
});
