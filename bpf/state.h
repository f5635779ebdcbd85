// Maps, scratch memory, and the structures in them.
#ifndef CAUSEWAY_STATE_H
#define CAUSEWAY_STATE_H

#include "kernel-types.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "layout.h"

// A bound that the verifier sees: written out as an instruction, because the compiler leaves a mask out wherever it knows (and the verifier has
// forgotten) that the value is in range. The mask is all ones below a power of two.
#define MASKED(value, mask)                                           \
  ({                                                                  \
    u64 masked_ = (value);                                            \
    asm volatile("%0 &= %1" : "+r"(masked_) : "i"(mask));             \
    masked_;                                                          \
  })

// Reading kernel structures. From 6.2 on an address can be given its type and then be read through like any pointer: a load that faults answers 0.
// Each read is one instruction. The second object, for older kernels, is made from the same source with a helper call for each read.
#ifdef CAUSEWAY_PROBE_READS
#define AT(type, address) ((struct type *)(address))
#define GET(pointer, field) BPF_CORE_READ(pointer, field)
#else
extern void *bpf_rdonly_cast(const void *address, u32 type) __ksym;
#define AT(type, address) ((struct type *)bpf_rdonly_cast((const void *)(address), bpf_core_type_id_kernel(struct type)))
#define GET(pointer, field) ((pointer)->field)
#endif

#define OFFSET_IS(type, field, offset) _Static_assert(__builtin_offsetof(type, field) == (offset), #type "." #field)

// layout/kernel-record.ts
struct record {
  u32 length;
  u16 version;
  u16 op;
  u16 variant;
  u16 flags;
  u32 cpu;
  u64 time_ns;
  u64 duration_ns;
  u64 lane_sequence;
  u64 inode;
  u64 device;
  u64 size;
  s64 amount;
  u64 argument;
  u32 pid;
  u32 tid;
  u32 uid;
  u32 gid;
  u32 error;
  u32 mode;
  u32 submit_delay_ns;
  u16 path_length;
  u16 path2_length;
  char comm[COMM_LENGTH];
};
OFFSET_IS(struct record, length, KERNEL_RECORD_LENGTH_OFFSET);
OFFSET_IS(struct record, version, KERNEL_RECORD_VERSION_OFFSET);
OFFSET_IS(struct record, op, KERNEL_RECORD_OP_OFFSET);
OFFSET_IS(struct record, variant, KERNEL_RECORD_VARIANT_OFFSET);
OFFSET_IS(struct record, flags, KERNEL_RECORD_FLAGS_OFFSET);
OFFSET_IS(struct record, cpu, KERNEL_RECORD_CPU_OFFSET);
OFFSET_IS(struct record, time_ns, KERNEL_RECORD_TIME_NS_OFFSET);
OFFSET_IS(struct record, duration_ns, KERNEL_RECORD_DURATION_NS_OFFSET);
OFFSET_IS(struct record, lane_sequence, KERNEL_RECORD_LANE_SEQUENCE_OFFSET);
OFFSET_IS(struct record, inode, KERNEL_RECORD_INODE_OFFSET);
OFFSET_IS(struct record, device, KERNEL_RECORD_DEVICE_OFFSET);
OFFSET_IS(struct record, size, KERNEL_RECORD_SIZE_OFFSET);
OFFSET_IS(struct record, amount, KERNEL_RECORD_AMOUNT_OFFSET);
OFFSET_IS(struct record, argument, KERNEL_RECORD_ARGUMENT_OFFSET);
OFFSET_IS(struct record, pid, KERNEL_RECORD_PID_OFFSET);
OFFSET_IS(struct record, tid, KERNEL_RECORD_TID_OFFSET);
OFFSET_IS(struct record, uid, KERNEL_RECORD_UID_OFFSET);
OFFSET_IS(struct record, gid, KERNEL_RECORD_GID_OFFSET);
OFFSET_IS(struct record, error, KERNEL_RECORD_ERROR_OFFSET);
OFFSET_IS(struct record, mode, KERNEL_RECORD_MODE_OFFSET);
OFFSET_IS(struct record, submit_delay_ns, KERNEL_RECORD_SUBMIT_DELAY_NS_OFFSET);
OFFSET_IS(struct record, path_length, KERNEL_RECORD_PATH_LENGTH_OFFSET);
OFFSET_IS(struct record, path2_length, KERNEL_RECORD_PATH2_LENGTH_OFFSET);
OFFSET_IS(struct record, comm, KERNEL_RECORD_COMM_OFFSET);
_Static_assert(sizeof(struct record) == KERNEL_RECORD_HEADER_LENGTH, "record header");

