// Every export of the wasm module.

export * from "./crc32c";
export * from "./ingest";
export * from "./log";
export * from "./ring";
export * from "./trace";
export { recordFromEntry, translateRecord, translateType } from "./translate";
