// The workload behind `npm start`: real programs that work gently in a directory, each in a process of its own, for as long as somebody looks.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

// Each runs until causeway has gone, in whatever way it went: nothing is left behind that writes for ever.
const WHILE_ALIVE = 'while kill -0 "$CAUSEWAY_DEMO_PARENT" 2>/dev/null; do i=$((i+1))';

/** Saves as editors do: into a new file, which is then renamed over the old one. */
const EDITOR = `i=0; ${WHILE_ALIVE}
  sed -i "s/revision = .*/revision = $i;/" src/counter.ts
  sleep 1.1
  cp notes.md .notes.md.swp && printf 'Thought number %d.\\n' $i >> .notes.md.swp && mv .notes.md.swp notes.md
  sleep 1.7
done`;

/** Makes files from files, and throws them away. */
const BUILD = `i=0; ${WHILE_ALIVE}
  sleep 2.3
  mkdir -p dist/chunks
  for file in src/*.ts; do gzip -nc < "$file" > "dist/chunks/$(basename "$file").gz"; sleep 0.1; done
  tar -cf dist/app.tar src && chmod 444 dist/app.tar && ln -sfn app.tar dist/latest
  sleep 2
  rm -rf dist
done`;

/** Appends lines, and turns to a new file when the old one is long. When causeway was killed, it takes the directory away. */
const SERVER = `i=0; ${WHILE_ALIVE}
  printf 'GET /items/%d 200\\n' $i >> log/server.log
  [ $((i % 25)) -eq 0 ] && mv log/server.log log/server.log.1
  sleep 0.6
done
sleep 6
cd / && rm -rf "$CAUSEWAY_DEMO_DIRECTORY"`;

const GIT = `i=0; git init -q . ; ${WHILE_ALIVE}
  sleep 5
  git add -A src notes.md && git commit -qm "Revision $i"
  sleep 4
done`;

const SOURCES: Record<string, string> = {
  'src/counter.ts': 'export const revision = 0;\n',
  'src/main.ts': "import { revision } from './counter.js';\n\nconsole.log(revision);\n",
  'src/server.ts':
    "import { createServer } from 'node:http';\n\ncreateServer((request, response) => response.end(request.url)).listen(8080);\n",
  'notes.md': '# Notes\n\n',
  '.gitignore': 'dist/\nlog/\n',
};

export class Workload {
  readonly #children: ChildProcess[] = [];

  /** Puts a small project into the directory. */
  static prepare(directory: string): void {
    for (const name of ['src', 'log']) mkdirSync(path.join(directory, name));
    for (const [name, text] of Object.entries(SOURCES)) writeFileSync(path.join(directory, name), text);
  }

  start(directory: string): void {
    const environment = {
      ...process.env,
      CAUSEWAY_DEMO_PARENT: String(process.pid),
      CAUSEWAY_DEMO_DIRECTORY: directory,
      LC_ALL: 'C',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_SYSTEM: '/dev/null',
      GIT_AUTHOR_NAME: 'Demo',
      GIT_AUTHOR_EMAIL: 'demo@example.org',
      GIT_COMMITTER_NAME: 'Demo',
      GIT_COMMITTER_EMAIL: 'demo@example.org',
    };
    for (const script of [EDITOR, BUILD, SERVER, GIT]) {
      // A process group of its own: Ctrl-C is for causeway, which then ends the group with all that it has started.
      const child = spawn('sh', ['-c', script], { cwd: directory, env: environment, stdio: 'ignore', detached: true });
      child.on('error', () => {});
      this.#children.push(child);
    }
  }

  async stop(): Promise<void> {
    const running = this.#children.filter(
      (child) => child.exitCode === null && child.signalCode === null && child.pid !== undefined,
    );
    const ends = running.map((child) => new Promise((resolve) => child.once('exit', resolve)));
    for (const child of running) {
      try {
        process.kill(-(child.pid ?? 0), 'SIGKILL');
      } catch {
        // It has just ended by itself.
      }
    }
    await Promise.all(ends);
  }
}
