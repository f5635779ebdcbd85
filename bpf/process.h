// Processes that begin and end: the pid filter follows forks, and what a process has open is closed with it.
#ifndef CAUSEWAY_PROCESS_H
#define CAUSEWAY_PROCESS_H

static __always_inline bool pid_is_tracked(u32 pid) {
  return bpf_map_lookup_elem(&tracked_pids, &pid) != 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child) {
  struct settings *settings = settings_get();
  if (!settings || !settings->follow_fork) return 0;
  u32 pid = task_ids_of(child, (u64)child->tgid << 32) >> 32, one = 1;
  u32 parent_pid = task_ids_of(parent, (u64)parent->tgid << 32) >> 32;
  if (pid != parent_pid && pid_is_tracked(parent_pid) && bpf_map_update_elem(&tracked_pids, &pid, &one, BPF_ANY)) {
    COUNT(dropped_table_full);
  }
  return 0;
}

// The end of a process: its descriptors end with it. Not when they are shared with another process (CLONE_FILES), which goes on.
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task) {
  struct settings *settings = settings_get();
  // Only the last thread: it has counted itself out already, and comes here before the files are closed.
  if (!settings || BPF_CORE_READ(task, signal, live.counter) != 0) return 0;
  u32 pid = task_ids() >> 32;
  if (settings->op_mask >> KERNEL_OP_FILE_CLOSE & 1 && task_is_wanted(settings) &&
      BPF_CORE_READ(task, files, count.counter) <= BPF_CORE_READ(task, signal, nr_threads)) {
    struct scratch *s = scratch_take();
    if (s) {
      range_close(s, 0, FDS_MAX - 1, KERNEL_VARIANT_EXIT);
      scratch_release(s);
    }
  }
  // The number may be given to another process from here on.
  if (settings->follow_fork) bpf_map_delete_elem(&tracked_pids, &pid);
  return 0;
}

#endif
