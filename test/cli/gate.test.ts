// The gate of `-c`: a process that has done nothing yet, and does everything after.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { CommandGate } from '../../src/cli/watch/gate.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

describe('CommandGate', () => {
  it('holds the command until it is opened, and keeps its pid', async () => {
    const file = path.join(temporaryDirectory('gate'), 'pid');
    const gate = await CommandGate.start(`echo $$ > '${file}'`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(existsSync(file)).toBe(false);
    gate.open();
    expect(await gate.ended).toEqual({ exitCode: 0, signal: null });
    expect(Number(readFileSync(file, 'utf8'))).toBe(gate.pid);
  });

  it("tells the command's own exit code, and the signal that ended it", async () => {
    const failing = await CommandGate.start('exit 7');
    failing.open();
    expect(await failing.ended).toEqual({ exitCode: 7, signal: null });
    const killed = await CommandGate.start('kill -KILL $$');
    killed.open();
    expect(await killed.ended).toEqual({ exitCode: null, signal: 'SIGKILL' });
  });

  it('passes any command on as it is', async () => {
    const file = path.join(temporaryDirectory('gate'), 'it is "here"');
    const gate = await CommandGate.start(`printf '%s' "a 'b' \\$c" > '${file}'`);
    gate.open();
    await gate.ended;
    expect(readFileSync(file, 'utf8')).toBe("a 'b' $c");
  });

  it('ends a command that was never let go', async () => {
    const gate = await CommandGate.start('sleep 100');
    gate.kill('SIGTERM');
    expect(await gate.ended).toEqual({ exitCode: null, signal: 'SIGTERM' });
    gate.kill();
  });
});
