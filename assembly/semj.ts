// Events of the VexFS kernel journal as they lie in a file (layout/semj.ts): are they right, and where is the next one. The bytes are hostile, and private:
// nobody changes them meanwhile. What becomes of them is in assembly/semj-entry.ts.

import {
  EVENT_ACCESS_CLOSE,
  EVENT_ACCESS_FALLOCATE,
  EVENT_ACCESS_FLUSH,
  EVENT_ACCESS_FSYNC,
  EVENT_ACCESS_GETATTR,
  EVENT_ACCESS_GETXATTR,
  EVENT_ACCESS_LOOKUP,
  EVENT_ACCESS_OPEN,
  EVENT_ACCESS_READDIR,
  EVENT_ACCESS_READLINK,
  EVENT_ACCESS_SETATTR,
  EVENT_ACCESS_SETXATTR,
} from "../layout/event-type";
import { CAUSALITY_LINKS_MAX, METADATA_LENGTH_MAX, PAYLOAD_LENGTH_MAX } from "../layout/limits";
import {
  SEMJ_AGENT_ID_LENGTH,
  SEMJ_AGENT_ID_OFFSET,
  SEMJ_AGENT_INTENT_LENGTH,
  SEMJ_AGENT_INTENT_OFFSET,
  SEMJ_CHECKSUM_OFFSET,
  SEMJ_CONTEXT_LENGTH,
  SEMJ_CONTEXT_SIZE_OFFSET,
  SEMJ_EVENT_HEADER_LENGTH,
  SEMJ_EVENT_SIZE_OFFSET,
  SEMJ_EVENT_TYPE_OFFSET,
  SEMJ_LINK_COUNT_OFFSET,
  SEMJ_LINK_DESCRIPTION_LENGTH,
  SEMJ_LINK_DESCRIPTION_OFFSET,
  SEMJ_LINK_LENGTH,
  SEMJ_METADATA_SIZE_OFFSET,
  SEMJ_PATH_LENGTH,
  SEMJ_PATH_OFFSET,
  SEMJ_PAYLOAD_OFFSET,
  SEMJ_PAYLOAD_SIZE_OFFSET,
  SEMJ_SEMANTIC_INTENT_LENGTH,
  SEMJ_SEMANTIC_INTENT_OFFSET,
  SEMJ_SEMANTIC_TAGS_LENGTH,
  SEMJ_SEMANTIC_TAGS_OFFSET,
  SEMJ_TRUNCATED,
  SEMJ_UNTERMINATED_AGENT_ID,
  SEMJ_UNTERMINATED_AGENT_INTENT,
  SEMJ_UNTERMINATED_DESCRIPTION,
  SEMJ_UNTERMINATED_PATH,
  SEMJ_UNTERMINATED_SEMANTIC_INTENT,
  SEMJ_UNTERMINATED_SEMANTIC_TAGS,
  SEMJ_VEXFS_CLOSE,
  SEMJ_VEXFS_FALLOCATE,
  SEMJ_VEXFS_FLUSH,
  SEMJ_VEXFS_FSYNC,
  SEMJ_VEXFS_GETATTR,
  SEMJ_VEXFS_GETXATTR,
  SEMJ_VEXFS_LOOKUP,
  SEMJ_VEXFS_OPEN,
  SEMJ_VEXFS_READDIR,
  SEMJ_VEXFS_READLINK,
  SEMJ_VEXFS_SETATTR,
  SEMJ_VEXFS_SETXATTR,
  SEMJ_WRONG_CHECKSUM,
  SEMJ_WRONG_CONTEXT_SIZE,
  SEMJ_WRONG_EVENT_SIZE,
  SEMJ_WRONG_LINK_COUNT,
  SEMJ_WRONG_METADATA_SIZE,
  SEMJ_WRONG_PAYLOAD_SIZE,
  SEMJ_WRONG_TYPE,
  SEMJ_ZLIB_CHECKSUM,
} from "../layout/semj";
import { crc32Update, crc32Zeros } from "./crc32";

