// Where a reader says what it cannot do, unless its opener wants the lines itself. The losses are in the stream in any case: these lines say which path.

import process from 'node:process';

const LINES_MAX = 10;

/** To stderr, the first few lines only: a tree of ten thousand directories that cannot be watched is one problem. */
export function stderrLog(): (line: string) => void {
  let count = 0;
  return (line) => {
    count += 1;
    if (count <= LINES_MAX) process.stderr.write(`causeway: ${line}\n`);
    else if (count === LINES_MAX + 1)
      process.stderr.write('causeway: more of these are not shown; the gaps in the stream count\n');
  };
}
