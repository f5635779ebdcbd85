// The sources themselves, tried as a user would: the engine is opened on a directory of its own, and must see the file that is made in it.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { CausewayError, messageOf } from '../../base/errors.ts';
import { Engine } from '../../engine/engine.ts';
import { probeEbpf } from '../../source/ebpf/probe.ts';
import { probeFanotify } from '../../source/fanotify/index.ts';
import { formatDuration } from '../format.ts';
import type { Check } from './check.ts';

export async function ebpfCheck(): Promise<Check> {
  const base = {
    id: 'ebpf',
    name: 'source ebpf',
    enables: 'watch: what changed, who did it, how long it took, what failed, what was read',
  };
  const { ok, reasons } = probeEbpf();
  if (!ok)
    return {
      ...base,
      state: 'missing',
      found: reasons.join('; '),
      todo: 'See the lines above. Without it, fanotify or inotify is used.',
    };
  return { ...base, ...(await trySource('ebpf')) };
}

export async function fanotifySourceCheck(): Promise<Check> {
  const base = {
    id: 'fanotify-source',
    name: 'source fanotify',
    enables: 'watch where eBPF is not possible: what changed, and who did it',
  };
  const { ok, reasons } = probeFanotify();
  if (!ok)
    return { ...base, state: 'missing', found: reasons.join('; '), todo: 'Without it and ebpf, inotify is used.' };
  return { ...base, ...(await trySource('fanotify')) };
}

export async function inotifySourceCheck(): Promise<Check> {
  const base = {
    id: 'inotify-source',
    name: 'source inotify',
    enables: 'watch without privileges: what changed, but not who did it',
  };
  return { ...base, ...(await trySource('inotify')) };
}

async function trySource(source: 'ebpf' | 'fanotify' | 'inotify'): Promise<Pick<Check, 'state' | 'found' | 'todo'>> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'causeway-doctor-'));
  try {
    const before = performance.now();
    await using engine = await Engine.open({
      paths: [directory],
      source,
      ringCapacity: 1 << 20,
      filter: { includeSelf: true },
    });
    const openedMs = performance.now() - before;
    writeFileSync(path.join(directory, 'probe'), 'probe');
    await engine.sync();
    const { delivered } = engine.stats().ingest;
    const opened = `opened in ${formatDuration(openedMs * 1e6)}`;
    if (delivered === 0n)
      return { state: 'missing', found: `${opened}, but a file that was made was not seen`, todo: '' };
    return { state: 'ok', found: `${opened}; saw a file being made`, todo: '' };
  } catch (error) {
    return { state: 'missing', found: messageOf(error), todo: error instanceof CausewayError ? error.hint : '' };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
