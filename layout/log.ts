// Control block of the journal's append log (ARENA_LOG_OFFSET). Any thread appends by itself: one fetch-add on a window's claim word gives
// sequence and place at once, as in Aeron's log buffers. Segment number n lies in window n % LOG_WINDOWS.
//
//   0              128               256           384              512               640             768
//  +--------------+-----------------+-------------+----------------+-----------------+---------------+------------------+
//  | activeSegment| commitNotify,   | sync words  | durable        | lamportOffset,  | cursors       | windows, 128     |
//  |              | waiters         |             | Sequence       | epoch, status   |               | bytes each       |
//  +--------------+-----------------+-------------+----------------+-----------------+---------------+------------------+
//   1280           3328    4096
//  +--------------+-------+
//  | reader slots | zeros |
//  +--------------+-------+

export const LOG_WINDOWS = 3;
/** u32: number of the segment that appends go to. Stored by the appender that closes a segment; pairs with the load in journalReserve. */
export const LOG_ACTIVE_SEGMENT_OFFSET = 0;
/** u32: bytes of each segment, written once at open. */
export const LOG_SEGMENT_LENGTH_OFFSET = 4;
/** u32: grows with every published batch; readers wait on it. */
export const LOG_COMMIT_NOTIFY_OFFSET = 128;
/** u32: readers that wait, or are about to. The publisher notifies only if it is not 0. */
export const LOG_COMMIT_WAITERS_OFFSET = 132;
/** u32: grows when somebody wants a flush or a new segment; the sync worker waits on it. */
export const LOG_SYNC_NOTIFY_OFFSET = 256;
/** u32: 1 while the sync worker waits, or is about to. */
export const LOG_SYNC_PARKED_OFFSET = 260;
/** u32: 1 where the file is not mapped: every published batch asks the sync worker to write it. */
export const LOG_SYNC_UNMAPPED_OFFSET = 272;
/** u64: highest sequence that somebody wants durable. */
export const LOG_SYNC_WANTED_SEQUENCE_OFFSET = 264;
/** u64: every entry up to it was covered by a finished fdatasync. */
export const LOG_DURABLE_SEQUENCE_OFFSET = 384;
/** u32: grows with every finished flush, failed or not; those that wait for durability wait on it. */
export const LOG_DURABLE_NOTIFY_OFFSET = 392;
/** u64: every entry up to it was written to the file: equal to the committed one where the file is mapped, behind it where it is written with fs. */
export const LOG_WRITTEN_SEQUENCE_OFFSET = 400;
/** u64: added to a sequence to give its Lamport stamp; only remote events raise it. */
export const LOG_LAMPORT_OFFSET_OFFSET = 512;
/** u64: how often the journal has been opened for writing. */
export const LOG_EPOCH_OFFSET = 520;
/** u32: 0 open, else one of LOG_STATE_. */
export const LOG_STATE_OFFSET = 528;
/** u32: errno behind a poisoned or full state. */
export const LOG_ERRNO_OFFSET = 532;
export const LOG_STATE_OPEN = 0;
/** A flush failed: nothing is appended or acknowledged any more. */
export const LOG_STATE_POISONED = 1;
export const LOG_STATE_CLOSED = 2;
/** No room for the next segment: appends go on to the end of the active one, then answer STATUS_FULL until there is room again. */
export const LOG_STATE_FULL = 3;

/** First window's control. */
export const LOG_WINDOW_OFFSET = 768;
export const LOG_WINDOW_LENGTH = 128;
/**
 * u64: entries claimed << 32 | next free offset. A low half above the segment's length means that nothing can be claimed: the segment is full, or
 * (LOG_CLAIM_CLOSED) not active yet.
 */
export const LOG_WINDOW_CLAIM_OFFSET = 0;
/** u64: sequence of the window's first entry. Stored before the claim word is opened. */
export const LOG_WINDOW_FIRST_SEQUENCE_OFFSET = 8;
/** u32: number of the segment that lies here now. */
export const LOG_WINDOW_SEGMENT_OFFSET = 16;
/** u32: one of LOG_WINDOW_STATE_. */
export const LOG_WINDOW_STATE_OFFSET = 20;
/** u32: address of the mapped segment in the arena. */
export const LOG_WINDOW_ADDRESS_OFFSET = 24;
/** u64: sequence behind the segment's last entry; 0 until the segment is full. Stored by the appender whose claim crossed the end. */
export const LOG_WINDOW_END_SEQUENCE_OFFSET = 32;
/** Nothing usable here: the sync worker is preparing the next segment. */
export const LOG_WINDOW_STATE_EMPTY = 0;
/** A segment is mapped, its claim word closed; it becomes the active one when its predecessor is full. */
export const LOG_WINDOW_STATE_READY = 1;
/** One thread, chosen by compare-and-swap over segment and state together, is making it the active one. */
export const LOG_WINDOW_STATE_OPENING = 2;
/** The active segment, or one behind it: can be read here. */
export const LOG_WINDOW_STATE_OPEN = 3;
/** Above every segment length: a claim from here fails. */
export const LOG_CLAIM_CLOSED = 0x80000000;

// A cursor over committed entries, moved by journalScan. Two of them are at fixed places, so that whoever replaces their owner goes on from there.
/** u32: segment, and offset in it. */
export const LOG_CURSOR_SEGMENT_OFFSET = 0;
export const LOG_CURSOR_POSITION_OFFSET = 4;
/** u64: last sequence that the cursor went over. */
export const LOG_CURSOR_SEQUENCE_OFFSET = 8;
export const LOG_CURSOR_LENGTH = 16;
/** The sync worker's: the contiguous committed position. */
export const LOG_SYNC_CURSOR_OFFSET = 640;
/** u32: lowest segment that fdatasync has not covered as a whole. */
export const LOG_SYNC_DIRTY_SEGMENT_OFFSET = 656;
/** u32: segment, and offset in it, up to which the sync worker wrote the file itself (where it cannot be mapped). */
export const LOG_WRITTEN_SEGMENT_OFFSET = 660;
export const LOG_WRITTEN_POSITION_OFFSET = 664;
/** u32: lowest segment that is still kept. */
export const LOG_FIRST_SEGMENT_OFFSET = 668;

// Readers of this process. A slot is taken by compare-and-swap of its owner word.
export const LOG_READERS_OFFSET = 1280;
/** u32: 0 = free, 1 = taken. */
export const LOG_READER_OWNER_OFFSET = 0;
/** u32: lowest segment that this reader still needs: older ones may be given up (only where nobody wants to keep them). */
export const LOG_READER_NEEDED_OFFSET = 4;
/** u32: 1 + the segment whose window the reader is in, 0 outside. The window is not recycled under it. Pairs with the store of EMPTY in JournalSync. */
export const LOG_READER_INSIDE_OFFSET = 8;
export const LOG_READER_LENGTH = 16;
export const LOG_READERS_MAX = 128;
