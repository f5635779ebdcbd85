// The package's public face.

export { Arena, type EndpointSlot, type Region, type RegionRequest } from './arena/arena.ts';
export {
  describeOwner,
  giveOwnership,
  isOwnerAlive,
  newOwner,
  type OwnerDescription,
  type Ownership,
  takeOwnership,
} from './arena/owner.ts';
export { park, parkAsync, wake } from './arena/parking.ts';
export {
  createRing,
  type EndpointOptions,
  type RingPlace,
  ringRegionLength,
  SpscConsumer,
  SpscProducer,
} from './arena/ring.ts';
export { instantiate, type Wasm } from './arena/wasm.ts';
export { CausewayError, ERROR_CODES, type ErrorCode } from './base/errors.ts';
export { AdaptiveIdle, type AdaptiveIdleOptions, type IdleStrategy, ParkIdle, SpinIdle } from './base/idle.ts';
export { engineConfigJsonSchema } from './engine/config.ts';
export { Engine } from './engine/engine.ts';
export type { QuarantinedRecord } from './engine/quarantine.ts';
export { type ReadJournalOptions, readJournal } from './engine/read-journal.ts';
export type { Subscription } from './engine/subscription.ts';
export type {
  CaughtUp,
  Durability,
  EmitOptions,
  EngineOptions,
  EngineStats,
  Event,
  EventFilter,
  Gap,
  LatencyStats,
  NewEvent,
  PeerDescription,
  StreamItem,
} from './engine/types.ts';
export { type KernelRecord, kernelRecord } from './event/kernel-record.ts';
export { TreeView } from './event/tree-view.ts';
export { EVENT_TYPE_CODES, EVENT_TYPE_NAMES, type EventTypeName } from './event/type-name.ts';
export { type JournalInfo, journalInfo } from './journal/info.ts';
export { type ExportSemjOptions, type ExportSummary, exportSemj } from './journal/semj/export.ts';
export type { SemjFileHeader } from './journal/semj/file-header.ts';
export { type ImportSemjOptions, type ImportSummary, importSemj } from './journal/semj/import.ts';
export type { SkippedRange } from './journal/semj/reader.ts';
export { generateKey } from './journal/signing.ts';
export { type ExportTextOptions, exportText } from './journal/text/export.ts';
export { type ImportTextOptions, importText } from './journal/text/import.ts';
export type { Damage, DamageKind, Range, VerifyReport } from './journal/verify/report.ts';
export { type VerifyOptions, verifyJournal } from './journal/verify/verify.ts';
export {
  Connection,
  type ConnectionOptions,
  type ConnectionPlan,
  connect,
} from './queue/connection.ts';
export type { QueueConsumer, TakeLapse, TakeRecord } from './queue/consumer.ts';
export {
  type ContentPlace,
  Dedup,
  type DedupOptions,
  type DedupStats,
  dedupRegion,
  readDedupStats,
} from './queue/dedup.ts';
export {
  MetadataCache,
  type MetadataCacheOptions,
  type MetadataCacheStats,
  type MetadataKey,
  metadataCacheRegion,
  readMetadataCacheStats,
} from './queue/metadata-cache.ts';
export type { QueueMode, QueueOptions, QueuePlan } from './queue/plan.ts';
export { Pool, type PoolOptions, type PoolStats, poolRegion, readPoolOwners, readPoolStats } from './queue/pool.ts';
export type { QueueProducer } from './queue/producer.ts';
export { Queue, queueRegion } from './queue/queue.ts';
export type { Reaped } from './queue/reaper.ts';
export type { ConsumerStats, LaneStats, QueueStats } from './queue/stats.ts';
export { PeerProducer } from './source/peer/producer.ts';
