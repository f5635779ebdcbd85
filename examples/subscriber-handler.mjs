// Runs in a worker: gets the events in batches, and the context that was given to subscribe().

export default function handle(items, { counts }) {
  const events = items.filter((item) => item.type !== 'gap' && item.type !== 'caughtUp');
  Atomics.add(new Int32Array(counts), 0, events.length);
}
