import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as E from '../../layout/entry.ts';
import type { Event, EventFilter } from '../../src/engine/types.ts';
import { defaultFields, encodeEntry, entryLength } from '../../src/event/entry.ts';
import { EntryDecoder } from '../../src/event/entry-decoder.ts';
import { compileFilter } from '../../src/event/filter.ts';
import { compileGlob } from '../../src/event/glob.ts';
import { EVENT_TYPE_CODES, EVENT_TYPE_NAMES, type EventTypeName } from '../../src/event/type-name.ts';

function entry(event: { type: EventTypeName; path?: string; path2?: string; pid?: number }): {
  decoder: EntryDecoder;
  length: number;
} {
  const paths: [number, Uint8Array][] = [];
  if (event.path !== undefined) paths.push([E.ENTRY_BIT_PATH, Buffer.from(event.path)]);
  if (event.path2 !== undefined) paths.push([E.ENTRY_BIT_PATH2, Buffer.from(event.path2)]);
  const fields = {
    ...defaultFields(E.ENTRY_KIND_EVENT, EVENT_TYPE_CODES[event.type]),
    pid: event.pid ?? 0,
    bytes: new Map<number, Uint8Array>([[E.ENTRY_BIT_COMM, Buffer.from('sh')], ...paths]),
  };
  const memory = new SharedArrayBuffer(entryLength(fields));
  encodeEntry(fields, new Uint8Array(memory));
  return { decoder: new EntryDecoder(memory), length: memory.byteLength };
}

function passes(
  filter: EventFilter,
  event: { type: EventTypeName; path?: string; path2?: string; pid?: number },
): boolean {
  const { decoder, length } = entry(event);
  return compileFilter(filter).matches(decoder, 0, length);
}

