// Where the fields of a journal entry lie in a SEMJ event, and which of them go into an extension (layout/semj.ts).

import {
  ENTRY_BIT_AGENT_CONFIDENCE,
  ENTRY_BIT_AGENT_ID,
  ENTRY_BIT_AGENT_INTENT,
  ENTRY_BIT_BYTES_FIRST,
  ENTRY_BIT_CAUSALITY_CHAIN_ID,
  ENTRY_BIT_EVENT_ID,
  ENTRY_BIT_FILE_TYPE,
  ENTRY_BIT_GLOBAL_SEQUENCE,
  ENTRY_BIT_GRAPH_EDGE_ID,
  ENTRY_BIT_GRAPH_NODE_ID,
  ENTRY_BIT_GRAPH_OPERATION_TYPE,
  ENTRY_BIT_INODE,
  ENTRY_BIT_IO_PRESSURE,
  ENTRY_BIT_MEMORY_USAGE,
  ENTRY_BIT_PATH,
  ENTRY_BIT_SEMANTIC_CONFIDENCE,
  ENTRY_BIT_SEMANTIC_INTENT,
  ENTRY_BIT_SEMANTIC_TAGS,
  ENTRY_BIT_SEMJ_REST,
  ENTRY_BIT_SEMJ_SUBTYPE,
  ENTRY_BIT_SESSION_ID,
  ENTRY_BIT_SYSTEM_LOAD,
  ENTRY_BIT_TRANSACTION_ID,
  ENTRY_BIT_U32_FIRST,
  ENTRY_BIT_VECTOR_DIMENSIONS,
  ENTRY_BIT_VECTOR_ELEMENT_TYPE,
  ENTRY_BIT_VECTOR_ID,
  ENTRY_HEADER_LENGTH,
  ENTRY_KIND_EVENT,
  ENTRY_ORIGIN_SEMJ,
} from "../layout/entry";
import { EVENT_OBSERVABILITY_ERROR_REPORTED } from "../layout/event-type";
import {
  SEMJ_AGENT_CONFIDENCE_OFFSET,
  SEMJ_AGENT_ID_LENGTH,
  SEMJ_AGENT_ID_OFFSET,
  SEMJ_AGENT_INTENT_LENGTH,
  SEMJ_AGENT_INTENT_OFFSET,
  SEMJ_CAUSALITY_CHAIN_ID_OFFSET,
  SEMJ_EVENT_ID_OFFSET,
  SEMJ_EVENT_SUBTYPE_OFFSET,
  SEMJ_EXTENSION_HEADER_LENGTH,
  SEMJ_FILE_TYPE_OFFSET,
  SEMJ_GLOBAL_SEQUENCE_OFFSET,
  SEMJ_GRAPH_EDGE_ID_OFFSET,
  SEMJ_GRAPH_NODE_ID_OFFSET,
  SEMJ_GRAPH_OPERATION_TYPE_OFFSET,
  SEMJ_INODE_OFFSET,
  SEMJ_IO_PRESSURE_OFFSET,
  SEMJ_LINK_COUNT_OFFSET,
  SEMJ_LINK_LENGTH,
  SEMJ_MEMORY_USAGE_OFFSET,
  SEMJ_PATH_LENGTH,
  SEMJ_PATH_OFFSET,
  SEMJ_SEMANTIC_CONFIDENCE_OFFSET,
  SEMJ_SEMANTIC_INTENT_LENGTH,
  SEMJ_SEMANTIC_INTENT_OFFSET,
  SEMJ_SEMANTIC_TAGS_LENGTH,
  SEMJ_SEMANTIC_TAGS_OFFSET,
  SEMJ_SESSION_ID_OFFSET,
  SEMJ_SYSTEM_LOAD_OFFSET,
  SEMJ_TRANSACTION_ID_OFFSET,
  SEMJ_VECTOR_DIMENSIONS_OFFSET,
  SEMJ_VECTOR_ELEMENT_TYPE_OFFSET,
  SEMJ_VECTOR_ID_OFFSET,
} from "../layout/semj";
import { semjNul, semjVexfsType } from "./semj";

