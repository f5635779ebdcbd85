// The ring, the same as the kernel's BPF ring buffer (linux/kernel/bpf/ringbuf.c), so that one consumer reads both.
//
//   page 0: written by the consumer            page 1: written by the producer           page 2 ...
//   +------------------+------+--------+       +------------------+------+---------+     +--------------------------+
//   | consumerPosition | ...  | parked |       | producerPosition | ...  | owner.. |     | records, capacity bytes  |
//   +------------------+------+--------+       +------------------+------+---------+     +--------------------------+
//
// Positions are u64, count bytes and never wrap; index = position & (capacity - 1). A record is an 8-byte header and its data, padded
// to 8 bytes. In the kernel's ring the data pages are mapped twice in a row, so a record may run over the end; in ours a record that does not
// fit before the end is preceded by a padding record (DISCARD bit) that fills it.
//
//    0                                  4          8
//   +------------------------+---------+----------+------------------+
//   | length | BUSY | DISCARD          | pageOffset (kernel), or     | data ... padded to 8
//   |                                  | sequence (lane of a queue)  |
//   +----------------------------------+----------+------------------+

/** u64, written by the consumer. */
export const RING_CONSUMER_POSITION_OFFSET = 0;
/** u32, written by the consumer: 1 while it sleeps or is about to. The producer notifies on this word. */
export const RING_CONSUMER_PARKED_OFFSET = 128;
/** u32, written by the producer: 1 while it sleeps for room. The consumer notifies on this word. Own line: the consumer reads it at each advance. */
export const RING_PRODUCER_PARKED_OFFSET = 4352;
/** u64, written by the producer. */
export const RING_PRODUCER_POSITION_OFFSET = 4096;
/** u32, written once at creation. */
export const RING_MAGIC_OFFSET = 4608;
export const RING_MAGIC = 0x47525743; // "CWRG"
/** u32: bytes of data, a power of two. Endpoints take it from here once, check it, and keep their own copy. */
export const RING_CAPACITY_OFFSET = 4612;
/** u32: 1 once the producer will write no more. */
export const RING_CLOSED_OFFSET = 4616;
/** u64 each: token of the one producer and the one consumer (0 = free), taken by compare-and-swap. */
export const RING_PRODUCER_OWNER_OFFSET = 4736;
export const RING_CONSUMER_OWNER_OFFSET = 4864;
/** u64, written by the producer: records that it gave up because the ring was full. */
export const RING_DROPPED_OFFSET = 4992;

// Lanes of a queue only (layout/queue.ts), all written by the producer.
/** Two pairs (position u64, count u64): how many records lie before a position. The pair whose position is producerPosition holds; the other one is written next. */
export const RING_COUNTS_OFFSET = 4480;
export const RING_COUNTS_PAIR_LENGTH = 16;
export const RING_COUNTS_COUNT_OFFSET = 8;
/** u64: the producer may have overwritten everything before announced - capacity. */
export const RING_ANNOUNCED_OFFSET = 5120;
/** u64: begin of a record of late: where a reader that was lapped goes on. */
export const RING_RESTART_OFFSET = 5248;

// Rings of peers only (layout/peer.ts), written by the producer.
/** u64: highest laneSequence that was given to a record, dropped ones included. Stored before the hand-over: a successor numbers on behind it. */
export const RING_NUMBERED_OFFSET = 5376;
/** u64: the same, stored after the hand-over: whoever reads n here and then finds the ring empty without having seen n knows that n was dropped. */
export const RING_HANDED_OVER_OFFSET = 5384;

export const RING_DATA_OFFSET = 8192;

/** u32, in lanes: low half of the record's number in its lane. */
export const RING_RECORD_SEQUENCE_OFFSET = 4;

export const RING_RECORD_HEADER_LENGTH = 8;
export const RING_RECORD_ALIGNMENT = 8;
export const RING_RECORD_BUSY = 0x80000000;
export const RING_RECORD_DISCARD = 0x40000000;
export const RING_RECORD_LENGTH_MASK = 0x3fffffff;

// An endpoint's own state. It lies in the endpoint's scratch, not in the ring: the other side can never write it.
//
//   0                    8                        16         20        24
//  +--------------------+------------------------+----------+---------+--------------+
//  | position           | other side as last seen| capacity | ring    | recordLength |
//  +--------------------+------------------------+----------+---------+--------------+

/** u64. Producer: where the next reservation goes, ahead of producerPosition by what is not published yet. Consumer: what it reads next. */
export const RING_STATE_POSITION_OFFSET = 0;
/** u64: the other side's position, read again only when this one says full or empty. */
export const RING_STATE_CACHED_OFFSET = 8;
/** u32: checked when the endpoint was made, never read from the ring again. */
export const RING_STATE_CAPACITY_OFFSET = 16;
/** u32: address of the ring. */
export const RING_STATE_RING_OFFSET = 20;
/** u32, consumer: length of the record that ringPeek answered, copied once and checked. */
export const RING_STATE_RECORD_LENGTH_OFFSET = 24;
/** u32: 1 = the data pages are mapped twice in a row (the kernel's ring): a record may run over the end. */
export const RING_STATE_DOUBLE_MAPPED_OFFSET = 28;
export const RING_STATE_LENGTH = 32;

/** Where the producer's state lies for a ring that never leaves its process (inotify, trace): in the unused end of the producer's own page. */
export const RING_LOCAL_PRODUCER_STATE_OFFSET = 8064;
