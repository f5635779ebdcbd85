// A queue: several rings, one for each producer (a lane), read as one by its consumers. Producers share no line with each other, so none of them
// waits for another, and one that dies leaves nothing half visible: whoever takes its lane over goes on behind what it published last.
//
//   0        128      256           384               512        4096            12288     held            lanes
//  +--------+--------+-------------+-----------------+----------+---------------+---------+---------------+-------------------------- - -
//  | header | closed | wake, sleep | roomWake, sleep | counters | consumer slots| cursors | held, by slot | lane 0, lane 1, ... (rings)
//  +--------+--------+-------------+-----------------+----------+---------------+---------+---------------+-------------------------- - -
//
// The modes differ in what a lane's producer waits for and in whose a record is:
//
//   spsc, mpsc   one consumer. It reads records in place; their room comes back when it releases them.
//   mpmc         any consumer. It copies a run of records to its held bytes, then claims the run by a compare-and-swap of the lane's cursor. What a
//                consumer claimed and did not release before it died lies in its held bytes still: whoever takes its slot gets it again.
//   gated        every consumer gets every record; the slowest one stops the producer.
//   lossy        every consumer gets every record unless it is lapped; then it is told how many it missed. Producers never wait.
//
// Order is that of each producer; between producers there is none.

export const QUEUE_MODE_SPSC = 1;
export const QUEUE_MODE_MPSC = 2;
export const QUEUE_MODE_MPMC = 3;
export const QUEUE_MODE_GATED = 4;
export const QUEUE_MODE_LOSSY = 5;

// The header is written once, the magic last. Endpoints copy it, check the copy, and never read it again.
export const QUEUE_MAGIC_OFFSET = 0;
export const QUEUE_MAGIC = 0x55515743; // "CWQU"
export const QUEUE_MODE_OFFSET = 4;
export const QUEUE_LANES_OFFSET = 8;
/** Bytes of data of each lane, a power of two. */
export const QUEUE_LANE_CAPACITY_OFFSET = 12;
/** Slots for consumers. */
export const QUEUE_CONSUMERS_OFFSET = 16;
export const QUEUE_RECORD_LENGTH_MAX_OFFSET = 20;
/** mpmc: held bytes of each slot; otherwise 0. */
export const QUEUE_HELD_LENGTH_OFFSET = 24;
/** Bytes of the whole queue. */
export const QUEUE_LENGTH_OFFSET = 28;
/** broadcast: a consumer that does not move for so long while a producer waits for it is left behind; 0 = never. */
export const QUEUE_EXPIRE_AFTER_MS_OFFSET = 32;
/** UTF-8, filled up with NUL. */
export const QUEUE_NAME_OFFSET = 64;
export const QUEUE_NAME_LENGTH = 64;

/** u32: 1 once no record will follow; by whoever closes it. */
export const QUEUE_CLOSED_OFFSET = 128;
/** u32: consumers sleep on this word; a producer that finds one asleep adds 1 and wakes. */
export const QUEUE_WAKE_OFFSET = 256;
/** u32: a bit for each slot whose consumer sleeps or is about to. */
export const QUEUE_SLEEPERS_OFFSET = 260;
/** The same for producers that wait for room, a bit for each lane. */
export const QUEUE_ROOM_WAKE_OFFSET = 384;
export const QUEUE_ROOM_SLEEPERS_OFFSET = 388;

// u64 counters, added to by whoever finds it.
/** Lanes taken back from producers that had died. */
export const QUEUE_ABANDONED_OFFSET = 512;
/** Slots taken back from consumers that had died. */
export const QUEUE_DEAD_CONSUMERS_OFFSET = 520;
/** Records handed out again because their consumer died with them. */
export const QUEUE_REDELIVERED_OFFSET = 528;
/** Times that a slow consumer was left behind (gated). */
export const QUEUE_EXPIRED_OFFSET = 536;

