// The fixed header of a journal entry (layout/entry.ts), written for whoever appends: translation, gaps. Its TypeScript twin is src/event/entry.ts.

import {
  ENTRY_BIT_GAP_CAUSE,
  ENTRY_BIT_GAP_COUNT,
  ENTRY_BIT_GAP_FROM,
  ENTRY_BIT_GAP_TO,
  ENTRY_COMPRESSION_OFFSET,
  ENTRY_CPU_OFFSET,
  ENTRY_HEADER_LENGTH,
  ENTRY_KIND_GAP,
  ENTRY_KIND_OFFSET,
  ENTRY_LINK_COUNT_OFFSET,
  ENTRY_LOCAL_SEQUENCE_OFFSET,
  ENTRY_METADATA_LENGTH_OFFSET,
  ENTRY_PARENT_EVENT_ID_OFFSET,
  ENTRY_PRESENCE_OFFSET,
  ENTRY_PRIORITY_OFFSET,
  ENTRY_RELEVANCE_OFFSET,
  ENTRY_REPLAY_PRIORITY_OFFSET,
  ENTRY_ROOT_CAUSE_EVENT_ID_OFFSET,
  ENTRY_SEQUENCE_OFFSET,
  ENTRY_SUBTYPE_OFFSET,
  ENTRY_TIME_NS_OFFSET,
  ENTRY_TIME_SEQUENCE_OFFSET,
  ENTRY_TYPE_OFFSET,
  ENTRY_VERSION_OFFSET,
  ENTRY_VISIBILITY_MASK_OFFSET,
} from "../layout/entry";
import { EVENT_PRIORITY_NORMAL, EVENT_RELEVANCE_DEFAULT, EVENT_VERSION } from "../layout/event-type";
import { journalCommit, journalReserve } from "./log";

/**
 * Every header field of a reserved entry that is the same whoever appends, with the defaults of the VexFS kernel writer (FORMATS.md section 3). The
 * reserved entry's bytes may be left over from a claim that failed, so all of them are written.
 */
export function entryHeaderWrite(entry: usize, kind: u32, type: u32, timeNs: i64, presence: u64): void {
  // One store for each pair of u32 fields: memory.fill is a call out of wasm and slower for so few bytes (measured).
  store<i64>(entry, timeNs, ENTRY_TIME_NS_OFFSET);
  store<u64>(entry, presence, ENTRY_PRESENCE_OFFSET);
  store<u32>(entry, kind, ENTRY_KIND_OFFSET);
  store<u32>(entry, type, ENTRY_TYPE_OFFSET);
  store<u64>(entry, 0, ENTRY_SUBTYPE_OFFSET);
  store<u32>(entry, EVENT_PRIORITY_NORMAL, ENTRY_PRIORITY_OFFSET);
  store<u32>(entry, EVENT_VERSION, ENTRY_VERSION_OFFSET);
  store<u64>(entry, 0, ENTRY_COMPRESSION_OFFSET);
  store<u32>(entry, EVENT_RELEVANCE_DEFAULT, ENTRY_RELEVANCE_OFFSET);
  store<u32>(entry, EVENT_PRIORITY_NORMAL, ENTRY_REPLAY_PRIORITY_OFFSET);
  store<u64>(entry, 0, ENTRY_CPU_OFFSET);
  store<u64>(entry, load<u64>(entry, ENTRY_SEQUENCE_OFFSET), ENTRY_TIME_SEQUENCE_OFFSET);
  store<u64>(entry, 0, ENTRY_LOCAL_SEQUENCE_OFFSET);
  store<u64>(entry, 0, ENTRY_PARENT_EVENT_ID_OFFSET);
  store<u64>(entry, 0, ENTRY_ROOT_CAUSE_EVENT_ID_OFFSET);
  store<u64>(entry, u64.MAX_VALUE, ENTRY_VISIBILITY_MASK_OFFSET);
  store<u64>(entry, 0, ENTRY_LINK_COUNT_OFFSET);
  store<u64>(entry, 0, ENTRY_METADATA_LENGTH_OFFSET);
}

/** Appends a gap: `count` records (0 = unknown) from `from` to `to` (inclusive, 0 = unknown) of lane `cpu` are missing here. Answers as journalReserve. */
export function gapAppend(cause: u32, cpu: u32, from: u64, to: u64, count: u64, timeNs: i64): i32 {
  const length: u32 = ENTRY_HEADER_LENGTH + 3 * 8 + 4;
  const entry = journalReserve(length);
  if (entry < 0) return entry;
  const presence: u64 =
    (<u64>1 << ENTRY_BIT_GAP_FROM) | (<u64>1 << ENTRY_BIT_GAP_TO) | (<u64>1 << ENTRY_BIT_GAP_COUNT) | (<u64>1 << ENTRY_BIT_GAP_CAUSE);
  entryHeaderWrite(entry, ENTRY_KIND_GAP, 0, timeNs, presence);
  store<u32>(entry, cpu, ENTRY_CPU_OFFSET);
  store<u64>(entry, from, ENTRY_HEADER_LENGTH);
  store<u64>(entry, to, ENTRY_HEADER_LENGTH + 8);
  store<u64>(entry, count, ENTRY_HEADER_LENGTH + 16);
  store<u32>(entry, cause, ENTRY_HEADER_LENGTH + 24);
  journalCommit(entry);
  return entry;
}
