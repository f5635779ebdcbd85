import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  ARENA_ABI_VERSION_OFFSET,
  ARENA_ENDPOINT_LENGTH,
  ARENA_ENDPOINTS_MAX,
  ARENA_LAYOUT_HASH_OFFSET,
  ARENA_LENGTH_OFFSET,
  ARENA_MAGIC_OFFSET,
  ARENA_PID_NAMESPACE_OFFSET,
  ARENA_REGION_ADDRESS_OFFSET,
  ARENA_REGION_COUNT_OFFSET,
  ARENA_REGION_ENDPOINTS,
  ARENA_REGION_KIND_OFFSET,
  ARENA_REGION_LENGTH,
  ARENA_REGION_LENGTH_OFFSET,
  ARENA_REGION_NUMBER_OFFSET,
  ARENA_REGION_RING,
  ARENA_REGION_SCRATCH,
  ARENA_REGION_TABLE_OFFSET,
  ARENA_REGIONS_OFFSET,
  ARENA_SHARED_END_OFFSET,
} from '../../layout/arena.ts';
import { Arena } from '../../src/arena/arena.ts';
import {
  F_ADD_SEALS,
  F_GET_SEALS,
  F_SEAL_GROW,
  F_SEAL_SHRINK,
  loadNative,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  type Native,
} from '../../src/arena/native.ts';
import { isOwnerAlive, newOwner } from '../../src/arena/owner.ts';
import { instantiate } from '../../src/arena/wasm.ts';
import { PeerProcess, PeerThread } from '../support/arena-peer.ts';
import { requires } from '../support/capabilities.ts';

const REGIONS = [
  { kind: ARENA_REGION_RING, length: 65536 },
  { kind: ARENA_REGION_SCRATCH, length: 4096 },
];
const native = loadNative() as Native;
const folder = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
let files = 0;
let name = '';
const cleanups: (() => unknown)[] = [];

beforeEach(() => {
  name = path.join(folder, `causeway-test-${process.pid}-${files++}`);
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  fs.rmSync(name, { force: true });
});

function keep(arena: Arena): Arena {
  cleanups.push(() => arena.close());
  return arena;
}

const create = (share: boolean | string = true): Arena => keep(Arena.create({ regions: REGIONS, share }));
const open = (handle: string | undefined, options = {}): Arena => keep(Arena.open(handle ?? '', options));

function startPeer(through: string[] = []): PeerProcess {
  const peer = new PeerProcess(through);
  cleanups.push(() => peer.kill());
  return peer;
}

const regionOf = (arena: Arena, kind = ARENA_REGION_RING): number => arena.region(kind).address;
const fileOf = (share: true | 'path'): true | string => (share === true ? true : name);
const refusal = (code: string, ...texts: string[]) =>
  expect.objectContaining({ code, message: expect.stringMatching(texts.join('.*')) });