describe('filter', () => {
  it('takes names, categories and everything', () => {
    expect(passes({ types: ['fs.write'] }, { type: 'fs.write' })).toBe(true);
    expect(passes({ types: ['fs.write'] }, { type: 'fs.create' })).toBe(false);
    expect(passes({ types: ['fs.*'] }, { type: 'fs.create' })).toBe(true);
    expect(passes({ types: ['fs.*'] }, { type: 'access.open' })).toBe(false);
    expect(passes({ types: ['*'] }, { type: 'agent.query' })).toBe(true);
    expect(passes({}, { type: 'agent.query' })).toBe(true);
    expect(() => compileFilter({ types: ['fs.wirte'] })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });

  it('takes a directory and all below it, in either path, and not its namesakes', () => {
    expect(passes({ path: '/a/b' }, { type: 'fs.write', path: '/a/b' })).toBe(true);
    expect(passes({ path: '/a/b/' }, { type: 'fs.write', path: '/a/b/c' })).toBe(true);
    expect(passes({ path: '/a/b' }, { type: 'fs.write', path: '/a/bc' })).toBe(false);
    expect(passes({ path: '/a/b' }, { type: 'fs.rename', path: '/x', path2: '/a/b/y' })).toBe(true);
    expect(passes({ path: ['/a', '/b'] }, { type: 'fs.write', path: '/b' })).toBe(true);
    expect(passes({ path: '/' }, { type: 'fs.write', path: '/b' })).toBe(true);
    expect(passes({ path: '/a' }, { type: 'fs.write' })).toBe(false);
  });

  it('takes pids', () => {
    expect(passes({ pid: 7 }, { type: 'fs.write', pid: 7 })).toBe(true);
    expect(passes({ pid: [7, 8] }, { type: 'fs.write', pid: 9 })).toBe(false);
    expect(passes({ pid: 7 }, { type: 'fs.write' })).toBe(false);
  });

  it('lets gaps through, whatever it is', () => {
    const gap = { ...defaultFields(E.ENTRY_KIND_GAP, 0) };
    const memory = new SharedArrayBuffer(entryLength(gap));
    encodeEntry(gap, new Uint8Array(memory));
    const filter = compileFilter({ types: ['fs.write'], path: '/a', pid: 1 });
    expect(filter.matches(new EntryDecoder(memory), 0, memory.byteLength)).toBe(true);
    expect(filter.matchesItem({ type: 'gap', sequence: 1n, timeNs: 0n, cause: 'ringFull' })).toBe(true);
  });

  it('says the same of bytes and of decoded events', () => {
    const name = fc.constantFrom('/a', '/a/b', '/ab', '/a/b/c.ts', '/x/\u00e4.ts', '/');
    const pattern = fc.constantFrom('/a', '/a/', '/a/b', '*.ts', '/**/c.*', '/', '/x/?.ts', '/a/{b,c}');
    const event = fc.record({
      type: fc.constantFrom(...EVENT_TYPE_NAMES),
      path: fc.option(name, { nil: undefined }),
      path2: fc.option(name, { nil: undefined }),
      pid: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    });
    const filter = fc.record({
      types: fc.subarray(['fs.*', 'access.open', 'graph.*', '*']),
      path: fc.array(pattern, { maxLength: 2 }),
      pid: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
    });
    fc.assert(
      fc.property(event, filter, (given, wanted) => {
        const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
        const { decoder, length } = entry(known as Parameters<typeof entry>[0]);
        const compiled = compileFilter(wanted);
        const item = { ...known, sequence: 1n, lamport: 1n, timeNs: 0n } as unknown as Event;
        expect(compiled.matches(decoder, 0, length)).toBe(compiled.matchesItem(item));
      }),
      { numRuns: 500 },
    );
  });
});

describe('glob', () => {
  it.each([
    ['*.ts', '/a/b.ts', true],
    ['*.ts', '/a/b.tsx', false],
    ['**/*.ts', '/a/b.ts', true],
    ['/a/**/b', '/a/b', true],
    ['/a/**/b', '/a/x/y/b', true],
    ['/a/**/b', '/ab', false],
    ['/a/**', '/a/x/y', true],
    ['/a/*', '/a/x/y', false],
    ['/a/?', '/a/x', true],
    ['/a/?', '/a//', false],
    ['/a/[a-c]x', '/a/bx', true],
    ['/a/[!a-c]x', '/a/bx', false],
    ['/a/{b,c*}/d', '/a/cc/d', true],
    ['/a/\\*', '/a/*', true],
    ['/a/\\*', '/a/b', false],
    ['/a/[', '/a/[', true],
    ['**', '/a/b', true],
  ])('%s and %s: %s', (pattern, path, expected) => {
    expect(compileGlob(pattern)(path)).toBe(expected);
  });

  it('agrees with a regular expression', () => {
    const part = fc.constantFrom('a', 'b', '*', '?', '/', '**/', '/**', '.ts');
    const character = fc.constantFrom('a', 'b', '/', '.', 't', 's');
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 6 }),
        fc.array(character, { maxLength: 8 }),
        (parts, characters) => {
          const pattern = `/${parts.join('')}`;
          const expression = pattern
            .replaceAll('.', '\\.')
            .replaceAll(/(?<=^|\/)\*\*+\//g, '\u0001')
            .replaceAll(/\*\*+/g, '\u0002')
            .replaceAll('*', '[^/]*')
            .replaceAll('?', '[^/]')
            .replaceAll('\u0001', '(?:.*/)?')
            .replaceAll('\u0002', '.*');
          const path = `/${characters.join('')}`;
          expect(compileGlob(pattern)(path), `${pattern} ${path}`).toBe(new RegExp(`^${expression}$`).test(path));
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('takes its time from the lengths only', () => {
    const hostile = compileGlob(`/${'*a'.repeat(200)}b`);
    const started = performance.now();
    expect(hostile(`/${'a'.repeat(4000)}`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(2000);
    expect(() => compileGlob('{a,b}'.repeat(20))).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});
