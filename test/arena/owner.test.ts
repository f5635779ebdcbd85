import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { ARENA_REGION_SCRATCH } from '../../layout/arena.ts';
import { Arena } from '../../src/arena/arena.ts';
import {
  describeOwner,
  giveOwnership,
  isOwnerAlive,
  newOwner,
  ownerOf,
  parseStat,
  takeOwnership,
} from '../../src/arena/owner.ts';
import { PeerProcess, PeerThread } from '../support/arena-peer.ts';
import { requires } from '../support/capabilities.ts';

const peers: (PeerProcess | PeerThread)[] = [];
const withPeer = <T extends PeerProcess | PeerThread>(peer: T): T => {
  peers.push(peer);
  return peer;
};

afterEach(async () => {
  await Promise.all(peers.splice(0).map((peer) => peer.kill()));
});

const statOf = (tid: number) => parseStat(fs.readFileSync(`/proc/${tid}/stat`, 'latin1'));

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error('it never came to be');
    await sleep(5);
  }
}

describe.skipIf(process.platform !== 'linux')('an owner', () => {
  test('names this thread, and counts what it takes', () => {
    const first = newOwner();
    const second = newOwner();
    expect(describeOwner(first)).toMatchObject({ tid: process.pid, pid: process.pid, alive: true });
    expect(describeOwner(first).startTicks).toBe(statOf(process.pid)?.startTicks);
    expect(describeOwner(first).comm).toBe(fs.readFileSync('/proc/self/comm', 'utf8').trimEnd());
    expect(describeOwner(second).epoch).toBe((describeOwner(first).epoch + 1) % 256);
    for (let count = 0; count < 300; count++) expect(newOwner()).not.toBe(0n);
    expect(newOwner() < 2n ** 64n).toBe(true);
  });

  test('is a thread: it ends with a worker, while the process goes on', async () => {
    const thread = withPeer(new PeerThread());
    const token = BigInt(await thread.call<string>('newOwner'));
    expect(describeOwner(token)).toMatchObject({ pid: process.pid, alive: true });
    expect(describeOwner(token).tid).not.toBe(process.pid);
    await thread.kill();
    await until(() => !isOwnerAlive(token));
    expect(describeOwner(token)).toMatchObject({ pid: undefined, comm: undefined, alive: false });
  });

  test('is alive while its process is stopped, and dead when it was killed', async () => {
    const child = withPeer(new PeerProcess());
    const token = BigInt(await child.call<string>('newOwner'));
    expect(describeOwner(token)).toMatchObject({ tid: child.pid, alive: true });
    child.child.kill('SIGSTOP');
    await until(() => statOf(child.pid)?.state === 'T');
    expect(isOwnerAlive(token)).toBe(true);
    await child.kill();
    expect(isOwnerAlive(token)).toBe(false);
  });

  test('sees others as others see it', async () => {
    const child = withPeer(new PeerProcess());
    expect(await child.call('isOwnerAlive', String(newOwner()))).toBe(true);
    expect(await child.call('isOwnerAlive', String(newOwner() ^ (1n << 20n)))).toBe(false);
  });

  test('is dead as a zombie', async () => {
    // The shell becomes a program that never asks after its child.
    const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line);
    try {
      const token = ownerOf(pid, statOf(pid)?.startTicks ?? 0n, 1);
      expect(isOwnerAlive(token)).toBe(true);
      process.kill(pid, 'SIGKILL');
      await until(() => statOf(pid)?.state === 'Z');
      expect(isOwnerAlive(token)).toBe(false);
    } finally {
      parent.kill('SIGKILL');
      await once(parent, 'exit');
    }
  });

  test('is dead when its pid was given to another process, which started at another time', () => {
    const { startTicks } = describeOwner(newOwner());
    expect(isOwnerAlive(ownerOf(process.pid, startTicks, 9))).toBe(true);
    for (const forged of [startTicks + 1n, startTicks - 1n, 0n, 2n ** 34n - 1n]) {
      expect(isOwnerAlive(ownerOf(process.pid, forged, 9))).toBe(false);
    }
  });

  test('is alive in doubt: another user, or what never was a token', () => {
    expect(isOwnerAlive(ownerOf(1, statOf(1)?.startTicks ?? 0n, 1))).toBe(true);
    expect(isOwnerAlive(5n)).toBe(true);
  });

  test('is alive when /proc hides it', requires('otherUser', 'mount'), async () => {
    const other = 'exec setpriv --reuid=65534 --regid=65534 --clear-groups "$0" "$@"';
    const hidden = `mount -t proc -o hidepid=2 proc /proc && ${other}`;
    const child = withPeer(new PeerProcess(['unshare', '--mount', 'sh', '-c', hidden]));
    expect(await child.call('isOwnerAlive', String(newOwner()))).toBe(true);
    const ended = spawn('true');
    await once(ended, 'exit');
    expect(await child.call('isOwnerAlive', String(ownerOf(ended.pid ?? 0, 5n, 1)))).toBe(false);
  });

  test('may have a name with blanks and parentheses', async () => {
    const child = withPeer(new PeerProcess());
    const token = BigInt(await child.call<string>('newOwner', 'x) Z 1 (y'));
    expect(describeOwner(token)).toMatchObject({ tid: child.pid, comm: 'x) Z 1 (y', alive: true });
    expect(parseStat('12 (a) Z) (b) S 1 2')).toBe(undefined);
    expect(parseStat('')).toBe(undefined);
    const line = `12 (a) Z 9) R ${Array.from({ length: 49 }, (_, field) => field).join(' ')}\n`;
    expect(parseStat(line)).toEqual({ comm: 'a) Z 9', state: 'R', startTicks: 18n });
  });
});

