// The eBPF source: BPF programs at the entry and exit of every system call, whose ring lies in the arena.

export { attachEbpf } from './host.ts';
export { type EbpfProbe, probeEbpf } from './probe.ts';
export { openEbpfReader } from './reader.ts';