// layout/kernel-call.ts
struct call {
  u8 op;
  u8 variant;
  u8 shape;
  u8 pair;
  u32 op_mask;
  u8 dir;
  u8 path;
  u8 dir2;
  u8 path2;
  u8 argument;
  u8 at_flags;
  u8 options;
  u8 reserved;
};
OFFSET_IS(struct call, pair, CALL_PAIR_OFFSET);
OFFSET_IS(struct call, op_mask, CALL_OP_MASK_OFFSET);
OFFSET_IS(struct call, dir, CALL_DIR_OFFSET);
OFFSET_IS(struct call, path, CALL_PATH_OFFSET);
OFFSET_IS(struct call, dir2, CALL_DIR2_OFFSET);
OFFSET_IS(struct call, path2, CALL_PATH2_OFFSET);
OFFSET_IS(struct call, argument, CALL_ARGUMENT_OFFSET);
OFFSET_IS(struct call, at_flags, CALL_AT_FLAGS_OFFSET);
OFFSET_IS(struct call, options, CALL_OPTIONS_OFFSET);
_Static_assert(sizeof(struct call) == CALL_LENGTH, "call");

// layout/kernel-control.ts
struct root {
  u64 inode;
  u64 device;
};
struct settings {
  u32 parked;
  u32 root_count;
  u32 own_pid;
  u32 pid_count;
  u32 op_mask;
  u32 follow_fork;
  u8 reserved[KERNEL_SETTINGS_ROOTS_OFFSET - 24];
  struct root roots[ROOTS_MAX];
  u8 reserved2[KERNEL_SETTINGS_PIDS_OFFSET - KERNEL_SETTINGS_ROOTS_OFFSET - ROOTS_MAX * KERNEL_SETTINGS_ROOT_LENGTH];
  u32 pids[FILTER_PIDS_MAX];
  u8 reserved3[KERNEL_SETTINGS_LENGTH - KERNEL_SETTINGS_PIDS_OFFSET - FILTER_PIDS_MAX * 4];
};
OFFSET_IS(struct settings, parked, KERNEL_SETTINGS_PARKED_OFFSET);
OFFSET_IS(struct settings, root_count, KERNEL_SETTINGS_ROOT_COUNT_OFFSET);
OFFSET_IS(struct settings, own_pid, KERNEL_SETTINGS_OWN_PID_OFFSET);
OFFSET_IS(struct settings, pid_count, KERNEL_SETTINGS_PID_COUNT_OFFSET);
OFFSET_IS(struct settings, op_mask, KERNEL_SETTINGS_OP_MASK_OFFSET);
OFFSET_IS(struct settings, follow_fork, KERNEL_SETTINGS_FOLLOW_FORK_OFFSET);
OFFSET_IS(struct settings, roots, KERNEL_SETTINGS_ROOTS_OFFSET);
OFFSET_IS(struct settings, pids, KERNEL_SETTINGS_PIDS_OFFSET);
_Static_assert(sizeof(struct root) == KERNEL_SETTINGS_ROOT_LENGTH, "root");
_Static_assert(sizeof(struct settings) == KERNEL_SETTINGS_LENGTH, "settings");

