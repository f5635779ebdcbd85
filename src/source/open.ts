// Which source to take; its reader is in open-reader.ts. `auto` takes the first rung of the ladder that holds, and says which and why.

import type { Arena } from '../arena/arena.ts';
import { CausewayError, messageOf } from '../base/errors.ts';
import { attachEbpf, probeEbpf } from './ebpf/index.ts';
import { attachFanotify } from './fanotify/index.ts';
import { attachInotify } from './inotify/index.ts';
import { attachPeer, type PeerChoice } from './peer/index.ts';
import type { SourceHost, SourceOptions } from './source.ts';
import { attachTrace } from './trace/index.ts';

export type SourceChoice =
  | 'auto'
  | 'ebpf'
  | 'fanotify'
  | 'inotify'
  | PeerChoice
  | { trace: string; speed: 'recorded' | 'maximum' };

export interface OpenedSource {
  host: SourceHost;
  /** One line: what was taken, and why not the rung above. */
  description: string;
}

/**
 * Attaches the source that was asked for.
 * @throws CausewayError CAPABILITY_MISSING with all that is missing, or TRACE_CORRUPT.
 */
export function openSource(arena: Arena, choice: SourceChoice, options: SourceOptions): OpenedSource {
  if (typeof choice === 'object') {
    return described('peer' in choice ? attachPeer(arena, options, choice) : attachTrace(arena, options, choice));
  }
  if (choice === 'ebpf') return described(attachEbpf(arena, options));
  if (choice === 'fanotify') return described(attachFanotify(arena, options));
  if (choice === 'inotify') return described(attachInotify(arena, options));
  return openBest(arena, options);
}

function openBest(arena: Arena, options: SourceOptions): OpenedSource {
  const missing: string[] = [];
  for (const { name, attach } of LADDER) {
    try {
      const host = attach(arena, options);
      return { host, description: [host.description, ...missing.map((reason) => `not ${reason}`)].join(' - ') };
    } catch (error) {
      // Also what no probe can foresee (another kernel's verifier, a file system without handles): the next rung still holds.
      missing.push(`${name}: ${messageOf(error)}`);
    }
  }
  throw new CausewayError('CAPABILITY_MISSING', `no source works here: ${missing.join('; ')}`, {
    hint: 'causeway doctor says what each one needs',
  });
}

/** From the one that tells most to the one that always works. */
const LADDER: readonly { name: string; attach: (arena: Arena, options: SourceOptions) => SourceHost }[] = [
  { name: 'ebpf', attach: attachProbedEbpf },
  { name: 'fanotify', attach: attachFanotify },
  { name: 'inotify', attach: attachInotify },
];

function attachProbedEbpf(arena: Arena, options: SourceOptions): SourceHost {
  const { ok, reasons } = probeEbpf();
  if (!ok) throw new CausewayError('CAPABILITY_MISSING', reasons.map(String).join('; '));
  return attachEbpf(arena, options);
}

function described(host: SourceHost): OpenedSource {
  return { host, description: host.description };
}
