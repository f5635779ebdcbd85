// Hands finished records to the ring.
#ifndef CAUSEWAY_EMIT_H
#define CAUSEWAY_EMIT_H

#include "task.h"

// Waking the consumer. It must not sleep while a record is in the ring, and a wake-up costs more than all the rest: so it is asked for only when the
// consumer has said that it sleeps. No wake-up is lost, because each side stores first and loads then (Dekker):
//   consumer: (1) stores parked = 1; (2) loads the producer position; (3) sleeps only if that showed nothing new.
//   program:  (4) submits the record: an xchg on its header, a full barrier; (5) loads parked; (6) wakes if it is 1.
// If (2) came before (4), then (1) came before (5), and (5) sees 1. If (2) came after (4), the consumer sees the record and does not sleep.
// `parked` is loaded once more before (4): if it is 1 already, the submit itself wakes, and no second record is needed for it. In the window between,
// an empty record is reserved and discarded just for its wake-up. Should the ring have no room left for even that, the consumer sleeps until its time-out.
static __always_inline void consumer_wake(void) {
  void *empty = bpf_ringbuf_reserve(&ring, 8, 0);
  if (empty) bpf_ringbuf_discard(empty, BPF_RB_FORCE_WAKEUP);
}

// Hands over a record that is complete but for its length, lane, and submit delay. `record` is followed by its text, text_mask bytes at most.
static __always_inline void record_submit(struct record *record, u32 text_length, const u32 text_mask) {
  u32 cpu = bpf_get_smp_processor_id();
  u64 *lane = bpf_map_lookup_elem(&lanes, &cpu);
  volatile struct settings *settings = settings_get();
  if (!lane || !settings) {
    // A machine with more than LANES_MAX CPUs.
    COUNT(dropped_table_full);
    return;
  }
  text_length = MASKED(text_length, text_mask);
  if (record->flags & (KERNEL_FLAG_PATH_TRUNCATED | KERNEL_FLAG_PATH2_TRUNCATED)) COUNT(truncated);
  u64 sequence = *lane + 1;
  record->length = sizeof(*record) + text_length;
  record->version = KERNEL_RECORD_VERSION;
  record->cpu = cpu;
  record->lane_sequence = sequence;
  record->submit_delay_ns = bpf_ktime_get_ns() - record->time_ns;
  u64 flags = settings->parked ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
  long status = bpf_ringbuf_output(&ring, record, sizeof(*record) + text_length, flags);
  // After the hand-over, kept or dropped: whoever reads this lane knows that what it names is in the ring, or lost (layout/kernel-control.ts).
  *(volatile u64 *)lane = sequence;
  if (status) {
    COUNT(dropped_ring_full);
  } else if (!(flags & BPF_RB_FORCE_WAKEUP) && settings->parked) {
    consumer_wake();
  }
}

static __always_inline void record_set_task(struct record *record) {
  u64 ids = task_ids();
  u64 uid_gid = bpf_get_current_uid_gid();
  record->pid = ids >> 32;
  record->tid = (u32)ids;
  if (!record->pid) record->flags |= KERNEL_FLAG_PID_UNKNOWN;
  record->uid = (u32)uid_gid;
  record->gid = uid_gid >> 32;
  bpf_get_current_comm(record->comm, sizeof(record->comm));
}

#endif
