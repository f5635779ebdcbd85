// A subscriber's handler: notes the sequence of each event in a file.
import fs from 'node:fs';

export default function handle(items, { out }) {
  for (const item of items) if (item.type !== 'caughtUp') fs.appendFileSync(out, `${item.sequence}\n`);
}
