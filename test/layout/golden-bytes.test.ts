// One record of each structure that crosses a language: C (what BPF programs and rivals include), AssemblyScript and TypeScript write the same bytes,
// and each reads what the others wrote. Every byte of a field differs from its neighbours, so that a field in the wrong place or order shows.

import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import * as layout from '../../layout/index.ts';
import { decodeKernelRecord, encodeKernelRecord, type KernelRecord } from '../../src/event/kernel-record.ts';
import { requires } from '../support/capabilities.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const GOLDEN = {
  kernelRecord:
    '90000000' + // length
    '01000600' + // version, op
    '1e001001' + // variant, flags
    '03000000' + // cpu
    '1817161514131211' + // timeNs
    '2827262524232221' + // durationNs
    '3837363534333231' + // laneSequence
    '8887868584838281' + // inode
    '4847464544434241' + // device
    '5857565554535251' + // size
    'feffffffffffffff' + // amount
    '6867666564636261' + // argument
    '7473727178777675' + // pid, tid
    '9493929198979695' + // uid, gid
    '11000000a4810000' + // error, mode
    'a4a3a2a1' + // submitDelayNs
    '07000900' + // pathLength, path2Length
    '6d760000000000000000000000000000' + // comm "mv"
    '2f676f6c64656e' + // "/golden"
    '2f676f6c64656e32ff', // "/golden2\xff"
  ringRecordHeader: '900000c000000000',
  entryHeader:
    '90000000' + // length
    'c4c3c2c1' + // crc32c
    '1817161514131211' + // sequence
    '2827262524232221' + // lamport
    'fdffffffffffffff' + // timeNs
    '0000000000000000' + // presence
    '02000000' + // kind, reserved
    '05010000' + // type
    '061e0001' + // subtype
    '34333231' + // flags
    '0400000005000000' + // priority, version
    '0600000007000000' + // compression, encryption
    '0800000009000000' + // relevance, replayPriority
    '0a000000' + // cpu
    '74737271' + // pid
    '4847464544434241' + // timeSequence
    '5857565554535251' + // localSequence
    '6867666564636261' + // parentEventId
    '8887868584838281' + // rootCauseEventId
    'ffffffffffffffff' + // visibilityMask
    '0b0000000c0000000d000000' + // links, payloadLength, metadataLength
    '00000000',
} as const;

type Structure = keyof typeof GOLDEN;
const STRUCTURES = Object.keys(GOLDEN) as Structure[];

interface Language {
  write(structure: Structure): string;
  /** Nothing when all fields have their golden values, else which has not. */
  read(structure: Structure, hex: string): string;
}

describe('TypeScript', () => {
  it.each(STRUCTURES)('writes %s', (structure) => expect(typeScript.write(structure)).toBe(GOLDEN[structure]));
  it.each(STRUCTURES)('reads %s', (structure) => expect(typeScript.read(structure, GOLDEN[structure])).toBe(''));
});

describe('AssemblyScript', () => {
  let assemblyScript: Language;
  beforeAll(() => {
    assemblyScript = compileAssemblyScript(temporaryDirectory());
  });
  it.each(STRUCTURES)('writes %s', (structure) => expect(assemblyScript.write(structure)).toBe(GOLDEN[structure]));
  it.each(STRUCTURES)('reads %s', (structure) => {
    expect(assemblyScript.read(structure, GOLDEN[structure])).toBe('');
    expect(assemblyScript.read(structure, withBitFlipped(GOLDEN[structure]))).not.toBe('');
  });
});

describe('C', requires('cc'), () => {
  let c: Language;
  beforeAll(() => {
    c = compileC(temporaryDirectory());
  });
  it.each(STRUCTURES)('writes %s', (structure) => expect(c.write(structure)).toBe(GOLDEN[structure]));
  it.each(STRUCTURES)('reads %s', (structure) => {
    expect(c.read(structure, GOLDEN[structure])).toBe('');
    expect(c.read(structure, withBitFlipped(GOLDEN[structure]))).not.toBe('');
  });
});

