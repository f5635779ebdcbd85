// The part of the WebAssembly JavaScript interface that the engine uses (https://webassembly.github.io/spec/js-api/). TypeScript has it only
// in its DOM library, whose thousand browser names do not exist here.

declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum: number; shared: true });
    readonly buffer: SharedArrayBuffer;
  }
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, unknown>>);
    readonly exports: Record<string, unknown>;
  }
  class RuntimeError extends Error {}
}
