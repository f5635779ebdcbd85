// What entry a SEMJ event becomes, and how long it is: told before there is a place for it.

import {
  ENTRY_BIT_BYTES_FIRST,
  ENTRY_BIT_SEMJ_SUBTYPE,
  ENTRY_HEADER_LENGTH,
  ENTRY_KIND_EVENT,
  ENTRY_KIND_GAP,
} from "../layout/entry";
import { METADATA_LENGTH_MAX } from "../layout/limits";
import {
  SEMJ_EVENT_ID_OFFSET,
  SEMJ_EVENT_SUBTYPE_OFFSET,
  SEMJ_EVENT_TYPE_OFFSET,
  SEMJ_EXTENSION_CARRIED_OFFSET,
  SEMJ_EXTENSION_HEADER_LENGTH,
  SEMJ_EXTENSION_KIND_OFFSET,
  SEMJ_EXTENSION_MAGIC,
  SEMJ_EXTENSION_PRESENCE_OFFSET,
  SEMJ_EXTENSION_SUBTYPE_OFFSET,
  SEMJ_EXTENSION_TRAILER_LENGTH,
  SEMJ_EXTENSION_TYPE_OFFSET,
  SEMJ_METADATA_SIZE_OFFSET,
  SEMJ_PAYLOAD_OFFSET,
  SEMJ_PAYLOAD_SIZE_OFFSET,
  SEMJ_PLAN_CARRIED_OFFSET,
  SEMJ_PLAN_EXTENSION_OFFSET,
  SEMJ_PLAN_KIND_OFFSET,
  SEMJ_PLAN_METADATA_LENGTH_OFFSET,
  SEMJ_PLAN_PAYLOAD_LENGTH_OFFSET,
  SEMJ_PLAN_PRESENCE_OFFSET,
  SEMJ_PLAN_REST_LENGTH_OFFSET,
  SEMJ_PLAN_SUBTYPE_OFFSET,
  SEMJ_PLAN_TYPE_OFFSET,
  SEMJ_REST_HEADER_LENGTH,
  SEMJ_ROOT_CAUSE_EVENT_ID_OFFSET,
} from "../layout/semj";
import { semjIsType, semjLast, semjNul, semjVexfsType } from "./semj";
import {
  ID_BITS,
  NUMBER_BITS,
  PLACED_BITS,
  REST_BIT,
  SUBTYPE_BIT,
  SUBTYPE_SEMJ,
  TEXT_BITS,
  U32_FIRST,
  carriedNumber,
  cutLength,
  fixedLength,
  isPlain,
  linksLength,
  placeOf,
  roomOf,
  writtenType,
} from "./semj-places";

/**
 * Looks at an event that semjCheck found right: the length of its entry; `plan` (SEMJ_PLAN_LENGTH bytes) then has what semjToEntry needs. With `vexfs` an
 * event that semjFromEntry wrote for readers of VexFS becomes the Access event that it was.
 */
export function semjMeasure(event: usize, plan: usize, vexfs: bool): u32 {
  const payload = load<u32>(event, SEMJ_PAYLOAD_SIZE_OFFSET);
  const metadata = load<u32>(event, SEMJ_METADATA_SIZE_OFFSET);
  const payloadEnd = event + SEMJ_PAYLOAD_OFFSET + payload;
  let length = extensionLength(payloadEnd + metadata, metadata);
  if (length && extensionRight(event, payloadEnd + metadata - length, length, plan)) {
    return measureCarried(event, plan, payload, metadata - length, length);
  }
  length = extensionLength(payloadEnd, payload);
  // It would be in the metadata if there were room.
  if (length && metadata + length > <u32>METADATA_LENGTH_MAX && extensionRight(event, payloadEnd - length, length, plan)) {
    return measureCarried(event, plan, payload - length, metadata, length);
  }
  return measurePlain(event, plan, payload, metadata, vexfs);
}