/** The first bit of each group of fields. */
export const U32_FIRST: u32 = ENTRY_BIT_U32_FIRST;
export const BYTES_FIRST: u32 = ENTRY_BIT_BYTES_FIRST;
export const U64_BITS: u64 = (1 << ENTRY_BIT_U32_FIRST) - 1;
/** Fields that SEMJ has a place for: numbers, then texts. */
export const NUMBER_BITS: u64 = 0x3ff | (0xff << ENTRY_BIT_FILE_TYPE);
export const TEXT_BITS: u64 =
  (<u64>1 << ENTRY_BIT_PATH) |
  (<u64>1 << ENTRY_BIT_AGENT_ID) |
  (<u64>1 << ENTRY_BIT_AGENT_INTENT) |
  (<u64>1 << ENTRY_BIT_SEMANTIC_TAGS) |
  (<u64>1 << ENTRY_BIT_SEMANTIC_INTENT);
export const PLACED_BITS: u64 = NUMBER_BITS | TEXT_BITS;
/** Always in SEMJ, so an extension does not speak of them. */
export const ID_BITS: u64 = (<u64>1 << ENTRY_BIT_EVENT_ID) | (<u64>1 << ENTRY_BIT_GLOBAL_SEQUENCE);
export const SUBTYPE_BIT: u64 = <u64>1 << ENTRY_BIT_SEMJ_SUBTYPE;
export const REST_BIT: u64 = <u64>1 << ENTRY_BIT_SEMJ_REST;
export const SUBTYPE_SEMJ: u32 = ENTRY_ORIGIN_SEMJ << 24;

/** Where the field of a presence bit lies in an event. */
// @ts-ignore: decorator
@inline
export function placeOf(bit: u32): u32 {
  switch (bit) {
    case ENTRY_BIT_EVENT_ID:
      return SEMJ_EVENT_ID_OFFSET;
    case ENTRY_BIT_GLOBAL_SEQUENCE:
      return SEMJ_GLOBAL_SEQUENCE_OFFSET;
    case ENTRY_BIT_TRANSACTION_ID:
      return SEMJ_TRANSACTION_ID_OFFSET;
    case ENTRY_BIT_SESSION_ID:
      return SEMJ_SESSION_ID_OFFSET;
    case ENTRY_BIT_CAUSALITY_CHAIN_ID:
      return SEMJ_CAUSALITY_CHAIN_ID_OFFSET;
    case ENTRY_BIT_INODE:
      return SEMJ_INODE_OFFSET;
    case ENTRY_BIT_GRAPH_NODE_ID:
      return SEMJ_GRAPH_NODE_ID_OFFSET;
    case ENTRY_BIT_GRAPH_EDGE_ID:
      return SEMJ_GRAPH_EDGE_ID_OFFSET;
    case ENTRY_BIT_VECTOR_ID:
      return SEMJ_VECTOR_ID_OFFSET;
    case ENTRY_BIT_MEMORY_USAGE:
      return SEMJ_MEMORY_USAGE_OFFSET;
    case ENTRY_BIT_FILE_TYPE:
      return SEMJ_FILE_TYPE_OFFSET;
    case ENTRY_BIT_GRAPH_OPERATION_TYPE:
      return SEMJ_GRAPH_OPERATION_TYPE_OFFSET;
    case ENTRY_BIT_VECTOR_DIMENSIONS:
      return SEMJ_VECTOR_DIMENSIONS_OFFSET;
    case ENTRY_BIT_VECTOR_ELEMENT_TYPE:
      return SEMJ_VECTOR_ELEMENT_TYPE_OFFSET;
    case ENTRY_BIT_AGENT_CONFIDENCE:
      return SEMJ_AGENT_CONFIDENCE_OFFSET;
    case ENTRY_BIT_SYSTEM_LOAD:
      return SEMJ_SYSTEM_LOAD_OFFSET;
    case ENTRY_BIT_IO_PRESSURE:
      return SEMJ_IO_PRESSURE_OFFSET;
    case ENTRY_BIT_SEMANTIC_CONFIDENCE:
      return SEMJ_SEMANTIC_CONFIDENCE_OFFSET;
    case ENTRY_BIT_SEMJ_SUBTYPE:
      return SEMJ_EVENT_SUBTYPE_OFFSET;
    case ENTRY_BIT_PATH:
      return SEMJ_PATH_OFFSET;
    case ENTRY_BIT_AGENT_ID:
      return SEMJ_AGENT_ID_OFFSET;
    case ENTRY_BIT_AGENT_INTENT:
      return SEMJ_AGENT_INTENT_OFFSET;
    case ENTRY_BIT_SEMANTIC_TAGS:
      return SEMJ_SEMANTIC_TAGS_OFFSET;
    default:
      return SEMJ_SEMANTIC_INTENT_OFFSET;
  }
}