/** In the first byte, which all structures use. */
function withBitFlipped(hex: string): string {
  return (Number.parseInt(hex.slice(0, 2), 16) ^ 1).toString(16).padStart(2, '0') + hex.slice(2);
}

const RECORD: KernelRecord = {
  op: layout.KERNEL_OP_FILE_RENAME,
  variant: layout.KERNEL_VARIANT_RENAMEAT2,
  flags: layout.KERNEL_FLAG_PATH2_BY_NAME | layout.KERNEL_FLAG_DIRECTORY,
  cpu: 3,
  timeNs: 0x1112131415161718n,
  durationNs: 0x2122232425262728n,
  laneSequence: 0x3132333435363738n,
  inode: 0x8182838485868788n,
  device: 0x4142434445464748n,
  size: 0x5152535455565758n,
  amount: -2n,
  argument: 0x6162636465666768n,
  pid: 0x71727374,
  tid: 0x75767778,
  uid: 0x91929394,
  gid: 0x95969798,
  error: 17,
  mode: 0x81a4,
  submitDelayNs: 0xa1a2a3a4,
  comm: Buffer.from('mv'),
  path: Buffer.from('/golden'),
  path2: Buffer.from('/golden2\xff', 'latin1'),
};

type Field = readonly [bytes: 2 | 4 | 8, offset: number, value: number | bigint];

const RING_RECORD_FIELDS: Field[] = [[4, 0, (144 | layout.RING_RECORD_BUSY | layout.RING_RECORD_DISCARD) >>> 0]];

const ENTRY_SUBTYPE =
  (layout.ENTRY_ORIGIN_KERNEL << 24) | (layout.KERNEL_VARIANT_RENAMEAT2 << 8) | layout.KERNEL_OP_FILE_RENAME;
const ENTRY_FIELDS: Field[] = [
  [4, layout.ENTRY_LENGTH_OFFSET, layout.ENTRY_HEADER_LENGTH],
  [4, layout.ENTRY_CRC32C_OFFSET, 0xc1c2c3c4],
  [8, layout.ENTRY_SEQUENCE_OFFSET, 0x1112131415161718n],
  [8, layout.ENTRY_LAMPORT_OFFSET, 0x2122232425262728n],
  [8, layout.ENTRY_TIME_NS_OFFSET, BigInt.asUintN(64, -3n)],
  [8, layout.ENTRY_PRESENCE_OFFSET, 0n],
  [2, layout.ENTRY_KIND_OFFSET, layout.ENTRY_KIND_GAP],
  [2, layout.ENTRY_RESERVED_OFFSET, 0],
  [4, layout.ENTRY_TYPE_OFFSET, layout.EVENT_FS_RENAME],
  [4, layout.ENTRY_SUBTYPE_OFFSET, ENTRY_SUBTYPE],
  [4, layout.ENTRY_FLAGS_OFFSET, 0x31323334],
  [4, layout.ENTRY_PRIORITY_OFFSET, 4],
  [4, layout.ENTRY_VERSION_OFFSET, 5],
  [4, layout.ENTRY_COMPRESSION_OFFSET, 6],
  [4, layout.ENTRY_ENCRYPTION_OFFSET, 7],
  [4, layout.ENTRY_RELEVANCE_OFFSET, 8],
  [4, layout.ENTRY_REPLAY_PRIORITY_OFFSET, 9],
  [4, layout.ENTRY_CPU_OFFSET, 10],
  [4, layout.ENTRY_PID_OFFSET, 0x71727374],
  [8, layout.ENTRY_TIME_SEQUENCE_OFFSET, 0x4142434445464748n],
  [8, layout.ENTRY_LOCAL_SEQUENCE_OFFSET, 0x5152535455565758n],
  [8, layout.ENTRY_PARENT_EVENT_ID_OFFSET, 0x6162636465666768n],
  [8, layout.ENTRY_ROOT_CAUSE_EVENT_ID_OFFSET, 0x8182838485868788n],
  [8, layout.ENTRY_VISIBILITY_MASK_OFFSET, 0xffffffffffffffffn],
  [4, layout.ENTRY_LINK_COUNT_OFFSET, 11],
  [4, layout.ENTRY_PAYLOAD_LENGTH_OFFSET, 12],
  [4, layout.ENTRY_METADATA_LENGTH_OFFSET, 13],
  [4, layout.ENTRY_RESERVED2_OFFSET, 0],
];

