// Splits a file into lines, or into the records of RFC 4180 (a line break within quotes does not end one), in bounded memory.

import fs from 'node:fs';
import { CausewayError, messageOf } from '../../base/errors.ts';

/** The longest entry in base64, and as much again. */
const RECORD_LENGTH_MAX = 1 << 20;
const CHUNK_LENGTH = 1 << 18;
const LINE_FEED = 0x0a;
const QUOTE = 0x22;
const ENOENT = 'ENOENT';

export interface TextRecord {
  /** Of its first line, from 1 on. */
  line: number;
  /** undefined: not UTF-8, or longer than a record may be. */
  text: string | undefined;
  /** Offset in the file behind it. */
  end: number;
}

/** @throws CausewayError PATH_MISSING, PATH_DENIED, CONFIG_INVALID when it is no regular file. */
export function* readRecords(file: string, quoted: boolean): Generator<TextRecord, void, undefined> {
  const fd = openText(file);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
  const chunk = Buffer.alloc(CHUNK_LENGTH);
  let parts: Buffer[] = [];
  let length = 0;
  let [first, line, end] = [1, 1, 0];
  let isQuoted = false;
  const finish = (): TextRecord => {
    const text = length > RECORD_LENGTH_MAX ? undefined : decode(decoder, Buffer.concat(parts));
    const record = { line: first, text, end };
    [parts, length, first] = [[], 0, line];
    return record;
  };
  try {
    while (true) {
      const count = fs.readSync(fd, chunk, 0, chunk.length, null);
      if (count === 0) break;
      let from = 0;
      for (let at = 0; at < count; at++) {
        const byte = chunk[at];
        if (quoted && byte === QUOTE) isQuoted = !isQuoted;
        if (byte !== LINE_FEED) continue;
        line += 1;
        if (isQuoted) continue;
        length += at - from;
        if (length <= RECORD_LENGTH_MAX) parts.push(Buffer.from(chunk.subarray(from, at)));
        end += at + 1 - from;
        from = at + 1;
        yield finish();
      }
      length += count - from;
      end += count - from;
      if (length <= RECORD_LENGTH_MAX) parts.push(Buffer.from(chunk.subarray(from, count)));
      else parts = [];
    }
    if (length > 0) yield finish();
  } finally {
    fs.closeSync(fd);
  }
}

function decode(decoder: InstanceType<typeof TextDecoder>, bytes: Buffer): string | undefined {
  try {
    return decoder.decode(bytes).replace(/\r$/, '');
  } catch {
    return undefined;
  }
}

function openText(file: string): number {
  try {
    if (!fs.statSync(file).isFile()) throw new CausewayError('CONFIG_INVALID', `${file} is no regular file`);
    return fs.openSync(file, 'r');
  } catch (error) {
    if (error instanceof CausewayError) throw error;
    const code = (error as NodeJS.ErrnoException).code === ENOENT ? 'PATH_MISSING' : 'PATH_DENIED';
    throw new CausewayError(code, `${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