describe.each([{ share: true }, { share: 'path' }] as const)('an arena shared as $share', ({ share }) => {
  const needs = requires('koffi');

  test('is seen by another process at the same addresses, both ways', needs, async () => {
    const arena = create(fileOf(share));
    expect(arena).toMatchObject({ isShared: true, isReadOnly: false });
    const at = regionOf(arena);
    const scratch = regionOf(arena, ARENA_REGION_SCRATCH);
    const peer = startPeer();
    const opened = await peer.call<{ handle: string; regions: unknown }>('open', arena.handle);
    expect(opened.regions).toEqual(arena.regions());
    arena.i32[at / 4] = 1234;
    expect(await peer.call('load', at)).toBe(1234);
    await peer.call('store', at + 4, -7);
    // The last page of the shared part.
    await peer.call('store', scratch + 4092, 99);
    expect([arena.i32[at / 4 + 1], arena.i32[(scratch + 4092) / 4]]).toEqual([-7, 99]);
  });

  test('has only its regions in the file: header copies and endpoints are private', needs, async () => {
    const arena = create(fileOf(share));
    const peer = startPeer();
    await peer.call('open', arena.handle);
    const endpoints = regionOf(arena, ARENA_REGION_ENDPOINTS);
    await peer.call('fill', 0, ARENA_REGIONS_OFFSET, 0xee);
    await peer.call('fill', endpoints, 8192, 0xee);
    expect(arena.i32[endpoints / 4]).toBe(0);
    expect(Arena.attach(arena.memory).regions()).toEqual(arena.regions());
    expect(open(arena.handle).regions()).toEqual(arena.regions());
  });

  test('goes on for its peers when the creator is killed', needs, async () => {
    const creator = startPeer();
    const { handle } = await creator.call<{ handle: string }>('create', { regions: REGIONS, share: fileOf(share) });
    const arena = open(handle);
    const at = regionOf(arena);
    await creator.call('store', at, 5);
    await creator.kill();
    expect(arena.i32[at / 4]).toBe(5);
    arena.i32[at / 4] = 6;
    // Another one comes, by our own handle: the creator's descriptor is gone.
    const peer = startPeer();
    await peer.call('open', arena.handle);
    expect(await peer.call('load', at)).toBe(6);
  });

  test('is zeros after close, which may be called again; peers keep what they have', needs, async () => {
    const arena = create(fileOf(share));
    const at = regionOf(arena);
    const peer = startPeer();
    await peer.call('open', arena.handle);
    arena.i32[at / 4] = 3;
    arena.close();
    arena.close();
    expect(arena.i32[at / 4]).toBe(0);
    arena.i32[at / 4] = 4;
    expect(await peer.call('load', at)).toBe(3);
    expect(fs.existsSync(name)).toBe(false);
    await peer.call('close');
    expect(await peer.call('load', at)).toBe(0);
  });

  test('does not care what a peer writes into the file’s header after it was opened', needs, () => {
    const arena = create(fileOf(share));
    const opened = open(arena.handle);
    const regions = arena.regions();
    const fd = fs.openSync(arena.handle ?? '', 'r+');
    fs.writeSync(fd, Buffer.alloc(ARENA_REGIONS_OFFSET, 0xff), 0, ARENA_REGIONS_OFFSET, 0);
    fs.closeSync(fd);
    for (const one of [arena, opened]) {
      expect(one.regions()).toEqual(regions);
      expect(Arena.attach(one.memory).regions()).toEqual(regions);
      instantiate(one).crc32cInit();
    }
    expect(() => open(arena.handle)).toThrow(refusal('ARENA_CORRUPT', 'magic=4294967295'));
  });

  // Its length is sealed, its pages are not: they read as zeros, and come back when they are written.
  test('has zeros where a peer took pages away, and no fault', needs, () => {
    const arena = create(fileOf(share));
    const at = regionOf(arena);
    arena.bytes.fill(7, at, at + 65536);
    const fd = fs.openSync(arena.handle ?? '', 'r+');
    const keepSizeAndPunchHole = 3;
    expect(native.fallocate(fd, keepSizeAndPunchHole, BigInt(at), 65536n)).toBe(0);
    fs.closeSync(fd);
    expect([arena.bytes[at], arena.bytes[at + 65535]]).toEqual([0, 0]);
    arena.bytes[at] = 8;
    expect(open(arena.handle).bytes[at]).toBe(8);
  });

  test('is for its user only', needs, () => {
    const arena = create(fileOf(share));
    expect(fs.statSync(arena.handle ?? '').mode & 0o7777).toBe(0o600);
  });

  test('is refused to another user', requires('koffi', 'otherUser'), async () => {
    const arena = create(fileOf(share));
    const peer = startPeer(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']);
    await expect(peer.call('open', arena.handle)).rejects.toThrow(refusal('PATH_DENIED', 'EACCES'));
  });

  test('can be used by a thread that attaches to it', needs, async () => {
    const arena = create(fileOf(share));
    const thread = new PeerThread();
    cleanups.push(() => thread.kill());
    expect(await thread.call('attach', arena.memory)).toEqual({ isShared: true, isReadOnly: false });
    const peer = startPeer();
    await peer.call('open', arena.handle);
    await peer.call('store', regionOf(arena), 17);
    expect(await thread.call('load', regionOf(arena))).toBe(17);
  });
});

describe('what cannot be shared or opened', requires('koffi'), () => {
  test('a name that is not there, a link, a directory, a FIFO', () => {
    expect(() => Arena.open(name)).toThrow(refusal('PATH_MISSING', name, 'ENOENT'));
    expect(() => Arena.open(`/proc/${process.pid}/fd/9999`)).toThrow(refusal('PATH_MISSING', 'ENOENT'));
    expect(() => Arena.create({ regions: REGIONS, share: `${name}/deep/x` })).toThrow(refusal('PATH_MISSING'));
    const arena = create(name);
    fs.symlinkSync(name, `${name}-link`);
    cleanups.push(() => fs.rmSync(`${name}-link`));
    expect(() => Arena.open(`${name}-link`)).toThrow(refusal('PATH_DENIED', 'ELOOP'));
    expect(() => Arena.open(folder)).toThrow(refusal('ARENA_CORRUPT', 'EISDIR'));
    expect(() => Arena.open(folder, { readOnly: true })).toThrow(refusal('ARENA_CORRUPT', 'not a regular file'));
    spawnSync('mkfifo', [`${name}-fifo`]);
    cleanups.push(() => fs.rmSync(`${name}-fifo`));
    for (const readOnly of [false, true]) {
      expect(() => Arena.open(`${name}-fifo`, { readOnly })).toThrow(refusal('ARENA_CORRUPT', 'not a regular file'));
    }
    expect(() => Arena.create({ regions: REGIONS, share: `${name}-fifo` })).toThrow(
      refusal('ARENA_CORRUPT', 'no arena'),
    );
    arena.close();
  });

  test('a memfd whose length is not sealed, before anything of it is mapped or read', () => {
    for (const seals of [0, F_SEAL_SHRINK, F_SEAL_GROW]) {
      const fd = native.memfdCreate('test', MFD_CLOEXEC | MFD_ALLOW_SEALING);
      fs.writeSync(fd, Buffer.alloc(131072, 0xff));
      native.fcntl(fd, F_ADD_SEALS, seals);
      expect(() => Arena.open(`/proc/${process.pid}/fd/${fd}`)).toThrow(
        refusal('ARENA_CORRUPT', 'not sealed', `seals=${seals}, needed=6`),
      );
      native.close(fd);
    }
    const arena = create();
    const seals = native.fcntl(Number(arena.handle?.split('/').at(-1)), F_GET_SEALS, 0);
    expect(seals & 7).toBe(7);
    expect(() => fs.truncateSync(arena.handle ?? '', 4096)).toThrow(/EPERM/);
  });

  test.each([0o620, 0o602, 0o666])('a file that others may write (mode %o)', (mode) => {
    create(name);
    fs.chmodSync(name, mode);
    expect(() => Arena.open(name)).toThrow(refusal('PATH_DENIED', `mode=${mode.toString(8)}`));
  });

  test('a file of another user', requires('root'), () => {
    create(name);
    fs.chownSync(name, 65534, 65534);
    expect(() => Arena.open(name)).toThrow(refusal('PATH_DENIED', 'owner=65534, expected 0'));
  });

  test('a file that is shorter or longer than its header says, and one that is too short for a header', () => {
    create(name);
    const end = fs.statSync(name).size;
    for (const length of [end - 4096, end - 1, end + 1, 70000, 65536]) {
      fs.truncateSync(name, length);
      expect(() => Arena.open(name)).toThrow(refusal('ARENA_CORRUPT', `length of the file=${length}, expected ${end}`));
    }
    for (const length of [4097, 100, 0]) {
      fs.truncateSync(name, length);
      expect(() => Arena.open(name)).toThrow(refusal('ARENA_CORRUPT'));
    }
  });

  const row = (number: number, field: number) => ARENA_REGION_TABLE_OFFSET + number * ARENA_REGION_LENGTH + field;
  test.each<[string, number, number, string, string]>([
    ['no magic', ARENA_MAGIC_OFFSET, 0, 'ARENA_CORRUPT', 'magic=0, expected'],
    ['another version', ARENA_ABI_VERSION_OFFSET, 77, 'ARENA_INCOMPATIBLE', 'abiVersion=77, expected'],
    ['another layout', ARENA_LAYOUT_HASH_OFFSET, 5, 'ARENA_INCOMPATIBLE', 'layoutHash=5, expected'],
    ['another pid namespace', ARENA_PID_NAMESPACE_OFFSET, 1, 'ARENA_INCOMPATIBLE', 'pidNamespace=1, expected'],
    ['another length', ARENA_LENGTH_OFFSET, 65536, 'ARENA_CORRUPT', 'length=65536, expected'],
    ['a huge length', ARENA_LENGTH_OFFSET + 4, 0xffffffff, 'ARENA_CORRUPT', 'length=\\d{10,}, expected'],
    ['no shared end', ARENA_SHARED_END_OFFSET, 0, 'ARENA_CORRUPT', 'sharedEnd=0'],
    ['a shared end inside of a page', ARENA_SHARED_END_OFFSET, 70001, 'ARENA_CORRUPT', 'sharedEnd=70001'],
    ['a huge shared end', ARENA_SHARED_END_OFFSET + 4, 0x7fffffff, 'ARENA_CORRUPT', 'sharedEnd=\\d{10,}'],
    ['too many regions', ARENA_REGION_COUNT_OFFSET, 257, 'ARENA_CORRUPT', 'regions=257, regionsMax=256'],
    ['no regions', ARENA_REGION_COUNT_OFFSET, 0, 'ARENA_CORRUPT', 'expected the endpoints'],
    ['no endpoints', ARENA_REGION_COUNT_OFFSET, 2, 'ARENA_CORRUPT', 'expected the endpoints'],
    ['other endpoints', row(2, ARENA_REGION_LENGTH_OFFSET), 4096, 'ARENA_CORRUPT', 'expected the endpoints'],
    ['a region in the header', row(0, ARENA_REGION_ADDRESS_OFFSET), 8192, 'ARENA_CORRUPT', 'overlaps'],
    ['regions that overlap', row(1, ARENA_REGION_ADDRESS_OFFSET), 69632, 'ARENA_CORRUPT', 'overlaps'],
    ['a region inside of a page', row(1, ARENA_REGION_ADDRESS_OFFSET), 131073, 'ARENA_CORRUPT', 'not pages'],
    ['a region of no length', row(1, ARENA_REGION_LENGTH_OFFSET), 0, 'ARENA_CORRUPT', 'not pages'],
    ['a region of half a page', row(1, ARENA_REGION_LENGTH_OFFSET), 2048, 'ARENA_CORRUPT', 'not pages'],
    ['a region over the end', row(1, ARENA_REGION_LENGTH_OFFSET), 8192, 'ARENA_CORRUPT', 'outside'],
    ['a region far over the end', row(1, ARENA_REGION_LENGTH_OFFSET), 0xfffff000, 'ARENA_CORRUPT', 'outside'],
    ['a region far away', row(1, ARENA_REGION_ADDRESS_OFFSET), 0xfffff000, 'ARENA_CORRUPT', 'endpoints'],
    ['two regions of one name', row(1, ARENA_REGION_KIND_OFFSET), ARENA_REGION_RING, 'ARENA_CORRUPT', 'twice'],
    ['endpoints twice', row(1, ARENA_REGION_KIND_OFFSET), ARENA_REGION_ENDPOINTS, 'ARENA_CORRUPT', 'twice'],
    ['endpoints of another number', row(2, ARENA_REGION_NUMBER_OFFSET), 1, 'ARENA_CORRUPT', 'endpoints'],
  ])('a header with %s', (_what, offset, value, code, text) => {
    for (const share of [true, name]) {
      const arena = create(share);
      const fd = fs.openSync(arena.handle ?? '', 'r+');
      const word = Buffer.alloc(4);
      word.writeUInt32LE(value);
      fs.writeSync(fd, word, 0, 4, offset);
      fs.closeSync(fd);
      expect(() => Arena.open(arena.handle ?? '')).toThrow(refusal(code, text));
    }
  });

  // A child in another namespace counts pids anew: its tokens would name other threads here.
  test('an arena of another pid namespace', requires('koffi', 'root'), async ({ skip }) => {
    const probe = spawnSync('unshare', ['--pid', '--fork', 'true'], { encoding: 'utf8' });
    skip(probe.status !== 0, `needs the right to make a pid namespace: ${probe.stderr}`);
    const arena = create(name);
    const peer = startPeer(['unshare', '--pid', '--fork', '--kill-child']);
    const here = fs.statSync('/proc/self/ns/pid').ino;
    await expect(peer.call('open', arena.handle)).rejects.toThrow(
      refusal('ARENA_INCOMPATIBLE', `pidNamespace=${here}, expected \\d+`),
    );
  });

  test('without descriptors to be had, nothing is left open by refusals', () => {
    create(name);
    const before = fs.readdirSync('/proc/self/fd').length;
    fs.chmodSync(name, 0o666);
    for (let count = 0; count < 20; count++) expect(() => Arena.open(name)).toThrow();
    fs.chmodSync(name, 0o600);
    fs.truncateSync(name, 65536);
    for (let count = 0; count < 20; count++) expect(() => Arena.open(name)).toThrow();
    for (let count = 0; count < 5; count++) expect(() => create(name)).toThrow(refusal('ARENA_BUSY'));
    expect(fs.readdirSync('/proc/self/fd').length).toBe(before);
  });
});

test('that does not fit its file system is refused, and leaves no file', requires('koffi', 'mount'), async () => {
  const mounted = 'mount -t tmpfs -o size=1m none /mnt && exec "$0" "$@"';
  const peer = startPeer(['unshare', '--mount', 'sh', '-c', mounted]);
  const regions = [{ kind: ARENA_REGION_RING, length: 2 ** 21 }];
  for (let count = 0; count < 3; count++) {
    await expect(peer.call('create', { regions, share: '/mnt/arena' })).rejects.toThrow(
      refusal('SYSTEM_CALL_FAILED', 'fallocate: ENOSPC', '/mnt/arena'),
    );
  }
  await peer.call('create', { regions: REGIONS, share: '/mnt/arena' });
});

describe('the name of a shared arena', requires('koffi'), () => {
  test('is refused while its creator lives, and taken over when it is dead', async () => {
    const creator = startPeer();
    await creator.call('create', { regions: REGIONS, share: name });
    expect(() => create(name)).toThrow(refusal('ARENA_BUSY', name, `process ${creator.pid} \\(.+\\) shares`));
    const reader = open(name);
    const at = regionOf(reader);
    await creator.call('store', at, 1);
    await creator.kill();
    const next = create(name);
    expect(next.i32[at / 4]).toBe(0);
    // Who had the old one keeps it.
    expect(reader.i32[at / 4]).toBe(1);
    next.close();
    expect(fs.existsSync(name)).toBe(false);
  });

  test('is left to a successor by a creator that closes late', async () => {
    const creator = startPeer();
    await creator.call('create', { regions: REGIONS, share: name });
    fs.rmSync(name);
    create(name);
    await creator.call('close');
    expect(fs.existsSync(name)).toBe(true);
    open(name);
  });

  test('replaces what a creator left that died at its first steps, and nothing that is no arena', () => {
    for (const leftover of [Buffer.alloc(0), Buffer.alloc(131072)]) {
      fs.writeFileSync(name, leftover, { mode: 0o600 });
      create(name).close();
    }
    const draft = Buffer.from(create(name).bytes.slice(0, ARENA_REGIONS_OFFSET));
    fs.rmSync(name);
    draft.writeUInt32LE(0, ARENA_MAGIC_OFFSET);
    fs.writeFileSync(name, draft, { mode: 0o600 });
    create(name).close();
    fs.writeFileSync(name, 'somebody’s work', { mode: 0o600 });
    expect(() => create(name)).toThrow(refusal('ARENA_CORRUPT', 'is no arena'));
    expect(fs.readFileSync(name, 'utf8')).toBe('somebody’s work');
  });

  // Acceptable: one has it, the others get ARENA_BUSY.
  test('goes to one of several that want it at once', async () => {
    const peers = [startPeer(), startPeer(), startPeer()];
    await Promise.all(peers.map((peer) => peer.call('newOwner')));
    for (let round = 0; round < 60; round++) {
      const answers = await Promise.allSettled(
        peers.map((peer) => peer.call('create', { regions: REGIONS, share: name })),
      );
      const winners = peers.filter((_, index) => answers[index]?.status === 'fulfilled');
      const losers = answers.filter((answer) => answer.status === 'rejected');
      expect(losers.map(({ reason }) => reason.code)).toEqual(losers.map(() => 'ARENA_BUSY'));
      expect(winners).toHaveLength(1);
      open(name).close();
      await winners[0]?.call('close');
    }
  });
});

describe('a reader', requires('koffi'), () => {
  test('sees what others write, by JavaScript and by wasm', async () => {
    const arena = create();
    const at = regionOf(arena);
    const peer = startPeer();
    expect(await peer.call('open', arena.handle, { readOnly: true })).toMatchObject({ isReadOnly: true });
    arena.i32[at / 4] = 77;
    expect(await peer.call('load', at)).toBe(77);
    const reader = open(arena.handle, { readOnly: true });
    const wasm = instantiate(reader);
    wasm.crc32cInit();
    const [here, there] = [instantiate(arena), wasm].map((one) => {
      one.crc32cInit();
      return one.crc32c(at, 65536);
    });
    expect(there).toBe(here);
    expect(Atomics.load(reader.u64, at / 8)).toBe(77n);
    expect(Arena.attach(reader.memory)).toMatchObject({ isShared: true, isReadOnly: true });
    // Its own memory is still its own.
    const { address } = reader.takeEndpoint(newOwner());
    reader.bytes[address] = 1;
    expect(arena.bytes[address]).toBe(0);
  });

  // A plain store of wasm traps, because V8 takes the fault for one over the end of the memory. Stores of JavaScript and atomic ones of wasm it does not
  // expect to fault: the kernel ends the process. So a reader must not store; nobody else is hurt.
  test('that stores nevertheless ends by SIGSEGV, and the arena stays as it was', async () => {
    const arena = create();
    const at = regionOf(arena);
    const peer = startPeer();
    await peer.call('open', arena.handle, { readOnly: true });
    await expect(peer.call('store', at, 1)).rejects.toThrow(/SIGSEGV/);
    expect(arena.i32[at / 4]).toBe(0);
    const next = startPeer();
    await next.call('open', arena.handle, { readOnly: true });
    await expect(next.call('wasmStore', at)).rejects.toThrow(/memory access out of bounds|SIGSEGV/);
    expect(arena.i32[at / 4]).toBe(0);
  });
});

describe('endpoints', () => {
  test('are there when asked for, each of zeros, and come back', () => {
    const arena = Arena.create({ regions: REGIONS, endpoints: true });
    expect(arena.isShared).toBe(false);
    expect(arena.handle).toBe(undefined);
    const owner = newOwner();
    const first = arena.takeEndpoint(owner);
    const second = arena.takeEndpoint(owner);
    expect(first.length).toBe(ARENA_ENDPOINT_LENGTH);
    expect(Math.abs(second.address - first.address)).toBeGreaterThanOrEqual(ARENA_ENDPOINT_LENGTH);
    for (const address of [first.address, first.address + first.length - 1]) arena.bytes[address] = 9;
    arena.giveEndpoint(first.address);
    const again = arena.takeEndpoint(owner);
    expect(again).toEqual(first);
    expect(arena.slice(again.address, again.length).every((byte) => byte === 0)).toBe(true);
    expect(() => arena.giveEndpoint(first.address + 8)).toThrow(RangeError);
    expect(() => arena.giveEndpoint(0)).toThrow(RangeError);
    expect(() => Arena.create({ regions: REGIONS }).takeEndpoint(owner)).toThrow(/endpoints: true/);
  });

  test('have an end, and those of a thread that ended are free again', async () => {
    const arena = Arena.create({ regions: REGIONS, endpoints: true });
    const thread = new PeerThread();
    cleanups.push(() => thread.kill());
    await thread.call('attach', arena.memory);
    const taken = await thread.call<{ address: number }>('takeEndpoint');
    arena.bytes[taken.address] = 5;
    for (let count = 1; count < ARENA_ENDPOINTS_MAX; count++) arena.takeEndpoint(newOwner());
    expect(() => arena.takeEndpoint(newOwner())).toThrow(refusal('ARENA_FULL', String(ARENA_ENDPOINTS_MAX)));
    const token = arena.u64[regionOf(arena, ARENA_REGION_ENDPOINTS) / 8] ?? 0n;
    await thread.kill();
    while (isOwnerAlive(token)) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(arena.takeEndpoint(newOwner())).toMatchObject({ address: taken.address });
    expect(arena.bytes[taken.address]).toBe(0);
  });
});

test('sharing is refused, with the reason, where nothing can be mapped', () => {
  const script = `
    import { Arena } from './dist/src/arena/arena.js';
    for (const step of [() => Arena.create({ regions: [{ kind: 5, length: 4096 }], share: true }), () => Arena.open('/x')]) {
      try { step(); } catch (error) { console.log(error.code, error.message); }
    }
    const arena = Arena.create({ regions: [{ kind: 5, length: 4096 }], endpoints: true });
    const { address } = arena.takeEndpoint(1n);
    arena.bytes[address] = 1;
    arena.giveEndpoint(address);
    console.log(arena.takeEndpoint(1n).address === address, arena.bytes[address]);
  `;
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, CAUSEWAY_NO_NATIVE: '1' },
    encoding: 'utf8',
  });
  const line = 'CAPABILITY_MISSING arenas cannot be shared between processes: CAUSEWAY_NO_NATIVE=1\n';
  expect(run.stdout).toBe(`${line}${line}true 0\n`);
});