const typeScript: Language = {
  write(structure) {
    const bytes = Buffer.alloc(GOLDEN[structure].length / 2);
    if (structure === 'kernelRecord') encodeKernelRecord(RECORD, bytes, 0);
    else writeFields(structure === 'entryHeader' ? ENTRY_FIELDS : RING_RECORD_FIELDS, bytes);
    return bytes.toString('hex');
  },
  read(structure, hex) {
    const bytes = Buffer.from(hex, 'hex');
    if (structure === 'kernelRecord') {
      const found = decodeKernelRecord(bytes, 0, bytes.length);
      return Object.entries(RECORD)
        .flatMap(([name, value]) => differs(name, found, value))
        .join();
    }
    const fields = structure === 'entryHeader' ? ENTRY_FIELDS : RING_RECORD_FIELDS;
    return fields
      .flatMap(([length, offset, value]) => (readField(bytes, length, offset) === BigInt(value) ? [] : [offset]))
      .join();
  },
};

function differs(name: string, found: KernelRecord, value: unknown): string[] {
  const field = found[name as keyof KernelRecord];
  const isEqual = field instanceof Uint8Array ? Buffer.compare(field, value as Uint8Array) === 0 : field === value;
  return isEqual ? [] : [name];
}

function writeFields(fields: readonly Field[], bytes: Buffer): void {
  for (const [length, offset, value] of fields) {
    if (length === 8) bytes.writeBigUInt64LE(BigInt(value), offset);
    else bytes.writeUIntLE(Number(value), offset, length);
  }
}

function readField(bytes: Buffer, length: 2 | 4 | 8, offset: number): bigint {
  return length === 8 ? bytes.readBigUInt64LE(offset) : BigInt(bytes.readUIntLE(offset, length));
}

function compileAssemblyScript(directory: string): Language {
  const file = path.join(directory, 'golden.wasm');
  const memoryOptions = ['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '1'];
  const options = ['--runtime', 'stub', '--use', 'abort=', '--enable', 'threads', ...memoryOptions];
  const asc = 'node_modules/assemblyscript/bin/asc.js';
  execFileSync(process.execPath, [asc, 'test/layout/golden.as.ts', '--outFile', file, ...options], { stdio: 'pipe' });
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(file)), { env: { memory } });
  const call = (name: string): number => {
    const exported = instance.exports[name];
    if (typeof exported !== 'function') throw new Error(`golden.as.ts does not export ${name}`);
    return exported(ADDRESS);
  };
  const bytes = new Uint8Array(memory.buffer, ADDRESS, 4096);
  return {
    write(structure) {
      bytes.fill(0);
      call(`${structure}Write`);
      return Buffer.from(bytes.slice(0, GOLDEN[structure].length / 2)).toString('hex');
    },
    read(structure, hex) {
      bytes.set(Buffer.from(hex, 'hex'));
      const field = call(`${structure}Read`);
      return field === 0 ? '' : `field ${field}`;
    },
  };
}

const ADDRESS = 8192;

function compileC(directory: string): Language {
  const program = path.join(directory, 'golden');
  execFileSync('cc', ['-Wall', '-Wextra', '-Werror', '-I', 'bpf', '-o', program, 'test/layout/golden.c'], {
    stdio: 'pipe',
  });
  return {
    write: (structure) => execFileSync(program, ['write', structure], { encoding: 'utf8' }),
    read: (structure, hex) => spawnSync(program, ['read', structure, hex], { encoding: 'utf8' }).stdout,
  };
}
