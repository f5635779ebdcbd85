// Who: process and thread numbers as the engine sees them, also when it runs in a pid namespace of its own (a container).
#ifndef CAUSEWAY_TASK_H
#define CAUSEWAY_TASK_H

#include "state.h"

// Where the engine itself lives; written by `resolve`.
struct machine {
  /** Its root directory: a task with another one (chroot, container) means something else by "/". */
  u64 root_dentry;
  u64 root_mount;
  /** struct mount * at the top of its tree of mounts: a path that ends at another one is from another mount namespace. */
  u64 top_mount;
  /** struct pid_namespace *, and its depth: 0 = the first one, whose numbers the helpers give. */
  u64 pid_namespace;
  u64 pid_level;
};
ARRAY(machine_map, struct machine, 1, 0);

static __always_inline struct machine *machine_get(void) {
  u32 zero = 0;
  return bpf_map_lookup_elem(&machine_map, &zero);
}

static __always_inline u64 upid_address(u64 pid, u64 level) {
  return pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid);
}

// The number of a struct pid in the engine's namespace; 0 if it has none there.
GLOBAL int number_in_namespace(u64 address) {
  struct machine *machine = machine_get();
  if (!machine || !address) return 0;
  struct pid *pid = AT(pid, address);
  if (GET(pid, level) < machine->pid_level) return 0;
  struct upid *upid = AT(upid, upid_address(address, machine->pid_level));
  if ((u64)GET(upid, ns) != machine->pid_namespace) return 0;
  return GET(upid, nr);
}

// Process number << 32 | thread number.
static __always_inline u64 task_ids_of(struct task_struct *task, u64 first_namespace_ids) {
  struct machine *machine = machine_get();
  if (!machine || machine->pid_level == 0) return first_namespace_ids;
  // Through memory, to make numbers of the pointers.
  volatile u64 thread = (u64)BPF_CORE_READ(task, thread_pid);
  volatile u64 leader = (u64)BPF_CORE_READ(task, group_leader, thread_pid);
  return (u64)(u32)number_in_namespace(leader) << 32 | (u32)number_in_namespace(thread);
}

static __always_inline u64 task_ids(void) {
  return task_ids_of(bpf_get_current_task_btf(), bpf_get_current_pid_tgid());
}

#endif
