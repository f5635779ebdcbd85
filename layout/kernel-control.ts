// Three array maps that the BPF programs share with user space (BPF_F_MMAPABLE), mapped into the arena: settings, counters, lanes.
// Settings: written by user space, read by the programs.

/** u32: 1 while the consumer blocks, or is about to: only then does a record wake it. Pairs with the load behind each submit. */
export const KERNEL_SETTINGS_PARKED_OFFSET = 0;
/** u32: roots in use; 0 = everything is watched. */
export const KERNEL_SETTINGS_ROOT_COUNT_OFFSET = 4;
/** u32: pid (tgid) that is never reported: our own. */
export const KERNEL_SETTINGS_OWN_PID_OFFSET = 8;
/** u32: pids in the filter; 0 = all. */
export const KERNEL_SETTINGS_PID_COUNT_OFFSET = 12;
/** u32: bit per KERNEL_OP_: which operations are reported. */
export const KERNEL_SETTINGS_OP_MASK_OFFSET = 16;
/** u32: 1 = report also the children of the filtered pids, as they fork. */
export const KERNEL_SETTINGS_FOLLOW_FORK_OFFSET = 20;
/** ROOTS_MAX rows of 16 bytes: inode u64, device u64 (st_dev). */
export const KERNEL_SETTINGS_ROOTS_OFFSET = 64;
export const KERNEL_SETTINGS_ROOT_LENGTH = 16;
/** FILTER_PIDS_MAX u32. */
export const KERNEL_SETTINGS_PIDS_OFFSET = 512;
export const KERNEL_SETTINGS_LENGTH = 4096;

// Counters: u64 each, added to by the programs; PRODUCED and FILTERED are kept per CPU in the kernel, and user space stores their sums here whenever it
// is asked for the counters.
/** Records handed to the ring, dropped ones included. produced = in the ring or consumed + dropped. */
export const KERNEL_COUNTER_PRODUCED_OFFSET = 0;
export const KERNEL_COUNTER_DROPPED_RING_FULL_OFFSET = 8;
/** Operations whose beginning could not be remembered. */
export const KERNEL_COUNTER_DROPPED_TABLE_FULL_OFFSET = 16;
/** Operations seen and found to be outside the filter. */
export const KERNEL_COUNTER_FILTERED_OFFSET = 24;
/** Paths that were cut. */
export const KERNEL_COUNTER_TRUNCATED_OFFSET = 32;
/** Records that another program on the same CPU was interrupted for. */
export const KERNEL_COUNTER_DROPPED_NESTED_OFFSET = 40;
export const KERNEL_COUNTERS_LENGTH = 4096;

// Lanes: u64 each, one per CPU: sequence of the last record that this CPU handed to the ring or dropped. Stored after the hand-over: whoever reads n
// here and then finds the ring drained without having seen n knows that n was dropped.
export const KERNEL_LANES_LENGTH = 8192;
