// What the loader asks the kernel once: how this machine looks from the inside.
#ifndef CAUSEWAY_RESOLVE_H
#define CAUSEWAY_RESOLVE_H

// Run once by the loader for each watched root, with a descriptor of it: which inode and device the programs will see. stat(2) does not always
// say the same (btrfs, overlayfs).
struct resolve_arguments {
  u64 inode;
  u64 device;
  u32 fd;
  u32 mode;
};

SEC("syscall")
int resolve(struct resolve_arguments *arguments) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct machine *machine = machine_get();
  if (!machine) return 1;
  machine->root_dentry = (u64)BPF_CORE_READ(task, fs, root.dentry);
  machine->root_mount = (u64)BPF_CORE_READ(task, fs, root.mnt);
  struct vfsmount *vfsmount = BPF_CORE_READ(task, fs, root.mnt);
  struct mount *mount = (struct mount *)((u64)vfsmount - bpf_core_field_offset(struct mount, mnt));
  for (u32 i = 0; i < PATH_DEPTH_MAX; i++) {
    struct mount *parent = BPF_CORE_READ(mount, mnt_parent);
    if (parent == mount || !parent) break;
    mount = parent;
  }
  machine->top_mount = (u64)mount;
  struct pid *pid = BPF_CORE_READ(task, thread_pid);
  u64 level = BPF_CORE_READ(pid, level);
  struct upid *upid = (struct upid *)upid_address((u64)pid, level);
  machine->pid_namespace = (u64)BPF_CORE_READ(upid, ns);
  machine->pid_level = level;
  struct fdtable *table = BPF_CORE_READ(task, files, fdt);
  if (arguments->fd >= BPF_CORE_READ(table, max_fds)) return 2;
  struct file *file = 0;
  bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(table, fd) + arguments->fd);
  if (!file) return 2;
  arguments->inode = BPF_CORE_READ(file, f_inode, i_ino);
  arguments->device = device_encode(BPF_CORE_READ(file, f_inode, i_sb, s_dev));
  arguments->mode = BPF_CORE_READ(file, f_inode, i_mode);
  return 0;
}

#endif