describe('ownership', () => {
  const arenaOf = () => {
    const arena = Arena.create({ regions: [{ kind: ARENA_REGION_SCRATCH, length: 4096 }] });
    return { arena, address: arena.region(ARENA_REGION_SCRATCH).address };
  };

  test('is taken when free, refused while its owner lives, and given back once', () => {
    const { arena, address } = arenaOf();
    const [ours, other] = [newOwner(), newOwner()];
    expect(takeOwnership(arena, address, ours)).toEqual({ taken: true, adoptedFrom: 0n });
    expect(takeOwnership(arena, address, other)).toEqual({ taken: false, holder: ours });
    // One thread, one token, two takers: the second must not think that it has it.
    expect(takeOwnership(arena, address, ours)).toEqual({ taken: false, holder: ours });
    expect(giveOwnership(arena, address, other)).toBe(false);
    expect(giveOwnership(arena, address, ours)).toBe(true);
    expect(giveOwnership(arena, address, ours)).toBe(false);
    expect(takeOwnership(arena, address, other)).toEqual({ taken: true, adoptedFrom: 0n });
  });

  // Acceptable: for each word, one of the threads adopts it, and the others are refused. Nothing else.
  test.skipIf(process.platform !== 'linux')('of a dead owner is adopted by exactly one', async () => {
    const { arena, address } = arenaOf();
    const count = 400;
    const dead = ownerOf(process.pid, describeOwner(newOwner()).startTicks + 1n, 3);
    for (let word = 0; word < count; word++) arena.u64[address / 8 + word] = dead;
    const threads = Array.from({ length: 3 }, () => withPeer(new PeerThread()));
    await Promise.all(threads.map((thread) => thread.call('attach', arena.memory)));
    const answers = await Promise.all(
      threads.map((thread) =>
        thread.call<{ owner: string; taken: number; adopted: number }>('takeAll', address, count),
      ),
    );
    expect(answers.reduce((sum, { adopted }) => sum + adopted, 0)).toBe(count);
    for (const { owner, taken, adopted } of answers) {
      const held = arena.u64.subarray(address / 8, address / 8 + count).filter((word) => word === BigInt(owner));
      expect([taken, adopted]).toEqual([held.length, held.length]);
    }
  });
});
