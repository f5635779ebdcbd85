// SEMJ event -> journal entry and back, without loss in either direction (layout/semj.ts, layout/entry.ts). Both are written once, in place.
//
// Why reading and writing an event gives its bytes again:
//   1. Without an extension the entry gets the origin SEMJ, every field that is not 0, and ENTRY_BIT_SEMJ_REST with what lies behind NULs. Nothing is left
//      over, and semjFromEntry writes entries of that origin without an extension.
//   2. With one, semjMeasure has made sure that it is exactly what semjFromEntry writes for the entry that it describes (extensionRight); otherwise
//      it is payload or metadata, as in 1.
// Why writing and reading an entry gives its fields again: what has no place in SEMJ, or does not fit there, is carried in the extension. eventId,
// globalSequence and rootCauseEventId are explicit afterwards; sequence and Lamport stamp belong to the journal and are given anew.

import {
  ENTRY_BIT_BYTES_FIRST,
  ENTRY_BIT_SEMJ_REST,
  ENTRY_BIT_SEMJ_SUBTYPE,
  ENTRY_COMPRESSION_OFFSET,
  ENTRY_CPU_OFFSET,
  ENTRY_ENCRYPTION_OFFSET,
  ENTRY_FLAGS_OFFSET,
  ENTRY_HEADER_LENGTH,
  ENTRY_KIND_EVENT,
  ENTRY_KIND_GAP,
  ENTRY_KIND_OFFSET,
  ENTRY_LINK_COUNT_OFFSET,
  ENTRY_LOCAL_SEQUENCE_OFFSET,
  ENTRY_METADATA_LENGTH_OFFSET,
  ENTRY_PARENT_EVENT_ID_OFFSET,
  ENTRY_PAYLOAD_LENGTH_OFFSET,
  ENTRY_PID_OFFSET,
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
import { CAUSALITY_LINKS_MAX, METADATA_LENGTH_MAX, PAYLOAD_LENGTH_MAX } from "../layout/limits";
import {
  SEMJ_CHECKSUM_OFFSET,
  SEMJ_COMPRESSION_OFFSET,
  SEMJ_CONTEXT_LENGTH,
  SEMJ_CONTEXT_SIZE_OFFSET,
  SEMJ_CPU_OFFSET,
  SEMJ_ENCRYPTION_OFFSET,
  SEMJ_ENTRY_CORRUPT,
  SEMJ_ENTRY_TOO_LONG,
  SEMJ_EVENT_ID_OFFSET,
  SEMJ_EVENT_SIZE_OFFSET,
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
  SEMJ_FLAGS_OFFSET,
  SEMJ_GLOBAL_SEQUENCE_OFFSET,
  SEMJ_KTIME_OFFSET,
  SEMJ_LINK_COUNT_OFFSET,
  SEMJ_LINK_LENGTH,
  SEMJ_LOCAL_SEQUENCE_OFFSET,
  SEMJ_METADATA_SIZE_OFFSET,
  SEMJ_PARENT_EVENT_ID_OFFSET,
  SEMJ_PAYLOAD_OFFSET,
  SEMJ_PAYLOAD_SIZE_OFFSET,
  SEMJ_PID_OFFSET,
  SEMJ_PLAN_CARRIED_OFFSET,
  SEMJ_PLAN_EXTENSION_OFFSET,
  SEMJ_PLAN_KIND_OFFSET,
  SEMJ_PLAN_METADATA_LENGTH_OFFSET,
  SEMJ_PLAN_PAYLOAD_LENGTH_OFFSET,
  SEMJ_PLAN_PRESENCE_OFFSET,
  SEMJ_PLAN_REST_LENGTH_OFFSET,
  SEMJ_PLAN_SUBTYPE_OFFSET,
  SEMJ_PLAN_TYPE_OFFSET,
  SEMJ_PRIORITY_OFFSET,
  SEMJ_RELEVANCE_OFFSET,
  SEMJ_REPLAY_PRIORITY_OFFSET,
  SEMJ_REST_HEADER_LENGTH,
  SEMJ_REST_LENGTH_OFFSET,
  SEMJ_REST_OFFSET_OFFSET,
  SEMJ_ROOT_CAUSE_EVENT_ID_OFFSET,
  SEMJ_TIME_SEQUENCE_OFFSET,
  SEMJ_VERSION_OFFSET,
  SEMJ_VISIBILITY_MASK_OFFSET,
  SEMJ_WRONG_TYPE,
} from "../layout/semj";
import { bytesCopy } from "./bytes";
import { semjChecksum, semjIsType, semjLast, semjLinksCheck, semjNul, semjVexfsType } from "./semj";
import {
  BYTES_FIRST,
  ID_BITS,
  PLACED_BITS,
  SUBTYPE_BIT,
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

/** Fills the entry that journalReserve gave for the length that semjMeasure answered: all but length, crc32c, sequence and Lamport stamp. */
export function semjToEntry(event: usize, plan: usize, entry: usize): void {
  const presence = load<u64>(plan, SEMJ_PLAN_PRESENCE_OFFSET);
  const payload = load<u32>(plan, SEMJ_PLAN_PAYLOAD_LENGTH_OFFSET);
  const metadata = load<u32>(plan, SEMJ_PLAN_METADATA_LENGTH_OFFSET);
  // In the order of the event's header; semjFromEntry mirrors it line by line.
  store<u32>(entry, load<u32>(plan, SEMJ_PLAN_TYPE_OFFSET), ENTRY_TYPE_OFFSET);
  store<u32>(entry, load<u32>(plan, SEMJ_PLAN_SUBTYPE_OFFSET), ENTRY_SUBTYPE_OFFSET);
  store<i64>(entry, load<i64>(event, SEMJ_KTIME_OFFSET), ENTRY_TIME_NS_OFFSET);
  store<u64>(entry, load<u64>(event, SEMJ_TIME_SEQUENCE_OFFSET), ENTRY_TIME_SEQUENCE_OFFSET);
  store<u32>(entry, load<u32>(event, SEMJ_CPU_OFFSET), ENTRY_CPU_OFFSET);
  store<u32>(entry, load<u32>(event, SEMJ_PID_OFFSET), ENTRY_PID_OFFSET);
  store<u64>(entry, load<u64>(event, SEMJ_LOCAL_SEQUENCE_OFFSET), ENTRY_LOCAL_SEQUENCE_OFFSET);
  store<u32>(entry, load<u32>(event, SEMJ_FLAGS_OFFSET), ENTRY_FLAGS_OFFSET);
  store<u32>(entry, load<u32>(event, SEMJ_PRIORITY_OFFSET), ENTRY_PRIORITY_OFFSET);
  store<u32>(entry, load<u32>(event, SEMJ_VERSION_OFFSET), ENTRY_VERSION_OFFSET);
  store<u32>(entry, load<u32>(event, SEMJ_COMPRESSION_OFFSET), ENTRY_COMPRESSION_OFFSET);
  store<u32>(entry, load<u32>(event, SEMJ_ENCRYPTION_OFFSET), ENTRY_ENCRYPTION_OFFSET);
  store<u64>(entry, load<u64>(event, SEMJ_PARENT_EVENT_ID_OFFSET), ENTRY_PARENT_EVENT_ID_OFFSET);
  store<u64>(entry, load<u64>(event, SEMJ_ROOT_CAUSE_EVENT_ID_OFFSET), ENTRY_ROOT_CAUSE_EVENT_ID_OFFSET);
  store<u64>(entry, load<u64>(event, SEMJ_VISIBILITY_MASK_OFFSET), ENTRY_VISIBILITY_MASK_OFFSET);
  store<u32>(entry, load<u32>(event, SEMJ_RELEVANCE_OFFSET), ENTRY_RELEVANCE_OFFSET);
  store<u32>(entry, load<u32>(event, SEMJ_REPLAY_PRIORITY_OFFSET), ENTRY_REPLAY_PRIORITY_OFFSET);
  store<u32>(entry, load<u32>(event, SEMJ_LINK_COUNT_OFFSET), ENTRY_LINK_COUNT_OFFSET);
  store<u32>(entry, payload, ENTRY_PAYLOAD_LENGTH_OFFSET);
  // The u16 and the u32 that are reserved are zero.
  store<u64>(entry, metadata, ENTRY_METADATA_LENGTH_OFFSET);
  store<u32>(entry, load<u32>(plan, SEMJ_PLAN_KIND_OFFSET), ENTRY_KIND_OFFSET);
  store<u64>(entry, presence, ENTRY_PRESENCE_OFFSET);
  const at = fieldsToEntry(event, plan, entry + ENTRY_HEADER_LENGTH, presence);
  const payloadAt = event + SEMJ_PAYLOAD_OFFSET;
  const metadataAt = payloadAt + load<u32>(event, SEMJ_PAYLOAD_SIZE_OFFSET);
  bytesCopy(at, payloadAt, payload);
  bytesCopy(at + payload, metadataAt, metadata);
  bytesCopy(at + payload + metadata, metadataAt + load<u32>(event, SEMJ_METADATA_SIZE_OFFSET), linksLength(event));
}

/** Fields in the order of their presence bits: where they end. */
function fieldsToEntry(event: usize, plan: usize, fields: usize, presence: u64): usize {
  const carried = load<u64>(plan, SEMJ_PLAN_CARRIED_OFFSET);
  let from: usize = load<u32>(plan, SEMJ_PLAN_EXTENSION_OFFSET) + SEMJ_EXTENSION_HEADER_LENGTH;
  let at = fields;
  let left = presence;
  while (left) {
    const bit = ctz<u64>(left) as u32;
    left &= left - 1;
    if ((carried >>> bit) & 1) {
      const length = bit < U32_FIRST ? 8 : bit < BYTES_FIRST ? 4 : 4 + load<u32>(from);
      bytesCopy(at, from, length);
      from += length;
      at += length;
    } else if (bit < U32_FIRST) {
      store<u64>(at, load<u64>(event + placeOf(bit)));
      at += 8;
    } else if (bit < BYTES_FIRST) {
      store<u32>(at, load<u32>(event + placeOf(bit)));
      at += 4;
    } else if (bit == ENTRY_BIT_SEMJ_REST) {
      store<u32>(at, load<u32>(plan, SEMJ_PLAN_REST_LENGTH_OFFSET));
      at = restToEntry(event, at + 4);
    } else {
      const place = event + placeOf(bit);
      const length = semjNul(place, roomOf(bit));
      store<u32>(at, length);
      bytesCopy(at + 4, place, length);
      at += 4 + length;
    }
  }
  return at;
}

function restToEntry(event: usize, fields: usize): usize {
  let at = fields;
  let texts: u64 = TEXT_BITS;
  while (texts) {
    const bit = ctz<u64>(texts) as u32;
    texts &= texts - 1;
    const place = placeOf(bit);
    const nul = semjNul(event + place, roomOf(bit));
    const length = semjLast(event + place, nul, roomOf(bit)) - nul;
    if (!length) continue;
    store<u16>(at, (place + nul) as u16, SEMJ_REST_OFFSET_OFFSET);
    store<u16>(at, length as u16, SEMJ_REST_LENGTH_OFFSET);
    bytesCopy(at + SEMJ_REST_HEADER_LENGTH, event + place + nul, length);
    at += SEMJ_REST_HEADER_LENGTH + length;
  }
  return at;
}

/**
 * Writes the event of a journal's entry (an event or a gap, `length` private bytes that may be anything) at `event`, where SEMJ_EVENT_LENGTH_MAX bytes are
 * free: its length, or SEMJ_ENTRY_CORRUPT, SEMJ_ENTRY_TOO_LONG, SEMJ_WRONG_TYPE, SEMJ_UNTERMINATED_DESCRIPTION.
 */
export function semjFromEntry(entry: usize, length: u32, event: usize, vexfs: bool): i32 {
  if (length < <u32>ENTRY_HEADER_LENGTH) return SEMJ_ENTRY_CORRUPT;
  const end = entry + length;
  const presence = load<u64>(entry, ENTRY_PRESENCE_OFFSET);
  const kind = load<u16>(entry, ENTRY_KIND_OFFSET) as u32;
  const type = load<u32>(entry, ENTRY_TYPE_OFFSET);
  const subtype = load<u32>(entry, ENTRY_SUBTYPE_OFFSET);
  if (kind == ENTRY_KIND_EVENT ? !semjIsType(type) : kind != ENTRY_KIND_GAP) return SEMJ_WRONG_TYPE;

  // What must be carried, and where the texts end.
  const textBits = presence & (~(<u64>0) << ENTRY_BIT_BYTES_FIRST);
  let carried = presence & ~PLACED_BITS;
  let carriedLength = fixedLength(carried) - ENTRY_HEADER_LENGTH;
  let at = entry + fixedLength(presence & ~textBits);
  let left = textBits;
  while (left) {
    const bit = ctz<u64>(left) as u32;
    left &= left - 1;
    if (at + 4 > end) return SEMJ_ENTRY_CORRUPT;
    const textLength = load<u32>(at);
    at += 4;
    if (textLength > end - at) return SEMJ_ENTRY_CORRUPT;
    if ((carried >>> bit) & 1) {
      carriedLength += textLength;
    } else if (cutLength(at, textLength, roomOf(bit)) != textLength) {
      carried |= <u64>1 << bit;
      carriedLength += 4 + textLength;
    }
    at += textLength;
  }
  const payload = load<u32>(entry, ENTRY_PAYLOAD_LENGTH_OFFSET);
  const metadata = load<u32>(entry, ENTRY_METADATA_LENGTH_OFFSET);
  const links = load<u32>(entry, ENTRY_LINK_COUNT_OFFSET);
  if (at > end) return SEMJ_ENTRY_CORRUPT;
  const blobs = (payload as u64) + (metadata as u64) + (links as u64) * SEMJ_LINK_LENGTH;
  if (blobs != ((end - at) as u64)) return SEMJ_ENTRY_CORRUPT;
  if (payload > <u32>PAYLOAD_LENGTH_MAX || metadata > <u32>METADATA_LENGTH_MAX || links > <u32>CAUSALITY_LINKS_MAX) {
    return SEMJ_ENTRY_TOO_LONG;
  }
  if (semjLinksCheck(at + payload + metadata, links) < 0) return semjLinksCheck(at + payload + metadata, links);

  const isFolded = kind == ENTRY_KIND_EVENT && vexfs && semjVexfsType(type) != 0;
  const semjSubtype =
    presence & SUBTYPE_BIT ? load<u32>(entry + carriedNumber(presence, ENTRY_BIT_SEMJ_SUBTYPE) - SEMJ_EXTENSION_HEADER_LENGTH + ENTRY_HEADER_LENGTH) : 0;
  const plain = isPlain(kind, subtype, presence, carried, isFolded && semjSubtype != type);
  const extension = plain ? 0 : SEMJ_EXTENSION_HEADER_LENGTH + carriedLength + SEMJ_EXTENSION_TRAILER_LENGTH;
  const inMetadata = metadata + extension <= <u32>METADATA_LENGTH_MAX;
  if (!inMetadata && payload + extension > <u32>PAYLOAD_LENGTH_MAX) return SEMJ_ENTRY_TOO_LONG;

  memory.fill(event, 0, SEMJ_PAYLOAD_OFFSET);
  const payloadSize = inMetadata ? payload : payload + extension;
  const metadataSize = inMetadata ? metadata + extension : metadata;
  const eventSize = SEMJ_PAYLOAD_OFFSET + payloadSize + metadataSize + links * SEMJ_LINK_LENGTH;
  headerFromEntry(entry, event);
  store<u32>(event, writtenType(kind, type, vexfs), SEMJ_EVENT_TYPE_OFFSET);
  store<u32>(event, isFolded ? type : plain ? semjSubtype : subtype, SEMJ_EVENT_SUBTYPE_OFFSET);
  store<u32>(event, eventSize, SEMJ_EVENT_SIZE_OFFSET);
  store<u32>(event, payloadSize, SEMJ_PAYLOAD_SIZE_OFFSET);
  store<u32>(event, metadataSize, SEMJ_METADATA_SIZE_OFFSET);
  const payloadAt = event + SEMJ_PAYLOAD_OFFSET;
  const metadataAt = payloadAt + payloadSize;
  const extensionAt = inMetadata ? metadataAt + metadata : payloadAt + payload;
  if (!fieldsFromEntry(entry, event, presence, carried, plain ? 0 : extensionAt)) return SEMJ_ENTRY_CORRUPT;
  bytesCopy(payloadAt, at, payload);
  bytesCopy(metadataAt, at + payload, metadata);
  bytesCopy(metadataAt + metadataSize, at + payload + metadata, links * SEMJ_LINK_LENGTH);
  if (!plain) {
    store<u64>(extensionAt, presence & ~ID_BITS, SEMJ_EXTENSION_PRESENCE_OFFSET);
    store<u64>(extensionAt, carried, SEMJ_EXTENSION_CARRIED_OFFSET);
    store<u32>(extensionAt, type, SEMJ_EXTENSION_TYPE_OFFSET);
    store<u32>(extensionAt, subtype, SEMJ_EXTENSION_SUBTYPE_OFFSET);
    store<u32>(extensionAt, kind, SEMJ_EXTENSION_KIND_OFFSET);
    store<u32>(extensionAt + extension - 8, extension);
    store<u32>(extensionAt + extension - 4, SEMJ_EXTENSION_MAGIC);
    // In entries of ours 0 is the event itself.
    if (load<u64>(event, SEMJ_ROOT_CAUSE_EVENT_ID_OFFSET) == 0) {
      store<u64>(event, load<u64>(event, SEMJ_EVENT_ID_OFFSET), SEMJ_ROOT_CAUSE_EVENT_ID_OFFSET);
    }
  }
  store<u32>(event, semjChecksum(0, event, eventSize), SEMJ_CHECKSUM_OFFSET);
  return eventSize;
}

function headerFromEntry(entry: usize, event: usize): void {
  // Unless the entry has its own.
  const sequence = load<u64>(entry, ENTRY_SEQUENCE_OFFSET);
  store<u64>(event, sequence, SEMJ_EVENT_ID_OFFSET);
  store<u64>(event, sequence, SEMJ_GLOBAL_SEQUENCE_OFFSET);
  store<i64>(event, load<i64>(entry, ENTRY_TIME_NS_OFFSET), SEMJ_KTIME_OFFSET);
  store<u64>(event, load<u64>(entry, ENTRY_TIME_SEQUENCE_OFFSET), SEMJ_TIME_SEQUENCE_OFFSET);
  store<u32>(event, load<u32>(entry, ENTRY_CPU_OFFSET), SEMJ_CPU_OFFSET);
  store<u32>(event, load<u32>(entry, ENTRY_PID_OFFSET), SEMJ_PID_OFFSET);
  store<u64>(event, load<u64>(entry, ENTRY_LOCAL_SEQUENCE_OFFSET), SEMJ_LOCAL_SEQUENCE_OFFSET);
  store<u32>(event, load<u32>(entry, ENTRY_FLAGS_OFFSET), SEMJ_FLAGS_OFFSET);
  store<u32>(event, load<u32>(entry, ENTRY_PRIORITY_OFFSET), SEMJ_PRIORITY_OFFSET);
  store<u32>(event, SEMJ_CONTEXT_LENGTH, SEMJ_CONTEXT_SIZE_OFFSET);
  store<u32>(event, load<u32>(entry, ENTRY_VERSION_OFFSET), SEMJ_VERSION_OFFSET);
  store<u32>(event, load<u32>(entry, ENTRY_COMPRESSION_OFFSET), SEMJ_COMPRESSION_OFFSET);
  store<u32>(event, load<u32>(entry, ENTRY_ENCRYPTION_OFFSET), SEMJ_ENCRYPTION_OFFSET);
  store<u64>(event, load<u64>(entry, ENTRY_PARENT_EVENT_ID_OFFSET), SEMJ_PARENT_EVENT_ID_OFFSET);
  store<u64>(event, load<u64>(entry, ENTRY_ROOT_CAUSE_EVENT_ID_OFFSET), SEMJ_ROOT_CAUSE_EVENT_ID_OFFSET);
  store<u64>(event, load<u64>(entry, ENTRY_VISIBILITY_MASK_OFFSET), SEMJ_VISIBILITY_MASK_OFFSET);
  store<u32>(event, load<u32>(entry, ENTRY_RELEVANCE_OFFSET), SEMJ_RELEVANCE_OFFSET);
  store<u32>(event, load<u32>(entry, ENTRY_REPLAY_PRIORITY_OFFSET), SEMJ_REPLAY_PRIORITY_OFFSET);
  store<u32>(event, load<u32>(entry, ENTRY_LINK_COUNT_OFFSET), SEMJ_LINK_COUNT_OFFSET);
}

/** Fields to their places and, unless that is 0, to the extension; false if what lay behind NULs has no place. Bounds were looked at before. */
function fieldsFromEntry(entry: usize, event: usize, presence: u64, carried: u64, extension: usize): bool {
  let at = entry + ENTRY_HEADER_LENGTH;
  let to = extension + SEMJ_EXTENSION_HEADER_LENGTH;
  let left = presence;
  while (left) {
    const bit = ctz<u64>(left) as u32;
    left &= left - 1;
    const length: u32 = bit < U32_FIRST ? 8 : bit < BYTES_FIRST ? 4 : 4 + load<u32>(at);
    if ((PLACED_BITS >>> bit) & 1) {
      const place = event + placeOf(bit);
      if (bit < U32_FIRST) store<u64>(place, load<u64>(at));
      else if (bit < BYTES_FIRST) store<u32>(place, load<u32>(at));
      else bytesCopy(place, at + 4, cutLength(at + 4, length - 4, roomOf(bit)));
    }
    if (extension && (carried >>> bit) & 1) {
      bytesCopy(to, at, length);
      to += length;
    }
    if (!extension && bit == ENTRY_BIT_SEMJ_REST && !restFromEntry(event, at + 4, length - 4)) return false;
    at += length;
  }
  return true;
}

/** Every run must begin at the NUL of a text and end in its place: a journal that was tampered with writes nowhere else. */
function restFromEntry(event: usize, rest: usize, restLength: u32): bool {
  let at: u32 = 0;
  let texts: u64 = TEXT_BITS;
  while (texts && restLength - at >= <u32>SEMJ_REST_HEADER_LENGTH) {
    const bit = ctz<u64>(texts) as u32;
    texts &= texts - 1;
    const place = placeOf(bit);
    const nul = semjNul(event + place, roomOf(bit));
    if (load<u16>(rest + at, SEMJ_REST_OFFSET_OFFSET) != place + nul) continue;
    const length = load<u16>(rest + at, SEMJ_REST_LENGTH_OFFSET) as u32;
    at += SEMJ_REST_HEADER_LENGTH;
    if (length < 2 || length > restLength - at || length > roomOf(bit) - nul) return false;
    if (load<u8>(rest + at) != 0 || load<u8>(rest + at + length - 1) == 0) return false;
    bytesCopy(event + place + nul, rest + at, length);
    at += length;
  }
  return at == restLength;
}