struct counters {
  u64 produced;
  u64 dropped_ring_full;
  u64 dropped_table_full;
  u64 filtered;
  u64 truncated;
  u64 dropped_nested;
  u8 reserved[KERNEL_COUNTERS_LENGTH - 48];
};
OFFSET_IS(struct counters, produced, KERNEL_COUNTER_PRODUCED_OFFSET);
OFFSET_IS(struct counters, dropped_ring_full, KERNEL_COUNTER_DROPPED_RING_FULL_OFFSET);
OFFSET_IS(struct counters, dropped_table_full, KERNEL_COUNTER_DROPPED_TABLE_FULL_OFFSET);
OFFSET_IS(struct counters, filtered, KERNEL_COUNTER_FILTERED_OFFSET);
OFFSET_IS(struct counters, truncated, KERNEL_COUNTER_TRUNCATED_OFFSET);
OFFSET_IS(struct counters, dropped_nested, KERNEL_COUNTER_DROPPED_NESTED_OFFSET);
_Static_assert(sizeof(struct counters) == KERNEL_COUNTERS_LENGTH, "counters");

// A watched root's real path, to compare absolute names with: padded with NUL, which the comparison by words relies on.
#define ROOT_PATH_LENGTH 4096
struct root_path {
  u32 length;
  u32 reserved;
  char text[ROOT_PATH_LENGTH];
};

// Both paths of one record; one more path's length behind it, so that a copy at any masked offset stays inside.
#define TEXT_LENGTH 8192
// Paths up to this length (both together) are remembered beside the operation, longer ones in a table of their own.
#define TEXT_SHORT_LENGTH 256
#define TEXT_SHORT_MASK (TEXT_SHORT_LENGTH - 1)

// A place in the tree of mounts: addresses of a struct dentry and a struct vfsmount.
struct place {
  u64 dentry;
  u64 mount;
};

// What is remembered of a call from its entry to its exit, one per thread.
struct operation {
  /** System call number + 1 while it runs, 0 between calls. */
  u32 call;
  /** OPERATION_ bits. */
  u32 state;
  u64 entry_ns;
  /** struct inode * of the file: its size and mode are read at the exit, if it still is that file. */
  u64 inode;
  u64 inode2;
  u64 inode2_number;
  u64 device2;
  u64 size2;
  u32 mode2;
  /** Bytes of text. */
  u32 text_length;
  u64 arguments[6];
  /** The directory that an open's name is relative to. */
  struct place base;
  struct record record;
  char text[TEXT_SHORT_LENGTH];
};

#define OPERATION_LONG 1
/** The caller's memory was not resident at the entry. By the exit the kernel has read it itself: read it then. */
#define OPERATION_UNREAD 2
#define OPERATION_READS 4
#define OPERATION_WRITES 8
#define OPERATION_FLAGS2_TRUNCATED 16
#define OPERATION_FLAGS2_DELETED 32
/** There is no such directory: the call fails, and no path can be told. */
#define OPERATION_NO_BASE 64

struct long_text {
  struct record record;
  char text[TEXT_LENGTH];
};

// Paths are built from their ends towards their beginnings, and end here.
#define WALK_END 4096

// One per CPU, used by one program at a time (see `busy`). Addresses that are stored here and loaded again are plain numbers to the verifier.
struct scratch {
  u32 busy;
  u32 name_length;
  u32 text_length;
  /** Result of a walk: the path is walk_text[position .. WALK_END). */
  u32 position;
  u32 walk_flags;
  u32 walk_inside;
  /** The path is from another mount namespace. */
  u32 walk_foreign;
  /** Which root the last path_is_inside found, and its dentry there. */
  u32 root_index;
  u32 reserved;
  u64 root_dentry;
  /** Where a walk begins. */
  struct place from;
  /** Where it is: the mount is a struct mount * here. */
  struct place at;
  u64 mount_root;
  /** struct file * that is to be described. */
  u64 file;
  /** See number_of. */
  u64 number;
  u64 arguments[8];
  struct operation operation;
  struct long_text draft;
  char slack[WALK_END];
  char walk_text[WALK_END + 512];
  char name[PAGE_LENGTH + 8];
};

