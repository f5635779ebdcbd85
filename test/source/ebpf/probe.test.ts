import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CALL_COUNT, CALL_LENGTH, CALL_SHAPE_OFFSET, CALL_VARIANT_OFFSET } from '../../../layout/kernel-call.ts';
import { KERNEL_VARIANT_MSYNC, KERNEL_VARIANT_OPEN } from '../../../layout/kernel-record.ts';
import { CALLS, callTable } from '../../../src/source/ebpf/call-table.ts';
import { probeEbpf } from '../../../src/source/ebpf/index.ts';
import { objectPath } from '../../../src/source/ebpf/object-file.ts';
import { versionReason } from '../../../src/source/ebpf/probe.ts';
import { has, requires } from '../../support/capabilities.ts';

const COMPILED = fileURLToPath(new URL('../../../dist/src/source/ebpf/index.js', import.meta.url));

describe('the probe', () => {
  it('finds nothing missing where the source works', requires('bpf'), () => {
    expect(probeEbpf()).toEqual({ ok: true, reasons: [] });
  });

  it('answers with sentences, and never throws', () => {
    const { ok, reasons } = probeEbpf();
    expect(ok).toBe(reasons.length === 0);
    for (const reason of reasons) expect(reason).toMatch(/: /);
  });

  it.skipIf(!fs.existsSync(COMPILED) || !has('otherUser'))('names the missing privilege', () => {
    const script = `import(${JSON.stringify(COMPILED)}).then(({ probeEbpf }) => console.log(JSON.stringify(probeEbpf())))`;
    const words = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, '-e', script];
    const { stdout, stderr } = spawnSync('setpriv', words, { encoding: 'utf8' });
    expect(stderr).toBe('');
    const { ok, reasons } = JSON.parse(stdout) as { ok: boolean; reasons: string[] };
    expect(ok).toBe(false);
    expect(reasons.join()).toContain('CAP_BPF and CAP_PERFMON');
  });

  it('knows which kernels are too old', () => {
    for (const release of ['5.17.0', '5.17.0-rc1', '6.1.0-28-amd64', '6.18.44-fc', '10.0']) {
      expect(versionReason(release)).toBeUndefined();
    }
    for (const release of ['5.16.20', '5.4.0-1', '4.19.0', '3.10.0-1160.el7']) {
      expect(versionReason(release)).toContain('>= 5.17');
    }
  });
});

describe('the call table', () => {
  it.each(['x64', 'arm64'] as const)('has each number of %s once', (architecture) => {
    const numbers = CALLS.map((row) => row[architecture]).filter((number) => number >= 0);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(Math.max(...numbers)).toBeLessThan(CALL_COUNT);
    const table = callTable(architecture);
    const used = Array.from({ length: CALL_COUNT }, (_, row) => table[row * CALL_LENGTH + CALL_SHAPE_OFFSET] ?? 0);
    expect(used.filter((shape) => shape !== 0).length).toBe(numbers.length);
  });

  it('covers every system call variant of the kernel record', () => {
    const variants = new Set(CALLS.map((row) => row.variant));
    for (let variant = KERNEL_VARIANT_OPEN; variant <= KERNEL_VARIANT_MSYNC; variant++) {
      expect(variants.has(variant), `variant ${variant}`).toBe(true);
    }
    const read = callTable('x64');
    expect(read[2 * CALL_LENGTH + CALL_VARIANT_OFFSET]).toBe(KERNEL_VARIANT_OPEN);
  });

  it('refuses an architecture whose numbers are not known', () => {
    expect(() => callTable('riscv64')).toThrow(/riscv64/);
  });
});

describe('the compiled programs', () => {
  it('are in the repository, without debugging information but with their types', () => {
    for (const reads of ['typed', 'probe'] as const) {
      const object = fs.readFileSync(objectPath(reads));
      expect(object.subarray(0, 4).toString('latin1')).toBe('\x7fELF');
      expect(object.includes('.BTF.ext')).toBe(true);
      expect(object.includes('.debug_info')).toBe(false);
      // Paths of the machine that compiled them would make every build another one.
      expect(object.includes(fileURLToPath(new URL('../../../', import.meta.url)))).toBe(false);
    }
  });
});
