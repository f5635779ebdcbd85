// The engine: source -> ingest worker -> journal -> readers, in one process. This is the public face; the work is done in the workers and in wasm.

import fs from 'node:fs';
import path from 'node:path';
import { ARENA_INGEST_OFFSET } from '../../layout/arena.ts';
import * as ingest from '../../layout/ingest.ts';
import { Arena } from '../arena/arena.ts';
import { instantiate, type Wasm } from '../arena/wasm.ts';
import { CausewayError } from '../base/errors.ts';
import { typeFits } from '../event/filter.ts';
import { operationsOf } from '../event/operation.ts';
import { Appender } from '../journal/appender.ts';
import { Journal } from '../journal/journal.ts';
import type { RecoveryReport } from '../journal/recovery.ts';
import { Connection, type ConnectionPlan } from '../queue/connection.ts';
import { type OpenedSource, openSource } from '../source/open.ts';
import type {
  IngestControl,
  IngestData,
  RecorderControl,
  RecorderData,
  SyncControl,
  SyncData,
} from '../worker/control.ts';
import { readLatency } from '../worker/latency-stats.ts';
import { engineRegions } from './arena-plan.ts';
import { type EngineConfig, parseEngineOptions } from './config.ts';
import { EventStream } from './event-stream.ts';
import { type QuarantinedRecord, readQuarantine } from './quarantine.ts';
import { repairAfterIngest } from './repair.ts';
import { Subscription } from './subscription.ts';
import { SupervisedWorker, type WorkerReport } from './supervisor.ts';
import type { EmitOptions, EngineOptions, EngineStats, EventFilter, NewEvent, StreamItem } from './types.ts';
import { becomeUser } from './user.ts';

/** How long close() waits for readers that are in the middle of a batch; what they do not come back for stays in the journal. */
const STREAMS_CLOSE_MS = 2000;

export class Engine implements AsyncDisposable {
  /** One line: the source that is in use, and why not a better one. */
  readonly description: string;
  /** What was found and mended when the journal was opened. */
  readonly recovery: RecoveryReport;
  readonly #config: EngineConfig;
  readonly #arena: Arena;
  readonly #wasm: Wasm;
  readonly #journal: Journal;
  readonly #appender: Appender;
  readonly #source: OpenedSource | undefined;
  readonly #syncWorker: SupervisedWorker<SyncControl>;
  readonly #ingestWorker: SupervisedWorker<IngestControl> | undefined;
  readonly #recorder: SupervisedWorker<RecorderControl> | undefined;
  readonly #streams = new Set<EventStream>();
  readonly #subscriptions = new Set<Subscription>();
  readonly #onNotice: (notice: string) => void;
  /** Queues and pools, in an arena of their own: who connects to them never reaches the journal's. */
  #connection: Connection | undefined;
  #failure: CausewayError | undefined;
  #closing: Promise<void> | undefined;

  /**
   * Opens journal and source, starts the workers, drops to `user`.
   * @throws CausewayError with a code of ERROR_CODES; nothing is left attached, mapped or locked.
   */
  static async open(options: EngineOptions = {}): Promise<Engine> {
    const config = parseEngineOptions(options);
    options.signal?.throwIfAborted();
    const engine = new Engine(config, options.onNotice ?? (() => {}));
    try {
      await engine.#start();
    } catch (error) {
      await engine.close();
      throw error;
    }
    options.signal?.addEventListener('abort', () => void engine.close(), { once: true });
    return engine;
  }

