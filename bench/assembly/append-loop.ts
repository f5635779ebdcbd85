// Appends events of 200 bytes, one commit and one publication each, as a thread does that has one event at a time. The payload follows from the event's number.

import { entryHeaderWrite } from "../../assembly/entry";
import { journalCommit, journalPublish, journalReserve } from "../../assembly/log";
import { ENTRY_HEADER_LENGTH, ENTRY_KIND_EVENT, ENTRY_PAYLOAD_LENGTH_OFFSET } from "../../layout/entry";
import { EVENT_FS_WRITE } from "../../layout/event-type";

// @ts-ignore: decorator
@inline
const PAYLOAD_LENGTH: u32 = 56;
// @ts-ignore: decorator
@inline
const GOLDEN: u64 = 0x9e3779b97f4a7c15;

/** Up to `count` events, numbered from `first`: how many; fewer when the next segment is not ready. A status when there is no room at all. */
export function appendChunk(first: u64, count: u32, timeNs: i64): i32 {
  for (let done: u32 = 0; done < count; done++) {
    const entry = journalReserve(ENTRY_HEADER_LENGTH + PAYLOAD_LENGTH);
    if (entry < 0) return done > 0 ? (done as i32) : entry;
    entryHeaderWrite(entry as usize, ENTRY_KIND_EVENT, EVENT_FS_WRITE, timeNs, 0);
    store<u32>(entry, PAYLOAD_LENGTH, ENTRY_PAYLOAD_LENGTH_OFFSET);
    const number = first + done;
    const mixed = number * GOLDEN;
    store<u64>(entry, number, ENTRY_HEADER_LENGTH);
    store<u64>(entry, mixed, ENTRY_HEADER_LENGTH + 8);
    store<u64>(entry, mixed + 1, ENTRY_HEADER_LENGTH + 16);
    store<u64>(entry, mixed + 2, ENTRY_HEADER_LENGTH + 24);
    store<u64>(entry, mixed + 3, ENTRY_HEADER_LENGTH + 32);
    store<u64>(entry, mixed + 4, ENTRY_HEADER_LENGTH + 40);
    store<u64>(entry, mixed + 5, ENTRY_HEADER_LENGTH + 48);
    journalCommit(entry as usize);
    journalPublish();
  }
  return count as i32;
}
