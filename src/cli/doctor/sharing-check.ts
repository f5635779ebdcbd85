// Two processes and one arena, tried: a record goes to a second process and comes back.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { loadNative } from '../../arena/native.ts';
import { messageOf } from '../../base/errors.ts';
import { Connection } from '../../queue/connection.ts';
import { formatDuration } from '../format.ts';
import type { Check } from './check.ts';

const PEER = fileURLToPath(new URL('./sharing-peer.js', import.meta.url));
/** A second Node has to start. */
const START_MS = 10_000;
const ANSWER_MS = 1000;
const ROUNDS = 50;

export async function sharingCheck(): Promise<Check> {
  const base = {
    id: 'sharing',
    name: 'arenas shared by processes',
    enables: 'queues and pools between processes (Engine option share), causeway arena, the source peer',
  };
  const todo = 'Queues and pools between the threads of one process work.';
  if (loadNative() === undefined) {
    return { ...base, state: 'missing', found: 'koffi is missing', todo: `See koffi above. ${todo}` };
  }
  try {
    const tookNs = await roundTrip();
    return {
      ...base,
      state: 'ok',
      found: `a second process answered through a sealed memfd, ${formatDuration(tookNs)} there and back`,
      todo: '',
    };
  } catch (error) {
    return { ...base, state: 'missing', found: messageOf(error), todo };
  }
}

/** Median of the rounds, both sides asleep when they have nothing to do. */
async function roundTrip(): Promise<number> {
  using connection = Connection.create({ queues: { there: { mode: 'spsc' }, back: { mode: 'spsc' } }, share: true });
  const child = spawn(process.execPath, [PEER, connection.handle ?? ''], { stdio: 'ignore' });
  child.on('error', () => {});
  try {
    using producer = connection.queue('there').producer();
    using consumer = connection.queue('back').consumer();
    const tookNs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const before = performance.now();
      producer.send(Buffer.from([round]));
      if (!(await consumer.waitForRecordAsync(round === 0 ? START_MS : ANSWER_MS))) {
        throw new Error(`the second process did not answer, exit code ${child.exitCode ?? child.signalCode ?? '-'}`);
      }
      const answer = consumer.read()[0]?.[0];
      if (answer !== round) throw new Error(`the second process answered ${answer}, expected ${round}`);
      tookNs.push((performance.now() - before) * 1e6);
    }
    connection.queue('there').close();
    return tookNs.sort((a, b) => a - b)[ROUNDS >> 1] ?? 0;
  } finally {
    child.kill('SIGKILL');
  }
}
