// The peer source: other processes write kernel records (layout/kernel-record.ts) that the engine takes.
//
// Each peer has an arena of its own (layout/arena.ts), with one region: a ring (layout/ring.ts), whose number is the peer's lane. So a hostile peer reaches
// its own ring and nothing else. The rules of such a ring, beyond those of every ring:
//   - A record's cpu is the lane, its laneSequence is 1, 2, 3 ... <= PEER_SEQUENCE_MAX over all producers that the ring ever has; 0 = not numbered.
//   - No record below producerPosition is BUSY. Nobody sets `closed`: a producer that has finished gives its ownership back.
//   - The engine owns the consumer's end for as long as it listens.
//   - parked words: who sleeps stores 1; who wakes exchanges it with 0, and calls futex(2) if it was 1.
//
// Scratch of the source: a region of kind ARENA_REGION_SCRATCH in the engine's own arena. It outlives an ingest worker: a replacement goes on from it.
//
//   0        128           1024     1028             4096
//  +--------+--------+- - +--------+- - - - - - - - +----------------------+
//  | slot 0 | slot 1 | .. | woken  | 0              | lanes, LANES_MAX u64 |
//  +--------+--------+- - +--------+- - - - - - - - +----------------------+
//
// A slot:
//   0            32         40        48     52     56
//  +------------+----------+---------+------+------+- - - - - +
//  | ring state | released | records | mode | stop | 0        |
//  +------------+----------+---------+------+------+- - - - - +

/** The region's number; those of the workers are in src/worker/control.ts. */
export const PEER_SCRATCH_NUMBER = 4;
/** Rings that an engine may listen to at once. */
export const PEERS_MAX = 8;
/** A laneSequence beyond is not believed: at a million records a second it is reached after 285 years. */
export const PEER_SEQUENCE_MAX = 9007199254740991;
/** u32 in a record's private copy: its cpu or laneSequence breaks the rules above. No lane, so that ingestion keeps the record aside. */
export const PEER_LANE_INVALID = 0xffffffff;

export const PEER_SLOT_LENGTH = 128;
/** u64: consumerPosition as we stored it; the ring's own word is the peer's to change. */
export const PEER_SLOT_RELEASED_OFFSET = 32;
/** u64: records taken over. */
export const PEER_SLOT_RECORDS_OFFSET = 40;
/** u32: one of PEER_MODE_. */
export const PEER_SLOT_MODE_OFFSET = 48;
/** i32: why the last peerCopy ended: STATUS_EMPTY, STATUS_CORRUPT, STATUS_FULL (our own ring); 1 = it took as many records as it was asked to. */
export const PEER_SLOT_STOP_OFFSET = 52;

/** u32: 1 = somebody wants the reader's thread back. */
export const PEER_SCRATCH_WOKEN_OFFSET = 1024;
/** u64 each: as KERNEL_LANES (layout/kernel-control.ts), for the lanes of the peers. */
export const PEER_SCRATCH_LANES_OFFSET = 4096;
export const PEER_SCRATCH_LENGTH = 12288;

export const PEER_MODE_ATTACHED = 0;
/** The ring broke its rules: nothing is read from it any more. */
export const PEER_MODE_DETACHED = 1;
