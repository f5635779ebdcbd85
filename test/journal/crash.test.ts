import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { JournalReader } from '../../src/journal/reader.ts';
import { seededRandom } from '../support/seed.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { openBench, readAllOf, SEGMENT_LENGTH } from './support.ts';

const CHILD = fileURLToPath(new URL('./append-child.mjs', import.meta.url));
const KILLS = Number(process.env.CAUSEWAY_KILLS ?? (process.env.CI === undefined ? 6 : 50));

interface Killed {
  /** Highest sequence that was acknowledged, and the last one that was there when it began. */
  acknowledged: bigint;
  before: bigint;
  stderr: string;
}

/** Runs the appending child, kills it `afterMs` after its journal is open. */
async function runAndKill(
  directory: string,
  durability: string,
  afterMs: number,
  env: Record<string, string> = {},
): Promise<Killed> {
  const child = spawn(process.execPath, [CHILD, directory, durability, String(SEGMENT_LENGTH)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let output = '';
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  child.stdout.on('data', (text: Buffer) => {
    if (output === '') setTimeout(() => child.kill('SIGKILL'), afterMs);
    output += text;
  });
  await new Promise((resolve) => child.on('close', resolve));
  const lines = output.split('\n').slice(0, -1);
  const before = BigInt(/^open (\d+)$/.exec(lines.shift() ?? '')?.[1] ?? -1);
  return { acknowledged: BigInt(lines.at(-1) ?? before), before, stderr };
}

function sequencesOf(directory: string): bigint[] {
  const reader = new JournalReader({ directory });
  const sequences = readAllOf(reader).map((item) => item.sequence);
  reader.close();
  return sequences;
}

const upTo = (last: bigint): bigint[] => Array.from({ length: Number(last) }, (_, n) => BigInt(n + 1));

describe.each([
  { durability: 'process', env: {} },
  { durability: 'group', env: {} },
  { durability: 'group', env: { CAUSEWAY_NO_NATIVE: '1' } },
])('kill -9 of a process that appends ($durability $env)', ({ durability, env }) => {
  it('loses nothing that was acknowledged, and goes on behind it', async () => {
    const directory = temporaryDirectory();
    const random = seededRandom(durability.length);
    let last = 0n;
    for (let kill = 0; kill < KILLS; kill++) {
      const killed = await runAndKill(directory, durability, random() * 60, env);
      expect(killed.stderr).toBe('');
      expect(killed.before).toBe(last);
      // As another process sees it before recovery, and as it is after.
      const seen = sequencesOf(directory);
      const bench = openBench(directory);
      last = bench.journal.claimedSequence;
      expect(last).toBeGreaterThanOrEqual(killed.acknowledged);
      expect(seen).toEqual(upTo(last));
      expect(readAllOf(bench.tail('start')).map((item) => item.sequence)).toEqual(upTo(last));
      expect(bench.journal.recovery.holes).toEqual([]);
      bench.close();
    }
    expect(last).toBeGreaterThan(0n);
  }, 240_000);
});

describe('the lock', () => {
  it('keeps a second writer out and names the first, and is free after kill -9', async () => {
    const directory = temporaryDirectory();
    const bench = openBench(directory);
    expect(() => openBench(directory)).toThrow(
      expect.objectContaining({ code: 'JOURNAL_BUSY', message: expect.stringContaining(`pid ${process.pid} (`) }),
    );
    const refused = await runAndKill(directory, 'process', 0);
    expect(refused.stderr).toContain('JOURNAL_BUSY');
    expect(refused.stderr).toContain(`pid ${process.pid}`);
    const unlinked = await runAndKill(directory, 'process', 0, { CAUSEWAY_NO_NATIVE: '1' });
    expect(unlinked.stderr).toContain(`pid ${process.pid}`);
    bench.close();
    const killed = await runAndKill(directory, 'process', 20, { CAUSEWAY_NO_NATIVE: '1' });
    expect(killed.stderr).toBe('');
    const after = await runAndKill(directory, 'process', 20, { CAUSEWAY_NO_NATIVE: '1' });
    expect(after.stderr).toBe('');
    openBench(directory).close();
  });
});

describe('another process reading', () => {
  it('follows live while one writes, across segments, and sees each event once', async () => {
    const directory = temporaryDirectory();
    const ending = runAndKill(directory, 'process', 1500);
    const stop = AbortSignal.timeout(1800);
    while (!fs.existsSync(`${directory}/journal.json`)) await new Promise((resolve) => setTimeout(resolve, 5));
    const reader = new JournalReader({ directory });
    let expected = 1n;
    while (!stop.aborted) {
      const count = reader.readBatch(1000, (decoder, at) => {
        if (decoder.sequence(at) !== expected)
          throw new Error(`sequence=${decoder.sequence(at)}, expected ${expected}`);
        expected += 1n;
      });
      if (count === 0) await reader.wait(stop);
    }
    const killed = await ending;
    while (reader.readBatch(1000, () => (expected += 1n)) > 0);
    reader.close();
    expect(expected - 1n).toBeGreaterThanOrEqual(killed.acknowledged);
    expect(fs.readdirSync(directory).length).toBeGreaterThan(5);
  });
});

describe('a directory that cannot be used', () => {
  it('is named, with the reason', () => {
    // Root writes everywhere: a path below a file fails for everybody.
    const directory = temporaryDirectory();
    fs.writeFileSync(`${directory}/file`, '');
    expect(() => openBench(`${directory}/file/journal`)).toThrow(expect.objectContaining({ code: 'PATH_DENIED' }));
    expect(() => new JournalReader({ directory: `${directory}/missing` })).toThrow(
      expect.objectContaining({ code: 'JOURNAL_MISSING' }),
    );
    expect(() => new JournalReader({ directory })).toThrow(expect.objectContaining({ code: 'JOURNAL_MISSING' }));
  });
});