function measurePlain(event: usize, plan: usize, payload: u32, metadata: u32, vexfs: bool): u32 {
  let presence: u64 = ID_BITS | SUBTYPE_BIT;
  let numbers: u64 = NUMBER_BITS & ~ID_BITS;
  while (numbers) {
    const bit = ctz<u64>(numbers) as u32;
    numbers &= numbers - 1;
    const place = event + placeOf(bit);
    const value = bit < U32_FIRST ? load<u64>(place) : (load<u32>(place) as u64);
    if (value) presence |= <u64>1 << bit;
  }
  let textLength: u32 = 0;
  let rest: u32 = 0;
  let texts: u64 = TEXT_BITS;
  while (texts) {
    const bit = ctz<u64>(texts) as u32;
    texts &= texts - 1;
    const place = event + placeOf(bit);
    const room = roomOf(bit);
    const length = semjNul(place, room);
    const last = semjLast(place, length, room);
    if (length) {
      presence |= <u64>1 << bit;
      textLength += length;
    }
    if (last > length) rest += SEMJ_REST_HEADER_LENGTH + last - length;
  }
  if (rest) presence |= REST_BIT;
  const headerType = load<u32>(event, SEMJ_EVENT_TYPE_OFFSET);
  const subtype = load<u32>(event, SEMJ_EVENT_SUBTYPE_OFFSET);
  const isAccess = vexfs && semjVexfsType(subtype) == headerType;
  store<u64>(plan, presence, SEMJ_PLAN_PRESENCE_OFFSET);
  store<u64>(plan, 0, SEMJ_PLAN_CARRIED_OFFSET);
  store<u32>(plan, 0, SEMJ_PLAN_EXTENSION_OFFSET);
  store<u32>(plan, isAccess ? subtype : headerType, SEMJ_PLAN_TYPE_OFFSET);
  store<u32>(plan, SUBTYPE_SEMJ, SEMJ_PLAN_SUBTYPE_OFFSET);
  store<u32>(plan, ENTRY_KIND_EVENT, SEMJ_PLAN_KIND_OFFSET);
  store<u32>(plan, payload, SEMJ_PLAN_PAYLOAD_LENGTH_OFFSET);
  store<u32>(plan, metadata, SEMJ_PLAN_METADATA_LENGTH_OFFSET);
  store<u32>(plan, rest, SEMJ_PLAN_REST_LENGTH_OFFSET);
  return fixedLength(presence) + textLength + rest + payload + metadata + linksLength(event);
}

/** extensionRight has filled in presence, carried, type, subtype and kind, and said that all is in its bounds. */
function measureCarried(event: usize, plan: usize, payload: u32, metadata: u32, length: u32): u32 {
  const presence = load<u64>(plan, SEMJ_PLAN_PRESENCE_OFFSET);
  const carried = load<u64>(plan, SEMJ_PLAN_CARRIED_OFFSET);
  store<u32>(plan, payload, SEMJ_PLAN_PAYLOAD_LENGTH_OFFSET);
  store<u32>(plan, metadata, SEMJ_PLAN_METADATA_LENGTH_OFFSET);
  store<u32>(plan, 0, SEMJ_PLAN_REST_LENGTH_OFFSET);
  // What is carried takes in the entry what it takes in the extension.
  let textLength = length - SEMJ_EXTENSION_HEADER_LENGTH - SEMJ_EXTENSION_TRAILER_LENGTH;
  let texts = presence & TEXT_BITS & ~carried;
  while (texts) {
    const bit = ctz<u64>(texts) as u32;
    texts &= texts - 1;
    textLength += semjNul(event + placeOf(bit), roomOf(bit));
  }
  return fixedLength(presence & ~carried) + textLength + payload + metadata + linksLength(event);
}

/** Length of what ends at `end` and may be an extension; 0 = it is none. */
function extensionLength(end: usize, available: u32): u32 {
  if (available < <u32>(SEMJ_EXTENSION_HEADER_LENGTH + SEMJ_EXTENSION_TRAILER_LENGTH)) return 0;
  if (load<u32>(end - 4) != SEMJ_EXTENSION_MAGIC) return 0;
  const length = load<u32>(end - 8);
  if (length > available || length < <u32>(SEMJ_EXTENSION_HEADER_LENGTH + SEMJ_EXTENSION_TRAILER_LENGTH)) return 0;
  return length;
}