/** Length of the right event at `event`, of which `available` bytes are there, or what is wrong with it (SEMJ_TRUNCATED and below). */
export function semjCheck(event: usize, available: u32): i32 {
  const length = semjSizes(event, available);
  if (length < 0) return length;
  if ((length as u32) > available) return SEMJ_TRUNCATED;
  const stored = load<u32>(event, SEMJ_CHECKSUM_OFFSET);
  if (semjChecksum(0, event, length) != stored) {
    return ~semjChecksum(u32.MAX_VALUE, event, length) == stored ? SEMJ_ZLIB_CHECKSUM : SEMJ_WRONG_CHECKSUM;
  }
  if (!semjIsType(load<u32>(event, SEMJ_EVENT_TYPE_OFFSET))) return SEMJ_WRONG_TYPE;
  const unterminated = stringsCheck(event);
  return unterminated < 0 ? unterminated : length;
}

/** Length that the event's sizes make, if they agree with each other; it may be more than is available. */
export function semjSizes(event: usize, available: u32): i32 {
  if (available < <u32>SEMJ_EVENT_HEADER_LENGTH) return SEMJ_TRUNCATED;
  if (load<u32>(event, SEMJ_CONTEXT_SIZE_OFFSET) != SEMJ_CONTEXT_LENGTH) return SEMJ_WRONG_CONTEXT_SIZE;
  const payload = load<u32>(event, SEMJ_PAYLOAD_SIZE_OFFSET);
  if (payload > <u32>PAYLOAD_LENGTH_MAX) return SEMJ_WRONG_PAYLOAD_SIZE;
  const metadata = load<u32>(event, SEMJ_METADATA_SIZE_OFFSET);
  if (metadata > <u32>METADATA_LENGTH_MAX) return SEMJ_WRONG_METADATA_SIZE;
  const links = load<u32>(event, SEMJ_LINK_COUNT_OFFSET);
  if (links > <u32>CAUSALITY_LINKS_MAX) return SEMJ_WRONG_LINK_COUNT;
  // Each part has its bound, so the sum is a number and not a remainder.
  const length = SEMJ_PAYLOAD_OFFSET + payload + metadata + links * SEMJ_LINK_LENGTH;
  if (load<u32>(event, SEMJ_EVENT_SIZE_OFFSET) != length) return SEMJ_WRONG_EVENT_SIZE;
  return length;
}

/** CRC-32 from `initial` on over the event, its own field as zero. */
export function semjChecksum(initial: u32, event: usize, length: u32): u32 {
  const before = crc32Zeros(crc32Update(initial, event, SEMJ_CHECKSUM_OFFSET));
  return crc32Update(before, event + SEMJ_CHECKSUM_OFFSET + 4, length - SEMJ_CHECKSUM_OFFSET - 4);
}

/**
 * Offset, from `from` on, of the next header whose sizes agree with each other, or `to` if there is none. Of the bytes at `address` those before `to` +
 * SEMJ_EVENT_HEADER_LENGTH are looked at.
 */
export function semjFind(address: usize, from: u32, to: u32): u32 {
  for (let offset = from; offset < to; offset++) {
    if (load<u32>(address + offset, SEMJ_CONTEXT_SIZE_OFFSET) != SEMJ_CONTEXT_LENGTH) continue;
    if (semjSizes(address + offset, SEMJ_EVENT_HEADER_LENGTH) > 0) return offset;
  }
  return to;
}

/** One of the 72 event types. */
export function semjIsType(type: u32): bool {
  const number = type & 0xff;
  if (number == 0) return false;
  switch (type >>> 8) {
    case 1:
    case 7:
    case 8:
      return number <= 12;
    case 2:
      return number <= 10;
    case 3:
      return number <= 8;
    case 4:
    case 5:
    case 6:
      return number <= 6;
    default:
      return false;
  }
}

