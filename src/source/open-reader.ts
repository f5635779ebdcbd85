// The reader of a plan, in whichever thread drains it. Only the source that is in the plan is loaded: a thread has its own copy of all code.

import type { Arena } from '../arena/arena.ts';
import type { SourcePlan, SourceReader } from './source.ts';

/** @throws CausewayError as the source's own open function does. */
export async function openSourceReader(arena: Arena, plan: SourcePlan): Promise<SourceReader> {
  switch (plan.kind) {
    case 'ebpf':
      return (await import('./ebpf/index.ts')).openEbpfReader(arena, plan);
    case 'fanotify':
      return (await import('./fanotify/index.ts')).openFanotifyReader(arena, plan);
    case 'inotify':
      return (await import('./inotify/index.ts')).openInotifyReader(arena, plan);
    case 'peer':
      return (await import('./peer/index.ts')).openPeerReader(arena, plan);
    case 'trace':
      return (await import('./trace/index.ts')).openTraceReader(arena, plan);
  }
}
