// Takes records over from a peer's ring (layout/peer.ts) into the ring that ingestion drains: copy, then check.
//
// The peer can write every byte of its ring at any time. So whatever is read there is read once, into private memory, and only that is looked at:
//   1. Positions: ours are private (the slot). The peer's is checked when it is loaded: never back, never beyond what it can have written, a multiple
//      of 8. So `position` stays a multiple of 8 and at most one capacity ahead of `released`, and the loops below end.
//   2. Headers: loaded once, the length checked against what was published, the ring's end, and the data copied behind that.
//   3. Records: copied into our own ring first. recordCheck (assembly/ingest.ts) looks at the copy, and translation reads the copy.
//
// A worker that ends in the middle loses nothing: `released` is stored after our own ring was published. What its replacement copies a second time has the
// same lane sequences, and ingestion drops it as duplicates.

import {
  KERNEL_FLAG_PATH2_BY_NAME,
  KERNEL_FLAG_PATH_BY_NAME,
  KERNEL_FLAG_RESOLVED,
  KERNEL_FLAG_UNDECIDED,
  KERNEL_RECORD_CPU_OFFSET,
  KERNEL_RECORD_FLAGS_OFFSET,
  KERNEL_RECORD_HEADER_LENGTH,
  KERNEL_RECORD_LANE_SEQUENCE_OFFSET,
  KERNEL_RECORD_LENGTH_MAX,
} from "../layout/kernel-record";
import {
  PEER_LANE_INVALID,
  PEER_SEQUENCE_MAX,
  PEER_SLOT_RECORDS_OFFSET,
  PEER_SLOT_RELEASED_OFFSET,
  PEER_SLOT_STOP_OFFSET,
} from "../layout/peer";
import {
  RING_CONSUMER_POSITION_OFFSET,
  RING_DATA_OFFSET,
  RING_PRODUCER_PARKED_OFFSET,
  RING_PRODUCER_POSITION_OFFSET,
  RING_RECORD_BUSY,
  RING_RECORD_DISCARD,
  RING_RECORD_HEADER_LENGTH,
  RING_RECORD_LENGTH_MASK,
  RING_STATE_CACHED_OFFSET,
  RING_STATE_CAPACITY_OFFSET,
  RING_STATE_POSITION_OFFSET,
  RING_STATE_RING_OFFSET,
} from "../layout/ring";
import { STATUS_CORRUPT, STATUS_EMPTY } from "../layout/status";
import { ringRecordLength, ringReserve, ringSubmit } from "./ring";

const BY_NAME = KERNEL_FLAG_PATH_BY_NAME | KERNEL_FLAG_PATH2_BY_NAME | KERNEL_FLAG_UNDECIDED;

/** Begins to read the ring, or goes on behind what a predecessor released. */
export function peerInit(slot: usize, ring: usize, capacity: u32): void {
  const released = load<u64>(slot, PEER_SLOT_RELEASED_OFFSET);
  store<u64>(slot, released, RING_STATE_POSITION_OFFSET);
  store<u64>(slot, released, RING_STATE_CACHED_OFFSET);
  store<u32>(slot, capacity, RING_STATE_CAPACITY_OFFSET);
  store<u32>(slot, ring as u32, RING_STATE_RING_OFFSET);
}

/** Looks how far the peer has published: 1 = there is something, STATUS_EMPTY, or STATUS_CORRUPT. */
export function peerLook(slot: usize): i32 {
  const ring = load<u32>(slot, RING_STATE_RING_OFFSET) as usize;
  const position = load<u64>(slot, RING_STATE_POSITION_OFFSET);
  const released = load<u64>(slot, PEER_SLOT_RELEASED_OFFSET);
  // Pairs with the store of the peer's publish (PeerProducer in src/source/peer/producer.ts, causeway_peer_publish in examples/peer/causeway-peer.h).
  const producer = atomic.load<u64>(ring, RING_PRODUCER_POSITION_OFFSET);
  if (producer < load<u64>(slot, RING_STATE_CACHED_OFFSET) || producer & 7) return STATUS_CORRUPT;
  if (producer - released > load<u32>(slot, RING_STATE_CAPACITY_OFFSET)) return STATUS_CORRUPT;
  store<u64>(slot, producer, RING_STATE_CACHED_OFFSET);
  return producer == position ? STATUS_EMPTY : 1;
}