  private constructor(config: EngineConfig, onNotice: (notice: string) => void) {
    this.#config = config;
    this.#onNotice = onNotice;
    this.#arena = Arena.create({ regions: engineRegions({ ...config, peers: peerCount(config) }) });
    this.#wasm = instantiate(this.#arena);
    this.#wasm.crc32cInit();
    this.#journal = Journal.open({
      arena: this.#arena,
      wasm: this.#wasm,
      directory: config.journalDirectory,
      segmentLength: config.segmentLength,
      seal: config.seal,
    });
    this.recovery = this.#journal.recovery;
    try {
      this.#appender = new Appender({ arena: this.#arena, wasm: this.#wasm, plan: this.#journal.plan });
      this.#source = this.#attach();
    } catch (error) {
      this.#journal.close();
      throw error;
    }
    this.description = this.#source?.description ?? 'no source: only what is emitted';
    this.#syncWorker = this.#superviseSync();
    this.#ingestWorker = this.#source === undefined ? undefined : this.#superviseIngest(this.#source);
    this.#recorder = config.record === undefined ? undefined : this.#superviseRecorder(config.record);
  }

  #attach(): OpenedSource | undefined {
    const { source, roots, filter, ringCapacity } = this.#config;
    if (source === 'none') return undefined;
    if (typeof source === 'string' && roots.length === 0) {
      throw new CausewayError('CONFIG_INVALID', `source ${source} needs at least one path to watch`, {
        hint: "Give paths, or source: 'none' for emitted events only",
      });
    }
    const wanted = filter.types;
    return openSource(this.#arena, source, {
      paths: roots,
      pids: filter.pids,
      followFork: filter.followFork,
      ops: wanted.length === 0 ? [] : operationsOf((type) => wanted.some((pattern) => typeFits(pattern, type))),
      ringCapacity,
      includeSelf: filter.includeSelf,
    });
  }

  #superviseSync(): SupervisedWorker<SyncControl> {
    const data: SyncData = { memory: this.#arena.memory, journal: this.#journal.plan };
    return new SupervisedWorker<SyncControl>({
      name: 'sync',
      file: 'sync.worker',
      data: () => data,
      begin: async (control) => control.start(),
      wake: () => this.#wasm.journalSyncRequest(),
      onRestart: (report) => this.#noticeRestart(report),
      onGivenUp: (error) => this.#fail(error),
    });
  }

  #superviseIngest(source: OpenedSource): SupervisedWorker<IngestControl> {
    const { roots, idle, durability } = this.#config;
    const data: IngestData = {
      memory: this.#arena.memory,
      source: source.host.plan,
      roots,
      idle,
      flush: durability === 'group' || durability === 'sync',
    };
    return new SupervisedWorker<IngestControl>({
      name: 'ingest',
      file: 'ingest.worker',
      data: () => data,
      begin: async (control) => control.start(),
      wake: () => this.#wakeIngest(),
      repair: () => {
        repairAfterIngest(this.#arena, this.#wasm);
      },
      onRestart: (report) => this.#noticeRestart(report),
      onGivenUp: (error) => this.#fail(error),
    });
  }

  #superviseRecorder(file: string): SupervisedWorker<RecorderControl> {
    const data: RecorderData = {
      memory: this.#arena.memory,
      journal: this.#journal.plan,
      // A replacement begins again from here, with a new file: the journal has it all.
      since: this.position + 1n,
      file: path.resolve(file),
    };
    return new SupervisedWorker<RecorderControl>({
      name: 'recorder',
      file: 'recorder.worker',
      data: () => data,
      begin: async (control) => control.start(),
      onRestart: (report) => this.#noticeRestart(report),
      onGivenUp: (error) => this.#onNotice(error.message),
    });
  }

  async #start(): Promise<void> {
    await Promise.all([this.#syncWorker.start(), this.#ingestWorker?.start()]);
    // After ingestion, which measures the distance of the clocks that the recording needs; the journal keeps what came before.
    await this.#recorder?.start();
    if (this.#config.user !== undefined) becomeUser(this.#config.user, this.#config.journalDirectory);
    // After that, so that a file in /dev/shm belongs to the user that we are from now on.
    if (this.#config.connection !== undefined) this.#connection = Connection.create(this.#config.connection);
  }

  /** The next event gets a sequence behind this one: what events({ since: position + 1n }) begins after. */
  get position(): bigint {
    return this.#journal.claimedSequence;
  }

  /**
   * Everything that matches, one by one, from `since` (default: from now on). After what was in the journal already comes one `caughtUp`; a `gap` stands
   * where something was lost, whatever the filter. Ends when the engine is closed or the signal is given; leaving the loop frees what it held.
   */
  events(filter: EventFilter = {}): AsyncIterableIterator<StreamItem> {
    return this.#stream(filter).items();
  }

  /** The same in arrays, as they were found: for those that handle many at once. */
  batches(filter: EventFilter = {}): AsyncIterableIterator<StreamItem[]> {
    return this.#stream(filter).batches();
  }

  #stream(filter: EventFilter): EventStream {
    this.#requireOpen();
    const stream = new EventStream({
      arena: this.#arena,
      plan: this.#journal.plan,
      filter,
      since: filter.since ?? 'now',
      position: this.position,
      onEnd: () => this.#streams.delete(stream),
    });
    this.#streams.add(stream);
    return stream;
  }

  /**
   * Runs a module's default export, `async (items, context) => {}`, in a worker of its own on every batch that matches. A handler that throws ends the
   * worker; its replacement begins with the same batch.
   */
  async subscribe(module: URL | string, filter: EventFilter = {}, context?: unknown): Promise<Subscription> {
    this.#requireOpen();
    const subscription = new Subscription({
      module: String(module),
      arena: this.#arena,
      plan: this.#journal.plan,
      filter,
      position: this.position,
      context,
      onRestart: (report) => this.#noticeRestart(report),
      onGivenUp: (error) => this.#onNotice(error.message),
      onEnd: () => this.#subscriptions.delete(subscription),
    });
    this.#subscriptions.add(subscription);
    await subscription.start();
    return subscription;
  }

  /**
   * Appends an event of your own.
   * @returns its sequence, once it is as durable as asked ('process' by default: it survives kill -9).
   * @throws CausewayError EVENT_INVALID, JOURNAL_FULL, JOURNAL_POISONED, ENGINE_CLOSED.
   */
  async emit(event: NewEvent, options: EmitOptions = {}): Promise<bigint> {
    this.#requireOpen();
    return this.#appender.appendDurable(event, options.durability ?? 'process');
  }

  /** A barrier: when it resolves, everything that had happened before the call is in the journal, or told as a gap. */
  async sync(): Promise<void> {
    this.#requireOpen();
    await this.#ingestWorker?.call((control) => control.sync());
  }

  /** Resolves when a recorded trace has been replayed to its end. Never for live sources. */
  async finished(): Promise<void> {
    this.#requireOpen();
    await this.#ingestWorker?.call((control) => control.finished());
  }

  /**
   * What connect() takes, in this thread, in worker threads (as workerData or in a message), and, with the option `share`, in other processes, which take its
   * `handle`: the way to the queues and pools of the options.
   * @throws CausewayError CONFIG_INVALID when the options name neither queues nor pools; ENGINE_CLOSED.
   */
  connect(): ConnectionPlan {
    this.#requireOpen();
    if (this.#connection !== undefined) return this.#connection.plan;
    throw new CausewayError('CONFIG_INVALID', 'connect: this engine has neither queues nor pools', {
      hint: "Name them when it is opened: queues: { jobs: { mode: 'mpmc' } }",
    });
  }

  /** Adds a process to the filter of pids. */
  addPid(pid: number): void {
    this.#requireOpen();
    this.#source?.host.addPid(pid);
  }

  stats(): EngineStats {
    const counter = (offset: number): bigint => Atomics.load(this.#arena.u64, (ARENA_INGEST_OFFSET + offset) / 8);
    const host = this.#source?.host;
    return {
      source: {
        kind: host?.kind ?? 'none',
        description: this.description,
        ...(host?.counters() ?? { produced: 0n, dropped: {} }),
        ...(host?.peers === undefined ? {} : { peers: host.peers() }),
      },
      ingest: {
        delivered: counter(ingest.INGEST_DELIVERED_OFFSET),
        filtered: counter(ingest.INGEST_FILTERED_OFFSET),
        malformed: counter(ingest.INGEST_MALFORMED_OFFSET),
        duplicate: counter(ingest.INGEST_DUPLICATE_OFFSET),
        lost: counter(ingest.INGEST_LOST_OFFSET),
        gaps: counter(ingest.INGEST_GAPS_OFFSET),
        bytes: counter(ingest.INGEST_BYTES_OFFSET),
      },
      latency: readLatency(this.#arena),
      journal: this.#journal.stats(),
      workers: this.#workers().map((worker) => worker.report),
    };
  }

  /** Malformed records, as they were kept aside. */
  quarantine(): QuarantinedRecord[] {
    return readQuarantine(this.#arena);
  }

  /** Takes what the source still has, flushes, ends streams and queues, detaches, unmaps. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    // Ingestion first: it takes what the source has until now. Then the readers get the rest, then the journal is flushed and closed.
    await this.#ingestWorker?.stop();
    this.#source?.host.close();
    for (const stream of this.#streams) stream.end();
    await Promise.all([
      this.#recorder?.stop(),
      ...[...this.#subscriptions].map((subscription) => subscription.close()),
    ]);
    await this.#waitForStreams();
    this.#connection?.close();
    await this.#syncWorker.stop();
    this.#journal.close();
  }

  async #waitForStreams(): Promise<void> {
    const streams = [...this.#streams];
    const ended = Promise.all(streams.map((stream) => stream.ended));
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, STREAMS_CLOSE_MS);
    });
    await Promise.race([ended, tooLong]);
    clearTimeout(timer);
    for (const stream of this.#streams) stream.abandon();
  }

  /** Threads of this engine, for tests that end one. */
  threads(): { name: string; terminate: () => Promise<number> }[] {
    return this.#workers().flatMap((worker) =>
      worker.thread === undefined
        ? []
        : [{ name: worker.report.name, terminate: () => worker.thread?.terminate() ?? Promise.resolve(0) }],
    );
  }

  #workers(): { report: WorkerReport; thread: import('node:worker_threads').Worker | undefined }[] {
    const subscribers = [...this.#subscriptions].map((subscription) => subscription.worker);
    return [this.#ingestWorker, this.#syncWorker, this.#recorder, ...subscribers].filter(
      (worker) => worker !== undefined,
    );
  }

  /** A worker that sleeps in the kernel does not see messages: the eventfd ends its sleep. */
  #wakeIngest(): void {
    const host = this.#source?.host;
    host?.wake?.();
    const wakeFd = host?.plan.details.wakeFd;
    if (typeof wakeFd !== 'number' || wakeFd < 0) return;
    const one = Buffer.alloc(8);
    one.writeBigUInt64LE(1n);
    try {
      fs.writeSync(wakeFd, one);
    } catch (error) {
      // EAGAIN: the counter is at its maximum, so the worker is being woken already.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }

  #noticeRestart(report: WorkerReport): void {
    this.#onNotice(`${report.name} worker was replaced (${report.restarts} times): ${report.lastError}`);
  }

  #fail(error: CausewayError): void {
    this.#failure = error;
    this.#onNotice(error.message);
    for (const stream of this.#streams) stream.fail(error);
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw new CausewayError('ENGINE_CLOSED', 'the engine is closed');
    if (this.#failure !== undefined) throw this.#failure;
  }
}

function peerCount({ source }: EngineConfig): number {
  return typeof source === 'object' && 'peer' in source ? source.producers : 0;
}
