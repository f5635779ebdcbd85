// Every export of the wasm module.

export { crc32Init, crc32Plain, crc32Update } from "./crc32";
export * from "./crc32c";
export { dedupFind, dedupInit, dedupInsert, dedupInsertBatch, dedupUserInit } from "./dedup";
export * from "./ingest";
export * from "./log";
export {
  metadataGet,
  metadataInit,
  metadataInvalidate,
  metadataPut,
  metadataReclaim,
  metadataUserInit,
} from "./metadata-cache";
export { poolAdopt, poolGive, poolInUse, poolInit, poolReclaim, poolRepair, poolTake, poolUserInit } from "./pool";
export { queueClose, queueInit } from "./queue";
export { queueLeave } from "./queue-broadcast";
export { queueAdopt } from "./queue-claim";
export {
  queueAvailable,
  queueAwake,
  queueConsumerInit,
  queueDrain,
  queuePark,
  queueRelease,
  queueSleep,
} from "./queue-consumer";
export {
  queueDrop,
  queueProducerInit,
  queuePublish,
  queueReserve,
  queueRoomAwake,
  queueRoomSleep,
  queueSubmit,
  queueWindow,
  queueWindowEnd,
  queueWindowSubmit,
} from "./queue-producer";
export { peerCopy, peerInit, peerLook, peerRelease } from "./peer";
export * from "./ring";
export { semjCheck, semjChecksum, semjFind, semjIsType, semjVexfsType } from "./semj";
export { semjFromEntry, semjToEntry } from "./semj-entry";
export { semjMeasure } from "./semj-measure";
export * from "./sha256";
export * from "./trace";
export { recordFromEntry, translateRecord, translateType } from "./translate";
export { xxh64 } from "./xxh64";