/** Bytes of a text's place, its NUL included. */
// @ts-ignore: decorator
@inline
export function roomOf(bit: u32): u32 {
  switch (bit) {
    case ENTRY_BIT_PATH:
      return SEMJ_PATH_LENGTH;
    case ENTRY_BIT_AGENT_ID:
      return SEMJ_AGENT_ID_LENGTH;
    case ENTRY_BIT_AGENT_INTENT:
      return SEMJ_AGENT_INTENT_LENGTH;
    case ENTRY_BIT_SEMANTIC_TAGS:
      return SEMJ_SEMANTIC_TAGS_LENGTH;
    default:
      return SEMJ_SEMANTIC_INTENT_LENGTH;
  }
}

/** Header, numbers, and the length words of texts. */
// @ts-ignore: decorator
@inline
export function fixedLength(presence: u64): u32 {
  return ENTRY_HEADER_LENGTH + 8 * (popcnt<u64>(presence & U64_BITS) as u32) + 4 * (popcnt<u64>(presence & ~U64_BITS) as u32);
}

// @ts-ignore: decorator
@inline
export function linksLength(event: usize): u32 {
  return load<u32>(event, SEMJ_LINK_COUNT_OFFSET) * SEMJ_LINK_LENGTH;
}

/** event_type of what an entry is written as: a gap is an error that was reported. */
export function writtenType(kind: u32, type: u32, vexfs: bool): u32 {
  if (kind != ENTRY_KIND_EVENT) return EVENT_OBSERVABILITY_ERROR_REPORTED;
  const folded = vexfs ? semjVexfsType(type) : 0;
  return folded ? folded : type;
}

/** The entry came from a SEMJ file and has nothing that SEMJ has no place for: it is written as it was read, without an extension. */
export function isPlain(kind: u32, subtype: u32, presence: u64, carried: u64, losesSubtype: bool): bool {
  return (
    kind == ENTRY_KIND_EVENT &&
    subtype == SUBTYPE_SEMJ &&
    (presence & SUBTYPE_BIT) != 0 &&
    (presence & ~(PLACED_BITS | SUBTYPE_BIT | REST_BIT)) == 0 &&
    (carried & TEXT_BITS) == 0 &&
    !losesSubtype
  );
}

/** Offset in an extension of a u32 field that is carried. */
export function carriedNumber(carried: u64, bit: u64): u32 {
  const before = carried & ((<u64>1 << bit) - 1);
  return (
    SEMJ_EXTENSION_HEADER_LENGTH + 8 * (popcnt<u64>(before & U64_BITS) as u32) + 4 * (popcnt<u64>(before & ~U64_BITS) as u32)
  );
}

/** Bytes of a text that its place can hold: all of them, or those before a NUL or its end. */
export function cutLength(text: usize, length: u32, room: u32): u32 {
  return semjNul(text, min<u32>(length, room - 1));
}