/**
 * Copies up to recordsMax records to the ring of the producer state `producer`, which the caller publishes before it calls peerRelease. Answers how many;
 * why it ended is in the slot.
 */
export function peerCopy(slot: usize, producer: usize, lane: u32, recordsMax: i32): i32 {
  const capacity = load<u32>(slot, RING_STATE_CAPACITY_OFFSET);
  const data = (load<u32>(slot, RING_STATE_RING_OFFSET) as usize) + RING_DATA_OFFSET;
  let position = load<u64>(slot, RING_STATE_POSITION_OFFSET);
  let count = 0;
  let stop = peerLook(slot);
  const published = load<u64>(slot, RING_STATE_CACHED_OFFSET);
  while (stop > 0 && count < recordsMax) {
    if (position == published) {
      stop = STATUS_EMPTY;
      break;
    }
    const index = (position & (capacity - 1)) as u32;
    // Once: what it says is checked, and nothing is read there again.
    const header = atomic.load<u32>(data + index);
    const length = header & RING_RECORD_LENGTH_MASK;
    const taken = ringRecordLength(length);
    if (header & RING_RECORD_BUSY || length > capacity || taken > published - position || index + taken > capacity) {
      stop = STATUS_CORRUPT;
      break;
    }
    if (!(header & RING_RECORD_DISCARD)) {
      // Of one that is too long, as much as shows that it is: its own length then disagrees with the ring's.
      const kept = min<u32>(length, KERNEL_RECORD_LENGTH_MAX);
      const address = ringReserve(producer, kept);
      if (address <= 0) {
        stop = address;
        break;
      }
      memory.copy(address, data + index + RING_RECORD_HEADER_LENGTH, kept);
      settleCopy(address, kept, lane);
      ringSubmit(producer, kept);
      count += 1;
    }
    position += taken;
  }
  store<u64>(slot, position, RING_STATE_POSITION_OFFSET);
  store<u64>(slot, load<u64>(slot, PEER_SLOT_RECORDS_OFFSET) + count, PEER_SLOT_RECORDS_OFFSET);
  store<i32>(slot, stop, PEER_SLOT_STOP_OFFSET);
  return count;
}

/** Gives the room of what was copied back to the peer; our own ring was published before. 1 = the peer sleeps, and is to be woken. */
export function peerRelease(slot: usize): i32 {
  const ring = load<u32>(slot, RING_STATE_RING_OFFSET) as usize;
  const position = load<u64>(slot, RING_STATE_POSITION_OFFSET);
  if (position == load<u64>(slot, PEER_SLOT_RELEASED_OFFSET)) return 0;
  store<u64>(slot, position, PEER_SLOT_RELEASED_OFFSET);
  // Pairs with the load of the peer's reserve.
  atomic.store<u64>(ring, position, RING_CONSUMER_POSITION_OFFSET);
  // Pairs with the store of the peer's wait: it stores parked, then looks for room once more.
  if (!atomic.load<u32>(ring, RING_PRODUCER_PARKED_OFFSET)) return 0;
  return atomic.xchg<u32>(ring, 0, RING_PRODUCER_PARKED_OFFSET) ? 1 : 0;
}

/**
 * In the private copy: a record of another lane, or with an impossible number, is of no lane, and is kept aside as malformed. Paths are final as the peer names
 * them: were they resolved here, a peer could send this thread into a file system that never answers.
 */
// @ts-ignore: decorator
@inline
function settleCopy(record: usize, length: u32, lane: u32): void {
  if (length < <u32>KERNEL_RECORD_HEADER_LENGTH) return;
  if (
    load<u32>(record, KERNEL_RECORD_CPU_OFFSET) != lane ||
    load<u64>(record, KERNEL_RECORD_LANE_SEQUENCE_OFFSET) > <u64>PEER_SEQUENCE_MAX
  ) {
    store<u32>(record, <u32>PEER_LANE_INVALID, KERNEL_RECORD_CPU_OFFSET);
  }
  const flags = load<u16>(record, KERNEL_RECORD_FLAGS_OFFSET) as u32;
  if (flags & BY_NAME) store<u16>(record, (flags | KERNEL_FLAG_RESOLVED) as u16, KERNEL_RECORD_FLAGS_OFFSET);
}
