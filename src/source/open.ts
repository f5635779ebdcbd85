// Which source to take; its reader is in open-reader.ts. `auto` takes the first rung of the ladder that holds, and says which and why.

import type { Arena } from '../arena/arena.ts';
import { CausewayError, messageOf } from '../base/errors.ts';
import { attachEbpf, probeEbpf } from './ebpf/index.ts';
import { attachInotify } from './inotify/index.ts';
import type { SourceHost, SourceOptions } from './source.ts';
import { attachTrace } from './trace/index.ts';

export type SourceChoice = 'auto' | 'ebpf' | 'inotify' | { trace: string; speed: 'recorded' | 'maximum' };

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
  if (typeof choice === 'object') return described(attachTrace(arena, options, choice));
  if (choice === 'ebpf') return described(attachEbpf(arena, options));
  if (choice === 'inotify') return described(attachInotify(arena, options));
  return openBest(arena, options);
}

function openBest(arena: Arena, options: SourceOptions): OpenedSource {
  const probe = probeEbpf();
  let missing = probe.reasons.map(String).join('; ');
  if (probe.ok) {
    try {
      return described(attachEbpf(arena, options));
    } catch (error) {
      // The probe cannot foresee everything (another kernel's verifier): the next rung still holds.
      missing = messageOf(error);
    }
  }
  try {
    const host = attachInotify(arena, options);
    return { host, description: `${host.description} - not ebpf: ${missing}` };
  } catch (error) {
    const reason = error instanceof CausewayError ? error.message : messageOf(error);
    throw new CausewayError('CAPABILITY_MISSING', `no source works here: ebpf: ${missing}; inotify: ${reason}`, {
      hint: 'causeway doctor says what each one needs',
    });
  }
}

function described(host: SourceHost): OpenedSource {
  return { host, description: host.description };
}