/** What an Access event is for those that know only VexFS's types; 0 for all other events. */
export function semjVexfsType(type: u32): u32 {
  switch (type) {
    case EVENT_ACCESS_OPEN:
      return SEMJ_VEXFS_OPEN;
    case EVENT_ACCESS_CLOSE:
      return SEMJ_VEXFS_CLOSE;
    case EVENT_ACCESS_LOOKUP:
      return SEMJ_VEXFS_LOOKUP;
    case EVENT_ACCESS_GETATTR:
      return SEMJ_VEXFS_GETATTR;
    case EVENT_ACCESS_SETATTR:
      return SEMJ_VEXFS_SETATTR;
    case EVENT_ACCESS_READDIR:
      return SEMJ_VEXFS_READDIR;
    case EVENT_ACCESS_READLINK:
      return SEMJ_VEXFS_READLINK;
    case EVENT_ACCESS_FLUSH:
      return SEMJ_VEXFS_FLUSH;
    case EVENT_ACCESS_FSYNC:
      return SEMJ_VEXFS_FSYNC;
    case EVENT_ACCESS_SETXATTR:
      return SEMJ_VEXFS_SETXATTR;
    case EVENT_ACCESS_GETXATTR:
      return SEMJ_VEXFS_GETXATTR;
    case EVENT_ACCESS_FALLOCATE:
      return SEMJ_VEXFS_FALLOCATE;
    default:
      return 0;
  }
}

function stringsCheck(event: usize): i32 {
  if (!hasNul(event + SEMJ_PATH_OFFSET, SEMJ_PATH_LENGTH)) return SEMJ_UNTERMINATED_PATH;
  if (!hasNul(event + SEMJ_AGENT_ID_OFFSET, SEMJ_AGENT_ID_LENGTH)) return SEMJ_UNTERMINATED_AGENT_ID;
  if (!hasNul(event + SEMJ_AGENT_INTENT_OFFSET, SEMJ_AGENT_INTENT_LENGTH)) return SEMJ_UNTERMINATED_AGENT_INTENT;
  if (!hasNul(event + SEMJ_SEMANTIC_TAGS_OFFSET, SEMJ_SEMANTIC_TAGS_LENGTH)) return SEMJ_UNTERMINATED_SEMANTIC_TAGS;
  if (!hasNul(event + SEMJ_SEMANTIC_INTENT_OFFSET, SEMJ_SEMANTIC_INTENT_LENGTH)) return SEMJ_UNTERMINATED_SEMANTIC_INTENT;
  const links =
    event + SEMJ_PAYLOAD_OFFSET + load<u32>(event, SEMJ_PAYLOAD_SIZE_OFFSET) + load<u32>(event, SEMJ_METADATA_SIZE_OFFSET);
  return semjLinksCheck(links, load<u32>(event, SEMJ_LINK_COUNT_OFFSET));
}

/** SEMJ_UNTERMINATED_DESCRIPTION, or 0. */
export function semjLinksCheck(links: usize, count: u32): i32 {
  for (let link: u32 = 0; link < count; link++) {
    const description = links + link * SEMJ_LINK_LENGTH + SEMJ_LINK_DESCRIPTION_OFFSET;
    if (!hasNul(description, SEMJ_LINK_DESCRIPTION_LENGTH)) return SEMJ_UNTERMINATED_DESCRIPTION;
  }
  return 0;
}

// @ts-ignore: decorator
@inline
function hasNul(address: usize, length: u32): bool {
  return semjNul(address, length) < length;
}

/** Bytes before the first NUL, `length` if there is none. */
export function semjNul(address: usize, length: u32): u32 {
  let at: u32 = 0;
  for (; at + 16 <= length; at += 16) {
    const zeros = i8x16.bitmask(i8x16.eq(v128.load(address + at), i8x16.splat(0)));
    if (zeros) return at + (ctz<i32>(zeros) as u32);
  }
  while (at < length && load<u8>(address + at) != 0) at += 1;
  return at;
}

/** End (exclusive) of the last byte of [from, to) that is not 0; `from` if there is none. */
export function semjLast(address: usize, from: u32, to: u32): u32 {
  let at = to;
  while (at >= from + 16 && !v128.any_true(v128.load(address + at - 16))) at -= 16;
  while (at > from && load<u8>(address + at - 1) == 0) at -= 1;
  return at;
}
