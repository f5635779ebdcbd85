// Every export of the wasm module.

export * from "./crc32c";
export * from "./ring";
