// SEMJ event <-> journal entry in wasm: FORMATS.md section 3 and the SEMJ row of FAULTS.md.

import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type DumbEvent, dumbChecksum, dumbEvent } from './dumb.ts';
import { Codec, vectors } from './support.ts';

const described: { events: DumbEvent[] } = JSON.parse(
  fs.readFileSync(new URL('../../vectors/semj.json', import.meta.url), 'utf8'),
);
const codec = new Codec();
const events = described.events.map(({ offset, length }) => vectors.subarray(offset, offset + length));

describe('the vectors', () => {
  it('are what their description says, field by field, to the second decoder', () => {
    for (const event of described.events) expect(dumbEvent(vectors, event.offset)).toEqual(event);
  });

  it('are right, and come back from entries byte for byte', () => {
    for (const event of events) {
      expect(codec.check(event)).toBe(event.length);
      expect(dumbChecksum(event)).toBe(event.readUInt32LE(84));
      const entry = codec.toEntry(event, { sequence: 77n });
      expect(codec.fromEntry(entry)).toEqual(Buffer.from(event));
    }
  });
});
