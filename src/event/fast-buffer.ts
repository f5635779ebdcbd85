// Node's Buffer has methods that its types leave out: text in and out of a place without the checks and the encoding lookup of toString and write.
// They exist in every release since Node 4; Node's own string decoder is built on them.

export interface FastBuffer extends Buffer {
  utf8Slice(start: number, end: number): string;
  latin1Slice(start: number, end: number): string;
  utf8Write(text: string, offset: number, length: number): number;
}

/** A Buffer over a whole memory, the arena's included. */
export function fastBuffer(memory: ArrayBufferLike): FastBuffer {
  return Buffer.from(memory) as FastBuffer;
}
