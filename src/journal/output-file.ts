// A file that is there as a whole or not at all: it is written under another name beside it, flushed, and renamed. What a crash leaves behind is called
// NAME.PID.partial.

import fs from 'node:fs';
import path from 'node:path';
import { CausewayError, messageOf } from '../base/errors.ts';
import { type FileLayer, NodeFileLayer, writeAll } from './file-layer.ts';

export class OutputFile {
  readonly path: string;
  readonly #partial: string;
  readonly #files: FileLayer;
  #fd: number;
  #length = 0;

  /** @throws CausewayError PATH_DENIED, CONFIG_INVALID when something that is no file has the name. */
  constructor(name: string, files: FileLayer = new NodeFileLayer(undefined)) {
    this.path = finalPath(name);
    this.#partial = `${this.path}.${process.pid}.partial`;
    this.#files = files;
    try {
      this.#fd = files.open(this.#partial, 'w', 0o600);
    } catch (error) {
      throw new CausewayError('PATH_DENIED', `${name} cannot be written: ${messageOf(error)}`, { cause: error });
    }
  }

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** @throws CausewayError SYSTEM_CALL_FAILED: a full disk. */
  append(bytes: Uint8Array): void {
    this.writeAt(this.#length, bytes);
  }

  writeAt(position: number, bytes: Uint8Array): void {
    this.#try(() => writeAll(this.#files, this.#fd, bytes, position));
    this.#length = Math.max(this.#length, position + bytes.length);
  }

  /** Flushes, and gives the file its name. */
  finish(): void {
    this.#try(() => {
      this.#files.fdatasync(this.#fd);
      this.#close();
      this.#files.rename(this.#partial, this.path);
      this.#files.syncDirectory(path.dirname(this.path));
    });
  }

  /** Leaves nothing behind; after finish() nothing happens. */
  abandon(): void {
    if (this.#fd < 0) return;
    this.#close();
    try {
      this.#files.unlink(this.#partial);
    } catch {
      // It is called partial.
    }
  }

  #close(): void {
    const fd = this.#fd;
    this.#fd = -1;
    this.#files.close(fd);
  }

  #try(action: () => void): void {
    try {
      action();
    } catch (error) {
      throw new CausewayError('SYSTEM_CALL_FAILED', `${this.path}: ${messageOf(error)}`, { cause: error });
    }
  }
}

/** Through symbolic links, so that the link stays one. */
function finalPath(name: string): string {
  const status = fs.statSync(name, { throwIfNoEntry: false });
  if (status === undefined) return path.resolve(name);
  if (status.isFile()) return fs.realpathSync(name);
  throw new CausewayError('CONFIG_INVALID', `${name} is no regular file`, { hint: 'Give the name of a file.' });
}
