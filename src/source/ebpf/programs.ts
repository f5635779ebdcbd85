// The programs and maps in the kernel: opened, filled, loaded, attached; and taken away again without a trace.

import { errnoName } from '../../arena/native.ts';
import { CausewayError } from '../../base/errors.ts';
import { type Handle, type Libbpf, loadLibbpf } from './libbpf.ts';
import { type Reads, readObject } from './object-file.ts';
import { probeEbpf } from './probe.ts';

const LOG_LENGTH = 1 << 20;
/** Lines of the verifier's log that go into an error: it is the last ones that say why. */
const LOG_LINES_MAX = 12;

export const MAPS = {
  ring: 'ring',
  settings: 'settings_map',
  counters: 'counters_map',
  lanes: 'lanes',
  calls: 'calls',
  uringCalls: 'uring_calls',
  rootPaths: 'root_paths',
  trackedPids: 'tracked_pids',
  filtered: 'filtered_map',
} as const;

/** Programs that not every kernel has the tracepoint for, with these arguments. Without them less is seen; with them, blind spots are covered. */
export const OPTIONAL_PROGRAMS = [
  { name: 'on_dirty_folio', tracepoint: 'writeback_dirty_folio', argumentCount: 2 },
  { name: 'on_uring_complete', tracepoint: 'io_uring_complete', argumentCount: 3 },
  { name: 'on_uring_submit', tracepoint: 'io_uring_submit_req', argumentCount: 1 },
] as const;

/** linux/btf.h */
const BTF_KIND_TYPEDEF = 8;
const BTF_KIND_FUNC = 12;
const BTF_VLEN_MASK = 0xffff;

export type MapName = keyof typeof MAPS;

export class Programs {
  readonly libbpf: Libbpf;
  private object: Handle;
  private readonly links: Handle[] = [];
  private readonly attached: string[] = [];
  /** Names of the optional programs that this kernel takes. */
  readonly optional: readonly string[];

  private constructor(libbpf: Libbpf, object: Handle, optional: readonly string[]) {
    this.libbpf = libbpf;
    this.object = object;
    this.optional = optional;
  }

  /** @throws CausewayError CAPABILITY_MISSING with all that is missing, or with the kernel's own words. */
  static load(options: { ringCapacity: number }): Programs {
    const probe = probeEbpf();
    if (!probe.ok)
      throw new CausewayError('CAPABILITY_MISSING', `eBPF cannot be used here: ${probe.reasons.join('; ')}`);
    const libbpf = loadLibbpf();
    const types = kernelTypes(libbpf);
    const log = Buffer.alloc(LOG_LENGTH);
    const object = libbpf.open(readObject(types.reads), log);
    if (object === null) throw refusal('open', -libbpf.errno(), log);
    try {
      for (const { name } of OPTIONAL_PROGRAMS) {
        if (!types.optional.includes(name)) libbpf.setAutoload(libbpf.findProgram(object, name), false);
      }
      libbpf.setMaxEntries(libbpf.findMap(object, MAPS.ring), options.ringCapacity);
      const status = libbpf.load(object);
      if (status < 0) throw refusal('load', status, log);
      return new Programs(libbpf, object, types.optional);
    } catch (error) {
      libbpf.closeObject(object);
      throw error;
    }
  }

  mapFd(map: MapName): number {
    return this.libbpf.mapFd(this.libbpf.findMap(this.object, MAPS[map]));
  }

  programFd(name: string): number {
    return this.libbpf.programFd(this.libbpf.findProgram(this.object, name));
  }

  /** Names of the programs that run. */
  get running(): readonly string[] {
    return this.attached;
  }

  /** @throws CausewayError CAPABILITY_MISSING */
  attach(name: string): void {
    const link = this.libbpf.attach(this.libbpf.findProgram(this.object, name));
    if (link === null) throw refusal(`attach ${name}`, -this.libbpf.errno(), Buffer.alloc(0));
    this.links.push(link);
    this.attached.push(name);
  }

  updateMap(map: MapName, key: number, value: Uint8Array): void {
    const status = this.libbpf.updateElement(this.mapFd(map), keyBytes(key), value, 0n);
    if (status < 0) throw new CausewayError('SYSTEM_CALL_FAILED', `map ${map}[${key}]: ${errnoName(-status)}`);
  }

  lookupMap(map: MapName, key: number, length: number): Buffer {
    const value = Buffer.alloc(length);
    const status = this.libbpf.lookupElement(this.mapFd(map), keyBytes(key), value);
    if (status < 0) throw new CausewayError('SYSTEM_CALL_FAILED', `map ${map}[${key}]: ${errnoName(-status)}`);
    return value;
  }

  /** Detaches first: a program must not run while what it writes to goes away. Idempotent. */
  detach(): void {
    for (const link of this.links.splice(0).reverse()) this.libbpf.destroyLink(link);
    this.attached.length = 0;
  }

  close(): void {
    this.detach();
    if (this.object !== null) this.libbpf.closeObject(this.object);
    this.object = null;
  }
}

/** What this kernel has of what not every one has. CAUSEWAY_BPF_READS=probe acts as if it were an older one (tests). */
function kernelTypes(libbpf: Libbpf): { reads: Reads; optional: string[] } {
  const types = libbpf.loadKernelTypes();
  if (types === null) return { reads: 'probe', optional: [] };
  const has = (name: string, kind: number) => libbpf.findType(types, name, kind) > 0;
  const isTyped = has('bpf_rdonly_cast', BTF_KIND_FUNC) && process.env.CAUSEWAY_BPF_READS !== 'probe';
  const optional = OPTIONAL_PROGRAMS.filter(
    ({ tracepoint, argumentCount }) => tracepointArguments(libbpf, types, tracepoint) === argumentCount,
  ).map(({ name }) => name);
  libbpf.freeTypes(types);
  // One half of io_uring alone would only fill its table.
  const isWhole = optional.includes('on_uring_submit') && optional.includes('on_uring_complete');
  const taken = isWhole ? optional : optional.filter((name) => !name.startsWith('on_uring'));
  return { reads: isTyped ? 'typed' : 'probe', optional: taken };
}

/** How many arguments a tracepoint has; -1 if this kernel has no such one. */
function tracepointArguments(libbpf: Libbpf, types: Handle, tracepoint: string): number {
  const id = libbpf.findType(types, `btf_trace_${tracepoint}`, BTF_KIND_TYPEDEF);
  if (id <= 0) return -1;
  // A typedef of a pointer to a function, whose first argument is the tracer's own.
  const pointer = libbpf.typeOf(types, libbpf.typeOf(types, id)?.type ?? 0);
  const prototype = libbpf.typeOf(types, pointer?.type ?? 0);
  return prototype === undefined ? -1 : (prototype.info & BTF_VLEN_MASK) - 1;
}

function keyBytes(key: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(key);
  return bytes;
}

function refusal(step: string, status: number, log: Buffer): CausewayError {
  const end = log.indexOf(0);
  const lines = log
    .toString('utf8', 0, end < 0 ? log.length : end)
    .trimEnd()
    .split('\n');
  const words = lines.slice(-LOG_LINES_MAX).join('\n');
  const reason = `${errnoName(-status)} (${-status})`;
  return new CausewayError(
    'CAPABILITY_MISSING',
    `the kernel refuses the BPF programs: ${step}: ${reason}${words === '' ? '' : `\n${words}`}`,
    { hint: 'causeway doctor says what this machine can do; --source inotify works without BPF' },
  );
}