/** True if it is exactly what semjFromEntry writes for the entry that it describes. */
function extensionRight(event: usize, extension: usize, length: u32, plan: usize): bool {
  const presence = load<u64>(extension, SEMJ_EXTENSION_PRESENCE_OFFSET);
  const carried = load<u64>(extension, SEMJ_EXTENSION_CARRIED_OFFSET);
  const type = load<u32>(extension, SEMJ_EXTENSION_TYPE_OFFSET);
  const subtype = load<u32>(extension, SEMJ_EXTENSION_SUBTYPE_OFFSET);
  const kind = load<u32>(extension, SEMJ_EXTENSION_KIND_OFFSET);
  if (presence & ID_BITS) return false;
  if (carried & ~presence || (carried & ~TEXT_BITS) != (presence & ~PLACED_BITS)) return false;
  const headerType = load<u32>(event, SEMJ_EVENT_TYPE_OFFSET);
  const headerSubtype = load<u32>(event, SEMJ_EVENT_SUBTYPE_OFFSET);
  const isFolded = headerType != writtenType(kind, type, false);
  if (kind == ENTRY_KIND_EVENT ? !semjIsType(type) : kind != ENTRY_KIND_GAP) return false;
  if (headerType != writtenType(kind, type, isFolded)) return false;
  if (headerSubtype != (isFolded ? type : subtype)) return false;
  if (load<u64>(event, SEMJ_ROOT_CAUSE_EVENT_ID_OFFSET) == 0 && load<u64>(event, SEMJ_EVENT_ID_OFFSET) != 0) return false;
  if (!carriedRight(event, extension, length, carried)) return false;
  const semjSubtype = presence & SUBTYPE_BIT ? load<u32>(extension + carriedNumber(carried, ENTRY_BIT_SEMJ_SUBTYPE)) : 0;
  if (isPlain(kind, subtype, presence, carried, isFolded && semjSubtype != type)) return false;
  if (!absentRight(event, presence, carried)) return false;
  store<u64>(plan, presence | ID_BITS, SEMJ_PLAN_PRESENCE_OFFSET);
  store<u64>(plan, carried, SEMJ_PLAN_CARRIED_OFFSET);
  store<u32>(plan, extension as u32, SEMJ_PLAN_EXTENSION_OFFSET);
  store<u32>(plan, type, SEMJ_PLAN_TYPE_OFFSET);
  store<u32>(plan, subtype, SEMJ_PLAN_SUBTYPE_OFFSET);
  store<u32>(plan, kind, SEMJ_PLAN_KIND_OFFSET);
  return true;
}

/** The carried fields fill the extension, and the texts among them that have a place have their beginning there. */
function carriedRight(event: usize, extension: usize, length: u32, carried: u64): bool {
  const end = extension + length - SEMJ_EXTENSION_TRAILER_LENGTH;
  const texts = carried & (~(<u64>0) << ENTRY_BIT_BYTES_FIRST);
  let at: usize = extension + fixedLength(carried & ~texts) - ENTRY_HEADER_LENGTH + SEMJ_EXTENSION_HEADER_LENGTH;
  if (at > end) return false;
  let left = texts;
  while (left) {
    const bit = ctz<u64>(left) as u32;
    left &= left - 1;
    if (end - at < 4) return false;
    const textLength = load<u32>(at);
    at += 4;
    if (textLength > end - at) return false;
    if ((TEXT_BITS >>> bit) & 1) {
      const room = roomOf(bit);
      const cut = cutLength(at, textLength, room);
      if (cut == textLength) return false;
      const place = event + placeOf(bit);
      if (memory.compare(place, at, cut) != 0 || semjLast(place, cut, room) != cut) return false;
    }
    at += textLength;
  }
  return at == end;
}

/** Placed fields that the entry does not have are 0, and texts are zero-filled. */
function absentRight(event: usize, presence: u64, carried: u64): bool {
  let numbers: u64 = NUMBER_BITS & ~ID_BITS & ~presence;
  while (numbers) {
    const bit = ctz<u64>(numbers) as u32;
    numbers &= numbers - 1;
    const place = event + placeOf(bit);
    if (bit < U32_FIRST ? load<u64>(place) != 0 : load<u32>(place) != 0) return false;
  }
  let texts: u64 = TEXT_BITS & ~carried;
  while (texts) {
    const bit = ctz<u64>(texts) as u32;
    texts &= texts - 1;
    const place = event + placeOf(bit);
    const length = semjNul(place, roomOf(bit));
    if (semjLast(place, length, roomOf(bit)) != length) return false;
    if (length && !((presence >>> bit) & 1)) return false;
  }
  return true;
}