#define ARRAY(name, value_type, entries, flags)    \
  struct {                                         \
    __uint(type, BPF_MAP_TYPE_ARRAY);              \
    __uint(max_entries, entries);                  \
    __uint(map_flags, flags);                      \
    __type(key, u32);                              \
    __type(value, value_type);                     \
  } name SEC(".maps")

#define HASH(name, key_type, value_type, entries) \
  struct {                                        \
    __uint(type, BPF_MAP_TYPE_HASH);              \
    __uint(max_entries, entries);                 \
    __type(key, key_type);                        \
    __type(value, value_type);                    \
  } name SEC(".maps")

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} ring SEC(".maps");

ARRAY(settings_map, struct settings, 1, BPF_F_MMAPABLE);
ARRAY(counters_map, struct counters, 1, BPF_F_MMAPABLE);
ARRAY(lanes, u64, LANES_MAX, BPF_F_MMAPABLE);
ARRAY(calls, struct call, CALL_COUNT, 0);
ARRAY(root_paths, struct root_path, ROOTS_MAX, 0);

// Freed with its thread; nothing to evict, no limit of its own.
struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct operation);
} operations SEC(".maps");

// By thread id, or by the address of an io_uring request.
HASH(long_texts, u64, struct long_text, 256);
// io_uring requests that run, by address: they may end in another thread than they began in.
HASH(requests, u64, struct operation, 4096);
ARRAY(uring_calls, struct call, CALL_URING_COUNT, 0);
HASH(tracked_pids, u32, u32, 65536);

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, struct scratch);
} scratch_map SEC(".maps");

static __always_inline struct settings *settings_get(void) {
  u32 zero = 0;
  return bpf_map_lookup_elem(&settings_map, &zero);
}

static __always_inline struct counters *counters_get(void) {
  u32 zero = 0;
  return bpf_map_lookup_elem(&counters_map, &zero);
}

// The verifier checks a global function once, for any arguments, and a static one again for every state that a caller is in: the large ones are global,
// take numbers, and look the scratch up themselves.
#define GLOBAL __noinline

#define COUNT(field)                                       \
  ({                                                       \
    struct counters *counters_ = counters_get();           \
    if (counters_) __sync_fetch_and_add(&counters_->field, 1); \
  })

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, u64);
} filtered_map SEC(".maps");

// By far the most frequent outcome on a busy machine: counted for each CPU apart, user space adds up.
static __always_inline void count_filtered(void) {
  u32 zero = 0;
  u64 *filtered = bpf_map_lookup_elem(&filtered_map, &zero);
  if (filtered) (*filtered)++;
}

// The scratch of this CPU, or NULL when a program that was interrupted here is using it: then the record is given up and counted, never mixed with
// the other one. (System calls do not nest; pages that turn dirty in an interrupt do.)
static __always_inline struct scratch *scratch_take(void) {
  u32 zero = 0;
  struct scratch *s = bpf_map_lookup_elem(&scratch_map, &zero);
  if (!s) return 0;
  if (s->busy) {
    COUNT(dropped_nested);
    return 0;
  }
  s->busy = 1;
  // An interrupt on this CPU sees the store before anything that follows: only the compiler could reorder.
  asm volatile("" ::: "memory");
  return s;
}

// The scratch that the calling program has taken.
static __always_inline struct scratch *scratch_get(void) {
  u32 zero = 0;
  return bpf_map_lookup_elem(&scratch_map, &zero);
}

static __always_inline void scratch_release(struct scratch *s) {
  asm volatile("" ::: "memory");
  s->busy = 0;
}

#endif