export const QUEUE_SLOTS_OFFSET = 4096;
export const QUEUE_SLOT_LENGTH = 256;
/** u64: the consumer, as ARENA_OWNER_ says; 0 = free. */
export const QUEUE_SLOT_OWNER_OFFSET = 0;
/** u32: odd while producers wait for this consumer (gated). Each change adds 1, so that nobody who decided on an old value ends a newer consumer. */
export const QUEUE_SLOT_JOINED_OFFSET = 8;
/** u64, written by the consumer: records that it released, and records that it missed. */
export const QUEUE_SLOT_DELIVERED_OFFSET = 16;
export const QUEUE_SLOT_LAPPED_OFFSET = 24;
/** u32, mpmc: bytes of what is held: records with their headers, one after the other. */
export const QUEUE_SLOT_HELD_BYTES_OFFSET = 32;
/** u64, mpmc: what the consumer is about to claim, or has claimed. On a line of its own: others confirm it. */
export const QUEUE_SLOT_INTENT_OFFSET = 128;

//   intent: 63                      7 6    2 1     0        cursor (mpmc): 63               8 7          0
//          +-------------------------+------+-------+                     +------------------+------------+
//          | position behind it / 8  | lane | phase |                     | claimed up to / 8| slot + 1   |
//          +-------------------------+------+-------+                     +------------------+------------+
export const QUEUE_INTENT_POSITION_SHIFT = 7;
export const QUEUE_INTENT_LANE_SHIFT = 2;
export const QUEUE_INTENT_LANE_MASK = 31;
export const QUEUE_INTENT_PHASE_MASK = 3;
export const QUEUE_INTENT_IDLE = 0;
export const QUEUE_INTENT_CLAIMING = 1;
export const QUEUE_INTENT_CLAIMED = 2;
export const QUEUE_CURSOR_POSITION_SHIFT = 8;
export const QUEUE_CURSOR_SLOT_MASK = 255;

/** mpmc: one cursor for each lane. gated: one for each lane and slot, lane by lane: u64, the position that its consumer reads next; all ones = it reads this lane no more. */
export const QUEUE_CURSORS_OFFSET = 12288;
export const QUEUE_CURSOR_LENGTH = 128;

export const QUEUE_LANES_MAX = 32;
export const QUEUE_CONSUMERS_MAX = 32;
/** Longest record where records are copied (mpmc, gated, lossy). In place it is half a lane. */
export const QUEUE_COPIED_LENGTH_MAX = 131072;
/** mpmc: held bytes of a slot are at least this. */
export const QUEUE_HELD_LENGTH_MIN = 65536;

// An endpoint's own state, in a slot of ARENA_REGION_ENDPOINTS: nobody else can write it.

/** u64: where the next reservation goes. */
export const QUEUE_PRODUCER_POSITION_OFFSET = 0;
/** u64: up to here (exclusive) it may write without asking. */
export const QUEUE_PRODUCER_LIMIT_OFFSET = 8;
/** u32 each: address of the lane, its capacity, address of the queue, number of the lane, mode, consumers, 1 = the arena is shared. */
export const QUEUE_PRODUCER_LANE_OFFSET = 16;
export const QUEUE_PRODUCER_CAPACITY_OFFSET = 20;
export const QUEUE_PRODUCER_QUEUE_OFFSET = 24;
export const QUEUE_PRODUCER_NUMBER_OFFSET = 28;
export const QUEUE_PRODUCER_MODE_OFFSET = 32;
export const QUEUE_PRODUCER_CONSUMERS_OFFSET = 36;
export const QUEUE_PRODUCER_SHARED_OFFSET = 40;
export const QUEUE_PRODUCER_RECORD_LENGTH_MAX_OFFSET = 44;
/** u64: records submitted, published or not. */
export const QUEUE_PRODUCER_COUNT_OFFSET = 48;
/** u64: position up to which it is published. */
export const QUEUE_PRODUCER_PUBLISHED_OFFSET = 56;
/** u64: last restart position that was stored. */
export const QUEUE_PRODUCER_RESTART_OFFSET = 64;
/** u32: which pair of counts is written next, 0 or 1. */
export const QUEUE_PRODUCER_PAIR_OFFSET = 72;
export const QUEUE_PRODUCER_LENGTH = 128;

