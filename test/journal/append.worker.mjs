// Appends `each` entries of random length as fast as it can, each with its thread, its own count and a payload of one byte repeated.
import fs from 'node:fs';
import { workerData } from 'node:worker_threads';

const { memory, thread, each, seed } = workerData;
const module = new WebAssembly.Module(fs.readFileSync(new URL('../../build/release.wasm', import.meta.url)));
const env = { memory, abort: () => {} };
const { exports: wasm } = new WebAssembly.Instance(module, { env });
const view = new DataView(memory.buffer);
const bytes = new Uint8Array(memory.buffer);

let state = seed;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state;
};

for (let count = 1; count <= each; count++) {
  const payload = random() % 300;
  let at = wasm.journalReserve(144 + 8 + payload);
  while (at === -5) at = wasm.journalReserve(144 + 8 + payload);
  if (at < 0) throw new Error(`status ${at}`);
  view.setUint16(at + 40, 1, true);
  view.setUint32(at + 44, 0x0104, true);
  view.setUint32(at + 84, thread + 1, true);
  view.setUint32(at + 132, payload, true);
  // size
  view.setUint32(at + 32, 1 << 11, true);
  view.setUint32(at + 144, count, true);
  bytes.fill(random() & 0xff, at + 152, at + 152 + payload);
  wasm.journalCommit(at);
  if (count % 16 === 0) wasm.journalPublish();
}
wasm.journalPublish();
