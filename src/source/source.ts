// What a source is. All of them produce kernel records (layout/kernel-record.ts) in a ring inside the arena; ingestion drains that ring.
// A source has two halves: the host lives in the thread that opened the engine and holds what must outlive an ingest worker (programs attached to
// the kernel, file descriptors); the reader lives in the ingest worker, and a replacement can be opened from the same plan at any time.

export type SourceKind = 'ebpf' | 'fanotify' | 'inotify' | 'peer' | 'trace';

/** What the user asked for, checked. Paths are absolute and real (no symbolic links). */
export interface SourceOptions {
  paths: readonly string[];
  /** Only these processes; empty = all. */
  pids: readonly number[];
  /** With pids: also their children, as they fork. */
  followFork: boolean;
  /** Numbers of KERNEL_OP_ that are wanted; empty = all. */
  ops: readonly number[];
  /** Bytes of the ring, a power of two. */
  ringCapacity: number;
  /** This process is not reported unless asked for (its journal would feed itself). */
  includeSelf: boolean;
}

/** Something was lost; becomes a gap entry. */
export interface SourceLoss {
  /** One of GAP_CAUSE_. */
  cause: number;
  /** First and last missing lane sequence, inclusive; 0n = unknown. */
  from: bigint;
  to: bigint;
  /** How many records; 0n = unknown. */
  count: bigint;
  /** Whose they are, where a source has several. */
  lane?: number;
}

/** Structured-cloneable description from which a reader is opened in any thread of the process. */
export interface SourcePlan {
  kind: SourceKind;
  /** Address of the ring (RING_ layout) in the arena, and bytes of its data. */
  ringAddress: number;
  ringCapacity: number;
  /** The ring's data pages are mapped twice in a row (kernel ring): records may run over the end. */
  doubleMapped: boolean;
  /** Address of the KERNEL_LANES page in the arena, or 0: with it, trailing losses are found exactly. */
  lanesAddress: number;
  /** What ingestion is to leave out, for a source that does not filter by itself; empty = all are wanted. At most FILTER_PIDS_MAX pids. */
  wanted?: { ops: readonly number[]; pids: readonly number[] };
  /** Whatever the reader of this kind needs: file descriptors, addresses, paths. */
  details: Record<string, unknown>;
}

/** A process that writes for the peer source. All but lane, handle, state and records is its own word. */
export interface PeerDescription {
  lane: number;
  /** What its producer opens: a path, or a descriptor of this process. */
  handle: string;
  /**
   * 'free': no producer. 'attached': its producer lives. 'ended': it died without leaving; the next one takes its place. 'detached': it broke the ring's
   * rules, and is not listened to any more.
   */
  state: 'free' | 'attached' | 'ended' | 'detached';
  /** Thread of the producer (the process, if it has one thread), while it lives. */
  pid: number | undefined;
  /** Records taken from its ring. */
  records: bigint;
  /** Records that its producers say they gave up because the ring was full. */
  dropped: bigint;
}

export interface SourceHost {
  readonly kind: SourceKind;
  /** One line for people: what is captured and how ("eBPF tracepoints, 2 programs, ring 16 MiB"). */
  readonly description: string;
  readonly plan: SourcePlan;
  /** What the source itself counted: records produced, dropped by cause, and events that nobody asked for, where it sees them. */
  counters(): { produced: bigint; dropped: Record<string, bigint>; filtered?: bigint };
  /** Adds a process to a pid filter (for `-c`). */
  addPid(pid: number): void;
  /** Ends a sleep of the reader, where no `details.wakeFd` does. */
  wake?(): void;
  /** Those that write, for the peer source. */
  peers?(): PeerDescription[];
  /** Detaches, closes descriptors, maps anonymous memory over what was mapped. Idempotent. */
  close(): void;
}

export interface SourceReader {
  /** Lets the source fill its ring where it needs help (inotify, trace); returns records written. 0 where the kernel writes by itself. Never blocks. */
  poll(): number;
  /** Blocks the thread until there may be records, `wakeFd` was written, or timeoutMs have passed. Must not miss a record that came before the call. */
  wait(timeoutMs: number): void;
  /** Losses since the last call that the ring itself cannot show. */
  takeLosses(): SourceLoss[];
  /** Everything that happened before this call is in the ring below the position returned, once poll() has been called until it answers 0. */
  mark(): bigint;
  /** For a source whose poll() may never answer 0: how far it is from the inside now ... */
  targets?(): readonly bigint[];
  /** ... and, once that is reached, the position below which all of it is in the ring. */
  reached?(targets: readonly bigint[]): bigint | undefined;
  /** True when no record will ever come again (end of a trace). */
  readonly finished: boolean;
  close(): void;
}
