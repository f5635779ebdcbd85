// What build/release.wasm exports, by hand because the loader's own types cannot know. u64 cross the boundary as bigint; statuses are layout/status.ts.

export interface Wasm {
  // assembly/crc32c.ts
  /** Fills the tables at ARENA_CRC32C_TABLE_OFFSET; once per arena. */
  crc32cInit(): void;
  crc32c(address: number, length: number): number;
  crc32cUpdate(previous: number, address: number, length: number): number;
  crc32cPlain(address: number, length: number): number;

  // assembly/crc32.ts
  /** Fills the tables at ARENA_CRC32_TABLE_OFFSET. */
  crc32Init(): void;
  /** The kernel's crc32(previous, data, length). */
  crc32Update(previous: number, address: number, length: number): number;
  crc32Plain(previous: number, address: number, length: number): number;

  // assembly/semj.ts, semj-measure.ts, semj-entry.ts. crc32Init comes first.
  /** Length of a right event, or SEMJ_TRUNCATED and below. */
  semjCheck(event: number, available: number): number;
  semjChecksum(initial: number, event: number, length: number): number;
  semjFind(address: number, from: number, to: number): number;
  semjIsType(type: number): number;
  semjVexfsType(type: number): number;
  /** Length of the entry. */
  semjMeasure(event: number, plan: number, vexfs: number): number;
  semjToEntry(event: number, plan: number, entry: number): void;
  /** Length of the event, or SEMJ_ENTRY_CORRUPT and the like. */
  semjFromEntry(entry: number, length: number, event: number, vexfs: number): number;

  // assembly/ring.ts
  ringInit(ring: number, capacity: number): void;
  ringProducerInit(state: number, ring: number, capacity: number): void;
  ringConsumerInit(state: number, ring: number, capacity: number, doubleMapped: number): void;
  ringReserve(state: number, length: number): number;
  ringSubmit(state: number, length: number): void;
  ringPublish(state: number): void;
  ringDrop(state: number, count: number): void;
  ringClose(state: number): void;
  ringPeek(state: number): number;
  ringAdvance(state: number): void;
  ringRelease(state: number): void;
  ringSpin(state: number, turns: number): number;
  ringConsumerPark(state: number, timeoutNs: bigint): number;
  ringProducerPark(state: number, length: number, timeoutNs: bigint): number;

  // assembly/queue.ts, queue-producer.ts, queue-consumer.ts, queue-claim.ts, queue-broadcast.ts
  queueInit(
    queue: number,
    length: number,
    mode: number,
    lanes: number,
    capacity: number,
    consumers: number,
    recordLengthMax: number,
    heldLength: number,
    expireAfterMs: number,
    lane: number,
  ): void;
  /** 1 = the caller is to wake consumers of other processes. */
  queueClose(queue: number, shared: number): number;
  queueProducerInit(
    state: number,
    queue: number,
    mode: number,
    number: number,
    lane: number,
    capacity: number,
    consumers: number,
    recordLengthMax: number,
    shared: number,
  ): number;
  queueReserve(state: number, length: number): number;
  queueWindow(state: number, length: number): number;
  queueWindowEnd(state: number): number;
  queueWindowSubmit(state: number, end: number, count: number): void;
  queueSubmit(state: number, length: number): void;
  /** 1 = the caller is to wake consumers of other processes. */
  queuePublish(state: number): number;
  queueDrop(state: number, count: number): void;
  /** The value of the room word to sleep on. */
  queueRoomSleep(state: number): number;
  queueRoomAwake(state: number): void;
  queueConsumerInit(
    state: number,
    queue: number,
    mode: number,
    lanes: number,
    capacity: number,
    consumers: number,
    recordLengthMax: number,
    slot: number,
    lane: number,
    held: number,
    heldLength: number,
    shared: number,
  ): number;
  /** Rows, or a status. */
  queueDrain(state: number, recordsMax: number): number;
  queueRelease(state: number): void;
  queueAdopt(state: number, slot: number, heldFirst: number, heldLength: number): number;
  queueAvailable(state: number): number;
  /** The value of the wake word to sleep on. */
  queueSleep(state: number): number;
  queueAwake(state: number): void;
  queuePark(state: number, timeoutNs: bigint): number;
  queueLeave(state: number): void;

