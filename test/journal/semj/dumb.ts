// A second decoder of SEMJ events, deliberately dumb: FORMATS.md section 3 as a table, one field at a time. Shares nothing with the one under test.

import zlib from 'node:zlib';

export interface DumbEvent {
  offset: number;
  length: number;
  /** Names as in test/vectors/semj.json; numbers as decimal strings. */
  fields: Record<string, string>;
  payloadHex: string;
  metadataHex: string;
  links: Record<string, string>[];
}

type Row = readonly [name: string, offset: number, type: 'u32' | 'u64' | 's64' | number];

const HEADER: readonly Row[] = [
  ['header.event_id', 0, 'u64'],
  ['header.event_type', 8, 'u32'],
  ['header.event_subtype', 12, 'u32'],
  ['header.timestamp.ktime', 16, 's64'],
  ['header.timestamp.sequence', 24, 'u64'],
  ['header.timestamp.cpu_id', 32, 'u32'],
  ['header.timestamp.process_id', 36, 'u32'],
  ['header.global_sequence', 40, 'u64'],
  ['header.local_sequence', 48, 'u64'],
  ['header.event_flags', 56, 'u32'],
  ['header.event_priority', 60, 'u32'],
  ['header.event_size', 64, 'u32'],
  ['header.context_size', 68, 'u32'],
  ['header.payload_size', 72, 'u32'],
  ['header.metadata_size', 76, 'u32'],
  ['header.event_version', 80, 'u32'],
  ['header.checksum', 84, 'u32'],
  ['header.compression_type', 88, 'u32'],
  ['header.encryption_type', 92, 'u32'],
  ['header.causality_link_count', 96, 'u32'],
  ['header.parent_event_id', 100, 'u64'],
  ['header.root_cause_event_id', 108, 'u64'],
  ['header.agent_visibility_mask', 116, 'u64'],
  ['header.agent_relevance_score', 124, 'u32'],
  ['header.replay_priority', 128, 'u32'],
];

const CONTEXT: readonly Row[] = [
  ['context.transaction_id', 0, 'u64'],
  ['context.session_id', 8, 'u64'],
  ['context.causality_chain_id', 16, 'u64'],
  ['context.path', 24, 4096],
  ['context.inode_number', 4120, 'u64'],
  ['context.file_type', 4128, 'u32'],
  ['context.graph_node_id', 4132, 'u64'],
  ['context.graph_edge_id', 4140, 'u64'],
  ['context.graph_operation_type', 4148, 'u32'],
  ['context.vector_id', 4152, 'u64'],
  ['context.vector_dimensions', 4160, 'u32'],
  ['context.vector_element_type', 4164, 'u32'],
  ['context.agent_id', 4168, 64],
  ['context.agent_intent', 4232, 256],
  ['context.agent_confidence', 4488, 'u32'],
  ['context.system_load', 4492, 'u32'],
  ['context.memory_usage', 4496, 'u64'],
  ['context.io_pressure', 4504, 'u32'],
  ['context.semantic_tags', 4508, 512],
  ['context.semantic_intent', 5020, 256],
  ['context.semantic_confidence', 5276, 'u32'],
];

const LINK: readonly Row[] = [
  ['cause_event_id', 0, 'u64'],
  ['effect_event_id', 8, 'u64'],
  ['causality_type', 16, 'u32'],
  ['causality_strength', 20, 'u32'],
  ['causality_delay', 24, 's64'],
  ['causality_description', 32, 128],
];

function read(bytes: Buffer, at: number, rows: readonly Row[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [name, offset, type] of rows) {
    const from = at + offset;
    if (type === 'u32') fields[name] = String(bytes.readUInt32LE(from));
    else if (type === 'u64') fields[name] = String(bytes.readBigUInt64LE(from));
    else if (type === 's64') fields[name] = String(bytes.readBigInt64LE(from));
    else {
      const text = bytes.subarray(from, from + type);
      const nul = text.indexOf(0);
      if (nul < 0) throw new Error(`${name} has no NUL`);
      fields[name] = text.subarray(0, nul).toString();
    }
  }
  return fields;
}

/** The kernel's crc32(0, ...): zlib's takes back its inversions when the previous value is the one that it would have given for "all ones". */
export function dumbCrc32(bytes: Uint8Array): number {
  return ~zlib.crc32(bytes, 0xffffffff) >>> 0;
}

export function dumbChecksum(event: Uint8Array): number {
  const copy = Buffer.from(event);
  copy.writeUInt32LE(0, 84);
  return dumbCrc32(copy);
}

/** What is there, or an Error that says what is not right. */
export function dumbEvent(bytes: Buffer, offset: number): DumbEvent | Error {
  if (bytes.length - offset < 132) return new Error('truncated');
  const header = read(bytes, offset, HEADER);
  const number = (name: string): number => Number(header[`header.${name}`]);
  const [payload, metadata, links] = [number('payload_size'), number('metadata_size'), number('causality_link_count')];
  if (number('context_size') !== 5280) return new Error('context_size');
  if (payload > 65536) return new Error('payload_size');
  if (metadata > 2048) return new Error('metadata_size');
  if (links > 256) return new Error('causality_link_count');
  const length = 132 + 5280 + payload + metadata + links * 160;
  if (number('event_size') !== length) return new Error('event_size');
  if (bytes.length - offset < length) return new Error('truncated');
  const event = bytes.subarray(offset, offset + length);
  if (dumbChecksum(event) !== number('checksum')) return new Error('checksum');
  const counts = [0, 12, 10, 8, 6, 6, 6, 12, 12];
  const type = number('event_type');
  if ((type & 255) === 0 || (type & 255) > (counts[type >>> 8] ?? 0)) return new Error('event_type');
  try {
    return {
      offset,
      length,
      fields: { ...header, ...read(event, 132, CONTEXT) },
      payloadHex: event.toString('hex', 5412, 5412 + payload),
      metadataHex: event.toString('hex', 5412 + payload, 5412 + payload + metadata),
      links: Array.from({ length: links }, (_, link) => read(event, 5412 + payload + metadata + link * 160, LINK)),
    };
  } catch (error) {
    return error as Error;
  }
}
