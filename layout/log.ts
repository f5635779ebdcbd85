// Control block of the journal's append log (ARENA_LOG_OFFSET). Any thread appends by itself: one fetch-add on a window's claim word gives
// sequence and place at once, as in Aeron's log buffers. Segment number n lies in window n % LOG_WINDOWS.
//
//   0              128               256           384              512               640             768
//  +--------------+-----------------+-------------+----------------+-----------------+---------------+------------------+
//  | activeSegment| commitNotify,   | sync words  | durable        | lamportOffset,  | ...           | windows, 128     |
//  |              | waiters         |             | Sequence       | epoch, status   |               | bytes each       |
//  +--------------+-----------------+-------------+----------------+-----------------+---------------+------------------+

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

/** First window's control. */
export const LOG_WINDOW_OFFSET = 768;
export const LOG_WINDOW_LENGTH = 128;
/** u64: entries claimed << 32 | next free offset. */
export const LOG_WINDOW_CLAIM_OFFSET = 0;
/** u64: sequence of the window's first entry. */
export const LOG_WINDOW_FIRST_SEQUENCE_OFFSET = 8;
/** u32: number of the segment that lies here now. */
export const LOG_WINDOW_SEGMENT_OFFSET = 16;
/** u32: one of LOG_WINDOW_STATE_. */
export const LOG_WINDOW_STATE_OFFSET = 20;
/** u32: address of the mapped segment in the arena. */
export const LOG_WINDOW_ADDRESS_OFFSET = 24;
/** u32: readers of this process inside the window; it is not recycled under them. */
export const LOG_WINDOW_READERS_OFFSET = 28;
/** Nothing usable here: the sync worker is preparing the next segment. */
export const LOG_WINDOW_STATE_EMPTY = 0;
/** A segment is mapped, with its claim word at the first entry; it becomes the active one when its predecessor is full. */
export const LOG_WINDOW_STATE_READY = 1;