  // assembly/pool.ts
  poolInit(pool: number, capacity: number, recordLength: number, length: number): void;
  poolUserInit(
    state: number,
    pool: number,
    capacity: number,
    stride: number,
    owners: number,
    records: number,
    row: number,
    token: bigint,
  ): void;
  /** Address of the record, or a status; read addresses with `>>> 0`. */
  poolTake(state: number): number;
  poolGive(state: number, address: number): number;
  poolAdopt(state: number, address: number, from: bigint): number;
  poolReclaim(state: number, dead: bigint): number;
  poolRepair(state: number): number;
  poolInUse(state: number): number;

  // assembly/dedup.ts
  dedupInit(
    dedup: number,
    slots: number,
    logLength: number,
    contentLengthMax: number,
    windowMs: number,
    length: number,
    seed: bigint,
  ): void;
  dedupUserInit(
    state: number,
    dedup: number,
    slots: number,
    log: number,
    logLength: number,
    contentLengthMax: number,
    windowMs: number,
    row: number,
    seed: bigint,
  ): void;
  dedupInsert(state: number, address: number, length: number, nowMs: number): number;
  dedupFind(state: number, address: number, length: number, nowMs: number): number;
  /** How many of the rows' contents were fresh; the answers are in the rows. */
  dedupInsertBatch(state: number, rows: number, count: number, nowMs: number): number;

  // assembly/metadata-cache.ts
  metadataInit(
    cache: number,
    table: number,
    sets: number,
    valueLength: number,
    slotLength: number,
    length: number,
    seed: bigint,
  ): void;
  metadataUserInit(
    state: number,
    table: number,
    sets: number,
    valueLength: number,
    slotLength: number,
    row: number,
    token: bigint,
    seed: bigint,
  ): void;
  metadataGet(state: number, key: number, value: number, nowMs: number): number;
  metadataPut(state: number, key: number, value: number, nowMs: number, ttlMs: number): number;
  metadataInvalidate(state: number, key: number): number;
  metadataReclaim(state: number, dead: bigint): number;

  // assembly/sha256.ts
  /** Rows, scratch and places of the digests: layout/sha256.ts. */
  sha256Batch(rows: number, count: number, out: number, scratch: number): void;
  sha256(address: number, length: number, out: number, scratch: number): void;

  // assembly/xxh64.ts
  xxh64(address: number, length: number, seed: bigint): bigint;

  // assembly/log.ts
  /** Address of the claimed entry, or a status; read addresses with `>>> 0`. */
  journalReserve(length: number): number;
  journalCommit(address: number): void;
  journalPublish(): void;
  journalSyncRequest(): void;
  journalRotate(): void;
  journalActivate(segment: number, firstSequence: bigint): number;
  journalScan(cursor: number, entriesMax: number): number;
  journalVerify(address: number, from: number, to: number): number;

  // assembly/translate.ts
  translateType(op: number, variant: number): number;
  /** Address of the entry that was appended, or a status. The record must have passed recordCheck. */
  translateRecord(record: number, clockOffsetNs: bigint): number;
  /** Length of the kernel record that was written at `record`, 0 for an entry of another origin. */
  recordFromEntry(entry: number, record: number): number;

  // assembly/ingest.ts
  ingestDrain(scratch: number, nowNs: bigint, recordsMax: number): number;
  ingestSettled(scratch: number, record: number, length: number): number;
  ingestOutside(scratch: number): void;
  ingestReconcile(snapshot: number, nowNs: bigint): number;
  ingestLoss(cause: number, cpu: number, from: bigint, to: bigint, count: bigint, nowNs: bigint): number;
  recordCheck(record: number, length: number): number;

  // assembly/peer.ts
  peerInit(slot: number, ring: number, capacity: number): void;
  peerLook(slot: number): number;
  /** Records copied; why it ended is in the slot (layout/peer.ts). */
  peerCopy(slot: number, producer: number, lane: number, recordsMax: number): number;
  /** 1 = the caller is to wake the peer. */
  peerRelease(slot: number): number;

  // assembly/trace.ts
  /** Records submitted; the rest is in the scratch (layout/trace-replay.ts). */
  traceFrames(scratch: number, producer: number, recordsMax: number): number;
}
