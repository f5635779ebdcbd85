// Writes a SEMJ file. The header is 52 zeros until finish(), and the file has another name until then: a crash leaves nothing that could be taken for a
// whole file.

import {
  SEMJ_EVENT_ID_OFFSET,
  SEMJ_EVENT_LENGTH_MAX,
  SEMJ_FILE_HEADER_LENGTH,
  SEMJ_MINOR,
} from '../../../layout/semj.ts';
import type { Arena } from '../../arena/arena.ts';
import type { Wasm } from '../../arena/wasm-exports.ts';
import type { FileLayer } from '../file-layer.ts';
import { OutputFile } from '../output-file.ts';
import { encodeFileHeader } from './file-header.ts';

/** Bytes of the arena that a writer needs. */
export const SEMJ_WRITE_LENGTH = 1 << 20;
const U64_MASK = 0xffffffffffffffffn;

export interface SemjWriterOptions {
  file: string;
  arena: Arena;
  wasm: Wasm;
  /** SEMJ_WRITE_LENGTH bytes of the arena. */
  address: number;
  files?: FileLayer;
}

export class SemjWriter {
  events = 0;
  readonly #output: OutputFile;
  readonly #arena: Arena;
  readonly #wasm: Wasm;
  readonly #address: number;
  #used = SEMJ_FILE_HEADER_LENGTH;
  #nextEventId = 1n;

  constructor(options: SemjWriterOptions) {
    this.#arena = options.arena;
    this.#wasm = options.wasm;
    this.#address = options.address;
    this.#output = new OutputFile(options.file, options.files);
    this.#arena.slice(this.#address, SEMJ_FILE_HEADER_LENGTH).fill(0);
  }

  /** Bytes so far. */
  get length(): number {
    return this.#output.length + this.#used;
  }

  /** Where the next event may be written: SEMJ_EVENT_LENGTH_MAX bytes. */
  place(): number {
    if (SEMJ_WRITE_LENGTH - this.#used < SEMJ_EVENT_LENGTH_MAX) this.#flush();
    return this.#address + this.#used;
  }

  /** The event at place() is complete. */
  take(length: number): void {
    const id = this.#arena.view.getBigUint64(this.#address + this.#used + SEMJ_EVENT_ID_OFFSET, true);
    if (id >= this.#nextEventId) this.#nextEventId = (id + 1n) & U64_MASK;
    this.#used += length;
    this.events += 1;
  }

  finish(): void {
    this.#flush();
    const header = {
      minor: SEMJ_MINOR,
      totalEvents: BigInt(this.events),
      nextEventId: this.#nextEventId,
      journalSize: BigInt(this.#output.length),
      indexOffset: 0n,
      flags: 0,
    };
    encodeFileHeader(header, this.#arena.view, this.#address, this.#wasm);
    this.#output.writeAt(0, this.#arena.slice(this.#address, SEMJ_FILE_HEADER_LENGTH));
    this.#output.finish();
  }

  abandon(): void {
    this.#output.abandon();
  }

  #flush(): void {
    this.#output.append(this.#arena.slice(this.#address, this.#used));
    this.#used = 0;
  }
}
