// `causeway doctor`: the checks, in the order in which they build on each other, and what follows from them.

import { EXIT_OK, messageOf } from '../../base/errors.ts';
import type { Context } from '../context.ts';
import { jsonLine } from '../json.ts';
import type { Paint } from '../style.ts';
import { blindSpots } from './blind-spots.ts';
import type { Check, CheckState, Section } from './check.ts';
import * as kernel from './kernel-checks.ts';
import * as native from './native-checks.ts';
import { sharingCheck } from './sharing-check.ts';
import { ebpfCheck, fanotifySourceCheck, inotifySourceCheck } from './source-checks.ts';

/** @returns always EXIT_OK: a missing capability is a finding, not a failure. */
export async function runDoctor(context: Context): Promise<number> {
  const sections = await examine();
  const checks = sections.flatMap((section) => section.checks);
  const usable = bestOf(checks);
  if (context.json) {
    const counts = countStates(checks);
    context.out.push(jsonLine('summary', { source: usable, ...counts, sections }));
    return EXIT_OK;
  }
  for (const section of sections)
    context.out.push(renderSection(section, context.paint, process.stdout.columns ?? 100));
  context.out.push(`${verdict(usable, context.paint)}\n`);
  return EXIT_OK;
}

type UsableSource = 'ebpf' | 'fanotify' | 'inotify' | 'none';

/** As `auto` would choose. */
function bestOf(checks: readonly Check[]): UsableSource {
  const works = (id: string) => checks.some((check) => check.id === id && check.state === 'ok');
  if (works('ebpf')) return 'ebpf';
  if (works('fanotify-source')) return 'fanotify';
  return works('inotify-source') ? 'inotify' : 'none';
}

async function examine(): Promise<Section[]> {
  const sources = [
    await attempt('ebpf', 'source ebpf', ebpfCheck),
    await attempt('fanotify-source', 'source fanotify', fanotifySourceCheck),
    await attempt('inotify-source', 'source inotify', inotifySourceCheck),
  ];
  return [
    {
      title: 'Program',
      checks: [
        await attempt('node', 'Node.js', native.nodeCheck),
        await attempt('koffi', 'libc through koffi', native.koffiCheck),
        await attempt('arena', 'files mapped into wasm memory', native.arenaCheck),
        await attempt('sharing', 'arenas shared by processes', sharingCheck),
        await attempt('memory', 'memory', native.memoryCheck),
      ],
    },
    {
      title: 'Kernel',
      checks: [
        await attempt('kernel', 'Linux kernel', kernel.kernelCheck),
        await attempt('btf', 'BTF type information', kernel.btfCheck),
        await attempt('bpf-settings', 'BPF settings', kernel.bpfSettingsCheck),
        await attempt('capabilities', 'privileges', kernel.capabilitiesCheck),
        await attempt('libbpf', 'libbpf', native.libbpfCheck),
        await attempt('memlock', 'locked memory', kernel.memlockCheck),
        await attempt('inotify', 'inotify', kernel.inotifyCheck),
        await attempt('fanotify', 'fanotify', native.fanotifyCheck),
        await attempt('fuse', 'FUSE', kernel.fuseCheck),
        await attempt('io_uring', 'io_uring', native.ioUringCheck),
      ],
    },
    { title: 'Sources', checks: sources },
    { title: 'Blind spots', checks: blindSpots(bestOf(sources)) },
  ];
}

/** A check that fails in a way that nobody thought of is a finding as well. */
async function attempt(id: string, name: string, check: () => Check | Promise<Check>): Promise<Check> {
  try {
    return await check();
  } catch (error) {
    return { id, name, state: 'missing', found: `could not be examined: ${messageOf(error)}`, enables: '', todo: '' };
  }
}

function countStates(checks: readonly Check[]): Record<CheckState, number> {
  const counts: Record<CheckState, number> = { ok: 0, missing: 0, limited: 0, info: 0 };
  for (const check of checks) counts[check.state]++;
  return counts;
}

const MARKS: Record<CheckState, (paint: Paint) => string> = {
  ok: (paint) => paint('green', '✔'),
  missing: (paint) => paint('red', '✘'),
  limited: (paint) => paint('yellow', '!'),
  info: (paint) => paint('blue', '·'),
};

const NAME_WIDTH = 30;
const INDENT = '    ';

export function renderSection({ title, checks }: Section, paint: Paint, width: number): string {
  const lines = [paint('bold', title)];
  for (const check of checks) {
    const label = check.state === 'missing' && title !== 'Blind spots' ? 'missing: ' : '';
    const head = `  ${MARKS[check.state](paint)} ${check.name.padEnd(NAME_WIDTH)} `;
    const [first = '', ...rest] = wrap(`${label}${check.found}`, width - NAME_WIDTH - 5);
    lines.push(head + first, ...rest.map((line) => ' '.repeat(NAME_WIDTH + 5) + line));
    if (check.enables !== '')
      lines.push(
        ...wrap(`${title === 'Blind spots' ? 'matters for' : 'for'}: ${check.enables}`, width - 4).map((line) =>
          paint('dim', INDENT + line),
        ),
      );
    if (check.todo !== '')
      lines.push(...wrap(`do:  ${check.todo}`, width - 4).map((line) => paint('yellow', INDENT + line)));
  }
  return `${lines.join('\n')}\n\n`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > Math.max(20, width)) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

function verdict(source: UsableSource, paint: Paint): string {
  if (source === 'ebpf')
    return paint(
      'green',
      'causeway watch uses the source ebpf here: what changed, who did it, how long it took, and what failed.',
    );
  if (source === 'fanotify')
    return paint(
      'green',
      'causeway watch uses the source fanotify here: what changed and who did it, but not what failed.',
    );
  if (source === 'inotify')
    return paint('yellow', 'causeway watch uses the source inotify here: what changed, but not who did it.');
  return paint('red', 'causeway watch cannot work here: none of ebpf, fanotify and inotify is possible.');
}
