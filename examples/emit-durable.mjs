// Write events of your own into a journal, each as durable as it needs to be.
//
//   node emit-durable.mjs [journal directory]
//
// memory: gone with the process. process: survives kill -9 of it. group: after the next shared fdatasync. sync: after an fdatasync of its own.

import { Engine } from '@causeway/engine';

const [journal = '.causeway'] = process.argv.slice(2);
const engine = await Engine.open({ source: 'none', journal });
try {
  const text = (value) => new TextEncoder().encode(JSON.stringify(value));
  const noted = await engine.emit({ type: 'agent.reasoning', payload: text({ thought: 'the test fails' }) });
  console.log(`reasoning is event ${noted}: it survives the end of this process`);
  const decided = await engine.emit(
    { type: 'agent.decision', payload: text({ decision: 'fix the parser' }) },
    { durability: 'sync' },
  );
  console.log(`decision is event ${decided}: it survives a power cut`);
  // Many at once share their flushes.
  const sequences = await Promise.all(
    Array.from({ length: 1000 }, (_, index) =>
      engine.emit({ type: 'agent.interaction', payload: text({ index }) }, { durability: 'group' }),
    ),
  );
  console.log(`interactions are events ${sequences[0]} to ${sequences.at(-1)}, all durable`);
} finally {
  await engine.close();
}
