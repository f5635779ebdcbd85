// The few kernel structures that the programs read, each with only the fields that are used. libbpf finds the fields' real offsets in the running
// kernel's BTF when it loads the object (CO-RE), so nothing here depends on one kernel's layout or on headers of it.
#ifndef CAUSEWAY_KERNEL_TYPES_H
#define CAUSEWAY_KERNEL_TYPES_H

#include <stdbool.h>

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

// include/uapi/linux/bpf.h
enum bpf_map_type {
  BPF_MAP_TYPE_HASH = 1,
  BPF_MAP_TYPE_ARRAY = 2,
  BPF_MAP_TYPE_PERCPU_ARRAY = 6,
  BPF_MAP_TYPE_RINGBUF = 27,
  BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum {
  BPF_ANY = 0,
  BPF_F_NO_PREALLOC = 1,
  BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
  BPF_F_MMAPABLE = 1 << 10,
  BPF_RB_NO_WAKEUP = 1,
  BPF_RB_FORCE_WAKEUP = 2,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

// Registers at the entry of a system call. Both architectures are in one object: what the running kernel does not have is never reached.
struct pt_regs {};
struct pt_regs___x86 {
  unsigned long r10, r9, r8, dx, si, di, orig_ax;
};
struct pt_regs___arm64 {
  u64 regs[31];
  __s32 syscallno;
};

struct qstr {
  union {
    struct {
      u32 hash;
      u32 len;
    };
    u64 hash_len;
  };
  const unsigned char *name;
};

struct hlist_bl_node {
  struct hlist_bl_node **pprev;
};

struct hlist_node {
  struct hlist_node *next;
};

struct hlist_head {
  struct hlist_node *first;
};

struct super_block {
  u32 s_dev;
};

struct dentry;

struct inode {
  u16 i_mode;
  struct super_block *i_sb;
  unsigned long i_ino;
  s64 i_size;
  struct hlist_head i_dentry;
};

struct dentry {
  struct {
    struct {
      unsigned sequence;
    } seqcount;
  } d_seq;
  struct hlist_bl_node d_hash;
  struct dentry *d_parent;
  struct qstr d_name;
  struct inode *d_inode;
  union {
    struct hlist_node d_alias;
  } d_u;
};

struct vfsmount {
  struct dentry *mnt_root;
};

struct mount {
  struct mount *mnt_parent;
  struct dentry *mnt_mountpoint;
  struct vfsmount mnt;
};

struct path {
  struct vfsmount *mnt;
  struct dentry *dentry;
};

struct file {
  u32 f_mode;
  struct inode *f_inode;
  struct path f_path;
};

struct fdtable {
  unsigned int max_fds;
  struct file **fd;
  unsigned long *open_fds;
};

typedef struct {
  int counter;
} atomic_t;

struct files_struct {
  atomic_t count;
  struct fdtable *fdt;
};

struct fs_struct {
  struct path root;
  struct path pwd;
};

struct thread_info {
  unsigned long flags;
};

struct signal_struct {
  atomic_t live;
  int nr_threads;
};

struct mm_struct;

struct pid_namespace;

struct upid {
  int nr;
  struct pid_namespace *ns;
};

struct pid {
  unsigned int level;
  struct upid numbers[1];
};

struct task_struct {
  struct thread_info thread_info;
  int pid;
  int tgid;
  struct task_struct *group_leader;
  struct pid *thread_pid;
  struct files_struct *files;
  struct fs_struct *fs;
  struct signal_struct *signal;
  struct mm_struct *mm;
};

// x86 only: TS_COMPAT of the call that is running.
struct task_struct___x86 {
  struct {
    u32 status;
  } thread_info;
};

struct rb_node {
  unsigned long __rb_parent_color;
};

struct vm_area_struct {
  struct file *vm_file;
  struct {
    struct rb_node rb;
  } shared;
};

struct address_space {
  struct inode *host;
  struct {
    struct {
      struct rb_node *rb_node;
    } rb_root;
  } i_mmap;
};

// io_uring requests: the same memory, by opcode.
struct filename {
  const char *name;
};

struct io_kiocb {
  struct file *file;
  u8 opcode;
  u64 flags;
};

struct io_uring_cqe {
  s32 res;
};

struct io_close {
  int fd;
  u32 file_slot;
};

struct io_open {
  int dfd;
  u32 file_slot;
  struct filename *filename;
  struct {
    u64 flags;
  } how;
};

struct io_rename {
  int old_dfd;
  int new_dfd;
  struct filename *oldpath;
  struct filename *newpath;
  int flags;
};

struct io_link {
  int old_dfd;
  int new_dfd;
  struct filename *oldpath;
  struct filename *newpath;
  int flags;
};

struct io_unlink {
  int dfd;
  int flags;
  struct filename *filename;
};

struct io_mkdir {
  int dfd;
  u16 mode;
  struct filename *filename;
};

struct folio {
  unsigned long index;
};

#pragma clang attribute pop

#endif
