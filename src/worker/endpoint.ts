// comlink over worker_threads: both ends in one place, because the package's Node files are not in its type map. Types come from its main entry:
// they end up in our declarations, and users have no declarations for the Node files.

import type { MessagePort, Worker } from 'node:worker_threads';
import type { Remote } from 'comlink';
import * as comlink from 'comlink/dist/esm/comlink.mjs';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';

/** Answers calls that come through the port. */
export function exposeControl<T extends object>(control: T, port: MessagePort): void {
  comlink.expose(control, nodeEndpoint(port));
}

/** The calls that a worker answers. Keep the result referenced: comlink frees the other side when it is collected. */
export function wrapControl<T>(worker: Worker): Remote<T> {
  return comlink.wrap<T>(nodeEndpoint(worker));
}

export type RemoteControl<T> = Remote<T>;