/** u32 each: address of the queue, mode, lanes, consumers, capacity, own slot, longest record, address and bytes of the copies. */
export const QUEUE_CONSUMER_QUEUE_OFFSET = 0;
export const QUEUE_CONSUMER_MODE_OFFSET = 4;
export const QUEUE_CONSUMER_LANES_OFFSET = 8;
export const QUEUE_CONSUMER_CONSUMERS_OFFSET = 12;
export const QUEUE_CONSUMER_CAPACITY_OFFSET = 16;
export const QUEUE_CONSUMER_SLOT_OFFSET = 20;
export const QUEUE_CONSUMER_RECORD_LENGTH_MAX_OFFSET = 24;
export const QUEUE_CONSUMER_HELD_OFFSET = 28;
export const QUEUE_CONSUMER_HELD_LENGTH_OFFSET = 32;
/** u32: address of lane 0. */
export const QUEUE_CONSUMER_LANE_OFFSET = 36;
export const QUEUE_CONSUMER_SHARED_OFFSET = 40;
/** What stands for the slot of a reader that may not write to the arena. */
export const QUEUE_SLOT_NONE = 0xffffffff;
/** u32: lane that the next drain begins with. */
export const QUEUE_CONSUMER_NEXT_OFFSET = 44;
/** u32: rows of the last drain, and how many of them are records (the others tell of lapses). */
export const QUEUE_CONSUMER_ROWS_OFFSET = 48;
export const QUEUE_CONSUMER_RECORDS_OFFSET = 52;
/** u32: a bit for each lane whose room the next release gives back. */
export const QUEUE_CONSUMER_TOUCHED_OFFSET = 56;
/** u32: slot + 1 whose claimed run is being handed out: the own one, or that of a dead consumer; 0 = none. */
export const QUEUE_CONSUMER_CLAIMED_OFFSET = 60;
/** u32: 1 = the caller is to wake producers of other processes that wait for room. */
export const QUEUE_CONSUMER_WAKE_ROOM_OFFSET = 64;
/** u32, with STATUS_CORRUPT: the lane, then u64: the position there. */
export const QUEUE_CONSUMER_CORRUPT_LANE_OFFSET = 68;
export const QUEUE_CONSUMER_CORRUPT_POSITION_OFFSET = 72;
/** u64 each: released and missed so far. */
export const QUEUE_CONSUMER_DELIVERED_OFFSET = 80;
export const QUEUE_CONSUMER_LAPPED_OFFSET = 88;
/** u64, u32: what the last copying of a run came to: position behind it, bytes. */
export const QUEUE_CONSUMER_RUN_END_OFFSET = 96;
export const QUEUE_CONSUMER_RUN_BYTES_OFFSET = 104;
/** u32, gated and lossy: bytes of the copies that rows point to. */
export const QUEUE_CONSUMER_USED_OFFSET = 112;
/** u32: a bit for each lane that broke its rules: not looked at any more. */
export const QUEUE_CONSUMER_DETACHED_OFFSET = 108;

/** QUEUE_LANES_MAX of these. */
export const QUEUE_CONSUMER_LANES_STATE_OFFSET = 128;
export const QUEUE_LANE_STATE_LENGTH = 64;
/** u64 each: what is read next, and the number of that record. */
export const QUEUE_LANE_STATE_POSITION_OFFSET = 0;
export const QUEUE_LANE_STATE_SEQUENCE_OFFSET = 8;
/** u32: 1 = lapped: the next record tells how many were missed. */
export const QUEUE_LANE_STATE_LAPPED_OFFSET = 16;

/** Rows of the last drain: address u32, length u32, lane u32, sequence u32. Address 0: a lapse, low and high half of its count in length and sequence. */
export const QUEUE_CONSUMER_TABLE_OFFSET = 4096;
export const QUEUE_ROW_LENGTH = 16;
export const QUEUE_ROW_ADDRESS_OFFSET = 0;
export const QUEUE_ROW_RECORD_LENGTH_OFFSET = 4;
export const QUEUE_ROW_LANE_OFFSET = 8;
export const QUEUE_ROW_SEQUENCE_OFFSET = 12;
export const QUEUE_ROWS_MAX = 1024;
/** Copies of a broadcast's records, up to the end of the slot. */
export const QUEUE_CONSUMER_COPIES_OFFSET = 20480;
export const QUEUE_CONSUMER_COPIES_LENGTH = 241664;
